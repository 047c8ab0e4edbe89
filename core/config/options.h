/* options.h — inside the core: the loaded configuration, shared by options.c, option_value.c and option_help.c. */
#ifndef PIW__OPTIONS_H
#define PIW__OPTIONS_H

#include "config/config_file.h"
#include "piw/options.h"

typedef struct piw__value {
    const piw_opt *opt;
    char *text;   /* NULL: unset */
    char **items; /* PIW_OPT_LIST */
    size_t items_count;
    int64_t number; /* of the kinds that have one */
    char *origin;
    bool given;
    int source; /* 0: default; then one number a file, the environment, the command line: rising */
} piw__value;

/* Arrays handed out by option_access.c; the first is empty. */
typedef struct piw__scratch {
    struct piw__scratch *next;
    const char *names[];
} piw__scratch;

struct piw_config {
    const piw_program *program;
    piw__value *values; /* the program's options, then the core's */
    size_t values_count;
    char **operands;
    size_t operands_count;
    piw__entries entries;
    piw__scratch *scratch; /* freed with the configuration */
};

/* The options that every program has; ends with PIW_OPT_END. */
extern const piw_opt piw__core_options[];

/* Like piw_config_load, with these files instead of the three default ones (tests). */
PIW_API int piw__config_load(piw_config **config, const piw_program *program, int argc, char **argv,
                             const char *const *files, size_t files_count, piw_err *err);

/* The entry of a section in the program's table, or NULL when it has no reader. */
const piw_config_section *piw__section_find(const piw_program *program, const char *section);

/* --help and --version, to stdout. */
void piw__print_help(const piw_program *program);
void piw__print_version(const piw_program *program);

#endif
