/* admin.h — inside the core: what the admin task tells of the tasks, as messages of the admin queue. On its thread. */
#ifndef PIW__ADMIN_H
#define PIW__ADMIN_H

#include "admin.piw.h"
#include "runtime/inner.h"
#include "tasks.piw.h"

/* Every task, in the order of the configuration: for piw-ctl, and for tasks. */
piw_msg *piw__admin_tasks(piw_runtime *runtime);
piw_msg *piw__admin_tasks_reply(piw_runtime *runtime);
/* One task with all that its manifest says; NULL: there is none of that name. */
piw_msg *piw__admin_task(piw_runtime *runtime, const char *name);
/* The flight recorder of one task, or ("") the ends of all. NULL: there is none of that name. */
piw_msg *piw__admin_dump(piw_runtime *runtime, const char *name);
piw_msg *piw__admin_limits(void);
/* What is in force of the tasks' sections, and where each value comes from. */
void piw__admin_settings(piw_runtime *runtime,
                         void (*say)(void *to, const char *name, const char *value, const char *origin), void *to);

/* Lines of an answer that is being made; what is beyond the queue's bound is left out. */
typedef struct piw__lines {
    piw_msg *msg;
    admin_LINES *body;
} piw__lines;
void piw__lines_init(piw__lines *lines);
void piw__lines_add(void *lines, const char *line);

#endif
