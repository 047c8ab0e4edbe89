/* reads.c — reads that are one or two statements. */
#include "oracle.h"

#include <stdlib.h>

int read_pypi_state(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    /* One statement, so that serial and list are of one moment. */
    int rc = database_query(
        db,
        "SELECT get_pypi_serial(), NULL::bigint, extract(epoch FROM at)::bigint FROM piw.pypi_compared UNION ALL "
        "SELECT NULL, serial, NULL FROM piw.applied_serials",
        NULL, &r, err);
    if (rc != 0)
        return rc;
    db_PYPI_STATE_reply *answer = NULL;
    *reply = db_PYPI_STATE_reply_new(&answer);
    piw_msg_list(*reply, &answer->applied, PQntuples(r));
    answer->applied.count = 0;
    for (int i = 0; i < PQntuples(r); i++)
        if (row_null(r, i, 1)) {
            answer->serial = row_int(r, i, 0);
            answer->compared = row_int(r, i, 2);
        } else {
            answer->applied.at[answer->applied.count++] = row_int(r, i, 1);
        }
    PQclear(r);
    return 0;
}

int read_builds_known(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_BUILDS_KNOWN *body = db_BUILDS_KNOWN_of(msg);
    params p = {0};
    int ids = params_array(&p);
    for (uint32_t i = 0; i < body->build_ids.count; i++)
        params_add_int(&p, ids, body->build_ids.at[i]);
    PGresult *r = NULL;
    int rc =
        database_query(db,
                       "SELECT build_id FROM builds WHERE build_id = ANY ($1::bigint[]) UNION ALL "
                       "SELECT build_id FROM piw.view_builds WHERE build_id = ANY ($1::bigint[]) ORDER BY build_id",
                       &p, &r, err);
    if (rc != 0)
        return rc;
    db_BUILDS_KNOWN_reply *answer = NULL;
    *reply = db_BUILDS_KNOWN_reply_new(&answer);
    piw_msg_list(*reply, &answer->known, PQntuples(r));
    for (uint32_t i = 0; i < answer->known.count; i++)
        answer->known.at[i] = row_int(r, (int)i, 0);
    PQclear(r);
    return 0;
}

int read_abis(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT abi_tag FROM build_abis ORDER BY piw.abi_rank(abi_tag), abi_tag LIMIT 1000",
                            NULL, &r, err);
    if (rc != 0)
        return rc;
    db_ABIS_reply *answer = NULL;
    *reply = db_ABIS_reply_new(&answer);
    piw_msg_list(*reply, &answer->abis, PQntuples(r));
    for (uint32_t i = 0; i < answer->abis.count; i++)
        answer->abis.at[i] = row_copy(*reply, r, (int)i, 0);
    PQclear(r);
    return 0;
}

static int count_packages(database *db, piw_msg *reply, db_PACKAGES_reply *answer, piw_err *err)
{
    PGresult *r = NULL;
    int rc =
        database_query(db, "SELECT count(*) FROM packages WHERE skip NOT IN ('deleted', 'quarantined')", NULL, &r, err);
    if (rc != 0)
        return rc;
    int64_t *total = piw_msg_alloc(reply, sizeof(*total));
    *total = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    answer->total = total;
    PQclear(r);
    return 0;
}

int read_packages(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PACKAGES *body = db_PACKAGES_of(msg);
    params p = {0};
    params_text(&p, body->after);
    params_int(&p, body->limit < 0 ? 0 : body->limit > 100000 ? 100000 : body->limit);
    PGresult *r = NULL;
    int rc = database_query(
        db,
        "SELECT package FROM packages WHERE package > $1::varchar AND skip NOT IN ('deleted', 'quarantined') "
        "ORDER BY package LIMIT $2",
        &p, &r, err);
    if (rc != 0)
        return rc;
    db_PACKAGES_reply *answer = NULL;
    *reply = db_PACKAGES_reply_new(&answer);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    for (uint32_t i = 0; i < answer->packages.count; i++)
        answer->packages.at[i] = row_copy(*reply, r, (int)i, 0);
    PQclear(r);
    return body->after.len == 0 ? count_packages(db, *reply, answer, err) : 0;
}

int read_search_index(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_SEARCH_INDEX *body = db_SEARCH_INDEX_of(msg);
    params p = {0};
    params_text(&p, body->after);
    params_int(&p, body->limit < 0 ? 0 : body->limit > 100000 ? 100000 : body->limit);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT package, downloads_recent, downloads_all FROM piw.search_index($1, $2)", &p, &r,
                            err);
    if (rc != 0)
        return rc;
    db_SEARCH_INDEX_reply *answer = NULL;
    *reply = db_SEARCH_INDEX_reply_new(&answer);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    for (uint32_t i = 0; i < answer->packages.count; i++)
        answer->packages.at[i] =
            (package_downloads){row_copy(*reply, r, (int)i, 0), row_int(r, (int)i, 1), row_int(r, (int)i, 2)};
    PQclear(r);
    return 0;
}

