/* load.h — what the parts of piw-loadgen share: its settings, the simulated slaves, and who turns to whom.
 *
 * One thread. A slave is moved by what it hears (slave.c for the slave queue, transfer.c for the file queue) and by the
 * clock; main.c waits for both. */
#ifndef LOADGEN_LOAD_H
#define LOADGEN_LOAD_H

#include "given.h"
#include "piw/client.h"
#include "report.h"
#include "swaps.h"
#include "wheel.h"

typedef struct load_settings {
    const char *slave_queue, *file_queue, *abi;
    int64_t slaves, builds, duration_ms; /* builds, duration_ms: 0 is no end */
    int64_t fail_percent, files, file_size, rate, busy;
    int64_t poll_ms, patience_ms;
    piw_codec codec;
    FILE *journal; /* a line for each build that ended; may be NULL */
} load_settings;

/* What a slave waits for. */
typedef enum {
    LOAD_RESTS, /* for wake_ns, or its turn */
    LOAD_WAITS, /* the answer to `asked` */
    LOAD_SENDS, /* the file queue's DONE */
    LOAD_ENDED,
} load_phase;

typedef struct load load;

typedef struct load_slave {
    load *load;
    int number;
    piw_client *master, *files;
    load_phase phase;
    load_request asked;
    int64_t asked_ns, wake_ns;
    int64_t id;
    /* The build it is at. */
    char package[201], version[201];
    bool good;
    int64_t busy_left;
    load_wheel *wheels; /* settings.files of them, in order of name */
    int64_t next;       /* the file to be asked for next; the one before it is being sent or was */
    /* The transfer of wheels[next - 1]. */
    int64_t said_ns, heard_ns, fetched;
    int hellos;
} load_slave;

struct load {
    load_settings settings;
    load_figures figures;
    load_filling filling;
    load_given given;
    load_slave *slaves;
    int epoll_fd, signals;
    int64_t *turns; /* numbers of the slaves that want to say IDLE: a ring of settings.slaves */
    int64_t turns_first, turns_count, next_turn_ns;
    int64_t reserved; /* builds begun, and IDLE said that may begin one */
    int64_t ended;    /* slaves that have said BYE */
    bool stopping;
    uint64_t random;
    load_swaps swaps;
};

enum { LOAD_SEND_MS = 5000 }; /* a queue that takes nothing for so long is a fault of the master's */

/* slave.c: connect and say HELLO; the answers that came; what the clock asks for. Errors are our own trouble: the
 * master's are counted. */
int load_slave_open(load_slave *slave, piw_err *err);
int load_slave_hear(load_slave *slave, piw_err *err);
int load_slave_tick(load_slave *slave, int64_t now_ns, piw_err *err);
/* It is this slave's turn to say IDLE; or BYE, when there is nothing left to be done. */
int load_slave_turn(load_slave *slave, piw_err *err);
int load_slave_hear_files(load_slave *slave, piw_err *err);

/* transfer.c: one file over the file queue. */
int load_transfer_begin(load_slave *slave, piw_err *err);
/* Up to the end of a file: *sent tells that it came. */
int load_transfer_hear(load_slave *slave, bool *sent, piw_err *err);
int load_transfer_tick(load_slave *slave, int64_t now_ns, piw_err *err);

/* place.c: watch a descriptor, or a client of this slave; get in line for a turn; end. */
int load_watch_fd(int epoll_fd, int fd, int64_t key, piw_err *err);
int load_watch(load_slave *slave, const piw_client *client, bool files, piw_err *err);
void load_want_turn(load_slave *slave);
void load_slave_close(load_slave *slave);

#endif
