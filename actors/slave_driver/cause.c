/* cause.c — did a build fail for its slave's sake, or for the package's? */
#include "slave_driver/cause.h"

#include <stdio.h>

enum { TAIL = 16384 /* bytes at the end of a log in which signs count */ };

/* What slaves' logs say, and what an operator is told. */
static const struct {
    const char *sign, *cause;
} signs[] = {
    {"No space left on device", "the disk was full"},
    {"Disk quota exceeded", "the disk was full"},
    {"Cannot allocate memory", "the memory was full"},
    {"virtual memory exhausted", "the memory was full"},
    {"MemoryError", "the memory was full"},
    {"Killed signal terminated program", "a compiler was killed, as when the memory is full"},
    {"was killed by signal 9", "the build was killed"},
    {"Connection reset by peer", "the network failed"},
    {"ConnectionResetError", "the network failed"},
    {"ReadTimeoutError", "the network failed"},
    {"Read timed out", "the network failed"},
    {"ConnectTimeoutError", "the network failed"},
    {"Connection timed out", "the network failed"},
    {"Network is unreachable", "the network failed"},
    {"IncompleteRead", "the download was cut"},
    {"Temporary failure in name resolution", "names could not be resolved"},
    {"DO NOT MATCH THE HASHES", "the download had another hash"},
};

/* Reads the end of the log as one text. */
static void read_tail(const piw_blob *output, char tail[TAIL + 1])
{
    size_t size = piw_blob_size(output);
    size_t from = size > TAIL ? size - TAIL : 0;
    size_t len = piw_blob_read(output, from, tail, TAIL);
    for (size_t i = 0; i < len; i++)
        if (tail[i] == '\0')
            tail[i] = ' ';
    tail[len] = '\0';
}

const char *driver_cause(const driver_reported *report, const driver_embargo *embargo)
{
    char tail[TAIL + 1], missing[512];
    if (report->status)
        return NULL;
    read_tail(report->output, tail);
    for (size_t i = 0; i < PIW_COUNT(signs); i++)
        if (strstr(tail, signs[i].sign) != NULL)
            return signs[i].cause;
    /* Only of the release itself: what it needs and is nowhere is the package's own fault. */
    snprintf(missing, sizeof(missing), "No matching distribution found for %s==%s", embargo->package.s,
             embargo->version.s);
    return strstr(tail, missing) != NULL ? "the source was not to be found yet" : NULL;
}
