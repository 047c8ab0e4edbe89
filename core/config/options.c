/* options.c — defaults, files, environment and command line laid over each other in this order. */
#include "config/options.h"

#include "base/core_dumps.h"
#include "config/command_line.h"
#include "piw/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const default_files[] = {"/etc/piwheels.conf", "/usr/local/etc/piwheels.conf",
                                            "~/.config/piwheels/piwheels.conf"};

enum { SOURCE_DEFAULT = 0, SOURCE_FILES = 1, SOURCE_ENVIRONMENT = 1 << 20, SOURCE_COMMAND_LINE };

/* --- Values --- */

static piw__value *value_find(const piw_config *config, const char *name)
{
    for (size_t i = 0; i < config->values_count; i++) {
        if (strcmp(config->values[i].opt->name, name) == 0)
            return &config->values[i];
    }
    return NULL;
}

static void value_clear(piw__value *value)
{
    for (size_t i = 0; i < value->items_count; i++)
        free(value->items[i]);
    free(value->items);
    free(value->text);
    free(value->origin);
    value->items = NULL;
    value->items_count = 0;
    value->text = NULL;
    value->origin = NULL;
}

static void value_append(piw__value *value, const char *text, bool split)
{
    char **more = NULL;
    size_t count = 1;
    if (split)
        count = piw__config_items(text, &more);
    value->items = piw_realloc(value->items, sizeof(char *) * (value->items_count + count));
    for (size_t i = 0; i < count; i++)
        value->items[value->items_count++] = split ? more[i] : piw_strdup(text);
    free(more);
}

/* -q and -v exclude each other: the later one counts. */
static void value_set_switch(piw_config *config, piw__value *value)
{
    free(value->text);
    value->text = piw_strdup(value->number ? "yes" : "no");
    bool quiet = strcmp(value->opt->name, "quiet") == 0;
    if (value->number && (quiet || strcmp(value->opt->name, "verbose") == 0)) {
        piw__value *other = value_find(config, quiet ? "verbose" : "quiet");
        other->number = 0;
        free(other->text);
        other->text = piw_strdup("no");
    }
}

/* `split`: a list may be written [a, b]. The error has no context yet. */
static int value_set(piw_config *config, piw__value *value, const char *text, bool split, int source,
                     const char *origin, piw_err *err)
{
    const piw_opt *opt = value->opt;
    int rc = piw_opt_check(opt, text, err);
    char *path = NULL;
    if (rc == 0 && opt->kind == PIW_OPT_PATH)
        rc = piw_expand_home(text, &path, err);
    if (rc != 0)
        return rc;
    if (opt->kind != PIW_OPT_LIST || value->source != source)
        value_clear(value);
    free(value->origin);
    value->origin = piw_strdup(origin);
    value->source = source;
    value->given = source != SOURCE_DEFAULT;
    switch (opt->kind) {
    case PIW_OPT_LIST:
        value_append(value, text, split);
        break;
    case PIW_OPT_PATH:
        value->text = path;
        break;
    case PIW_OPT_SWITCH:
        rc = piw_opt_number(opt, text, &value->number, err);
        value_set_switch(config, value);
        break;
    case PIW_OPT_TEXT:
    case PIW_OPT_CHOICE:
        value->text = piw_strdup(text);
        break;
    default:
        value->text = piw_strdup(text);
        rc = piw_opt_number(opt, text, &value->number, err);
    }
    return rc;
}

static void set_defaults(piw_config *config)
{
    const piw_opt *tables[] = {config->program->options, piw__core_options};
    for (size_t t = 0; t < PIW_COUNT(tables); t++) {
        for (const piw_opt *opt = tables[t]; opt->name != NULL; opt++) {
            config->values = piw_realloc(config->values, sizeof(piw__value) * (config->values_count + 1));
            config->values[config->values_count++] = (piw__value){.opt = opt};
        }
    }
    for (size_t i = 0; i < config->values_count; i++) {
        piw__value *value = &config->values[i];
        const char *text = value->opt->fallback;
        if (text == NULL && value->opt->kind == PIW_OPT_SWITCH)
            text = "no";
        piw_err err = {0};
        value->origin = piw_strdup("default");
        if (text != NULL && value_set(config, value, text, true, SOURCE_DEFAULT, "default", &err) != 0) {
            fprintf(stderr, "bug: the default of option %s: %s\n", value->opt->name, err.text);
            abort();
        }
    }
}

/* --- Files and environment --- */

