/* batches.h — what lumberjack keeps: log entries in batches, each of one table, oldest first.
 *
 * A batch is being filled (number 0), waits to be sent, or has been sent and waits for the answer. Its message is kept
 * until then, so that it can be sent again. Belongs to the soul. */
#ifndef LUMBERJACK_BATCHES_H
#define LUMBERJACK_BATCHES_H

#include "db.piw.h"
#include "lumberjack.piw.h"

typedef enum { KIND_DOWNLOAD, KIND_SEARCH, KIND_PROJECT, KIND_JSON, KIND_PAGE, KINDS } log_kind;

enum {
    BATCH_MAX = 1000,     /* entries of one batch: one statement */
    UNDER_WAY_MAX = 4000, /* entries sent and not answered: the database works on one batch while others come */
    KEPT_MAX = 8000,      /* entries kept in all; then the log queue is read no more, */
    KEPT_LOW = 4000,      /* until there are as few */
};

typedef struct batch {
    struct batch *next;
    piw_msg *msg; /* the call as it is sent, a copy each time */
    int64_t number;
    uint32_t room; /* for entries */
    log_kind kind;
    bool sent;
} batch;

typedef struct batches {
    batch *first, **last;
    batch *filling[KINDS];    /* they stand in the list too; NULL: none */
    uint32_t kept, under_way; /* entries */
    int64_t sender, last_number;
} batches;

/* A new sender; or what a predecessor kept. */
void batches_init(batches *all, const lumberjack_state *kept);
void batches_fini(batches *all);
piw_msg *batches_save(const batches *all, bool paused);

/* Put an entry, cut to its columns, into the batch that its kind fills. The host has been checked. True: the batch is
 * full now. */
bool batches_add_download(batches *all, const download *entry);
bool batches_add_search(batches *all, const search *entry);
bool batches_add_hit(batches *all, log_kind kind, const hit *entry);

uint32_t batch_count(const batch *b);
/* Nothing more comes into batches that are being filled. */
void batches_close(batches *all);
/* The first one to be sent, given its number, or NULL: none, or (unless `last_words`) enough are under way. */
batch *batches_next(batches *all, bool last_words);
/* It is under way; or (its answer is an error for now) isn't any more. */
void batches_sent(batches *all, batch *b, bool sent);
batch *batches_find(const batches *all, int64_t number);
/* It is stored, or given up. */
void batches_end(batches *all, batch *b);
/* The database refused it for its data: in its place two, with half of its entries each. It has more than one. */
void batches_split(batches *all, batch *b);
/* What a batch of one entry holds, for people. */
void batch_print(const batch *b, char *to, size_t size);

#endif
