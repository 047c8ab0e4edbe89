/* metadata.c — wheels that an adopted database has without METADATA beside them. */
#include "oracle.h"

enum { WHEELS = 8 /* each is unpacked: a worker is busy with so many at a time */ };

int read_metadata_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    params p = {0};
    params_int(&p, WHEELS);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT package, filename, upto FROM piw.metadata_due($1)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_METADATA_DUE_reply *answer = NULL;
    *reply = db_METADATA_DUE_reply_new(&answer);
    int rows = PQntuples(r);
    answer->done = rows == 0;
    piw_msg_list(*reply, &answer->files, rows);
    answer->files.count = 0;
    for (int i = 0; i < rows; i++) {
        if (row_null(r, i, 1))
            answer->upto = row_copy(*reply, r, i, 2);
        else
            answer->files.at[answer->files.count++] =
                (db_METADATA_DUE_reply_files){row_copy(*reply, r, i, 0), row_copy(*reply, r, i, 1)};
    }
    PQclear(r);
    return 0;
}

int write_metadata_made(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_METADATA_MADE *body = db_METADATA_MADE_of(msg);
    params p = {0};
    int names = params_array(&p), hashes = params_array(&p);
    for (uint32_t i = 0; i < body->files.count; i++) {
        params_add_text(&p, names, body->files.at[i].filename);
        params_add_text(&p, hashes, body->files.at[i].hash);
    }
    params_text(&p, body->upto);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT piw.metadata_made($1, $2, $3)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_METADATA_MADE_reply *answer = NULL;
    *reply = db_METADATA_MADE_reply_new(&answer);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    for (uint32_t i = 0; i < answer->packages.count; i++)
        answer->packages.at[i] = row_copy(*reply, r, (int)i, 0);
    PQclear(r);
    return 0;
}
