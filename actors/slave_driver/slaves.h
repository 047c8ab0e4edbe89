/* slaves.h — the slaves: found by peer and by number, added and forgotten. */
#ifndef SLAVE_DRIVER_SLAVES_H
#define SLAVE_DRIVER_SLAVES_H

#include "slave_driver/driver.h"

driver_slave *driver_find_peer(const driver *self, piw_peer peer);
driver_slave *driver_find_id(const driver *self, int64_t id);
driver_slave *driver_next(const driver *self, const driver_slave *slave); /* NULL begins and ends */
/* The name of its view; empty: it fits none; null: the farm has none. */
piw_text driver_view_of(const driver *self, const driver_slave *slave);
driver_slave *driver_add(driver *self, piw_peer peer, const slave_hello *hello);
void driver_set_hello(driver *self, driver_slave *slave, const slave_hello *hello);
/* Gives it a token for its transfers, unless it has one: a slave that tells its version knows of tokens. */
void driver_give_token(driver_slave *slave);
void driver_set_token(driver_slave *slave, piw_text token);
void driver_set_id(driver *self, driver_slave *slave, int64_t id);
/* Forgets the slave, which has no build any more. */
void driver_remove(driver *self, driver_slave **slave);
/* The slave that makes room for another: without a build, of the address that has the most, and of those the one that has
 * been silent longest. `of`: of this address only. NULL: all are at work. */
driver_slave *driver_least(const driver *self, const driver_address *of);
/* Are there other slaves of its queue that could build now? */
bool driver_has_others(const driver *self, const driver_slave *slave);
/* Is its answer still to come? */
bool driver_waits(const driver_slave *slave);
int64_t driver_busy_timeout_ns(const driver *self, const driver_slave *slave);
int64_t driver_build_timeout_ns(const driver_slave *slave);

#endif
