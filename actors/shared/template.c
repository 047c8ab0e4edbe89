/* template.c — pages from templates: a subset of mustache. A template is read into steps first, so that what is wrong with its
 * form is said before anything is made of it. */
#include "shared/template.h"

#include "shared/text.h"

#include <stdlib.h>

typedef enum { STEP_TEXT, STEP_VALUE, STEP_MARKUP, STEP_SECTION, STEP_INVERTED, STEP_INSERT } step_kind;

typedef struct step {
    step_kind kind;
    uint32_t line, end; /* sections: the step after their content */
    piw_text text;      /* STEP_TEXT: as it is; else a name */
} step;

typedef struct steps {
    step *at;
    uint32_t count, room;
    uint32_t open[PIW_TEMPLATE_DEPTH], open_count; /* sections that aren't closed yet */
} steps;

typedef struct reader {
    const char *called, *at, *end;
    uint32_t line;
    steps *to;
    piw_err *err;
} reader;

static int wrong(piw_err *err, const char *called, uint32_t line, const char *what, piw_text name)
{
    return piw_err_set(err, PIW_EINVAL, "%s:%u: {{%.*s}} %s", called, line, (int)(name.len > 60 ? 60 : name.len),
                       name.s, what);
}

static step *push(steps *to, step_kind kind, uint32_t line, piw_text text)
{
    if (to->count == to->room) {
        to->room = to->room == 0 ? 64 : 2 * to->room;
        to->at = piw_realloc(to->at, to->room * sizeof(*to->at));
    }
    to->at[to->count] = (step){kind, line, 0, text};
    return &to->at[to->count++];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static piw_text trimmed(const char *from, const char *end)
{
    while (from < end && (is_blank(*from) || *from == '\n'))
        from++;
    while (end > from && (is_blank(end[-1]) || end[-1] == '\n'))
        end--;
    return (piw_text){from, (uint32_t)(end - from)};
}

static bool is_name(piw_text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.s[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
              c == '.'))
            return false;
    }
    return name.len > 0;
}

static int open_section(reader *r, step_kind kind, piw_text name, uint32_t line)
{
    steps *to = r->to;
    if (to->open_count == PIW_TEMPLATE_DEPTH)
        return wrong(r->err, r->called, line, "is too deep inside of others", name);
    to->open[to->open_count++] = to->count;
    push(to, kind, line, name);
    return 0;
}

static int close_section(reader *r, piw_text name, uint32_t line)
{
    steps *to = r->to;
    if (to->open_count == 0)
        return wrong(r->err, r->called, line, "closes a section that isn't open", name);
    step *opened = &to->at[to->open[to->open_count - 1]];
    if (!piw_text_eq(opened->text, name))
        return piw_err_set(r->err, PIW_EINVAL, "%s:%u: {{/%.*s}} stands where {{#%.*s}} of line %u is to be closed",
                           r->called, line, (int)(name.len > 60 ? 60 : name.len), name.s, (int)opened->text.len,
                           opened->text.s, opened->line);
    opened->end = to->count;
    to->open_count--;
    return 0;
}

/* Does the tag stand alone in its line? Then the line vanishes with it: `before` is the text's start on the left, and *after
 * moves behind the line's end. */
static bool stands_alone(const char *start, const char *tag, const char *end, const char **before, const char **after)
{
    const char *left = tag, *right = *after;
    while (left > start && is_blank(left[-1]))
        left--;
    while (right < end && is_blank(*right))
        right++;
    if ((left > start && left[-1] != '\n') || (right < end && *right != '\n'))
        return false;
    *before = left;
    *after = right < end ? right + 1 : right;
    return true;
}

