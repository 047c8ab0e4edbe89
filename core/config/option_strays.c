/* option_strays.c — finds what nobody will read in a configuration: keys that no program has, sections with a
 * misspelt name. */
#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 32 }; /* longer sections are nobody's misspelling */

static bool has_option(const piw_opt *options, const char *key)
{
    while (options->name != NULL && (strcmp(options->name, key) != 0 || options->cli_only))
        options++;
    return options->name != NULL;
}

/* Is the word among these, which stand between blanks? */
static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; n > 0 && (at = strstr(at, word)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

static bool knows(const piw_config *config, const piw_config_section *section, const char *key)
{
    bool own = strcmp(section->name, config->program->section) == 0;
    return section->keys == NULL || has_word(section->keys, key) || has_option(piw__core_options, key) ||
           (own && has_option(config->program->options, key));
}

/* How many letters must be changed, added, left out or swapped with their neighbour to make one of the other. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_BYTES + 1] = {{0}}, na = strlen(a), nb = strlen(b);
    if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (size_t k = 0; k <= nb; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= na; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= nb; k++) {
            size_t least = above[k - 1] + (a[i - 1] != b[k - 1]);
            least = above[k] + 1 < least ? above[k] + 1 : least;
            least = row[k - 1] + 1 < least ? row[k - 1] + 1 : least;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && before[k - 2] + 1 < least)
                least = before[k - 2] + 1;
            row[k] = least;
        }
    }
    return rows[na % 3][nb];
}

/* What was probably meant by a name, of those that are tried one after another. */
typedef struct nearest {
    char written[NAME_MAX_BYTES + 1]; /* in small letters */
    char name[NAME_MAX_BYTES + 1];    /* "": nothing is near */
    size_t least;                     /* fewer steps are nearer */
} nearest;

/* Capitals are no steps; in a short name only one letter may be wrong. */
static nearest nearest_to(const char *written)
{
    nearest to = {0};
    size_t n = strlen(written);
    if (n > NAME_MAX_BYTES)
        return to;
    for (size_t i = 0; i < n; i++)
        to.written[i] = written[i] >= 'A' && written[i] <= 'Z' ? (char)(written[i] + 'a' - 'A') : written[i];
    to.least = n <= 4 ? 2 : 3;
    return to;
}

static void try_name(nearest *to, const char *name, size_t len)
{
    char word[NAME_MAX_BYTES + 1];
    if (len > NAME_MAX_BYTES || memchr(name, '*', len) != NULL)
        return;
    snprintf(word, sizeof(word), "%.*s", (int)len, name);
    size_t steps = distance(to->written, word);
    if (steps >= to->least)
        return;
    to->least = steps;
    memcpy(to->name, word, sizeof(word));
}

/* Of a section the program's whole name may be written. */
static nearest nearest_section(const piw_config_section *sections, const char *name)
{
    nearest to = nearest_to(strncasecmp(name, "piw-", 4) == 0 ? name + 4 : name);
    for (const piw_config_section *at = sections; at != NULL && at->name != NULL; at++)
        try_name(&to, at->name, strlen(at->name));
    return to;
}

static void try_options(nearest *to, const piw_opt *options)
{
    for (const piw_opt *option = options; option->name != NULL; option++)
        if (!option->cli_only)
            try_name(to, option->name, strlen(option->name));
}

/* Of the keys that `knows` finds in this section. */
static void try_keys(nearest *to, const piw_config *config, const piw_config_section *section)
{
    for (const char *word = section->keys; word != NULL && *word != '\0';) {
        size_t len = strcspn(word, " ");
        if (len > 0)
            try_name(to, word, len);
        word += len + strspn(word + len, " ");
    }
    try_options(to, piw__core_options);
    if (strcmp(section->name, config->program->section) == 0)
        try_options(to, config->program->options);
}

/* A key before any section, or in one without a reader, is right when some program has it. */
static bool known_to_any(const piw_config *config, const char *key)
{
    const piw_config_section *at = config->program->sections;
    while (at != NULL && at->name != NULL && (at->keys == NULL || !knows(config, at, key)))
        at++;
    return at != NULL && at->name != NULL;
}

static size_t stray_sections(const piw_config *config, void (*tell)(const char *sentence))
{
    size_t found = 0;
    char text[PIW_ERR_TEXT];
    for (size_t i = 0; i < config->entries.sections_count; i++) {
        const char *name = config->entries.sections[i];
        bool known = name[0] == '\0' || piw__section_find(config->program, name) != NULL;
        nearest other = nearest_section(config->program->sections, name);
        if (!known && other.name[0] != '\0') {
            snprintf(text, sizeof(text), "%s: no program reads [%.100s]; is [%s] meant?", config->entries.origins[i],
                     name, other.name);
            tell(text);
            found++;
        }
    }
    return found;
}

static void say_stray(const piw_config *config, const piw__entry *entry, const piw_config_section *section,
                      void (*tell)(const char *sentence))
{
    char text[PIW_ERR_TEXT];
    nearest other = nearest_to(entry->key);
    const piw_config_section *all = section == NULL ? config->program->sections : NULL;
    if (section != NULL)
        try_keys(&other, config, section);
    for (; all != NULL && all->name != NULL; all++)
        try_keys(&other, config, all);
    bool near = other.name[0] != '\0';
    snprintf(text, sizeof(text), "%s: unknown key '%.100s'%s%.100s%s%s%s%s", entry->origin, entry->key,
             section != NULL ? " in [" : ": no program has it", section != NULL ? entry->section : "",
             section != NULL ? "]" : "", near ? "; is " : "", other.name, near ? " meant?" : "");
    tell(text);
}

size_t piw_config_strays(const piw_config *config, void (*tell)(const char *sentence))
{
    size_t found = stray_sections(config, tell);
    for (size_t i = 0; i < config->entries.count; i++) {
        const piw__entry *entry = &config->entries.at[i];
        const piw_config_section *section = piw__section_find(config->program, entry->section);
        if (section != NULL ? knows(config, section, entry->key) : known_to_any(config, entry->key))
            continue;
        say_stray(config, entry, section, tell);
        found++;
    }
    return found;
}
