/* header.h — the fields at the head of METADATA and WHEEL (RFC 5322 as installers read it), or no for what they read
 * differently. Any thread; a header belongs to one. */
#ifndef SHARED_HEADER_H
#define SHARED_HEADER_H

#include "piw/codec.h"
#include "piw/err.h"

typedef struct piw_header {
    const char *file; /* whose it is, for sentences */
    const char *at, *end;
    piw_buffer line;
} piw_header;

/* One field, unfolded, with tabs as blanks; the texts hold until the next one is asked for. */
typedef struct piw_header_field {
    piw_text name, value;
} piw_header_field;

/* Begin to read a whole file, which is borrowed. PIW_EREFUSED: it isn't UTF-8, or holds a NUL. */
int piw_header_init(piw_header *header, const void *data, size_t len, const char *file, piw_err *err);
/* 1 with the next field, 0 at the end of the header (`at` then stands behind the empty line), PIW_EREFUSED with a sentence
 * for a line that readers take differently, PIW_ENOMEM. */
int piw_header_next(piw_header *header, piw_header_field *field, piw_err *err);
void piw_header_fini(piw_header *header);
bool piw_header_is(const piw_header_field *field, const char *name);
/* Keep the value of a field that is to be there once. PIW_EREFUSED: *to is set. */
int piw_header_once(const piw_header *header, const piw_header_field *field, const char *name, char **to, piw_err *err);

#endif
