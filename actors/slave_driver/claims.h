/* claims.h — builds that went on while the master was restarted, and that our own slaves claim. */
#ifndef SLAVE_DRIVER_CLAIMS_H
#define SLAVE_DRIVER_CLAIMS_H

#include "db.piw.h"
#include "slave_driver/driver.h"

/* The master has started: claims are heard for a while. */
void driver_claims_open(driver *self);
/* What was under way is known. */
void driver_claims_list(driver *self, const db_ATTEMPTS_VOID_reply *voided);
/* Must the answer to this HELLO wait until that is known? */
bool driver_claim_waits(const driver *self, const driver_slave *slave);
/* A slave that has its ACK goes on with what it claims, if it may. */
void driver_claim(driver *self, driver_slave *slave);
/* Was its claim refused? It hasn't been told so yet: its build is thrown away when it next sends a message. */
bool driver_claim_lost(const driver_slave *slave);

#endif
