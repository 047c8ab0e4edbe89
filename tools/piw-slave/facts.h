/* facts.h — what the slave tells the master of the wheels that a build made. */
#ifndef SLAVE_FACTS_H
#define SLAVE_FACTS_H

#include "common.piw.h"
#include "sandbox.h"

typedef struct slave_wheels {
    uint32_t count;
    file_state *at; /* in order of name; in the arena of the message */
} slave_wheels;

/* Read every wheel in `folder`. They must be sound (docs/site.md#the-wheel-gate) and of `package`. `scratch` is an
 * existing folder for use on the way; `sandbox` as for slave_depends_find(). PIW_EREFUSED: a sentence for the build's log. */
int slave_facts(piw_msg *msg, const char *folder, const char *scratch, const slave_sandbox *sandbox, piw_text package,
                slave_wheels *wheels, piw_err *err);

#endif
