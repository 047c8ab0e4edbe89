/* abis.h — slaves of ABIs that the farm doesn't know, and which slaves are here. */
#ifndef SLAVE_DRIVER_ABIS_H
#define SLAVE_DRIVER_ABIS_H

#include "slave_driver/driver.h"

int driver_on_abis(piw_task *task, piw_msg *msg);
/* Does the farm build for it, as far as is known? What was offered for one that it let go stays with the offers. */
bool driver_builds_for(const driver *self, piw_text abi_tag);
/* A slave that has its number: does the farm know its ABI? A warning, once. */
void driver_check_abi(driver *self, driver_slave *slave);
/* Tell which slaves are here, when that has changed or some time has passed. */
void driver_tell_abis(driver *self, int64_t now_ns);

#endif
