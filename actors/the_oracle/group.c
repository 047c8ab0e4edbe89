/* group.c — group commit: what waits is stored in one transaction; a group that fails is halved until the bad request
 * stands alone; nothing is stored twice. */
#include "oracle.h"

#include "events.piw.h"
#include "piw/fault.h"
#include "shared/text.h"

#include <stdlib.h>
#include <sys/random.h>

static void answer_error(oracle *self, entry *e, const piw_err *err)
{
    const char *call = piw_msg_type_of(e->msg)->name;
    if (err->code != PIW_EREFUSED) /* what a batch lacks is its sender's matter */
        piw_log_limited(&self->trouble, 30, PIW_LOG_ERROR, "%s failed: %s", call, err->text);
    if (e->token.id != 0 && piw_answer_error(self->task, e->token, err->code, "%s: %s", call, err->text) != 0)
        piw_debug("%s failed, but its sender has gone", call);
}

static void answer(oracle *self, entry *e)
{
    if (e->token.id == 0 || e->reply == NULL)
        return;
    if (piw_answer(self->task, e->token, &e->reply) != 0)
        piw_debug("%s was answered, but its sender has gone", piw_msg_type_of(e->msg)->name);
}

static entry *pop(oracle *self)
{
    entry *e = self->first;
    self->first = e->next;
    if (self->first == NULL)
        self->last = &self->first;
    self->waiting--;
    return e;
}

static void drop(entry *e)
{
    piw_msg_free(&e->msg);
    piw_msg_free(&e->reply);
    free(e);
}

