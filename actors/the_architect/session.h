/* session.h — a database session of the_architect: how it is begun, and what it is asked in vain at the master's start. */
#ifndef ARCHITECT_SESSION_H
#define ARCHITECT_SESSION_H

#include <libpq-fe.h>

/* One that was begun before the task was, as far as it came. */
typedef struct prepared_session {
    PGconn *conn;
    PostgresPollingStatusType
        wants; /* what it waits for; PGRES_POLLING_OK: it is connected, and has been asked in vain */
} prepared_session;

/* What `setting` says of the order in which is built. */
const char *session_order(const char *setting);
/* Begins to connect; NULL: no memory for it. */
PGconn *session_begin(const char *dsn);
/* As a cycle asks, of each ABI, so that the server has read and planned it. 0: it can't be sent. */
int session_ask_in_vain(PGconn *conn, const char *order);

/* While the master still loads other plugins: connects and asks in vain, waits for a second at most. `dsn` as libpq wants it.
 * NULL: it can't be connected now. */
prepared_session *session_prepare(const char *dsn, const char *order);
void session_discard(void *prepared); /* NULL is allowed */

#endif
