/* swaps.h — tasks of the master swapped while the load goes on: REPLACE over the admin queue, one after another, and
 * after each how long the task stood still. */
#ifndef LOADGEN_SWAPS_H
#define LOADGEN_SWAPS_H

#include "piw/client.h"
#include "report.h"

enum { LOAD_SWAP_TASKS_MAX = 16 };

typedef struct load_swap {
    char task[65];
    char files[2][256]; /* taken in turn; the second first, as the first is what runs */
    int64_t count;      /* swaps done */
    load_times pauses;  /* as the master measured them */
    load_times answers; /* from REPLACE to its answer */
} load_swap;

typedef struct load_swaps {
    piw_client *admin; /* NULL: none are wanted */
    load_swap tasks[LOAD_SWAP_TASKS_MAX];
    size_t tasks_count, at; /* `at`: whose turn it is */
    int64_t wanted;         /* of each task */
    int64_t every_ms;       /* from one REPLACE to the next, at least */
    bool resting;           /* until that time has come */
    bool looking;           /* INFO is asked; else REPLACE */
    bool waiting;
    int64_t asked_ns, replaced_ns, patience_ms;
} load_swaps;

/* `items` are TASK=FILE,FILE. */
int load_swaps_open(load_swaps *swaps, const char *address, piw_codec codec, const char *const *items, size_t count,
                    int64_t wanted, piw_err *err);
void load_swaps_close(load_swaps *swaps);
/* Ask for the first; then read what came, and ask for the next. */
int load_swaps_begin(load_swaps *swaps, piw_err *err);
int load_swaps_hear(load_swaps *swaps, load_figures *figures, piw_err *err);
/* The next swap, when it is its time; one that isn't answered in time is a violation. */
int load_swaps_tick(load_swaps *swaps, load_figures *figures, int64_t now_ns, piw_err *err);
/* All done, or given up. */
bool load_swaps_over(const load_swaps *swaps);
void load_swaps_report(const load_swaps *swaps, FILE *to);

#endif
