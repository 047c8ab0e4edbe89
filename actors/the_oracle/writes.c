/* writes.c — writes that stand alone: each is one transaction. */
#include "oracle.h"

enum {
    ATTEMPT_LOG_MAX = 1 << 20, /* bytes kept of the log of a try that writes no build */
    RETRY_UNIT_S = 60,         /* the first rest, when the caller doesn't say */
};

int write_reserve(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_RESERVE *body = db_RESERVE_of(msg);
    params p = {0};
    params_text(&p, body->kind);
    params_int(&p, body->count);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT piw.reserve($1, $2)", &p, &r, err);
    if (rc != 0)
        return rc;
    *reply = db_RESERVE_reply_make(row_int(r, 0, 0));
    PQclear(r);
    return 0;
}

int write_attempt_failed(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_ATTEMPT_FAILED *body = db_ATTEMPT_FAILED_of(msg);
    params p = {0};
    params_int(&p, body->slave_id);
    params_text(&p, body->package);
    params_text(&p, body->version);
    params_text(&p, body->abi_tag);
    params_text(&p, body->cause);
    params_blob_end(&p, body->output, ATTEMPT_LOG_MAX);
    params_int(&p, body->unit_s != NULL ? *body->unit_s : RETRY_UNIT_S);
    params_bool(&p, body->uncounted == NULL || !*body->uncounted);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT tries, final, wait_s FROM piw.fail_attempt($1, $2, $3, $4, $5, $6, $7, $8)", &p,
                            &r, err);
    if (rc != 0)
        return rc;
    *reply = db_ATTEMPT_FAILED_reply_make(row_int(r, 0, 0), row_bool(r, 0, 1), row_int(r, 0, 2));
    PQclear(r);
    return 0;
}

int write_attempts_void(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    int rc =
        database_query(db,
                       "SELECT slave_id, package, version, abi_tag, address FROM piw.attempts WHERE state = 'running' "
                       "ORDER BY attempt_id DESC LIMIT 20000",
                       NULL, &r, err);
    if (rc != 0)
        return rc;
    db_ATTEMPTS_VOID_reply *body = NULL;
    *reply = db_ATTEMPTS_VOID_reply_new(&body);
    piw_msg_list(*reply, &body->attempts, PQntuples(r));
    for (int i = 0; i < PQntuples(r); i++)
        body->attempts.at[i] = (running_attempt){.slave_id = row_int(r, i, 0),
                                                 .package = row_copy(*reply, r, i, 1),
                                                 .version = row_copy(*reply, r, i, 2),
                                                 .abi_tag = row_copy(*reply, r, i, 3),
                                                 .address = row_copy(*reply, r, i, 4)};
    bool any = PQntuples(r) > 0; /* nobody else writes them */
    PQclear(r);
    rc = any ? database_query(db, "SELECT piw.void_attempts()", NULL, NULL, err) : 0;
    if (rc != 0)
        piw_msg_free(reply);
    return rc;
}

int write_rewrites_save(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_REWRITES_SAVE *body = db_REWRITES_SAVE_of(msg);
    params p = {0};
    int packages = params_packed(&p, PACKED_TEXT), times = params_packed(&p, PACKED_TIMESTAMP);
    int commands = params_packed(&p, PACKED_TEXT);
    for (uint32_t i = 0; i < body->rewrites.count; i++) {
        params_add_text(&p, packages, body->rewrites.at[i].package);
        params_add_time(&p, times, body->rewrites.at[i].added_at);
        params_add_text(&p, commands, body->rewrites.at[i].command);
    }
    int rc = database_query(db, "SELECT piw.save_rewrites($1, $2, $3)", &p, NULL, err);
    if (rc == 0)
        *reply = db_REWRITES_SAVE_reply_new();
    return rc;
}

int read_rewrites_load(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT package, (extract(epoch FROM added_at) * 1000000)::bigint, command "
                            "FROM piw.load_rewrites() LIMIT 1000000",
                            NULL, &r, err);
    if (rc != 0)
        return rc;
    db_REWRITES_LOAD_reply *answer = NULL;
    *reply = db_REWRITES_LOAD_reply_new(&answer);
    piw_msg_list(*reply, &answer->rewrites, PQntuples(r));
    for (uint32_t i = 0; i < answer->rewrites.count; i++)
        answer->rewrites.at[i] =
            (rewrite){row_copy(*reply, r, (int)i, 0), {.us = row_int(r, (int)i, 1)}, row_copy(*reply, r, (int)i, 2)};
    PQclear(r);
    return 0;
}

