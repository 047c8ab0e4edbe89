/* build.h — a version in the making: given to a slave, reported, and over at last. */
#ifndef SLAVE_DRIVER_BUILD_H
#define SLAVE_DRIVER_BUILD_H

#include "slave_driver/driver.h"

/* What comes of a build's step when it doesn't simply go on, and what becomes of the version. */
enum {
    DRIVER_GOES_ON = 0,
    DRIVER_WANTS_FILE = 100, /* its slave is to send the next file */
    DRIVER_LET_GO,           /* its slave need not wait: it goes on alone */
    /* From here on: the outcome. */
    DRIVER_RECORDED,
    DRIVER_RESTS,    /* failed because of its slave: to be tried again after until_ns */
    DRIVER_RETURNED, /* nothing came of it: to be given out again, the first of all */
    DRIVER_SKIPPED,  /* thrown away, and not to be given out again before its time would have been over */
    DRIVER_DROPPED,  /* thrown away, and wanted no more */
};
typedef struct driver_outcome {
    int what;
    const char *why;  /* why nothing is recorded, for the attempt's row; NULL: its end is noted already */
    int64_t until_ns; /* of RESTS */
} driver_outcome;

/* A version that a slave builds (NULL: no slave). */
driver_build *driver_build_new(driver *self, driver_slave *slave, int64_t slave_id, driver_embargo *embargo);
/* What a swap or a restart kept of it, but for its report. */
void driver_build_saved(driver_build *build, const driver_making *saved);
/* Only what is here is freed: the version stays under its embargo. */
void driver_build_free(driver *self, driver_build **build);
/* It is built from now on, or since elapsed_ns: its time runs, and the attempt is noted soon. */
void driver_build_begins(driver *self, driver_build *build, int64_t elapsed_ns);
/* Soon: together with what comes of it, if that comes at once. So a build that is over at once wakes nobody for its beginning. */
void driver_build_note_soon(driver *self, driver_build *build);
/* Now, if it hasn't been: before anything else of the build is stored. */
void driver_build_note(driver *self, driver_build *build);
int on_note_attempts(piw_task *task, piw_msg *reply, uint64_t key);
/* The build with this number, or NULL. */
driver_build *driver_build_find(const driver *self, int64_t number);
void driver_build_set_number(driver *self, driver_build *build, int64_t number);
/* The build stays and its slave goes, or goes on without it. */
void driver_build_part(driver_build *build);
/* What the slave reports, by slave_BUILT, which is taken. `why_bad`, if not NULL, makes it a failed build with that note;
 * `cause`, if not NULL, is why the slave is to blame. */
void driver_build_report(driver_build *build, piw_msg **report, const char *why_bad, const char *cause);
/* As if it had never been reported. */
void driver_build_unreport(driver *self, driver_build *build);
/* From a failed build nothing but its log remains, with this note. */
void driver_build_fail(driver_build *build, const char *note);
/* Throw away what is staged of it. */
void driver_build_discard(driver *self, const driver_build *build);
/* The timer by which a build's step is made again (way.c). */
int on_again(piw_task *task, piw_msg *reply, uint64_t key);
/* It is over: the version goes where the outcome says, and the build is freed. */
void driver_build_end(driver *self, driver_build **build, driver_outcome outcome);

#endif
