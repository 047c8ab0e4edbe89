/* progress.c — how far the first catching up with PyPI's log is: on the log now and then, and beside the task in
 * `piw-ctl list`. PyPI doesn't say how many events are to come: what is left is reckoned from the time between the last
 * applied event and now. */
#include "cloud_gazer/gazer.h"
#include "piw/limits.h"
#include "shared/text.h"

#include <stdio.h>

static const int64_t SECOND_NS = 1000000000;

void gazer_begin_progress(gazer *self)
{
    self->progress = gazer_order_progress(self->order);
    self->begun_ns = self->progress_ns = piw_monotonic_ns();
}

/* "2 h 05 min left", as long as PyPI's events come as densely as those since the last line. */
static void print_left(const gazer *self, gazer_progress now, double seconds, char *to, size_t size)
{
    double passed_s = (double)(now.applied_s - self->progress.applied_s);
    int64_t behind_s = piw_time_now().us / 1000000 - now.applied_s;
    double left_s = (double)behind_s * seconds / passed_s;
    if (self->progress.applied_s == 0 || passed_s <= 0 || left_s > 1e9) {
        snprintf(to, size, "time left unknown");
        return;
    }
    int64_t minutes = left_s < 0 ? 0 : (int64_t)(left_s / 60);
    snprintf(to, size, "about %lld h %02lld min left", (long long)(minutes / 60), (long long)(minutes % 60));
}

/* "12 % done, ": of the time from the first event to now. */
static void print_place(const gazer *self, gazer_progress now, char *to, size_t size)
{
    int64_t all_s = piw_time_now().us / 1000000 - self->first_s, done_s = now.applied_s - self->first_s;
    to[0] = '\0';
    if (self->first_s != 0 && all_s > 0 && done_s >= 0)
        snprintf(to, size, "%d %% done, ", (int)(done_s < all_s ? done_s * 100 / all_s : 100));
}

void gazer_say_progress(gazer *self)
{
    int64_t now_ns = piw_monotonic_ns();
    gazer_progress now = gazer_order_progress(self->order);
    gazer_tell_place(self, now.stored, now.serial, false);
    if (self->progress.applied_s == 0) /* where the log begins for us */
        self->progress.applied_s = now.applied_s;
    if (self->first_s == 0)
        self->first_s = now.applied_s;
    if (self->was_caught_up || now_ns == self->progress_ns)
        return;
    double seconds = (double)(now_ns - self->progress_ns) / (double)SECOND_NS;
    char left[64], date[32] = "unknown time", place[32], line[PIW_LIMIT_NOTE + 1];
    print_place(self, now, place, sizeof(place));
    print_left(self, now, seconds, left, sizeof(left));
    if (now.applied_s != 0)
        piw_time_print((piw_time){now.applied_s * 1000000, 0}, date, sizeof(date));
    snprintf(line, sizeof(line), "%s%llu events applied, %.0f a second, %s; at serial %lld of %s, %zu wait", place,
             (unsigned long long)now.applied, (double)(now.applied - self->progress.applied) / seconds, left,
             (long long)now.serial, date, now.waiting);
    piw_task_note(self->task, "%s", line);
    if (now_ns - self->progress_ns < (int64_t)GAZER_PROGRESS_MS * 1000000)
        return;
    piw_info("catching up with PyPI: %s", line);
    self->progress = now;
    self->progress_ns = now_ns;
}

void gazer_say_caught_up(gazer *self)
{
    if (self->was_caught_up)
        return;
    self->was_caught_up = true;
    gazer_progress now = gazer_order_progress(self->order);
    piw_task_note(self->task, "%s", "");
    piw_info("PyPI's log is followed to its end: %llu events applied in %.0f s", (unsigned long long)now.applied,
             (double)(piw_monotonic_ns() - self->begun_ns) / (double)SECOND_NS);
}
