/* group.c — group commit: what waits is stored in one transaction; a group that fails is halved until the bad request
 * stands alone; nothing is stored twice. */
#include "oracle.h"

#include "piw/fault.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Bring the queue up to date in the same transaction, and learn the transaction's number. */
static int end_statements(oracle *self, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(&self->db,
                            self->drains ? "SELECT pg_current_xact_id(), piw.drain()" : "SELECT pg_current_xact_id()",
                            NULL, &r, err);
    if (rc != 0)
        return rc;
    snprintf(self->unknown_xid, sizeof(self->unknown_xid), "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    return 0;
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
    params_text(&p, piw_text_of(self->unknown_xid));
    PGresult *r = NULL;
    piw_err why = {0};
    int rc = database_query(&self->db, "SELECT pg_xact_status($1::xid8)", &p, &r, &why);
    if (rc == PIW_EDBAWAY)
        return piw_err_set(err, rc, "%s", why.text);
    /* A number that the server does not know any more, or not yet after a crash, was never committed. */
    piw_text status = rc == 0 ? row_text(r, 0, 0) : (piw_text){0};
    uint32_t count = self->unknown;
    if (piw_text_is(status, "in progress")) {
        rc = piw_err_set(err, PIW_EDBAWAY, "the transaction that was cut off is still under way");
    } else {
        rc = 0;
        self->unknown = 0;
        piw_info("%u requests were cut off at their commit: %s", count,
                 piw_text_is(status, "committed") ? "they are stored" : "they are stored again");
        if (piw_text_is(status, "committed"))
            finish(self, count);
    }
    PQclear(r);
    return rc;
}
