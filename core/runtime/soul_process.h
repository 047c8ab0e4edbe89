/* soul_process.h — inside the core: the process that holds an isolated soul (tools/piw-soul). */
#ifndef PIW__SOUL_PROCESS_H
#define PIW__SOUL_PROCESS_H

#include "piw/log.h"

/* The whole program; its exit code. */
PIW_API int piw_soul_main(int argc, char **argv);

#endif
