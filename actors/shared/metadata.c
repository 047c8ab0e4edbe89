/* metadata.c — reads the fields of a wheel's METADATA that the farm uses. */
#include "shared/metadata.h"

#include "piw/codec.h"
#include "shared/names.h"
#include "shared/text.h"

#include <stdlib.h>
#include <strings.h>

enum { REQUIRES_PYTHON_MAX = 200, REQUIRES_MAX = 10000 };

typedef struct field {
    const char *name, *value;
    size_t name_len, value_len;
} field;

/* The header as it is read: where it goes on, and the field just taken, unfolded. */
typedef struct header {
    const char *at, *end;
    piw_buffer line;
} header;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int refuse(piw_err *err, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its METADATA %s", why);
}

/* The next line, without its end, behind what is in h->line already. */
static int add_line(header *h, piw_err *err)
{
    const char *from = h->at, *nl = memchr(from, '\n', (size_t)(h->end - from));
    size_t len = (size_t)((nl == NULL ? h->end : nl) - from);
    h->at = nl == NULL ? h->end : nl + 1;
    if (len > 0 && from[len - 1] == '\r')
        len--;
    /* For Python's readers a CR alone ends a line, for others it doesn't. */
    if (memchr(from, '\r', len) != NULL)
        return refuse(err, "has a CR inside a line of its header");
    size_t before = h->line.len;
    if (piw_buffer_add(&h->line, from, len) != 0)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read METADATA");
    for (size_t i = before; i < h->line.len; i++)
        h->line.data[i] = h->line.data[i] == '\t' ? ' ' : h->line.data[i];
    return 0;
}

/* The next field with the lines that continue it (RFC 5322, 2.2.3), tabs as blanks; an empty line ends the header. */
static int next_line(header *h, piw_err *err)
{
    h->line.len = 0;
    int rc = h->at < h->end && is_blank(*h->at) ? refuse(err, "begins with a blank") : add_line(h, err);
    while (rc == 0 && h->line.len > 0 && h->at < h->end && is_blank(*h->at))
        rc = add_line(h, err);
    return rc;
}

/* Readers end the header at a line that is no field: what follows would count for some and not for others. */
static int split_field(const header *h, field *f, piw_err *err)
{
    const char *line = (const char *)h->line.data, *end = line + h->line.len;
    const char *colon = memchr(line, ':', h->line.len);
    if (colon == NULL || colon == line)
        return refuse(err, "has a line in its header that is no field");
    for (const char *c = line; c < colon; c++) {
        if (*c <= ' ' || *c > '~')
            return refuse(err, "has a line in its header that is no field");
    }
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *f = (field){line, value, (size_t)(colon - line), (size_t)(end - value)};
    return 0;
}

