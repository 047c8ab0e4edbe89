/* queues.h — which machines a build queue is for, as labels of samples. */
#ifndef METRICS_QUEUES_H
#define METRICS_QUEUES_H

#include "exposition.h"
#include "shared/views.h"

/* `queue` is what messages call it: an ABI, or a view but the common one (docs/views.md). */
exposition_label queues_abi(const piw_views *views, piw_text queue);
/* As the last label of a sample: a farm without views has none. */
exposition_label queues_view(const piw_views *views, piw_text queue);
/* Does the farm build for this ABI, when these are its queues? */
bool queues_know_abi(const piw_views *views, piw_text queue, piw_text abi);

#endif
