/* the_architect — keeps slave_driver's window of the build queue current (docs/schema.md#the-build-queue).
 *
 * It has a database connection of its own, used without waiting: statements are sent, and what comes back wakes it up.
 * A cycle is: settle what triggers noted (piw.drain), tell the database which packages an operator put first, read each
 * ABI's state, read the heads that changed, cast them. Notifications start a cycle, at most one in GAP_MS; every FULL_MS
 * one is made in any case and casts all heads.
 *
 * When the master starts it connects as soon as its plugin is loaded (session.c), and what it will ask is asked once in vain, so that
 * the server has read and planned it. Before the_oracle says that the database is this master's (DATABASE_UP) nothing is settled or cast. */
#include "build_queue.h"
#include "firsts.h"
#include "session.h"

#include "builds.piw.h"
#include "events.piw.h"
#include "heads.piw.h"
#include "orders.piw.h"
#include "piw/plugin.h"
#include "shared/dsn.h"
#include "shared/names.h"
#include "shared/version.h"
#include "shared/views.h"
#include "the_architect.piw.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static piw_continuation_fn on_database_speaks, on_connect, on_answer_due, on_cycle;

enum {
    GAP_MS = 50,
    MORE_MS = 5,       /* between slices of what takes long, or as long as one took: others have their turn … */
    MORE_MAX_MS = 250, /* … for so long at most */
    FULL_MS = 10000,
    HEADS_MS = 250, /* between looks at the heads while they change all the time, but when slave_driver runs short */
    HEAD_MAX = 40000,
    RECONNECT_FIRST_MS = 250,
    RECONNECT_MAX_MS = 10000,
    CONNECT_MS = 10000, /* for one try to connect */
    OUTAGE_MS =
        60000, /* the_oracle says at once that the database is away; from then on it may be our connection alone */
    ANSWER_MS = 120000, /* for one statement: a slice waits for the writer at most */
    SLICE = 500,        /* versions that one cycle looks at when an ABI came or went */
    FIRST_HEAD =
        100, /* builds of each ABI that the first cycle reads: slaves wait for it, and slave_driver asks for more */
};

typedef enum {
    AWAY,
    CONNECTING,
    WARMING_UP,
    HELD,
    LISTENING,
    AT_REST,
    DRAINING,
    PUTTING_FIRST,
    READING_STATE,
    READING_HEAD,
} phase;

