/* admin.c — what operators ask for (docs/wire.md#imports): each is one function of the schema, and one transaction. */
#include "oracle.h"
#include "shared/text.h"

static void add_aliases(params *p, const piw_text *at, uint32_t count)
{
    int aliases = params_array(p);
    for (uint32_t i = 0; i < count; i++)
        params_add_text(p, aliases, at[i]);
}

/* Run the function and make its row the body of *reply, a new answer. */
static int run(database *db, const char *sql, params *p, piw_msg *made, admin_outcome *outcome, piw_text package,
               piw_text version, piw_msg **reply, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db, sql, p, &r, err);
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    outcome->done = row_bool(r, 0, 0);
    outcome->word = row_copy(made, r, 0, 1);
    outcome->again = row_bool(r, 0, 2);
    outcome->package = piw_text_copy(made, package);
    if (version.s != NULL)
        outcome->version = piw_text_copy(made, version);
    PQclear(r);
    *reply = made;
    return 0;
}

int write_addpkg(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_ADDPKG *body = db_ADDPKG_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->name);
    params_text(&p, body->description);
    params_text(&p, body->skip);
    params_bool(&p, body->unskip);
    add_aliases(&p, body->aliases.at, body->aliases.count);
    admin_outcome *outcome = NULL;
    piw_msg *made = db_ADDPKG_reply_new(&outcome);
    return run(db, "SELECT done, word, again FROM piw.add_package($1, $2, $3, $4, $5, $6)", &p, made, outcome,
               body->package, (piw_text){0}, reply, err);
}

int write_addver(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_ADDVER *body = db_ADDVER_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->name);
    params_text(&p, body->version);
    params_text(&p, body->skip);
    params_bool(&p, body->unskip);
    params_time(&p, body->released);
    params_bool(&p, body->yank);
    params_bool(&p, body->unyank);
    add_aliases(&p, body->aliases.at, body->aliases.count);
    admin_outcome *outcome = NULL;
    piw_msg *made = db_ADDVER_reply_new(&outcome);
    return run(db, "SELECT done, word, again FROM piw.add_version($1, $2, $3, $4, $5, $6, $7, $8, $9)", &p, made,
               outcome, body->package, body->version, reply, err);
}

int write_rempkg(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_REMPKG *body = db_REMPKG_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_bool(&p, body->builds);
    params_text(&p, body->skip);
    admin_outcome *outcome = NULL;
    piw_msg *made = db_REMPKG_reply_new(&outcome);
    return run(db, "SELECT done, word, again FROM piw.remove_package($1, $2, $3)", &p, made, outcome, body->package,
               (piw_text){0}, reply, err);
}

int write_remver(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_REMVER *body = db_REMVER_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    params_bool(&p, body->builds);
    params_text(&p, body->skip);
    params_bool(&p, body->yank);
    admin_outcome *outcome = NULL;
    piw_msg *made = db_REMVER_reply_new(&outcome);
    return run(db, "SELECT done, word, again FROM piw.remove_version($1, $2, $3, $4, $5)", &p, made, outcome,
               body->package, body->version, reply, err);
}

int read_known(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_KNOWN *body = db_KNOWN_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->version);
    params_text(&p, body->abi_tag);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT test_package($1), test_package_version($1, $2), "
                            "EXISTS (SELECT FROM piw.queues() WHERE abi_tag = $3)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    *reply = db_KNOWN_reply_make(body->package, row_bool(r, 0, 0), row_bool(r, 0, 1), row_bool(r, 0, 2));
    PQclear(r);
    return 0;
}

/* --- The ABIs that the farm builds for ----------------------------------------------------------------------------- */

int read_abi_list(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT abi_tag, skip, pending, builds FROM piw.list_abis() LIMIT 1000", NULL, &r, err);
    if (rc != 0)
        return rc;
    db_ABI_LIST_reply *answer = NULL;
    *reply = db_ABI_LIST_reply_new(&answer);
    piw_msg_list(*reply, &answer->abis, PQntuples(r));
    for (uint32_t i = 0; i < answer->abis.count; i++)
        answer->abis.at[i] = (abi_row){.abi_tag = row_copy(*reply, r, (int)i, 0),
                                       .skip = row_copy(*reply, r, (int)i, 1),
                                       .pending = row_int(r, (int)i, 2),
                                       .builds = row_int(r, (int)i, 3)};
    PQclear(r);
    return 0;
}

int write_abi_change(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_ABI_CHANGE *body = db_ABI_CHANGE_of(msg);
    params p = {0};
    params_text(&p, body->abi_tag);
    const char *sql = "SELECT outcome, builds FROM piw.add_abi($1)";
    if (piw_text_is(body->action, "skip")) {
        sql = "SELECT outcome, builds FROM piw.skip_abi($1, $2)";
        params_text(&p, body->reason);
    } else if (piw_text_is(body->action, "remove")) {
        sql = "SELECT outcome, builds FROM piw.remove_abi($1, $2)";
        params_bool(&p, body->force);
    }
    PGresult *r = NULL;
    int rc = database_query(db, sql, &p, &r, err);
    if (rc != 0)
        return rc;
    db_ABI_CHANGE_reply *answer = NULL;
    *reply = db_ABI_CHANGE_reply_new(&answer);
    answer->abi_tag = piw_text_copy(*reply, body->abi_tag);
    answer->reason = piw_text_copy(*reply, body->reason);
    answer->outcome = row_copy(*reply, r, 0, 0);
    answer->builds = row_int(r, 0, 1);
    PQclear(r);
    return 0;
}
