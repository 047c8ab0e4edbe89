/* waiting.c — the slaves whose IDLE is not answered yet. */
#include "slave_driver/waiting.h"

void driver_waiting_init(driver *self)
{
    self->waiting_end = &self->waiting;
}

bool driver_waiting_has(const driver_slave *slave)
{
    return slave->waits_until_ns != 0;
}

void driver_waiting_add(driver *self, driver_slave *slave, int64_t until_ns)
{
    slave->waits_until_ns = until_ns;
    slave->waits_next = NULL;
    slave->waits_at = self->waiting_end;
    *self->waiting_end = slave;
    self->waiting_end = &slave->waits_next;
}

void driver_waiting_remove(driver *self, driver_slave *slave)
{
    if (!driver_waiting_has(slave))
        return;
    *slave->waits_at = slave->waits_next;
    if (slave->waits_next != NULL)
        slave->waits_next->waits_at = slave->waits_at;
    else
        self->waiting_end = slave->waits_at;
    slave->waits_next = NULL;
    slave->waits_at = NULL;
    slave->waits_until_ns = 0;
}
