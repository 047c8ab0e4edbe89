/* tables.c — what a program declares, written out instead of read (make man).
 *
 * Loaded before libpiw.so, its piw_config_load is the one that a program calls: it gets the program's tables, writes them to
 * stdout as JSON, and ends the program. Nothing is read, opened or asked. */
#include "man.h"

#include "config/options.h"

#include <stdlib.h>

int piw_config_load(piw_config **config, const piw_program *program, int argc, char **argv, piw_err *err)
{
    (void)config, (void)argc, (void)argv, (void)err;
    printf("{\"name\": ");
    man_text(program->name);
    printf(", \"section\": ");
    man_text(program->section);
    printf(", \"summary\": ");
    man_text(program->summary);
    printf(", \"operands\": ");
    man_text(program->operands);
    printf(", \"options\": ");
    man_options(program->options);
    printf(", \"common\": ");
    man_options(piw__core_options);
    printf("}\n");
    exit(fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
