/* admin_look.c — the tasks as rows for piw-ctl. Nothing here waits for a task. */
#include "runtime/admin.h"

#include <stdio.h>

enum { LINES_MAX = 2000, DUMP_ALL = 16, ROWS_MAX = 1000 };

/* What changes with the task, as it is at one moment. */
struct view {
    const char *plugin;
    const piw__image *image;
    const piw__options *options;
    bool enabled, builtin;
    unsigned images;
};

static struct view look(piw_runtime *runtime, const piw__role *role)
{
    pthread_mutex_lock(&runtime->look);
    struct view view = {.plugin = role->plugin,
                        .image = role->image,
                        .options = role->options,
                        .enabled = role->enabled,
                        .builtin = role == runtime->admin_role,
                        .images = role->seen_count};
    pthread_mutex_unlock(&runtime->look);
    return view;
}

/* --- One row
 * --------------------------------------------------------------------------------------------------------- */

/* The worst that is true of any instance. */
static const char *state_of(const piw__role *role, bool enabled)
{
    static const char *const names[] = {"running", "starting", "stopped", "held", "failed", "stuck"};
    unsigned worst = 0;
    for (unsigned n = 0; n < role->instances; n++) {
        const piw__shell *shell = role->shells[n];
        int state = atomic_load_explicit(&shell->seen.figures.state, memory_order_relaxed);
        unsigned is = state == PIW__RUNNING ? 0 : state == PIW__STARTING ? 1 : state == PIW__FAILED ? 4 : 2;
        if (atomic_load_explicit(&shell->seen.on_hold, memory_order_relaxed))
            is = 3;
        if (piw__seen_stuck(&shell->seen))
            is = 5;
        worst = is > worst ? is : worst;
    }
    return enabled ? names[worst] : "disabled";
}

/* Another task's mailbox is so full that this one's ports are no longer read. */
static const char *muted_by(const piw_runtime *runtime, const piw__shell *shell)
{
    for (size_t i = 0; i < runtime->roles_count; i++)
        for (unsigned n = 0; n < runtime->roles[i]->instances; n++)
            if (piw__mailbox_mutes(&runtime->roles[i]->shells[n]->mailbox, &shell->mailbox))
                return runtime->roles[i]->shells[n]->name;
    return NULL;
}

/* The worst first. */
static piw_text note_of(piw_msg *msg, const piw_runtime *runtime, const piw__role *role)
{
    for (unsigned n = 0; n < role->instances; n++) {
        piw__shell *shell = role->shells[n];
        const char *what = atomic_load_explicit(&shell->seen.busy_in, memory_order_relaxed);
        int64_t since_ns = piw__seen_long_ns(&shell->seen);
        if (since_ns != 0 && what != NULL)
            return piw_msg_printf(msg, "%s has been in %s for %lld s", shell->name, what,
                                  (long long)(piw_monotonic_ns() - since_ns) / 1000000000);
        char failure[PIW__SHOWN];
        piw__shown(shell, shell->seen.failure, failure);
        if (failure[0] != 0)
            return piw_msg_textz(msg, failure);
        const char *by = shell->queues.count > 0 ? muted_by(runtime, shell) : NULL;
        if (by != NULL)
            return piw_msg_printf(msg, "its queues rest: %s has too much to do", by);
    }
    /* Nothing is wrong: their own figures are shown. */
    for (unsigned n = 0; n < role->instances; n++) {
        char note[PIW__SHOWN];
        piw__shown(role->shells[n], role->shells[n]->seen.note, note);
        if (note[0] != 0)
            return piw_msg_textz(msg, note);
    }
    return piw_msg_textz(msg, "");
}

