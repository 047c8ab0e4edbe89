/* The outer queues of a shell: bound before its first soul starts, read before each sleep. */
#include "runtime_inner.h"

#include <stdlib.h>
#include <sys/epoll.h>

static const char *address_of(const piw_runtime *runtime, const char *queue)
{
    for (size_t i = 0; i < runtime->queues_count; i++)
        if (strcmp(runtime->queue_names[i], queue) == 0)
            return runtime->queue_addresses[i];
    return NULL;
}

static int open_one(piw__shell *shell, const piw_service *queue, piw_err *err)
{
    const char *address = address_of(shell->runtime, queue->name);
    if (address == NULL)
        return piw_err_set(err, PIW_ECONFIG, "task %s serves the queue %s, which has no address", shell->name,
                           queue->name);
    piw__port_settings settings = {.name = queue->name,
                                   .address = address,
                                   .protocol = queue->protocol->interned,
                                   .group_writable =
                                       strcmp(queue->name, "status") == 0 || strcmp(queue->name, "control") == 0,
                                   .private_socket = strcmp(queue->name, "admin") == 0};
    piw__port *port;
    int ret = piw__port_open(&port, &settings, err);
    if (ret != 0)
        return ret;
    unsigned n = shell->ports_count;
    shell->ports = piw_realloc(shell->ports, (n + 1) * sizeof *shell->ports);
    shell->port_protocols = piw_realloc(shell->port_protocols, (n + 1) * sizeof *shell->port_protocols);
    shell->endpoints = piw_realloc(shell->endpoints, (n + 1) * sizeof *shell->endpoints);
    shell->ports[n] = port;
    shell->port_protocols[n] = settings.protocol;
    shell->endpoints[n] = piw_strdup(piw__port_endpoint(port));
    shell->ports_count++;
    /* Edge-triggered: a muted or full bus leaves the port unread, and must not be woken by it all the time. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = PIW__POLL_PORT};
    if (piw__port_fd(port) >= 0 && epoll_ctl(shell->epoll_fd, EPOLL_CTL_ADD, piw__port_fd(port), &event) != 0)
        return piw_err_errno(err, "queue %s can't be polled", queue->name);
    return 0;
}

int piw__ports_open(piw__shell *shell, const piw__image *image, piw_err *err)
{
    const piw_service *queues = image->plugin->queues;
    if (shell->ports_count > 0 || shell->instance > 0)
        return 0;
    for (unsigned i = 0; queues != NULL && queues[i].name != NULL; i++) {
        int ret = open_one(shell, &queues[i], err);
        if (ret != 0) {
            piw__ports_close(shell);
            return ret;
        }
    }
    shell->ports_dirty = true;
    return 0;
}

void piw__ports_close(piw__shell *shell)
{
    for (unsigned i = 0; i < shell->ports_count; i++) {
        if (piw__port_fd(shell->ports[i]) >= 0)
            epoll_ctl(shell->epoll_fd, EPOLL_CTL_DEL, piw__port_fd(shell->ports[i]), NULL);
        piw__port_close(&shell->ports[i]);
        free(shell->endpoints[i]);
    }
    free(shell->ports);
    free(shell->port_protocols);
    free(shell->endpoints);
    shell->ports = NULL;
    shell->port_protocols = NULL;
    shell->endpoints = NULL;
    shell->ports_count = 0;
}

/* Those that muted us and have come down to their low mark no longer do. */
static bool is_muted(piw__shell *shell)
{
    for (unsigned i = 0; i < shell->muted_count;) {
        if (piw__mailbox_depth(shell->muted_by[i]) <= PIW_LIMIT_MAILBOX_LOW)
            shell->muted_by[i] = shell->muted_by[--shell->muted_count];
        else
            i++;
    }
    return shell->muted_count > 0;
}

bool piw__ports_wanted(piw__shell *shell)
{
    return shell->ports_count > 0 && shell->state == PIW__RUNNING && !shell->ports_quiet && !shell->ports_rest &&
           (shell->muted_count == 0 || !is_muted(shell)) && piw__bus_bytes() < PIW_LIMIT_BUS_BYTES;
}

unsigned piw__ports_read(piw__shell *shell)
{
    if (shell->ports_count == 0 || !piw__ports_wanted(shell))
        return 0;
    unsigned count = 0;
    shell->ports_dirty = false;
    for (unsigned i = 0; i < shell->ports_count; i++) {
        unsigned budget = PIW_LIMIT_PORT_BUDGET;
        piw_msg *msg;
        while (budget > 0 && shell->state == PIW__RUNNING && !shell->ports_rest &&
               !atomic_load_explicit(&shell->ops_waiting, memory_order_acquire) &&
               piw__port_read(shell->ports[i], &budget, &msg) == 0) {
            msg->trace = piw__trace_new(shell);
            piw__accept(shell, msg);
            count++;
            if (shell->outbox.full || shell->since_flush >= PIW_LIMIT_OUTBOX)
                piw__flush(shell);
        }
        /* The budget is used, or an order came first: there may be more. */
        if (budget == 0 || atomic_load_explicit(&shell->ops_waiting, memory_order_acquire))
            shell->ports_dirty = true;
    }
    if (count > 0)
        shell->ports_dirty = true;
    return count;
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
