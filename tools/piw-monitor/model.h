/* model.h — what a monitor knows of its master and of the slaves, from HELLO, STATS and SLAVE alone
 * (docs/wire.md#monitors).
 *
 * Nothing here draws, waits or reads a clock: callers say when things happen, in microseconds of the monitor's own
 * monotonic clock (`now_us`). Times in messages are the master's; the model learns how the two clocks stand to each
 * other, and model_ago says how long something is past. One owner, one thread. */
#ifndef MONITOR_MODEL_H
#define MONITOR_MODEL_H

#include "history.h"
#include "slave.piw.h"
#include "status.piw.h"

enum {
    MODEL_SAMPLES = 360,       /* of the master: an hour */
    MODEL_SLAVE_SAMPLES = 100, /* a master repeats no more */
    MODEL_NOTES = 20,
    MODEL_NOTE_MAX = 480,
};

/* Figures with a past. Slaves have those from FIGURE_DISK on. */
typedef enum {
    FIGURE_BUILDS,
    FIGURE_PENDING,
    FIGURE_NEW,
    FIGURE_DOWNLOADS,
    FIGURE_DISK, /* these three: percent in use */
    FIGURE_MEMORY,
    FIGURE_SWAP,
    FIGURE_LOAD,
    FIGURE_TEMPERATURE,
    FIGURES,
} model_figure;

/* How far a figure is from what is good. */
typedef enum { LEVEL_GOOD, LEVEL_WARNING, LEVEL_ALARM } model_level;

typedef enum {
    STATE_NEW, /* said HELLO, nothing yet to do */
    STATE_IDLE,
    STATE_PAUSED,
    STATE_BUILDING,
    STATE_SENDING,
    STATE_DONE,
    STATE_STOPPED, /* told to end, or left */
    STATE_LOST,    /* was silent for too long */
    STATES,
} model_state;

/* What an operator may command. */
typedef enum { COMMAND_NONE, COMMAND_SLEEP, COMMAND_WAKE, COMMAND_SKIP, COMMAND_KILL, COMMAND_QUIT } command_kind;
typedef struct command {
    command_kind kind;
    bool all; /* else: to one slave */
    int64_t slave_id;
} command;

/* What became of our commands to the whole farm: none, SLEEP that no slave was told of yet, SLEEP that one was told
 * of, WAKE after which none was told to pause. */
typedef enum { PAUSE_NONE, PAUSE_ASKED, PAUSE_TOLD, PAUSE_OVER } model_pause;

/* Memory, disk, …: what master and slaves tell of their machines. */
typedef struct model_machine {
    bool known; /* else nothing was told yet */
    int64_t disk_size, disk_free, mem_size, mem_free, swap_size, swap_free;
    double load_average, cpu_temp;
} model_machine;

typedef struct model_slave {
    int64_t id;
    piw_msg *hello; /* slave_HELLO, or NULL: none was seen, or it could not be read */
    piw_msg *build; /* slave_BUILD: the last one, or NULL */
    piw_msg *send;  /* slave_SEND: the file that is fetched, or NULL */
    model_state state;
    int64_t since_us;    /* of the master: the state began then … */
    bool since_at_least; /* … or earlier */
    int64_t heard_us;    /* ours */
    int64_t skew_us;     /* its clock less the master's */
    bool greeted /* nothing but STATS since its HELLO */, confirmed /* seen since the last HELLO we asked for */;
    model_machine machine;
    history past;
    uint64_t samples;
    command_kind asked; /* what we commanded and has not happened yet */
    int64_t forget_us;  /* ours: shown until then; 0: it lives */
} model_slave;

typedef struct model_note {
    int64_t at_us; /* ours */
    model_level level;
    char text[MODEL_NOTE_MAX]; /* as it came: hostile */
} model_note;

typedef struct model {
    piw_msg *hello;     /* status_HELLO, or NULL: none yet */
    piw_msg *stats;     /* status_STATS: the last one, or NULL */
    int64_t hellos;     /* how many came */
    int64_t heard_us;   /* ours: the last message of any kind */
    int64_t newest_us;  /* of the master: the newest of its STATS */
    int64_t confirm_us; /* of our clock: slaves that weren't seen by then have gone; 0: none is waited for */
    bool online;        /* there is a connection, both ways */
    bool asked_hello;   /* the next HELLO is an answer to ours */
    model_pause pause;  /* what we have commanded the whole farm */
    int64_t going_us;   /* of the master: it last gave a build out, or would have */
    model_machine machine;
    history past;
    model_slave **slaves; /* in the order in which they are shown: ABI, label, number */
    size_t count, size;
    model_slave **by_id;
    model_note notes[MODEL_NOTES]; /* a ring */
    unsigned notes_next, notes_count;
    uint64_t odd; /* messages that could not be understood */
    struct {
        bool known;
        int64_t offset_us, next_us, began_us;
    } clock;
} model;

model *model_new(void);
void model_free(model **self);

/* A message of the status queue, or NULL: one that could not be decoded, for the reason in `why`. */
void model_hear(model *self, const piw_msg *msg, const char *why, int64_t now_us);
/* The connection is there, or gone. */
void model_connected(model *self, bool online, int64_t now_us);
/* A HELLO was sent: the master answers with all it has. */
void model_asked_hello(model *self);
/* A command was sent. */
void model_commanded(model *self, command what, int64_t now_us);
/* Forget what has had its time. */
void model_tick(model *self, int64_t now_us);
void model_say(model *self, model_level level, int64_t now_us, const char *fmt, ...) PIW_PRINTF(4, 5);

/* --- Looking --- */
/* How long ago that was, never negative. `stamp_us` is of the master's clock. */
int64_t model_ago(const model *self, int64_t stamp_us, int64_t now_us);
model_slave *model_find(const model *self, int64_t id);
/* Its place among `slaves`, or `count`. */
size_t model_place(const model *self, const model_slave *slave);
const slave_hello *model_hello(const model_slave *slave); /* NULL: unknown */
const char *model_label(const model_slave *slave);        /* hostile */
const char *model_abi(const model_slave *slave);
bool model_silent(const model_slave *slave, int64_t now_us); /* for longer than it said it would be */
const master_stats *model_stats(const model *self);          /* NULL: none yet */
/* The i-th note, the last one first; NULL: there are no more. */
const model_note *model_note_at(const model *self, unsigned i);
/* A figure as it stands; false: it is unknown. */
bool model_value(const model_machine *machine, model_figure figure, double *value);
model_level model_level_of(const model_machine *machine, model_figure figure);
/* The worst of all. */
model_level model_worst(const model_machine *machine);
const char *model_command_name(command_kind kind); /* "KILL" */

/* --- slaves.c, for model.c --- */
void model__slave_hear(model *self, const status_SLAVE *body, int64_t now_us);
void model__forget_slaves(model *self);
void model__slaves_tick(model *self, int64_t now_us);

#endif
