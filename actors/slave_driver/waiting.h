/* waiting.h — the slaves whose IDLE is not answered yet, since there may soon be work: first come, first served. */
#ifndef SLAVE_DRIVER_WAITING_H
#define SLAVE_DRIVER_WAITING_H

#include "slave_driver/driver.h"

void driver_waiting_init(driver *self);
/* It waits until then at most; its request is kept in saved.request. */
void driver_waiting_add(driver *self, driver_slave *slave, int64_t until_ns);
/* It waits no more; nothing happens when it didn't. */
void driver_waiting_remove(driver *self, driver_slave *slave);
/* Is it one of them? */
bool driver_waiting_has(const driver_slave *slave);

#endif
