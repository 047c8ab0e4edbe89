/* figures.c — all that is known now as samples, but for the slaves (slaves.c). The names are the contract of docs/metrics.md:
 * every metric is named even when it has no sample, so that a dashboard can be checked. */
#include "figures.h"

#include "counts.h"
#include "db.piw.h"
#include "exposition.h"
#include "queues.h"
#include "slaves.h"
#include "stats.piw.h"
#include "tasks.piw.h"

/* --- Tasks --------------------------------------------------------------------------------------------------------- */

static const tasks_LIST_reply *tasks_of(const figures *self)
{
    return self->tasks != NULL ? tasks_LIST_reply_of(self->tasks) : NULL;
}

static bool is_up(const task_row *row)
{
    return piw_text_is(row->state, "running");
}

/* Integers of a row that are shown as they are. */
static const struct {
    const char *name, *type, *help;
    size_t place;
} task_figures[] = {
    {"piwheels_task_mailbox_messages", "gauge", "Messages that wait for a task.", offsetof(task_row, mailbox)},
    {"piwheels_task_handled_messages_total", "counter", "Messages that a task has handled.",
     offsetof(task_row, handled)},
    {"piwheels_task_errors_total", "counter", "Messages whose handler failed.", offsetof(task_row, errors)},
    {"piwheels_task_slow_handlers_total", "counter", "Handlers that took longer than they may.",
     offsetof(task_row, slow)},
    {"piwheels_task_dead_letters_total", "counter", "Messages that could not be delivered.",
     offsetof(task_row, dead_letters)},
    {"piwheels_task_unanswered_total", "counter", "Requests that a task left without an answer.",
     offsetof(task_row, unanswered)},
    {"piwheels_task_open_calls", "gauge", "Calls of a task that wait for their answer.",
     offsetof(task_row, calls_open)},
    {"piwheels_task_restarts_total", "counter", "How often a task began anew.", offsetof(task_row, restarts)},
    {"piwheels_task_swaps_total", "counter", "How often a task went over to another plugin.",
     offsetof(task_row, swaps)},
};

/* Microseconds that are shown as seconds. */
static const struct {
    const char *name, *help;
    size_t place;
} task_times[] = {
    {"piwheels_task_handler_p50_seconds", "Half of a task's handlers took at most so long.",
     offsetof(task_row, p50_us)},
    {"piwheels_task_handler_p99_seconds", "All but one in a hundred took at most so long.", offsetof(task_row, p99_us)},
    {"piwheels_task_swap_pause_seconds", "For how long a task paused in its last swap.", offsetof(task_row, pause_us)},
};

static int64_t integer_at(const task_row *row, size_t place)
{
    int64_t value;
    memcpy(&value, (const char *)row + place, sizeof(value));
    return value;
}

static void write_tasks(const figures *self, FILE *to)
{
    static const tasks_LIST_reply none = {0};
    const tasks_LIST_reply *list = tasks_of(self) != NULL ? tasks_of(self) : &none;
    const task_row *row = list->tasks.at;
    exposition_begin(to, "piwheels_task_up", "gauge", "Whether all instances of a task run.");
    for (uint32_t i = 0; i < list->tasks.count; i++)
        if (!piw_text_is(row[i].state, "disabled"))
            exposition_count(to, "piwheels_task_up", LABELS({"task", row[i].task}), is_up(&row[i]));
    for (size_t n = 0; n < PIW_COUNT(task_figures); n++) {
        exposition_begin(to, task_figures[n].name, task_figures[n].type, task_figures[n].help);
        for (uint32_t i = 0; i < list->tasks.count; i++)
            exposition_count(to, task_figures[n].name, LABELS({"task", row[i].task}),
                             integer_at(&row[i], task_figures[n].place));
    }
    exposition_begin(to, "piwheels_task_refused_messages_total", "counter",
                     "What came to a task's outer queues and was no message.");
    for (uint32_t i = 0; i < list->tasks.count; i++)
        exposition_count(to, "piwheels_task_refused_messages_total", LABELS({"task", row[i].task}),
                         row[i].refused != NULL ? *row[i].refused : 0);
    for (size_t n = 0; n < PIW_COUNT(task_times); n++) {
        exposition_begin(to, task_times[n].name, "gauge", task_times[n].help);
        for (uint32_t i = 0; i < list->tasks.count; i++)
            exposition_measure(to, task_times[n].name, LABELS({"task", row[i].task}),
                               (double)integer_at(&row[i], task_times[n].place) / 1e6);
    }
    exposition_begin(to, "piwheels_uptime_seconds", "gauge", "Since the master was started.");
    for (uint32_t i = 0; i < list->tasks.count; i++)
        if (piw_text_is(row[i].task, "admin")) /* the master's own, which nobody swaps */
            exposition_count(to, "piwheels_uptime_seconds", exposition_none, row[i].uptime_s);
}

/* --- Builds and files ------------------------------------------------------------------------------------------------ */

