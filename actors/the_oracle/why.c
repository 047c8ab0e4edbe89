/* why.c — what an operator asks of a version that wasn't built, and has tried again
 * (docs/reliability.md#a-build-fails-because-of-its-slave). */
#include "oracle.h"

enum { WHY_ATTEMPTS = 200 };

int write_retry(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_RETRY *body = db_RETRY_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT known, builds, resting FROM piw.retry($1, $2)", &p, &r, err);
    if (rc != 0)
        return rc;
    *reply = db_RETRY_reply_make(body->package, body->version, row_bool(r, 0, 0), row_int(r, 0, 1), row_int(r, 0, 2));
    PQclear(r);
    return 0;
}

/* A column of microseconds since 1970, or NULL. */
static const piw_time *row_time(piw_msg *msg, const PGresult *r, int row, int column)
{
    if (row_null(r, row, column))
        return NULL;
    piw_time *time = piw_msg_alloc(msg, sizeof(*time));
    *time = (piw_time){.us = row_int(r, row, column)};
    return time;
}

static const int64_t *row_number(piw_msg *msg, const PGresult *r, int row, int column)
{
    if (row_null(r, row, column))
        return NULL;
    int64_t *number = piw_msg_alloc(msg, sizeof(*number));
    *number = row_int(r, row, column);
    return number;
}

static const bool *row_flag(piw_msg *msg, const PGresult *r, int row, int column)
{
    bool *flag = piw_msg_alloc(msg, sizeof(*flag));
    *flag = row_bool(r, row, column);
    return flag;
}

static int add_abis(database *db, const db_WHY *body, piw_msg *reply, db_WHY_reply *to, piw_err *err)
{
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT abi_tag, abi_skip, status, build_id, offered, unread FROM piw.why_abis($1, $2) "
                            "UNION ALL SELECT abi_tag, abi_skip, status, build_id, offered, unread FROM "
                            "piw.why_views($1, $2) LIMIT 1000",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    piw_msg_list(reply, &to->abis, PQntuples(r));
    for (uint32_t i = 0; i < to->abis.count; i++)
        to->abis.at[i] = (why_abi){.abi_tag = row_copy(reply, r, (int)i, 0),
                                   .abi_skip = row_copy(reply, r, (int)i, 1),
                                   .status = row_copy(reply, r, (int)i, 2),
                                   .build_id = row_number(reply, r, (int)i, 3),
                                   .offered = row_bool(r, (int)i, 4),
                                   .unread = row_flag(reply, r, (int)i, 5)};
    PQclear(r);
    return 0;
}

static int add_attempts(database *db, const db_WHY *body, piw_msg *reply, db_WHY_reply *to, piw_err *err)
{
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    params_int(&p, WHY_ATTEMPTS);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT abi_tag, slave_id, state, cause, (extract(epoch FROM started) * 1000000)::bigint, "
                            "(extract(epoch FROM ended) * 1000000)::bigint, "
                            "(extract(epoch FROM next_try) * 1000000)::bigint, build_id "
                            "FROM piw.why_attempts($1, $2, $3)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    piw_msg_list(reply, &to->attempts, PQntuples(r));
    for (uint32_t i = 0; i < to->attempts.count; i++)
        to->attempts.at[i] = (why_attempt){.abi_tag = row_copy(reply, r, (int)i, 0),
                                           .slave_id = row_int(r, (int)i, 1),
                                           .state = row_copy(reply, r, (int)i, 2),
                                           .cause = row_copy(reply, r, (int)i, 3),
                                           .started = {.us = row_int(r, (int)i, 4)},
                                           .ended = row_time(reply, r, (int)i, 5),
                                           .next_try = row_time(reply, r, (int)i, 6),
                                           .build_id = row_number(reply, r, (int)i, 7)};
    PQclear(r);
    return 0;
}

int read_why(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_WHY *body = db_WHY_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT p.skip, v.skip FROM versions v JOIN packages p ON p.package = v.package "
                            "WHERE v.package = $1 AND v.version = $2",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_WHY_reply *to = NULL;
    piw_msg *made = db_WHY_reply_new(&to);
    to->known = PQntuples(r) > 0;
    to->package_skip = to->known ? row_copy(made, r, 0, 0) : piw_msg_textz(made, "");
    to->version_skip = to->known ? row_copy(made, r, 0, 1) : piw_msg_textz(made, "");
    PQclear(r);
    rc = add_abis(db, body, made, to, err);
    rc = rc != 0 ? rc : add_attempts(db, body, made, to, err);
    if (rc != 0)
        piw_msg_free(&made);
    *reply = made;
    return rc;
}
