/* An echo that fails a moment after its start, before it was ready. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_LATE         piw_fail(task, "this fixture dies")
#include "echo_body.h"

ECHO_PLUGIN(echo, );
