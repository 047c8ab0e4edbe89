/* options.c — what piw-master can be told. */
#include "options.h"

#include "common/programs.h"
#include "piw/limits.h"
#include "runtime/runtime.h"

static const piw_opt options[] = {
    {'d', "dsn", PIW_OPT_TEXT, "DSN", "postgres:///piwheels", "the database, as libpq URI; not as superuser"},
    {'o', "output-path", PIW_OPT_PATH, "PATH", "/var/www", "root of the web site; created if its parent exists"},
    {0, "dev-mode", PIW_OPT_SWITCH, NULL, NULL, "shorter waits; new packages start as skipped"},
    {0, "debug", PIW_OPT_LIST, "TASK", NULL, "debug log for these tasks, a pattern such as 'master.the_*'"},
    {0, "pypi-xmlrpc", PIW_OPT_TEXT, "URL", "https://pypi.org/pypi", "PyPI's event log"},
    {0, "pypi-simple", PIW_OPT_TEXT, "URL", "https://pypi.org/simple", "the index that slaves take sources from"},
    {0, "pypi-json", PIW_OPT_TEXT, "URL", "https://pypi.org/pypi", "PyPI's descriptions: URL/PACKAGE/json"},
    {0, "follow", PIW_OPT_CHOICE, NULL, "xmlrpc", "how PyPI is followed", "xmlrpc|json"},
    {0, "status-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-status", "to monitors"},
    {0, "control-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-control", "from monitors"},
    {0, "import-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-import", "from piw-import, piw-add and others"},
    {0, "log-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-logger", "from piw-logger"},
    {0, "slave-queue", PIW_OPT_TEXT, "ADDR", "tcp://*:5555", "from and to build slaves"},
    {0, "file-queue", PIW_OPT_TEXT, "ADDR", "tcp://*:5556", "files from slaves and importers"},
    {0, "slave-queue-curve", PIW_OPT_TEXT, "ADDR", NULL, "the same encrypted, for those who have a key: tcp://*:5557"},
    {0, "file-queue-curve", PIW_OPT_TEXT, "ADDR", NULL, "likewise: tcp://*:5558"},
    {0, "status-queue-curve", PIW_OPT_TEXT, "ADDR", NULL, "likewise: tcp://*:5559"},
    {0, "control-queue-curve", PIW_OPT_TEXT, "ADDR", NULL, "likewise: tcp://*:5560"},
    {0, "admin-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-admin", "from piw-ctl"},
    {0, "web-queue", PIW_OPT_TEXT, "ADDR", "inproc://web", "name of an inner service; no socket is opened"},
    {0, "builds-queue", PIW_OPT_TEXT, "ADDR", "inproc://builds", "likewise"},
    {0, "db-queue", PIW_OPT_TEXT, "ADDR", "inproc://db", "likewise"},
    {0, "fs-queue", PIW_OPT_TEXT, "ADDR", "inproc://fs", "likewise"},
    {0, "stats-queue", PIW_OPT_TEXT, "ADDR", "inproc://stats", "likewise"},
    {0, "require-slave-version", PIW_OPT_SWITCH, NULL, NULL, "turn away slaves that don't tell their version"},
    {0, "core-dumps", PIW_OPT_SWITCH, NULL, NULL,
     "let a crash leave a core file, with passwords and keys in it, and its user trace the master"},
    {0, "no-farm", PIW_OPT_SWITCH, NULL, NULL, "no task but those that [task:NAME] sections name: to try one out",
     .cli_only = true},
    {0, "plugin-dir", PIW_OPT_LIST, "DIR", NULL, "where tasks are loaded from, first wins"},
    {0, "check-config", PIW_OPT_SWITCH, NULL, NULL, "check the configuration and exit", .cli_only = true},
    {0, "print-config", PIW_OPT_SWITCH, NULL, NULL, "show every value and where it comes from", .cli_only = true},
    PIW_OPT_END,
};

const piw_program master_program = {
    .name = "piw-master",
    .section = "master",
    .summary = "Follows PyPI, hands packages to build slaves, takes their wheels and writes the index.",
    .options = options,
    .sections = farm_sections,
};

const piw_opt master_site_options[] = {
    {0, "name", PIW_OPT_TEXT, "NAME", "piwheels", "what the site calls itself"},
    {0, "base-url", PIW_OPT_TEXT, "URL", NULL, "where the site is seen from outside"},
    {0, "accent", PIW_OPT_TEXT, "COLOUR", NULL, "the pages' colour, as #2b6cb0"},
    {0, "notice", PIW_OPT_TEXT, "TEXT", NULL, "a sentence above all pages"},
    {0, "templates", PIW_OPT_PATH, "DIR", NULL, "folder of templates that take the place of the pages' own"},
    {0, "linger", PIW_OPT_DURATION, "DURATION", "10m", "removed wheels stay on disk so long", .max = 31536000000},
    {0, "order", PIW_OPT_CHOICE, NULL, "oldest", "which versions are built first", "oldest|newest|popular"},
    {0, "common", PIW_OPT_TEXT, "VIEW", NULL, "the view whose wheels /simple/ has (default: the first one)"},
    PIW_OPT_END,
};

