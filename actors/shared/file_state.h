/* file_state.h — what is said of a wheel to a master (docs/wire.md#messages), from its name and what the gate read. Any
 * thread. */
#ifndef SHARED_FILE_STATE_H
#define SHARED_FILE_STATE_H

#include "common.piw.h"
#include "shared/wheel.h"
#include "shared/wheel_name.h"

/* All but the dependencies, into the arena of `msg`; there is room for three kinds of them. */
void piw_file_state_fill(piw_msg *msg, file_state *state, const piw_wheel_name *name, const char *filename,
                         const piw_wheel *wheel);
/* The next kind of dependencies: key is "apt", "pip" or "". */
void piw_file_state_needs(piw_msg *msg, file_state *state, const char *key, char *const *items, size_t count);

#endif