static uint64_t value(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static void add_instance(task_row *row, piw__shell *shell, uint64_t *times, uint64_t *recent, int64_t *left,
                         int64_t *refused)
{
    const piw__figures *own = &shell->seen.figures;
    row->restarts += (int64_t)value(&own->restarts);
    row->swaps += (int64_t)value(&own->swaps);
    row->handled += (int64_t)value(&own->handled);
    row->errors += (int64_t)value(&own->errors);
    row->slow += (int64_t)value(&own->slow);
    row->dead_letters += (int64_t)value(&own->dead_letters);
    row->unanswered += (int64_t)value(&own->unanswered);
    row->calls_open += (int64_t)value(&own->calls_open);
    row->deferred += (int64_t)value(&own->deferred);
    row->mailbox += piw__mailbox_depth(&shell->mailbox);
    *left += (int64_t)value(&own->left_behind);
    *refused += (int64_t)value(&own->refused);
    row->rate += (double)value(&shell->seen.rate_milli) / 1000;
    int64_t pause_us = (int64_t)(value(&own->pause_last_ns) / 1000);
    row->pause_us = pause_us > row->pause_us ? pause_us : row->pause_us;
    int64_t since_ns = atomic_load_explicit(&shell->seen.since_ns, memory_order_relaxed);
    int64_t up_s = since_ns != 0 ? (piw_monotonic_ns() - since_ns) / 1000000000 : 0;
    if (shell->instance == 0 || up_s < row->uptime_s)
        row->uptime_s = up_s;
    piw__times_sum(&shell->soul.times, times);
    piw__times_sum(&shell->soul.recent, recent);
}

static void fill(piw_msg *msg, task_row *row, piw_runtime *runtime, const piw__role *role)
{
    struct view view = look(runtime, role);
    const piw_plugin *plugin = view.image != NULL ? view.image->plugin : NULL;
    row->task = piw_msg_printf(msg, "%.64s", role->name);
    row->plugin = piw_msg_printf(msg, "%.64s", plugin != NULL ? plugin->name : "");
    row->version = piw_msg_printf(msg, "%.64s", plugin != NULL && plugin->version != NULL ? plugin->version : "");
    row->file = piw_msg_printf(msg, "%.4000s", view.builtin ? "" : view.plugin);
    row->state = piw_msg_textz(msg, state_of(role, view.enabled));
    row->note = note_of(msg, runtime, role);
    row->isolated = role->isolate;
    row->instances = role->instances;
    row->images = view.images;
    uint64_t times[PIW__TIMES_STEPS] = {0}, recent[PIW__TIMES_STEPS] = {0};
    int64_t *left = piw_msg_alloc(msg, sizeof(*left)), *refused = piw_msg_alloc(msg, sizeof(*refused));
    task_recent *since = piw_msg_alloc(msg, sizeof(*since));
    row->left_behind = left;
    row->refused = refused;
    row->recent = since;
    for (unsigned n = 0; n < role->instances; n++)
        add_instance(row, role->shells[n], times, recent, left, refused);
    for (unsigned i = 0; i < PIW__TIMES_STEPS; i++)
        since->timed += (int64_t)recent[i];
    since->p99_us = (int64_t)((piw__times_percentile(recent, 99) + 999) / 1000);
    row->p50_us = (int64_t)((piw__times_percentile(times, 50) + 999) / 1000);
    row->p99_us = (int64_t)((piw__times_percentile(times, 99) + 999) / 1000);
}

static size_t rows_count(const piw_runtime *runtime)
{
    return runtime->roles_count < ROWS_MAX ? runtime->roles_count : ROWS_MAX;
}

piw_msg *piw__admin_tasks(piw_runtime *runtime)
{
    admin_TASKS *body;
    piw_msg *msg = admin_TASKS_new(&body);
    piw_msg_list(msg, &body->tasks, rows_count(runtime));
    for (size_t i = 0; i < body->tasks.count; i++)
        fill(msg, &body->tasks.at[i], runtime, runtime->roles[i]);
    return msg;
}

piw_msg *piw__admin_tasks_reply(piw_runtime *runtime)
{
    tasks_LIST_reply *body;
    piw_msg *msg = tasks_LIST_reply_new(&body);
    piw_msg_list(msg, &body->tasks, rows_count(runtime));
    for (size_t i = 0; i < body->tasks.count; i++)
        fill(msg, &body->tasks.at[i], runtime, runtime->roles[i]);
    return msg;
}

/* --- One task, whole
 * ------------------------------------------------------------------------------------------------- */

enum { SERVICES_MAX = 100 };

static uint32_t count_services(const piw_service *list)
{
    uint32_t count = 0;
    while (list != NULL && list[count].name != NULL && count < SERVICES_MAX)
        count++;
    return count;
}

static const char *address_of(const piw_runtime *runtime, const char *queue)
{
    for (size_t i = 0; i < runtime->hub.queues_count; i++)
        if (strcmp(runtime->hub.queue_names[i], queue) == 0)
            return runtime->hub.queue_addresses[i];
    return "";
}

static void fill_services(piw_msg *msg, admin_TASK *body, piw_runtime *runtime, const piw_plugin *plugin)
{
    piw_msg_list(msg, &body->serves, count_services(plugin->serves));
    for (uint32_t i = 0; i < body->serves.count; i++)
        body->serves.at[i] = (task_service){piw_msg_printf(msg, "%.64s", plugin->serves[i].name),
                                            piw_msg_printf(msg, "%.64s", plugin->serves[i].protocol->interned->name),
                                            piw_msg_textz(msg, "")};
    piw_msg_list(msg, &body->uses, count_services(plugin->uses));
    for (uint32_t i = 0; i < body->uses.count; i++) {
        const piw__service *service = piw__registry_find(&runtime->hub.registry, plugin->uses[i].name);
        body->uses.at[i] = (task_service){piw_msg_printf(msg, "%.64s", plugin->uses[i].name),
                                          piw_msg_printf(msg, "%.64s", plugin->uses[i].protocol->interned->name),
                                          piw_msg_printf(msg, "%.64s", service != NULL ? service->role->name : "")};
    }
    piw_msg_list(msg, &body->queues, count_services(plugin->queues));
    for (uint32_t i = 0; i < body->queues.count; i++)
        body->queues.at[i] = (task_service){piw_msg_printf(msg, "%.64s", plugin->queues[i].name),
                                            piw_msg_printf(msg, "%.64s", plugin->queues[i].protocol->interned->name),
                                            piw_msg_printf(msg, "%.64s", address_of(runtime, plugin->queues[i].name))};
    uint32_t needs = 0;
    while (plugin->needs != NULL && plugin->needs[needs] != NULL && needs < SERVICES_MAX)
        needs++;
    piw_msg_list(msg, &body->needs, needs);
    for (uint32_t i = 0; i < needs; i++)
        body->needs.at[i] = piw_msg_printf(msg, "%.64s", plugin->needs[i]);
}

static void fill_messages(piw_msg *msg, admin_TASK *body, const piw_plugin *plugin)
{
    uint32_t count = 0;
    while (plugin->handlers != NULL && plugin->handlers[count].protocol != NULL && count < 1000)
        count++;
    piw_msg_list(msg, &body->messages, count);
    for (uint32_t i = 0; i < count; i++) {
        const piw_handler *handler = &plugin->handlers[i];
        const piw_protocol *protocol = handler->protocol->interned;
        body->messages.at[i] =
            piw_msg_printf(msg, "%.90s.%.90s", protocol->name,
                           handler->message == PIW_EVERY_MESSAGE ? "*" : protocol->messages[handler->message].name);
    }
}

static const char *origin_of(const piw__options *options, const char *name)
{
    const char *origin = piw__option_origin(options, name);
    return origin != NULL ? origin : "default";
}

static void fill_options(piw_msg *msg, admin_TASK *body, const piw_plugin *plugin, const piw__options *options)
{
    uint32_t count = 0;
    while (plugin->options != NULL && plugin->options[count].name != NULL && count < 100)
        count++;
    piw_msg_list(msg, &body->options, count);
    for (uint32_t i = 0; i < count; i++) {
        const piw_opt *option = &plugin->options[i];
        const char *text = piw__option_value(options, option->name);
        if (text == NULL)
            text = option->fallback != NULL ? option->fallback : "";
        body->options.at[i] =
            (task_option){piw_msg_printf(msg, "%.64s", option->name), piw_msg_printf(msg, "%.4000s", text),
                          piw_msg_printf(msg, "%.900s", option->help != NULL ? option->help : ""),
                          piw_msg_printf(msg, "%.4000s", origin_of(options, option->name))};
    }
}

piw_msg *piw__admin_task(piw_runtime *runtime, const char *name)
{
    const piw__role *role = piw__runtime_role(runtime, name);
    if (role == NULL)
        return NULL;
    admin_TASK *body;
    piw_msg *msg = admin_TASK_new(&body);
    fill(msg, &body->row, runtime, role);
    struct view view = look(runtime, role);
    const piw_plugin *plugin = view.image != NULL ? view.image->plugin : NULL;
    body->summary = piw_msg_printf(msg, "%.900s", plugin != NULL && plugin->summary != NULL ? plugin->summary : "");
    if (plugin != NULL) {
        fill_services(msg, body, runtime, plugin);
        fill_messages(msg, body, plugin);
        fill_options(msg, body, plugin, view.options);
    }
    return msg;
}

/* --- Lines
 * ----------------------------------------------------------------------------------------------------------- */

void piw__lines_init(piw__lines *lines)
{
    lines->msg = admin_LINES_new(&lines->body);
    lines->body->lines.at = piw_msg_alloc(lines->msg, LINES_MAX * sizeof(*lines->body->lines.at));
}

void piw__lines_add(void *lines_, const char *line)
{
    piw__lines *lines = lines_;
    if (lines->body->lines.count < LINES_MAX)
        lines->body->lines.at[lines->body->lines.count++] = piw_msg_printf(lines->msg, "%.4000s", line);
}

piw_msg *piw__admin_dump(piw_runtime *runtime, const char *name)
{
    const piw__role *only = name[0] != 0 ? piw__runtime_role(runtime, name) : NULL;
    if (name[0] != 0 && only == NULL)
        return NULL;
    piw__lines lines;
    piw__lines_init(&lines);
    for (size_t i = 0; i < runtime->roles_count; i++) {
        const piw__role *role = runtime->roles[i];
        for (unsigned n = 0; n < role->instances && (only == NULL || only == role); n++)
            piw__recorder_each(&role->shells[n]->seen.recorder, role->shells[n]->name,
                               only != NULL ? PIW_LIMIT_RECORDER / role->instances * 2 : DUMP_ALL, piw__lines_add,
                               &lines);
    }
    return lines.msg;
}

piw_msg *piw__admin_limits(void)
{
    static const struct {
        const char *name, *reason;
        int64_t value;
    } limits[] = {
#define LIMIT_ROW(name, value, reason) {#name, reason, (value)},
        PIW_LIMITS(LIMIT_ROW)
#undef LIMIT_ROW
    };
    admin_SETTINGS *body;
    piw_msg *msg = admin_SETTINGS_new(&body);
    piw_msg_list(msg, &body->settings, PIW_COUNT(limits));
    for (size_t i = 0; i < PIW_COUNT(limits); i++)
        body->settings.at[i] =
            (setting){piw_msg_textz(msg, limits[i].name + strlen("PIW_LIMIT_")),
                      piw_msg_printf(msg, "%lld", (long long)limits[i].value), piw_msg_textz(msg, limits[i].reason)};
    return msg;
}
