/* sweep.h — what time brings: silent slaves are forgotten, skipped versions are free again. */
#ifndef SLAVE_DRIVER_SWEEP_H
#define SLAVE_DRIVER_SWEEP_H

#include "slave_driver/driver.h"

/* Every DRIVER_SWEEP_MS. */
int on_sweep(piw_task *task, piw_msg *reply, uint64_t key);

/* The connection of this peer (the key) has gone. */
int on_peer_gone(piw_task *task, piw_msg *reply, uint64_t key);

#endif
