/* the_oracle — the database's side of the bus: instance 0 writes, 1 stores web logs, the others read
 * (docs/bus.md#lanes).
 *
 * The one task that may block: in libpq, on its own connection. While the database is away requests are kept, and
 * answered when it is back. */
#include "oracle.h"

#include "events.piw.h"
#include "shared/views.h"
#include "the_oracle.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINGER_MS = 600000, LAST_TRIES = 2 };

/* --- The connection's life --------------------------------------------------------------------------------------- */

/* Connect, check, and settle what was cut off. PIW_EDBAWAY: later; PIW_EREFUSED: never. */
static int come_up(oracle *self, piw_err *err)
{
    int rc = self->resting ? 0 : oracle_connect(self, err);
    if (rc == 0 && !self->resting && piw_task_instance(self->task) == INSTANCE_WRITE)
        rc = pooler_check(&self->db, err);
    if (rc == 0 && !self->resting)
        rc = owner_take(self, err);
    if (rc == 0 && !self->resting)
        rc = views_tell(self, err);
    if (rc == 0)
        rc = oracle_settle_unknown(self, err);
    if (rc != 0) {
        if (!self->resting || PQstatus(self->db.conn) != CONNECTION_OK) {
            database_close(&self->db);
            self->resting = false;
        }
        return rc == PIW_EDB ? PIW_EDBAWAY : rc;
    }
    if (!self->resting)
        oracle_watch(self);
    self->resting = false;
    self->up = true;
    self->backoff_ms = RECONNECT_FIRST_MS;
    return 0;
}

int on_try_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    oracle *self = piw_soul(task);
    if (key == TIMER_NOTES)
        self->noted = false;
    if (self->up)
        oracle_flush(self);
    if (self->up || key == TIMER_NOTES)
        return 0;
    bool was_resting = self->resting;
    piw_err err = {0};
    int rc = come_up(self, &err);
    if ((rc == PIW_EREFUSED && !self->was_ready) || (rc == PIW_EEXIST && owner_gives_up(self))) {
        piw_quit(task, err.text);
        return 0;
    }
    if (rc != 0) {
        if (rc != PIW_EEXIST) /* the other master has been told of */
            piw_outage_goes_on(&self->outage, oracle_loudness(self), 0, "waiting for the database: %s", err.text);
        oracle_try_later(self);
        return 0;
    }
    if (!was_resting) {
        if (!piw_outage_over(&self->outage, "the database is there"))
            piw_log(oracle_loudness(self), "the database is there");
        oracle_tell(self, true);
    }
    if (!self->was_ready)
        piw_ready(task);
    self->was_ready = true;
    oracle_flush(self);
    return 0;
}

int on_database_speaks(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    oracle *self = piw_soul(task);
    if (self->db.conn == NULL)
        return 0;
    if (!database_lost(&self->db))
        return 0;
    piw_err err = {0};
    piw_err_set(&err, PIW_EDBAWAY, "%s", PQerrorMessage(self->db.conn));
    err.text[strcspn(err.text, "\n\\")] = '\0';
    oracle_down(self, &err);
    return 0;
}

/* --- Requests ---------------------------------------------------------------------------------------------------- */

static void append(oracle *self, entry *e)
{
    if (self->oldest_ns == 0 && !batch_can_wait(e->msg))
        self->oldest_ns = piw_monotonic_ns();
    *self->last = e;
    self->last = &e->next;
    self->waiting++;
}

static int keep(oracle *self, piw_msg *msg)
{
    if (self->waiting >= WAITING_MAX)
        return piw_refuse(self->task, msg, PIW_EDBAWAY, "%u requests wait for the database already", self->waiting);
    entry *e = piw_zalloc(sizeof(*e));
    if (piw_msg_type_of(msg)->kind == PIW_M_CALL) {
        int rc = piw_defer(self->task, msg, &e->token);
        if (rc != 0) {
            free(e);
            return rc;
        }
    }
    e->msg = piw_msg_copy(msg);
    append(self, e);
    return 0;
}

