/* history.c — keeps samples of figures, the oldest first, and condenses them to the width of a graph. */
#include "history.h"

#include "piw/err.h"

#include <stdlib.h>

/* A master sends at most 100 earlier samples, 10 s apart. One that is older than those was stamped before a clock
 * was set. */
static const int64_t set_back_us = 1200ll * 1000000;

void history_fini(history *self)
{
    free(self->stamps);
    free(self->values);
    self->stamps = NULL;
    self->values = NULL;
    self->count = self->size = 0;
}

void history_clear(history *self)
{
    self->count = 0;
    self->dropped = 0;
}

static void make_room(history *self)
{
    if (self->count == self->max) {
        self->count--;
        self->dropped++;
        memmove(self->stamps, self->stamps + 1, self->count * sizeof(*self->stamps));
        memmove(self->values, self->values + self->figures,
                (size_t)self->count * self->figures * sizeof(*self->values));
    } else if (self->count == self->size) {
        unsigned size = self->size == 0 ? 8 : self->size * 2;
        self->size = size < self->max ? size : self->max;
        self->stamps = piw_realloc(self->stamps, self->size * sizeof(*self->stamps));
        self->values = piw_realloc(self->values, (size_t)self->size * self->figures * sizeof(*self->values));
    }
}

void history_add(history *self, int64_t stamp_us, const float *values)
{
    if (self->count > 0 && stamp_us < self->stamps[self->count - 1] - set_back_us)
        history_clear(self);
    unsigned place = self->count;
    while (place > 0 && self->stamps[place - 1] > stamp_us)
        place--;
    if (place > 0 && self->stamps[place - 1] == stamp_us)
        return;
    if (self->count == self->max && place == 0)
        return; /* it is older than all samples that are kept, and there is no room */
    bool full = self->count == self->max;
    make_room(self);
    place -= full;
    size_t bytes = self->figures * sizeof(*self->values);
    memmove(self->stamps + place + 1, self->stamps + place, (self->count - place) * sizeof(*self->stamps));
    memmove(self->values + (size_t)(place + 1) * self->figures, self->values + (size_t)place * self->figures,
            (self->count - place) * bytes);
    self->stamps[place] = stamp_us;
    memcpy(self->values + (size_t)place * self->figures, values, bytes);
    self->count++;
}

unsigned history_graph(const history *self, unsigned figure, float *to, unsigned width)
{
    if (self->count == 0 || width == 0)
        return 0;
    /* Columns are counted from the first sample that there ever was, so that a sample stays in its column until the
     * graph moves. The last column may have fewer samples than the others: it fills as they come. */
    uint64_t first = self->dropped, end = first + self->count, each = 1;
    if (self->count > width)
        each = width > 1 ? (self->count + width - 3) / (width - 1) : self->count;
    uint64_t column = first / each, last = (end - 1) / each;
    if (last - column >= width)
        column = last - width + 1;
    unsigned columns = 0;
    for (; column <= last; column++) {
        double sum = 0;
        unsigned n = 0;
        for (uint64_t i = column * each < first ? first : column * each; i < (column + 1) * each && i < end; i++, n++)
            sum += self->values[(i - first) * self->figures + figure];
        to[columns++] = (float)(sum / n);
    }
    return columns;
}
