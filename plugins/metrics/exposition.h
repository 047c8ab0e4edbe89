/* exposition.h — lines of Prometheus' text format, version 0.0.4. */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include "piw/base.h"

#include <stdio.h>

typedef struct exposition_label {
    const char *name;
    piw_text value; /* from wherever: it is escaped */
} exposition_label;
/* The labels of one sample; exposition_none: it has none. */
#define LABELS(...)                                                                                                    \
    (const exposition_label[])                                                                                         \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define exposition_none ((const exposition_label *)NULL)

/* A metric begins: all its samples follow. `type` is counter, gauge or histogram. */
void exposition_begin(FILE *to, const char *name, const char *type, const char *help);
void exposition_count(FILE *to, const char *name, const exposition_label *labels, int64_t value);
void exposition_measure(FILE *to, const char *name, const exposition_label *labels, double value);
/* Buckets, sum and count of a histogram. `counts` has one more than `bounds`. */
void exposition_histogram(FILE *to, const char *name, const exposition_label *labels, const double *bounds,
                          uint32_t bounds_count, const int64_t *counts, double sum);

#endif
