/* A plugin that was built for another runtime interface. */
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
                                        .abi = PIW_ABI + 1,
                                        .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                        .build = PIW_BUILD,
                                        .sizes = PIW_SIZES,
                                        .name = "bad",
                                        .version = "1",
                                        .start = start};
