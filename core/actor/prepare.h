/* prepare.h — inside the core: what a plugin begins before its task starts (PIW_PREPARES), on a thread of its own.
 *
 * Begun by the runtime when the plugin is loaded, taken by the first instance's soul (piw_prepared), ended with the runtime. */
#ifndef PIW__PREPARE_H
#define PIW__PREPARE_H

#include "actor/hub.h"
#include "actor/role.h"

/* If its image prepares anything. Where there is no thread for it nothing is prepared. */
void piw__preparation_begin(piw__role *role, const piw__hub *hub);
/* What wasn't taken is waited for and discarded. */
void piw__preparation_end(piw__role *role);

#endif
