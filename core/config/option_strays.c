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

/* The section that was probably meant, or NULL. Capitals and the program's whole name are as near as two wrong letters; in
 * a short name only one letter may be wrong. */
static const char *meant(const piw_config_section *sections, const char *name)
{
    char plain[NAME_MAX_BYTES + 1];
    const char *rest = strncasecmp(name, "piw-", 4) == 0 ? name + 4 : name;
    size_t n = strlen(rest);
    if (n > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        plain[i] = rest[i] >= 'A' && rest[i] <= 'Z' ? (char)(rest[i] + 'a' - 'A') : rest[i];
    const char *nearest = NULL;
    size_t least = n <= 4 ? 2 : 3;
    for (const piw_config_section *at = sections; at != NULL && at->name != NULL; at++) {
        size_t steps = distance(plain, at->name);
        if (steps < least && strchr(at->name, '*') == NULL) {
            least = steps;
            nearest = at->name;
        }
    }
    return nearest;
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
        const char *other = known ? NULL : meant(config->program->sections, name);
        if (other != NULL) {
            snprintf(text, sizeof(text), "%s: no program reads [%.100s]; is [%s] meant?", config->entries.origins[i],
                     name, other);
            tell(text);
            found++;
        }
    }
    return found;
}

size_t piw_config_strays(const piw_config *config, void (*tell)(const char *sentence))
{
    size_t found = stray_sections(config, tell);
    char text[PIW_ERR_TEXT];
    for (size_t i = 0; i < config->entries.count; i++) {
        const piw__entry *entry = &config->entries.at[i];
        const piw_config_section *section = piw__section_find(config->program, entry->section);
        if (section != NULL ? knows(config, section, entry->key) : known_to_any(config, entry->key))
            continue;
        snprintf(text, sizeof(text),
                 section != NULL ? "%s: unknown key '%.100s' in [%s]" : "%s: unknown key '%.100s': no program has it",
                 entry->origin, entry->key, entry->section);
        tell(text);
        found++;
    }
    return found;
}
