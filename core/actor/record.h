/* record.h — inside the core: what one shell's soul gets and does, written to a recording (docs/recording.md).
 *
 * The shell's thread but where it is said otherwise. What a handler sends is gathered and written when it takes effect. */
#ifndef PIW__RECORD_H
#define PIW__RECORD_H

#include "actor/role.h"
#include "base/reads.h"
#include "record/recording.h"

#include <pthread.h>

typedef struct piw__record {
    pthread_mutex_t lock; /* other threads (workers) take a reference under it */
    piw__recording *to;   /* NULL: none; written by the shell's thread, under the lock */
    piw_buffer sent;      /* by the function that runs, framed */
    bool open;            /* what came to it was written: its end is, too */
    piw__reads reads;
    int64_t began_ns; /* CLOCK_MONOTONIC_RAW: the player's clock stands still while a handler runs */
} piw__record;

/* Of souls without state, or in processes of their own: PIW_EREFUSED. */
int piw__record_check(const piw__shell *shell, piw_err *err);
/* Begin: what the soul's successor finds is written. It ends when `piw__record_end` is called, or by itself. */
void piw__record_begin(piw__shell *shell, piw__recording *recording);
void piw__record_end(piw__shell *shell, const char *why);
/* From any thread: a reference to what it is recorded to (which may have ended), or NULL. */
piw__recording *piw__record_ref(piw__shell *shell);

/* --- While it is recorded (seen.watched has PIW__RECORDED) ------------------------------------------------------------- */

void piw__record_start(piw__shell *shell, const piw_task *task, piw_why why, const piw_msg *state);
void piw__record_message(piw__shell *shell, const piw_msg *msg);
void piw__record_answer(piw__shell *shell, const piw_msg *msg, bool job);
void piw__record_bare(piw__shell *shell, const char *continuation, uint64_t key); /* NULL: idle */
void piw__record_sent(piw__shell *shell, piw_sent kind, const piw_msg *msg, const char *service, int instance);
/* The answer to a request of `asker`, which asked by that id. */
void piw__record_answered(piw__shell *shell, const piw_msg *request, const piw_msg *answer);
/* Its function has ended. */
void piw__record_done(piw__shell *shell, int result);
void piw__record_setting(piw__shell *shell, const char *name, const char *value);

/* --- Workers ------------------------------------------------------------------------------------------------------------ */

/* This thread works for that shell from now on; NULL: for none. What it does with files belongs to it. */
void piw__record_thread(piw__shell *shell);
void piw__record_worked(piw__shell *shell, const piw_msg_type *job, int result, int64_t took_ns);
int64_t piw__record_clock(void); /* for `took_ns` */

#endif
