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
                               .hidden = &e->hidden,
                               .batch = &e->batch,
                               .bulk = &e->bulk,
                               .soon = &e->soon};
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

bool errand_is_bulk(const errand *e)
{
    return (e->bulk || e->renewal) && !e->soon;
}

uint32_t errands_gather(const errands *all, errand **to, uint32_t max, bool bulk)
{
    uint32_t count = 0;
    for (errand *e = all->first; e != NULL && count < max; e = e->next) {
        if (e->saved.step != STEP_ASK || e->batch != 0 || e->job != NULL || errand_is_bulk(e) != bulk ||
            (e->alone && count > 0))
            continue;
        to[count++] = e;
        if (e->alone)
            break;
    }
    return count;
}

/* A call has the number of its first errand, which may have ended or been taken out of it since: count each number where it
 * stands first. */
uint32_t errands_asking(const errands *all, bool bulk)
{
    uint32_t calls = 0;
    for (const errand *e = all->first; e != NULL; e = e->next) {
        if (e->saved.step != STEP_ASK || e->batch == 0 || errand_is_bulk(e) != bulk)
            continue;
        const errand *before = all->first;
        while (before != e && (before->saved.step != STEP_ASK || before->batch != e->batch))
            before = before->next;
        calls += before == e;
    }
    return calls;
}

uint32_t errands_bulk_under_way(const errands *all)
{
    uint32_t count = 0;
    for (const errand *e = all->first; e != NULL; e = e->next)
        count += errand_is_bulk(e) &&
                 (e->saved.step == STEP_WRITE || e->job != NULL || (e->saved.step == STEP_ASK && e->batch != 0));
    return count;
}

errand *errands_held(const errands *all, uint32_t max, bool bulk)
{
    uint32_t written = 0;
    errand *held = NULL;
    for (errand *e = all->first; e != NULL; e = e->next) {
        if (errand_is_bulk(e) != bulk)
            continue;
        written += e->saved.step == STEP_WRITE;
        if (held == NULL && e->job != NULL)
            held = e;
    }
    return written < max ? held : NULL;
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
    piw_msg_free(&e->job);
    free(e);
}

void errands_fini(errands *all)
{
    while (all->first != NULL)
        errands_remove(all, all->first);
}
