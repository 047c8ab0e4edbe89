/* the_architect — keeps slave_driver's window of the build queue current (DESIGN §7).
 *
 * It has a database connection of its own, used without waiting: statements are sent, and what comes back wakes it up.
 * A cycle is: settle what triggers noted (piw.drain), read each ABI's state, read the heads that changed, cast them.
 * Notifications start a cycle, at most one in GAP_MS; every FULL_MS one is made in any case and casts all heads. */
#include "queue.h"

#include "builds.piw.h"
#include "piw/plugin.h"
#include "shared/dsn.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    GAP_MS = 50,
    FULL_MS = 10000,
    RECONNECT_FIRST_MS = 250,
    RECONNECT_MAX_MS = 10000,
    CONNECT_MS = 10000, /* for one try to connect */
    ANSWER_MS = 120000, /* for one statement: a slice waits for the writer at most */
    SLICE = 1000,       /* versions that one cycle looks at when an ABI came or went */
};

typedef enum { AWAY, CONNECTING, LISTENING, AT_REST, DRAINING, READING_STATE, READING_HEAD } phase;

typedef struct architect {
    piw_task *task;
    char *dsn;
    PGconn *conn;
    int watched, events; /* the descriptor, or -1; what for */
    phase phase;
    int backoff_ms;
    bool ready;  /* the first cycle is over */
    bool wanted; /* another cycle */
    bool full;   /* … that casts every head */
    bool more;   /* a refill goes on */
    int64_t window;
    int64_t as_of_ns;
    abi_queues queues;
    abi_queue *reading; /* whose head is being read */
    piw_log_limiter trouble;
} architect;

static void set_timer(architect *self, const char *name, int64_t delay_ms)
{
    if (piw_timer(self->task, name, 0, delay_ms, 0) != 0)
        piw_fail(self->task, "timer %s could not be set", name);
}

static void watch(architect *self, int events)
{
    int fd = PQsocket(self->conn);
    if (fd == self->watched && events == self->events && self->phase != CONNECTING)
        return;
    if (self->watched >= 0)
        piw_unwatch(self->task, self->watched);
    self->watched = fd;
    self->events = events;
    if (fd < 0 || piw_watch(self->task, fd, events, "database_speaks", 0) != 0)
        piw_fail(self->task, "the database connection could not be watched");
}

static void hang_up(architect *self)
{
    if (self->watched >= 0)
        piw_unwatch(self->task, self->watched);
    self->watched = -1;
    PQfinish(self->conn);
    self->conn = NULL;
    self->phase = AWAY;
}

/* The connection is of no use: a new one later. */
static void lost(architect *self, const char *why)
{
    char text[300];
    snprintf(text, sizeof(text), "%s", why);
    text[strcspn(text, "\n")] = '\0';
    piw_log_limited(&self->trouble, 6, PIW_LOG_WARNING, "the build queue can't be read: %s; trying again", text);
    hang_up(self);
    set_timer(self, "connect", self->backoff_ms);
    self->backoff_ms = self->backoff_ms * 2 < RECONNECT_MAX_MS ? self->backoff_ms * 2 : RECONNECT_MAX_MS;
}

/* --- Statements -------------------------------------------------------------------------------------------------- */

static void send_statement(architect *self, phase next, const char *sql, int count, const char *const *values)
{
    self->phase = next;
    if (PQsendQueryParams(self->conn, sql, count, NULL, values, NULL, NULL, 0) == 0) {
        lost(self, PQerrorMessage(self->conn));
        return;
    }
    int left = PQflush(self->conn);
    if (left < 0) {
        lost(self, PQerrorMessage(self->conn));
        return;
    }
    watch(self, left > 0 ? PIW_READ | PIW_WRITE : PIW_READ);
    set_timer(self, "answer_due", ANSWER_MS);
}

static void begin_cycle(architect *self)
{
    self->wanted = false;
    if (self->full)
        abi_queues_forget(&self->queues);
    self->full = false;
    char slice[16];
    snprintf(slice, sizeof(slice), "%d", SLICE);
    send_statement(self, DRAINING, "SELECT piw.drain($1)", 1, (const char *[]){slice});
}

