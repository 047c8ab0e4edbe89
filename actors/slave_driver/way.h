/* way.h — a reported build's way into the database and onto the site, step by step, up to its one outcome. */
#ifndef SLAVE_DRIVER_WAY_H
#define SLAVE_DRIVER_WAY_H

#include "slave_driver/build.h"

/* Begin recording what was reported (build.h). */
void driver_way_begin(driver *self, driver_build *build);
/* The number that it waits for is there. */
void driver_way_number(driver *self, driver_build *build, int64_t number);
/* Its slave has sent the file it was asked for; or the request that it waited with was lost with the task before, and given
 * again. */
void driver_way_resume(driver *self, driver_build *build);
/* The answer to the call of the phase that the build is in. Goes on with the next phase by itself; what else follows is for
 * the caller (build.h). */
driver_outcome driver_way_answered(driver *self, driver_build *build, piw_msg *reply);
/* file_juggler knows nothing of the file that its slave was asked for, if it was: have it expected once more. The slave isn't told. */
void driver_way_expect_again(driver *self, driver_build *build);
/* Is this the answer to that? */
bool driver_way_expected_again(driver *self, driver_build *build, const piw_msg *reply);
/* Its slave has waited for long: when the database is why, the build is sealed and its slave is let go. */
driver_outcome driver_way_late(driver *self, driver_build *build);
/* The answer to sealing it. */
driver_outcome driver_way_sealed(driver *self, driver_build *build, piw_msg *reply);
/* To which its calls come back; in conversation.c, since what comes of them is said to slaves. */
piw_continuation_fn on_expected, on_verified, on_staged, on_recorded, on_known, on_published, on_attempt_failed,
    on_sealed;

#endif
