/* session.c — a database session of the_architect. */
#include "session.h"

#include "piw/base.h"
#include "piw/log.h"

#include <poll.h>
#include <stdlib.h>

enum { PREPARE_MS = 1000 };

const char *session_order(const char *setting)
{
    return setting != NULL ? setting : "oldest";
}

static void quiet(void *arg, const char *message)
{
    (void)arg;
    piw_debug("database: %s", message);
}

PGconn *session_begin(const char *dsn)
{
    static const char *const names[] = {"dbname",
                                        "fallback_application_name",
                                        "client_encoding",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        NULL};
    const char *values[] = {dsn, "piw-master queue", "UTF8", "10", "5", "3", "30000", NULL};
    PGconn *conn = PQconnectStartParams(names, values, 1);
    if (conn != NULL)
        PQsetNoticeProcessor(conn, quiet, NULL);
    return conn;
}

int session_ask_in_vain(PGconn *conn, const char *order)
{
    return PQsendQueryParams(conn,
                             "SELECT count(h.package) FROM piw.queue_state() s CROSS JOIN LATERAL "
                             "piw.queue_head(s.abi_tag, $1, 1) h",
                             1, NULL, (const char *[]){order}, NULL, NULL, 0);
}

/* Until it is connected, can't be, or time is over. */
static PostgresPollingStatusType connect_on(PGconn *conn, PostgresPollingStatusType wants)
{
    int64_t until_ns = piw_monotonic_ns() + PREPARE_MS * INT64_C(1000000);
    while (wants == PGRES_POLLING_READING || wants == PGRES_POLLING_WRITING) {
        int64_t left_ms = (until_ns - piw_monotonic_ns()) / 1000000;
        struct pollfd fd = {.fd = PQsocket(conn), .events = wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0)
            return wants;
        wants = PQconnectPoll(conn);
    }
    return wants;
}

prepared_session *session_prepare(const char *dsn, const char *order)
{
    PGconn *conn = session_begin(dsn);
    PostgresPollingStatusType wants = PGRES_POLLING_FAILED;
    if (conn != NULL && PQstatus(conn) != CONNECTION_BAD)
        wants = connect_on(conn, PGRES_POLLING_WRITING);
    bool good = wants != PGRES_POLLING_FAILED;
    if (wants == PGRES_POLLING_OK)
        good = PQsetnonblocking(conn, 1) == 0 && session_ask_in_vain(conn, order) != 0;
    if (!good) {
        PQfinish(conn);
        return NULL;
    }
    prepared_session *prepared = piw_zalloc(sizeof(*prepared));
    *prepared = (prepared_session){.conn = conn, .wants = wants};
    return prepared;
}

void session_discard(void *prepared)
{
    prepared_session *it = prepared;
    if (it != NULL)
        PQfinish(it->conn);
    free(it);
}
