/* context.c — the process's ZeroMQ contexts, made at first use: one for the queues, one that all clients share. */
#include "port/inner.h"

#include <errno.h>
#include <pthread.h>

enum { MAX_SOCKETS = 16384 };

static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static void *port_context, *client_context;
static unsigned client_users;

static void *context_new(int threads)
{
    void *context = zmq_ctx_new();
    if (context != NULL && (zmq_ctx_set(context, ZMQ_IO_THREADS, threads) != 0 ||
                            zmq_ctx_set(context, ZMQ_MAX_SOCKETS, MAX_SOCKETS) != 0)) {
        zmq_ctx_term(context);
        context = NULL;
    }
    return context;
}

void *piw__zmq_context(void)
{
    pthread_mutex_lock(&context_lock);
    if (port_context == NULL)
        port_context = context_new(PIW__IO_THREADS);
    void *context = port_context;
    pthread_mutex_unlock(&context_lock);
    return context;
}

static void term(void *context)
{
    while (context != NULL && zmq_ctx_term(context) != 0 && errno == EINTR)
        continue;
}

void piw__zmq_term(void)
{
    pthread_mutex_lock(&context_lock);
    void *context = port_context;
    port_context = NULL;
    pthread_mutex_unlock(&context_lock);
    term(context);
}

void *piw__client_context(void)
{
    pthread_mutex_lock(&context_lock);
    if (client_context == NULL)
        client_context = context_new(1);
    if (client_context != NULL)
        client_users++;
    void *context = client_context;
    pthread_mutex_unlock(&context_lock);
    return context;
}

void piw__client_context_release(void)
{
    pthread_mutex_lock(&context_lock);
    void *context = NULL;
    if (--client_users == 0) {
        context = client_context;
        client_context = NULL;
    }
    pthread_mutex_unlock(&context_lock);
    term(context);
}
