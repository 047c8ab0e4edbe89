/* reread.c — the configuration is read again while the master runs, and what changed about tasks is applied. */
#include "reread.h"

#include "options.h"
#include "settings.h"
#include "shared/dsn.h"

#include <stdio.h>
#include <stdlib.h>

typedef void say_fn(void *to, const char *line);

typedef struct forgotten {
    say_fn *say;
    void *to;
    unsigned count;
} forgotten;

/* Values of the master itself are what they were at its start: those that differ now wait for the next one. */
static void say_changed_options(const reread *self, const piw_config *now, say_fn *say, void *to)
{
    char line[300];
    for (const piw_opt *opt = master_program.options; opt->name != NULL; opt++) {
        if (opt->cli_only || opt->kind == PIW_OPT_LIST)
            continue;
        const char *before = piw_config_text(self->config, opt->name), *after = piw_config_text(now, opt->name);
        if (strcmp(before != NULL ? before : "", after != NULL ? after : "") != 0) {
            snprintf(line, sizeof(line), "%s (%.150s) takes effect when the master is restarted", opt->name,
                     piw_config_origin(now, opt->name));
            say(to, line);
        }
    }
}

static void say_changed_section(const reread *self, const piw_config *now, const char *section, const piw_opt *options,
                                say_fn *say, void *to)
{
    char line[300];
    for (const piw_opt *opt = options; opt->name != NULL; opt++) {
        const char *before = piw_config_raw(self->config, section, opt->name, NULL);
        const char *after = piw_config_raw(now, section, opt->name, NULL);
        if (strcmp(before != NULL ? before : "", after != NULL ? after : "") != 0) {
            snprintf(line, sizeof(line), "%s in [%s] takes effect when the master is restarted", opt->name, section);
            say(to, line);
        }
    }
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Views that there are now, then those that have gone. */
static void say_changed_views(const reread *self, const piw_config *now, say_fn *say, void *to)
{
    const char *const *before, *const *after;
    size_t before_count = piw_config_sections(self->config, "view:", &before);
    size_t after_count = piw_config_sections(now, "view:", &after);
    for (size_t i = 0; i < after_count; i++)
        say_changed_section(self, now, after[i], master_view_options, say, to);
    for (size_t i = 0; i < before_count; i++)
        if (!is_among(before[i], after, after_count))
            say_changed_section(self, now, before[i], master_view_options, say, to);
}

/* Can all of it be done? Then nothing is left half-done because of a mistake in the file. */
static int check_tasks(const reread *self, const task_list *tasks, piw_err *err)
{
    char done[600];
    for (size_t i = 0; i < tasks->count; i++) {
        int rc = piw_runtime_reconfigure(self->runtime, &tasks->at[i], false, done, sizeof(done), err);
        if (rc != 0) {
            piw_err_prefix(err, "task %s", tasks->at[i].name);
            return rc;
        }
    }
    return 0;
}

static bool apply_tasks(const reread *self, const task_list *tasks, say_fn *say, void *to)
{
    char done[600], line[1200];
    bool any = false;
    for (size_t i = 0; i < tasks->count; i++) {
        const char *name = tasks->at[i].name;
        piw_err err = {0};
        int code = piw_runtime_reconfigure(self->runtime, &tasks->at[i], true, done, sizeof(done), &err);
        if (code != 0 && done[0] != '\0')
            snprintf(line, sizeof(line), "task %s: %s, but failed: %s", name, done, err.text);
        else if (code != 0)
            snprintf(line, sizeof(line), "task %s goes on as it was: %s", name, err.text);
        else
            snprintf(line, sizeof(line), "task %s: %s", name, done);
        if (code != 0 || done[0] != '\0')
            say(to, line);
        any = any || code != 0 || done[0] != '\0';
    }
    return any;
}

static void count_line(void *to, const char *line)
{
    forgotten *self = to;
    self->say(self->to, line);
    self->count++;
}

/* Tasks whose sections have gone. */
static bool forget_tasks(const reread *self, const task_list *tasks, say_fn *say, void *to)
{
    forgotten counted = {.say = say, .to = to};
    const char **names = piw_zalloc((tasks->count + 1) * sizeof(*names));
    for (size_t i = 0; i < tasks->count; i++)
        names[i] = tasks->at[i].name;
    piw_err err = {0};
    if (piw_runtime_forget(self->runtime, names, tasks->count, count_line, &counted, &err) != 0)
        count_line(&counted, err.text);
    free((void *)names);
    return counted.count > 0;
}

int reread_configuration(void *arg, say_fn *say, void *to, piw_err *err)
{
    const reread *self = arg;
    piw_config *config = NULL;
    settings settings_now = {0};
    task_list tasks = {0};
    int rc = piw_config_reload(&config, &master_program, self->argc, self->argv, err);
    if (rc == 0)
        rc = settings_make(&settings_now, config, err);
    if (rc == 0)
        rc = task_list_make(&tasks, config, err);
    if (rc == 0)
        rc = check_tasks(self, &tasks, err);
    if (rc == 0) {
        bool any = forget_tasks(self, &tasks, say, to);
        any = apply_tasks(self, &tasks, say, to) || any;
        say_changed_options(self, config, say, to);
        say_changed_section(self, config, "site", master_site_options, say, to);
        say_changed_section(self, config, "auth", master_auth_options, say, to);
        say_changed_views(self, config, say, to);
        if (!any)
            say(to, "the configuration was read again: nothing changed about tasks");
    }
    task_list_fini(&tasks);
    settings_fini(&settings_now);
    piw_config_free(&config);
    return rc;
}

static void say_section(const piw_config *config, const char *section, const piw_opt *options,
                        void (*say)(void *to, const char *name, const char *value, const char *origin), void *to)
{
    char name[100];
    for (const piw_opt *opt = options; opt->name != NULL; opt++) {
        const char *origin = NULL, *text = piw_config_raw(config, section, opt->name, &origin);
        snprintf(name, sizeof(name), "%s.%s", section, opt->name);
        if (text == NULL)
            text = opt->fallback != NULL ? opt->fallback : "";
        say(to, name, text, origin != NULL ? origin : "default");
    }
}

/* What their sections say: of many views what they don't say would fill the answer. */
static void say_views(const piw_config *config,
                      void (*say)(void *to, const char *name, const char *value, const char *origin), void *to)
{
    const char *const *sections;
    size_t count = piw_config_sections(config, "view:", &sections);
    char name[200];
    for (size_t i = 0; i < count; i++)
        for (const piw_opt *opt = master_view_options; opt->name != NULL; opt++) {
            const char *origin = NULL, *text = piw_config_raw(config, sections[i], opt->name, &origin);
            snprintf(name, sizeof(name), "%s.%s", sections[i], opt->name);
            if (text != NULL)
                say(to, name, text, origin);
        }
}

static void say_list(const piw_config *config, const char *name,
                     void (*say)(void *to, const char *name, const char *value, const char *origin), void *to)
{
    const char *const *items;
    char text[2000] = "";
    size_t count = piw_config_list(config, name, &items), len = 0;
    for (size_t i = 0; i < count && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "", items[i]);
    say(to, name, text, piw_config_origin(config, name));
}

void reread_settings(void *arg, void (*say)(void *to, const char *name, const char *value, const char *origin),
                     void *to)
{
    const reread *self = arg;
    for (const piw_opt *opt = master_program.options; opt->name != NULL; opt++) {
        if (opt->cli_only)
            continue;
        if (opt->kind == PIW_OPT_LIST) {
            say_list(self->config, opt->name, say, to);
            continue;
        }
        const char *text = piw_config_text(self->config, opt->name);
        char *shown = text != NULL && strcmp(opt->name, "dsn") == 0 ? piw_dsn_print(text) : NULL;
        say(to, opt->name,
            shown != NULL                 ? shown
            : text != NULL                ? text
            : opt->kind == PIW_OPT_SWITCH ? "no"
                                          : "",
            piw_config_origin(self->config, opt->name));
        free(shown);
    }
    say_section(self->config, "site", master_site_options, say, to);
    say_section(self->config, "auth", master_auth_options, say, to);
    say_views(self->config, say, to);
}