/* A section that another program reads isn't ours; one that no program reads applies to all. */
static bool concerns(const piw_program *program, const char *section)
{
    return strcmp(section, program->section) == 0 || piw__section_find(program, section) == NULL;
}

static int read_files(piw_config *config, const char *only, const char *const *files, size_t count, piw_err *err)
{
    if (only != NULL)
        return piw__config_file_read(&config->entries, only, err);
    for (size_t i = 0; i < count; i++) {
        piw_err found_err = {0};
        char *path;
        if (piw_expand_home(files[i], &path, &found_err) != 0) {
            continue; /* without a home directory there is no such file */
        }
        int code = piw__config_file_read(&config->entries, path, &found_err);
        struct stat st;
        if (code == PIW_ESYS && stat(path, &st) != 0) {
            code = PIW_ENOENT; /* in somebody else's home, which $HOME still names: whether it is there can't be seen */
        }
        free(path);
        if (code != 0 && code != PIW_ENOENT)
            return piw_err_set(err, PIW_ECONFIG, "%s", found_err.text);
    }
    return 0;
}

static int apply_entry(piw_config *config, const piw__entry *entry, piw_err *err)
{
    piw__value *value = concerns(config->program, entry->section) ? value_find(config, entry->key) : NULL;
    if (value == NULL || value->opt->cli_only)
        return 0;
    piw_err found_err = {0};
    int code = 0;
    if (entry->bare && value->opt->kind != PIW_OPT_SWITCH) {
        code = piw_err_set(&found_err, PIW_EINVAL, "a value is missing (%s = %s)", entry->key,
                           value->opt->value_name != NULL ? value->opt->value_name : "VALUE");
    } else {
        code = value_set(config, value, entry->value, !entry->quoted, SOURCE_FILES + (int)entry->file, entry->origin,
                         &found_err);
    }
    return code == 0 ? 0 : piw_err_set(err, PIW_ECONFIG, "%s: %s: %s", entry->origin, entry->key, found_err.text);
}

static int apply_environment(piw_config *config, piw_err *err)
{
    for (size_t i = 0; i < config->values_count; i++) {
        piw__value *value = &config->values[i];
        const char *text = value->opt->env != NULL ? getenv(value->opt->env) : NULL;
        if (text == NULL || *text == '\0')
            continue;
        char origin[128];
        piw_err found_err = {0};
        snprintf(origin, sizeof(origin), "environment %s", value->opt->env);
        if (value_set(config, value, text, true, SOURCE_ENVIRONMENT, origin, &found_err) != 0)
            return piw_err_set(err, PIW_ECONFIG, "%s: %s", origin, found_err.text);
    }
    return 0;
}

/* Files are shared by all programs, so a key that this one doesn't know is worth a word, not an error. */
static void tell_unknown_keys(const piw_config *config)
{
    for (size_t i = 0; i < config->entries.count; i++) {
        const piw__entry *entry = &config->entries.at[i];
        if (concerns(config->program, entry->section)) {
            const piw__value *value = value_find(config, entry->key);
            if (value == NULL || value->opt->cli_only)
                piw_info("%s: key '%s' is unknown to %s and ignored", entry->origin, entry->key, config->program->name);
        }
    }
}

/* --- The command line --- */

static int apply_command_line(piw_config *config, const piw__command_line *line, piw_err *err)
{
    for (size_t i = 0; i < line->given_count; i++) {
        const piw__given *given = &line->given[i];
        piw__value *value = value_find(config, given->opt->name);
        piw_err found_err = {0};
        const char *text = given->text != NULL ? given->text : "yes";
        if (value_set(config, value, text, false, SOURCE_COMMAND_LINE, "command line", &found_err) != 0)
            return piw__usage_error(line, err, "option --%s: %s", given->opt->name, found_err.text);
    }
    config->operands = line->operands_count > 0 ? piw_alloc(sizeof(char *) * line->operands_count) : NULL;
    for (size_t i = 0; i < line->operands_count; i++)
        config->operands[config->operands_count++] = piw_strdup(line->operands[i]);
    return 0;
}

/* --- Loading --- */

static int open_log(const piw_config *config, piw_err *err)
{
    const piw__value *debug = value_find(config, "debug");
    piw_log_level level = piw_config_switch(config, "quiet")     ? PIW_LOG_ERROR
                          : piw_config_switch(config, "verbose") ? PIW_LOG_INFO
                                                                 : PIW_LOG_WARNING;
    if (debug != NULL && debug->opt->kind == PIW_OPT_SWITCH && debug->number)
        level = PIW_LOG_DEBUG;
    return piw_log_open(config->program->name, level, piw_config_text(config, "log-file"), err);
}