int write_removals_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_REMOVALS_DUE *body = db_REMOVALS_DUE_of(msg);
    params p = {0};
    params_int(&p, db->linger_ms);
    params_int(&p, body->limit < 0 ? 0 : body->limit > 1000 ? 1000 : body->limit);
    PGresult *r = NULL;
    int rc = database_query(
        db,
        "(SELECT package, filename, NULL FROM piw.removals_due($1 * interval '1 millisecond', $2)) UNION ALL "
        "(SELECT package, filename, view FROM piw.view_removals_due($1 * interval '1 millisecond', $2)) LIMIT $2",
        &p, &r, err);
    if (rc != 0)
        return rc;
    db_REMOVALS_DUE_reply *answer = NULL;
    *reply = db_REMOVALS_DUE_reply_new(&answer);
    piw_msg_list(*reply, &answer->files, PQntuples(r));
    for (uint32_t i = 0; i < answer->files.count; i++) {
        answer->files.at[i].package = row_copy(*reply, r, (int)i, 0);
        answer->files.at[i].filename = row_copy(*reply, r, (int)i, 1);
        answer->files.at[i].view = row_copy(*reply, r, (int)i, 2);
    }
    PQclear(r);
    return 0;
}

int write_site_mark(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    params p = {0};
    params_text(&p, db_SITE_MARK_of(msg)->mark);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT piw.site_mark($1)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_SITE_MARK_reply *answer = NULL;
    *reply = db_SITE_MARK_reply_new(&answer);
    answer->mark = row_copy(*reply, r, 0, 0);
    PQclear(r);
    return 0;
}

int read_withheld_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_WITHHELD_DUE *body = db_WITHHELD_DUE_of(msg);
    params p = {0};
    params_text(&p, body->after);
    params_int(&p, body->limit < 0 ? 0 : body->limit > 1000 ? 1000 : body->limit);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "(SELECT package, filename, hidden, NULL FROM piw.withheld_due($1, $2)) UNION ALL "
                            "(SELECT package, filename, hidden, view FROM piw.view_withheld_due($1, $2)) LIMIT $2",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_WITHHELD_DUE_reply *answer = NULL;
    *reply = db_WITHHELD_DUE_reply_new(&answer);
    piw_msg_list(*reply, &answer->files, PQntuples(r));
    for (uint32_t i = 0; i < answer->files.count; i++) {
        answer->files.at[i].package = row_copy(*reply, r, (int)i, 0);
        answer->files.at[i].filename = row_copy(*reply, r, (int)i, 1);
        answer->files.at[i].hidden = row_bool(r, (int)i, 2);
        answer->files.at[i].view = row_copy(*reply, r, (int)i, 3);
    }
    PQclear(r);
    return 0;
}

/* Two arrays: in whose stores, and the names. */
static void put_of_views(params *p, const files_of_views *files)
{
    int views = params_array(p), names = params_array(p);
    for (uint32_t i = 0; files != NULL && i < files->at.count; i++) {
        params_add_text(p, views, files->at.at[i].view);
        params_add_text(p, names, files->at.at[i].filename);
    }
}

int write_withheld_done(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_WITHHELD_DONE *body = db_WITHHELD_DONE_of(msg);
    params p = {0};
    int away = params_array(&p), back = params_array(&p);
    for (uint32_t i = 0; i < body->away.count; i++)
        params_add_text(&p, away, body->away.at[i]);
    for (uint32_t i = 0; i < body->back.count; i++)
        params_add_text(&p, back, body->back.at[i]);
    PGresult *r = NULL;
    put_of_views(&p, body->views_away);
    put_of_views(&p, body->views_back);
    int rc = database_query(db,
                            "SELECT * FROM piw.withheld_done($1, $2) UNION "
                            "SELECT * FROM piw.view_withheld_done($3, $4, $5, $6)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_WITHHELD_DONE_reply *answer = NULL;
    *reply = db_WITHHELD_DONE_reply_new(&answer);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    for (uint32_t i = 0; i < answer->packages.count; i++)
        answer->packages.at[i] = row_copy(*reply, r, (int)i, 0);
    PQclear(r);
    return 0;
}

int write_removals_done(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)reply;
    const db_REMOVALS_DONE *body = db_REMOVALS_DONE_of(msg);
    params p = {0};
    int names = params_array(&p);
    for (uint32_t i = 0; i < body->filenames.count; i++)
        params_add_text(&p, names, body->filenames.at[i]);
    put_of_views(&p, body->of_views);
    return database_query(db, "SELECT piw.removals_done($1), piw.view_removals_done($2, $3)", &p, NULL, err);
}
