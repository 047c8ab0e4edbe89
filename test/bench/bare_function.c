/* What recording builds costs where nothing is around it: the database's function on one connection, with its commit.
 *
 *     bare_function DSN ABI SECONDS GROUP
 *
 * Failed builds of versions that wait, GROUP of them a transaction. After each the queue is drained of them, which no
 * slave has to wait for: it is outside of the time, but its work is counted. Prints builds a second, and the processor time
 * of the server's process for each in microseconds. */
#include "bench.h"

#include <inttypes.h>
#include <libpq-fe.h>

enum { SLAVE = 1, GROUP_MAX = 1000, PARAMETERS = 6 };

static PGresult *ask(PGconn *conn, const char *sql, int count, const char *const *values)
{
    PGresult *r = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        bench_die(PQerrorMessage(conn));
    return r;
}

static int64_t cpu_ns(PGconn *conn)
{
    char path[64];
    int64_t ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/schedstat", PQbackendPID(conn));
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%" SCNd64, &ns) != 1)
        bench_die("the server's process can't be looked at: it isn't on this machine");
    fclose(file);
    return ns;
}

static void append(piw_buffer *to, const char *text)
{
    if (piw_buffer_add(to, text, strlen(text)) != 0)
        bench_die("no memory");
}

/* An array literal of `count` elements: value(i), or the row's column. Names are plain here. */
static const char *array_of(piw_buffer *to, int count, const PGresult *rows, int column, int first, const char *same)
{
    char number[24];
    to->len = 0;
    for (int i = 0; i < count; i++) {
        append(to, i == 0 ? "{" : ",");
        snprintf(number, sizeof(number), "%d", first + i);
        append(to, same != NULL ? same : rows != NULL ? PQgetvalue(rows, i, column) : number);
    }
    append(to, "}");
    piw_buffer_add(to, "", 1);
    return (const char *)to->data;
}

static void prepare(PGconn *conn)
{
    PGresult *r = PQprepare(
        conn, "record", "SELECT r.ord, r.recorded, r.why FROM piw.record_failures($1, $2, $3, $4, $5, $6) r", 0, NULL);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        bench_die(PQerrorMessage(conn));
    PQclear(r);
}

/* Versions and numbers are looked up outside of the time, which is returned. */
static int64_t record(PGconn *conn, const char *abi, const PGresult *rows, int from, int group, int first)
{
    piw_buffer arrays[PARAMETERS] = {0};
    const char *values[PARAMETERS];
    PGresult *some = PQcopyResult(rows, PG_COPYRES_ATTRS);
    if (some == NULL)
        bench_die("no memory");
    for (int i = 0; i < group; i++)
        for (int column = 0; column < 2; column++)
            if (PQsetvalue(some, i, column, PQgetvalue(rows, from + i, column), PQgetlength(rows, from + i, column)) ==
                0)
                bench_die("no memory");
    values[0] = array_of(&arrays[0], group, NULL, 0, first, NULL);
    values[1] = array_of(&arrays[1], group, NULL, 0, 0, "1");
    values[2] = array_of(&arrays[2], group, some, 0, 0, NULL);
    values[3] = array_of(&arrays[3], group, some, 1, 0, NULL);
    values[4] = array_of(&arrays[4], group, NULL, 0, 0, abi);
    values[5] = array_of(&arrays[5], group, NULL, 0, 0, "1500000");
    int64_t began = piw_monotonic_ns();
    PGresult *r = PQexecPrepared(conn, "record", PARAMETERS, values, NULL, NULL, 0);
    int64_t took = piw_monotonic_ns() - began;
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != group || strcmp(PQgetvalue(r, 0, 1), "t") != 0)
        bench_die(PQresultStatus(r) != PGRES_TUPLES_OK ? PQerrorMessage(conn) : "a build is not recorded");
    PQclear(r);
    PQclear(some);
    for (int i = 0; i < PARAMETERS; i++)
        piw_buffer_fini(&arrays[i]);
    return took;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_die("bare_function DSN ABI SECONDS GROUP; the benches run it");
    double seconds = atof(argv[3]);
    int group = atoi(argv[4]);
    if (group < 1 || group > GROUP_MAX)
        bench_die("GROUP is 1 to 1000");
    PGconn *conn = PQconnectdb(argv[1]);
    if (PQstatus(conn) != CONNECTION_OK)
        bench_die(PQerrorMessage(conn));
    prepare(conn);
    const char *head[] = {argv[2]};
    PGresult *rows = ask(conn, "SELECT package, version FROM piw.queue_head($1, 'newest', 20000)", 1, head);
    int waiting = PQntuples(rows), done = 0;
    int64_t spent = 0, cpu = 0;
    for (int from = 0; from + group <= waiting && (double)spent < seconds * 1e9; from += group) {
        char amount[16];
        const char *values[] = {amount};
        snprintf(amount, sizeof(amount), "%d", group);
        PGresult *r = ask(conn, "SELECT piw.reserve('build', $1)", 1, values);
        int first = atoi(PQgetvalue(r, 0, 0));
        PQclear(r);
        int64_t before = cpu_ns(conn);
        spent += record(conn, argv[2], rows, from, group, first);
        PQclear(ask(conn, "SELECT piw.drain()", 0, NULL));
        cpu += cpu_ns(conn) - before;
        done += group;
    }
    if (done == 0)
        bench_die("too few versions wait");
    printf("%.1f\t%.2f\n", (double)done * 1e9 / (double)spent, (double)cpu / 1000 / done);
    PQclear(rows);
    PQfinish(conn);
    return 0;
}
