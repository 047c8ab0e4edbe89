/* plain_system.h — which Debian packages every system has that could use a wheel: nobody is told to install them. Any thread. */
#ifndef SHARED_SCRIBE_PLAIN_SYSTEM_H
#define SHARED_SCRIBE_PLAIN_SYSTEM_H

#include "piw/base.h"

/* Is it among what Debian's installer always brings, or what its Python needs? `name` may end in ":ARCHITECTURE". */
bool plain_system_has(piw_text name);

#endif
