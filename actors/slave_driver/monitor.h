/* monitor.h — what monitors see of slaves. */
#ifndef SLAVE_DRIVER_MONITOR_H
#define SLAVE_DRIVER_MONITOR_H

#include "slave_driver/driver.h"

void driver_tell_hello(driver *self, const driver_slave *slave);
void driver_tell_stats(driver *self, const driver_slave *slave, const slave_stats *stats);
/* A message from the master as the slave gets it. */
void driver_tell_reply(driver *self, const driver_slave *slave, const piw_msg *reply);
/* Other tasks are told that a slave is here. */
void driver_tell_came(driver *self, const driver_slave *slave);
void driver_tell_gone(driver *self, const driver_slave *slave, bool expired);
/* How much of each ABI's build queue is still to be given out. */
void driver_tell_pending(driver *self);
/* Everything known of each slave, and of a pause, again (big_brother was restarted). */
void driver_tell_all(driver *self);

#endif
