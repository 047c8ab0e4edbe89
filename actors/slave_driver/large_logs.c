/* large_logs.c — how much of the memory the logs of builds that are being recorded may take together.
 *
 * Large logs are written one after the other (PIW_LIMIT_LARGE_JOB), and stay in memory until they are. What waits is bounded long
 * before PIW_LIMIT_BUS_BYTES is reached, where all queues rest until a log is written: a few slaves could hold up all others so. */
#include "slave_driver/large_logs.h"

#include "piw/limits.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WAITING_MAX = 128 << 20, /* bytes of large logs of builds that are being recorded: two of the largest */
    FIRST_BYTES = 1 << 20,   /* kept of one that comes then */
    LAST_BYTES = 3 << 20,
    NOTE_BYTES = 256,
    LINES_PER_MINUTE = 2,
};

_Static_assert(FIRST_BYTES + LAST_BYTES > PIW_LIMIT_LARGE_JOB, "what isn't large is left as it is");

static size_t waiting_bytes(const driver *self)
{
    size_t bytes = 0;
    for (const driver_build *build = self->builds; build != NULL; build = build->next) {
        size_t size = build->memory != NULL ? piw_blob_size(build->report.output) : 0;
        bytes += size > PIW_LIMIT_LARGE_JOB ? size : 0;
    }
    return bytes;
}

/* Is this byte of UTF-8 within a character? */
static bool is_within(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* NULL when there is no memory for it. */
static piw_blob *without_middle(const piw_blob *output)
{
    size_t size = piw_blob_size(output);
    char *text = malloc(FIRST_BYTES + NOTE_BYTES + LAST_BYTES);
    if (text == NULL)
        return NULL;
    size_t len = piw_blob_read(output, 0, text, FIRST_BYTES + 1);
    for (len--; len > 0 && is_within(text[len]); len--)
        ;
    size_t from = size - LAST_BYTES;
    char byte;
    while (piw_blob_read(output, from, &byte, 1) == 1 && is_within(byte))
        from++;
    len += (size_t)snprintf(text + len, NOTE_BYTES,
                            "\n[%zu bytes are left out here: the master had as many large logs at once as it keeps]\n",
                            from - len);
    len += piw_blob_read(output, from, text + len, LAST_BYTES);
    piw_blob *made = piw_blob_new(text, len);
    free(text);
    return made;
}

void driver_log_bound(driver *self, piw_msg *built)
{
    if (piw_malformed(built) != NULL)
        return;
    slave_BUILT *said = piw_msg_any_body(built);
    size_t size = piw_blob_size(said->output);
    bool fits = size <= FIRST_BYTES + LAST_BYTES || waiting_bytes(self) + size <= WAITING_MAX;
    piw_blob *output = fits ? NULL : without_middle(said->output);
    if (output == NULL)
        return;
    piw_msg_blob_drop(built, &said->output);
    said->output = piw_msg_blob(built, output);
    piw_blob_unref(&output);
    piw_log_limited(&self->large, LINES_PER_MINUTE, PIW_LOG_WARNING,
                    "a log of %zu MiB is kept without its middle: builds that are being recorded have more than %d MiB",
                    size >> 20, WAITING_MAX >> 20);
}
