/* decode_any.c — values of a type that isn't known here: passed over, and kept raw. */
#include "type/wire.h"

#include "type/message.h"

static int walk(piw__reader *reader, const piw__token *first);

static int walk_string(piw__reader *reader, const piw__token *first)
{
    piw__token chunk = *first;
    for (;;) {
        if (first->open) {
            int rc = reader->wire->next(reader, &chunk);
            if (rc != 0)
                return rc;
            if (chunk.kind == PIW__BREAK)
                return 0;
            if (chunk.kind != first->kind || chunk.open)
                return piw_err_set(reader->err, PIW_ESHAPE, "a string in chunks holds something else");
        }
        if (chunk.kind == PIW__STRING && piw_utf8_valid((const char *)chunk.data, chunk.len) != chunk.len)
            return piw_err_set(reader->err, PIW_ESHAPE, "a text is not UTF-8");
        if (!first->open)
            return 0;
    }
}

static int walk_next(piw__reader *reader)
{
    piw__token token;
    int r = reader->wire->next(reader, &token);
    return r == 0 ? walk(reader, &token) : r;
}

static int walk_container(piw__reader *reader, const piw__token *container)
{
    unsigned each = container->kind == PIW__DICT ? 2 : 1;
    uint64_t left = container->count;
    if (!container->open && left > (uint64_t)(reader->end - reader->at) / each)
        return piw_err_set(reader->err, PIW_ESHAPE, "more elements are declared than bytes follow");
    bool more;
    int rc;
    while ((rc = piw__more(reader, container, &left, &more)) == 0 && more)
        for (unsigned i = 0; i < each && rc == 0; i++)
            if ((rc = walk_next(reader)) != 0)
                return rc;
    return rc;
}

/* Pass over the value that `first` begins, checking that it is well-formed. */
static int walk(piw__reader *reader, const piw__token *first)
{
    int rc;
    switch (first->kind) {
    case PIW__STRING:
    case PIW__BINARY:
        return walk_string(reader, first);
    case PIW__ARRAY:
    case PIW__DICT:
    case PIW__TAG:
        rc = piw__enter(reader);
        if (rc == 0)
            rc = first->kind == PIW__TAG ? walk_next(reader) : walk_container(reader, first);
        reader->depth--;
        return rc;
    case PIW__BREAK:
        return piw_err_set(reader->err, PIW_ESHAPE, "there is an end without a beginning");
    default:
        return 0;
    }
}

int piw__decode_any(piw__reader *reader, const piw__token *first, const uint8_t *start, piw_any *any)
{
    if (first->kind == PIW__NULL)
        return 0;
    if (reader->wire->nodata(reader, first)) {
        any->nodata = true;
        return 0;
    }
    int rc = walk(reader, first);
    if (rc != 0)
        return rc;
    size_t len = (size_t)(reader->at - start);
    uint8_t *copy = piw__take(reader, len);
    if (copy == NULL)
        return PIW_ELIMIT;
    memcpy(copy, start, len);
    any->raw = (piw_bytes){copy, (uint32_t)len};
    any->codec = (uint8_t)reader->wire->codec;
    return 0;
}
