/* machine.h — what the slave says of the machine that it runs on. */
#ifndef SLAVE_MACHINE_H
#define SLAVE_MACHINE_H

#include "slave.h"
#include "slave.piw.h"

/* Asks the interpreter for its version, ABI and platform. */
int slave_machine_python(slave_settings *settings, piw_err *err);
/* HELLO, as ten fields towards a stock master and with our version towards our own, who is also told of the build that
 * still runs from before its restart. */
piw_msg *slave_machine_hello(const slave *s);
/* Figures of now; what can't be read is 0. `dir` is on the disk that builds use. */
void slave_machine_stats(const char *dir, slave_stats *stats);

#endif
