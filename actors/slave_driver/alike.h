/* alike.h — who else fails alike: whether a failure is believed to be its slave's fault, and what follows for the slave and
 * for the farm. */
#ifndef SLAVE_DRIVER_ALIKE_H
#define SLAVE_DRIVER_ALIKE_H

#include "slave_driver/cause.h"

/* The slave has free what it says, while it builds or before. */
void driver_figures_see(driver_slave *slave, const slave_stats *stats);
/* A build that its slave has reported, whose cause is known: sets report.cause, or report.note when that isn't believed any
 * more, and keeps what it tells of the slave. */
void driver_judge(driver *self, driver_build *build, driver_cause cause);
/* A build of the slave is noted as failed for its own sake; enough of them that others have built, and it is put to sleep. */
void driver_fault_note(driver_slave *slave, const driver_build *build);
/* It begins anew. */
void driver_faults_forget(driver_slave *slave);

#endif