static int load(piw_config *config, piw__command_line *line, const char *const *files, size_t files_count, bool logs,
                piw_err *err)
{
    int rc = piw__command_line_parse(line, err);
    if (rc != 0)
        return rc;
    char *only = NULL;
    for (size_t i = 0; i < line->given_count && rc == 0; i++) {
        if (strcmp(line->given[i].opt->name, "configuration") == 0) {
            free(only);
            only = NULL;
            rc = piw_expand_home(line->given[i].text, &only, err);
        }
    }
    if (rc == 0)
        rc = read_files(config, only, files, files_count, err);
    free(only);
    for (size_t i = 0; i < config->entries.count && rc == 0; i++)
        rc = apply_entry(config, &config->entries.at[i], err);
    if (rc == 0)
        rc = apply_environment(config, err);
    if (rc == 0)
        rc = apply_command_line(config, line, err);
    if (rc == 0 && logs)
        rc = open_log(config, err);
    if (rc == 0)
        tell_unknown_keys(config);
    return rc;
}

/* Reserved fields may get a meaning in a later release, which an older caller doesn't know. */
static int check_reserved(const piw_program *program, piw_err *err)
{
    for (unsigned i = 0; i < PIW_COUNT(program->reserved); i++)
        if (program->reserved[i] != NULL)
            return piw_err_set(err, PIW_EINVAL, "%s uses reserved fields of its description", program->name);
    for (const piw_config_section *at = program->sections; at != NULL && at->name != NULL; at++)
        for (unsigned i = 0; i < PIW_COUNT(at->reserved); i++)
            if (at->reserved[i] != NULL)
                return piw_err_set(err, PIW_EINVAL, "%s uses reserved fields of its section %s", program->name,
                                   at->name);
    return 0;
}

static int load_config(piw_config **config, const piw_program *program, int argc, char **argv, const char *const *files,
                       size_t files_count, bool logs, piw_err *err)
{
    *config = NULL;
    int refused = check_reserved(program, err);
    if (refused != 0)
        return refused;
    piw__command_line line;
    piw__command_line_init(&line, program, argc, argv);
    piw_config *loaded = piw_zalloc(sizeof(*loaded));
    loaded->program = program;
    loaded->scratch = piw_zalloc(sizeof(piw__scratch));
    set_defaults(loaded);
    int code = load(loaded, &line, files, files_count, logs, err);
    piw__command_line_fini(&line);
    *config = NULL;
    if (code == 0)
        *config = loaded;
    else
        piw_config_free(&loaded);
    return code == 0 || code == 1 ? code : code == PIW_EUSAGE ? PIW_EUSAGE : PIW_ECONFIG;
}

int piw__config_load(piw_config **config, const piw_program *program, int argc, char **argv, const char *const *files,
                     size_t files_count, piw_err *err)
{
    return load_config(config, program, argc, argv, files, files_count, true, err);
}

int piw_config_reload(piw_config **config, const piw_program *program, int argc, char **argv, piw_err *err)
{
    return load_config(config, program, argc, argv, default_files, PIW_COUNT(default_files), false, err);
}

int piw_config_load(piw_config **config, const piw_program *program, int argc, char **argv, piw_err *err)
{
    piw__core_dumps_allow(false); /* before the first password is read */
    int rc = piw__config_load(config, program, argc, argv, default_files, PIW_COUNT(default_files), err);
    const piw__value *dumps = rc == 0 ? value_find(*config, "core-dumps") : NULL;
    if (dumps != NULL && dumps->opt->kind == PIW_OPT_SWITCH && dumps->number)
        piw__core_dumps_allow(true);
    return rc;
}

void piw_config_free(piw_config **config)
{
    piw_config *old = *config;
    if (old == NULL)
        return;
    for (size_t i = 0; i < old->values_count; i++)
        value_clear(&old->values[i]);
    for (size_t i = 0; i < old->operands_count; i++)
        free(old->operands[i]);
    while (old->scratch != NULL) {
        piw__scratch *next = old->scratch->next;
        free(old->scratch);
        old->scratch = next;
    }
    piw__entries_fini(&old->entries);
    free(old->values);
    free(old->operands);
    free(old);
    *config = NULL;
}
