/* report.h — what the load counted: builds, answers, how long answers took, and what the master did wrong. */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include "piw/err.h"

#include <stdio.h>

/* How long something took: counts by magnitude, 32 steps to each power of two, so 3 % near. */
enum { LOAD_STEPS = 32, LOAD_BUCKETS = 48 * LOAD_STEPS };
typedef struct load_times {
    uint64_t count, at[LOAD_BUCKETS];
    int64_t max_ns;
} load_times;

void load_times_add(load_times *times, int64_t ns);
/* The time that `percent` of all don't exceed, in nanoseconds; 0 when there are none. */
int64_t load_times_at(const load_times *times, double percent);
/* Lines NAME_p50_us, NAME_p99_us, NAME_max_us on `to`; none when there are no times. */
void load_times_report(const load_times *times, const char *name, FILE *to);

/* Requests and answers, in the order of the report. */
typedef enum { LOAD_HELLO, LOAD_IDLE, LOAD_BUSY, LOAD_BUILT, LOAD_SENT, LOAD_BYE, LOAD_REQUESTS } load_request;
typedef enum { LOAD_ACK, LOAD_BUILD, LOAD_SLEEP, LOAD_CONT, LOAD_SEND, LOAD_DONE, LOAD_DIE, LOAD_ANSWERS } load_answer;

typedef struct load_figures {
    int64_t began_ns, ended_ns;
    uint64_t requests[LOAD_REQUESTS], answers[LOAD_ANSWERS];
    load_times times[LOAD_REQUESTS]; /* from a request to its answer */
    uint64_t builds, failed;         /* ended with DONE; `failed` are those that were to fail */
    uint64_t transfers, bytes;       /* files sent whole, and their sizes */
    uint64_t fetches;                /* pieces asked for */
    int64_t piece_max, pieces_max;   /* the largest of them; most that were asked for and not sent */
    uint64_t ending_ns;              /* from BUILT to DONE, of all builds together */
    int64_t first_built_ns, last_done_ns;
    int64_t cpu_us;         /* of this process */
    uint64_t again;         /* files asked for once more though they were sent whole */
    uint64_t fetched_again; /* pieces asked for once more */
    uint64_t hellos_again;  /* times that the file queue was silent for 5 s */
    uint64_t given_up;      /* builds answered DONE before the master had all files */
    uint64_t violations;
} load_figures;

/* Something that the master must not do. The first ones are printed as they happen. */
void load_violation(load_figures *figures, const char *fmt, ...) PIW_PRINTF(2, 3);
/* What was counted since `before` was copied from them. */
void load_figures_since(load_figures *figures, const load_figures *before);
/* Lines NAME<TAB>VALUE on `to`. */
void load_report(const load_figures *figures, FILE *to);

#endif
