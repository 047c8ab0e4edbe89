/* params.h — parameters of one statement: scalars and arrays, in PostgreSQL's text form.
 *
 * Texts from outside are made storable on the way (control characters become U+FFFD, NUL among them, which
 * PostgreSQL has no form for). Memory: the parameters' own, until params_fini. Any thread, one at a time. */
#ifndef ORACLE_PARAMS_H
#define ORACLE_PARAMS_H

#include "piw/codec.h"

enum { PARAMS_MAX = 32 };

typedef struct params {
    piw_buffer bytes[PARAMS_MAX]; /* NUL-terminated; of an array without its closing brace */
    bool null[PARAMS_MAX], array[PARAMS_MAX];
    int count;
} params; /* zero-initialised is empty */

void params_fini(params *p);
/* NUL-terminated values, in order, for libpq. Closes the arrays: nothing can be added afterwards. */
void params_values(params *p, const char *values[PARAMS_MAX]);

void params_text(params *p, piw_text text);
/* The end of a blob, `max` bytes at most, cut where a character begins. */
void params_blob_end(params *p, const piw_blob *blob, size_t max);
void params_int(params *p, int64_t value);
void params_bool(params *p, bool value);
void params_time(params *p, piw_time value);

/* A new array; returns its position, to which elements are then added. */
int params_array(params *p);
void params_add_text(params *p, int array, piw_text text); /* a null text is NULL */
void params_add_int(params *p, int array, int64_t value);
void params_add_bool(params *p, int array, bool value);
void params_add_time(params *p, int array, piw_time time);

#endif
