/* load.h — what the parts of piw-loadgen share: its settings, the simulated slaves, and who turns to whom.
 *
 * One thread. A slave is moved by what it hears (slave.c for the slave queue, transfer.c for the file queue) and by the
 * clock; main.c waits for both. */
#ifndef LOADGEN_LOAD_H
#define LOADGEN_LOAD_H

#include "given.h"
#include "kinds.h"
#include "peer.h"
#include "report.h"
#include "swaps.h"
#include "wheel.h"

typedef struct load_settings {
    const char *slave_queue, *file_queue, *abi;
    int64_t slaves, builds, duration_ms; /* builds, duration_ms: 0 is no end */
    int64_t fail_percent, rate, busy;
    int64_t poll_ms, patience_ms, wait_ms;
    int64_t warm_up_ms; /* -1: the figures are of the whole run */
    piw_codec codec;
    FILE *journal; /* a line for each build that ended; may be NULL */
} load_settings;

/* What a slave waits for. */
typedef enum {
    LOAD_RESTS, /* until its rest is over, or its turn comes */
    LOAD_WAITS, /* the answer to `asked` */
    LOAD_SENDS, /* the file queue's DONE */
    LOAD_ENDED,
} load_phase;

typedef struct load load;

enum { LOAD_FETCHES_MAX = 64 }; /* several times what a master may ask for at once */

typedef struct load_fetch {
    size_t offset, len;
} load_fetch;

typedef struct load_slave {
    load *load;
    int number;
    load_peer master, files;
    load_phase phase;
    load_request asked;
    int64_t asked_ns, built_ns;
    char token[65]; /* for its transfers; "": none */
    int64_t id;
    /* The build it is at. */
    char package[201], version[201];
    bool good;
    const load_kind *kind;
    int64_t busy_left;
    load_wheel *wheels; /* kind->files of them, in order of name; room for the most that any kind has */
    int64_t next;       /* the file to be asked for next; the one before it is being sent or was */
    /* The transfer of wheels[next - 1]. */
    int64_t said_ns, heard_ns, fetched;
    load_fetch fetches[LOAD_FETCHES_MAX]; /* asked for and not sent: a ring */
    size_t fetches_first, fetches_count;
    int hellos;
} load_slave;

/* Slaves in the order in which they came: a ring of settings.slaves. */
typedef struct load_line {
    int64_t *at;
    int64_t first, count;
} load_line;

/* With --warm-up the figures are those of a window. */
typedef enum { LOAD_WARMS_UP, LOAD_MEASURES, LOAD_MEASURED } load_stage;

struct load {
    load_settings settings;
    load_figures figures, before, window; /* of all; as they were when the window began; of the window */
    load_kinds kinds;                     /* what good builds are */
    int64_t prepared_us;                  /* processor time that was taken before anything was said: by the payload */
    load_given given;
    load_slave *slaves;
    int epoll_fd, signals;
    const piw_protocol *protocol; /* of the slave queue */
    piw_buffer scratch;
    load_line turns; /* who wants to say IDLE */
    load_line rests; /* who has nothing to build, with when its rest is over: all rest for the same time */
    int64_t *wakes;
    int64_t next_turn_ns;
    int64_t known;    /* slaves that have heard ACK */
    int64_t begin_ns; /* when the window begins; 0: not before all slaves are known */
    load_stage stage;
    int64_t reserved; /* builds begun, and IDLE said that may begin one */
    int64_t ended;    /* slaves that have said BYE */
    bool stopping;
    uint64_t random;
    load_swaps swaps;
};

/* slave.c: connect and say HELLO; what came, and what can be written again; whether an answer is missing. Errors are our
 * own trouble: the master's are counted. */
int load_slave_open(load_slave *slave, piw_err *err);
int load_slave_hear(load_slave *slave, uint32_t events, piw_err *err);
int load_slave_tick(load_slave *slave, int64_t now_ns, piw_err *err);
/* It is this slave's turn to say IDLE; or BYE, when there is nothing left to be done. */
int load_slave_turn(load_slave *slave, piw_err *err);
int load_slave_hear_files(load_slave *slave, uint32_t events, piw_err *err);

/* transfer.c: one file over the file queue. */
int load_transfer_begin(load_slave *slave, piw_err *err);
/* Up to the end of a file: *sent tells that it came. */
int load_transfer_hear(load_slave *slave, bool *sent, piw_err *err);
int load_transfer_tick(load_slave *slave, int64_t now_ns, piw_err *err);

/* place.c: watch a descriptor; get in line for a turn, at once or after a rest; end. */
int load_watch_fd(int epoll_fd, int fd, int64_t key, piw_err *err);
void load_want_turn(load_slave *slave);
void load_want_rest(load_slave *slave);
/* The next in line; NULL: there is none. */
load_slave *load_next_turn(load *all);
/* Who has rested enough, or may not any more, gets in line. */
void load_wake(load *all, int64_t now_ns);
void load_slave_close(load_slave *slave);
/* The master has ended a connection, or says what can't be read. */
void load_slave_lose(load_slave *slave, piw_err *err);

#endif
