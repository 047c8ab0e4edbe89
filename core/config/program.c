/* program.c — what every program has beside its own options, and which sections of the files a program knows. */
#include "config/options.h"

const piw_opt piw__core_options[] = {
    {.short_name = 'h', .name = "help", .kind = PIW_OPT_SWITCH, .cli_only = true, .help = "show this and exit"},
    {.name = "version", .kind = PIW_OPT_SWITCH, .cli_only = true, .help = "show the version and exit"},
    {.short_name = 'c',
     .name = "configuration",
     .kind = PIW_OPT_PATH,
     .value_name = "FILE",
     .cli_only = true,
     .help = "read this configuration file instead of the default ones"},
    {.short_name = 'q', .name = "quiet", .kind = PIW_OPT_SWITCH, .help = "say errors only"},
    {.short_name = 'v', .name = "verbose", .kind = PIW_OPT_SWITCH, .help = "say what is done, not only warnings"},
    {.short_name = 'l',
     .name = "log-file",
     .kind = PIW_OPT_PATH,
     .value_name = "FILE",
     .help = "append the log to this file too"},
    PIW_OPT_END,
};

const piw_config_section *piw__section_find(const piw_program *program, const char *section)
{
    for (const piw_config_section *at = program->sections; at != NULL && at->name != NULL; at++) {
        size_t stem = strcspn(at->name, "*");
        bool same = at->name[stem] == '*' ? strncmp(section, at->name, stem) == 0 : strcmp(section, at->name) == 0;
        if (same)
            return at;
    }
    return NULL;
}