/* Tell who has subscribed of a build that is recorded now. */
static void tell_build(oracle *self, const entry *e)
{
    if (e->reply == NULL || piw_msg_type_of(e->msg)->index != DB_LOGBUILD || !db_LOGBUILD_reply_of(e->reply)->recorded)
        return;
    const build_row *from = db_LOGBUILD_of(e->msg);
    build_done *to;
    piw_msg *event = build_done_new(&to);
    to->build_id = from->build_id;
    to->package = piw_text_copy(event, from->package);
    to->version = piw_text_copy(event, from->version);
    to->abi_tag = piw_text_copy(event, from->abi_tag);
    to->slave_id = from->slave_id;
    to->status = from->status;
    to->cause = piw_text_copy(event, from->cause);
    to->duration = from->duration;
    to->view = piw_text_copy_some(event, from->view);
    piw_msg_list(event, &to->files, from->files.count);
    for (uint32_t i = 0; i < from->files.count; i++)
        to->files.at[i] = piw_text_copy(event, from->files.at[i].state.filename);
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

static void tell_recorded(oracle *self, const entry *e)
{
    int64_t now_ns = piw_monotonic_ns();
    if (piw_msg_type_of(e->msg)->index != DB_LOGBUILD ||
        (self->told_recorded_ns != 0 && now_ns - self->told_recorded_ns < RECORDED_EVERY_MS * INT64_C(1000000)))
        return;
    self->told_recorded_ns = now_ns;
    piw_msg *event = builds_recorded_new();
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

/* A batch of PyPI's events that was sent after another one is applied after that one alone. Which was the last is known here only:
 * its commit was waited for, so the database has it for good, also when its connection ends and begins anew. Another soul, or another master,
 * knows of none and refuses what follows one; its sender sends that anew, after nothing. */
static bool lacks_predecessor(const oracle *self, const entry *e, piw_err *err)
{
    if (piw_msg_type_of(e->msg)->index != DB_PYPI_APPLY)
        return false;
    const int64_t *after = db_PYPI_APPLY_of(e->msg)->after;
    if (after == NULL || *after == self->pypi_number)
        return false;
    piw_err_set(err, PIW_EREFUSED, "the batch of PyPI's events before this one isn't applied");
    return true;
}

static void note_batch(oracle *self, const entry *e)
{
    if (piw_msg_type_of(e->msg)->index != DB_PYPI_APPLY)
        return;
    const int64_t *number = db_PYPI_APPLY_of(e->msg)->number;
    self->pypi_number = number != NULL ? *number : 0;
}

/* The first `count` entries are stored: answer and forget them. */
static void finish(oracle *self, uint32_t count)
{
    for (; count > 0; count--) {
        entry *e = pop(self);
        note_batch(self, e);
        tell_recorded(self, e);
        tell_build(self, e);
        answer(self, e);
        drop(e);
    }
}

/* The first entry can't be stored. */
static void refuse_first(oracle *self, const piw_err *err)
{
    entry *e = pop(self);
    answer_error(self, e, err);
    drop(e);
}

/* Never given twice: it is random, or the clock's where there is no randomness. */
static int64_t new_mark(void)
{
    uint64_t mark = 0;
    if (getrandom(&mark, sizeof(mark), GRND_NONBLOCK) != (ssize_t)sizeof(mark))
        mark = (uint64_t)piw_monotonic_ns();
    return (int64_t)(mark >> 1 | 1);
}

/* The mark by which a transaction is known again. (Its number is not enough: after a crash the server gives those that
 * never reached the disk to others.) */
static void put_mark(oracle *self, params *p)
{
    self->unknown_mark = new_mark();
    params_int(p, piw_task_instance(self->task));
    params_int(p, self->unknown_mark);
}

static void roll_back(database *db)
{
    piw_err err = {0};
    if (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK && PQtransactionStatus(db->conn) != PQTRANS_IDLE &&
        database_run(db, "ROLLBACK", &err) != 0)
        database_close(db);
}

/* All but the commit is done. Cut off here, nothing is stored. */
static int before_commit(oracle *self, uint32_t count, piw_err *err)
{
    if (PIW_FAULT("oracle.before_commit")) {
        database_close(&self->db);
        return piw_err_set(err, PIW_EDBAWAY, "the connection was cut before the commit");
    }
    self->unknown = count;
    return 0;
}

/* `rc` is what the commit came to. */
static int after_commit(oracle *self, int rc, piw_err *err)
{
    database *db = &self->db;
    if (PIW_FAULT("oracle.after_commit")) {
        database_close(db);
        return piw_err_set(err, PIW_EDBAWAY, "the connection was cut after the commit");
    }
    /* With the connection still there, the server has said what became of it. */
    if (rc == 0 || (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK))
        self->unknown = 0;
    return rc;
}

/* One transaction for a request that stands alone, or some that came together. What PyPI or an operator says brings the build queue
 * up to date too, unless the_architect is at that just then. */
static int transact_singles(oracle *self, entry *const *entries, uint32_t count, piw_err *err)
{
    database *db = &self->db;
    bool read = false, drains = false;
    params p = {0};
    int rc = database_run(db, "BEGIN", err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = oracle_single(entries[i]->msg, &read)(db, entries[i]->msg, &entries[i]->reply, err);
        drains = drains || (self->drains && oracle_moves_queue(entries[i]->msg));
    }
    if (rc == 0) {
        put_mark(self, &p);
        rc = database_query(
            db, drains ? "SELECT piw.mark_commit($1, $2), piw.drain_unless_busy()" : "SELECT piw.mark_commit($1, $2)",
            &p, NULL, err);
    }
    if (rc == 0)
        rc = before_commit(self, count, err);
    if (rc == 0)
        return after_commit(self, database_run(db, "COMMIT", err), err);
    roll_back(db);
    return rc;
}

static const statement begin = {"begin", "BEGIN"}, commit = {"commit", "COMMIT"};
static const statement mark = {"mark", "SELECT piw.mark_commit($1, $2)"};
/* Nobody is told that it is stored: the server writes it to disk in its own time, before anything that is stored
 * later. */
static const statement mark_loosely = {"mark_loosely",
                                       "SELECT piw.mark_commit($1, $2), set_config('synchronous_commit', 'off', true)"};

/* `whole`: with its commit, in one exchange; from the mark on nobody can tell how far that gets. */
static int send_group(oracle *self, const batch *group, const statement *with_mark, uint32_t count, bool whole,
                      piw_err *err)
{
    database *db = &self->db;
    params p = {0};
    int rc = database_send(db, &begin, NULL, err);
    if (rc == 0)
        rc = batch_send(db, group, err);
    if (rc == 0 && PIW_FAULT("oracle.unsent")) {
        database_close(db);
        rc = piw_err_set(err, PIW_EDBAWAY, "the connection was cut while a group was sent");
    }
    if (rc != 0)
        return rc;
    put_mark(self, &p);
    if (whole)
        rc = before_commit(self, count, err);
    if (rc == 0)
        rc = database_send(db, with_mark, &p, err);
    else
        params_fini(&p);
    if (rc == 0 && whole)
        rc = database_send(db, &commit, NULL, err);
    if (rc == 0)
        rc = whole ? database_end(db, err) : database_flush(db, err);
    return rc;
}

static int take_group(database *db, const batch *group, piw_err *err)
{
    int rc = database_take(db, NULL, err);
    if (rc == 0)
        rc = batch_take(db, group, err);
    return rc == 0 ? database_take(db, NULL, err) : rc;
}

/* In one exchange: should it be cut off, what the database answered can be found out afterwards. */
static int store_at_once(oracle *self, const batch *group, const statement *with_mark, uint32_t count, piw_err *err)
{
    int rc = send_group(self, group, with_mark, count, true, err);
    if (rc == 0 && PIW_FAULT("oracle.unanswered")) {
        database_close(&self->db);
        rc = piw_err_set(err, PIW_EDBAWAY, "the connection was cut before the answers");
    }
    if (rc == 0)
        rc = take_group(&self->db, group, err);
    return rc == 0 ? database_take(&self->db, NULL, err) : rc;
}

/* In two: the answers must be known before the commit is sent, for after a cut nobody could tell them. */
static int store_in_two(oracle *self, const batch *group, const statement *with_mark, uint32_t count, piw_err *err)
{
    database *db = &self->db;
    int rc = send_group(self, group, with_mark, count, false, err);
    if (rc == 0)
        rc = take_group(db, group, err);
    if (rc == 0)
        rc = before_commit(self, count, err);
    if (rc == 0)
        rc = database_send(db, &commit, NULL, err);
    if (rc == 0)
        rc = database_end(db, err);
    return rc == 0 ? database_take(db, NULL, err) : rc;
}

static int prepare_group(database *db, const batch *group, piw_err *err)
{
    const statement *const all[] = {&begin, &mark, &mark_loosely, &commit};
    int rc = batch_prepare(db, group, err);
    for (size_t i = 0; rc == 0 && i < PIW_COUNT(all); i++)
        rc = database_prepare(db, all[i], err);
    return rc;
}

/* One transaction for many. What is noted of the queue in it, the_architect brings up to date. */
static int transact_group(oracle *self, entry *const *entries, uint32_t count, piw_err *err)
{
    database *db = &self->db;
    batch group;
    bool loosely = true;
    for (uint32_t i = 0; i < count; i++)
        loosely = loosely && batch_can_wait(entries[i]->msg);
    batch_arrange(&group, entries, count);
    const statement *with_mark = loosely ? &mark_loosely : &mark;
    int rc = prepare_group(db, &group, err);
    if (rc == 0)
        rc = database_many(db, err);
    if (rc == 0)
        rc = batch_answers_last(&group) ? store_at_once(self, &group, with_mark, count, err)
                                        : store_in_two(self, &group, with_mark, count, err);
    database_done(db);
    if (self->unknown > 0)
        rc = after_commit(self, rc, err);
    if (rc != 0)
        roll_back(db);
    return rc;
}

/* One transaction for the first `count` entries. 0: they are stored. */
static int transact(oracle *self, entry *const *entries, uint32_t count, piw_err *err)
{
    for (uint32_t i = 0; i < count; i++)
        piw_msg_free(&entries[i]->reply);
    return batch_takes(entries[0]->msg) ? transact_group(self, entries, count, err)
                                        : transact_singles(self, entries, count, err);
}

/* What a run of requests has in common, with which one transaction can take it. */
typedef enum { RUN_BATCH, RUN_START, RUN_ALONE } run;

static run run_of(const piw_msg *msg)
{
    if (batch_takes(msg))
        return RUN_BATCH;
    /* slave_driver's first questions: one commit, for which the first build waits, in place of three. */
    int which = piw_msg_type_of(msg)->index;
    return which == DB_ATTEMPTS_VOID || which == DB_RESERVE ? RUN_START : RUN_ALONE;
}

/* The longest run from the front that one transaction can take. */
static uint32_t gather(oracle *self, entry **entries)
{
    uint32_t count = 0;
    entry *e = self->first;
    run kind = run_of(e->msg);
    do {
        entries[count++] = e;
        e = e->next;
    } while (kind != RUN_ALONE && e != NULL && count < GROUP_MAX && run_of(e->msg) == kind);
    return count;
}

/* A read that waited for the database needs no transaction and doesn't drain the queue's changes. */
static bool answer_read(oracle *self, entry *e, int *rc, piw_err *err)
{
    bool read = false;
    single_fn *fn = oracle_single(e->msg, &read);
    if (fn == NULL || !read)
        return false;
    *rc = fn(&self->db, e->msg, &e->reply, err);
    return true;
}

void oracle_flush(oracle *self)
{
    entry *entries[GROUP_MAX];
    uint32_t limit = GROUP_MAX;
    while (self->up && self->first != NULL) {
        piw_err err = {0};
        uint32_t count = gather(self, entries);
        if (count > limit)
            count = limit;
        int rc = 0;
        if (lacks_predecessor(self, self->first, &err))
            rc = err.code;
        else if (!answer_read(self, self->first, &rc, &err))
            rc = transact(self, entries, count, &err);
        else
            count = 1;
        if (rc == 0) {
            piw_outage_over(&self->unable, "the database works again");
            finish(self, count);
            limit = limit * 2 < GROUP_MAX ? limit * 2 : GROUP_MAX;
        } else if (rc == PIW_EDBAWAY) {
            oracle_down(self, &err);
        } else if (count == 1) {
            refuse_first(self, &err);
            limit = GROUP_MAX;
        } else {
            limit = count / 2;
        }
    }
    if (self->first != NULL)
        return;
    self->oldest_ns = 0;
    if (self->noted)
        piw_timer_stop(self->task, PIW_ON(try_again), TIMER_NOTES);
    self->noted = false;
}

int oracle_settle_unknown(oracle *self, piw_err *err)
{
    if (self->unknown == 0)
        return 0;
    params p = {0};
    params_int(&p, piw_task_instance(self->task));
    params_int(&p, self->unknown_mark);
    PGresult *r = NULL;
    /* Waits, for a while, if the server is still at that transaction. */
    int rc = database_query(&self->db, "SELECT piw.was_committed($1, $2)", &p, &r, err);
    if (rc != 0)
        return rc == PIW_EDBAWAY ? rc : piw_err_set(err, PIW_EDBAWAY, "%s", err->text);
    uint32_t count = self->unknown;
    bool stored = row_bool(r, 0, 0);
    PQclear(r);
    rc = stored ? batch_answer_again(&self->db, self->first, count, err) : 0;
    if (rc != 0)
        return rc == PIW_EDBAWAY ? rc : piw_err_set(err, PIW_EDBAWAY, "%s", err->text);
    self->unknown = 0;
    piw_info("%u requests were cut off at their commit: they are stored%s", count, stored ? "" : " again");
    if (stored)
        finish(self, count);
    return 0;
}