static int read_tag(reader *r, char sign, piw_text name, uint32_t line)
{
    if (!is_name(name))
        return wrong(r->err, r->called, line, "is no name", name);
    switch (sign) {
    case '#':
        return open_section(r, STEP_SECTION, name, line);
    case '^':
        return open_section(r, STEP_INVERTED, name, line);
    case '/':
        return close_section(r, name, line);
    default:
        push(r->to, sign == '>' ? STEP_INSERT : sign == '&' ? STEP_MARKUP : STEP_VALUE, line, name);
        return 0;
    }
}

static uint32_t lines_in(const char *from, const char *to)
{
    uint32_t count = 0;
    for (; from < to; from++)
        count += *from == '\n';
    return count;
}

/* The next tag, and the text before it. */
static int read_next(reader *r, const char *start)
{
    const char *tag = memmem(r->at, (size_t)(r->end - r->at), "{{", 2);
    const char *text = r->at, *text_end = tag == NULL ? r->end : tag;
    if (tag == NULL) {
        if (text < text_end)
            push(r->to, STEP_TEXT, r->line, (piw_text){text, (uint32_t)(text_end - text)});
        r->at = r->end;
        return 0;
    }
    uint32_t line = r->line + lines_in(text, tag);
    bool triple = tag + 2 < r->end && tag[2] == '{';
    const char *inside = tag + (triple ? 3 : 2);
    const char *close = memmem(inside, (size_t)(r->end - inside), triple ? "}}}" : "}}", triple ? 3 : 2);
    if (close == NULL)
        return piw_err_set(r->err, PIW_EINVAL, "%s:%u: {{ without its }}", r->called, line);
    const char *after = close + (triple ? 3 : 2);
    char sign = triple ? '&' : inside < close && strchr("#^/>!&=", *inside) != NULL ? *inside : '\0';
    piw_text name = trimmed(inside + (sign != '\0' && !triple), close);
    if (sign == '=')
        return piw_err_set(r->err, PIW_EINVAL, "%s:%u: delimiters can't be changed", r->called, line);
    const char *next = after;
    if (sign != '\0' && sign != '&')
        stands_alone(start, tag, r->end, &text_end, &next);
    if (text < text_end)
        push(r->to, STEP_TEXT, r->line, (piw_text){text, (uint32_t)(text_end - text)});
    int rc = sign == '!' ? 0 : read_tag(r, sign, name, line);
    r->line = line + lines_in(tag, next);
    r->at = next;
    return rc;
}

static int read_steps(const char *called, piw_text text, steps *to, piw_err *err)
{
    reader r = {.called = called, .at = text.s, .end = text.s + text.len, .line = 1, .to = to, .err = err};
    int rc = 0;
    while (rc == 0 && r.at < r.end)
        rc = read_next(&r, text.s);
    if (rc == 0 && to->open_count > 0) {
        const step *opened = &to->at[to->open[to->open_count - 1]];
        rc = piw_err_set(err, PIW_EINVAL, "%s:%u: {{#%.*s}} is never closed", called, opened->line,
                         (int)opened->text.len, opened->text.s);
    }
    return rc;
}

/* --- Making the page ---------------------------------------------------------------------------------------------- */

typedef struct maker {
    const piw_template_source *source;
    const piw_view *views[PIW_TEMPLATE_DEPTH * PIW_TEMPLATE_DEPTH + 1]; /* the innermost last */
    uint32_t views_count, depth;
    uint32_t left; /* steps that may still be made */
    size_t limit;  /* of the buffer */
    piw_buffer *to;
    piw_err *err;
} maker;

static int insert(maker *m, piw_text name);

static const piw_view_value *look_up(const maker *m, piw_text name)
{
    for (uint32_t i = m->views_count; i > 0; i--) {
        const piw_view_value *value = piw_view_find(m->views[i - 1], name.s, name.len);
        if (value != NULL)
            return value;
    }
    return NULL;
}

