/* params.h — parameters of one statement: scalars and arrays, in PostgreSQL's text form, or packed.
 *
 * Texts from outside are made storable on the way (control characters become U+FFFD, NUL among them, which
 * PostgreSQL has no form for). Memory: the parameters' own, until params_fini. Any thread, one at a time. */
#ifndef ORACLE_PARAMS_H
#define ORACLE_PARAMS_H

#include "piw/codec.h"

enum { PARAMS_MAX = 32 };

/* Types of elements that can be packed, by PostgreSQL's numbers of them. */
typedef enum params_type { PACKED_BIGINT = 20, PACKED_TEXT = 25, PACKED_TIMESTAMP = 1114 } params_type;

typedef struct params {
    piw_buffer bytes[PARAMS_MAX]; /* NUL-terminated; of an array without its closing brace */
    bool null[PARAMS_MAX];        /* of a packed array: has an element that is */
    bool array[PARAMS_MAX];
    params_type packed[PARAMS_MAX]; /* 0: in text form */
    int32_t elements[PARAMS_MAX];   /* of a packed array */
    int count;
} params; /* zero-initialised is empty */

/* What libpq takes. */
typedef struct params_sent {
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
} params_sent;

void params_fini(params *p);
/* The values, in order, for libpq. Closes the arrays: nothing can be added afterwards. */
void params_values(params *p, params_sent *sent);

void params_text(params *p, piw_text text);
/* The end of a blob, `max` bytes at most, cut where a character begins. */
void params_blob_end(params *p, const piw_blob *blob, size_t max);
void params_int(params *p, int64_t value);
void params_bool(params *p, bool value);
void params_time(params *p, piw_time value);

/* A new array; returns its position, to which elements are then added. */
int params_array(params *p);
/* The same in PostgreSQL's binary form, for arrays of thousands: it is made and read in a fraction of the time. The statement must take
 * an array of exactly this type. */
int params_packed(params *p, params_type type);
void params_add_text(params *p, int array, piw_text text); /* a null text is NULL */
void params_add_int(params *p, int array, int64_t value);
void params_add_bool(params *p, int array, bool value);
void params_add_time(params *p, int array, piw_time time);

#endif
