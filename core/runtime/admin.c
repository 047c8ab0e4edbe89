/* admin.c — the task "admin": piw-ctl's requests, answered on a thread that may wait for the tasks it changes. It is
 * compiled in, starts first and stops last, so that the operator can look while others start. */
#include "runtime/admin.h"
#include "orders.piw.h"

#include <stdio.h>

static piw_runtime *runtime_of(const piw_task *task)
{
    return task->shell->role->runtime;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task, (void)why, (void)state, (void)err;
    return 0;
}

/* --- Answers --------------------------------------------------------------------------------------------------------- */

static int done(piw_task *task, piw_msg *msg, const char *fmt, ...) PIW_PRINTF(3, 4);
static int done(piw_task *task, piw_msg *msg, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    piw_info("%s", text);
    piw_msg *answer = admin_DONE_make(piw_text_of(text));
    return piw_reply(task, msg, &answer);
}

static int refuse(piw_task *task, piw_msg *msg, const piw_err *err)
{
    piw_info("refused: %s", err->text);
    return piw_refuse(task, msg, err->code, "%s", err->text);
}

/* `answer` or, when that is NULL, that there is no such task. */
static int give(piw_task *task, piw_msg *msg, piw_msg *answer, const char *name)
{
    if (answer == NULL)
        return piw_refuse(task, msg, PIW_ENOENT, "there is no task %s", name);
    return piw_reply(task, msg, &answer);
}

/* --- Looking --------------------------------------------------------------------------------------------------------- */

static int on_list(piw_task *task, piw_msg *msg)
{
    return give(task, msg, piw__admin_tasks(runtime_of(task)), "");
}

/* For a task. */
static int on_tasks(piw_task *task, piw_msg *msg)
{
    return give(task, msg, piw__admin_tasks_reply(runtime_of(task)), "");
}

static int on_info(piw_task *task, piw_msg *msg)
{
    const char *name = admin_INFO_of(msg)->task.s;
    return give(task, msg, piw__admin_task(runtime_of(task), name), name);
}

static int on_dump(piw_task *task, piw_msg *msg)
{
    const char *name = admin_DUMP_of(msg)->task.s;
    return give(task, msg, piw__admin_dump(runtime_of(task), name), name);
}

static int on_limits(piw_task *task, piw_msg *msg)
{
    return give(task, msg, piw__admin_limits(), "");
}

struct settings {
    piw_msg *msg;
    admin_SETTINGS *body;
};

enum { SETTINGS_MAX = 1000 };

static void add_setting(void *to, const char *name, const char *value, const char *origin)
{
    struct settings *made = to;
    if (made->body->settings.count == SETTINGS_MAX)
        return;
    made->body->settings.at[made->body->settings.count++] =
        (setting){piw_msg_printf(made->msg, "%.200s", name), piw_msg_printf(made->msg, "%.4000s", value),
                  piw_msg_printf(made->msg, "%.4000s", origin)};
}

static int on_config(piw_task *task, piw_msg *msg)
{
    const piw_admin_hooks *hooks = &runtime_of(task)->hooks;
    struct settings made;
    made.msg = admin_SETTINGS_new(&made.body);
    made.body->settings.at = piw_msg_alloc(made.msg, SETTINGS_MAX * sizeof(*made.body->settings.at));
    if (hooks->settings != NULL)
        hooks->settings(hooks->arg, add_setting, &made);
    piw__admin_settings(runtime_of(task), add_setting, &made);
    return piw_reply(task, msg, &made.msg);
}

/* --- Changing -------------------------------------------------------------------------------------------------------- */

