/* An echo that has no handler for one message of its service. */
#define ECHO_VERSION      1
#define ECHO_VERSION_TEXT "1"
#define ECHO_NO_NOTE
#include "echo_body.h"

ECHO_PLUGIN(echo, );
