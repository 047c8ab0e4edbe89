/* wheel_pass.c — wheels that something is done for in the background: which are next, and what came of it. */
#include "oracle.h"

#include "shared/text.h"

/* A worker is busy with so many at a time. */
enum {
    FOR_METADATA = 8, /* each is unpacked */
    FOR_NEEDS = 20,   /* the code in each is read */
};

void add_needs(params *p, int array, const wheel_needs *needs)
{
    piw_buffer words = {0};
    for (uint32_t i = 0; needs != NULL && i < needs->words.count; i++)
        piw_putf(&words, "%s%s", i == 0 ? "" : " ", needs->words.at[i].s);
    const char *text = words.len > 0 ? (const char *)words.data : "";
    params_add_text(p, array, needs == NULL ? (piw_text){0} : (piw_text){text, (uint32_t)words.len});
    piw_buffer_fini(&words);
}

/* A row for each of the next wheels, `most` at most; behind them one without a wheel, whose last column says up to which name
 * these are all. `*done`: there is no row. */
static int find_due(database *db, const char *query, int most, PGresult **r, bool *done, piw_err *err)
{
    params p = {0};
    params_int(&p, most);
    int rc = database_query(db, query, &p, r, err);
    *done = rc == 0 && PQntuples(*r) == 0;
    return rc;
}

int read_metadata_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    bool done;
    int rc = find_due(db, "SELECT package, filename, upto FROM piw.metadata_due($1)", FOR_METADATA, &r, &done, err);
    if (rc != 0)
        return rc;
    db_METADATA_DUE_reply *answer = NULL;
    *reply = db_METADATA_DUE_reply_new(&answer);
    answer->done = done;
    int count = done ? 0 : PQntuples(r) - 1;
    piw_msg_list(*reply, &answer->wheels.files, count);
    for (int i = 0; i < count; i++)
        answer->wheels.files.at[i] = (wheels_for_metadata_files){row_copy(*reply, r, i, 0), row_copy(*reply, r, i, 1)};
    if (!done)
        answer->wheels.upto = row_copy(*reply, r, count, 2);
    PQclear(r);
    return 0;
}

int read_needs_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    bool done;
    int rc = find_due(db, "SELECT package, filename, filehash, upto FROM piw.needs_due($1)", FOR_NEEDS, &r, &done, err);
    if (rc != 0)
        return rc;
    db_NEEDS_DUE_reply *answer = NULL;
    *reply = db_NEEDS_DUE_reply_new(&answer);
    answer->done = done;
    int count = done ? 0 : PQntuples(r) - 1;
    piw_msg_list(*reply, &answer->wheels.files, count);
    for (int i = 0; i < count; i++)
        answer->wheels.files.at[i] =
            (wheels_for_needs_files){row_copy(*reply, r, i, 0), row_copy(*reply, r, i, 1), row_copy(*reply, r, i, 2)};
    if (!done)
        answer->wheels.upto = row_copy(*reply, r, count, 3);
    PQclear(r);
    return 0;
}

/* Record it. `answer`, which becomes the reply or is freed, gets the packages whose pages are to say so. */
static int record(database *db, const char *query, const wheels_done *body, bool with_needs, piw_msg *answer,
                  changed_packages *changed, piw_msg **reply, piw_err *err)
{
    params p = {0};
    int names = params_array(&p), hashes = params_array(&p), needs = with_needs ? params_array(&p) : 0;
    for (uint32_t i = 0; i < body->files.count; i++) {
        params_add_text(&p, names, body->files.at[i].filename);
        params_add_text(&p, hashes, body->files.at[i].hash);
        if (with_needs)
            add_needs(&p, needs, body->files.at[i].needs);
    }
    params_text(&p, body->upto);
    PGresult *r = NULL;
    int rc = database_query(db, query, &p, &r, err);
    if (rc != 0) {
        piw_msg_free(&answer);
        return rc;
    }
    piw_msg_list(answer, &changed->packages, PQntuples(r));
    for (uint32_t i = 0; i < changed->packages.count; i++)
        changed->packages.at[i] = row_copy(answer, r, (int)i, 0);
    PQclear(r);
    *reply = answer;
    return 0;
}

int write_metadata_made(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    changed_packages *changed = NULL;
    piw_msg *answer = db_METADATA_MADE_reply_new(&changed);
    return record(db, "SELECT piw.metadata_made($1, $2, $3)", db_METADATA_MADE_of(msg), false, answer, changed, reply,
                  err);
}

int write_needs_read(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    changed_packages *changed = NULL;
    piw_msg *answer = db_NEEDS_READ_reply_new(&changed);
    return record(db, "SELECT piw.needs_read($1, $2, $3, $4)", db_NEEDS_READ_of(msg), true, answer, changed, reply,
                  err);
}
