/* Web log entries: from the log queue into committed rows, beside the array-insert function alone on the same
 * database. bench_logs.py starts the farm for it:
 *
 *     bench_logs DSN ADMIN-DSN LOG-QUEUE ROUNDS RECORDS function|queue
 *
 * With "function" the two kinds run in turn, with "queue" the entries go through the queue only; the best round of
 * each counts. The function gets its arrays ready made, a thousand entries each, and commits as many batches at once
 * as lumberjack may have under way. Prints entries a second: through the queue, and of the function alone or 0. */
#include "bench.h"

#include "log.piw.h"
#include "piw/client.h"

#include <libpq-fe.h>
#include <unistd.h>

enum { BATCH = 1000, BATCHES_A_COMMIT = 4, COLUMNS = 13, FILES = 5000, SEND_MS = 60000, PATIENCE_S = 120 };

static const char *const facts[] = {
    "armv7l", "Raspbian GNU/Linux", "12", "Linux", "6.1.21-v7+", "CPython", "3.11.2", "pip", "23.0.1", "66.1.1"};

static const char *file_of(long number)
{
    static char name[80];
    snprintf(name, sizeof(name), "package-%ld-1.0-cp311-cp311-linux_armv7l.whl", number * 7919 % FILES);
    return name;
}

static const char *host_of(long number)
{
    static char host[40];
    snprintf(host, sizeof(host), "198.%ld.%ld.%ld", 18 + number % 2, number / 250 % 250, number % 250);
    return host;
}

/* --- The database -------------------------------------------------------------------------------------------------- */

static PGconn *connect_to(const char *dsn)
{
    PGconn *conn = PQconnectdb(dsn);
    if (PQstatus(conn) != CONNECTION_OK)
        bench_die(PQerrorMessage(conn));
    return conn;
}

static long ask(PGconn *conn, const char *sql, int count, const char *const *values)
{
    PGresult *r = PQexecParams(conn, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        bench_die(PQerrorMessage(conn));
    long value = PQntuples(r) > 0 ? atol(PQgetvalue(r, 0, 0)) : 0;
    PQclear(r);
    return value;
}

static void begin_again(PGconn *admin)
{
    ask(admin, "TRUNCATE downloads, piw.log_batches", 0, NULL);
    ask(admin, "VACUUM piw.deltas", 0, NULL);
    ask(admin, "CHECKPOINT", 0, NULL);
}

/* --- The function alone ---------------------------------------------------------------------------------------------- */

static void append(piw_buffer *to, const char *text)
{
    if (piw_buffer_add(to, text, strlen(text)) != 0)
        bench_die("no memory");
}

static void make_arrays(piw_buffer arrays[COLUMNS], long first, int64_t now_us)
{
    char text[64];
    for (int c = 0; c < COLUMNS; c++) {
        arrays[c].len = 0;
        append(&arrays[c], "{");
        for (long i = first; i < first + BATCH; i++) {
            const char *value = c >= 3 ? facts[c - 3] : c == 0 ? file_of(i) : c == 1 ? host_of(i) : text;
            piw_time_format((piw_time){.us = now_us + i}, text, sizeof(text));
            append(&arrays[c], i > first ? ",\"" : "\"");
            append(&arrays[c], value);
            append(&arrays[c], "\"");
        }
        append(&arrays[c], "}");
        piw_buffer_add(&arrays[c], "", 1);
    }
}

static double function_alone(PGconn *conn, long entries)
{
    piw_buffer arrays[COLUMNS] = {0};
    char number[32];
    int64_t spent_ns = 0;
    for (long first = 0; first < entries; first += BATCH) {
        const char *values[2 + COLUMNS] = {"1", number};
        snprintf(number, sizeof(number), "%ld", first / BATCH + 1);
        make_arrays(arrays, first, piw_time_now().us);
        for (int c = 0; c < COLUMNS; c++)
            values[2 + c] = (const char *)arrays[c].data;
        bool begins = first / BATCH % BATCHES_A_COMMIT == 0;
        bool ends = first / BATCH % BATCHES_A_COMMIT == BATCHES_A_COMMIT - 1 || first + BATCH >= entries;
        int64_t began = piw_monotonic_ns();
        if (begins)
            ask(conn, "BEGIN", 0, NULL);
        ask(conn, "SELECT piw.log_downloads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            2 + COLUMNS, values);
        if (ends)
            ask(conn, "COMMIT", 0, NULL);
        spent_ns += piw_monotonic_ns() - began;
    }
    for (int c = 0; c < COLUMNS; c++)
        piw_buffer_fini(&arrays[c]);
    return (double)entries * 1e9 / (double)spent_ns;
}

/* --- Through the queue ----------------------------------------------------------------------------------------------- */

static void send_one(piw_client *client, const char *filename, long number)
{
    download *body = NULL;
    piw_err err = {0};
    piw_msg *msg = log_LOGDOWNLOAD_new(&body);
    piw_text *to[] = {
        &body->arch,    &body->distro_name, &body->distro_version, &body->os_name,           &body->os_version,
        &body->py_name, &body->py_version,  &body->installer_name, &body->installer_version, &body->setuptools_version};
    body->filename = piw_msg_textz(msg, filename);
    body->host = piw_msg_textz(msg, host_of(number));
    body->timestamp = piw_time_now();
    for (size_t i = 0; i < PIW_COUNT(to); i++)
        *to[i] = piw_text_of(facts[i]);
    if (piw_client_send(client, &msg, SEND_MS, &err) != 0)
        bench_die(err.code != 0 ? err.text : "the log queue takes nothing");
}

/* Batches are stored in their order: with the last entry all are there. */
static void wait_for(PGconn *conn, const char *filename)
{
    const char *values[] = {filename};
    int64_t until = piw_monotonic_ns() + PATIENCE_S * INT64_C(1000000000);
    while (ask(conn, "SELECT count(*) FROM downloads WHERE filename = $1", 1, values) == 0) {
        if (piw_monotonic_ns() > until)
            bench_die("the last entry doesn't come");
        usleep(2000);
    }
}

static double through_queue(piw_client *client, PGconn *conn, long entries, int round)
{
    char last[40];
    snprintf(last, sizeof(last), "last-%d.whl", round);
    int64_t began = piw_monotonic_ns();
    for (long i = 1; i < entries; i++)
        send_one(client, file_of(i), i);
    send_one(client, last, entries);
    wait_for(conn, last);
    double rate = (double)entries * 1e9 / (double)(piw_monotonic_ns() - began);
    if (ask(conn, "SELECT count(*) FROM downloads", 0, NULL) != entries)
        bench_die("rows are missing, or there are too many");
    return rate;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        bench_die("bench_logs.py runs this: make bench BENCH=logs");
    int rounds = atoi(argv[4]);
    long entries = atol(argv[5]);
    piw_client *client = NULL;
    piw_err err = {0};
    PGconn *conn = connect_to(argv[1]), *admin = connect_to(argv[2]);
    if (piw_client_open(&client, &log_protocol_def, argv[3], PIW_MSGPACK, &err) != 0)
        bench_die(err.text);
    double function = 0, queue = 0;
    for (int round = 0; round < rounds; round++) {
        double rate = 0;
        if (strcmp(argv[6], "function") == 0) {
            begin_again(admin);
            rate = function_alone(conn, entries);
            function = rate > function ? rate : function;
        }
        begin_again(admin);
        rate = through_queue(client, conn, entries, round);
        queue = rate > queue ? rate : queue;
    }
    printf("%.1f\t%.1f\n", queue, function);
    piw_client_close(&client);
    PQfinish(conn);
    PQfinish(admin);
    return 0;
}
