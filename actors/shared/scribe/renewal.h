/* renewal.h — the pages of an older form are written anew, package after package in the order of their names, whenever nothing
 * else is to be written. What of it is to be done next; one thread. */
#ifndef SHARED_SCRIBE_RENEWAL_H
#define SHARED_SCRIBE_RENEWAL_H

#include "roster.h"
#include "shared/names.h"

typedef enum {
    RENEWAL_WAIT, /* nothing now */
    RENEWAL_PAGE, /* a package's pages */
    RENEWAL_MARK, /* keep how far it has come */
    RENEWAL_END,  /* keep that all is done */
} renewal_step;

typedef enum {
    RENEWAL_DONE,
    RENEWAL_FAILED, /* its pages can't be written: the others go on */
    RENEWAL_AWAY,   /* the database doesn't answer: all have to wait */
} renewal_outcome;

typedef struct renewal {
    bool running;
    bool marking, ending;          /* the site is being told how far it has come, and that this is all */
    uint32_t flying;               /* packages whose pages are being written */
    uint32_t since_mark;           /* packages begun since the last mark */
    uint64_t failed;               /* in this round; none is marked behind the first */
    int64_t not_before_ns;         /* it rests */
    char at[PIW_NAME_MAX + 1];     /* the last package that was begun */
    char marked[PIW_NAME_MAX + 1]; /* the site keeps that all up to here is done */
} renewal;

/* Go on behind a package, "" from the first. */
void renewal_begin(renewal *self, const char *after);
/* What is next. For RENEWAL_PAGE *name is the package, which counts as begun, and *place how many stand before it. */
renewal_step renewal_next(renewal *self, const roster *names, int64_t now_ns, const char **name, size_t *place);
/* What became of a package that was begun. */
void renewal_ended(renewal *self, renewal_outcome outcome, int64_t now_ns);
/* What became of keeping how far it has come; when that was all, nothing runs any more. */
void renewal_marked(renewal *self, bool kept, int64_t now_ns);

#endif
