/* replay.h — inside piw-replay: what its files do for each other. Calls go from the end of this list to its beginning. */
#ifndef PIW_REPLAY_REPLAY_H
#define PIW_REPLAY_REPLAY_H

#include "piw/msg.h"
#include "record/recording.h"
#include "recording.piw.h"

/* --- clock.c: the process's clock, which stands where the recording says ------------------------------------------------- */

void clock_set(int64_t monotonic_ns, int64_t real_us);
/* Play at so many times the recorded speed; 0: as fast as it goes. */
void clock_speed(int64_t factor);

/* --- flat.c: a message as a list of its fields ---------------------------------------------------------------------------- */

typedef struct flat_field {
    char *path, *value; /* "builds[3].status", "true" */
} flat_field;

typedef struct flat {
    flat_field *at;
    size_t count, room;
} flat;

/* Fields that are null or absent are left out; so are those that match one of `ignored` ("WORD.path", shell patterns). */
void flat_make(flat *to, const piw_msg *msg, const char *const *ignored, size_t ignored_count);
void flat_fini(flat *list);
uint64_t flat_hash(const flat *list);

/* --- side.c: one of the two that are compared ------------------------------------------------------------------------------ */

typedef struct sent {
    piw_sent kind;
    char *word;        /* "web.BOTH" */
    int64_t asker, id; /* of an answer */
    uint64_t at;       /* of its record */
    uint64_t hash;     /* of what it says */
    bool matched;
    size_t place; /* of what it is matched with, on the other side */
} sent;

typedef struct used_file {
    char *path;
    piw_file_use how;
    int64_t size;
    char sha256[65];
    size_t job;      /* of the kind of job that used it, from 1; 0: a handler did */
    uint64_t number; /* of that job among those of its kind, in the order of their ends, from 1 */
} used_file;

typedef struct job_kind {
    char *word;
    uint64_t before, begun, ended; /* under way when it began; since then */
} job_kind;

typedef struct times {
    int64_t *at;
    size_t count, room;
    int64_t total;
} times;

typedef struct side {
    const char *name; /* "recorded", or the plugin's file */
    const char *root; /* below which its files lie; "": as they are named; NULL: they are not at hand */
    piw_recording *file;
    char task[65], plugin[65], version[65], began[40];
    int64_t first_ns, last_ns;
    sent *sent;
    size_t sent_count, sent_room;
    used_file *files; /* sorted by path, each as it was in the end */
    size_t files_count, files_room;
    job_kind *kinds;
    size_t kinds_count;
    times handlers, jobs;
    size_t failed, jobs_failed;
} side;

/* Look through a recording. `root` is where a played one had its files, taken out of their names. */
int side_read(side *self, const char *name, const char *path, const char *root, const char *const *ignored,
              size_t ignored_count, piw_err *err);
/* What was sent, in full. */
int side_message(side *self, const sent *what, piw_msg **msg, piw_err *err);
void side_fini(side *self);

/* --- unfinished.c: what was under way when the recording ended ------------------------------------------------------------- */

/* Good until the next one is asked for. */
job_kind *unfinished_kind(side *self, const char *word);
/* Files of jobs that the recording has without their end are taken out of both; how many there were. */
size_t unfinished_leave_out(side *recorded, side *played);
void unfinished_fini(side *self);

/* --- compare.c ------------------------------------------------------------------------------------------------------------- */

typedef struct comparison {
    const char *const *ignored;
    size_t ignored_count;
    int64_t show; /* differences that are shown in full */
} comparison;

/* Says what is the same and what isn't. How many differences there are; negative: an error. */
int64_t compare(side *a, side *b, const comparison *how, piw_err *err);

#endif
