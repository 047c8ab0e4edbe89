/* An echo that is ready a moment after its start. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_LATE         piw_ready(task)
#include "echo_body.h"

ECHO_PLUGIN(echo, );
