/* commands.h — what an operator asks of slave_driver with piw-ctl: slaves, queue, kill, skip, sleep, wake. */
#ifndef SLAVE_DRIVER_COMMANDS_H
#define SLAVE_DRIVER_COMMANDS_H

#include "slave_driver/driver.h"

/* An operator's or monitor's command to a slave. */
typedef struct driver_command {
    const char *word; /* as operators write it: kill */
    void (*fn)(driver_slave *slave);
    const char *does; /* "SLAVE …", for the operator */
} driver_command;

/* NULL: there is none of that name. */
const driver_command *driver_command_of(piw_text word);
/* To the slave with this number, or (NULL) to all. False: there is none. */
bool driver_command_do(driver *self, const driver_command *command, const int64_t *slave_id);

int driver_on_order(piw_task *task, piw_msg *msg);
int driver_on_rests(piw_task *task, piw_msg *msg);

#endif
