/* frame.c — the head of a recording. */
#include "record/frame.h"

#include <string.h>

static const char MAGIC[8] = {'P', 'I', 'W', '-', 'R', 'E', 'C', '\n'};

void piw__record_head_put(uint8_t head[static PIW__RECORD_HEAD])
{
    memset(head, 0, PIW__RECORD_HEAD);
    memcpy(head, MAGIC, sizeof(MAGIC));
    piw__record_u32_put(head + sizeof(MAGIC), PIW__RECORD_VERSION);
}

int piw__record_head_check(const uint8_t head[static PIW__RECORD_HEAD], const char *path, piw_err *err)
{
    if (memcmp(head, MAGIC, sizeof(MAGIC)) != 0)
        return piw_err_set(err, PIW_ESHAPE, "%s is no recording of a task", path);
    uint32_t version = piw__record_u32(head + sizeof(MAGIC));
    if (version == 0 || version > PIW__RECORD_VERSION)
        return piw_err_set(err, PIW_ESHAPE, "%s is a recording of version %u; this release reads version %d", path,
                           version, PIW__RECORD_VERSION);
    return 0;
}
