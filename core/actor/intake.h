/* intake.h — inside the core: what comes to a soul from elsewhere than its mailbox. The shell's thread only. */
#ifndef PIW__INTAKE_H
#define PIW__INTAKE_H

#include "actor/shell.h"

/* Deadlines that have passed: their continuations get the error. */
void piw__calls_expire(piw__shell *shell, int64_t now_ns);
void piw__timers_fire(piw__shell *shell, int64_t now_ns);
/* The watch with this number has something to read or room to write. */
void piw__watch_fire(piw__shell *shell, uint64_t serial);
/* Read each port until it has no more or its budget is used; how many messages came. */
unsigned piw__ports_read(piw__shell *shell);

#endif
