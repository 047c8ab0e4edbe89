/* numbers.h — slave and build numbers, reserved in the database in blocks so that nobody waits for them. */
#ifndef SLAVE_DRIVER_NUMBERS_H
#define SLAVE_DRIVER_NUMBERS_H

#include "slave_driver/driver.h"

/* `which` is DRIVER_POOL_SLAVE or DRIVER_POOL_BUILD, and the key of the continuations. */
bool driver_number_take(driver *self, int which, int64_t *number);
bool driver_number_there(const driver *self, int which);
/* A slave number from the clock, for when the database is away: seconds, counted on when several come in one. */
int64_t driver_number_clock(driver *self);
/* Ask for a block if one isn't asked for already. */
void driver_numbers_ask(driver *self, int which);
/* The answer to that. True: there are numbers for those who wait. */
bool driver_numbers_came(driver *self, int which, piw_msg *reply);
piw_continuation_fn on_ask, on_numbers;

#endif
