/* cause.h — did a build fail for its slave's sake, or for the package's?
 *
 * What a package's build printed is no sign by itself: a package can print anything. Signs are what the slave itself says (the
 * figures of its disk and memory, the signal that ended pip), and the error that pip ends its log with. */
#ifndef SLAVE_DRIVER_CAUSE_H
#define SLAVE_DRIVER_CAUSE_H

#include "slave_driver/driver.h"

typedef struct driver_cause {
    const char *why; /* why a failed build is its slave's fault, in a few words; static. NULL: it is the package's */
    bool log_only;   /* nothing but the log says so, which the build could have written */
} driver_cause;

/* `figures`: the least that its slave had free while it built; `end`: what our own slave says of it, or NULL. */
driver_cause driver_cause_of(const driver_reported *report, const driver_embargo *embargo,
                             const driver_figures *figures, const slave_end *end);

#endif
