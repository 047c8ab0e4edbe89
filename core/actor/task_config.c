/* task_config.c — what a soul may know of the configuration. */
#include "actor/shell.h"

#include <stdio.h>
#include <stdlib.h>

static const piw_opt *option_of(const piw_plugin *plugin, const char *name)
{
    for (const piw_opt *option = plugin->options; option != NULL && option->name != NULL; option++)
        if (strcmp(option->name, name) == 0)
            return option;
    return NULL;
}

static const piw_opt *must_have(const piw_task *task, const char *name)
{
    const piw_opt *option = option_of(task->plugin, name);
    if (option == NULL) {
        piw_error("task %s asks for the option %s, which its manifest does not declare", task->plugin->name, name);
        abort();
    }
    return option;
}

const char *piw__option_origin(const piw__options *options, const char *name)
{
    for (size_t i = 0; options != NULL && i < options->count; i++)
        if (strcmp(options->names[i], name) == 0)
            return options->origins != NULL && options->origins[i] != NULL ? options->origins[i] : "configuration";
    return NULL;
}

const char *piw__option_value(const piw__options *options, const char *name)
{
    for (size_t i = 0; options != NULL && i < options->count; i++)
        if (strcmp(options->names[i], name) == 0)
            return options->values[i];
    return NULL;
}

static char **copy_texts(const char *const *texts, size_t count)
{
    char **copy = piw_zalloc((count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = piw_strdup(texts[i] != NULL ? texts[i] : "");
    return copy;
}

piw__options *piw__options_new(const char *const *names, const char *const *values, const char *const *origins,
                               size_t count)
{
    piw__options *options = piw_zalloc(sizeof(*options));
    options->count = count;
    options->names = copy_texts(names, count);
    options->values = copy_texts(values, count);
    if (origins != NULL)
        options->origins = copy_texts(origins, count);
    return options;
}

void piw__options_free(piw__options **options)
{
    while (*options != NULL) {
        piw__options *one = *options;
        *options = one->older;
        for (size_t i = 0; i < one->count; i++) {
            free(one->names[i]);
            free(one->values[i]);
            if (one->origins != NULL)
                free(one->origins[i]);
        }
        free(one->names);
        free(one->values);
        free(one->origins);
        free(one);
    }
}

const char *piw_option(piw_task *task, const char *name)
{
    const piw_opt *option = must_have(task, name);
    const char *value = piw__option_value(task->options, name);
    return value != NULL ? value : option->fallback;
}

int64_t piw_option_number(piw_task *task, const char *name)
{
    const piw_opt *option = must_have(task, name);
    const char *value = piw_option(task, name);
    int64_t number = 0;
    /* The loader has checked what was configured. */
    if (value != NULL && piw_opt_number(option, value, &number, NULL) != 0)
        return 0;
    return number;
}

/* A default that its own bounds refuse would be 0 to the task. An empty one is none. */
static int check_defaults(const piw__image *image, piw_err *err)
{
    for (const piw_opt *option = image->plugin->options; option != NULL && option->name != NULL; option++) {
        piw_err own_err = {0};
        if (option->fallback != NULL && option->fallback[0] != '\0' &&
            piw_opt_check(option, option->fallback, &own_err) != 0)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: the default of its option %s: %s", image->file,
                               option->name, own_err.text);
    }
    return 0;
}

static void no_such_option(const piw__image *image, piw_err *err)
{
    char names[200] = "none";
    size_t used = 0;
    for (const piw_opt *option = image->plugin->options; option != NULL && option->name != NULL; option++)
        if (used + strlen(option->name) + 3 < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", option->name);
    piw_err_set(err, PIW_ECONFIG, "%s has no such option; it has %s", image->file, names);
}

int piw__role_check_options(const piw__role *role, const piw__options *options, const piw__image *image, piw_err *err)
{
    int rc = check_defaults(image, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; options != NULL && i < options->count; i++) {
        const piw_opt *option = option_of(image->plugin, options->names[i]);
        piw_err own_err = {0};
        if (option == NULL)
            no_such_option(image, &own_err);
        if (option == NULL || piw_opt_check(option, options->values[i], &own_err) != 0) {
            char *section = options->origins == NULL ? piw_sprintf("[task:%s]", role->name) : NULL;
            piw_err_set(err, PIW_ECONFIG, "%s: %s: %s", options->origins != NULL ? options->origins[i] : section,
                        options->names[i], own_err.text);
            free(section);
            return PIW_ECONFIG;
        }
    }
    return 0;
}

const char *piw_setting(piw_task *task, const char *name)
{
    piw__shell *shell = task->shell;
    const char *value = shell->hub->setting != NULL ? shell->hub->setting(shell->hub->arg, name) : NULL;
    if ((atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0)
        piw__record_setting(shell, name, value);
    return value;
}

/* Settings come as text: a number, a switch, a span or a size. */
int64_t piw_setting_number(piw_task *task, const char *name)
{
    static const piw_opt_kind kinds[] = {PIW_OPT_INT, PIW_OPT_SWITCH, PIW_OPT_SIZE, PIW_OPT_DURATION};
    const char *value = piw_setting(task, name);
    for (size_t i = 0; value != NULL && i < PIW_COUNT(kinds); i++) {
        piw_opt option = {.name = name, .kind = kinds[i]};
        int64_t number;
        if (piw_opt_number(&option, value, &number, NULL) == 0)
            return number;
    }
    return 0;
}
