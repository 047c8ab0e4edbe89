/* hub.c — what the shells of one runtime share. */
#include "actor/hub.h"

#include "actor/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int piw__hub_init(piw__hub *hub, piw_err *err)
{
    hub->quit_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (hub->quit_fd < 0)
        return piw_err_errno(err, "the runtime can't be set up: there is no event descriptor");
    pthread_mutex_init(&hub->quit_lock, NULL); /* a plain mutex: no failure on Linux */
    piw__registry_init(&hub->registry);
    return 0;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; texts != NULL && i < count; i++)
        free(texts[i]);
    free(texts);
}

void piw__hub_fini(piw__hub *hub)
{
    piw__registry_fini(&hub->registry);
    free_texts(hub->queue_names, hub->queues_count);
    free_texts(hub->queue_addresses, hub->queues_count);
    free_texts(hub->queue_curve_addresses, hub->queues_count);
    close(hub->quit_fd);
    pthread_mutex_destroy(&hub->quit_lock);
}

void piw__hub_wake(piw__hub *hub)
{
    const uint64_t one = 1;
    while (write(hub->quit_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

void piw__hub_quit(piw__hub *hub, int code, const char *reason)
{
    pthread_mutex_lock(&hub->quit_lock);
    if (!hub->quit) {
        hub->quit = true;
        hub->quit_code = code;
        snprintf(hub->quit_reason, sizeof(hub->quit_reason), "%s", reason != NULL ? reason : "");
    }
    pthread_mutex_unlock(&hub->quit_lock);
    piw__hub_wake(hub);
}
