/* header.c — the fields at the head of METADATA and WHEEL. */
#include "shared/header.h"

#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int refuse(const piw_header *h, const char *why, piw_err *err)
{
    return piw_err_set(err, PIW_EREFUSED, "its %s %s", h->file, why);
}

int piw_header_init(piw_header *header, const void *data, size_t len, const char *file, piw_err *err)
{
    *header = (piw_header){.file = file, .at = data, .end = (const char *)data + len};
    if (memchr(data, '\0', len) != NULL)
        return refuse(header, "holds a NUL byte", err);
    if (piw_utf8_valid(data, len) != len)
        return refuse(header, "isn't UTF-8", err);
    return 0;
}

/* The next line, without its end, behind what is in h->line already. */
static int add_line(piw_header *h, piw_err *err)
{
    const char *from = h->at, *nl = memchr(from, '\n', (size_t)(h->end - from));
    size_t len = (size_t)((nl == NULL ? h->end : nl) - from);
    h->at = nl == NULL ? h->end : nl + 1;
    if (len > 0 && from[len - 1] == '\r')
        len--;
    /* For Python's readers a CR alone ends a line, for others it doesn't. */
    if (memchr(from, '\r', len) != NULL)
        return refuse(h, "has a CR inside a line of its header", err);
    size_t before = h->line.len;
    if (piw_buffer_add(&h->line, from, len) != 0)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read %s", h->file);
    for (size_t i = before; i < h->line.len; i++)
        h->line.data[i] = h->line.data[i] == '\t' ? ' ' : h->line.data[i];
    return 0;
}

/* The next field with the lines that continue it (RFC 5322, 2.2.3); an empty line ends the header. */
static int next_line(piw_header *h, piw_err *err)
{
    h->line.len = 0;
    int rc = h->at < h->end && is_blank(*h->at) ? refuse(h, "begins with a blank", err) : add_line(h, err);
    while (rc == 0 && h->line.len > 0 && h->at < h->end && is_blank(*h->at))
        rc = add_line(h, err);
    return rc;
}

/* Readers end the header at a line that is no field: what follows would count for some and not for others. */
static int split_field(const piw_header *h, piw_header_field *f, piw_err *err)
{
    const char *line = (const char *)h->line.data, *end = line + h->line.len;
    const char *colon = memchr(line, ':', h->line.len);
    if (colon == NULL || colon == line)
        return refuse(h, "has a line in its header that is no field", err);
    for (const char *c = line; c < colon; c++) {
        if (*c <= ' ' || *c > '~')
            return refuse(h, "has a line in its header that is no field", err);
    }
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    *f = (piw_header_field){{line, (uint32_t)(colon - line)}, {value, (uint32_t)(end - value)}};
    return 0;
}

int piw_header_next(piw_header *header, piw_header_field *field, piw_err *err)
{
    if (header->at == header->end)
        return 0;
    int rc = next_line(header, err);
    if (rc != 0 || header->line.len == 0)
        return rc;
    rc = split_field(header, field, err);
    return rc != 0 ? rc : 1;
}

void piw_header_fini(piw_header *header)
{
    piw_buffer_fini(&header->line);
}

bool piw_header_is(const piw_header_field *field, const char *name)
{
    return field->name.len == strlen(name) && strncasecmp(field->name.s, name, field->name.len) == 0;
}

int piw_header_once(const piw_header *header, const piw_header_field *field, const char *name, char **to, piw_err *err)
{
    if (*to != NULL)
        return piw_err_set(err, PIW_EREFUSED, "its %s has two fields %s", header->file, name);
    *to = piw_strndup(field->value.s, field->value.len);
    return 0;
}
