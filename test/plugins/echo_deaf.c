/* An echo that doesn't want to be told. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_DEAF
#include "echo_body.h"

ECHO_PLUGIN(echo, );
