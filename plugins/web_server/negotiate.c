/* negotiate.c — which form of a page a client wants. */
#include "negotiate.h"

#include <string.h>
#include <strings.h>

enum { Q_ONE = 1000 };

/* One element of a list such as Accept: what stands before its parameters, and its weight in thousandths. */
typedef struct element {
    const char *name;
    size_t len;
    int q;
} element;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The end of what is up to one of `stops`, which within quotes are none. */
static const char *part_end(const char *at, const char *stops)
{
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (quoted && *at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (!quoted && strchr(stops, *at) != NULL)
            break;
    }
    return at;
}

/* "0", "1.000", "0.25": in thousandths; what is none of these counts as 1, as if nothing had been said. */
static int weight(const char *at, const char *end)
{
    if (at == end || (*at != '0' && *at != '1'))
        return Q_ONE;
    int q = (*at - '0') * Q_ONE, unit = Q_ONE / 10;
    at++;
    if (at < end && *at == '.')
        for (at++; at < end && *at >= '0' && *at <= '9'; at++, unit /= 10)
            q += (*at - '0') * unit;
    return q > Q_ONE ? Q_ONE : q;
}

/* The next element of a list; false at its end. */
static bool next(const char **list, element *found)
{
    while (is_blank(**list) || **list == ',')
        (*list)++;
    if (**list == '\0')
        return false;
    const char *at = *list, *end = part_end(at, ",");
    *list = end;
    const char *part = part_end(at, ",;"), *name_end = part;
    while (name_end > at && is_blank(name_end[-1]))
        name_end--;
    *found = (element){at, (size_t)(name_end - at), Q_ONE};
    while (part < end && *part == ';') {
        at = part + 1;
        while (at < end && is_blank(*at))
            at++;
        part = part_end(at, ",;");
        if (part - at > 2 && (*at == 'q' || *at == 'Q') && at[1] == '=')
            found->q = weight(at + 2, part);
    }
    return true;
}

static bool is(const element *found, const char *name)
{
    return strlen(name) == found->len && strncasecmp(found->name, name, found->len) == 0;
}

/* The weight of one form, by the most exact range that covers it. */
typedef struct form {
    const char *name, *alias, *range; /* alias may be NULL */
    int q, exactness;
} form;

static void weigh(form *self, const element *found)
{
    int exactness = is(found, self->name) || (self->alias != NULL && is(found, self->alias)) ? 3
                    : is(found, self->range)                                                 ? 2
                    : is(found, "*/*")                                                       ? 1
                                                                                             : 0;
    if (exactness == 0 || exactness < self->exactness)
        return;
    /* Of two names of one form the better liked one counts. */
    self->q = exactness > self->exactness || found->q > self->q ? found->q : self->q;
    self->exactness = exactness;
}

void web_forms_of(const char *accept, web_forms *forms)
{
    form json = {WEB_TYPE_V1_JSON, "application/vnd.pypi.simple.latest+json", "application/*", 0, 0};
    form html = {WEB_TYPE_V1_HTML, "application/vnd.pypi.simple.latest+html", "application/*", 0, 0};
    form text = {"text/html", NULL, "text/*", 0, 0};
    element found;
    bool said = false;
    for (const char *list = accept != NULL ? accept : ""; next(&list, &found); said = true) {
        weigh(&json, &found);
        weigh(&html, &found);
        weigh(&text, &found);
    }
    if (!said)
        text.q = Q_ONE;
    int html_q = html.q > text.q ? html.q : text.q;
    *forms = (web_forms){
        .json = json.q > 0,
        .html = html_q > 0,
        .json_first = json.exactness == 3 ? json.q >= html_q : json.q > html_q,
        .html_type = html.q > text.q ? WEB_TYPE_V1_HTML : WEB_TYPE_HTML,
    };
}

bool web_takes_gzip(const char *accept_encoding)
{
    form gzip = {"gzip", "x-gzip", "*", 0, 0};
    element found;
    for (const char *list = accept_encoding != NULL ? accept_encoding : ""; next(&list, &found);)
        weigh(&gzip, &found);
    return gzip.q > 0;
}
