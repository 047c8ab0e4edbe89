/* counts.c — what events tell, summed up. Lists have room from the beginning, so that texts are all that is added to the message. */
#include "counts.h"

#include "shared/text.h"

static const double build_bounds[] = {5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800};
static const double database_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const counts_bounds counts_of_builds = {build_bounds, PIW_COUNT(build_bounds)};
const counts_bounds counts_of_database = {database_bounds, PIW_COUNT(database_bounds)};

static metrics_state *of(piw_msg *counts)
{
    return piw_msg_any_body(counts);
}

static void begin_times(piw_msg *msg, metrics_times *times, const counts_bounds *bounds)
{
    piw_msg_list(msg, &times->counts, bounds->count + 1);
}

static void add_time(metrics_times *times, const counts_bounds *bounds, double seconds)
{
    uint32_t i = 0;
    while (i < bounds->count && seconds > bounds->at[i])
        i++;
    times->counts.at[i]++;
    times->seconds += seconds;
}

/* The place of an ABI, an outcome and a cause; there is one for all that come when no other is free. */
static metrics_builds *find_builds(piw_msg *msg, piw_text abi, piw_text outcome, piw_text cause)
{
    metrics_state *self = of(msg);
    metrics_builds *at = self->builds.at;
    for (uint32_t i = 0; i < self->builds.count; i++)
        if (piw_text_eq(at[i].abi, abi) && piw_text_eq(at[i].outcome, outcome) && piw_text_eq(at[i].cause, cause))
            return &at[i];
    if (self->builds.count == COUNTS_BUILDS_MAX)
        return &at[COUNTS_BUILDS_MAX - 1];
    metrics_builds *made = &at[self->builds.count++];
    bool last = self->builds.count == COUNTS_BUILDS_MAX;
    made->abi = last ? piw_text_of("other") : piw_text_copy(msg, abi);
    made->outcome = last ? piw_text_of("other") : piw_text_copy(msg, outcome);
    made->cause = last ? piw_text_of("other") : piw_text_copy(msg, cause);
    return made;
}

/* NULL: there is no more room. */
static metrics_times *find_times(piw_msg *msg, piw_text abi, piw_text outcome)
{
    metrics_state *self = of(msg);
    metrics_times *at = self->durations.at;
    for (uint32_t i = 0; i < self->durations.count; i++)
        if (piw_text_eq(at[i].abi, abi) && piw_text_eq(at[i].outcome, outcome))
            return &at[i];
    if (self->durations.count == COUNTS_DURATIONS_MAX)
        return NULL;
    metrics_times *made = &at[self->durations.count++];
    made->abi = piw_text_copy(msg, abi);
    made->outcome = piw_text_copy(msg, outcome);
    begin_times(msg, made, &counts_of_builds);
    return made;
}

void counts_attempt(piw_msg *counts, const attempt_over *event)
{
    find_builds(counts, event->abi_tag, event->outcome, event->cause)->count++;
    if (!piw_text_is(event->outcome, "built") && !piw_text_is(event->outcome, "failed"))
        return;
    metrics_times *times = find_times(counts, event->abi_tag, event->outcome);
    if (times != NULL)
        add_time(times, &counts_of_builds, (double)piw_duration_us(event->duration) / 1e6);
}

static void add_refused(piw_msg *msg, piw_text by, int64_t count)
{
    metrics_state *self = of(msg);
    uint32_t i = 0;
    while (i < self->refused.count && !piw_text_eq(self->refused.at[i].by, by))
        i++;
    if (i == COUNTS_REFUSED_MAX)
        return;
    if (i == self->refused.count)
        self->refused.at[self->refused.count++].by = piw_text_copy(msg, by);
    self->refused.at[i].count += count;
}

void counts_files(piw_msg *counts, const files_counted *event)
{
    of(counts)->transfers += event->transfers;
    of(counts)->bytes += event->bytes;
    for (uint32_t i = 0; i < event->refused.count; i++)
        add_refused(counts, event->refused.at[i].key, event->refused.at[i].value);
}

void counts_pages(piw_msg *counts, const pages_counted *event)
{
    of(counts)->pages_written += event->written;
    of(counts)->pages_failed += event->failed;
}

void counts_follower(piw_msg *counts, const follower_at *event)
{
    of(counts)->follower_applied = event->applied;
    of(counts)->follower_newest = event->newest;
    of(counts)->follower_current_at = event->current_at;
}

void counts_answer(piw_msg *counts, double seconds)
{
    add_time(&of(counts)->database, &counts_of_database, seconds);
}

/* --- An earlier one's ---------------------------------------------------------------------------------------------- */

/* With other bounds the counts would mean something else. */
static void load_times(metrics_times *to, const metrics_times *from)
{
    if (from->counts.count != to->counts.count)
        return;
    memcpy(to->counts.at, from->counts.at, from->counts.count * sizeof(*to->counts.at));
    to->seconds = from->seconds;
}

static void load(piw_msg *msg, const metrics_state *kept)
{
    metrics_state *self = of(msg);
    for (uint32_t i = 0; i < kept->builds.count; i++)
        find_builds(msg, kept->builds.at[i].abi, kept->builds.at[i].outcome, kept->builds.at[i].cause)->count +=
            kept->builds.at[i].count;
    for (uint32_t i = 0; i < kept->durations.count; i++) {
        metrics_times *times = find_times(msg, kept->durations.at[i].abi, kept->durations.at[i].outcome);
        if (times != NULL)
            load_times(times, &kept->durations.at[i]);
    }
    load_times(&self->database, &kept->database);
    for (uint32_t i = 0; i < kept->refused.count; i++)
        add_refused(msg, kept->refused.at[i].by, kept->refused.at[i].count);
    self->transfers = kept->transfers;
    self->bytes = kept->bytes;
    self->pages_written = kept->pages_written;
    self->pages_failed = kept->pages_failed;
    self->follower_applied = kept->follower_applied;
    self->follower_newest = kept->follower_newest;
    self->follower_current_at = kept->follower_current_at;
}

piw_msg *counts_new(const metrics_state *kept)
{
    metrics_state *self;
    piw_msg *msg = metrics_state_new(&self);
    piw_msg_list(msg, &self->builds, COUNTS_BUILDS_MAX);
    piw_msg_list(msg, &self->durations, COUNTS_DURATIONS_MAX);
    piw_msg_list(msg, &self->refused, COUNTS_REFUSED_MAX);
    self->builds.count = self->durations.count = self->refused.count = 0;
    self->database.abi = self->database.outcome = self->where = piw_msg_textz(msg, "");
    begin_times(msg, &self->database, &counts_of_database);
    if (kept != NULL)
        load(msg, kept);
    return msg;
}
