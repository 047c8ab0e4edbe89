/* options.h — what piw-master can be told: its options, the keys of [site], [auth] and views. */
#ifndef MASTER_OPTIONS_H
#define MASTER_OPTIONS_H

#include "piw/options.h"

extern const piw_program master_program;

/* Keys of the sections [site], [auth] and [view:NAME]; each ends with PIW_OPT_END. */
extern const piw_opt master_site_options[];
extern const piw_opt master_auth_options[];
extern const piw_opt master_view_options[];
/* Keys that every [task:NAME] has besides those of its plugin: by enum PIW_TASK_… of the runtime, then PIW_OPT_END. */
extern const piw_opt master_task_options[];

/* The outer queues: option "NAME-queue" each. */
extern const char *const master_queues[];
extern const size_t master_queues_count;
/* Those that may have an encrypted address too: option "NAME-queue-curve" each. */
extern const char *const master_curve_queues[];
extern const size_t master_curve_queues_count;
/* The addresses that may have networks of their own: key "allow-NAME" of [auth]. */
extern const char *const master_allows[];
extern const size_t master_allows_count;
/* The inner services that have an option "NAME-queue" for compatibility: a name, no socket. */
extern const char *const master_services[];
extern const size_t master_services_count;

#endif
