/* decode_string.c — texts, byte strings and blobs: whole or in chunks, checked, mended where the type allows it. */
#include "type/wire.h"

#include "type/message.h"

#include <stdlib.h>

/* The next chunk of a string that came in chunks; *more false at its end. */
static int next_chunk(piw__reader *reader, piw__token_kind kind, piw__token *chunk, bool *more)
{
    int rc = reader->wire->next(reader, chunk);
    if (rc != 0)
        return rc;
    *more = chunk->kind != PIW__BREAK;
    if (*more && (chunk->kind != kind || chunk->open))
        return piw_err_set(reader->err, PIW_ESHAPE, "a string in chunks holds something else");
    return 0;
}

/* A string whole: as it lies in the input, or chunks put together in *made (to be freed). */
static int whole_string(piw__reader *reader, const piw__token *first, size_t max, const uint8_t **data, size_t *len,
                        uint8_t **made)
{
    *made = NULL;
    *data = first->data;
    *len = first->len;
    if (!first->open)
        return 0;
    const uint8_t *start = reader->at;
    piw__token chunk;
    bool more;
    size_t sum = 0;
    int rc;
    while ((rc = next_chunk(reader, first->kind, &chunk, &more)) == 0 && more)
        sum += chunk.len; /* no overflow: the chunks lie in the input one behind the other */
    if (rc != 0)
        return rc;
    if (sum > max)
        return piw_err_set(reader->err, PIW_ESHAPE, "a string is longer than %zu bytes", max);
    *made = malloc(sum + 1);
    if (*made == NULL)
        return piw_err_set(reader->err, PIW_ENOMEM, "there is no memory for a string of %zu bytes", sum);
    reader->at = start;
    size_t at = 0;
    while (next_chunk(reader, first->kind, &chunk, &more) == 0 && more) {
        if (chunk.len > 0)
            memcpy(*made + at, chunk.data, chunk.len);
        at += chunk.len;
    }
    *data = *made;
    *len = sum;
    return 0;
}

int piw__short_string(piw__reader *reader, const piw__token *first, char *to, size_t size, size_t *len)
{
    const uint8_t *data;
    uint8_t *made;
    int rc = whole_string(reader, first, size - 1, &data, len, &made);
    if (rc != 0)
        return rc;
    if (*len >= size) {
        free(made);
        return piw_err_set(reader->err, PIW_ESHAPE, "a word is longer than %zu bytes", size - 1);
    }
    if (*len > 0)
        memcpy(to, data, *len);
    to[*len] = '\0';
    free(made);
    return 0;
}

/* The text's bytes into the arena, mended when lossy. */
static int store_text(piw__reader *reader, const piw_type *type, uint32_t flags, const char *s, size_t len,
                      piw_text *to)
{
    size_t made = len;
    if (len > PIW_LIMIT_TEXT)
        return piw_err_set(reader->err, PIW_ESHAPE, "a text of %zu bytes is longer than %d", len, PIW_LIMIT_TEXT);
    bool good = piw_utf8_valid(s, len) == len;
    if (!good && (flags & PIW_F_LOSSY) == 0)
        return piw_err_set(reader->err, PIW_ESHAPE, "a text is not UTF-8");
    if (!good)
        made = piw__utf8_repair(s, len, NULL);
    if (made > PIW_LIMIT_TEXT)
        return piw_err_set(reader->err, PIW_ESHAPE, "a text of %zu bytes is longer than %d", made, PIW_LIMIT_TEXT);
    if (made == 0) {
        *to = (piw_text){"", 0};
        return 0;
    }
    char *bytes = piw__take(reader, made + 1);
    if (bytes == NULL)
        return PIW_ELIMIT;
    if (good)
        memcpy(bytes, s, len);
    else
        piw__utf8_repair(s, len, bytes);
    *to = (piw_text){bytes, (uint32_t)made};
    /* No text has more characters than bytes. */
    if (made > type->max && piw_utf8_chars(bytes, made) > type->max)
        return piw_err_set(reader->err, PIW_ESHAPE, "a text is longer than %u characters", type->max);
    return 0;
}

int piw__decode_text(piw__reader *reader, const piw_type *type, uint32_t flags, const piw__token *first, piw_text *to)
{
    const uint8_t *data;
    uint8_t *made;
    size_t len;
    if (first->kind != PIW__STRING)
        return piw__wanted(reader, "a text");
    int rc = whole_string(reader, first, PIW_LIMIT_TEXT, &data, &len, &made);
    if (rc == 0)
        rc = store_text(reader, type, flags, (const char *)data, len, to);
    free(made);
    return rc;
}

int piw__decode_bytes(piw__reader *reader, const piw_type *type, const piw__token *first, piw_bytes *to)
{
    const uint8_t *data;
    uint8_t *made;
    size_t len;
    if (first->kind != PIW__BINARY)
        return piw__wanted(reader, "a byte string");
    int rc = whole_string(reader, first, type->max, &data, &len, &made);
    if (rc != 0)
        return rc;
    if (len > type->max) {
        rc = piw_err_set(reader->err, PIW_ESHAPE, "a byte string is longer than %u bytes", type->max);
    } else {
        uint8_t *bytes = piw__take(reader, len + 1);
        if (bytes == NULL)
            rc = PIW_ELIMIT;
        else if (len > 0)
            memcpy(bytes, data, len);
        *to = (piw_bytes){bytes, bytes != NULL ? (uint32_t)len : 0};
    }
    free(made);
    return rc;
}

/* A blob of mended text. */
static piw_blob *mended(const char *s, size_t len, size_t max, int *r, piw_err *err)
{
    size_t need = piw__utf8_repair(s, len, NULL);
    char *bytes = need <= max ? malloc(need + 1) : NULL;
    if (bytes == NULL) {
        *r = piw_err_set(err, need > max ? PIW_ESHAPE : PIW_ENOMEM, "a text of %zu bytes, once mended, is too long",
                         need);
        return NULL;
    }
    piw__utf8_repair(s, len, bytes);
    piw_blob *blob = piw_blob_new(bytes, need);
    free(bytes);
    if (blob == NULL)
        *r = piw_err_set(err, PIW_ENOMEM, "there is no memory for a text of %zu bytes", need);
    return blob;
}

/* Lossy blobs are long texts on the wire, others byte strings. */
int piw__decode_blob(piw__reader *reader, const piw_type *type, uint32_t flags, const piw__token *first, piw_blob **to)
{
    bool text = (flags & PIW_F_LOSSY) != 0;
    const uint8_t *data;
    uint8_t *made;
    size_t len;
    if (first->kind != (text ? PIW__STRING : PIW__BINARY))
        return piw__wanted(reader, text ? "a text" : "a byte string");
    int rc = whole_string(reader, first, type->max, &data, &len, &made);
    if (rc != 0)
        return rc;
    piw_blob *blob = NULL;
    if (len > type->max) {
        rc = piw_err_set(reader->err, PIW_ESHAPE, "%zu bytes are more than %u", len, type->max);
    } else if (text && piw_utf8_valid((const char *)data, len) != len) {
        blob = mended((const char *)data, len, type->max, &rc, reader->err);
    } else if (made == NULL && reader->owner != NULL && len > PIW_LIMIT_BLOB_COPY) {
        blob = piw__blob_over(data, len, reader->owner);
    } else {
        blob = piw_blob_new(data, len);
        if (blob == NULL)
            rc = piw_err_set(reader->err, PIW_ENOMEM, "there is no memory for %zu bytes", len);
    }
    piw__msg_own_blob(reader->msg, blob);
    *to = blob;
    free(made);
    return rc;
}
