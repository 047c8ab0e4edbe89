/* web_server — serves the site to browsers and installers, without another web server (docs/site.md#the-web-server).
 *
 * libmicrohttpd speaks HTTP, driven by one watch over its epoll descriptor: no thread is its own, and a file that
 * must come from a slow disk is waited for (hence .blocks). What is asked for goes to lumberjack as from a log. In piwheels.conf:
 *
 *     [task:web_server]
 *     listen = *:8080
 *
 * Several instances share the address by SO_REUSEPORT: each is a shell of its own and knows nothing of the others, so there is
 * no one who could hand around a listener, and the kernel spreads connections evenly. In a swap the successor of each
 * has the same socket under another number, so the kernel's queue of who wants in stays; what is under way is ended by
 * the old server, which the new soul runs until its last connection has gone. */
#include "server.h"

#include "hits.piw.h"
#include "listen.h"
#include "piw/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static piw_continuation_fn on_knock, on_ready, on_retired, on_more, on_look, on_adopt;

enum { LOOK_MS = 1000 };

typedef struct soul {
    web_house *house;
    web_server *server;
    bool full; /* nobody is let in */
    uint64_t told_requests;
    int64_t told_count;
} soul;

static int knock_again(piw_task *task, soul *self)
{
    self->full = false;
    return piw_watch(task, self->server->listener, PIW_READ, PIW_ON(knock), 0);
}

/* Run a server; what it has to do at once comes after the mailbox. */
static int run(piw_task *task, web_server *server, const char *continuation)
{
    return web_server_run(server) ? piw_timer(task, continuation, (uint64_t)server->epoll_fd, 0, 0) : 0;
}

/* --- Connections --------------------------------------------------------------------------------------------------- */

static int on_knock(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    if (!web_server_accept(self->server, web_house_count(self->house, self->server))) {
        /* The kernel keeps who comes, until there is room. */
        piw_unwatch(task, self->server->listener);
        self->full = true;
    }
    return run(task, self->server, PIW_ON(more));
}

static int on_ready(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    int rc = run(task, self->server, PIW_ON(more));
    if (rc == 0 && self->full &&
        self->server->count + web_house_count(self->house, self->server) < self->server->bounds.connections)
        rc = knock_again(task, self);
    return rc;
}

static int on_more(piw_task *task, piw_msg *reply, uint64_t key)
{
    return on_ready(task, reply, key);
}

/* --- Servers of souls that have gone ------------------------------------------------------------------------------- */

static void end(piw_task *task, soul *self, web_server *server)
{
    piw_unwatch(task, server->epoll_fd);
    web_house_remove(self->house, server);
    web_server_close(&server);
}

/* `key` is the server's descriptor: one that has ended meanwhile is found no more. */
static int on_retired(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    soul *self = piw_soul(task);
    web_server *server = self->house->servers;
    while (server != NULL && (server == self->server || (uint64_t)server->epoll_fd != key))
        server = server->next;
    if (server == NULL)
        return 0;
    int rc = run(task, server, PIW_ON(retired));
    if (server->count == 0)
        end(task, self, server);
    return rc;
}

/* The predecessor has gone by now; its server is ours. */
static int on_adopt(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    for (web_server *server = self->house->servers, *next; server != NULL; server = next) {
        next = server->next;
        if (server == self->server)
            continue;
        server->task = task;
        if (server->count == 0)
            end(task, self, server);
        else if (piw_watch(task, server->epoll_fd, PIW_READ, PIW_ON(retired), (uint64_t)server->epoll_fd) != 0)
            piw_error("%lld connections of the version before can't be gone on with", (long long)server->count);
    }
    return 0;
}

static int on_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    int rc = 0;
    for (web_server *server = self->house->servers, *next; server != NULL && rc == 0; server = next) {
        next = server->next;
        web_server_look(server);
        rc = server == self->server ? on_ready(task, NULL, 0) : on_retired(task, NULL, (uint64_t)server->epoll_fd);
    }
    int64_t count = web_house_count(self->house, NULL);
    if (self->server->requests != self->told_requests || count != self->told_count) {
        self->told_requests = self->server->requests;
        self->told_count = count;
        piw_task_note(task, "%lld connections, %llu requests answered, %llu slow or idle clients cut", (long long)count,
                      (unsigned long long)self->server->requests, (unsigned long long)self->server->cut);
    }
    return rc;
}

/* --- The soul ------------------------------------------------------------------------------------------------------ */

/* The predecessor's socket under another number, or a new one. */
static int open_listener(piw_task *task, const web_house *house, const char *where, int *fd, piw_err *err)
{
    for (const web_server *server = house->servers; server != NULL; server = server->next)
        if (server->listener >= 0 && strcmp(server->where, where) == 0) {
            *fd = fcntl(server->listener, F_DUPFD_CLOEXEC, 0);
            return *fd >= 0 ? 0 : piw_err_errno(err, "the listening socket can't be taken over");
        }
    if (piw_task_instances(task) > 1 && web_listen_any_port(where))
        return piw_err_set(err, PIW_ECONFIG, "listen = %s: several instances can't share port 0", where);
    return web_listen(where, true, fd, err);
}

