/* player.h — for hosts: a recording played to a plugin, outside of any master (docs/recording.md).
 *
 * One play a process: it makes the process's threads and images its own. What the plugin does is recorded in turn, to a file of
 * the same form, so that two plays, or a play and its recording, are compared alike. */
#ifndef PIW__PLAYER_H
#define PIW__PLAYER_H

#include "piw/err.h"

typedef struct piw_play {
    const char *plugin;    /* its file */
    const char *recording; /* what is played */
    const char *played;    /* a new file: what the plugin did */
    const char *root;      /* an empty folder: below it lies every file that the recording names from / on */
    /* The clock stands at this moment, CLOCK_MONOTONIC of the recording and the time of day that belongs to it. */
    void (*clock)(int64_t monotonic_ns, int64_t real_us);
    /* After each record: how much of the file has been played, in bytes; NULL: nobody wants to know. */
    void (*progress)(uint64_t at);
} piw_play;

typedef struct piw_play_result {
    uint64_t played;     /* what came to the soul */
    uint64_t left_out;   /* what it could not be given */
    uint64_t unknown;    /* calls that the recording has no answer to */
    uint64_t unanswered; /* calls and jobs that were open at the end */
    bool torn;           /* the recording breaks off */
    char first_left_out[200];
} piw_play_result;

/* PIW_ESHAPE: the recording is none, or damaged; PIW_EPLUGIN: the plugin can't be loaded or doesn't fit it. */
PIW_API int piw_play_recording(const piw_play *play, piw_play_result *result, piw_err *err);

#endif
