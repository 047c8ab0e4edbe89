/* spread.c — who must know of a change, and how long to wait after PyPI failed: for the log's follower and the list's. */
#include "cloud_gazer/gazer.h"

#include "events.piw.h"
#include "fs.piw.h"
#include "piw/fault.h"
#include "slaves.piw.h"
#include "web.piw.h"

int64_t gazer_longer(const gazer *self, int64_t *wait_ms, bool refused, int64_t asked_s)
{
    *wait_ms = *wait_ms == 0 ? GAZER_WAIT_MIN_MS : *wait_ms * 2;
    if (*wait_ms > GAZER_WAIT_MAX_MS)
        *wait_ms = GAZER_WAIT_MAX_MS;
    if (self->dev_mode && refused) /* a demonstration's own index has not started yet */
        *wait_ms = GAZER_WAIT_DEV_MS;
    if (asked_s > 0 && asked_s * 1000 > *wait_ms)
        return asked_s > GAZER_WAIT_MAX_MS / 1000 ? GAZER_WAIT_MAX_MS : asked_s * 1000;
    return *wait_ms;
}

void gazer_tell_place(gazer *self, int64_t stored, int64_t seen, bool all)
{
    if (all)
        self->current_at = piw_time_now().us / 1000000;
    piw_msg *event = follower_at_make(stored, seen > stored ? seen : stored, self->current_at);
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

void gazer_cast(gazer *self, piw_msg **msg)
{
    if (piw_cast(self->task, msg) == 0)
        return;
    piw_warning("%s could not be sent: its service is away", piw_msg_type_of(*msg)->name);
    piw_msg_free(msg);
}

/* What is hidden is built no more, and its wheels are taken out of reach; what is shown comes back. Pages at once. */
static void spread_quarantine(gazer *self, const pypi_change *change)
{
    bool hidden = piw_text_is(change->change, "hidden");
    piw_warning("%s%s%s %s", change->package.s, change->version.s != NULL ? " " : "",
                change->version.s != NULL ? change->version.s : "",
                hidden ? "is hidden: PyPI has it quarantined, or shows it no more" : "is shown again");
    if (PIW_FAULT("gazer.spread"))
        piw_warning("fault point gazer.spread is armed");
    if (hidden) {
        piw_msg *removed = slaves_REMOVED_make(change->package, change->version, false);
        gazer_cast(self, &removed);
    }
    piw_msg *wheels = fs_WITHHELD_new();
    gazer_cast(self, &wheels);
    piw_msg *pages = web_BOTH_make(change->package, true);
    gazer_cast(self, &pages);
    if (change->version.s == NULL) {
        piw_msg *index = web_SEARCH_new();
        gazer_cast(self, &index);
    }
}

/* Mostly several changes of one package follow each other: its pages are asked for only once. */
void gazer_spread(gazer *self, const pypi_change *change, const pypi_change *before, bool describe)
{
    if (piw_text_is(change->change, "hidden") || piw_text_is(change->change, "shown")) {
        spread_quarantine(self, change);
        return;
    }
    if (piw_text_is(change->change, "wheels")) {
        gazer_describe(self->describer, change->package, false);
        return;
    }
    if (!piw_text_is(change->change, "deleted")) {
        if (before != NULL && piw_text_eq(before->package, change->package) &&
            piw_text_eq(before->change, change->change))
            return;
        piw_msg *pages = web_BOTH_make(change->package, false);
        gazer_cast(self, &pages);
        gazer_describe(self->describer, change->package,
                       describe &&
                           (piw_text_is(change->change, "new_package") || piw_text_is(change->change, "new_version")));
        return;
    }
    piw_msg *removed = slaves_REMOVED_make(change->package, change->version, false);
    gazer_cast(self, &removed);
    piw_msg *pages = change->version.s == NULL ? web_DELPKG_make(change->package)
                                               : web_DELVER_make(change->package, change->version);
    gazer_cast(self, &pages);
}