typedef struct architect {
    piw_task *task;
    char *dsn;
    PGconn *conn;
    prepared_session *prepared; /* the first one, of a master that starts; NULL: it has been used, or there is none */
    int watched, events;        /* the descriptor, or -1; what for */
    phase phase;
    int backoff_ms;
    bool held;   /* the database may still be another master's */
    bool ready;  /* the first cycle is over */
    bool wanted; /* another cycle */
    bool full;   /* … that casts every head */
    bool more;   /* a refill goes on */
    bool short_; /* the heads are read at once: slave_driver has little left to give out, or a package goes first */
    bool owed;   /* a look at the heads was put off */
    int64_t window;
    const char *order; /* oldest, newest, popular */
    first_commands firsts;
    int64_t cycle_ns; /* when the cycle began: what was committed before is settled, so heads are as of then */
    int64_t heads_ns; /* when the heads were last looked at */
    build_queues queues;
    build_queue *reading; /* whose head is being read */
    piw_outage outage;    /* of the connection */
    piw_log_limiter trouble, odd;
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
    if (fd < 0 || piw_watch(self->task, fd, events, PIW_ON(database_speaks), 0) != 0)
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

static void answer_error(architect *self, piw_token request, int code, const char *why)
{
    if (piw_answer_error(self->task, request, code, "%s", why) != 0)
        piw_debug("the sender of a command has gone before its answer");
}

/* The connection is of no use: a new one later. */
static void lost(architect *self, const char *why)
{
    char text[300];
    snprintf(text, sizeof(text), "%s", why);
    text[strcspn(text, "\n")] = '\0';
    first_command command;
    while (firsts_take(&self->firsts, &command)) {
        answer_error(self, command.answer, PIW_EDBAWAY, "the database can't be reached: ask again later");
        free(command.package);
    }
    bool away = self->conn == NULL || PQstatus(self->conn) != CONNECTION_OK;
    piw_outage_goes_on(&self->outage, PIW_LOG_WARNING, away ? OUTAGE_MS : 0,
                       "the build queue can't be read: %s; trying again", text);
    hang_up(self);
    set_timer(self, PIW_ON(connect), self->backoff_ms);
    self->backoff_ms = self->backoff_ms * 2 < RECONNECT_MAX_MS ? self->backoff_ms * 2 : RECONNECT_MAX_MS;
}

/* --- Statements -------------------------------------------------------------------------------------------------- */

/* `sent`: what libpq said of the statement. */
static void await_answer(architect *self, phase next, int sent)
{
    self->phase = next;
    int left = sent != 0 ? PQflush(self->conn) : -1;
    if (left < 0) {
        lost(self, PQerrorMessage(self->conn));
        return;
    }
    watch(self, left > 0 ? PIW_READ | PIW_WRITE : PIW_READ);
    set_timer(self, PIW_ON(answer_due), ANSWER_MS);
}

static void send_statement(architect *self, phase next, const char *sql, int count, const char *const *values)
{
    await_answer(self, next, PQsendQueryParams(self->conn, sql, count, NULL, values, NULL, NULL, 0));
}

static void begin_cycle(architect *self)
{
    self->wanted = false;
    self->cycle_ns = piw_monotonic_ns();
    if (self->full)
        build_queues_forget(&self->queues);
    self->full = false;
    char slice[16];
    snprintf(slice, sizeof(slice), "%d", SLICE);
    /* What a crash of the server undoes here is noted again. The first heads wait for it only where something is noted of
     * what is in them: a new connection's first drain takes as long as all else until then. */
    send_statement(self, DRAINING,
                   self->ready
                       ? "SELECT piw.drain($1), set_config('synchronous_commit', 'off', true)"
                       : "SELECT CASE WHEN EXISTS (SELECT FROM piw.dirty) OR EXISTS (SELECT FROM piw.dirty_later) OR "
                         "EXISTS (SELECT FROM piw.refills) THEN piw.drain($1) END, "
                         "set_config('synchronous_commit', 'off', true)",
                   1, (const char *[]){slice});
}

/* piw.drain must see what was committed while it waited for its lock. */
static void listen(architect *self)
{
    await_answer(self, LISTENING,
                 PQsendQuery(self->conn, "SET default_transaction_isolation = 'read committed'; LISTEN piw_queue"));
}

/* Connected, and warm: on, once the database is ours. */
static void go_on_when_ours(architect *self)
{
    if (self->held)
        self->phase = HELD;
    else
        listen(self);
}

static void want_cycle(architect *self)
{
    if (self->wanted)
        return;
    self->wanted = true;
    if (self->phase == AT_REST)
        set_timer(self, PIW_ON(cycle), GAP_MS);
}

static int64_t pause_ms(const architect *self)
{
    int64_t took_ms = (piw_monotonic_ns() - self->cycle_ns) / 1000000;
    return took_ms < MORE_MS ? MORE_MS : took_ms > MORE_MAX_MS ? MORE_MAX_MS : took_ms;
}

static void end_cycle(architect *self)
{
    self->phase = AT_REST;
    self->backoff_ms = RECONNECT_FIRST_MS;
    piw_outage_over(&self->outage, "the build queue is read again");
    if (!self->ready)
        piw_ready(self->task);
    self->ready = true;
    int64_t since_ms = (piw_monotonic_ns() - self->heads_ns) / 1000000;
    if (self->short_)
        set_timer(self, PIW_ON(cycle), 0);
    else if (self->more || self->wanted)
        set_timer(self, PIW_ON(cycle), self->more ? pause_ms(self) : GAP_MS);
    else if (self->owed)
        set_timer(self, PIW_ON(cycle), since_ms < HEADS_MS ? HEADS_MS - since_ms : 0);
}

static void cast(architect *self, piw_msg *msg)
{
    if (piw_cast(self->task, &msg) == 0)
        return;
    piw_log_limited(&self->trouble, 6, PIW_LOG_WARNING, "no task receives the build queue (%s)",
                    piw_msg_type_of(msg)->name);
    piw_msg_free(&msg);
}

/* How many builds of the head are read. */
static int64_t head_size(const architect *self)
{
    int64_t wanted = self->reading->wanted > self->window ? self->reading->wanted : self->window;
    int64_t most = self->ready ? HEAD_MAX : FIRST_HEAD;
    return wanted < most ? wanted : most;
}

/* The next head that is stale, or the end of the cycle. */
static void read_on(architect *self)
{
    self->reading = build_queues_stale(&self->queues);
    if (self->reading == NULL) {
        end_cycle(self);
        return;
    }
    char limit[24];
    snprintf(limit, sizeof(limit), "%lld", (long long)head_size(self));
    send_statement(self, READING_HEAD, "SELECT package, version FROM piw.queue_head($1, $2, $3)", 3,
                   (const char *[]){self->reading->tag, self->order, limit});
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
    body->as_of_ns = self->cycle_ns;
    body->total = self->reading->pending;
    piw_msg_list(queue, &body->builds, PQntuples(r));
    body->builds.count = 0;
    for (int i = 0; i < PQntuples(r); i++) {
        build_ref build = {cell(queue, r, i, 0), cell(queue, r, i, 1)};
        if (piw_name_is_canonical(build.package) && piw_version_acceptable(build.version))
            body->builds.at[body->builds.count++] = build;
        else
            piw_log_limited(&self->odd, 6, PIW_LOG_WARNING,
                            "\"%s\" of \"%s\" waits in the database, but is never built: one is no name in a path",
                            build.version.s, build.package.s);
    }
    bool *whole = piw_msg_alloc(queue, sizeof(*whole));
    *whole = PQntuples(r) < head_size(self);
    body->whole = whole;
    cast(self, queue);
    self->reading->stale = false;
    read_on(self);
}

static void tell_abis(architect *self)
{
    builds_ABIS *body = NULL;
    piw_msg *abis = builds_ABIS_new(&body);
    piw_msg_list(abis, &body->abis, self->queues.count);
    body->abis.count = 0;
    for (size_t i = 0; i < self->queues.count; i++)
        if (!self->queues.at[i].gone)
            body->abis.at[body->abis.count++] = piw_msg_textz(abis, self->queues.at[i].tag);
    cast(self, abis);
    self->queues.others = false;
}

static void take_state(architect *self, const PGresult *r)
{
    self->heads_ns = piw_monotonic_ns();
    self->short_ = self->owed = false;
    build_queues_begin(&self->queues);
    for (int i = 0; i < PQntuples(r); i++) {
        const char *tag = PQgetvalue(r, i, 0);
        if (piw_queue_acceptable(piw_text_of(tag)))
            build_queues_state(&self->queues, tag, strtoll(PQgetvalue(r, i, 1), NULL, 10),
                               strtoll(PQgetvalue(r, i, 2), NULL, 10));
        else
            piw_log_limited(
                &self->odd, 6, PIW_LOG_WARNING,
                "the database builds for \"%s\", which is no ABI's tag and no view's name: it is passed over", tag);
    }
    build_queues_end(&self->queues);
    if (self->queues.others)
        tell_abis(self);
    read_on(self);
}

/* The command that waits longest, or on with the cycle. */
static void put_first(architect *self)
{
    const first_command *command = self->firsts.first;
    if (command != NULL)
        send_statement(self, PUTTING_FIRST, "SELECT known, reason, waiting FROM piw.put_first($1)", 1,
                       (const char *[]){command->package});
    else if (!self->short_ && piw_monotonic_ns() - self->heads_ns < HEADS_MS * INT64_C(1000000)) {
        self->owed = true;
        end_cycle(self);
    } else
        send_statement(self, READING_STATE, "SELECT abi_tag, pending, changes FROM piw.queue_state()", 0, NULL);
}

static void answer_lines(architect *self, piw_token request, const char *text)
{
    orders_ORDER_reply *body = NULL;
    piw_msg *reply = orders_ORDER_reply_new(&body);
    piw_msg_list(reply, &body->lines, 1);
    body->lines.at[0] = piw_msg_textz(reply, text);
    if (piw_answer(self->task, request, &reply) == 0)
        return;
    piw_debug("the sender of a command has gone before its answer");
    piw_msg_free(&reply);
}

/* A row of (known, reason of its skip, how many versions wait). */
static void take_first(architect *self, const PGresult *r)
{
    first_command command;
    if (!firsts_take(&self->firsts, &command))
        return;
    const char *waiting = PQgetvalue(r, 0, 2);
    bool known = PQgetvalue(r, 0, 0)[0] == 't', skipped = known && PQgetlength(r, 0, 1) > 0;
    char text[500];
    if (!known)
        snprintf(text, sizeof(text), "package %s is unknown", command.package);
    else if (skipped)
        snprintf(text, sizeof(text), "package %s is not built: %s", command.package, PQgetvalue(r, 0, 1));
    else if (strcmp(waiting, "0") == 0)
        snprintf(text, sizeof(text), "nothing of package %s waits to be built", command.package);
    else
        snprintf(text, sizeof(text), "package %s is built first: %s of its versions wait", command.package, waiting);
    if (!known || skipped || strcmp(waiting, "0") == 0) {
        answer_error(self, command.answer, known ? PIW_EREFUSED : PIW_ENOENT, text);
    } else {
        piw_info("%s", text);
        self->short_ = true; /* the heads have changed, and who asked counts on it */
        answer_lines(self, command.answer, text);
    }
    free(command.package);
}

/* A statement has been answered whole. */
static void go_on(architect *self, const PGresult *r)
{
    piw_timer_stop(self->task, PIW_ON(answer_due), 0);
    switch (self->phase) {
    case WARMING_UP:
        go_on_when_ours(self);
        break;
    case LISTENING:
        self->full = true;
        begin_cycle(self);
        break;
    case DRAINING:
        self->more = PQgetvalue(r, 0, 0)[0] == 't';
        self->wanted = self->wanted || PQgetisnull(r, 0, 0) != 0; /* after the first heads, then */
        put_first(self);
        break;
    case PUTTING_FIRST:
        take_first(self, r);
        put_first(self);
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
        if (self->held)
            await_answer(self, WARMING_UP, session_ask_in_vain(self->conn, self->order));
        else
            listen(self);
        break;
    default:
        lost(self, PQerrorMessage(self->conn));
        break;
    }
}

/* From where it has come to. */
static void go_on_with_prepared(architect *self)
{
    PostgresPollingStatusType wants = self->prepared->wants;
    self->conn = self->prepared->conn;
    self->prepared->conn = NULL;
    session_discard(self->prepared);
    self->prepared = NULL;
    self->phase = CONNECTING;
    if (wants == PGRES_POLLING_OK)
        await_answer(self, WARMING_UP, 1);
    else
        watch(self, wants == PGRES_POLLING_READING ? PIW_READ : PIW_WRITE);
}

static int on_connect(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    architect *self = piw_soul(task);
    if (self->phase != AWAY)
        return 0;
    set_timer(self, PIW_ON(answer_due), CONNECT_MS);
    if (self->prepared != NULL) {
        go_on_with_prepared(self);
        return 0;
    }
    self->conn = session_begin(self->dsn);
    if (self->conn == NULL || PQstatus(self->conn) == CONNECTION_BAD) {
        lost(self, self->conn != NULL ? PQerrorMessage(self->conn) : "no memory for a connection");
        return 0;
    }
    self->phase = CONNECTING;
    watch(self, PIW_WRITE);
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
    if (self->phase == AT_REST || self->phase == HELD)
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
        /* What is wrong with the database the_oracle says. */
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
            (self->phase == WARMING_UP && PQstatus(self->conn) == CONNECTION_OK))
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
    if (self->phase != AWAY && self->phase != AT_REST && self->phase != HELD)
        lost(self, "the server does not answer");
    return 0;
}