static int read_now(oracle *self, piw_msg *msg, single_fn *fn)
{
    piw_msg *reply = NULL;
    piw_err err = {0};
    int rc = fn(&self->db, msg, &reply, &err);
    if (rc == 0) {
        piw_outage_over(&self->unable, "the database works again");
        rc = piw_reply(self->task, msg, &reply);
        piw_msg_free(&reply);
        return rc;
    }
    if (rc == PIW_EDBAWAY) {
        oracle_down(self, &err);
        return keep(self, msg);
    }
    return piw_refuse(self->task, msg, rc, "%s: %s", piw_msg_type_of(msg)->name, err.text);
}

static int on_request(piw_task *task, piw_msg *msg)
{
    oracle *self = piw_soul(task);
    self->handed_over = false;
    bool read = false;
    single_fn *fn = oracle_single(msg, &read);
    if (fn == NULL && !batch_takes(msg))
        return piw_refuse(task, msg, PIW_EINVAL, "there is no statement for %s", piw_msg_type_of(msg)->name);
    bool due = self->waiting >= GROUP_MAX ||
               (self->oldest_ns != 0 && piw_monotonic_ns() - self->oldest_ns > (int64_t)GROUP_AGE_MS * 1000000);
    /* A read sees what was asked to be written before it. */
    if (self->up && (due || (read && self->first != NULL)))
        oracle_flush(self);
    if (fn != NULL && read && self->up)
        return read_now(self, msg, fn);
    return keep(self, msg);
}

static int on_idle(piw_task *task)
{
    oracle *self = piw_soul(task);
    self->handed_over = false;
    if (!self->up || self->first == NULL)
        return 0;
    if (self->oldest_ns != 0)
        oracle_flush(self);
    else if (!self->noted)
        self->noted = piw_timer(task, PIW_ON(try_again), TIMER_NOTES, NOTE_AGE_MS, 0) == 0;
    return 0;
}

/* --- Over a swap ------------------------------------------------------------------------------------------------- */

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    oracle *self = piw_soul(task);
    the_oracle_state *body = NULL;
    *state = the_oracle_state_new(&body);
    piw_msg_list(*state, &body->kept, self->waiting);
    uint32_t i = 0;
    for (entry *e = self->first; e != NULL; e = e->next, i++) {
        piw_buffer record = {0};
        int rc = piw_record_write(e->msg, &record, err);
        if (rc != 0) {
            piw_buffer_fini(&record);
            piw_msg_free(state);
            piw_err_prefix(err, "a waiting %s can't be saved", piw_msg_type_of(e->msg)->name);
            return rc;
        }
        body->kept.at[i].request = e->token;
        body->kept.at[i].record = piw_msg_bytes(*state, record.data, record.len);
        piw_buffer_fini(&record);
    }
    body->unknown = self->unknown;
    body->unknown_mark = self->unknown_mark;
    if (self->db.conn != NULL)
        body->session = piw_msg_textz(*state, self->db.name);
    self->handed_over = true;
    return 0;
}

static int load(oracle *self, const piw_msg *state, piw_err *err)
{
    const the_oracle_state *body = the_oracle_state_of(state);
    for (uint32_t i = 0; i < body->kept.count; i++) {
        piw_bytes record = body->kept.at[i].record;
        piw_msg *msg = NULL;
        int rc = piw_record_read(db_protocol_def.interned, record.data, record.len, &msg, err);
        if (rc != 0) {
            piw_err_prefix(err, "a waiting request of the predecessor can't be read");
            return rc;
        }
        entry *e = piw_zalloc(sizeof(*e));
        *e = (entry){.msg = msg, .token = body->kept.at[i].request};
        append(self, e);
    }
    self->unknown = (uint32_t)body->unknown;
    self->unknown_mark = body->unknown_mark;
    snprintf(self->predecessor, sizeof(self->predecessor), "%s", body->session.s != NULL ? body->session.s : "");
    return 0;
}

/* --- The soul ---------------------------------------------------------------------------------------------------- */

static void free_soul(oracle *self)
{
    while (self->first != NULL) {
        entry *e = self->first;
        self->first = e->next;
        piw_msg_free(&e->msg);
        piw_msg_free(&e->reply);
        free(e);
    }
    if (self->prepared != NULL)
        session_discard(self->prepared);
    database_fini(&self->db);
    free(self);
}