static int put_value(maker *m, const char *called, const step *s, const piw_view_value *value)
{
    bool markup = value->kind == VIEW_MARKUP;
    if (value->kind == VIEW_FLAG || value->kind == VIEW_LIST)
        return wrong(m->err, called, s->line, "is no text: {{#…}} and {{^…}} are for it", s->text);
    if (markup != (s->kind == STEP_MARKUP))
        return wrong(m->err, called, s->line,
                     markup ? "is HTML already: write {{{…}}}" : "is text, which is always escaped: write {{…}}",
                     s->text);
    if (markup)
        piw_put_text(m->to, value->text);
    else
        piw_put_html(m->to, value->text);
    return 0;
}

static int run(maker *m, const char *called, const steps *all, uint32_t from, uint32_t end);

static int run_section(maker *m, const char *called, const steps *all, uint32_t at, const piw_view_value *value)
{
    const step *s = &all->at[at];
    bool is = value->kind == VIEW_LIST   ? value->first != NULL
              : value->kind == VIEW_FLAG ? value->flag
                                         : value->text.len > 0;
    if (s->kind == STEP_INVERTED || value->kind != VIEW_LIST)
        return is == (s->kind == STEP_SECTION) ? run(m, called, all, at + 1, s->end) : 0;
    int rc = 0;
    for (const piw_view *item = value->first; item != NULL && rc == 0; item = piw_view_next(item)) {
        m->views[m->views_count++] = item;
        rc = run(m, called, all, at + 1, s->end);
        m->views_count--;
    }
    return rc;
}

static int run(maker *m, const char *called, const steps *all, uint32_t from, uint32_t end)
{
    int rc = 0;
    for (uint32_t i = from; i < end && rc == 0; i++) {
        const step *s = &all->at[i];
        if (m->left-- == 0 || m->to->len > m->limit) {
            m->left = 0;
            return piw_err_set(m->err, PIW_ELIMIT, "%s:%u: the page becomes too large", called, s->line);
        }
        if (s->kind == STEP_TEXT) {
            piw_put_text(m->to, s->text);
            continue;
        }
        if (s->kind == STEP_INSERT) {
            rc = insert(m, s->text);
            continue;
        }
        const piw_view_value *value = look_up(m, s->text);
        if (value == NULL)
            return wrong(m->err, called, s->line, "is a name that this page doesn't have", s->text);
        if (s->kind == STEP_VALUE || s->kind == STEP_MARKUP) {
            rc = put_value(m, called, s, value);
        } else {
            rc = run_section(m, called, all, i, value);
            i = s->end - 1;
        }
    }
    return rc;
}

static int insert(maker *m, piw_text name)
{
    piw_text text;
    const char *called;
    if (m->depth == PIW_TEMPLATE_DEPTH)
        return piw_err_set(m->err, PIW_ELIMIT, "%.*s: templates in templates, without an end", (int)name.len, name.s);
    int rc = m->source->find(m->source->arg, name, &text, &called, m->err);
    if (rc != 0)
        return rc;
    steps all = {0};
    m->depth++;
    rc = text.len > PIW_TEMPLATE_MAX
             ? piw_err_set(m->err, PIW_ELIMIT, "%s is larger than %d KiB", called, PIW_TEMPLATE_MAX >> 10)
             : read_steps(called, text, &all, m->err);
    if (rc == 0)
        rc = run(m, called, &all, 0, all.count);
    m->depth--;
    free(all.at);
    if (m->source->done != NULL)
        m->source->done(m->source->arg, text, called);
    return rc;
}

int piw_template_render(const piw_template_source *source, const char *name, const piw_view *view, piw_buffer *to,
                        piw_err *err)
{
    size_t before = to->len;
    maker *m = piw_zalloc(sizeof(*m));
    m->source = source;
    m->views[m->views_count++] = view;
    m->left = PIW_TEMPLATE_STEPS;
    m->limit = before + PIW_TEMPLATE_OUTPUT;
    m->to = to;
    m->err = err;
    int rc = insert(m, piw_text_of(name));
    free(m);
    if (rc != 0)
        to->len = before;
    return rc;
}