/* The newest of stock's builds, and the newest of views'; `also` is a further condition. */
#define RECENT_HALF(queue, builds, files, withheld, also)                                                              \
    "(SELECT b.build_id, b.package, b.version, " queue ", b.built_by, b.status, "                                      \
    "(extract(epoch FROM b.built_at) * 1000000)::bigint, (extract(epoch FROM b.duration) * 1000000)::bigint, "         \
    "(SELECT string_agg(f.filename, chr(31) ORDER BY f.filename) FROM " files " f WHERE f.build_id = b.build_id "      \
    "AND NOT EXISTS (SELECT FROM " withheld " AND w.filename = f.filename)) FROM " builds " b "                        \
    "WHERE b.build_id < $1::bigint " also " ORDER BY b.build_id DESC LIMIT $2::bigint)"
#define RECENT(also)                                                                                                   \
    RECENT_HALF("b.abi_tag", "builds", "files", "piw.withheld w WHERE true", also)                                     \
    " UNION ALL " RECENT_HALF("b.view", "piw.view_builds", "piw.view_files",                                           \
                              "piw.view_withheld w WHERE w.view = f.view", also) " ORDER BY 1 DESC LIMIT $2::bigint"

int read_recent_builds(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_RECENT_BUILDS *body = db_RECENT_BUILDS_of(msg);
    if (body->limit < 1 || body->limit > 1000)
        return piw_err_set(err, PIW_EINVAL, "between 1 and 1000 builds can be asked for, not %lld",
                           (long long)body->limit);
    params p = {0};
    params_int(&p, body->before != NULL ? *body->before : INT64_MAX);
    params_int(&p, body->limit);
    bool of_package = body->package.s != NULL;
    if (of_package)
        params_text(&p, body->package);
    PGresult *r = NULL;
    int rc = database_query(db, of_package ? RECENT("AND b.package = $3") : RECENT(""), &p, &r, err);
    if (rc != 0)
        return rc;
    db_RECENT_BUILDS_reply *answer = NULL;
    *reply = db_RECENT_BUILDS_reply_new(&answer);
    piw_msg_list(*reply, &answer->builds, PQntuples(r));
    for (uint32_t i = 0; i < answer->builds.count; i++) {
        recent_build *to = &answer->builds.at[i];
        int row = (int)i;
        *to = (recent_build){.build_id = row_int(r, row, 0),
                             .package = row_copy(*reply, r, row, 1),
                             .version = row_copy(*reply, r, row, 2),
                             .abi_tag = row_copy(*reply, r, row, 3),
                             .slave_id = row_int(r, row, 4),
                             .status = row_bool(r, row, 5),
                             .built = {.us = row_int(r, row, 6)},
                             .duration = piw_duration_from_us(row_int(r, row, 7))};
        row_split(*reply, r, row, 8, &to->files.count, &to->files.at);
    }
    PQclear(r);
    return 0;
}

int read_statistics(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *totals = NULL, *abis = NULL;
    int rc = database_query(db,
                            "SELECT packages_built, files_count, builds_time_us, builds_size, new_last_hour, "
                            "downloads_last_hour, downloads_last_month, downloads_all FROM piw.statistics()",
                            NULL, &totals, err);
    if (rc == 0)
        rc = database_query(db,
                            "SELECT q.abi_tag, coalesce(h.builds, 0), q.pending FROM piw.queue_state() q "
                            "LEFT JOIN piw.builds_last_hour() h ON h.abi_tag = q.abi_tag LIMIT 1000",
                            NULL, &abis, err);
    if (rc != 0) {
        PQclear(totals);
        return rc;
    }
    db_STATISTICS_reply *answer = NULL;
    *reply = db_STATISTICS_reply_new(&answer);
    answer->packages_built = row_int(totals, 0, 0);
    answer->files_count = row_int(totals, 0, 1);
    answer->builds_time = piw_duration_from_us(row_int(totals, 0, 2));
    answer->builds_size = row_int(totals, 0, 3);
    answer->new_last_hour = row_int(totals, 0, 4);
    answer->downloads_last_hour = row_int(totals, 0, 5);
    answer->downloads_last_month = row_int(totals, 0, 6);
    answer->downloads_all = row_int(totals, 0, 7);
    piw_msg_list(*reply, &answer->builds_last_hour, PQntuples(abis));
    piw_msg_list(*reply, &answer->builds_pending, PQntuples(abis));
    for (uint32_t i = 0; i < answer->builds_last_hour.count; i++) {
        piw_text abi = row_copy(*reply, abis, (int)i, 0);
        answer->builds_last_hour.at[i].key = abi;
        answer->builds_last_hour.at[i].value = row_int(abis, (int)i, 1);
        answer->builds_pending.at[i].key = abi;
        answer->builds_pending.at[i].value = row_int(abis, (int)i, 2);
    }
    PQclear(totals);
    PQclear(abis);
    return 0;
}