static int on_enable(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const char *name = admin_ENABLE_of(msg)->task.s;
    if (piw_runtime_enable(runtime_of(task), name, &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "task %s is enabled", name);
}

static int on_disable(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const admin_DISABLE *body = admin_DISABLE_of(msg);
    if (piw_runtime_disable(runtime_of(task), body->task.s, body->force, &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "task %s is disabled", body->task.s);
}

static int replaced(piw_task *task, piw_msg *msg, const char *name, const char *what)
{
    piw_task_figures figures = {0};
    piw_runtime_figures(runtime_of(task), name, 0, &figures);
    return done(task, msg, "task %s is %s, version %s; the pause was %.1f ms", name, what, figures.version,
                (double)figures.swap_pause_ns_last / 1e6);
}

static int on_replace(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const admin_REPLACE *body = admin_REPLACE_of(msg);
    piw_runtime *runtime = runtime_of(task);
    int ret = body->fresh ? piw_runtime_replace_fresh(runtime, body->task.s, body->file.s, &err)
                          : piw_runtime_replace(runtime, body->task.s, body->file.s, &err);
    if (ret != 0)
        return refuse(task, msg, &err);
    char what[400];
    snprintf(what, sizeof(what), "replaced by %.300s", body->file.s);
    if (body->fresh)
        return done(task, msg, "task %s is %s and began anew", body->task.s, what);
    return replaced(task, msg, body->task.s, what);
}

static int on_reload(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const char *name = admin_RELOAD_of(msg)->task.s;
    if (piw_runtime_replace(runtime_of(task), name, NULL, &err) != 0)
        return refuse(task, msg, &err);
    return replaced(task, msg, name, "reloaded");
}

static int on_restart(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const char *name = admin_RESTART_of(msg)->task.s;
    if (piw_runtime_restart(runtime_of(task), name, &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "task %s is restarted", name);
}

static int hold(piw_task *task, piw_msg *msg, const char *name, bool on)
{
    piw_err err = {0};
    if (piw_runtime_hold(runtime_of(task), name, on, &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "task %s is %s", name, on ? "on hold: its messages wait until it is released" : "released");
}

static int on_hold(piw_task *task, piw_msg *msg)
{
    return hold(task, msg, admin_HOLD_of(msg)->task.s, true);
}

static int on_release(piw_task *task, piw_msg *msg)
{
    return hold(task, msg, admin_RELEASE_of(msg)->task.s, false);
}

/* --- Debug and trace ------------------------------------------------------------------------------------------------- */

static int on_debug(piw_task *task, piw_msg *msg)
{
    const admin_DEBUG *body = admin_DEBUG_of(msg);
    if (piw__runtime_role(runtime_of(task), body->task.s) == NULL)
        return give(task, msg, NULL, body->task.s);
    char one[96], each[96];
    snprintf(one, sizeof(one), "master.%.64s", body->task.s);
    snprintf(each, sizeof(each), "master.%.64s.*", body->task.s);
    if (piw_log_debug_task(one, body->on) != 0 || piw_log_debug_task(each, body->on) != 0)
        return piw_refuse(task, msg, PIW_ELIMIT, "too many tasks are debugged already: switch one off");
    return done(task, msg, "the debug log of task %s is %s", body->task.s, body->on ? "on" : "off");
}

static int on_trace(piw_task *task, piw_msg *msg)
{
    const admin_TRACE *body = admin_TRACE_of(msg);
    piw__role *role = piw__runtime_role(runtime_of(task), body->task.s);
    if (role == NULL)
        return give(task, msg, NULL, body->task.s);
    if (role == runtime_of(task)->admin_role)
        return piw_refuse(task, msg, PIW_EREFUSED, "task %s can't be traced: its messages are the trace", body->task.s);
    if (body->after < 0)
        return piw_refuse(task, msg, PIW_EINVAL, "a trace begins at number 0");
    piw__lines lines;
    uint64_t lost;
    piw__lines_init(&lines);
    piw__trace_on(role, body->match.s);
    uint64_t next = piw__trace_read(role, (uint64_t)body->after, body->match.s, piw__lines_add, &lines, &lost);
    if (lost > 0) {
        char text[100];
        snprintf(text, sizeof(text), "(%llu lines came too fast to be kept)", (unsigned long long)lost);
        piw__lines_add(&lines, text);
    }
    lines.body->next = (int64_t)next;
    return piw_reply(task, msg, &lines.msg);
}

static int on_untrace(piw_task *task, piw_msg *msg)
{
    const char *name = admin_UNTRACE_of(msg)->task.s;
    piw__role *role = piw__runtime_role(runtime_of(task), name);
    if (role == NULL)
        return give(task, msg, NULL, name);
    piw__trace_off(role);
    piw_msg *answer = admin_DONE_make(piw_text_of("the trace has ended"));
    return piw_reply(task, msg, &answer);
}

/* --- Recordings ------------------------------------------------------------------------------------------------------ */

static int on_record(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    const admin_RECORD *body = admin_RECORD_of(msg);
    if (body->for_ms < 0 || body->max < 0)
        return piw_refuse(task, msg, PIW_EINVAL, "a recording has no such bounds");
    if (piw_runtime_record(runtime_of(task), body->task.s, body->file.s, (uint64_t)body->max, body->for_ms, &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "task %s is recorded in %.900s", body->task.s, body->file.s);
}

static int on_unrecord(piw_task *task, piw_msg *msg)
{
    piw_err err = {0};
    char said[PIW_LIMIT_NOTE + PIW_ERR_TEXT];
    const char *name = admin_UNRECORD_of(msg)->task.s;
    if (piw_runtime_record_end(runtime_of(task), name, said, sizeof(said), &err) != 0)
        return refuse(task, msg, &err);
    return done(task, msg, "the recording of %s: %.900s", name, said);
}

/* --- The whole ------------------------------------------------------------------------------------------------------- */

static int pause_all(piw_task *task, piw_msg *msg, bool on)
{
    const piw_admin_hooks *hooks = &runtime_of(task)->hooks;
    piw_err err = {0};
    char text[300];
    int ret = hooks->pause != NULL ? hooks->pause(hooks->arg, on, text, sizeof(text), &err)
                                   : piw_err_set(&err, PIW_EREFUSED, "no task of this master can be paused");
    return ret != 0 ? refuse(task, msg, &err) : done(task, msg, "%s", text);
}

static int on_pause(piw_task *task, piw_msg *msg)
{
    return pause_all(task, msg, true);
}

static int on_wake(piw_task *task, piw_msg *msg)
{
    return pause_all(task, msg, false);
}

/* --- Commands to single tasks ------------------------------------------------------------------------------------- */

/* A task answers a command at once, or after what it asks of others. */
enum { COMMAND_MS = 20000 };

static piw_msg *command_of(const admin_ASK *body)
{
    orders_ORDER *command = NULL;
    piw_msg *msg = orders_ORDER_new(&command);
    command->word = piw_msg_text(msg, body->word.s, body->word.len);
    piw_msg_list(msg, &command->args, body->args.count);
    for (uint32_t i = 0; i < body->args.count; i++)
        command->args.at[i] = piw_msg_text(msg, body->args.at[i].s, body->args.at[i].len);
    return msg;
}

static piw_msg *lines_of(const orders_ORDER_reply *reply)
{
    piw__lines lines;
    piw__lines_init(&lines);
    for (uint32_t i = 0; i < reply->lines.count; i++)
        piw__lines_add(&lines, reply->lines.at[i].s);
    return lines.msg;
}

/* Does the task's present plugin take commands? */
static bool takes_orders(piw_runtime *runtime, const piw__role *role)
{
    const piw__service *service = piw__registry_find(&runtime->hub.registry, role->name);
    pthread_mutex_lock(&runtime->look);
    const piw__image *image = role->image;
    pthread_mutex_unlock(&runtime->look);
    return service != NULL && service->protocol == orders_protocol_def.interned &&
           (image == NULL || piw__image_serves(image, role->name));
}

static int on_ask(piw_task *task, piw_msg *msg)
{
    const admin_ASK *body = admin_ASK_of(msg);
    piw_runtime *runtime = runtime_of(task);
    const piw__role *role = piw__runtime_role(runtime, body->task.s);
    if (role == NULL)
        return give(task, msg, NULL, body->task.s);
    if (!takes_orders(runtime, role))
        return piw_refuse(task, msg, PIW_ENOENT, "task %s takes no commands", body->task.s);
    piw_err err = {0};
    piw_msg *command = command_of(body), *reply = NULL;
    int rc = piw_runtime_call(runtime, body->task.s, &command, COMMAND_MS, &reply, &err);
    piw_msg_free(&command);
    if (rc != 0)
        return refuse(task, msg, &err);
    piw_info("task %s was told: %s", body->task.s, body->word.s);
    piw_msg *answer = lines_of(orders_ORDER_reply_of(reply));
    piw_msg_free(&reply);
    rc = piw_reply(task, msg, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* --- The configuration, again ---------------------------------------------------------------------------------------- */

static void say_line(void *lines, const char *line)
{
    piw_info("%s", line);
    piw__lines_add(lines, line);
}

static int on_reread(piw_task *task, piw_msg *msg)
{
    const piw_admin_hooks *hooks = &runtime_of(task)->hooks;
    piw_err err = {0};
    piw__lines lines;
    piw__lines_init(&lines);
    int ret = hooks->reread != NULL ? hooks->reread(hooks->arg, say_line, &lines, &err)
                                    : piw_err_set(&err, PIW_EREFUSED, "there is no configuration to be read again");
    if (ret != 0)
        piw_error("the configuration was not taken over: %s", err.text);
    /* By signal: what came of it is in the log. */
    bool asked = (msg->flags & PIW__REQUEST) != 0;
    if (ret == 0 && asked)
        ret = piw_reply(task, msg, &lines.msg);
    else if (ret != 0 && asked)
        ret = piw_refuse(task, msg, err.code, "%s", err.text);
    piw_msg_free(&lines.msg);
    return asked ? ret : 0;
}

/* --- The task -------------------------------------------------------------------------------------------------------- */

static const piw_handler handlers[] = {
    {&admin_protocol_def, ADMIN_LIST, on_list},
    {&admin_protocol_def, ADMIN_INFO, on_info},
    {&admin_protocol_def, ADMIN_ENABLE, on_enable},
    {&admin_protocol_def, ADMIN_DISABLE, on_disable},
    {&admin_protocol_def, ADMIN_REPLACE, on_replace},
    {&admin_protocol_def, ADMIN_RELOAD, on_reload},
    {&admin_protocol_def, ADMIN_RESTART, on_restart},
    {&admin_protocol_def, ADMIN_HOLD, on_hold},
    {&admin_protocol_def, ADMIN_RELEASE, on_release},
    {&admin_protocol_def, ADMIN_DEBUG, on_debug},
    {&admin_protocol_def, ADMIN_TRACE, on_trace},
    {&admin_protocol_def, ADMIN_UNTRACE, on_untrace},
    {&admin_protocol_def, ADMIN_RECORD, on_record},
    {&admin_protocol_def, ADMIN_UNRECORD, on_unrecord},
    {&admin_protocol_def, ADMIN_DUMP, on_dump},
    {&admin_protocol_def, ADMIN_LIMITS, on_limits},
    {&admin_protocol_def, ADMIN_CONFIG, on_config},
    {&admin_protocol_def, ADMIN_REREAD, on_reread},
    {&admin_protocol_def, ADMIN_PAUSE, on_pause},
    {&admin_protocol_def, ADMIN_WAKE, on_wake},
    {&admin_protocol_def, ADMIN_ASK, on_ask},
    {&tasks_protocol_def, TASKS_LIST, on_tasks},
    PIW_HANDLERS_END,
};

static piw_protocol_def *const extra[] = {&orders_protocol_def, NULL};
static const piw_service serves[] = {{"tasks", &tasks_protocol_def}, PIW_SERVICES_END};
static const piw_service queues[] = {{"admin", &admin_protocol_def}, PIW_SERVICES_END};

/* Not PIW_PLUGIN: the library must not export a manifest, which a plugin without one would seem to have. */
static const piw_plugin plugin = {
    .size = sizeof(piw_plugin),
    .abi = PIW_ABI,
    .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
    .build = PIW_BUILD,
    .sizes = PIW_SIZES,
    .name = "admin",
    .version = PIW_VERSION,
    .summary = "answers piw-ctl, and tasks that show the others",
    .serves = serves,
    .queues = queues,
    .extra = extra,
    .blocks = true,
    .start = start,
    .handlers = handlers,
};

int piw_runtime_add_admin(piw_runtime *runtime, const piw_admin_hooks *hooks, piw_err *err)
{
    const piw_task_config config = {.name = "admin", .plugin = "admin", .enabled = true, .critical = 0};
    int rc = piw__runtime_add_builtin(runtime, &config, &plugin, err);
    if (rc != 0)
        return rc;
    runtime->admin_role = runtime->roles[runtime->roles_count - 1];
    if (hooks != NULL)
        runtime->hooks = *hooks;
    return 0;
}

int piw_runtime_reread(piw_runtime *runtime, piw_err *err)
{
    const piw__role *role = runtime->admin_role;
    if (role == NULL || !runtime->started)
        return piw_err_set(err, PIW_ESTOPPED, "the configuration can't be read again now: the master is not running");
    piw__shell *shell = role->shells[0];
    piw_msg *msg = admin_REREAD_new();
    if (piw__mailbox_push(&shell->mailbox, msg, msg, 1, NULL, NULL) == 0)
        return 0;
    piw_msg_free(&msg);
    return piw_err_set(err, PIW_ESTOPPED, "the configuration can't be read again now: the master stops");
}
