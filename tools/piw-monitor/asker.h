/* asker.h — asks the master over the admin queue for what a large screen shows beside the slaves (farm.h).
 *
 * It asks only while that is shown, one request at a time, and no function waits. A stock master has no admin queue, and not
 * everybody may use ours: then farm.link.why says so. An asker belongs to one thread. */
#ifndef MONITOR_ASKER_H
#define MONITOR_ASKER_H

#include "farm.h"
#include "piw/client.h"

/* In this order; builds last, since a database that is away keeps them waiting. */
typedef enum { ASKER_NOTHING, ASKER_CONFIG, ASKER_QUEUES, ASKER_NEXT, ASKER_BUILDS } asker_question;

typedef struct asker {
    const char *address, *status; /* of the admin queue, and of the status queue; not ours */
    piw_codec codec;
    piw_client *client;         /* NULL: there is no connection */
    asker_question next;        /* what is asked next in this round */
    bool waits;                 /* it was asked, and the answer isn't there */
    int64_t asked_ns;           /* when */
    int64_t due_ns;             /* when the next round, or the next try to connect, begins */
    char *site;                 /* the master's output path; NULL: not known yet */
    char abi[FARM_QUEUE_BYTES]; /* whose versions are asked for in this round */
} asker;

/* What is to be shown. */
typedef struct asker_wish {
    bool wide;       /* false: nothing */
    bool online;     /* the master is there, as its other queues show */
    int64_t slave;   /* whose last build's log; 0: that of the newest failure */
    const char *abi; /* whose queue; NULL: of the first for which something waits */
} asker_wish;

void asker_init(asker *self, const char *address, const char *status, piw_codec codec);
void asker_fini(asker *self);
/* Takes an answer that has come, and asks what is due. True: something new is to be shown. */
bool asker_turn(asker *self, farm_known *known, asker_wish wish);
/* Readable when an answer has come; -1: nothing is waited for. */
int asker_fd(const asker *self);
/* How many milliseconds the caller may sleep until asker_turn has something to do. */
int asker_timeout_ms(const asker *self, bool wide);

#endif