static void write_builds(const metrics_state *counts, const piw_views *views, FILE *to)
{
    exposition_begin(
        to, "piwheels_builds_total", "counter",
        "Builds that are over: built, failed, transient (failed because of their slave) or void, and why.");
    for (uint32_t i = 0; i < counts->builds.count; i++) {
        const metrics_builds *at = &counts->builds.at[i];
        exposition_count(to, "piwheels_builds_total",
                         LABELS({"outcome", at->outcome}, {"cause", at->cause}, queues_abi(views, at->abi),
                                queues_view(views, at->abi)),
                         at->count);
    }
    exposition_begin(to, "piwheels_build_duration_seconds", "histogram",
                     "How long recorded builds took on their slaves.");
    for (uint32_t i = 0; i < counts->durations.count; i++) {
        const metrics_times *at = &counts->durations.at[i];
        exposition_histogram(to, "piwheels_build_duration_seconds",
                             LABELS({"outcome", at->outcome}, queues_abi(views, at->abi), queues_view(views, at->abi)),
                             counts_of_builds.at, counts_of_builds.count, at->counts.at, at->seconds);
    }
}

static void write_one(FILE *to, const char *name, const char *type, const char *help, int64_t value)
{
    exposition_begin(to, name, type, help);
    exposition_count(to, name, exposition_none, value);
}

static void write_files(const metrics_state *counts, FILE *to)
{
    write_one(to, "piwheels_transfers_total", "counter", "Files that slaves and importers sent whole.",
              counts->transfers);
    write_one(to, "piwheels_transfer_bytes_total", "counter", "The bytes of these files.", counts->bytes);
    exposition_begin(to, "piwheels_refused_files_total", "counter",
                     "Files that the gate refused, by the check that did.");
    for (uint32_t i = 0; i < counts->refused.count; i++)
        exposition_count(to, "piwheels_refused_files_total", LABELS({"check", counts->refused.at[i].by}),
                         counts->refused.at[i].count);
    write_one(to, "piwheels_pages_written_total", "counter", "Packages whose pages were written.",
              counts->pages_written);
    write_one(to, "piwheels_page_failures_total", "counter", "Tries to write them that failed.", counts->pages_failed);
}

/* --- PyPI and the database --------------------------------------------------------------------------------------------- */

static void write_follower(const metrics_state *counts, FILE *to)
{
    int64_t now_s = piw_time_now().us / 1000000, at_s = counts->follower_current_at;
    exposition_begin(to, "piwheels_follower_serial", "gauge", "The serial of PyPI's log up to which all is applied.");
    if (counts->follower_applied != 0)
        exposition_count(to, "piwheels_follower_serial", exposition_none, counts->follower_applied);
    exposition_begin(to, "piwheels_follower_lag_serials", "gauge", "How far that is behind the newest serial seen.");
    if (counts->follower_newest != 0)
        exposition_count(to, "piwheels_follower_lag_serials", exposition_none,
                         counts->follower_newest - counts->follower_applied);
    exposition_begin(to, "piwheels_follower_lag_seconds", "gauge",
                     "Since all was applied that PyPI had to say and that was due.");
    if (at_s != 0)
        exposition_count(to, "piwheels_follower_lag_seconds", exposition_none, now_s > at_s ? now_s - at_s : 0);
}

static void write_queue_figure(const piw_views *views, const char *name, piw_text queue, int64_t value, FILE *to)
{
    exposition_count(to, name, LABELS(queues_abi(views, queue), queues_view(views, queue)), value);
}

static void write_database(const figures *self, const metrics_state *counts, FILE *to)
{
    write_one(to, "piwheels_database_up", "gauge", "Whether the database answers.", self->database_up);
    exposition_begin(to, "piwheels_database_answer_seconds", "histogram",
                     "How long a question to the database takes until its answer is here.");
    exposition_histogram(to, "piwheels_database_answer_seconds", exposition_none, counts_of_database.at,
                         counts_of_database.count, counts->database.counts.at, counts->database.seconds);
    exposition_begin(to, "piwheels_queue_oldest_seconds", "gauge",
                     "The age of the oldest release that waits to be built.");
    const db_QUEUE_AGES_reply *ages = self->ages != NULL ? db_QUEUE_AGES_reply_of(self->ages) : NULL;
    for (uint32_t i = 0; ages != NULL && i < ages->ages.count; i++)
        write_queue_figure(&self->views, "piwheels_queue_oldest_seconds", ages->ages.at[i].key, ages->ages.at[i].value,
                           to);
}