/* Has the farm views, by its configuration? */
static int find_views(piw_task *task, bool *any, piw_err *err)
{
    piw_views views;
    int rc = piw_views_of_task(&views, task, err);
    *any = rc == 0 && views.count > 0;
    piw_views_fini(&views);
    return rc;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    const char *dsn = piw_setting(task, "dsn");
    if (dsn == NULL)
        return piw_err_set(err, PIW_ECONFIG, "no database is configured (dsn)");
    bool views;
    int found = find_views(task, &views, err);
    if (found != 0)
        return found;
    oracle *self = piw_zalloc(sizeof(*self));
    self->task = task;
    self->watched = -1;
    self->drains = piw_task_instance(task) != INSTANCE_LOG;
    self->last = &self->first;
    self->backoff_ms = RECONNECT_FIRST_MS;
    /* With few instances the lanes share them. An instance that writes has no bound on its statements. */
    database_init(&self->db, dsn, piw_task_instance(task) >= READ_FROM);
    if (piw_task_instance(task) == INSTANCE_WRITE)
        owner_name(self->db.name);
    self->db.views = views;
    self->db.linger_ms = piw_setting(task, "site.linger") != NULL ? piw_setting_number(task, "site.linger") : LINGER_MS;
    self->prepared = piw_prepared(task);
    piw_soul_set(task, self);
    int rc = state != NULL ? load(self, state, err) : 0;
    if (rc == 0)
        rc = come_up(self, err);
    if (rc == 0) {
        self->was_ready = true;
        if (why == PIW_BOOT)
            oracle_tell(self, true);
        return 0;
    }
    if (rc != PIW_EDBAWAY && rc != PIW_EEXIST) {
        piw_soul_set(task, NULL);
        free_soul(self);
        return rc;
    }
    if (rc == PIW_EDBAWAY)
        piw_outage_goes_on(&self->outage, oracle_loudness(self), 0, "waiting for the database: %s", err->text);
    oracle_try_later(self);
    return PIW_EAGAIN;
}

/* Of what waits, what would change something that counts: reads end with their askers, and attempts that aren't noted are
 * void at the next start. */
static uint32_t unstored(const oracle *self)
{
    uint32_t count = 0;
    for (const entry *e = self->first; e != NULL; e = e->next) {
        bool read = false;
        single_fn *fn = oracle_single(e->msg, &read);
        if (!(fn != NULL && read) && !batch_can_wait(e->msg))
            count++;
    }
    return count;
}

/* What waits is stored if it can be: the database may be back, or have needed no more than a pause. */
static void store_the_rest(oracle *self)
{
    piw_err err = {0};
    for (int tries = 0; tries < LAST_TRIES && self->first != NULL; tries++) {
        if (!self->up && (unstored(self) == 0 || come_up(self, &err) != 0))
            return;
        oracle_flush(self);
    }
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    oracle *self = piw_soul(task);
    if (!self->handed_over) {
        store_the_rest(self);
        uint32_t count = unstored(self);
        if (count > 0)
            piw_error("the database is away: %u changes that wait for it are given up", count);
    }
    oracle_unwatch(self);
    free_soul(self);
}

static const piw_service serves[] = {{"oracle", &db_protocol_def}, PIW_SERVICES_END};
static const piw_event emits[] = {
    {&events_protocol_def, DATABASE_UP},
    {&events_protocol_def, DATABASE_DOWN},
    {&events_protocol_def, BUILD_DONE},
    {&events_protocol_def, BUILDS_RECORDED},
    PIW_EVENTS_END,
};
static const piw_handler handlers[] = {{&db_protocol_def, PIW_EVERY_MESSAGE, on_request}, PIW_HANDLERS_END};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(try_again),
    PIW_CONTINUATION(database_speaks),
    PIW_CONTINUATIONS_END,
};

PIW_PREPARES(session_prepare, session_discard);
PIW_PLUGIN(the_oracle, .version = "1.0", .summary = "runs the database's statements, writes in groups",
           .serves = serves, .emits = emits, .instances = 4, .critical = true, .blocks = true, .start = start,
           .stop = stop, .save = save, .idle = on_idle, .state_protocol = &the_oracle_protocol_def,
           .state_message = THE_ORACLE_STATE, .handlers = handlers, .continuations = continuations);
