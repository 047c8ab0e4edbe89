/* programs.c — the sections of all programs, which share their configuration files: a key of one program is no
 * other's, and --check-config tells which keys none of them reads. A test compares this list with what the programs
 * themselves say. */
#include "common/programs.h"

const piw_config_section farm_sections[] = {
    {"master", ""}, /* its own options are known besides */
    {"slave", "master timeout dir label python memory build-memory sandbox processes poll slave-queue file-queue key "
              "codec debug"},
    {"initdb", "dsn user"},
    {"import", "import-queue file-queue delete codec"},
    {"importer", "import-queue file-queue delete codec"},
    {"add", "import-queue pypi-json codec"},
    {"remove", "import-queue codec"},
    {"rebuild", "import-queue codec"},
    {"audit", "dsn output-path import-queue codec rate settle patience state"},
    {"logger", "format drop log-queue codec"},
    {"monitor", "status-queue control-queue admin-queue key codec"},
    {"ctl", "admin-queue codec"},
    {"keys", "keys for"},
    {"pypi", "port listen dir first-serial"},
    {"loadgen",
     "slave-queue file-queue admin-queue codec slaves abi rate poll builds duration fail-percent files file-size also "
     "busy patience wait warm-up journal swap swaps swap-every"},
    {"setup", ""}, /* what it is told stands in no file */
    {"new-task", ""},
    {"replay", ""},
    /* Programs whose keys aren't known here. */
    {"sense", NULL},
    /* The parts of the master: it looks at their keys itself. */
    {"site", .kept_by = "master"},
    {"auth", .kept_by = "master"},
    {"task:*", .kept_by = "master"},
    {"view:*", .kept_by = "master"},
    PIW_SECTIONS_END,
};
