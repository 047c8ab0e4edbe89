/* site.c — what the pages for people show beside a package's files: totals that are kept as things happen, and the history of a
 * package's builds. */
#include "oracle.h"
#include "shared/text.h"

enum { HISTORY_MAX = 1000000 };

static int query(database *db, const char *sql, PGresult **to, piw_err *err)
{
    return database_query(db, sql, NULL, to, err);
}

static void fill_totals(const PGresult *r, site_figures *to)
{
    to->packages = row_int(r, 0, 0);
    to->files = row_int(r, 0, 1);
    to->builds_time = piw_duration_from_us(row_int(r, 0, 2));
    to->files_size = row_int(r, 0, 3);
    to->downloads_last_hour = row_int(r, 0, 4);
    to->downloads_last_month = row_int(r, 0, 5);
    to->downloads_all = row_int(r, 0, 6);
}

static void fill_queues(piw_msg *msg, const PGresult *r, site_figures *to)
{
    piw_msg_list(msg, &to->queues, PQntuples(r));
    for (int i = 0; i < PQntuples(r); i++)
        to->queues.at[i] =
            (site_queue){row_copy(msg, r, i, 0), row_copy(msg, r, i, 1), row_int(r, i, 2), row_int(r, i, 3)};
}

static void fill_days(piw_msg *msg, const PGresult *r, site_figures *to)
{
    piw_msg_list(msg, &to->days, PQntuples(r));
    for (int i = 0; i < PQntuples(r); i++)
        to->days.at[i] =
            (day_count){{.us = row_int(r, i, 0)}, row_copy(msg, r, i, 1), row_copy(msg, r, i, 2), row_int(r, i, 3)};
}

static void fill_builds(piw_msg *msg, const PGresult *r, site_figures *to)
{
    piw_msg_list(msg, &to->builds, PQntuples(r));
    for (int i = 0; i < PQntuples(r); i++)
        to->builds.at[i] = (site_build){.build_id = row_int(r, i, 0),
                                        .package = row_copy(msg, r, i, 1),
                                        .version = row_copy(msg, r, i, 2),
                                        .abi_tag = row_copy(msg, r, i, 3),
                                        .status = row_bool(r, i, 4),
                                        .built_at = {.us = row_int(r, i, 5)},
                                        .duration = piw_duration_from_us(row_int(r, i, 6))};
}

static void fill_popular(piw_msg *msg, const PGresult *r, site_figures *to)
{
    piw_msg_list(msg, &to->popular, PQntuples(r));
    for (int i = 0; i < PQntuples(r); i++)
        to->popular.at[i] = (package_downloads){row_copy(msg, r, i, 0), row_int(r, i, 1), row_int(r, i, 2)};
}

int read_site_figures(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    enum { TOTALS, QUEUES, DAYS, BUILDS, POPULAR, QUERIES };
    static const char *const sql[QUERIES] = {
        [TOTALS] = "SELECT packages_built, files_count, builds_time_us, builds_size, downloads_last_hour, "
                   "downloads_last_month, downloads_all FROM piw.statistics()",
        [QUEUES] = "SELECT q.abi_tag, a.skip, q.pending, coalesce(h.builds, 0) FROM piw.queue_state() q "
                   "JOIN piw.farm_abis() a ON a.abi_tag = q.abi_tag "
                   "LEFT JOIN piw.builds_last_hour() h ON h.abi_tag = q.abi_tag "
                   "ORDER BY piw.abi_rank(q.abi_tag), q.abi_tag LIMIT 1000",
        [DAYS] =
            "SELECT (extract(epoch FROM day) * 1000000)::bigint, kind, word, amount FROM piw.site_days() LIMIT 100000",
        [BUILDS] =
            "SELECT build_id, package, version, abi_tag, status, (extract(epoch FROM built_at) * 1000000)::bigint, "
            "(extract(epoch FROM duration) * 1000000)::bigint FROM piw.last_builds(20)",
        [POPULAR] = "SELECT package, recent, ever FROM piw.most_downloaded(60)",
    };
    PGresult *r[QUERIES] = {NULL};
    int rc = 0;
    for (int i = 0; i < QUERIES && rc == 0; i++)
        rc = query(db, sql[i], &r[i], err);
    if (rc == 0) {
        site_figures *to = NULL;
        *reply = db_SITE_FIGURES_reply_new(&to);
        fill_totals(r[TOTALS], to);
        fill_queues(*reply, r[QUEUES], to);
        fill_days(*reply, r[DAYS], to);
        fill_builds(*reply, r[BUILDS], to);
        fill_popular(*reply, r[POPULAR], to);
    }
    for (int i = 0; i < QUERIES; i++)
        PQclear(r[i]);
    return rc;
}

/* --- The history of packages ------------------------------------------------------------------------------------ */

static void fill_history(piw_msg *msg, const PGresult *r, int begin, int builds, int tries, project_history *to)
{
    piw_msg_list(msg, &to->builds, builds);
    piw_msg_list(msg, &to->tries, tries);
    int build = 0, try = 0;
    for (int i = begin; i < begin + builds + tries; i++) {
        if (row_bool(r, i, 1)) {
            to->builds.at[build++] = (project_build){.version = row_copy(msg, r, i, 2),
                                                     .abi_tag = row_copy(msg, r, i, 3),
                                                     .build_id = row_int(r, i, 4),
                                                     .status = row_bool(r, i, 5),
                                                     .built_at = {.us = row_int(r, i, 6)},
                                                     .duration = piw_duration_from_us(row_int(r, i, 7))};
            continue;
        }
        piw_time *ended = NULL, *next = NULL;
        if (!row_null(r, i, 6)) {
            ended = piw_msg_alloc(msg, sizeof(*ended));
            *ended = (piw_time){.us = row_int(r, i, 6)};
        }
        if (!row_null(r, i, 7)) {
            next = piw_msg_alloc(msg, sizeof(*next));
            *next = (piw_time){.us = row_int(r, i, 7)};
        }
        to->tries.at[try++] = (project_try){
            row_copy(msg, r, i, 2), row_copy(msg, r, i, 3), row_int(r, i, 4), row_copy(msg, r, i, 8), ended, next};
    }
}

int read_histories(database *db, piw_msg *msg, project_data *const *packages, size_t count, piw_err *err)
{
    params p = {0};
    int names = params_array(&p);
    for (size_t i = 0; i < count; i++)
        params_add_text(&p, names, packages[i]->package);
    PGresult *r = NULL;
    int rc = database_query(
        db,
        "SELECT package, is_build, version, abi_tag, number, status, ended_us, other_us, cause, recent, ever "
        "FROM piw.project_histories($1)",
        &p, &r, err);
    if (rc != 0)
        return rc;
    if (PQntuples(r) > HISTORY_MAX)
        rc = piw_err_set(err, PIW_ELIMIT, "the history of packages has more than %d rows", HISTORY_MAX);
    int at = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        project_history *to = piw_msg_alloc(msg, sizeof(*to));
        *to = (project_history){0};
        int begin = at, builds = 0;
        for (; at < PQntuples(r) && piw_text_eq(row_text(r, at, 0), packages[i]->package); at++) {
            if (row_null(r, at, 1)) { /* its downloads, before all else */
                to->recent = row_int(r, at, 9);
                to->ever = row_int(r, at, 10);
                begin = at + 1;
                continue;
            }
            builds += row_bool(r, at, 1);
        }
        fill_history(msg, r, begin, builds, at - begin - builds, to);
        packages[i]->history = to;
    }
    PQclear(r);
    return rc;
}
