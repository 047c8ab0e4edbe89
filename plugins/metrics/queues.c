/* queues.c — which machines a build queue is for: each has an ABI; where the farm has views, it may be the queue of one. What is left
 * of a view whose section is gone has no ABI that is known. */
#include "queues.h"

#include "shared/abi.h"

static piw_text abi_of(const piw_views *views, piw_text queue)
{
    const piw_farm_view *view = piw_views_of_queue(views, queue);
    if (view != NULL)
        return piw_text_of(view->abi);
    return views->count == 0 || piw_abi_typed(queue) ? queue : piw_text_of("other");
}

exposition_label queues_abi(const piw_views *views, piw_text queue)
{
    return (exposition_label){"abi", abi_of(views, queue)};
}

exposition_label queues_view(const piw_views *views, piw_text queue)
{
    if (views->count == 0)
        return (exposition_label){0};
    const piw_farm_view *view = piw_views_of_queue(views, queue);
    if (view != NULL)
        return (exposition_label){"view", piw_text_of(view->name)};
    return (exposition_label){"view", piw_abi_typed(queue) ? piw_text_of("none") : queue};
}

bool queues_know_abi(const piw_views *views, piw_text queue, piw_text abi)
{
    return piw_text_eq(abi_of(views, queue), abi);
}
