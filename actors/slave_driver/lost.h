/* lost.h — slaves that are lost, as other tasks are told. */
#ifndef SLAVE_DRIVER_LOST_H
#define SLAVE_DRIVER_LOST_H

#include "slave_driver/driver.h"

/* It fell silent, or is cut off. */
void driver_lost_tell(driver *self, const driver_slave *slave);
/* Its connection is gone: it is lost, unless its BYE is still on the way. */
void driver_lost_maybe(driver *self, const driver_slave *slave);
/* Somebody said BYE at this address whose connection was gone already, so that nobody knows him: it was one of these. */
void driver_lost_said_bye(driver *self, const char *address);
/* Tell those whose BYE would have come by now. */
void driver_lost_sweep(driver *self, int64_t now_ns);
/* The soul ends. */
void driver_lost_forget(driver *self);

#endif
