/* cause.c — did a build fail because of its slave, or of the package? */
#include "slave_driver/cause.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TAIL =
        65536,  /* bytes at the end of a log that are read: pip's last error is followed by its traceback, some 15 KB */
    STAMP = 24, /* "2026-11-29T21:25:27,747 ", with which pip begins the lines of a log file */
};

/* Room that is as good as none: pages of a file system that nobody gets. */
static const int64_t disk_full = INT64_C(16) << 20;
/* So little that a build which says that there was none may be believed: what it wrote last has been taken away again. */
static const int64_t disk_scarce = INT64_C(512) << 20, memory_scarce = INT64_C(256) << 20;

static const char the_disk[] = "the disk was full", the_memory[] = "the memory was full",
                  a_kill[] = "the build was killed", the_start[] = "the slave could not begin it",
                  the_network[] = "the network failed", the_download[] = "the download was cut",
                  the_names[] = "names could not be resolved", the_hash[] = "the download had another hash",
                  no_source[] = "the source was not to be found yet";

typedef struct sign {
    const char *text, *why;
} sign;

/* What is in an error of pip's own. */
static const sign errors[] = {
    {"No space left on device", the_disk},
    {"Disk quota exceeded", the_disk},
    {"Cannot allocate memory", the_memory},
    {"MemoryError", the_memory},
    {"name resolution", the_names}, /* glibc: Temporary failure in name resolution */
    {"Connection reset by peer", the_network},
    {"ConnectionResetError", the_network},
    {"ReadTimeoutError", the_network},
    {"Read timed out", the_network},
    {"ConnectTimeoutError", the_network},
    {"Connection timed out", the_network},
    {"Network is unreachable", the_network},
    {"No route to host", the_network},
    {"Connection refused", the_network},
    {"IncompleteRead", the_download},
    {"DO NOT MATCH THE HASHES", the_hash},
};

/* What anything in a build may say of a machine that has no room; believed when the machine's own figures agree. */
static const sign says_disk[] = {{"No space left on device", the_disk}, {"Disk quota exceeded", the_disk}};
static const sign says_memory[] = {{"Cannot allocate memory", the_memory},
                                   {"virtual memory exhausted", the_memory},
                                   {"out of memory", the_memory},
                                   {"MemoryError", the_memory},
                                   {"Killed signal terminated program", the_memory}};

static const char *find(const char *text, const sign *signs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, signs[i].text) != NULL)
            return signs[i].why;
    return NULL;
}

/* The end of the log as one text, to be freed. */
static char *read_tail(const piw_blob *output)
{
    size_t size = piw_blob_size(output);
    char *tail = piw_zalloc(TAIL + 1);
    size_t len = piw_blob_read(output, size > TAIL ? size - TAIL : 0, tail, TAIL);
    for (size_t i = 0; i < len; i++)
        if (tail[i] == '\0')
            tail[i] = ' ';
    return tail;
}

/* Without the moment that pip writes before it. */
static char *unstamped(char *line)
{
    bool stamped =
        strlen(line) >= STAMP && line[4] == '-' && line[10] == 'T' && line[STAMP - 5] == ',' && line[STAMP - 1] == ' ';
    for (int i = 0; stamped && i < 4; i++)
        stamped = isdigit((unsigned char)line[i]) != 0;
    return stamped ? line + STAMP : line;
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* What is gathered of pip's own words on the way through a log: pip indents what its commands print, by two and more. */
typedef struct words {
    const char *error;      /* the last one that stands at the margin */
    const char *in_error;   /* what a line of it, or of its traceback, gives away */
    const char *connection; /* what the last connection that pip tried again failed for; of an inner pip too */
} words;

static void heed(words *found, const char *line)
{
    bool inner = begins(line, "  WARNING: Retrying ");
    if (begins(line, "ERROR: ")) {
        found->error = line;
        found->in_error = NULL;
    }
    if (inner || begins(line, "WARNING: Retrying "))
        found->connection = find(line, errors, PIW_COUNT(errors));
    if (found->error != NULL && line[0] != ' ' && !inner) {
        const char *why = find(line, errors, PIW_COUNT(errors));
        found->in_error = why != NULL ? why : found->in_error;
    }
}

/* What the error says with which pip ended, if it isn't that the package's own code failed. */
static const char *pips_end(char *tail, const driver_embargo *embargo)
{
    words found = {0};
    char missing[512];
    char *rest = tail, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        heed(&found, unstamped(line));
    if (found.error == NULL)
        return NULL;
    /* Only of the release itself: what it needs and is nowhere is the package's own fault. */
    snprintf(missing, sizeof(missing), "No matching distribution found for %s==%s", embargo->saved.package.s,
             embargo->saved.version.s);
    if (strstr(found.error, missing) != NULL)
        return found.connection != NULL ? found.connection : no_source;
    if (strstr(found.error, "pip subprocess to install build dependencies") != NULL)
        return found.connection;
    if (strstr(found.error, "Failed ") != NULL || strstr(found.error, "metadata generation failed") != NULL)
        return NULL;
    return found.in_error;
}

/* What the machine's own figures prove. */
static const char *by_figures(const char *tail, const driver_figures *figures)
{
    if (figures->disk_known && figures->disk_free < disk_full)
        return the_disk;
    if (figures->disk_known && figures->disk_free < disk_scarce && find(tail, says_disk, PIW_COUNT(says_disk)) != NULL)
        return the_disk;
    if (figures->memory_known && figures->memory_free < memory_scarce &&
        find(tail, says_memory, PIW_COUNT(says_memory)) != NULL)
        return the_memory;
    return NULL;
}

driver_cause driver_cause_of(const driver_reported *report, const driver_embargo *embargo,
                             const driver_figures *figures, const slave_end *end)
{
    if (report->status)
        return (driver_cause){0};
    char *tail = read_tail(report->output);
    driver_cause cause = {.why = by_figures(tail, figures)};
    if (cause.why == NULL && end != NULL && end->signal == SIGKILL)
        cause.why = a_kill;
    if (cause.why == NULL && end != NULL && end->not_begun)
        cause.why = the_start;
    if (cause.why == NULL) {
        cause.why = pips_end(tail, embargo);
        cause.log_only = cause.why != NULL;
    }
    free(tail);
    return cause;
}
