/* json_reader.c — yajl with the bounds that hostile documents need. */
#include "cloud_gazer/json_reader.h"

#include <stdarg.h>
#include <stdio.h>

bool gazer_json_open(gazer_json_reader *reader, const char *what, size_t bytes_max, const yajl_callbacks *callbacks,
                     void *owner)
{
    *reader = (gazer_json_reader){.handle = yajl_alloc(callbacks, NULL, owner), .what = what, .bytes_max = bytes_max};
    return reader->handle != NULL;
}

void gazer_json_close(gazer_json_reader *reader)
{
    if (reader->handle != NULL)
        yajl_free(reader->handle);
    reader->handle = NULL;
}

int gazer_json_refuse(gazer_json_reader *reader, const char *fmt, ...)
{
    char why[PIW_ERR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    piw_err_set(&reader->err, PIW_ESHAPE, "%s: %s", reader->what, why);
    return 0;
}

int gazer_json_enter(gazer_json_reader *reader, bool object)
{
    if (reader->depth == 0 && !object)
        return gazer_json_refuse(reader, "it is no object");
    if (++reader->depth > GAZER_JSON_DEPTH)
        return gazer_json_refuse(reader, "it is nested more than %d deep", GAZER_JSON_DEPTH);
    return 1;
}

static int look(gazer_json_reader *reader, yajl_status status, piw_err *err)
{
    if (status == yajl_status_ok)
        return 0;
    if (reader->err.code != 0)
        return piw_err_set(err, reader->err.code, "%s", reader->err.text);
    unsigned char *why = yajl_get_error(reader->handle, 0, NULL, 0);
    size_t len = why != NULL ? strcspn((const char *)why, "\r\n") : 0;
    piw_err_set(err, PIW_ESHAPE, "%s is no JSON: %.*s", reader->what, len < 200 ? (int)len : 200,
                why != NULL ? (const char *)why : "");
    if (why != NULL)
        yajl_free_error(reader->handle, why);
    return PIW_ESHAPE;
}

int gazer_json_feed(gazer_json_reader *reader, const void *data, size_t len, piw_err *err)
{
    reader->bytes += len;
    if (reader->bytes > reader->bytes_max)
        return piw_err_set(err, PIW_ELIMIT, "%s is longer than %zu bytes", reader->what, reader->bytes_max);
    return look(reader, yajl_parse(reader->handle, data, len), err);
}

int gazer_json_end(gazer_json_reader *reader, piw_err *err)
{
    return look(reader, yajl_complete_parse(reader->handle), err);
}
