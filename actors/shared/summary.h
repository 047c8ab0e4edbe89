/* summary.h — finds `info.summary` in a project's JSON as it comes in, and nothing else of it: project documents have
 * many megabytes, the summary stands near their beginning. Hostile input in bounded memory. One thread. */
#ifndef SHARED_SUMMARY_H
#define SHARED_SUMMARY_H

#include "piw/msg.h"

enum { PIW_SUMMARY_MAX = 16384 /* bytes of the text as it stands in JSON; longer ones are cut */ };

typedef struct piw_summary {
    uint32_t depth;                    /* of objects and lists */
    bool in_string, escaped, key_next; /* key_next: the next string of this object is a key */
    bool info;                         /* inside the top object's "info" */
    bool info_next, summary_next;      /* the value to come is that of "info", of its "summary" */
    bool found;                        /* the summary was read to its end */
    bool null;                         /* it isn't a text */
    bool lists[32];                    /* which of the open ones are lists */
    uint32_t len;                      /* of text: the string being read, without quotes, cut */
    char text[PIW_SUMMARY_MAX + 2];
} piw_summary;

/* Zero-initialised begins. False when nothing more is wanted (found, or the document is too deeply nested). */
bool piw_summary_feed(piw_summary *summary, const void *data, size_t len);
/* The summary as text in the arena of `msg`, control characters replaced, at most `chars` characters, the last an
 * ellipsis when it was longer. False when there was none. */
bool piw_summary_text(piw_summary *summary, piw_msg *msg, uint32_t chars, piw_text *text);

#endif
