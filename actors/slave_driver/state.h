/* state.h — the soul as a message and back (swap), and from the peers' records (restart). */
#ifndef SLAVE_DRIVER_STATE_H
#define SLAVE_DRIVER_STATE_H

#include "slave_driver/driver.h"

int driver_save(piw_task *task, piw_msg **state, piw_err *err);
void driver_load(driver *self, const piw_msg *state);
/* Keep the peer's record for a restart of this task. */
void driver_remember(driver *self, const driver_slave *slave);
/* After a cold restart: the slaves from the records that the shell kept. */
void driver_recall(driver *self);

#endif
