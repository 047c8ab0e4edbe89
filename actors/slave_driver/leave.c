/* leave.c — the end of what is known of a slave. */
#include "slave_driver/leave.h"

#include "slave_driver/monitor.h"
#include "slave_driver/slaves.h"

void driver_leave(driver *self, driver_slave *slave, driver_outcome outcome, bool expired)
{
    if (slave->saved.slave_id != 0)
        driver_tell_gone(self, slave, expired);
    if (slave->build != NULL)
        driver_build_end(self, &slave->build, outcome);
    if (slave->saved.request.id != 0 && piw_drop_token(self->task, slave->saved.request, "the slave has left") != 0)
        piw_debug("the open request of a slave that leaves is gone already");
    piw_peer_forget(self->task, slave->peer);
    driver_remove(self, &slave);
}
