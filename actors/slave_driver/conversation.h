/* conversation.h — what slaves say, and the only place that answers them. */
#ifndef SLAVE_DRIVER_CONVERSATION_H
#define SLAVE_DRIVER_CONVERSATION_H

#include "slave_driver/build.h"

/* Numbers have come: those who wait for one go on. */
void driver_serve_waiting(driver *self, int which);
/* There may be work now, or a reason not to wait for it: those whose IDLE is open are answered, or wait on. */
void driver_serve_idle(driver *self);
/* What comes of a build's step, said to its slave if it has one. */
void driver_heed(driver *self, driver_build *build, driver_outcome outcome);
int driver_on_hello(piw_task *task, piw_msg *msg);
int driver_on_idle(piw_task *task, piw_msg *msg);
int driver_on_busy(piw_task *task, piw_msg *msg);
int driver_on_built(piw_task *task, piw_msg *msg);
int driver_on_sent(piw_task *task, piw_msg *msg);
int driver_on_bye(piw_task *task, piw_msg *msg);
int on_patience(piw_task *task, piw_msg *reply, uint64_t key);

#endif
