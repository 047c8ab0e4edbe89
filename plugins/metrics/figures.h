/* figures.h — all that is known now, and what is shown of it. The task's thread only. */
#ifndef METRICS_FIGURES_H
#define METRICS_FIGURES_H

#include "piw/msg.h"
#include "shared/views.h"

#include <stdio.h>

typedef struct figures {
    piw_msg *counts;  /* metrics_state */
    piw_msg *tasks;   /* tasks_LIST_reply; NULL, as the next two: it isn't known now */
    piw_msg *farm;    /* stats_FIGURES_reply */
    piw_msg *ages;    /* db_QUEUE_AGES_reply */
    int64_t tasks_ns; /* when the tasks were seen last */
    bool database_up;
    uint32_t slaves_max; /* slaves that have samples of their own */
    piw_views views;     /* of the configuration */
} figures;

/* Everything, in Prometheus' text format. */
void figures_write(const figures *self, FILE *to);
/* Sentences that say why the master doesn't live, or can't do its work now; none: it does. */
void figures_write_ill(const figures *self, int64_t stale_ns, FILE *to);
void figures_write_unready(const figures *self, int64_t stale_ns, FILE *to);

#endif
