/* model.h — what a monitor knows of its master and of the slaves, from HELLO, STATS and SLAVE alone
 * (docs/wire.md#monitors).
 *
 * No function draws, waits or reads a clock: callers pass the time as `now_us`, in microseconds of the monitor's
 * own monotonic clock. Times in messages are of the master's clock. The model learns the difference of the two
 * clocks, so that model_ago can say how long ago something was. A model belongs to one thread. */
#ifndef MONITOR_MODEL_H
#define MONITOR_MODEL_H

#include "history.h"
#include "shared/views.h"
#include "slave.piw.h"
#include "status.piw.h"

enum {
    MODEL_SAMPLES = 360,       /* kept of the master: those of an hour */
    MODEL_SLAVE_SAMPLES = 100, /* kept of a slave: a master sends no more of the past */
    MODEL_NOTES = 20,
    MODEL_NOTE_MAX = 480,
};

/* Figures of which samples are kept: of the master all, of slaves those from FIGURE_DISK on. */
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

/* How bad a figure is. */
typedef enum { LEVEL_GOOD, LEVEL_WARNING, LEVEL_ALARM } model_level;

typedef enum {
    STATE_NEW, /* it has said HELLO and got nothing to do yet */
    STATE_IDLE,
    STATE_PAUSED,
    STATE_BUILDING,
    STATE_SENDING,
    STATE_DONE,
    STATE_STOPPED, /* it was told to end, or ended by itself */
    STATE_LOST,    /* it was silent for too long */
    STATES,
} model_state;

/* What an operator may command. */
typedef enum { COMMAND_NONE, COMMAND_SLEEP, COMMAND_WAKE, COMMAND_SKIP, COMMAND_KILL, COMMAND_QUIT } command_kind;
typedef struct command {
    command_kind kind;
    bool all; /* false: the command is for one slave */
    int64_t slave_id;
} command;

/* What became of our last command to the whole farm. There was none; or SLEEP, and no slave was told to pause yet;
 * or SLEEP, and one was told; or WAKE, and no slave was told to pause since. */
typedef enum { PAUSE_NONE, PAUSE_ASKED, PAUSE_TOLD, PAUSE_OVER } model_pause;

/* What the master and slaves tell of their machines: memory, disk and so on. */
typedef struct model_machine {
    bool known; /* false: nothing was told yet */
    int64_t disk_size, disk_free, mem_size, mem_free, swap_size, swap_free;
    double load_average, cpu_temp;
} model_machine;

typedef struct model_slave {
    int64_t id;
    piw_msg *hello;    /* slave_HELLO, or NULL: none was seen, or it could not be read */
    const char *queue; /* of its view; "": it fits none; NULL: that of its ABI */
    piw_msg *build;    /* slave_BUILD: the last one, or NULL */
    piw_msg *send;     /* slave_SEND: the file that is fetched, or NULL */
    model_state state;
    int64_t since_us;    /* by the master's clock: when the state began … */
    bool since_at_least; /* … or earlier */
    int64_t heard_us;    /* by our clock: when it was heard of last */
    int64_t skew_us;     /* how far its clock is ahead of the master's */
    bool greeted;        /* nothing but STATS has come since its HELLO */
    bool confirmed;      /* it was heard of since we asked for a HELLO the last time */
    model_machine machine;
    history past;
    uint64_t samples;
    command_kind asked; /* the command that we gave and that hasn't taken effect yet */
    int64_t forget_us;  /* by our clock: it has ended, and is shown until then; 0: it lives */
} model_slave;

typedef struct model_note {
    int64_t at_us; /* by our clock */
    model_level level;
    char text[MODEL_NOTE_MAX]; /* may hold any characters */
} model_note;

typedef struct model {
    piw_msg *hello;     /* status_HELLO, or NULL: none yet */
    piw_msg *stats;     /* status_STATS: the last one, or NULL */
    piw_views views;    /* of the master, when somebody has said which; else there are none */
    int64_t hellos;     /* how many came */
    int64_t heard_us;   /* by our clock: when the last message of any kind came */
    int64_t newest_us;  /* by the master's clock: when its newest STATS were made */
    int64_t confirm_us; /* by our clock: slaves that weren't heard of by then are gone; 0: all were */
    bool online;        /* both queues are connected */
    bool asked_hello;   /* the next HELLO is the answer to ours */
    model_pause pause;  /* what became of our last command to the whole farm */
    int64_t going_us;   /* by the master's clock: when it last gave out a build, or said that there is none */
    model_machine machine;
    history past;
    model_slave **slaves; /* in the order in which they are shown: queue, label, number */
    size_t count, size;
    model_slave **by_id;
    model_note notes[MODEL_NOTES]; /* a ring */
    unsigned notes_next, notes_count;
    uint64_t odd; /* how many messages could not be understood */
    struct {
        bool known;
        int64_t offset_us, next_us, began_us;
    } clock;
} model;

model *model_new(void);
void model_free(model **self);

/* Takes a message of the status queue. NULL stands for one that could not be decoded, for the reason in `why`. */
void model_hear(model *self, const piw_msg *msg, const char *why, int64_t now_us);
/* The connection was made, or lost. */
void model_connected(model *self, bool online, int64_t now_us);
/* HELLO was sent: the master answers with all that it knows. */
void model_asked_hello(model *self);
/* A command was sent to the master. */
void model_commanded(model *self, command what, int64_t now_us);
/* The master's views have become known; they are the model's afterwards. */
void model_take_views(model *self, piw_views *views);
/* Forgets slaves and notes whose time is over. */
void model_tick(model *self, int64_t now_us);
void model_say(model *self, model_level level, int64_t now_us, const char *fmt, ...) PIW_PRINTF(4, 5);

/* --- Looking --- */
/* How many microseconds ago `stamp_us` was, a time of the master's clock; never negative. */
int64_t model_ago(const model *self, int64_t stamp_us, int64_t now_us);
model_slave *model_find(const model *self, int64_t id);
/* The slave's index in `slaves`; `count`: it isn't there. */
size_t model_place(const model *self, const model_slave *slave);
const slave_hello *model_hello(const model_slave *slave); /* NULL: unknown */
const char *model_label(const model_slave *slave);        /* hostile */
const char *model_abi(const model_slave *slave);
/* What it builds from: "" when it fits none of the master's views. */
const char *model_queue(const model_slave *slave);
/* What a queue is called before people: that of a view has the view's name. */
const char *model_queue_name(const model *self, const char *queue);
bool model_silent(const model_slave *slave, int64_t now_us); /* for longer than the busy_timeout of its HELLO */
const master_stats *model_stats(const model *self);          /* NULL: none yet */
/* The i-th note, the newest first; NULL: there are no more. */
const model_note *model_note_at(const model *self, unsigned i);
/* The present value of a figure; false: it is unknown. */
bool model_value(const model_machine *machine, model_figure figure, double *value);
model_level model_level_of(const model_machine *machine, model_figure figure);
/* The worst level of all figures. */
model_level model_worst(const model_machine *machine);
const char *model_command_name(command_kind kind); /* "KILL" */

/* --- slaves.c, for model.c --- */
void model__slave_hear(model *self, const status_SLAVE *body, int64_t now_us);
void model__forget_slaves(model *self);
void model__slaves_sort(model *self);
void model__slaves_tick(model *self, int64_t now_us);

#endif
