/* soul.h — inside the core: the process that holds an isolated soul (tools/piw-soul). */
#ifndef PIW__SOUL_H
#define PIW__SOUL_H

#include "piw/log.h"

/* What it finds open. */
enum { PIW__SOUL_SOCKET = 3, PIW__SOUL_IMAGE = 4 };

/* The whole program; its exit code. */
PIW_API int piw__soul_main(int argc, char **argv);

/* --- log.c --- */
/* Lines of this process go to `fn` instead of console and file. Before other threads start. */
void piw__log_sink(void (*fn)(piw_log_level level, const char *text, size_t len));
/* Are debug lines wanted there? Any thread. */
void piw__log_sink_debug(bool on);

#endif