/* --- The farm ------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *help;
    size_t place;
} farm_figures[] = {
    {"piwheels_packages", "Packages that have wheels.", offsetof(master_stats, packages_built)},
    {"piwheels_files", "Wheels on the site.", offsetof(master_stats, files_count)},
    {"piwheels_files_bytes", "The bytes of these wheels.", offsetof(master_stats, builds_size)},
    {"piwheels_new_versions_last_hour", "Versions that PyPI released in the last hour.",
     offsetof(master_stats, new_last_hour)},
    {"piwheels_downloads_last_hour", "Downloads of the last hour.", offsetof(master_stats, downloads_last_hour)},
    {"piwheels_downloads_last_month", "Downloads of the last 30 days.", offsetof(master_stats, downloads_last_month)},
    {"piwheels_disk_size_bytes", "Of the file system that the site is on.", offsetof(master_stats, disk_size)},
    {"piwheels_disk_free_bytes", "What is free of it.", offsetof(master_stats, disk_free)},
    {"piwheels_memory_size_bytes", "Of the master's machine.", offsetof(master_stats, mem_size)},
    {"piwheels_memory_free_bytes", "What is free of it.", offsetof(master_stats, mem_free)},
};

static void write_queues(const master_stats *stats, const piw_views *views, FILE *to)
{
    exposition_begin(to, "piwheels_queue_builds", "gauge", "Versions that wait to be built.");
    for (uint32_t i = 0; i < stats->builds_pending.count; i++)
        write_queue_figure(views, "piwheels_queue_builds", stats->builds_pending.at[i].key,
                           stats->builds_pending.at[i].value, to);
    exposition_begin(to, "piwheels_builds_last_hour", "gauge", "Builds recorded in the last hour.");
    for (uint32_t i = 0; i < stats->builds_last_hour.count; i++)
        write_queue_figure(views, "piwheels_builds_last_hour", stats->builds_last_hour.at[i].key,
                           stats->builds_last_hour.at[i].value, to);
}

static void write_farm(const stats_FIGURES_reply *known, const piw_views *views, FILE *to)
{
    static const stats_FIGURES_reply none = {0};
    const stats_FIGURES_reply *farm = known != NULL ? known : &none;
    const master_stats *stats = &farm->farm;
    for (size_t n = 0; n < PIW_COUNT(farm_figures); n++) {
        int64_t value;
        exposition_begin(to, farm_figures[n].name, "gauge", farm_figures[n].help);
        memcpy(&value, (const char *)stats + farm_figures[n].place, sizeof(value));
        if (known != NULL)
            exposition_count(to, farm_figures[n].name, exposition_none, value);
    }
    exposition_begin(to, "piwheels_temperature_celsius", "gauge", "Of the master's processor.");
    if (known != NULL)
        exposition_measure(to, "piwheels_temperature_celsius", exposition_none, stats->cpu_temp);
    exposition_begin(to, "piwheels_load", "gauge", "The load average of the master's machine.");
    if (known != NULL)
        exposition_measure(to, "piwheels_load", exposition_none, stats->load_average);
    exposition_begin(to, "piwheels_paused", "gauge",
                     "Whether no builds are given out: by an operator, disk full, site away.");
    if (known != NULL)
        exposition_count(to, "piwheels_paused", exposition_none, farm->paused);
    exposition_begin(to, "piwheels_site_away", "gauge", "Whether the output folder isn't the farm's site.");
    if (known != NULL)
        exposition_count(to, "piwheels_site_away", exposition_none, farm->site_away);
    write_queues(stats, views, to);
}

void figures_write(const figures *self, FILE *to)
{
    const metrics_state *counts = metrics_state_of(self->counts);
    const stats_FIGURES_reply *farm = self->farm != NULL ? stats_FIGURES_reply_of(self->farm) : NULL;
    write_builds(counts, &self->views, to);
    write_files(counts, to);
    write_follower(counts, to);
    write_database(self, counts, to);
    write_farm(farm, &self->views, to);
    slaves_write(farm, &self->views, self->slaves_max, to);
    write_tasks(self, to);
}

/* --- Health -------------------------------------------------------------------------------------------------------------- */

void figures_write_ill(const figures *self, int64_t stale_ns, FILE *to)
{
    const tasks_LIST_reply *list = tasks_of(self);
    if (self->tasks_ns < stale_ns)
        fputs("the master doesn't say how its tasks are\n", to);
    for (uint32_t i = 0; list != NULL && i < list->tasks.count; i++)
        if (piw_text_is(list->tasks.at[i].state, "stuck"))
            fprintf(to, "task %s is stuck\n", list->tasks.at[i].task.s);
}

void figures_write_unready(const figures *self, int64_t stale_ns, FILE *to)
{
    const tasks_LIST_reply *list = tasks_of(self);
    const stats_FIGURES_reply *farm = self->farm != NULL ? stats_FIGURES_reply_of(self->farm) : NULL;
    if (self->tasks_ns < stale_ns)
        fputs("the master doesn't say how its tasks are\n", to);
    for (uint32_t i = 0; list != NULL && i < list->tasks.count; i++) {
        const task_row *row = &list->tasks.at[i];
        if (!is_up(row) && !piw_text_is(row->state, "disabled"))
            fprintf(to, "task %s is %s\n", row->task.s, row->state.s);
    }
    if (!self->database_up)
        fputs("the database doesn't answer\n", to);
    if (farm == NULL)
        fputs("big_brother doesn't say how the farm is\n", to);
    else if (farm->site_away)
        fputs("the output folder isn't the farm's site\n", to);
    else if (farm->paused)
        fputs("the farm is paused\n", to);
}
