/* An echo that takes long to start. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_SLOW_START   300
#include "echo_body.h"

ECHO_PLUGIN(echo, );
