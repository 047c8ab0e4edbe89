/* head.h — the fields of a request's head. One thread. */
#ifndef WEB_SERVER_HEAD_H
#define WEB_SERVER_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>

typedef enum {
    WEB_ACCEPT,
    WEB_ACCEPT_ENCODING,
    WEB_IF_MATCH,
    WEB_IF_MODIFIED_SINCE,
    WEB_IF_NONE_MATCH,
    WEB_IF_RANGE,
    WEB_IF_UNMODIFIED_SINCE,
    WEB_RANGE,
    WEB_USER_AGENT,
    WEB_FIELDS
} web_field;

/* What an answer depends on. A field that came several times is one, with commas between (RFC 9110 5.3): where no list may stand it
 * can't be read then, and counts as if it weren't there. NULL: it isn't. */
typedef struct web_head {
    const char *fields[WEB_FIELDS];
    char *joined[WEB_FIELDS];
} web_head;

void web_head_read(struct MHD_Connection *connection, web_head *head);
void web_head_fini(web_head *head);

typedef enum {
    WEB_HEAD_GOOD,
    WEB_HEAD_BODY, /* a body follows it */
    WEB_HEAD_BAD,  /* where it ends, or whose it is, another server might read otherwise (RFC 9112 3.2, 5.1) */
} web_head_kind;

web_head_kind web_head_look(struct MHD_Connection *connection);

#endif