static void want_cycle(architect *self)
{
    if (self->wanted)
        return;
    self->wanted = true;
    if (self->phase == AT_REST)
        set_timer(self, "cycle", GAP_MS);
}

static void end_cycle(architect *self)
{
    self->phase = AT_REST;
    self->backoff_ms = RECONNECT_FIRST_MS;
    if (!self->ready)
        piw_ready(self->task);
    self->ready = true;
    if (self->more || self->wanted)
        set_timer(self, "cycle", GAP_MS);
}

static void cast(architect *self, piw_msg *msg)
{
    if (piw_cast(self->task, &msg) == 0)
        return;
    piw_log_limited(&self->trouble, 6, PIW_LOG_WARNING, "nobody takes the build queue (%s)",
                    piw_msg_type_of(msg)->name);
    piw_msg_free(&msg);
}

/* The next head that is stale, or the end of the cycle. */
static void read_on(architect *self)
{
    self->reading = abi_queues_stale(&self->queues);
    if (self->reading == NULL) {
        end_cycle(self);
        return;
    }
    char limit[24];
    snprintf(limit, sizeof(limit), "%" PRId64, self->window);
    self->as_of_ns = piw_monotonic_ns();
    send_statement(self, READING_HEAD, "SELECT package, version FROM piw.queue_head($1, $2)", 2,
                   (const char *[]){self->reading->tag, limit});
}

