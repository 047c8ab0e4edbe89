/* A plugin that wants a thread of its own. */
#define ECHO_VERSION      1
#define ECHO_VERSION_TEXT "1"
#define ECHO_START        with_thread
#include "echo_body.h"

#include <pthread.h>

static void *nothing(void *arg)
{
    return arg;
}

static int with_thread(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        pthread_join(thread, NULL);
    return start(task, why, state, err);
}

ECHO_PLUGIN(echo, );
