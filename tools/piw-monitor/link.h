/* link.h — the two queues between a monitor and its master: kept up, greeted again after each loss.
 *
 * Nothing waits here; the caller polls the descriptors and calls link_turn. One owner, one thread. */
#ifndef MONITOR_LINK_H
#define MONITOR_LINK_H

#include "model.h"
#include "piw/client.h"

typedef struct link_queues {
    piw_client *status, *control;
    int64_t hellos;      /* heard when the last one was asked for */
    int64_t greet_ns;    /* when HELLO is said next; 0: not */
    int64_t patience_ms; /* until it is said once more */
    int64_t reset_ns;    /* when a refused connection is tried again; 0: none is */
} link_queues;

/* `key`: NULL: the queues are not encrypted. */
int link_open(link_queues *self, const char *status, const char *control, piw_codec codec, const piw_key *key,
              piw_err *err);
/* What is still on its way to a master that isn't there is given up. */
void link_close(link_queues *self);
/* Read what has come, say HELLO when it is time. True: there may be more to read at once. */
bool link_turn(link_queues *self, model *known);
/* Send a command and note it. Nothing is kept for a master that isn't there: it must not come as a surprise later. */
void link_command(link_queues *self, model *known, command what);
/* How long the caller may sleep before link_turn has something to do, in ms. */
int link_timeout_ms(const link_queues *self);

#endif
