/* cause.h — did a build fail for its slave's sake, or for the package's? */
#ifndef SLAVE_DRIVER_CAUSE_H
#define SLAVE_DRIVER_CAUSE_H

#include "slave_driver/driver.h"

/* Why a failed build is its slave's fault, in a few words; NULL: it is the package's. */
const char *driver_cause(const driver_reported *report, const driver_embargo *embargo);

#endif
