/* log_sink.h — inside the core: where the lines of a process go that has no log of its own (that of an isolated soul). */
#ifndef PIW__LOG_SINK_H
#define PIW__LOG_SINK_H

#include "piw/log.h"

/* Lines of this process go to `fn` instead of console and file. Before other threads start. */
void piw__log_sink(void (*fn)(piw_log_level level, const char *text, size_t len));
/* Are debug lines wanted there? Any thread. */
void piw__log_sink_debug(bool on);

#endif
