/* reader.c — memory for what is read of a message, within the bound of its arena. */
#include "type/wire.h"

#include "type/message.h"

enum { SLACK = 1 << 20 }; /* the arena takes memory in pieces: stay this far below its limit */

void *piw__take(piw__reader *reader, uint64_t size)
{
    if (size > PIW_LIMIT_ARENA - SLACK || piw__msg_bytes(reader->msg) + size > PIW_LIMIT_ARENA - SLACK) {
        piw_err_set(reader->err, PIW_ELIMIT, "the message needs more than %d bytes in memory", PIW_LIMIT_ARENA - SLACK);
        return NULL;
    }
    return piw_msg_alloc(reader->msg, (size_t)size);
}
