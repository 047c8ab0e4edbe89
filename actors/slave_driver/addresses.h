/* addresses.h — where slaves come from: what one network address has of the farm. */
#ifndef SLAVE_DRIVER_ADDRESSES_H
#define SLAVE_DRIVER_ADDRESSES_H

#include "slave_driver/driver.h"

/* NULL when no slave comes from there. */
driver_address *driver_address_find(const driver *self, const char *text);
/* The slave comes from there; it is counted until driver_address_leave(). */
void driver_address_enter(driver *self, driver_slave *slave, const char *text);
void driver_address_leave(driver *self, driver_slave *slave);
/* Its connection is gone since then; 0: it is there. */
void driver_address_gone(driver_slave *slave, int64_t gone_ns);
/* Has the slave's address as many builds as live connections, or left too many lately? Builds of connections that have gone
 * count too. */
bool driver_address_full(const driver_slave *slave);
/* The slave leaves its build, if it has one, though nobody told it to. */
void driver_address_left(const driver_slave *slave);
/* What was left is forgiven in time. Call once a second. */
void driver_addresses_sweep(driver *self);
/* When there are no slaves any more. */
void driver_addresses_free(driver *self);

#endif
