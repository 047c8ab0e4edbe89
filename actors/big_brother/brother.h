/* brother.h — inside big_brother: what monitors see and command (docs/wire.md#monitors).
 *
 * big_brother.c is the manifest, the control queue and the pause; watch.c keeps what each slave showed last and
 * replays it; figures.c makes the master's own STATS; tell.c tells others; machine.c reads this machine. Everything
 * belongs to the task's thread. */
#ifndef BIG_BROTHER_BROTHER_H
#define BIG_BROTHER_BROTHER_H

#include "big_brother.piw.h"
#include "db.piw.h"
#include "piw/plugin.h"
#include "shared/views.h"
#include "stats.piw.h"
#include "status.piw.h"

enum {
    BROTHER_KEPT = 100,       /* STATS of the master and of each slave that a new monitor is shown … */
    BROTHER_KEPT_ALL = 20000, /* … but of all slaves together so many … */
    BROTHER_KEPT_MIN = 10,    /* … and of each so many at least */
    BROTHER_SLICE = 10,       /* slaves replayed before other messages get their turn */
    BROTHER_STATS_MS = 10000,
    BROTHER_HOME_MS = 60000,
    BROTHER_FIGURES_DEADLINE_MS = 8000, /* after so long without an answer STATS shows the last known figures */
};

/* A slave as monitors see it. */
typedef struct brother_slave {
    int64_t id;
    piw_time first_seen, last_seen;
    piw_msg *hello;     /* status_SLAVE, as it is published; NULL: none was seen */
    piw_msg *reply;     /* status_SLAVE of the last reply, or NULL */
    slave_stats *stats; /* the last ones, a ring that grows with them */
    uint32_t stats_size, stats_count, stats_next;
} brother_slave;

typedef struct brother {
    piw_task *task;
    piw_views views;        /* of the configuration */
    watched_farm farm;      /* as it is saved */
    brother_slave **slaves; /* sorted by id */
    size_t slaves_count, slaves_size;
    piw_msg *history[BROTHER_KEPT]; /* status_STATS, a ring */
    uint32_t history_count, history_next;
    piw_msg *latest; /* status_STATS: the figures last known, never NULL */
    bool asking;     /* for figures */
    bool site_pause;
    piw_log_limiter odd;
    int64_t disk_floor; /* bytes free below which the farm pauses */
} brother;

/* --- tell.c --- */
/* Is the farm paused, for whatever reason? */
bool brother_paused(const brother *self);
/* Announce whether the farm is paused. */
void brother_say_pause(brother *self, const char *why);
/* Show monitors something; one that can't be shown is lost. */
void brother_publish(brother *self, piw_msg **msg);

/* --- watch.c --- */
int brother_on_slave(piw_task *task, piw_msg *msg);
int brother_on_slave_gone(piw_task *task, piw_msg *msg);
/* Every slave as it is now, into the arena of `msg`. */
void brother_list_slaves(const brother *self, piw_msg *msg, stats_FIGURES_reply *body);
/* Show a new monitor everything: the master's HELLO and STATS, then the slaves in slices. */
int brother_replay(brother *self);
int on_slice(piw_task *task, piw_msg *reply, uint64_t key);
void brother_forget_slaves(brother *self);
void brother_save_slaves(const brother *self, piw_msg *state, big_brother_state *body);
void brother_load_slaves(brother *self, const big_brother_state *body);

/* --- figures.c --- */
int on_tick(piw_task *task, piw_msg *reply, uint64_t key);
int on_figures(piw_task *task, piw_msg *reply, uint64_t key);
/* The length of an ABI's build queue, at once. */
void brother_queue_length(brother *self, piw_text abi_tag, int64_t pending);
void brother_forget_history(brother *self);
void brother_keep(brother *self, piw_msg **stats);
/* The i-th of the kept ones, oldest first. */
const piw_msg *brother_kept(const brother *self, uint32_t i);

/* --- machine.c --- */
piw_msg *brother_master_hello(piw_time started);
/* Memory, swap, load and temperature of this machine. */
void brother_machine(master_stats *stats);

#endif