static int on_database_up(piw_task *task, piw_msg *msg)
{
    (void)msg;
    architect *self = piw_soul(task);
    self->held = false;
    if (self->phase == HELD)
        listen(self);
    return 0;
}

/* --- slave_driver ------------------------------------------------------------------------------------------------- */

static int on_wanted(piw_task *task, piw_msg *msg)
{
    architect *self = piw_soul(task);
    const heads_WANTED *body = heads_WANTED_of(msg);
    char tag[101];
    snprintf(tag, sizeof(tag), "%.*s", (int)body->abi_tag.len, body->abi_tag.s);
    build_queues_want(&self->queues, tag, body->count, body->now);
    self->short_ = self->short_ || body->now;
    if (self->short_ && self->phase == AT_REST)
        begin_cycle(self);
    return 0;
}

/* --- Commands of an operator -------------------------------------------------------------------------------------- */

/* The one word: first PACKAGE. */
static int on_order(piw_task *task, piw_msg *msg)
{
    architect *self = piw_soul(task);
    const orders_ORDER *body = orders_ORDER_of(msg);
    if (!piw_text_is(body->word, "first"))
        return piw_refuse(task, msg, PIW_ENOENT, "the_architect takes no command '%.64s': there is first PACKAGE",
                          body->word.s);
    if (body->args.count != 1)
        return piw_refuse(task, msg, PIW_EINVAL, "the command is: first PACKAGE");
    char package[PIW_NAME_MAX + 1];
    if (!piw_name_canonical(body->args.at[0], package))
        return piw_refuse(task, msg, PIW_EINVAL, "'%.100s' can't be a package's name", body->args.at[0].s);
    if (self->phase < AT_REST)
        return piw_refuse(task, msg, PIW_EDBAWAY, "the database can't be reached: ask again later");
    if (self->firsts.count == FIRSTS_MAX)
        return piw_refuse(task, msg, PIW_ELIMIT, "%d packages wait to be put first already", FIRSTS_MAX);
    piw_token answer;
    int rc = piw_defer(task, msg, &answer);
    if (rc != 0)
        return rc;
    firsts_add(&self->firsts, answer, package);
    want_cycle(self);
    return 0;
}

