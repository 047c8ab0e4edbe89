/* metrics — shows the farm's figures to Prometheus, and whether it is well (docs/metrics.md). In piwheels.conf:
 *
 *     [task:metrics]
 *     listen = 127.0.0.1:9819
 *
 * What happens comes as events and is summed up (counts.c); how things are is asked of the others now and then, however often
 * somebody looks (figures.c, slaves.c). In a swap the successor has the same listening socket under another number, so who wants
 * in waits; an answer that is being sent just then is cut. */
#include "counts.h"
#include "db.piw.h"
#include "figures.h"
#include "listen.h"
#include "piw/plugin.h"
#include "server.h"
#include "shared/text.h"
#include "stats.piw.h"
#include "tasks.piw.h"

#include <stdlib.h>
#include <unistd.h>

static piw_continuation_fn on_look, on_tasks, on_farm, on_ages, on_knock, on_ready, on_more, on_idle;

enum {
    ANSWER_MS = 10000, /* an answer that takes longer is one that isn't there */
    IDLE_MS = 1000,    /* connections are looked at for time limits so often */
    STALE_LEAST_MS = 15000,
};

typedef struct soul {
    figures figures;
    metrics_server *server;
    const char *where;
    int64_t stale_ns; /* figures that are older say nothing any more */
} soul;

/* --- What happens --------------------------------------------------------------------------------------------------- */

static piw_msg *counts_in(piw_task *task)
{
    return ((soul *)piw_soul(task))->figures.counts;
}

static int on_attempt_over(piw_task *task, piw_msg *msg)
{
    counts_attempt(counts_in(task), attempt_over_of(msg));
    return 0;
}

static int on_files_counted(piw_task *task, piw_msg *msg)
{
    counts_files(counts_in(task), files_counted_of(msg));
    return 0;
}

static int on_pages_counted(piw_task *task, piw_msg *msg)
{
    counts_pages(counts_in(task), pages_counted_of(msg));
    return 0;
}

static int on_follower_at(piw_task *task, piw_msg *msg)
{
    counts_follower(counts_in(task), follower_at_of(msg));
    return 0;
}

static int on_database_up(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((soul *)piw_soul(task))->figures.database_up = true;
    return 0;
}

static int on_database_down(piw_task *task, piw_msg *msg)
{
    (void)msg;
    ((soul *)piw_soul(task))->figures.database_up = false;
    return 0;
}

/* --- How things are ------------------------------------------------------------------------------------------------- */

/* Kept as it is, or known no more. */
static bool take(piw_msg **kept, const piw_msg *reply)
{
    piw_msg_free(kept);
    if (piw_msg_error(reply) != 0)
        return false;
    *kept = piw_msg_copy(reply);
    return true;
}

static int on_tasks(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    if (take(&self->figures.tasks, reply))
        self->figures.tasks_ns = piw_monotonic_ns();
    return 0;
}

static int on_farm(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    take(&((soul *)piw_soul(task))->figures.farm, reply);
    return 0;
}

/* `key` is when it was asked. */
static int on_ages(piw_task *task, piw_msg *reply, uint64_t key)
{
    soul *self = piw_soul(task);
    self->figures.database_up = take(&self->figures.ages, reply);
    if (self->figures.database_up)
        counts_answer(self->figures.counts, (double)(piw_monotonic_ns() - (int64_t)key) / 1e9);
    return 0;
}

/* A service that is away says so by the answer; or at once, and then what it said before says nothing any more. */
static void ask(piw_task *task, piw_msg *call, const char *continuation, uint64_t key, piw_msg **kept)
{
    if (piw_call(task, &call, continuation, key, ANSWER_MS) == 0)
        return;
    piw_msg_free(&call);
    piw_msg_free(kept);
}

static int on_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    ask(task, tasks_LIST_new(), PIW_ON(tasks), 0, &self->figures.tasks);
    ask(task, stats_FIGURES_new(), PIW_ON(farm), 0, &self->figures.farm);
    ask(task, db_QUEUE_AGES_new(), PIW_ON(ages), (uint64_t)piw_monotonic_ns(), &self->figures.ages);
    return 0;
}

/* --- Who looks ------------------------------------------------------------------------------------------------------ */

typedef void write_fn(const figures *self, int64_t stale_ns, FILE *to);

static void write_health(const soul *self, write_fn *troubles, FILE *to, unsigned *status)
{
    long before = ftell(to);
    troubles(&self->figures, piw_monotonic_ns() - self->stale_ns, to);
    if (ftell(to) == before)
        fputs("ok\n", to);
    else
        *status = 503;
}

static bool write_page(void *arg, const char *path, FILE *to, unsigned *status, const char **type)
{
    const soul *self = arg;
    if (strcmp(path, "/metrics") == 0) {
        *type = "text/plain; version=0.0.4; charset=utf-8";
        figures_write(&self->figures, to);
    } else if (strcmp(path, "/healthz") == 0) {
        write_health(self, figures_write_ill, to, status);
    } else if (strcmp(path, "/readyz") == 0) {
        write_health(self, figures_write_unready, to, status);
    } else {
        return false;
    }
    return true;
}

static int on_ready(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    const soul *self = piw_soul(task);
    return metrics_server_run(self->server) ? piw_timer(task, PIW_ON(more), 0, 0, 0) : 0;
}

static int on_knock(piw_task *task, piw_msg *reply, uint64_t key)
{
    metrics_server_accept(((soul *)piw_soul(task))->server);
    return on_ready(task, reply, key);
}

static int on_more(piw_task *task, piw_msg *reply, uint64_t key)
{
    return on_ready(task, reply, key);
}

