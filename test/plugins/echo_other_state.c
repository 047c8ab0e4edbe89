/* An echo whose state is of another type. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_OTHER_STATE
#include "echo_body.h"

ECHO_PLUGIN(echo, );
