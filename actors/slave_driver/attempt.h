/* attempt.h — builds that failed because of their slave: tried again later, and by whom. */
#ifndef SLAVE_DRIVER_ATTEMPT_H
#define SLAVE_DRIVER_ATTEMPT_H

#include "slave_driver/build.h"

/* The call that notes the failed try. */
piw_msg *driver_attempt_call(driver *self, const driver_build *build);
/* Its answer: the build's outcome, or that it goes on as a failed build like any other. */
driver_outcome driver_attempt_failed(driver *self, driver_build *build, const piw_msg *reply);

#endif
