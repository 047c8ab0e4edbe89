/* errands.c — the packages whose pages are asked for and not yet written, in the order of asking. */
#include "errands.h"

#include <stdlib.h>

errand *errands_add(errands *all, piw_text package, errand_part part, piw_token request)
{
    errand *e = piw_zalloc(sizeof(*e));
    memcpy(e->package, package.s, package.len);
    e->saved = (scribe_errand){.number = ++all->last_number,
                               .package = {e->package, package.len},
                               .part = part,
                               .request = request,
                               .hidden = &e->hidden};
    if (all->last == NULL)
        all->first = e;
    else
        all->last->next = e;
    all->last = e;
    all->count++;
    return e;
}

errand *errands_find(const errands *all, int64_t number)
{
    errand *e = all->first;
    while (e != NULL && e->saved.number != number)
        e = e->next;
    return e;
}

errand *errands_running(const errands *all, const char *package)
{
    errand *e = all->first;
    while (e != NULL && (e->saved.step == STEP_QUEUED || strcmp(e->package, package) != 0))
        e = e->next;
    return e;
}

errand *errands_queued(const errands *all, const char *package)
{
    errand *e = all->first;
    while (e != NULL && (e->saved.step != STEP_QUEUED || strcmp(e->package, package) != 0))
        e = e->next;
    return e;
}

void errands_remove(errands *all, errand *e)
{
    errand *before = NULL;
    for (errand *at = all->first; at != e; at = at->next)
        before = at;
    if (before == NULL)
        all->first = e->next;
    else
        before->next = e->next;
    if (all->last == e)
        all->last = before;
    all->count--;
    free(e);
}

void errands_fini(errands *all)
{
    while (all->first != NULL)
        errands_remove(all, all->first);
}
