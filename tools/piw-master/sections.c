/* The sections of all programs, which share their configuration files, so that --check-config can tell what none of them
 * reads. A test compares this with what the programs themselves say. */
#include "options.h"

const piw_config_section master_known_sections[] = {
    {"master", ""}, /* its own options are known besides */
    {"slave", "master timeout dir label python memory poll slave-queue file-queue codec debug"},
    {"initdb", "dsn user"},
    {"import", "import-queue file-queue delete codec"},
    {"importer", "import-queue file-queue delete codec"},
    {"add", "import-queue pypi-json codec"},
    {"remove", "import-queue codec"},
    {"rebuild", "import-queue codec"},
    {"logger", "format drop log-queue codec"},
    {"monitor", "status-queue control-queue codec"},
    {"ctl", "admin-queue codec"},
    {"pypi", "port listen dir first-serial"},
    {"loadgen",
     "slave-queue file-queue admin-queue codec slaves abi rate poll builds duration fail-percent files file-size "
     "busy patience journal swap swaps swap-every"},
    /* Programs whose keys aren't known here. */
    {"audit", NULL},
    {"keys", NULL},
    {"sense", NULL},
    /* The master's parts: their keys are looked at elsewhere, their names may be misspelt too. */
    {"site", NULL},
    {"auth", NULL},
};
const size_t master_known_sections_count = PIW_COUNT(master_known_sections);
