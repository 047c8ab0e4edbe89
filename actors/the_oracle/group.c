/* group.c — group commit: what waits is stored in one transaction; a group that fails is halved until the bad request
 * stands alone; nothing is stored twice. */
#include "oracle.h"

#include "piw/fault.h"

#include <stdlib.h>
#include <sys/random.h>

static void answer_error(oracle *self, entry *e, const piw_err *err)
{
    const char *call = piw_msg_type_of(e->msg)->name;
    piw_log_limited(&self->trouble, 30, PIW_LOG_ERROR, "%s failed: %s", call, err->text);
    if (e->token.id != 0 && piw_answer_error(self->task, e->token, err->code, "%s: %s", call, err->text) != 0)
        piw_debug("%s: nobody waits for its error any more", call);
}

static void answer(oracle *self, entry *e)
{
    if (e->token.id == 0 || e->reply == NULL)
        return;
    if (piw_answer(self->task, e->token, &e->reply) != 0)
        piw_debug("%s: nobody waits for its answer any more", piw_msg_type_of(e->msg)->name);
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

/* The first `count` entries are stored: answer and forget them. */
static void finish(oracle *self, uint32_t count)
{
    for (; count > 0; count--) {
        entry *e = pop(self);
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

static int store(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    for (uint32_t i = 0; i < count; i++)
        piw_msg_free(&entries[i]->reply);
    if (batch_takes(entries[0]->msg))
        return batch_store(db, entries, count, err);
    bool read = false;
    return oracle_single(entries[0]->msg, &read)(db, entries[0]->msg, &entries[0]->reply, err);
}

/* Never given twice: by chance, or by the clock where there is none. */
static int64_t new_mark(void)
{
    uint64_t mark = 0;
    if (getrandom(&mark, sizeof(mark), GRND_NONBLOCK) != (ssize_t)sizeof(mark))
        mark = (uint64_t)piw_monotonic_ns();
    return (int64_t)(mark >> 1 | 1);
}

/* Bring the queue up to date in the same transaction, and leave a mark by which it is known again. (Its number is not
 * enough: after a crash the server gives those that never reached the disk to others.) */
static int end_statements(oracle *self, piw_err *err)
{
    params p = {0};
    self->unknown_mark = new_mark();
    params_int(&p, piw_task_instance(self->task));
    params_int(&p, self->unknown_mark);
    return database_query(
        &self->db, self->drains ? "SELECT piw.mark_commit($1, $2), piw.drain()" : "SELECT piw.mark_commit($1, $2)", &p,
        NULL, err);
}

/* One transaction for the first `count` entries. 0: they are stored. */
static int transact(oracle *self, entry *const *entries, uint32_t count, piw_err *err)
{
    database *db = &self->db;
    int rc = database_run(db, "BEGIN", err);
    if (rc == 0)
        rc = store(db, entries, count, err);
    if (rc == 0)
        rc = end_statements(self, err);
    if (rc != 0) {
        piw_err ignored = {0};
        if (PQstatus(db->conn) == CONNECTION_OK && database_run(db, "ROLLBACK", &ignored) != 0)
            database_close(db);
        return rc;
    }
    if (PIW_FAULT("oracle.before_commit"))
        database_close(db);
    if (db->conn == NULL)
        return piw_err_set(err, PIW_EDBAWAY, "the connection was cut before the commit");
    self->unknown = count;
    rc = database_run(db, "COMMIT", err);
    if (PIW_FAULT("oracle.after_commit")) {
        database_close(db);
        return piw_err_set(err, PIW_EDBAWAY, "the connection was cut after the commit");
    }
    /* With the connection still there, the server has said what became of it. */
    if (rc == 0 || PQstatus(db->conn) == CONNECTION_OK)
        self->unknown = 0;
    return rc;
}

/* The longest run from the front that one transaction can take. */
static uint32_t gather(oracle *self, entry **entries)
{
    uint32_t count = 0;
    for (entry *e = self->first; e != NULL && count < GROUP_MAX; e = e->next) {
        /* What stands alone ends the run before it, or is one. */
        bool batch = batch_takes(e->msg);
        if (batch || count == 0)
            entries[count++] = e;
        if (!batch)
            break;
    }
    return count;
}

/* A read that waited for the database: without a transaction of its own, without draining. */
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
        if (!answer_read(self, entries[0], &rc, &err))
            rc = transact(self, entries, count, &err);
        else
            count = 1;
        if (rc == 0) {
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
    self->oldest_ns = self->first != NULL ? self->oldest_ns : 0;
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
    self->unknown = 0;
    piw_info("%u requests were cut off at their commit: they are stored%s", count, stored ? "" : " again");
    if (stored)
        finish(self, count);
    return 0;
}
