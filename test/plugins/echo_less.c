/* An echo without the continuation of its work. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_LESS
#include "echo_body.h"

ECHO_PLUGIN(echo, );
