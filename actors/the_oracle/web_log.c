/* web_log.c — batches of web log entries: one statement each, over the arrays of all its entries. */
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

static void put_downloads(params *p, const piw_msg *msg)
{
    const db_LOGDOWNLOADS *body = db_LOGDOWNLOADS_of(msg);
    int first = begin(p, body->sender, body->number, FETCH_ARRAYS);
    for (uint32_t i = 0; i < body->records.count; i++) {
        const download *d = &body->records.at[i];
        const piw_text facts[FACTS] = {
            d->arch,    d->distro_name, d->distro_version, d->os_name,           d->os_version,
            d->py_name, d->py_version,  d->installer_name, d->installer_version, d->setuptools_version};
        add_fetch(p, first, d->filename, d->host, d->timestamp, facts, FACTS);
    }
}

static void put_searches(params *p, const piw_msg *msg)
{
    const db_LOGSEARCHES *body = db_LOGSEARCHES_of(msg);
    int first = begin(p, body->sender, body->number, FETCH_ARRAYS);
    for (uint32_t i = 0; i < body->records.count; i++) {
        const search *s = &body->records.at[i];
        const piw_text facts[FACTS] = {
            s->arch,    s->distro_name, s->distro_version, s->os_name,           s->os_version,
            s->py_name, s->py_version,  s->installer_name, s->installer_version, s->setuptools_version};
        add_fetch(p, first, s->package, s->host, s->timestamp, facts, FACTS);
    }
}

static void put_hits(params *p, int64_t sender, int64_t number, const hit *entries, uint32_t count)
{
    int first = begin(p, sender, number, HIT_ARRAYS);
    for (uint32_t i = 0; i < count; i++)
        add_fetch(p, first, entries[i].subject, entries[i].host, entries[i].timestamp, &entries[i].user_agent, 1);
}

static void put_projects(params *p, const piw_msg *msg)
{
    const db_LOGPROJECTS *body = db_LOGPROJECTS_of(msg);
    put_hits(p, body->sender, body->number, body->records.at, body->records.count);
}

static void put_jsons(params *p, const piw_msg *msg)
{
    const db_LOGJSONS *body = db_LOGJSONS_of(msg);
    put_hits(p, body->sender, body->number, body->records.at, body->records.count);
}

static void put_pages(params *p, const piw_msg *msg)
{
    const db_LOGPAGES *body = db_LOGPAGES_of(msg);
    put_hits(p, body->sender, body->number, body->records.at, body->records.count);
}

const web_log_kind *web_log_kind_of(const piw_msg *msg)
{
    static const web_log_kind kinds[] = {
        {DB_LOGDOWNLOADS,
         {"log_downloads",
          "SELECT piw.log_downloads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"},
         put_downloads,
         db_LOGDOWNLOADS_reply_new},
        {DB_LOGSEARCHES,
         {"log_searches", "SELECT piw.log_searches($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"},
         put_searches,
         db_LOGSEARCHES_reply_new},
        {DB_LOGPROJECTS,
         {"log_projects", "SELECT piw.log_projects($1, $2, $3, $4, $5, $6)"},
         put_projects,
         db_LOGPROJECTS_reply_new},
        {DB_LOGJSONS, {"log_jsons", "SELECT piw.log_jsons($1, $2, $3, $4, $5, $6)"}, put_jsons, db_LOGJSONS_reply_new},
        {DB_LOGPAGES, {"log_pages", "SELECT piw.log_pages($1, $2, $3, $4, $5, $6)"}, put_pages, db_LOGPAGES_reply_new},
    };
    for (size_t i = 0; i < PIW_COUNT(kinds); i++)
        if (kinds[i].index == piw_msg_type_of(msg)->index)
            return &kinds[i];
    return NULL;
}