/* --- The soul ---------------------------------------------------------------------------------------------------- */

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const architect *self = piw_soul(task);
    architect_state *body = NULL;
    *state = architect_state_new(&body);
    firsts_save(&self->firsts, *state, body);
    return 0;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    const char *dsn = piw_setting(task, "dsn");
    if (dsn == NULL)
        return piw_err_set(err, PIW_ECONFIG, "no database is configured (dsn)");
    architect *self = piw_zalloc(sizeof(*self));
    *self = (architect){.task = task,
                        .dsn = piw_dsn_normal(dsn),
                        .watched = -1,
                        .held = why == PIW_BOOT,
                        .prepared = piw_prepared(task),
                        .backoff_ms = RECONNECT_FIRST_MS,
                        .order = session_order(piw_setting(task, "site.order")),
                        .window = piw_option_number(task, "window")};
    if (state != NULL)
        firsts_load(&self->firsts, architect_state_of(state));
    piw_soul_set(task, self);
    int rc = piw_timer(task, PIW_ON(full), 0, FULL_MS, FULL_MS);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(connect), 0, 0, 0);
    if (rc != 0) {
        session_discard(self->prepared);
        firsts_fini(&self->firsts);
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
    session_discard(self->prepared);
    hang_up(self);
    build_queues_fini(&self->queues);
    firsts_fini(&self->firsts);
    free(self->dsn);
    free(self);
}

