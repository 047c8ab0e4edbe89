/* offers.c — of which packages it isn't known yet what PyPI offers (schema/offers.sql). */
#include "oracle.h"

int read_offers_due(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_OFFERS_DUE *body = db_OFFERS_DUE_of(msg);
    params p = {0};
    params_text(&p, body->order);
    params_int(&p, body->limit);
    params_int(&p, body->changes);
    params_text(&p, body->place);
    params_bool(&p, body->walks);
    PGresult *r = NULL;
    int rc =
        database_query(db,
                       "SELECT o.changes, o.place::text, o.done, p.package FROM piw.offers_due($1, $2, $3, "
                       "nullif($4, '')::piw.queue, $5) o LEFT JOIN LATERAL unnest(o.packages) AS p (package) ON true",
                       &p, &r, err);
    if (rc != 0)
        return rc;
    db_OFFERS_DUE_reply *answer = NULL;
    *reply = db_OFFERS_DUE_reply_new(&answer);
    answer->changes = row_int(r, 0, 0);
    answer->place = row_null(r, 0, 1) ? piw_text_of("") : row_copy(*reply, r, 0, 1);
    answer->done = row_bool(r, 0, 2);
    piw_msg_list(*reply, &answer->packages, PQntuples(r));
    answer->packages.count = 0;
    for (int i = 0; i < PQntuples(r); i++)
        if (!row_null(r, i, 3))
            answer->packages.at[answer->packages.count++] = row_copy(*reply, r, i, 3);
    PQclear(r);
    return 0;
}

int write_offers_none(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_OFFERS_NONE *body = db_OFFERS_NONE_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_int(&p, body->age_ms);
    int rc = database_query(
        db, body->unread ? "SELECT piw.know_offers($1, $2)" : "SELECT piw.keep_pypi_wheels($1, '{}', '{}', '{}', $2)",
        &p, NULL, err);
    if (rc == 0)
        *reply = db_OFFERS_NONE_reply_new();
    return rc;
}

int write_offers_hold(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)reply;
    params p = {0};
    params_int(&p, db_OFFERS_HOLD_of(msg)->seconds);
    return database_query(db, "SELECT piw.hold_offers($1)", &p, NULL, err);
}
