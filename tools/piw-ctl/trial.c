/* trial.c — a plugin on trial: it takes over, is watched for a while, and goes again when it does worse than the one before. */
#include "ctl.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LOOK_EVERY_MS = 250,
    TIMES_SLOWER = 3,
    TIMED_MIN = 50,     /* handlers: fewer say nothing of their p99 */
    P99_FLOOR_US = 100, /* below it a handler's time is the machine's */
    MORE_ERRORS = 3,    /* so many times the share that the plugin before had */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int look(ctl *self, piw_msg **answer, const task_row **row, piw_err *err)
{
    int rc = ctl_ask(self, admin_INFO_make(piw_text_of(self->operands[1])), admin_TASK_type(), answer, err);
    if (rc == 0)
        *row = &admin_TASK_of(*answer)->row;
    return rc;
}

static int go_over(ctl *self, piw_text file, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc =
        ctl_ask(self, admin_REPLACE_make(piw_text_of(self->operands[1]), file, false), admin_DONE_type(), &answer, err);
    if (rc == 0 && !self->json)
        printf("%s\n", admin_DONE_of(answer)->text.s);
    fflush(stdout);
    piw_msg_free(&answer);
    return rc;
}

static bool errs_more(const task_row *before, const task_row *now)
{
    int64_t errors = now->errors - before->errors, handled = now->handled - before->handled;
    return errors > 0 && (before->errors == 0 || (double)errors * (double)before->handled >
                                                     MORE_ERRORS * (double)before->errors * (double)handled);
}

/* What is wrong with the new plugin, as a sentence; false: nothing so far. */
static bool is_worse(const task_row *before, const task_row *now, char *why, size_t size)
{
    int64_t allowed_us = TIMES_SLOWER * (before->p99_us > P99_FLOOR_US ? before->p99_us : P99_FLOOR_US);
    if (now->restarts > before->restarts)
        snprintf(why, size, "it failed and was begun anew");
    else if (piw_text_is(now->state, "failed") || piw_text_is(now->state, "stuck"))
        snprintf(why, size, "it is %s: %s", now->state.s, now->note.s);
    else if (errs_more(before, now))
        snprintf(why, size, "%lld of its %lld handlers ended with an error", (long long)(now->errors - before->errors),
                 (long long)(now->handled - before->handled));
    else if (now->recent != NULL && now->recent->timed >= TIMED_MIN && now->recent->p99_us > allowed_us)
        snprintf(why, size, "its handlers take %lld us at p99; those of the one before took %lld",
                 (long long)now->recent->p99_us, (long long)before->p99_us);
    else
        return false;
    return true;
}

static int go_back(ctl *self, const task_row *before, const task_row *now, const char *why, piw_err *err)
{
    piw_err back_err = {0};
    /* A soul that fails takes what it knew with it, as in any failure: what it saved before may be out of date. */
    const char *kept = now->restarts > before->restarts ? "which begins anew" : "its state kept";
    if (go_over(self, before->file, &back_err) != 0)
        return piw_err_set(err, PIW_EREFUSED, "%s does worse than %s: %s; but it can't be taken back: %s",
                           self->operands[2], before->file.s, why, back_err.text);
    return piw_err_set(err, PIW_EREFUSED, "%s went back to %s, %s: %s", self->operands[1], before->file.s, kept, why);
}

static void stays(const ctl *self, const task_row *before, const task_row *now, bool cut_short)
{
    char text[600];
    snprintf(text, sizeof(text), "%s stays%s: %lld handlers, %lld of them with an error, p99 %lld us (before %lld)",
             self->operands[2], cut_short ? ", though it was not watched to the end" : "",
             (long long)(now->handled - before->handled), (long long)(now->errors - before->errors),
             (long long)(now->recent != NULL ? now->recent->p99_us : now->p99_us), (long long)before->p99_us);
    if (self->json)
        json_done(text);
    else
        printf("%s\n", text);
}

static int watch(ctl *self, const task_row *before, piw_err *err)
{
    char why[PIW_ERR_TEXT];
    int64_t until_ms = now_ms() + piw_config_int(self->config, "watch");
    watch_signals();
    for (;;) {
        piw_msg *answer = NULL;
        const task_row *now = NULL;
        int rc = look(self, &answer, &now, err);
        bool over = now_ms() >= until_ms || watch_interrupted();
        if (rc == 0 && is_worse(before, now, why, sizeof(why)))
            rc = go_back(self, before, now, why, err);
        else if (rc == 0 && over)
            stays(self, before, now, watch_interrupted());
        piw_msg_free(&answer);
        if (rc != 0 || over)
            return rc;
        poll(NULL, 0, LOOK_EVERY_MS);
    }
}

int trial_replace(ctl *self, piw_err *err)
{
    piw_msg *answer = NULL;
    const task_row *before = NULL;
    int rc = look(self, &answer, &before, err);
    if (rc == 0)
        rc = go_over(self, piw_text_of(self->operands[2]), err);
    if (rc == 0)
        rc = watch(self, before, err);
    piw_msg_free(&answer);
    return rc;
}
