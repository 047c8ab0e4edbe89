/* errands.h — the packages whose pages are asked for and not yet written, in the order of asking. One thread. */
#ifndef SHARED_SCRIBE_ERRANDS_H
#define SHARED_SCRIBE_ERRANDS_H

#include "piw/task.h"
#include "shared/names.h"
#include "the_scribe.piw.h"

typedef enum { PART_PROJECT, PART_BOTH, PART_REMOVE } errand_part;

typedef enum {
    STEP_QUEUED, /* another errand of the same package is under way */
    STEP_ASK,    /* the database is asked, or is to be */
    STEP_WRITE,  /* its pages are being written */
    STEP_ROOT,   /* it waits for a root list without it */
    STEP_REMOVE, /* its pages are being removed */
} errand_step;

typedef struct errand {
    struct errand *next;
    scribe_errand
        saved; /* what a swap keeps. Its texts, flags and `batch` are below; a request with the id 0: nobody waits for it */
    bool hidden;   /* STEP_WRITE: what is written leaves the root list */
    bool renewal;  /* of the rewriting of pages of an older form, not asked for */
    int64_t batch; /* STEP_ASK: of the call that asks for it, the number of the first errand in it; 0: none does yet */
    bool alone;    /* it is to be asked for in a call of its own, since one with others failed */
    bool bulk;     /* its request is BULK */
    bool soon;     /* what is asked for besides waits behind it: it is bulk work no more */
    piw_msg *job;  /* STEP_ASK: the database has answered: a write_pages that isn't handed on yet */
    uint64_t
        paged; /* STEP_WRITE: the views that had a page of it before, a bit each in the order of the configuration */
    char package[PIW_NAME_MAX + 1];
} errand;

typedef struct errands {
    errand *first, *last;
    uint32_t count;
    int64_t last_number;
} errands;

errand *errands_add(errands *all, piw_text package, errand_part part, piw_token request);
errand *errands_find(const errands *all, int64_t number);
/* One of this package that is past STEP_QUEUED, or NULL. */
errand *errands_running(const errands *all, const char *package);
/* What nobody waits for goes after all else. */
bool errand_is_bulk(const errand *e);
/* Those that are to be asked for in the next call, `max` at most, in order: how many. Bulk ones, or the others. */
uint32_t errands_gather(const errands *all, errand **to, uint32_t max, bool bulk);
/* How many calls that ask for errands are under way, each of the kind of its first. */
uint32_t errands_asking(const errands *all, bool bulk);
/* How many bulk ones are being worked on: asked for, held, or written. */
uint32_t errands_bulk_under_way(const errands *all);
/* The first of the kind whose job is held and may be handed on, when less than `max` of the kind are being written; or NULL. */
errand *errands_held(const errands *all, uint32_t max, bool bulk);
/* The first of this package in STEP_QUEUED, or NULL. */
errand *errands_queued(const errands *all, const char *package);
void errands_remove(errands *all, errand *e);
void errands_fini(errands *all);

#endif
