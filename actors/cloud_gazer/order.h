/* order.h — PyPI's events from the order of their serials into the order in which they may be applied
 * (docs/reliability.md#pypis-log).
 *
 * Events come in by serial, in any number of readings that may overlap; they go out sorted by (time, serial), each
 * once, and only when 5 minutes of later events are there. One thread, no task around it. */
#ifndef CLOUD_GAZER_ORDER_H
#define CLOUD_GAZER_ORDER_H

#include "cloud_gazer/xmlrpc.h"
#include "db.piw.h"

enum {
    GAZER_WINDOW_S = 300,        /* of later events that must exist before one is delivered */
    GAZER_OVERLAP = 2000,        /* serials below the stored one at which reading starts */
    GAZER_ORDERED_FROM = 628000, /* history below this serial isn't in order of time */
    GAZER_EVENTS_MAX = 1000000,  /* waiting in memory; more are delivered without waiting for the rest */
    GAZER_BATCH = 20000,         /* events of one transaction: well below a second */
    GAZER_UNDER_WAY = 2,         /* batches: one that the database applies, and the next, which it need not wait for */
};

typedef struct gazer_order gazer_order;

/* Begin where the database stands: the stored serial, and the serials applied already. */
gazer_order *gazer_order_new(int64_t stored, const int64_t *applied, uint32_t count);
void gazer_order_free(gazer_order **order);

/* An event was read. True when it is a new one. */
bool gazer_order_add(gazer_order *order, const gazer_event *event);
/* The serial to read on from. `caught_up`: the last reading brought nothing new; then the events of the last minutes
 * are read once more, so that one that PyPI shows late isn't missed. */
int64_t gazer_order_from(const gazer_order *order, bool caught_up);
/* Is so much of the history still missing that its events can't be delivered in order yet? */
bool gazer_order_waits(const gazer_order *order, bool caught_up);

/* The next events, in order, that may be applied: at most `max` of them behind those of batches that are under way, copied into a
 * db.PYPI_APPLY message with the serial to be stored. NULL when neither events nor progress of the serial are there to be
 * stored. The batch is under way until it is confirmed; there are GAZER_UNDER_WAY at most. Its number is one more than that of the
 * one before it, which it names while that is under way; another master's or soul's batches have other numbers. */
piw_msg *gazer_order_batch(gazer_order *order, uint32_t max, bool development);
/* While the database has a batch: put what the next ones will be made of in order. Are `count` events there for one? */
bool gazer_order_ahead(gazer_order *order, uint32_t count);
/* The first batch under way is in the database; or it is given up. */
void gazer_order_confirm(gazer_order *order);
/* Of the batches under way all but the first `kept` won't be in the database: their events come again. */
void gazer_order_take_back(gazer_order *order, uint32_t kept);

/* For progress: the newest serial seen, the one that is stored, events in memory, events delivered and confirmed, and the time of the last of
 * these (0: none yet). */
typedef struct gazer_progress {
    int64_t serial, stored;
    size_t waiting;
    uint64_t applied;
    int64_t applied_s;
} gazer_progress;
gazer_progress gazer_order_progress(const gazer_order *order);

/* What an action of PyPI's log means to the farm: one of pypi_event's actions, or NULL. `*whole` is set when it
 * concerns the package, whatever version is named. */
const char *gazer_action(piw_text action, bool has_version, bool *whole);

#endif