const piw_opt master_view_options[] = {
    {0, "abi", PIW_OPT_TEXT, "ABI", NULL, "of its slaves and wheels, as cp311"},
    {0, "platform", PIW_OPT_TEXT, "TAGS", NULL,
     "what its slaves build for, and wheels that run there, as linux_aarch64"},
    {0, "os_name", PIW_OPT_TEXT, "NAMES", "*", "what a slave's operating system calls itself, as debian"},
    {0, "os_version", PIW_OPT_TEXT, "NUMBERS", "*", "its version, or how that begins: 12 fits 12 and 12.5"},
    {0, "machine", PIW_OPT_TEXT, "WORDS", "*", "of its platform after linux_, or its board's revision code"},
    {0, "libraries", PIW_OPT_TEXT, "WORDS", NULL, "sonames and symbol versions that its machines have, as GLIBC_2.36"},
    {0, "skip_pypi_wheels", PIW_OPT_SWITCH, NULL, NULL,
     "don't build what PyPI has as a wheel for this kind of machine"},
    {0, "stable_only", PIW_OPT_SWITCH, NULL, NULL, "build no pre-releases"},
    {0, "newest", PIW_OPT_INT, "N", "0", "only so many versions of a package (0: all)", .max = 1000000},
    {0, "popular", PIW_OPT_INT, "N", "0", "only packages of which so many wheels were downloaded in 30 days (0: all)",
     .max = 1000000000},
    {0, "pure_from_pypi", PIW_OPT_SWITCH, NULL, NULL,
     "build what PyPI has as a wheel for any machine (default: only for the common view)"},
    PIW_OPT_END,
};

const piw_opt master_auth_options[] = {
    {0, "method", PIW_OPT_CHOICE, NULL, "none", "how slaves prove who they are", "none|curve"},
    {0, "allow", PIW_OPT_TEXT, "NETWORKS", "all", "networks that may connect to addresses without a list of their own"},
    {0, "allow-slave", PIW_OPT_TEXT, "NETWORKS", NULL, "those that may connect to the slave queue's plain address"},
    {0, "allow-file", PIW_OPT_TEXT, "NETWORKS", NULL, "likewise, of the file queue"},
    {0, "allow-import", PIW_OPT_TEXT, "NETWORKS", NULL, "likewise, of the import queue, if it listens at TCP"},
    {0, "allow-slave-curve", PIW_OPT_TEXT, "NETWORKS", NULL,
     "those that may connect to the slave queue's encrypted address"},
    {0, "allow-file-curve", PIW_OPT_TEXT, "NETWORKS", NULL, "likewise, of the file queue"},
    {0, "allow-status-curve", PIW_OPT_TEXT, "NETWORKS", NULL, "likewise, of the status queue"},
    {0, "allow-control-curve", PIW_OPT_TEXT, "NETWORKS", NULL, "likewise, of the control queue"},
    {0, "keys", PIW_OPT_PATH, "DIR", "/etc/piwheels/keys", "folder of the keys that piw-keys makes"},
    PIW_OPT_END,
};

const piw_opt master_task_options[] = {
    [PIW_TASK_PLUGIN] = {0, "plugin", PIW_OPT_TEXT, "FILE", NULL, "the file with the task (default: NAME.so)"},
    [PIW_TASK_ENABLED] = {0, "enabled", PIW_OPT_SWITCH, NULL, "yes", "whether it runs"},
    [PIW_TASK_INSTANCES] = {0, "instances", PIW_OPT_INT, "N", NULL,
                            "how many of it share the work, if it can be several", .min = 1,
                            .max = PIW_LIMIT_INSTANCES},
    [PIW_TASK_CRITICAL] = {0, "critical", PIW_OPT_SWITCH, NULL, NULL,
                           "whether the master stops when it can't be kept up (default: as the plugin says)"},
    [PIW_TASK_ISOLATE] = {0, "isolate", PIW_OPT_CHOICE, NULL, "thread",
                          "where it runs: in a thread of the master, or in a process of its own", "thread|process"},
    [PIW_TASK_ABSENT] = {0, "absent", PIW_OPT_CHOICE, NULL, "error",
                         "what calls do while it is disabled: fail, or wait", "error|wait"},
    [PIW_TASK_KEYS] = PIW_OPT_END,
};

const char *const master_queues[] = {"slave", "file", "import", "log", "control", "status", "admin"};
const size_t master_queues_count = PIW_COUNT(master_queues);
const char *const master_curve_queues[] = {"slave", "file", "status", "control"};
const size_t master_curve_queues_count = PIW_COUNT(master_curve_queues);
const char *const master_allows[] = {"slave",      "file",         "import",       "slave-curve",
                                     "file-curve", "status-curve", "control-curve"};
const size_t master_allows_count = PIW_COUNT(master_allows);
const char *const master_services[] = {"web", "builds", "db", "fs", "stats"};
const size_t master_services_count = PIW_COUNT(master_services);
