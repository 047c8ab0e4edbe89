/* large_logs.h — how much of the memory the logs of builds that are being recorded may take together. */
#ifndef SLAVE_DRIVER_LARGE_LOGS_H
#define SLAVE_DRIVER_LARGE_LOGS_H

#include "slave_driver/driver.h"

/* A slave says BUILT: the middle of a large log is taken out of the message when those of other builds take much already. The log
 * says so where it was. */
void driver_log_bound(driver *self, piw_msg *built);

#endif
