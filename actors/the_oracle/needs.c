/* needs.c — what wheels need of the machine: as parameters, and of those that were recorded when the farm had no views. */
#include "oracle.h"

#include "shared/text.h"

enum { WHEELS = 20 /* the code in each is read: a worker is busy with so many at a time */ };

void add_needs(params *p, int array, const wheel_needs *needs)
{
    piw_buffer words = {0};
    for (uint32_t i = 0; needs != NULL && i < needs->words.count; i++)
        piw_putf(&words, "%s%s", i == 0 ? "" : " ", needs->words.at[i].s);
    const char *text = words.len > 0 ? (const char *)words.data : "";
    params_add_text(p, array, needs == NULL ? (piw_text){0} : (piw_text){text, (uint32_t)words.len});
    piw_buffer_fini(&words);
}

int read_needs_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    params p = {0};
    params_int(&p, WHEELS);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT package, filename, filehash, upto FROM piw.needs_due($1)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_NEEDS_DUE_reply *answer = NULL;
    *reply = db_NEEDS_DUE_reply_new(&answer);
    int rows = PQntuples(r);
    answer->done = rows == 0;
    piw_msg_list(*reply, &answer->files, rows);
    answer->files.count = 0;
    for (int i = 0; i < rows; i++) {
        if (row_null(r, i, 1))
            answer->upto = row_copy(*reply, r, i, 3);
        else
            answer->files.at[answer->files.count++] = (db_NEEDS_DUE_reply_files){
                row_copy(*reply, r, i, 0), row_copy(*reply, r, i, 1), row_copy(*reply, r, i, 2)};
    }
    PQclear(r);
    return 0;
}

int write_needs_read(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_NEEDS_READ *body = db_NEEDS_READ_of(msg);
    params p = {0};
    int names = params_array(&p), hashes = params_array(&p), needs = params_array(&p);
    for (uint32_t i = 0; i < body->files.count; i++) {
        params_add_text(&p, names, body->files.at[i].filename);
        params_add_text(&p, hashes, body->files.at[i].hash);
        add_needs(&p, needs, body->files.at[i].needs);
    }
    params_text(&p, body->upto);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT piw.needs_read($1, $2, $3, $4)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_NEEDS_READ_reply *answer = NULL;
    *reply = db_NEEDS_READ_reply_new(&answer);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    for (uint32_t i = 0; i < answer->packages.count; i++)
        answer->packages.at[i] = row_copy(*reply, r, (int)i, 0);
    PQclear(r);
    return 0;
}
