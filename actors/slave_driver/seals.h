/* seals.h — builds that were sealed by whoever was here before, and have no row yet: nobody builds their versions again meanwhile. */
#ifndef SLAVE_DRIVER_SEALS_H
#define SLAVE_DRIVER_SEALS_H

#include "seals.piw.h"
#include "slave_driver/driver.h"

/* Ask which those are. */
void driver_seals_begin(driver *self);
/* Nothing is given out before that is known. */
bool driver_seals_open(const driver *self);
/* It isn't known yet, or there were some: ask again. About once a second. */
void driver_seals_sweep(driver *self, int64_t now_ns);
/* An answer. */
void driver_seals_heard(driver *self, const seals_left *body);

#endif
