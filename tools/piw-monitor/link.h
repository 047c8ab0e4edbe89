/* link.h — the connections to the master's status and control queues. After a loss they are made again, and HELLO
 * is sent.
 *
 * No function waits: the caller polls the descriptors and calls link_turn. A link belongs to one thread. */
#ifndef MONITOR_LINK_H
#define MONITOR_LINK_H

#include "model.h"
#include "piw/client.h"

typedef struct link_queues {
    piw_client *status, *control;
    int64_t hellos;       /* how many the master had sent when we asked for one the last time */
    int64_t greet_ns;     /* when HELLO is sent next; 0: never */
    int64_t patience_ms;  /* how long its answer may take before it is sent once more */
    int64_t reset_ns;     /* when a refused connection is tried again; 0: none was refused */
    int64_t apart_ns;     /* when a connection that can't come about is made anew; 0: there is none such */
    const char *apart[2]; /* why, as it was said last of status and control */
} link_queues;

/* A `key` of NULL means that the queues are not encrypted. */
int link_open(link_queues *self, const char *status, const char *control, piw_codec codec, const piw_key *key,
              piw_err *err);
/* Closes the connections. Commands that the master hasn't received are lost. */
void link_close(link_queues *self);
/* Reads the messages that have come, and sends HELLO when it is due. True: there may be more to read. */
bool link_turn(link_queues *self, model *known);
/* Sends a command, and shows a note that it was sent. Without a master it is not kept: nobody would expect it to
 * act later. */
void link_command(link_queues *self, model *known, command what);
/* How many milliseconds the caller may sleep until link_turn has something to do. */
int link_timeout_ms(const link_queues *self);

#endif
