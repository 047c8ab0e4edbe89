#include "shared/metadata.h"

#include "piw/codec.h"
#include "shared/names.h"

#include <stdlib.h>
#include <strings.h>

enum { REQUIRES_PYTHON_MAX = 200, REQUIRES_MAX = 10000 };

typedef struct field {
    const char *name, *value;
    size_t name_len, value_len;
} field;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line, without its end. False at the end of the data. */
static bool next_line(const char **at, const char *end, const char **line, size_t *len)
{
    if (*at >= end)
        return false;
    const char *nl = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *len = (size_t)((nl == NULL ? end : nl) - *at);
    *at = nl == NULL ? end : nl + 1;
    if (*len > 0 && (*line)[*len - 1] == '\r')
        --*len;
    return true;
}

static bool split_field(const char *line, size_t len, field *f)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL)
        return false;
    const char *value = colon + 1, *end = line + len;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *f = (field){line, value, (size_t)(colon - line), (size_t)(end - value)};
    return true;
}

static bool is_field(const field *f, const char *name)
{
    return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

/* Does the marker (what follows ';') name an extra? The word stands alone, outside of quotes. */
static bool names_extra(const char *marker, size_t len)
{
    char quote = 0;
    for (size_t i = 0; i < len; i++) {
        char c = marker[i];
        if (quote != 0) {
            if (c == quote)
                quote = 0;
            continue;
        }
        if (c == '"' || c == '\'')
            quote = c;
        bool start = i == 0 || strchr(" \t()", marker[i - 1]) != NULL;
        if (start && len - i >= 5 && memcmp(marker + i, "extra", 5) == 0 &&
            (len - i == 5 || strchr(" \t=!<>~)", marker[i + 5]) != NULL))
            return true;
    }
    return false;
}

static int add_requirement(piw_metadata *metadata, const field *f, piw_err *err)
{
    const char *semicolon = memchr(f->value, ';', f->value_len);
    if (semicolon != NULL && names_extra(semicolon + 1, (size_t)(f->value + f->value_len - semicolon - 1)))
        return 0;
    size_t n = 0;
    while (n < f->value_len && strchr(" \t([<>=!~;@,", f->value[n]) == NULL)
        n++;
    char canonical[PIW_NAME_MAX + 1];
    if (metadata->requires_count >= REQUIRES_MAX || !piw_name_canonical((piw_text){f->value, (uint32_t)n}, canonical))
        return 0;
    char **grown = realloc(metadata->requires, (metadata->requires_count + 1) * sizeof *grown);
    if (grown == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read METADATA");
    metadata->requires = grown;
    metadata->requires[metadata->requires_count++] = piw_strdup(canonical);
    return 0;
}

static int set_once(char **to, const field *f, const char *name, piw_err *err)
{
    if (*to != NULL)
        return piw_err_set(err, PIW_EREFUSED, "its METADATA has two fields %s", name);
    *to = piw_strndup(f->value, f->value_len);
    return 0;
}

static int take_field(piw_metadata *metadata, const field *f, piw_err *err)
{
    if (is_field(f, "Name"))
        return set_once(&metadata->name, f, "Name", err);
    if (is_field(f, "Version"))
        return set_once(&metadata->version, f, "Version", err);
    if (is_field(f, "Requires-Dist"))
        return add_requirement(metadata, f, err);
    if (is_field(f, "Summary") && metadata->summary == NULL && piw_utf8_valid(f->value, f->value_len) == f->value_len)
        metadata->summary = piw_strndup(f->value, f->value_len);
    if (is_field(f, "Requires-Python") && metadata->requires_python == NULL && f->value_len > 0 &&
        piw_utf8_valid(f->value, f->value_len) == f->value_len &&
        piw_utf8_chars(f->value, f->value_len) <= REQUIRES_PYTHON_MAX)
        metadata->requires_python = piw_strndup(f->value, f->value_len);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_requires(piw_metadata *metadata)
{
    if (metadata->requires_count < 2)
        return;
    qsort(metadata->requires, metadata->requires_count, sizeof *metadata->requires, compare_texts);
    size_t kept = 1;
    for (size_t i = 1; i < metadata->requires_count; i++) {
        if (strcmp(metadata->requires[i], metadata -> requires[kept - 1]) == 0)
            free(metadata->requires[i]);
        else
        metadata->requires[kept++] = metadata->requires[i];
    }
    metadata->requires_count = kept;
}

int piw_metadata_parse(const void *data, size_t len, piw_metadata *metadata, piw_err *err)
{
    *metadata = (piw_metadata){0};
    const char *at = data, *end = at + len, *line;
    size_t line_len;
    int rc = memchr(data, '\0', len) != NULL ? piw_err_set(err, PIW_EREFUSED, "its METADATA holds a NUL byte") : 0;
    while (rc == 0 && next_line(&at, end, &line, &line_len) && line_len > 0) {
        field f;
        /* A line that begins with a blank continues the one before; none of our fields is ever folded. */
        if (!is_blank(line[0]) && split_field(line, line_len, &f))
            rc = take_field(metadata, &f, err);
    }
    if (rc == 0 && (metadata->name == NULL || metadata->version == NULL))
        rc =
            piw_err_set(err, PIW_EREFUSED, "its METADATA has no field %s", metadata->name == NULL ? "Name" : "Version");
    if (rc != 0)
        piw_metadata_fini(metadata);
    else
        sort_requires(metadata);
    return rc;
}

void piw_metadata_fini(piw_metadata *metadata)
{
    free(metadata->name);
    free(metadata->version);
    free(metadata->summary);
    free(metadata->requires_python);
    for (size_t i = 0; i < metadata->requires_count; i++)
        free(metadata->requires[i]);
    free(metadata->requires);
    *metadata = (piw_metadata){0};
}
