/* format.c — Apache's LogFormat strings, and lines split by them. */
#include "format.h"

#include "shared/text.h"
#include "shared/web_log.h"

#include <stdlib.h>
#include <strings.h>

enum {
    PARTS_MAX = 256, /* fields and the texts between them: Apache knows some 60 directives */
    /* Places that are tried for the ends of one line's fields: a usual line needs one for each. */
    TRIES_MAX = 500,
};

/* A field with its directive, or literal text between fields. */
typedef struct part {
    bool literal;
    log_field field;
    char *text; /* literal */
    size_t len;
    moment_format time;
} part;

struct log_format {
    part parts[PARTS_MAX];
    size_t count;
    bool has[FIELDS];
};

/* --- Reading a format --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *text;
} known[] = {
    {"combined", "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""},
    {"common", "%h %l %u %t \"%r\" %>s %b"},
    {"common_vhost", "%v %h %l %u %t \"%r\" %>s %b"},
};

/* One directive: %, status codes, < or >, {argument}, letters. */
typedef struct directive {
    const char *argument; /* not terminated; NULL: none */
    size_t argument_len;
    char letter;
    bool last; /* > */
} directive;

static int read_directive(const char **at, directive *d, piw_err *err)
{
    const char *begin = *at, *p = begin + 1;
    *d = (directive){0};
    while (*p != '\0' && strchr("!0123456789,<>", *p) != NULL)
        d->last |= *p++ == '>';
    if (*p == '{') {
        const char *close = strchr(p, '}');
        if (close == NULL)
            return piw_err_set(err, PIW_EINVAL, "%.60s: the brace is not closed", begin);
        d->argument = p + 1;
        d->argument_len = (size_t)(close - p) - 1;
        p = close + 1;
    }
    if (*p == '^' && (strncmp(p, "^ti", 3) == 0 || strncmp(p, "^to", 3) == 0))
        p += 2;
    if (strchr("aABbCDeEfhHiIklLmnoOpPqrRsSTtuUvVX", *p) == NULL || *p == '\0')
        return piw_err_set(err, PIW_EINVAL, "%.60s: no such directive", begin);
    d->letter = *p;
    *at = p + 1;
    return 0;
}

static bool argument_is(const directive *d, const char *name)
{
    return d->argument != NULL && d->argument_len == strlen(name) &&
           strncasecmp(d->argument, name, d->argument_len) == 0;
}

static log_field field_of(const directive *d)
{
    switch (d->letter) {
    case 'h': /* %{c}h and %{c}a are the next hop's, which may be a proxy */
        return d->argument == NULL ? FIELD_HOST : FIELD_OTHER;
    case 'a':
        return d->argument == NULL ? FIELD_ADDRESS : FIELD_OTHER;
    case 't':
        return FIELD_TIME;
    case 'r':
        return FIELD_REQUEST;
    case 'm':
        return FIELD_METHOD;
    case 'U':
        return FIELD_PATH;
    case 's':
        return d->last ? FIELD_LAST_STATUS : FIELD_STATUS;
    case 'i':
        return argument_is(d, "User-Agent") ? FIELD_AGENT : FIELD_OTHER;
    default:
        return FIELD_OTHER;
    }
}

static int add_field(log_format *format, const directive *d, piw_err *err)
{
    const part *before = format->count > 0 ? &format->parts[format->count - 1] : NULL;
    /* %U%q is a path with its query, which is cut off again. */
    if (d->letter == 'q' && before != NULL && !before->literal && before->field == FIELD_PATH)
        return 0;
    if (before != NULL && !before->literal)
        return piw_err_set(err, PIW_EINVAL, "%%%c follows another field at once: where that ends can't be told",
                           d->letter);
    part *p = &format->parts[format->count++];
    *p = (part){.field = field_of(d)};
    format->has[p->field] |= p->field != FIELD_TIME;
    if (p->field != FIELD_TIME)
        return 0;
    int rc = moment_format_parse(&p->time, d->argument, d->argument_len, err);
    format->has[FIELD_TIME] |= p->time.date;
    return rc;
}

/* Text between fields. Its escapes are those of Apache's configuration. */
static void add_literal(log_format *format, const char **at)
{
    piw_buffer text = {0};
    for (const char *p = *at; *at = p, *p != '\0'; p++) {
        if (p[0] == '%' && p[1] != '%')
            break;
        bool pair = (p[0] == '%' || p[0] == '\\') && p[1] != '\0';
        char c = pair ? *++p : *p;
        if (pair && p[-1] == '\\' && (c == 'n' || c == 't'))
            c = c == 'n' ? '\n' : '\t';
        piw_put_bytes(&text, &c, 1);
    }
    format->parts[format->count++] = (part){.literal = true, .text = (char *)text.data, .len = text.len};
}

static int check(const log_format *format, piw_err *err)
{
    const bool *has = format->has;
    const char *missing = !has[FIELD_TIME]                          ? "time (%t)"
                          : !has[FIELD_HOST] && !has[FIELD_ADDRESS] ? "client's address (%h or %a)"
                          : !has[FIELD_REQUEST] && !(has[FIELD_METHOD] && has[FIELD_PATH]) ? "request (%r)"
                          : !has[FIELD_STATUS] && !has[FIELD_LAST_STATUS]                  ? "status (%>s)"
                                                                                           : NULL;
    return missing == NULL ? 0 : piw_err_set(err, PIW_EINVAL, "it has no %s", missing);
}

