/* foreground.h — a master on a terminal shows how far long work of its tasks is, such as the first catching up with PyPI: a bar on
 * the last line, as `piw-ctl top` has it. Elsewhere the log alone says so. */
#ifndef MASTER_FOREGROUND_H
#define MASTER_FOREGROUND_H

#include "common/progress.h"
#include "runtime/runtime.h"
#include "tasks.h"

typedef struct foreground {
    piw_runtime *runtime;
    const task_list *tasks;
    tool_progress bar;
} foreground;

/* From then on the thread in piw_runtime_run shows it; nothing when stderr is no terminal, or `quiet`. */
void foreground_begin(foreground *self, piw_runtime *runtime, const task_list *tasks, bool quiet);
/* After piw_runtime_run: the bar goes away. */
void foreground_end(foreground *self);

#endif