static int on_idle(piw_task *task, piw_msg *reply, uint64_t key)
{
    return on_ready(task, reply, key);
}

/* --- The soul ------------------------------------------------------------------------------------------------------- */

static void free_soul(soul *self)
{
    metrics_server_close(&self->server);
    piw_msg_free(&self->figures.counts);
    piw_msg_free(&self->figures.tasks);
    piw_msg_free(&self->figures.farm);
    piw_msg_free(&self->figures.ages);
    piw_views_fini(&self->figures.views);
    free(self);
}

static int open_listener(const char *where, const metrics_state *kept, int *fd, piw_err *err)
{
    *fd = kept != NULL && piw_text_is(kept->where, where) ? metrics_listen_again((int)kept->listener) : -1;
    return *fd >= 0 ? 0 : metrics_listen(where, fd, err);
}

static int open_server(soul *self, const metrics_state *kept, piw_err *err)
{
    int fd = -1;
    int rc = open_listener(self->where, kept, &fd, err);
    if (rc != 0)
        return rc;
    rc = metrics_server_open(&self->server, fd, write_page, self, err);
    if (rc != 0)
        close(fd);
    return rc;
}

static int watch(piw_task *task, const soul *self, piw_err *err)
{
    int rc = piw_watch(task, metrics_server_epoll(self->server), PIW_READ, PIW_ON(ready), 0);
    if (rc == 0)
        rc = piw_watch(task, metrics_server_listener(self->server), PIW_READ, PIW_ON(knock), 0);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(idle), 0, IDLE_MS, IDLE_MS);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(look), 0, 0, piw_option_number(task, "every"));
    return rc == 0 ? 0 : piw_err_set(err, rc, "its sockets can't be watched: %s", piw_err_name(rc));
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    if (piw_task_instances(task) > 1)
        return piw_err_set(err, PIW_ECONFIG, "one instance counts everything: instances = 1");
    const metrics_state *kept = state != NULL ? metrics_state_of(state) : NULL;
    soul *self = piw_zalloc(sizeof(*self));
    self->where = piw_option(task, "listen");
    self->stale_ns = (int64_t)STALE_LEAST_MS * 1000000 + 2 * piw_option_number(task, "every") * 1000000;
    self->figures.slaves_max = (uint32_t)piw_option_number(task, "slaves");
    self->figures.counts = counts_new(kept);
    self->figures.tasks_ns = piw_monotonic_ns();
    int rc = piw_views_of_task(&self->figures.views, task, err);
    if (rc == 0)
        rc = open_server(self, kept, err);
    if (rc == 0)
        rc = watch(task, self, err);
    if (rc != 0) {
        free_soul(self);
        return rc;
    }
    piw_soul_set(task, self);
    if (why != PIW_SWAP)
        piw_info("figures are at %s (port %u)", self->where,
                 metrics_listen_port(metrics_server_listener(self->server)));
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    soul *self = piw_soul(task);
    if (leaving)
        metrics_unlisten(self->where);
    free_soul(self);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    *state = piw_msg_copy(self->figures.counts);
    metrics_state *body = piw_msg_any_body(*state);
    body->where = piw_msg_textz(*state, self->where);
    body->listener = metrics_server_listener(self->server);
    return 0;
}

static const piw_service uses[] = {
    {"tasks", &tasks_protocol_def},
    {"stats", &stats_protocol_def},
    {"db", &db_protocol_def},
    PIW_SERVICES_END,
};
static const piw_event subscribes[] = {
    {&events_protocol_def, ATTEMPT_OVER},
    {&events_protocol_def, FILES_COUNTED},
    {&events_protocol_def, PAGES_COUNTED},
    {&events_protocol_def, FOLLOWER_AT},
    {&events_protocol_def, DATABASE_UP},
    {&events_protocol_def, DATABASE_DOWN},
    PIW_EVENTS_END,
};
static const piw_handler handlers[] = {
    {&events_protocol_def, ATTEMPT_OVER, on_attempt_over},
    {&events_protocol_def, FILES_COUNTED, on_files_counted},
    {&events_protocol_def, PAGES_COUNTED, on_pages_counted},
    {&events_protocol_def, FOLLOWER_AT, on_follower_at},
    {&events_protocol_def, DATABASE_UP, on_database_up},
    {&events_protocol_def, DATABASE_DOWN, on_database_down},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(look), PIW_CONTINUATION(tasks), PIW_CONTINUATION(farm),
    PIW_CONTINUATION(ages), PIW_CONTINUATION(knock), PIW_CONTINUATION(ready),
    PIW_CONTINUATION(more), PIW_CONTINUATION(idle),  PIW_CONTINUATIONS_END,
};
static const piw_opt options[] = {
    {.name = "listen",
     .kind = PIW_OPT_TEXT,
     .fallback = "127.0.0.1:9819",
     .help = "ADDRESS:PORT of this machine's own network, [::1]:PORT, or unix:/PATH"},
    {.name = "every",
     .kind = PIW_OPT_DURATION,
     .fallback = "10s",
     .min = 100,
     .max = 3600000,
     .help = "how often the others are asked how things are"},
    {.name = "slaves",
     .kind = PIW_OPT_INT,
     .fallback = "200",
     .min = 0,
     .max = 1000,
     .help = "slaves that are shown one by one, at most"},
    PIW_OPT_END,
};

PIW_PLUGIN(metrics, .version = "1.0", .summary = "shows the farm's figures to Prometheus", .uses = uses,
           .subscribes = subscribes, .options = options, .state_protocol = &metrics_protocol_def,
           .state_message = METRICS_STATE, .start = start, .stop = stop, .save = save, .handlers = handlers,
           .continuations = continuations);