/* When the master starts. Nothing is settled or cast before the_oracle says that the database is this master's. */
static void *prepare(piw_setting_fn *setting, void *arg)
{
    const char *dsn = setting(arg, "dsn");
    char *normal = dsn != NULL ? piw_dsn_normal(dsn) : NULL;
    prepared_session *prepared =
        normal != NULL ? session_prepare(normal, session_order(setting(arg, "site.order"))) : NULL;
    free(normal);
    return prepared;
}

static const piw_service uses[] = {{"builds", &builds_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {{&events_protocol_def, DATABASE_UP}, PIW_EVENTS_END};
static const piw_opt options[] = {
    {0, "window", PIW_OPT_INT, "N", "1000", "how many builds of each ABI are held ready", NULL, 1, 10000},
    PIW_OPT_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(connect), PIW_CONTINUATION(database_speaks), PIW_CONTINUATION(cycle),
    PIW_CONTINUATION(full),    PIW_CONTINUATION(answer_due),      PIW_CONTINUATIONS_END,
};
static const piw_service serves[] = {
    {"the_architect", &orders_protocol_def}, {"heads", &heads_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {
    {&orders_protocol_def, ORDERS_ORDER, on_order},
    {&heads_protocol_def, HEADS_WANTED, on_wanted},
    {&events_protocol_def, DATABASE_UP, on_database_up},
    PIW_HANDLERS_END,
};

PIW_PREPARES(prepare, session_discard);
PIW_PLUGIN(the_architect, .version = "1.0", .summary = "keeps a window of the build queue for each ABI",
           .serves = serves, .uses = uses, .subscribes = subscribes, .options = options, .critical = true,
           .start = start, .stop = stop, .save = save, .state_protocol = &the_architect_protocol_def,
           .state_message = ARCHITECT_STATE, .handlers = handlers, .continuations = continuations);
