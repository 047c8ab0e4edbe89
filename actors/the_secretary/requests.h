/* requests.h — page requests waiting, due, or being written: one a package (docs/site.md#requests-for-pages). Bulk ones wait
 * apart from the others, which never wait for them.
 *
 * A request waits from its first asking on; asking again merges into it: the greater part wins, `now` makes it due.
 * What is asked for while it is being written waits behind it. Time is given by the caller. One thread. */
#ifndef THE_SECRETARY_REQUESTS_H
#define THE_SECRETARY_REQUESTS_H

#include "piw/base.h"
#include "shared/names.h"
#include "shared/table.h"
#include "the_secretary.piw.h"

enum { REQUESTS_FLYING_MAX = 96 };

/* In the order in which they win. */
typedef enum {
    PART_NONE,
    PART_PROJECT, /* the project's page */
    PART_BOTH,    /* its simple index too */
    PART_REMOVE,  /* all pages go */
} page_part;

typedef struct request {
    piw_table_node node;
    uint32_t place;          /* in its heap, from 1; 0: being written */
    bool of_all;             /* asked for with all packages */
    bool bulk;               /* and by nobody else */
    secretary_request saved; /* what a swap keeps; its text and flags are those here */
    char package[PIW_NAME_MAX + 1];
} request;

/* at[1 … waiting]: by due_ns. */
typedef struct request_heap {
    request **at;
    size_t waiting, room;
} request_heap;

typedef struct requests {
    piw_table by_package;
    request_heap heaps[2]; /* [true]: of bulk ones */
    request *flying[REQUESTS_FLYING_MAX];
    size_t flying_count, flying_bulk;
    size_t of_all;  /* those that are */
    size_t failing; /* those that couldn't be written so far */
    int64_t last_number;
    uint64_t seed;
} requests;

void requests_init(requests *all);
void requests_fini(requests *all);
request *requests_find(const requests *all, piw_text package);
/* Ask for a part of a package's pages at `due_ns`. An earlier request keeps its time, but for one that is later than
 * this, and for bulk ones, which have none. PART_REMOVE throws away what was pending. Returns the request, which isn't bulk, though
 * it may have been. */
request *requests_ask(requests *all, piw_text package, page_part part, int64_t due_ns, piw_time added_at);
/* The same with all packages, so that it is marked as one of them until it is done. Unless it was asked for before, it is bulk; one
 * that waits already keeps its time: what is held, written all at once, would be no bulk work. */
request *requests_ask_of_all(requests *all, piw_text package, page_part part, int64_t due_ns, piw_time added_at);
/* How many bulk ones wait, or of the others. */
size_t requests_waiting(const requests *all, bool bulk);
/* The one that has been due longest at `now_ns`, or NULL: of the bulk ones or of the others. */
request *requests_due(const requests *all, int64_t now_ns, bool bulk);
/* When the next one of them is due; INT64_MAX: none waits. */
int64_t requests_next_due(const requests *all, bool bulk);
/* It is being written now (at most REQUESTS_FLYING_MAX at once). Returns the number of this writing. */
int64_t requests_fly(requests *all, request *r);
/* The one whose writing has this number, or NULL. */
request *requests_flying(const requests *all, int64_t number);
/* It has been written: gone, or waiting again when it was asked for meanwhile. */
void requests_done(requests *all, request *r);
/* It couldn't be written: asked for again at `due_ns`. */
void requests_failed(requests *all, request *r, int64_t due_ns);
/* How often that was so already, by what a swap has kept. */
void requests_set_tries(requests *all, request *r, int64_t tries);
size_t requests_count(const requests *all);
/* One after the other; NULL begins and ends. */
request *requests_next(const requests *all, const request *r);

#endif
