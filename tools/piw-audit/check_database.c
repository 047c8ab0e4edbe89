/* check_database.c — the database by itself: tags, the queue and the totals that are kept beside it. */
#include "audit.h"

#include "shared/abi.h"

#include <stdlib.h>

static int check_abis(audit *self, findings *found, piw_err *err)
{
    PGresult *rows = rows_ask(self, "SELECT abi_tag FROM build_abis", 0, NULL, err);
    if (rows == NULL)
        return PIW_EDB;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (!piw_abi_acceptable(rows_text(rows, i, 0)))
            findings_add(found, "name", false, NULL, piw_sprintf("build_abis: %s", PQgetvalue(rows, i, 0)),
                         piw_strdup("this is no ABI's tag: nothing is built for it"));
    }
    PQclear(rows);
    return 0;
}

/* Each row is (what, one number, another): they have to be the same. */
static int compare(audit *self, const char *kind, const char *sql, findings *found, piw_err *err)
{
    PGresult *rows = rows_ask(self, sql, 0, NULL, err);
    if (rows == NULL)
        return PIW_EDB;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (strcmp(PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2)) != 0)
            findings_add(found, kind, false, NULL, piw_strdup(PQgetvalue(rows, i, 0)),
                         piw_sprintf("it is kept as %s, but is %s", PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2)));
    }
    PQclear(rows);
    return 0;
}

static int check_queue(audit *self, findings *found, piw_err *err)
{
    int rc =
        compare(self, "queue",
                "SELECT 'piw.queue_totals of ' || coalesce(t.abi_tag, q.abi_tag), coalesce(t.pending, 0), "
                "coalesce(q.pending, 0) FROM piw.queue_totals t FULL JOIN (SELECT abi_tag, count(*) AS pending FROM "
                "piw.queue GROUP BY abi_tag) q ON q.abi_tag = t.abi_tag",
                found, err);
    return rc != 0
               ? rc
               : compare(self, "queue",
                         "SELECT 'piw.queue', count(*), count(v.version) FROM piw.queue q LEFT JOIN versions v "
                         "ON v.package = q.package AND v.version = q.version WHERE NOT EXISTS (SELECT FROM piw.dirty d "
                         "WHERE d.package = q.package AND d.version = q.version) AND NOT EXISTS (SELECT FROM "
                         "piw.dirty_later d WHERE d.package = q.package AND d.version = q.version)",
                         found, err);
}

static int check_totals(audit *self, findings *found, piw_err *err)
{
    return compare(self, "totals",
                   "SELECT 'piw.totals.files_count', t.files_count + coalesce((SELECT sum(amount) FROM piw.deltas "
                   "WHERE kind = 'files'), 0), (SELECT count(*) FROM files) FROM piw.totals t",
                   found, err);
}

static const audit_part parts[] = {{"abis", check_abis}, {"queue", check_queue}, {"totals", check_totals}};

int check_database(audit *self, const char *key, findings *found, piw_err *err)
{
    return parts_check(parts, PIW_COUNT(parts), self, key, found, err);
}

int next_database(audit *self, const char *after, char **key, piw_err *err)
{
    (void)self, (void)err;
    *key = parts_next(parts, PIW_COUNT(parts), after);
    return 0;
}
