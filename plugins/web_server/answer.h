/* answer.h — the answer to one request. One thread. */
#ifndef WEB_SERVER_ANSWER_H
#define WEB_SERVER_ANSWER_H

#include "head.h"
#include "site.h"

#include "piw/msg.h"

#include <microhttpd.h>

typedef struct web_visit {
    struct MHD_Connection *connection;
    const char *method, *target; /* the target as it was sent, without its query */
    const char *address;         /* of the client */
    bool last;                   /* the connection ends with this answer */
    web_head head;               /* for an answer */
} web_visit;

/* Nobody sends us a body. One that is there nevertheless isn't read, and the connection ends: what follows it could be taken for
 * a request. So it does after a head that may be one to us only. */
enum MHD_Result web_refuse(const web_visit *visit, web_head_kind why);

/* Queue the answer; MHD_NO ends the connection. `entry` is then what lumberjack is told once it has been sent, the
 * caller's; NULL: nothing. */
enum MHD_Result web_answer(const web_site *site, const web_visit *visit, piw_msg **entry);

#endif