static piw_text cell(piw_msg *msg, const PGresult *r, int row, int column)
{
    return piw_msg_text(msg, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

static void take_head(architect *self, const PGresult *r)
{
    builds_QUEUE *body = NULL;
    piw_msg *queue = builds_QUEUE_new(&body);
    body->abi_tag = piw_msg_textz(queue, self->reading->tag);
    body->as_of_ns = self->as_of_ns;
    body->total = self->reading->pending;
    piw_msg_list(queue, &body->builds, PQntuples(r));
    for (uint32_t i = 0; i < body->builds.count; i++)
        body->builds.at[i] = (build_ref){cell(queue, r, (int)i, 0), cell(queue, r, (int)i, 1)};
    cast(self, queue);
    self->reading->stale = false;
    read_on(self);
}

static void take_state(architect *self, const PGresult *r)
{
    abi_queues_begin(&self->queues);
    for (int i = 0; i < PQntuples(r); i++)
        abi_queues_state(&self->queues, PQgetvalue(r, i, 0), strtoll(PQgetvalue(r, i, 1), NULL, 10),
                         strtoll(PQgetvalue(r, i, 2), NULL, 10));
    abi_queues_end(&self->queues);
    read_on(self);
}

/* A statement has been answered whole. */
static void go_on(architect *self, const PGresult *r)
{
    piw_timer_stop(self->task, "answer_due", 0);
    switch (self->phase) {
    case LISTENING:
        self->full = true;
        begin_cycle(self);
        break;
    case DRAINING:
        self->more = PQgetvalue(r, 0, 0)[0] == 't';
        send_statement(self, READING_STATE, "SELECT abi_tag, pending, changes FROM piw.queue_state()", 0, NULL);
        break;
    case READING_STATE:
        take_state(self, r);
        break;
    case READING_HEAD:
        take_head(self, r);
        break;
    default:
        break;
    }
}

/* --- What the connection says ------------------------------------------------------------------------------------ */

static void connect_on(architect *self)
{
    switch (PQconnectPoll(self->conn)) {
    case PGRES_POLLING_READING:
        watch(self, PIW_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch(self, PIW_WRITE);
        break;
    case PGRES_POLLING_OK:
        if (PQsetnonblocking(self->conn, 1) != 0) {
            lost(self, PQerrorMessage(self->conn));
            break;
        }
        send_statement(self, LISTENING, "LISTEN piw_queue", 0, NULL);
        break;
    default:
        lost(self, PQerrorMessage(self->conn));
        break;
    }
}

static void quiet(void *arg, const char *message)
{
    (void)arg;
    piw_debug("database: %s", message);
}

static int on_connect(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    if (self->phase != AWAY)
        return 0;
    static const char *const names[] = {"dbname",
                                        "fallback_application_name",
                                        "client_encoding",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        NULL};
    const char *values[] = {self->dsn, "piw-master queue", "UTF8", "10", "5", "3", "30000", NULL};
    self->conn = PQconnectStartParams(names, values, 1);
    if (self->conn == NULL || PQstatus(self->conn) == CONNECTION_BAD) {
        lost(self, self->conn != NULL ? PQerrorMessage(self->conn) : "no memory for a connection");
        return 0;
    }
    PQsetNoticeProcessor(self->conn, quiet, NULL);
    self->phase = CONNECTING;
    watch(self, PIW_WRITE);
    set_timer(self, "answer_due", CONNECT_MS);
    return 0;
}

/* Take the notifications that have come. */
static void take_notifications(architect *self)
{
    for (PGnotify *note = PQnotifies(self->conn); note != NULL; note = PQnotifies(self->conn)) {
        PQfreemem(note);
        want_cycle(self);
    }
}

static int on_database_speaks(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    if (self->phase == AWAY)
        return 0;
    if (self->phase == CONNECTING) {
        connect_on(self);
        return 0;
    }
    int left = PQflush(self->conn);
    if (left < 0 || PQconsumeInput(self->conn) == 0) {
        lost(self, PQerrorMessage(self->conn));
        return 0;
    }
    if (left == 0)
        watch(self, PIW_READ);
    take_notifications(self);
    if (self->phase == AT_REST)
        return 0;
    PGresult *answer = NULL;
    while (PQisBusy(self->conn) == 0) {
        PGresult *r = PQgetResult(self->conn);
        if (r != NULL) {
            PQclear(answer);
            answer = r;
            continue;
        }
        ExecStatusType status = PQresultStatus(answer);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
            go_on(self, answer);
        else
            lost(self, answer != NULL ? PQresultErrorMessage(answer) : PQerrorMessage(self->conn));
        break;
    }
    PQclear(answer);
    return 0;
}

static int on_cycle(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    if (self->phase == AT_REST)
        begin_cycle(self);
    return 0;
}

static int on_full(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    self->full = true;
    want_cycle(self);
    return 0;
}

static int on_answer_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    if (self->phase != AWAY && self->phase != AT_REST)
        lost(self, "the server does not answer");
    return 0;
}

/* --- The soul ---------------------------------------------------------------------------------------------------- */

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    const char *dsn = piw_setting(task, "dsn");
    if (dsn == NULL)
        return piw_err_set(err, PIW_ECONFIG, "no database is configured (dsn)");
    architect *self = piw_zalloc(sizeof(*self));
    *self = (architect){.task = task,
                        .dsn = piw_dsn_normal(dsn),
                        .watched = -1,
                        .backoff_ms = RECONNECT_FIRST_MS,
                        .window = piw_option_number(task, "window")};
    piw_soul_set(task, self);
    int rc = piw_timer(task, "full", 0, FULL_MS, FULL_MS);
    if (rc == 0)
        rc = piw_timer(task, "connect", 0, 0, 0);
    if (rc != 0) {
        free(self->dsn);
        free(self);
        return piw_err_set(err, rc, "no timer could be set");
    }
    return PIW_EAGAIN;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    architect *self = piw_soul(task);
    hang_up(self);
    abi_queues_fini(&self->queues);
    free(self->dsn);
    free(self);
}

static const piw_service uses[] = {{"builds", &builds_protocol_def}, PIW_SERVICES_END};
/* The windows are there before anyone is told that the master is ready; the database has been checked by then. */
static const char *const needs[] = {"builds", NULL};
static const piw_opt options[] = {
    {0, "window", PIW_OPT_INT, "N", "1000", "how many builds of each ABI are held ready", NULL, 1, 10000},
    PIW_OPT_END,
};
static const piw_continuation continuations[] = {
    {"connect", on_connect}, {"database_speaks", on_database_speaks}, {"cycle", on_cycle},
    {"full", on_full},       {"answer_due", on_answer_due},           PIW_CONTINUATIONS_END,
};
static const piw_handler handlers[] = {PIW_HANDLERS_END};

PIW_PLUGIN(the_architect, .version = "1.0", .summary = "keeps a window of the build queue for each ABI", .uses = uses,
           .needs = needs, .options = options, .critical = true, .start = start, .stop = stop, .handlers = handlers,
           .continuations = continuations);
