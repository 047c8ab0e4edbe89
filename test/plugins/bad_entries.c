/* A plugin whose handlers are of another size than this runtime's. */
#include "piw/plugin.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

extern const piw_plugin piw_plugin_manifest;
__attribute__((visibility("default")))
const piw_plugin piw_plugin_manifest = {.size = sizeof(piw_plugin),
                                        .abi = PIW_ABI,
                                        .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                        .build = PIW_BUILD,
                                        .sizes = {sizeof(piw_handler) + 8,
                                                  sizeof(piw_continuation),
                                                  sizeof(piw_service),
                                                  sizeof(piw_event),
                                                  sizeof(piw_opt),
                                                  {0}},
                                        .name = "bad",
                                        .version = "1",
                                        .start = start};
