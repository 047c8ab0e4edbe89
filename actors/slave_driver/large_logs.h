/* large_logs.h — how much of the memory the logs of builds that are being recorded may take together. */
#ifndef SLAVE_DRIVER_LARGE_LOGS_H
#define SLAVE_DRIVER_LARGE_LOGS_H

#include "slave_driver/driver.h"

/* A slave's BUILT, to be kept until the build is recorded. The middle of a large log is left out when those of other builds take
 * much already; the log says so where it was. */
piw_msg *driver_report_copy(driver *self, const piw_msg *built);

#endif
