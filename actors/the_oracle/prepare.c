/* prepare.c — the writer's session, connected and checked while the master still loads other plugins. Nobody can see it but in the
 * server's list of sessions: the lock, and all that writes, waits for the task's start, before which a master may be refused. */
#include "oracle.h"

#include <stdlib.h>

static int connect_checked(database *db, piw_err *err)
{
    int rc = database_connect(db, err);
    return rc == 0 ? database_check(db, err) : rc;
}

void *session_prepare(piw_setting_fn *setting, void *arg)
{
    const char *dsn = setting(arg, "dsn");
    if (dsn == NULL)
        return NULL;
    prepared_session *prepared = piw_zalloc(sizeof(*prepared));
    database_init(&prepared->db, dsn, false);
    owner_name(prepared->db.name);
    prepared->rc = connect_checked(&prepared->db, &prepared->err);
    return prepared;
}

void session_discard(void *prepared)
{
    prepared_session *it = prepared;
    database_fini(&it->db);
    free(it);
}

int oracle_connect(oracle *self, piw_err *err)
{
    prepared_session *prepared = self->prepared;
    self->prepared = NULL;
    if (prepared == NULL)
        return connect_checked(&self->db, err);
    int rc = prepared->rc;
    if (rc != 0)
        *err = prepared->err;
    self->db.conn = prepared->db.conn;
    self->db.session = prepared->db.session;
    prepared->db.conn = NULL;
    session_discard(prepared);
    return rc;
}
