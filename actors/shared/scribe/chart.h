/* chart.h — figures as pictures: SVG inside of the page, with the same figures as a table. Pure; any thread. */
#ifndef SHARED_SCRIBE_CHART_H
#define SHARED_SCRIBE_CHART_H

#include "piw/codec.h"

enum { CHART_SERIES_MAX = 7 };

/* A bar for each day, of `count` parts one on the other; values[day * count + part]. The last day is `today`, in days since
 * 1970. */
typedef struct chart_days {
    const char *title;
    const piw_text *labels;
    uint32_t count, days;
    const int64_t *values;
    int64_t today;
    uint32_t first_colour;
} chart_days;

typedef struct chart_row {
    piw_text label;
    int64_t value;
    const char *shown; /* NULL: the number itself */
} chart_row;

void chart_put_days(const chart_days *chart, piw_buffer *to);
/* Rows with bars as long as their values, of the greatest or of `whole` if that isn't 0. */
void chart_put_rows(const char *title, const char *nothing, const chart_row *rows, size_t count, int64_t whole,
                    piw_buffer *to);

#endif