int log_format_parse(log_format **format, const char *text, piw_err *err)
{
    const char *given = text;
    for (size_t i = 0; i < PIW_COUNT(known); i++)
        if (strcmp(text, known[i].name) == 0)
            text = known[i].text;
    log_format *made = piw_zalloc(sizeof(*made));
    int rc = 0;
    while (rc == 0 && *text != '\0') {
        directive d;
        if (made->count == PARTS_MAX)
            rc = piw_err_set(err, PIW_EINVAL, "it has more than %d parts", PARTS_MAX);
        else if (text[0] != '%' || text[1] == '%')
            add_literal(made, &text);
        else if ((rc = read_directive(&text, &d, err)) == 0)
            rc = add_field(made, &d, err);
    }
    rc = rc != 0 ? rc : check(made, err);
    if (rc != 0) {
        piw_err_prefix(err, "the format \"%.100s\" (combined, common, common_vhost or an Apache LogFormat)", given);
        log_format_free(&made);
        return rc;
    }
    *format = made;
    return 0;
}

void log_format_free(log_format **format)
{
    if (*format == NULL)
        return;
    for (size_t i = 0; i < (*format)->count; i++)
        free((*format)->parts[i].text);
    free(*format);
    *format = NULL;
}

bool log_format_has_agent(const log_format *format)
{
    return format->has[FIELD_AGENT];
}

/* --- Splitting a line --------------------------------------------------------------------------------------------- */

typedef struct split {
    const log_format *format;
    const char *text;
    size_t len;
    size_t begins[PARTS_MAX], ends[PARTS_MAX];
    unsigned tries;
} split;

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Could this be the field? Decides where a field ends whose text holds what follows it too. */
static bool fits(const part *p, const char *text, size_t len)
{
    moment ignored = {0};
    switch (p->field) {
    case FIELD_TIME:
        return moment_read(&p->time, text, len, &ignored);
    case FIELD_STATUS:
    case FIELD_LAST_STATUS:
        return (len == 1 && text[0] == '-') || (len == 3 && digit(text[0]) && digit(text[1]) && digit(text[2]));
    default:
        return true;
    }
}

/* The next place of what follows a field; a character after a backslash is the field's own. */
static bool find_literal(const split *s, const part *literal, size_t *at)
{
    for (size_t p = *at; p + literal->len <= s->len; p++) {
        if (memcmp(s->text + p, literal->text, literal->len) == 0) {
            *at = p;
            return true;
        }
        if (s->text[p] == '\\')
            p++;
    }
    return false;
}

static bool match(split *s, size_t i, size_t at) // NOLINT(misc-no-recursion): as deep as the format has parts
{
    const log_format *format = s->format;
    if (i == format->count)
        return at == s->len;
    const part *p = &format->parts[i];
    if (p->literal)
        return at + p->len <= s->len && memcmp(s->text + at, p->text, p->len) == 0 && match(s, i + 1, at + p->len);
    s->begins[i] = at;
    if (i + 1 == format->count) {
        s->ends[i] = s->len;
        return fits(p, s->text + at, s->len - at);
    }
    for (size_t end = at; find_literal(s, &format->parts[i + 1], &end); end++) {
        if (s->tries-- == 0) {
            s->tries = 0;
            return false;
        }
        s->ends[i] = end;
        if (fits(p, s->text + at, end - at) && match(s, i + 1, end))
            return true;
        if (s->text[end] == '\\')
            end++;
    }
    return false;
}

/* What Apache and nginx write: \" \\ \n … and \xHH. */
static size_t unescape(const char *from, size_t len, char *to)
{
    static const char letters[] = "bnrtvf\"\\", values[] = "\b\n\r\t\v\f\"\\";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const char *letter = NULL;
        int high = -1, low = -1;
        if (from[i] == '\\' && i + 1 < len && from[i + 1] != '\0')
            letter = strchr(letters, from[i + 1]);
        if (from[i] == '\\' && i + 3 < len && from[i + 1] == 'x') {
            high = piw_log_hex_digit(from[i + 2]);
            low = piw_log_hex_digit(from[i + 3]);
        }
        if (letter != NULL) {
            to[n++] = values[letter - letters];
            i++;
        } else if (high >= 0 && low >= 0) {
            to[n++] = (char)(high << 4 | low);
            i += 3;
        } else {
            to[n++] = from[i];
        }
    }
    return n;
}

static const char *take_fields(const split *s, log_line *line)
{
    moment when = {0};
    char *to = (char *)line->bytes.data;
    for (size_t i = 0; i < s->format->count; i++) {
        const part *p = &s->format->parts[i];
        const char *from = s->text + s->begins[i];
        size_t len = p->literal ? 0 : s->ends[i] - s->begins[i];
        if (p->literal || p->field == FIELD_OTHER)
            continue;
        if (p->field == FIELD_TIME) {
            moment_read(&p->time, from, len, &when);
            continue;
        }
        size_t n = unescape(from, len, to);
        line->fields[p->field] = (piw_text){to, (uint32_t)n};
        to += n;
    }
    if (!moment_finish(&when, &line->time))
        return "there is no such time";
    piw_text status = line->fields[line->fields[FIELD_LAST_STATUS].s != NULL ? FIELD_LAST_STATUS : FIELD_STATUS];
    for (uint32_t i = 0; i < status.len && status.s[0] != '-'; i++)
        line->status = line->status * 10 + (status.s[i] - '0');
    return NULL;
}

const char *log_format_split(const log_format *format, const char *text, size_t len, log_line *line)
{
    memset(line->fields, 0, sizeof(line->fields));
    line->status = 0;
    split s = {.format = format, .text = text, .len = len, .tries = TRIES_MAX};
    if (!match(&s, 0, 0))
        return "it is not of the format";
    /* Fields don't overlap, and unescaped they are no longer. */
    line->bytes.len = 0;
    piw_put_bytes(&line->bytes, text, len);
    piw_put_bytes(&line->bytes, "", 1);
    return take_fields(&s, line);
}

void log_line_fini(log_line *line)
{
    piw_buffer_fini(&line->bytes);
}
