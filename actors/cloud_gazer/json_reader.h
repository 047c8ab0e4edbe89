/* json_reader.h — yajl with the bounds that hostile documents need: bytes, depth, and one sentence about what is wrong.
 *
 * The owner's callbacks are yajl's and get the owner. Those for the beginning and end of objects and lists call
 * gazer_json_enter and gazer_json_leave, so that `depth` is how many are open. One thread. */
#ifndef CLOUD_GAZER_JSON_READER_H
#define CLOUD_GAZER_JSON_READER_H

#include "piw/err.h"

#include <yajl/yajl_parse.h>

enum { GAZER_JSON_DEPTH = 32 };

typedef struct gazer_json_reader {
    yajl_handle handle;
    const char *what; /* the document, for errors */
    size_t bytes, bytes_max;
    unsigned depth;
    piw_err err; /* by the owner's callbacks, through gazer_json_refuse */
} gazer_json_reader;

/* False when there is no memory. `callbacks` must live as long as the reader. */
bool gazer_json_open(gazer_json_reader *reader, const char *what, size_t bytes_max, const yajl_callbacks *callbacks,
                     void *owner);
void gazer_json_close(gazer_json_reader *reader);
int gazer_json_feed(gazer_json_reader *reader, const void *data, size_t len, piw_err *err);
int gazer_json_end(gazer_json_reader *reader, piw_err *err);
/* For a callback to return: one more object or list is open; refused are more than GAZER_JSON_DEPTH, and a document that is
 * no object. */
int gazer_json_enter(gazer_json_reader *reader, bool object);
static inline void gazer_json_leave(gazer_json_reader *reader)
{
    reader->depth--;
}
/* The same: the document is not taken. */
int gazer_json_refuse(gazer_json_reader *reader, const char *fmt, ...) PIW_PRINTF(2, 3);

#endif
