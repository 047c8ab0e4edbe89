/* option_access.c — reading a loaded configuration; the end of a program; a question to the user. */
#include "config/options.h"

#include "piw/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const piw__value *value_of(const piw_config *config, const char *name)
{
    for (size_t i = 0; i < config->values_count; i++) {
        if (strcmp(config->values[i].opt->name, name) == 0)
            return &config->values[i];
    }
    fprintf(stderr, "bug: %s has no option named %s\n", config->program->name, name);
    abort();
}

const char *piw_config_text(const piw_config *config, const char *name)
{
    return value_of(config, name)->text;
}

int64_t piw_config_int(const piw_config *config, const char *name)
{
    return value_of(config, name)->number;
}

bool piw_config_switch(const piw_config *config, const char *name)
{
    return value_of(config, name)->number != 0;
}

size_t piw_config_list(const piw_config *config, const char *name, const char *const **items)
{
    const piw__value *value = value_of(config, name);
    *items = (const char *const *)value->items;
    return value->items_count;
}

bool piw_config_given(const piw_config *config, const char *name)
{
    return value_of(config, name)->given;
}

size_t piw_config_operands(const piw_config *config, const char *const **items)
{
    *items = (const char *const *)config->operands;
    return config->operands_count;
}

const char *piw_config_origin(const piw_config *config, const char *name)
{
    return value_of(config, name)->origin;
}

static bool is_kept(const piw_config *config, const char *section)
{
    const piw_config_section *found = piw__section_find(config->program, section);
    return found != NULL && found->kept_by != NULL && strcmp(found->kept_by, config->program->section) == 0;
}

const char *piw_config_raw(const piw_config *config, const char *section, const char *key, const char **origin)
{
    const piw__entry *found = NULL;
    for (size_t i = 0; is_kept(config, section) && i < config->entries.count; i++) {
        const piw__entry *entry = &config->entries.at[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0) {
            found = entry; /* the last one counts */
        }
    }
    if (origin != NULL)
        *origin = found != NULL ? found->origin : NULL;
    return found != NULL ? found->value : NULL;
}

/* An array for the caller that lives as long as the configuration. */
static const char **scratch_names(const piw_config *config, size_t count)
{
    piw__scratch *room = piw_alloc(sizeof(*room) + sizeof(char *) * (count + 1));
    room->next = config->scratch->next;
    config->scratch->next = room;
    return room->names;
}

size_t piw_config_sections(const piw_config *config, const char *prefix, const char *const **names)
{
    const char **list = scratch_names(config, config->entries.sections_count);
    size_t count = 0;
    for (size_t i = 0; i < config->entries.sections_count; i++) {
        const char *section = config->entries.sections[i];
        if (is_kept(config, section) && strncmp(section, prefix, strlen(prefix)) == 0)
            list[count++] = section;
    }
    *names = list;
    return count;
}

size_t piw_config_keys(const piw_config *config, const char *section, const char *const **keys)
{
    const char **list = scratch_names(config, config->entries.count);
    size_t count = 0;
    for (size_t i = 0; is_kept(config, section) && i < config->entries.count; i++) {
        const piw__entry *entry = &config->entries.at[i];
        bool known = strcmp(entry->section, section) != 0;
        for (size_t k = 0; k < count && !known; k++)
            known = strcmp(list[k], entry->key) == 0;
        if (!known)
            list[count++] = entry->key;
    }
    *keys = list;
    return count;
}

int piw_program_exit(const piw_program *program, const piw_err *err)
{
    if (err == NULL || err->code == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", program->name, err->text[0] != '\0' ? err->text : piw_err_name(err->code));
    return err->code == PIW_EUSAGE ? 2 : 1;
}

int piw_ask(const char *question)
{
    enum { TRIES = 10 }; /* input that isn't meant for us must end */
    for (int i = 0; i < TRIES; i++) {
        char line[64];
        printf("%s [Y/n] ", question);
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin) == NULL) {
            putchar('\n');
            return PIW_EINVAL;
        }
        if (strchr(line, '\n') == NULL) {
            int c;
            while ((c = getchar()) != EOF && c != '\n') {
                continue; /* the rest of an over-long line */
            }
        }
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0' || strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0)
            return 1;
        if (strcasecmp(line, "n") == 0 || strcasecmp(line, "no") == 0)
            return 0;
    }
    return PIW_EINVAL;
}
