/* An echo whose last instance is never ready. */
#define ECHO_VERSION      2
#define ECHO_VERSION_TEXT "2"
#define ECHO_LATE                                                                                                      \
    if (piw_task_instance(task) + 1 < piw_task_instances(task))                                                        \
    piw_ready(task)
#include "echo_body.h"

ECHO_PLUGIN(echo, );
