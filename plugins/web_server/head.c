/* head.c — the fields of a request's head. */
#include "head.h"

#include "piw/base.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const names[WEB_FIELDS] = {
    [WEB_ACCEPT] = MHD_HTTP_HEADER_ACCEPT,
    [WEB_ACCEPT_ENCODING] = MHD_HTTP_HEADER_ACCEPT_ENCODING,
    [WEB_IF_MATCH] = MHD_HTTP_HEADER_IF_MATCH,
    [WEB_IF_MODIFIED_SINCE] = MHD_HTTP_HEADER_IF_MODIFIED_SINCE,
    [WEB_IF_NONE_MATCH] = MHD_HTTP_HEADER_IF_NONE_MATCH,
    [WEB_IF_RANGE] = MHD_HTTP_HEADER_IF_RANGE,
    [WEB_IF_UNMODIFIED_SINCE] = MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE,
    [WEB_RANGE] = MHD_HTTP_HEADER_RANGE,
    [WEB_USER_AGENT] = MHD_HTTP_HEADER_USER_AGENT,
};

static enum MHD_Result take(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    web_head *head = arg;
    for (size_t i = 0; i < WEB_FIELDS; i++) {
        if (strcasecmp(names[i], name) != 0)
            continue;
        const char *more = value != NULL ? value : "";
        if (head->fields[i] != NULL) {
            char *both = piw_sprintf("%s, %s", head->fields[i], more);
            free(head->joined[i]);
            more = head->joined[i] = both;
        }
        head->fields[i] = more;
        break;
    }
    return MHD_YES;
}

void web_head_read(struct MHD_Connection *connection, web_head *head)
{
    *head = (web_head){0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, take, head);
}

void web_head_fini(web_head *head)
{
    for (size_t i = 0; i < WEB_FIELDS; i++)
        free(head->joined[i]);
    *head = (web_head){0};
}

typedef struct look {
    unsigned hosts;
    bool body, bad;
} look;

/* A blank in a name, such as before the colon, is what servers disagree about: "Content-Length : 9" is a length to some. */
static bool is_name(const char *name)
{
    return *name != '\0' && strpbrk(name, " \t") == NULL;
}

static enum MHD_Result look_at(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    look *self = arg;
    if (!is_name(name))
        self->bad = true;
    else if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
        self->hosts++;
    else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0 ||
             (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 && (value == NULL || strcmp(value, "0") != 0)))
        self->body = true;
    return MHD_YES;
}

web_head_kind web_head_look(struct MHD_Connection *connection)
{
    look found = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at, &found);
    return found.bad || found.hosts > 1 ? WEB_HEAD_BAD : found.body ? WEB_HEAD_BODY : WEB_HEAD_GOOD;
}
