/* buffer.c — a growing piece of bytes. */
#include "piw/codec.h"

#include <stdlib.h>

int piw_buffer_add(piw_buffer *buffer, const void *data, size_t len)
{
    if (len > buffer->size - buffer->len) {
        size_t size = buffer->size < 256 ? 256 : buffer->size;
        while (size - buffer->len < len) {
            if (size > SIZE_MAX / 2)
                return PIW_ENOMEM;
            size *= 2;
        }
        uint8_t *grown = realloc(buffer->data, size);
        if (grown == NULL)
            return PIW_ENOMEM;
        buffer->data = grown;
        buffer->size = size;
    }
    if (len > 0 && data != NULL)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return 0;
}

void piw_buffer_fini(piw_buffer *buffer)
{
    free(buffer->data);
    *buffer = (piw_buffer){0};
}
