/* web_entry.h — the entry that a request to the web server becomes, if any
 * (docs/web-logs.md#which-request-becomes-which-entry): for piw-logger, which reads of it in a log, and for a server of our own.
 *
 * Any thread. */
#ifndef SHARED_WEB_ENTRY_H
#define SHARED_WEB_ENTRY_H

#include "common.piw.h"

/* A GET that was answered with status 200. Any bytes. */
typedef struct piw_web_request {
    piw_text target; /* as it was sent: with a query, %XX and all */
    piw_text host;   /* the client's address */
    piw_text agent;  /* empty: it said none */
    piw_time time;
} piw_web_request;

/* Who makes the messages: the log queue and the service `hits` say the same in words of their own. */
typedef struct piw_web_words {
    piw_msg *(*download)(download **body);
    piw_msg *(*search)(search **body);
    piw_msg *(*project)(hit **body);
    piw_msg *(*json)(hit **body);
    piw_msg *(*page)(hit **body);
} piw_web_words;

/* The request's message, the caller's; NULL: the rules have none for it. */
piw_msg *piw_web_entry(const piw_web_words *words, const piw_web_request *request);

#endif
