/* A plugin whose manifest is shorter than this runtime's. */
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
const piw_plugin piw_plugin_manifest = {.size = sizeof(piw_plugin) - 8,
                                        .abi = PIW_ABI,
                                        .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                        .build = PIW_BUILD,
                                        .sizes = PIW_SIZES,
                                        .name = "bad",
                                        .version = "1",
                                        .start = start};
