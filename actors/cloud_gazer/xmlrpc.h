/* xmlrpc.h — reads the answer to changelog_since_serial as it comes in: a list of events, or a fault.
 *
 * The bytes are hostile: nesting, the length of a value, the number of events and of bytes are bounded, document types
 * are refused, and memory doesn't grow with the answer. One thread, no task around it. */
#ifndef CLOUD_GAZER_XMLRPC_H
#define CLOUD_GAZER_XMLRPC_H

#include "piw/err.h"

enum {
    GAZER_XML_DEPTH = 32,
    GAZER_XML_VALUE = 8192,      /* bytes of one value; PyPI's longest are file names in actions */
    GAZER_XML_EVENTS = 100000,   /* of one answer; PyPI sends 50,000 */
    GAZER_XML_BYTES = 128 << 20, /* of one answer */
};

/* [name, version, unix time, action, serial]; texts are counted only, and end with the call that they are passed to. */
typedef struct gazer_event {
    piw_text name;
    piw_text version; /* s NULL: nil */
    int64_t time_s;
    piw_text action;
    int64_t serial;
} gazer_event;

/* An event was read. */
typedef void gazer_event_fn(void *arg, const gazer_event *event);

typedef struct gazer_xmlrpc gazer_xmlrpc;

gazer_xmlrpc *gazer_xmlrpc_new(gazer_event_fn *fn, void *arg);
void gazer_xmlrpc_free(gazer_xmlrpc **parser);
/* The next bytes. PIW_ESHAPE or PIW_ELIMIT with a sentence; the parser is then of no more use. */
int gazer_xmlrpc_feed(gazer_xmlrpc *parser, const void *data, size_t len, piw_err *err);
/* No more bytes: was it a whole answer? A fault is PIW_EREFUSED with its code and text in err. */
int gazer_xmlrpc_end(gazer_xmlrpc *parser, piw_err *err);
/* After a fault: the seconds after which it says the limit of requests may reset; 0: it says nothing of that. */
int64_t gazer_xmlrpc_reset_s(const gazer_xmlrpc *parser);
/* The request's body, in memory of the caller's (free). */
char *gazer_xmlrpc_request(int64_t since_serial);

#endif
