/* search.h — finds slaves by their number, or by a part of their label, ABI, platform or board. Neither draws nor waits. */
#ifndef MONITOR_SEARCH_H
#define MONITOR_SEARCH_H

#include "model.h"

enum { SEARCH_MAX = 64 /* bytes */ };

typedef struct ui_search {
    bool open;                 /* its text is being typed */
    char text[SEARCH_MAX + 1]; /* UTF-8 */
} ui_search;

/* Opens with an empty text. */
void search_open(ui_search *self);
/* A character was typed; what doesn't fit is left out. */
void search_add(ui_search *self, int character);
/* Takes back the last one. */
void search_back(ui_search *self);
/* How many slaves match. */
size_t search_count(const ui_search *self, const model *known);
/* The index of the slave whose number this is, else that of the next match. */
size_t search_first(const ui_search *self, const model *known, int64_t place);
/* The index of the next match behind `place`, or before it, going round at the end; `known->count`: nothing matches. A
 * `place` of -1 is before the first. */
size_t search_next(const ui_search *self, const model *known, int64_t place, bool forward);

#endif
