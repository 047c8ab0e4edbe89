/* web_log.c — batches of web log records: one statement each, over the arrays of all its records. */
#include "oracle.h"

/* `download` and `search` have the same fields under two names. */
static void add_fetch(params *p, int first, piw_text subject, piw_text host, piw_time moment, const piw_text *facts,
                      int facts_count)
{
    params_add_text(p, first, subject);
    params_add_text(p, first + 1, host);
    params_add_time(p, first + 2, moment);
    for (int i = 0; i < facts_count; i++)
        params_add_text(p, first + 3 + i, facts[i]);
}

/* The batch's name, then `arrays` arrays; returns the first of them. */
static int begin(params *p, int64_t sender, int64_t number, int arrays)
{
    params_int(p, sender);
    params_int(p, number);
    int first = params_array(p);
    for (int i = 1; i < arrays; i++)
        params_array(p);
    return first;
}

enum { FACTS = 10, FETCH_ARRAYS = 3 + FACTS, HIT_ARRAYS = 4 };

static int store_downloads(database *db, const piw_msg *msg, piw_err *err)
{
    const db_LOGDOWNLOADS *body = db_LOGDOWNLOADS_of(msg);
    params p = {0};
    int first = begin(&p, body->sender, body->number, FETCH_ARRAYS);
    for (uint32_t i = 0; i < body->records.count; i++) {
        const download *d = &body->records.at[i];
        const piw_text facts[FACTS] = {
            d->arch,    d->distro_name, d->distro_version, d->os_name,           d->os_version,
            d->py_name, d->py_version,  d->installer_name, d->installer_version, d->setuptools_version};
        add_fetch(&p, first, d->filename, d->host, d->timestamp, facts, FACTS);
    }
    return database_query(db,
                          "SELECT piw.log_downloads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                          &p, NULL, err);
}

static int store_searches(database *db, const piw_msg *msg, piw_err *err)
{
    const db_LOGSEARCHES *body = db_LOGSEARCHES_of(msg);
    params p = {0};
    int first = begin(&p, body->sender, body->number, FETCH_ARRAYS);
    for (uint32_t i = 0; i < body->records.count; i++) {
        const search *s = &body->records.at[i];
        const piw_text facts[FACTS] = {
            s->arch,    s->distro_name, s->distro_version, s->os_name,           s->os_version,
            s->py_name, s->py_version,  s->installer_name, s->installer_version, s->setuptools_version};
        add_fetch(&p, first, s->package, s->host, s->timestamp, facts, FACTS);
    }
    return database_query(
        db, "SELECT piw.log_searches($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)", &p, NULL, err);
}

static int store_hits(database *db, const char *statement, int64_t sender, int64_t number, const hit *records,
                      uint32_t count, piw_err *err)
{
    params p = {0};
    int first = begin(&p, sender, number, HIT_ARRAYS);
    for (uint32_t i = 0; i < count; i++)
        add_fetch(&p, first, records[i].subject, records[i].host, records[i].timestamp, &records[i].user_agent, 1);
    return database_query(db, statement, &p, NULL, err);
}

static int store_projects(database *db, const piw_msg *msg, piw_err *err)
{
    const db_LOGPROJECTS *body = db_LOGPROJECTS_of(msg);
    return store_hits(db, "SELECT piw.log_projects($1, $2, $3, $4, $5, $6)", body->sender, body->number,
                      body->records.at, body->records.count, err);
}

static int store_jsons(database *db, const piw_msg *msg, piw_err *err)
{
    const db_LOGJSONS *body = db_LOGJSONS_of(msg);
    return store_hits(db, "SELECT piw.log_jsons($1, $2, $3, $4, $5, $6)", body->sender, body->number, body->records.at,
                      body->records.count, err);
}

static int store_pages(database *db, const piw_msg *msg, piw_err *err)
{
    const db_LOGPAGES *body = db_LOGPAGES_of(msg);
    return store_hits(db, "SELECT piw.log_pages($1, $2, $3, $4, $5, $6)", body->sender, body->number, body->records.at,
                      body->records.count, err);
}

static int store(database *db, entry *e, piw_err *err)
{
    int rc;
    switch (piw_msg_type_of(e->msg)->index) {
    case DB_LOGDOWNLOADS:
        rc = store_downloads(db, e->msg, err);
        e->reply = db_LOGDOWNLOADS_reply_new();
        return rc;
    case DB_LOGSEARCHES:
        rc = store_searches(db, e->msg, err);
        e->reply = db_LOGSEARCHES_reply_new();
        return rc;
    case DB_LOGPROJECTS:
        rc = store_projects(db, e->msg, err);
        e->reply = db_LOGPROJECTS_reply_new();
        return rc;
    case DB_LOGJSONS:
        rc = store_jsons(db, e->msg, err);
        e->reply = db_LOGJSONS_reply_new();
        return rc;
    default:
        rc = store_pages(db, e->msg, err);
        e->reply = db_LOGPAGES_reply_new();
        return rc;
    }
}

int web_log_store(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        rc = store(db, entries[i], err);
    return rc;
}
