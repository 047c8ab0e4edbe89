/* firsts.h — orders to put a package first, until the database has been told. One thread; package names are the list's,
 * and of who takes one out. */
#ifndef ARCHITECT_FIRSTS_H
#define ARCHITECT_FIRSTS_H

#include "piw/msg.h"
#include "the_architect.piw.h"

enum { FIRSTS_MAX = 100 }; /* that wait at a time: an operator types them */

typedef struct first_order {
    struct first_order *next;
    piw_token answer;
    char *package; /* canonical */
} first_order;

typedef struct first_orders {
    first_order *first, *last;
    int count;
} first_orders; /* zero-initialised is empty */

void firsts_add(first_orders *orders, piw_token answer, const char *package);
/* Take the oldest out; false: there is none. The package is the caller's to free. */
bool firsts_take(first_orders *orders, first_order *taken);
void firsts_fini(first_orders *orders);
/* Over a swap. */
void firsts_save(const first_orders *orders, piw_msg *msg, architect_state *state);
void firsts_load(first_orders *orders, const architect_state *state);

#endif
