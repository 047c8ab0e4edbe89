/* shape.h — inside the core: the shapes of a protocol as a message, and a protocol made from such a message.
 *
 * What is made comes from a file, which may be hostile: everything is checked, and the layout of the C forms is worked out
 * here. A protocol made so is its reader's own: it isn't interned, and ends with its reader. Any thread. */
#ifndef PIW__SHAPE_H
#define PIW__SHAPE_H

#include "piw/msg.h"

/* A recording_shape of that number. */
piw_msg *piw__shape_write(const piw_protocol *protocol, int64_t number);
/* PIW_ESHAPE and what is wrong. */
int piw__shape_read(const piw_msg *shape, piw_protocol **protocol, piw_err *err);
void piw__shape_free(piw_protocol **protocol);

#endif