static web_server *predecessor(const soul *self)
{
    for (web_server *server = self->house->servers; server != NULL; server = server->next)
        if (server != self->server && server->listener >= 0)
            return server;
    return NULL;
}

static void leave_house(piw_task *task, web_house *house)
{
    if (house->servers != NULL)
        return;
    piw_keep(task, NULL);
    free(house);
}

static int watch(piw_task *task, const web_server *server, piw_err *err)
{
    int rc = piw_watch(task, server->epoll_fd, PIW_READ, PIW_ON(ready), 0);
    if (rc == 0)
        rc = piw_watch(task, server->listener, PIW_READ, PIW_ON(knock), 0);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(look), 0, LOOK_MS, LOOK_MS);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(adopt), 0, 0, 0);
    return rc == 0 ? 0 : piw_err_set(err, rc, "its sockets can't be watched: %s", piw_err_name(rc));
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)state;
    const char *where = piw_option(task, "listen"), *site = piw_setting(task, "output-path");
    web_bounds bounds = {
        .connections = piw_option_number(task, "connections"),
        .per_address = piw_option_number(task, "per-address"),
        .head_ms = piw_option_number(task, "head-timeout"),
        .idle_ms = piw_option_number(task, "idle-timeout"),
        .least_rate = piw_option_number(task, "least-rate"),
        .hits = piw_option_number(task, "hits") != 0,
    };
    web_house *house = web_house_of(task);
    if (house == NULL)
        return piw_err_set(err, PIW_EPLUGIN, "what runs is too different to take its connections over: use --fresh");
    soul *self = piw_zalloc(sizeof(*self));
    self->house = house;
    int fd = -1, rc = open_listener(task, house, where, &fd, err);
    if (rc == 0)
        rc = web_server_open(&self->server, where, fd, site, &bounds, err);
    if (rc == 0)
        rc = watch(task, self->server, err);
    if (rc != 0) {
        if (self->server == NULL && fd >= 0)
            close(fd);
        web_server_close(&self->server);
        leave_house(task, house);
        free(self);
        return rc;
    }
    self->server->task = task;
    web_house_add(house, self->server);
    piw_soul_set(task, self);
    if (why != PIW_SWAP)
        piw_info("serves %s at %s (port %u)", site, where, web_listen_port(fd));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    soul *self = piw_soul(task);
    web_house *house = self->house;
    /* The newest is the successor's, if there is one. */
    bool followed = !leaving && house->servers != self->server;
    if (followed) {
        web_server_retire(self->server);
    } else {
        bool back = predecessor(self) != NULL;
        do {
            web_server *server = house->servers;
            web_house_remove(house, server);
            web_server_close(&server);
        } while (!back && house->servers != NULL);
        leave_house(task, house);
    }
    free(self);
}

static const piw_service uses[] = {{"hits", &hits_protocol_def}, PIW_SERVICES_END};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(knock), PIW_CONTINUATION(ready), PIW_CONTINUATION(retired), PIW_CONTINUATION(more),
    PIW_CONTINUATION(look),  PIW_CONTINUATION(adopt), PIW_CONTINUATIONS_END,
};
static const piw_opt options[] = {
    {.name = "listen",
     .kind = PIW_OPT_TEXT,
     .fallback = "*:8080",
     .help = "ADDRESS:PORT, [IPv6]:PORT, or *:PORT for all addresses"},
    {.name = "connections",
     .kind = PIW_OPT_INT,
     .fallback = "512",
     .min = 8,
     .max = 16384,
     .help = "how many there may be, for each instance; who comes then waits"},
    {.name = "per-address",
     .kind = PIW_OPT_INT,
     .fallback = "128",
     .min = 0,
     .max = 16384,
     .help = "how many of one address; 0: no bound, as behind another server"},
    {.name = "head-timeout",
     .kind = PIW_OPT_DURATION,
     .fallback = "10s",
     .min = 1000,
     .max = 600000,
     .help = "time for a request's head"},
    {.name = "idle-timeout",
     .kind = PIW_OPT_DURATION,
     .fallback = "60s",
     .min = 1000,
     .max = 3600000,
     .help = "time between two requests"},
    {.name = "least-rate",
     .kind = PIW_OPT_SIZE,
     .fallback = "1K",
     .min = 0,
     .max = -1,
     .help = "bytes a second that a client must take; 0: no bound"},
    {.name = "hits",
     .kind = PIW_OPT_SWITCH,
     .fallback = "yes",
     .help = "tell lumberjack what is asked for; no: another server's log is piped to piw-logger"},
    PIW_OPT_END,
};

PIW_PLUGIN(web_server, .version = "1.0", .summary = "serves the site", .uses = uses, .options = options, .blocks = true,
           .start = start, .stop = stop, .continuations = continuations);
