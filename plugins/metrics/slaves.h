/* slaves.h — the slaves as samples: how many are in which state, and what single ones say of their machines. */
#ifndef METRICS_SLAVES_H
#define METRICS_SLAVES_H

#include "shared/views.h"
#include "stats.piw.h"

#include <stdio.h>

/* `farm` may be NULL: nothing is known now. Single ones, `most` of them: those that came first. */
void slaves_write(const stats_FIGURES_reply *farm, const piw_views *views, uint32_t most, FILE *to);

#endif
