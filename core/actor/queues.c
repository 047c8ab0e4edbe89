/* queues.c — the outer queues of a shell: bound before its first soul starts, read before each sleep. */
#include "actor/shell.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* More than a PULL queue and its connections hold for us: senders that go on must not keep the master from stopping. */
enum { LAST_PULLS = 40000 };

static const char *address_of(const piw__hub *hub, char *const *addresses, const char *queue)
{
    for (size_t i = 0; addresses != NULL && i < hub->queues_count; i++)
        if (strcmp(hub->queue_names[i], queue) == 0)
            return addresses[i][0] != '\0' ? addresses[i] : NULL;
    return NULL;
}

static int open_one(piw__shell *shell, const piw_service *queue, piw_err *err)
{
    const char *address = address_of(shell->hub, shell->hub->queue_addresses, queue->name);
    if (address == NULL)
        return piw_err_set(err, PIW_ECONFIG, "task %s serves the queue %s, which has no address", shell->name,
                           queue->name);
    piw__port_settings settings = {.name = queue->name,
                                   .address = address,
                                   .curve_address =
                                       address_of(shell->hub, shell->hub->queue_curve_addresses, queue->name),
                                   .protocol = queue->protocol->interned};
    piw__port *port;
    int rc = piw__port_open(&port, &settings, err);
    if (rc != 0)
        return rc;
    unsigned n = shell->queues.count;
    shell->queues.ports = piw_realloc(shell->queues.ports, (n + 1) * sizeof(*shell->queues.ports));
    shell->queues.protocols = piw_realloc(shell->queues.protocols, (n + 1) * sizeof(*shell->queues.protocols));
    shell->queues.endpoints = piw_realloc(shell->queues.endpoints, (n + 1) * sizeof(*shell->queues.endpoints));
    shell->queues.ports[n] = port;
    shell->queues.protocols[n] = settings.protocol;
    shell->queues.endpoints[n] = piw_strdup(piw__port_endpoint(port));
    shell->queues.count++;
    /* Edge-triggered: a muted or full bus leaves the port unread, and must not be woken by it all the time. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = PIW__POLL_PORT};
    if (piw__port_fd(port) >= 0 && epoll_ctl(shell->loop.epoll_fd, EPOLL_CTL_ADD, piw__port_fd(port), &event) != 0)
        return piw_err_errno(err, "queue %s can't be polled", queue->name);
    return 0;
}

int piw__ports_open(piw__shell *shell, const piw__image *image, piw_err *err)
{
    const piw_service *queues = image->plugin->queues;
    if (shell->queues.count > 0 || shell->instance > 0)
        return 0;
    for (unsigned i = 0; queues != NULL && queues[i].name != NULL; i++) {
        int rc = open_one(shell, &queues[i], err);
        if (rc != 0) {
            piw__ports_close(shell);
            return rc;
        }
    }
    shell->queues.dirty = true;
    return 0;
}

void piw__ports_close(piw__shell *shell)
{
    for (unsigned i = 0; i < shell->queues.count; i++) {
        if (piw__port_fd(shell->queues.ports[i]) >= 0)
            epoll_ctl(shell->loop.epoll_fd, EPOLL_CTL_DEL, piw__port_fd(shell->queues.ports[i]), NULL);
        piw__port_close(&shell->queues.ports[i]);
        free(shell->queues.endpoints[i]);
    }
    free(shell->queues.ports);
    free(shell->queues.protocols);
    free(shell->queues.endpoints);
    shell->queues.ports = NULL;
    shell->queues.protocols = NULL;
    shell->queues.endpoints = NULL;
    shell->queues.count = 0;
}

/* Those that muted us and have come down to their low mark no longer do. */
static bool is_muted(piw__shell *shell)
{
    for (unsigned i = 0; i < shell->queues.muted_count;) {
        if (piw__mailbox_depth(shell->queues.muted_by[i]) <= PIW_LIMIT_MAILBOX_LOW)
            shell->queues.muted_by[i] = shell->queues.muted_by[--shell->queues.muted_count];
        else
            i++;
    }
    return shell->queues.muted_count > 0;
}

bool piw__ports_wanted(piw__shell *shell)
{
    return shell->queues.count > 0 && shell->soul.state == PIW__RUNNING &&
           (!shell->queues.quiet || shell->queues.last_pulls > 0) && !shell->queues.rest &&
           (shell->queues.muted_count == 0 || !is_muted(shell)) && piw__bus_bytes() < PIW_LIMIT_BUS_BYTES;
}

void piw__ports_quiet(piw__shell *shell)
{
    shell->queues.quiet = true;
    for (unsigned i = 0; i < shell->queues.count && shell->soul.state == PIW__RUNNING; i++)
        if (shell->queues.protocols[i]->queue == PIW_Q_PULL)
            shell->queues.last_pulls = LAST_PULLS;
    piw__deferred_later(shell);
    shell->queues.dirty = true;
}

static bool has_queue(const piw_service *list, const piw_service *queue)
{
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++)
        if (strcmp(list[i].name, queue->name) == 0 && list[i].protocol->interned == queue->protocol->interned)
            return true;
    return false;
}

static bool within(const piw_service *list, const piw_service *all)
{
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++)
        if (!has_queue(all, &list[i]))
            return false;
    return true;
}

bool piw__ports_same(const piw__image *a, const piw__image *b)
{
    return within(a->plugin->queues, b->plugin->queues) && within(b->plugin->queues, a->plugin->queues);
}
