/* signals.h — signals of a program with threads: blocked everywhere, taken one after the other by one thread.
 *
 * For piw-master and other programs, not for plugins. start and stop are called on the main thread. */
#ifndef PIW_SIGNALS_H
#define PIW_SIGNALS_H

#include "piw/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Call `fn` on a thread of its own for every SIGTERM, SIGINT and SIGHUP from now on, one at a time; SIGPIPE is ignored.
 * Threads that are to leave these signals alone must be made after the call. Once in a process until stopped. */
PIW_API int piw_signals_start(void (*fn)(int number, void *arg), void *arg, piw_err *err);
/* Ends the thread; the signals stay blocked. Does nothing when they weren't started. */
PIW_API void piw_signals_stop(void);

#ifdef __cplusplus
}
#endif

#endif
