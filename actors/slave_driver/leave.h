/* leave.h — the end of what is known of a slave. */
#ifndef SLAVE_DRIVER_LEAVE_H
#define SLAVE_DRIVER_LEAVE_H

#include "slave_driver/build.h"

/* The slave's record ends, and its build, if it has one, as `outcome` says; monitors are told: `expired` when we noticed,
 * rather than it said so. */
void driver_leave(driver *self, driver_slave *slave, driver_outcome outcome, bool expired);

#endif
