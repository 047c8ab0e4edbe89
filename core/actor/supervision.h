/* supervision.h — inside the core: operations asked of a shell, and how its souls come, go, fail and follow each
 * other (orders.c, swap.c, supervise.c, trial.c).
 *
 * The shell's thread only, but for the operations that come. */
#ifndef PIW__SUPERVISION_H
#define PIW__SUPERVISION_H

#include "actor/op.h"
#include "actor/role.h"
#include "piw/task.h"

#include <pthread.h>
#include <stdatomic.h>

/* A swap to a soul that has started and isn't ready yet (trial.c). */
typedef struct piw__trial {
    piw__op *op;             /* a reference; NULL: there is none */
    const piw__image *image; /* of the predecessor, */
    const piw__options *options;
    piw_msg *state;      /* and what it saved; NULL: nothing */
    uint64_t generation; /* of the new soul: answers and timers of earlier ones wait */
    int64_t began_ns, until_ns;
} piw__trial;

typedef struct piw__supervision {
    /* Operations from the runtime: any thread, under the lock. `ops_waiting` is set (release) after an operation was
     * put in the list and read (acquire) at each message boundary; the lock orders the list itself. */
    pthread_mutex_t ops_lock;
    piw__op *ops;
    _Atomic bool ops_waiting;

    int64_t error_window_ns;
    unsigned error_count;
    piw_log_limiter log_errors, log_dead, log_unanswered, log_left;
    int64_t failures_ns[16]; /* the last ones, a ring */
    unsigned failures_next;
    int64_t restart_at_ns;       /* 0: no back-off under way */
    piw__op *start_op, *stop_op; /* completed when ready; when drained */
    int64_t start_until_ns;      /* the operation that starts it anew waits no longer; 0: as long as it takes */
    piw__trial trial;
    piw__op *fresh_op; /* likewise: another image begins cold when this one is worked off */
    int64_t drain_until_ns;
} piw__supervision;

piw_task *piw__task_new(piw__shell *shell, const piw__image *image);
void piw__task_free(piw_task **task);
/* Start a soul where there is none. 0: ready or about to be; else err says why and the shell has no soul. */
int piw__soul_start(piw__shell *shell, const piw__image *image, piw_why why, piw_err *err);
/* End the soul, if there is one, with all that was its own: calls, timers, watches, deferred requests. */
void piw__soul_end(piw__shell *shell, bool leaving, int code, const char *text);
/* The soul has failed: end it; restart later or give up. */
void piw__soul_failed(piw__shell *shell, const char *why);
/* A successor on trial failed, or took too long: the old plugin takes over again, with what was saved for its successor. */
void piw__trial_back(piw__shell *shell, const char *why);
/* After a handler: has the soul said that it can't go on, or erred too often, or become ready? */
void piw__soul_check(piw__shell *shell, int result);
/* piw_ready was called, or start returned 0. */
void piw__soul_ready(piw__shell *shell);
/* The soul has gone: what was its own ends, its deferred requests get the error. */
void piw__soul_gone(piw__shell *shell, int code, const char *text);
/* Its note is what others see of the shell; none when there is no soul. */
void piw__note_show(piw__shell *shell);
/* It is the shell's now. */
void piw__soul_is(piw__shell *shell, piw_task *task);
/* The operation, a reference to which is taken, is done when the soul is ready; or it has waited long enough for
 * that. */
void piw__start_wait(piw__shell *shell, piw__op *op);
void piw__start_late(piw__shell *shell);
/* Whoever ordered a start, if somebody waits for it, gets its outcome. */
void piw__start_end(piw__shell *shell, int result, const piw_err *err);
/* Back-off over? */
void piw__soul_retry(piw__shell *shell, int64_t now_ns);
/* Carry out the operations that wait. */
void piw__ops_run(piw__shell *shell);
/* A change that waits until all is worked off: is it, or is the time for that over? */
void piw__fresh_check(piw__shell *shell, int64_t now_ns);
/* Stopping: is everything worked off? Then stop. */
void piw__stop_check(piw__shell *shell, int64_t now_ns);
/* Swap the soul for one of another image (swap.c). 1: the operation is kept until that one is ready. */
int piw__swap(piw__shell *shell, piw__op *op);
/* So many values of a message that another version of the plugin had made are not known to this one: counted and said. */
void piw__left_behind(piw__shell *shell, const piw__image *image, const piw_msg_type *type, uint64_t left);

/* --- trial.c: a successor that isn't ready yet -------------------------------------------------------------------- */

/* Takes the state and a reference to the operation. */
void piw__trial_begin(piw__shell *shell, piw__op *op, const piw__image *image, const piw__options *options,
                      piw_msg **state, int64_t began_ns);
/* A swap is over, which began at that time. */
void piw__swap_count(piw__shell *shell, int64_t began_ns);
/* The successor is ready. */
void piw__trial_good(piw__shell *shell);
/* The order has this outcome, and nothing is kept for the predecessor any more. */
void piw__trial_end(piw__shell *shell, int result, const piw_err *err);
/* Neither goes on. */
void piw__trial_cancel(piw__shell *shell);
/* Was this answer awaited by the predecessor? Then it waits until it is known who gets it. */
bool piw__trial_keeps(const piw__shell *shell, const piw_msg *msg);

#endif
