/* offers.h — what PyPI offers, for views that don't want what it has: pages of projects of which something waits are read in the
 * background, the first to be built first, before it is given out (docs/views.md#what-pypi-offers). */
#ifndef CLOUD_GAZER_OFFERS_H
#define CLOUD_GAZER_OFFERS_H

#include "piw/task.h"

struct gazer;

typedef struct gazer_offers gazer_offers;

typedef struct gazer_offers_options {
    const char *simple_url, *order; /* live as long as the soul */
    int64_t rate;                   /* pages a second; 0: none, and nothing waits for them */
    int64_t at_once;                /* at the same time */
    int64_t patience_ms;            /* when none could be read for so long, nothing waits any more */
} gazer_offers_options;

gazer_offers *gazer_offers_new(struct gazer *owner, const gazer_offers_options *options);
void gazer_offers_free(gazer_offers **offers);
/* Do what can be done now. */
void gazer_offers_go(gazer_offers *offers);
/* The continuations "offers_go", "offers_due" and "offers_told". */
int on_offers_go(piw_task *task, piw_msg *reply, uint64_t key);
int on_offers_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_offers_told(piw_task *task, piw_msg *reply, uint64_t key);

#endif
