/* carry.h — inside the core: a message of one version of a type, read by name as another version's.
 *
 * What a soul has saved, the records of its peers and the results of its work outlive its plugin. Another version of the plugin
 * may have grown: its type has a field more, or one less. A field that both have goes over; one that only the new type has is
 * empty (null where it may be null, else 0, false, an empty text or list); one that only the old type had is left behind and
 * counted. Only a field of another type can't be read. Any thread. */
#ifndef PIW__CARRY_H
#define PIW__CARRY_H

#include "type/message.h"

/* Can messages of `from` be read as `to`? PIW_ESHAPE names the first field that can't. */
int piw__carry_check(const piw_msg_type *from, const piw_msg_type *to, piw_err *err);

/* A new message of `to` with what `msg` says (an error answer stays one). *left grows by the values that were set and are not
 * in it. Refused when a value does not fit the new type's bounds; `msg` is the caller's in any case. */
int piw__carry(const piw_msg *msg, const piw_msg_type *to, piw_msg **carried, uint64_t *left, piw_err *err);

#endif