static bool is_field(const field *f, const char *name)
{
    return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Does the marker compare an extra? The variable is a word of its own, outside of quotes (PEP 508). */
static bool names_extra(const char *at, const char *end)
{
    while (at < end) {
        const char *start = at++;
        if (*start == '"' || *start == '\'') {
            const char *close = memchr(at, *start, (size_t)(end - at));
            at = close == NULL ? end : close + 1;
        } else if (is_word(*start)) {
            while (at < end && is_word(*at))
                at++;
            if (at - start == 5 && memcmp(start, "extra", 5) == 0)
                return true;
        }
    }
    return false;
}

/* What follows a requirement's ';', or its end. A URL may hold one: there it stands behind a blank. */
static const char *find_marker(const char *value, const char *end)
{
    const char *semicolon = memchr(value, ';', (size_t)(end - value));
    const char *at = memchr(value, '@', (size_t)((semicolon == NULL ? end : semicolon) - value));
    while (semicolon != NULL && at != NULL && !is_blank(semicolon[-1]))
        semicolon = memchr(semicolon + 1, ';', (size_t)(end - semicolon - 1));
    return semicolon == NULL ? end : semicolon + 1;
}

static int add_requirement(piw_metadata *metadata, const field *f, piw_err *err)
{
    const char *end = f->value + f->value_len;
    if (names_extra(find_marker(f->value, end), end))
        return 0;
    size_t n = 0;
    while (n < f->value_len && strchr(" \t([<>=!~;@,", f->value[n]) == NULL)
        n++;
    char canonical[PIW_NAME_MAX + 1];
    if (metadata->requires_count >= REQUIRES_MAX || !piw_name_canonical((piw_text){f->value, (uint32_t)n}, canonical))
        return 0;
    char **grown = realloc(metadata->requires, (metadata->requires_count + 1) * sizeof(*grown));
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

/* One that is lost or cut would offer the wheel to Pythons that it excludes. */
static int take_requires_python(piw_metadata *metadata, const field *f, piw_err *err)
{
    if (f->value_len == 0)
        return 0;
    if (piw_utf8_chars(f->value, f->value_len) > REQUIRES_PYTHON_MAX)
        return refuse(err, "has a Requires-Python of more than 200 characters, which the index can't hold");
    if (piw_text_has_control((piw_text){f->value, (uint32_t)f->value_len}))
        return refuse(err, "has a control character in Requires-Python");
    return set_once(&metadata->requires_python, f, "Requires-Python", err);
}

static int take_field(piw_metadata *metadata, const field *f, piw_err *err)
{
    if (is_field(f, "Metadata-Version"))
        return set_once(&metadata->metadata_version, f, "Metadata-Version", err);
    if (is_field(f, "Name"))
        return set_once(&metadata->name, f, "Name", err);
    if (is_field(f, "Version"))
        return set_once(&metadata->version, f, "Version", err);
    if (is_field(f, "Requires-Dist"))
        return add_requirement(metadata, f, err);
    if (is_field(f, "Requires-Python"))
        return take_requires_python(metadata, f, err);
    if (is_field(f, "Summary") && metadata->summary == NULL)
        metadata->summary = piw_strndup(f->value, f->value_len);
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
    qsort(metadata->requires, metadata->requires_count, sizeof(*metadata->requires), compare_texts);
    size_t kept = 1;
    for (size_t i = 1; i < metadata->requires_count; i++) {
        if (strcmp(metadata->requires[i], metadata -> requires[kept - 1]) == 0)
            free(metadata->requires[i]);
        else
        metadata->requires[kept++] = metadata->requires[i];
    }
    metadata->requires_count = kept;
}

static int read_header(const char *data, size_t len, piw_metadata *metadata, piw_err *err)
{
    header h = {.at = data, .end = data + len};
    int rc = 0;
    while (rc == 0 && h.at < h.end) {
        field f = {0};
        rc = next_line(&h, err);
        if (rc == 0 && h.line.len == 0)
            break;
        rc = rc != 0 ? rc : split_field(&h, &f, err);
        rc = rc != 0 ? rc : take_field(metadata, &f, err);
    }
    piw_buffer_fini(&h.line);
    return rc;
}

int piw_metadata_parse(const void *data, size_t len, piw_metadata *metadata, piw_err *err)
{
    *metadata = (piw_metadata){0};
    int rc = 0;
    if (memchr(data, '\0', len) != NULL)
        rc = refuse(err, "holds a NUL byte");
    else if (piw_utf8_valid(data, len) != len)
        rc = refuse(err, "isn't UTF-8");
    rc = rc != 0 ? rc : read_header(data, len, metadata, err);
    if (rc == 0 && (metadata->name == NULL || metadata->version == NULL))
        rc = refuse(err, metadata->name == NULL ? "has no field Name" : "has no field Version");
    if (rc != 0)
        piw_metadata_fini(metadata);
    else
        sort_requires(metadata);
    return rc;
}

void piw_metadata_fini(piw_metadata *metadata)
{
    free(metadata->metadata_version);
    free(metadata->name);
    free(metadata->version);
    free(metadata->summary);
    free(metadata->requires_python);
    for (size_t i = 0; i < metadata->requires_count; i++)
        free(metadata->requires[i]);
    free(metadata->requires);
    *metadata = (piw_metadata){0};
}