int read_queue_ages(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *rows = NULL;
    int rc = database_query(db, "SELECT abi_tag, age_s FROM piw.queue_ages() LIMIT 1000", NULL, &rows, err);
    if (rc != 0)
        return rc;
    db_QUEUE_AGES_reply *answer = NULL;
    *reply = db_QUEUE_AGES_reply_new(&answer);
    piw_msg_list(*reply, &answer->ages, PQntuples(rows));
    for (uint32_t i = 0; i < answer->ages.count; i++) {
        answer->ages.at[i].key = row_copy(*reply, rows, (int)i, 0);
        answer->ages.at[i].value = row_int(rows, (int)i, 1);
    }
    PQclear(rows);
    return 0;
}

single_fn *oracle_single(const piw_msg *msg, bool *read)
{
    static const struct {
        int index;
        bool read;
        single_fn *fn;
    } table[] = {
        {DB_PYPI_STATE, true, read_pypi_state},
        {DB_BUILDS_KNOWN, true, read_builds_known},
        {DB_ABIS, true, read_abis},
        {DB_ABI_LIST, true, read_abi_list},
        {DB_PROJECT, true, read_project},
        {DB_PROJECTS, true, read_projects},
        {DB_PACKAGES, true, read_packages},
        {DB_SEARCH_INDEX, true, read_search_index},
        {DB_STATISTICS, true, read_statistics},
        {DB_SITE_FIGURES, true, read_site_figures},
        {DB_RECENT_BUILDS, true, read_recent_builds},
        {DB_QUEUE_AGES, true, read_queue_ages},
        {DB_KNOWN, true, read_known},
        {DB_PYPI_APPLY, false, write_pypi_apply},
        {DB_PYPI_PROJECTS, false, write_pypi_projects},
        {DB_PYPI_COMPARE, false, write_pypi_compare},
        {DB_RESERVE, false, write_reserve},
        {DB_ATTEMPTS_VOID, false, write_attempts_void},
        {DB_ATTEMPT_FAILED, false, write_attempt_failed},
        {DB_RETRY, false, write_retry},
        {DB_WHY, true, read_why},
        {DB_REWRITES_SAVE, false, write_rewrites_save},
        {DB_REWRITES_LOAD, true, read_rewrites_load},
        {DB_REMOVALS_DUE, false, write_removals_due},
        {DB_REMOVALS_DONE, false, write_removals_done},
        {DB_SITE_MARK, true, write_site_mark}, /* one statement, which may be said again */
        {DB_WITHHELD_DUE, true, read_withheld_due},
        {DB_WITHHELD_DONE, false, write_withheld_done},
        {DB_METADATA_DUE, true, read_metadata_due},
        {DB_METADATA_MADE, false, write_metadata_made},
        {DB_NEEDS_DUE, true, read_needs_due},
        {DB_NEEDS_READ, false, write_needs_read},
        {DB_PYPI_PAGES, false, write_pypi_pages},
        {DB_PYPI_FACTS, false, write_pypi_facts},
        {DB_OFFERS_DUE, true, read_offers_due},
        {DB_OFFERS_NONE, false, write_offers_none},
        {DB_OFFERS_HOLD, false, write_offers_hold},
        {DB_ADDPKG, false, write_addpkg},
        {DB_ADDVER, false, write_addver},
        {DB_REMPKG, false, write_rempkg},
        {DB_REMVER, false, write_remver},
        {DB_ABI_CHANGE, false, write_abi_change},
        {DB_VIEW_LIST, true, read_view_list},
        {DB_VIEW_CHANGE, false, write_view_change},
    };
    *read = false;
    for (size_t i = 0; i < PIW_COUNT(table); i++)
        if (table[i].index == piw_msg_type_of(msg)->index) {
            *read = table[i].read;
            return table[i].fn;
        }
    return NULL;
}

bool oracle_moves_queue(const piw_msg *msg)
{
    switch (piw_msg_type_of(msg)->index) {
    case DB_PYPI_APPLY:
    case DB_PYPI_PROJECTS:
    case DB_PYPI_COMPARE:
    case DB_ADDPKG:
    case DB_ADDVER:
    case DB_REMPKG:
    case DB_REMVER:
    case DB_ABI_CHANGE:
    case DB_VIEW_CHANGE:
        return true;
    default:
        return false;
    }
}
