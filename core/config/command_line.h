/* command_line.h — inside the core: argv parsed against a program's options, in argparse's forms. One thread. */
#ifndef PIW__COMMAND_LINE_H
#define PIW__COMMAND_LINE_H

#include "piw/options.h"

/* What the command line says, applied after the files, since it names the files. */
typedef struct piw__given {
    const piw_opt *opt;
    const char *text; /* NULL: a switch; else borrowed from argv */
} piw__given;

typedef struct piw__command_line {
    const piw_program *program;
    int argc;
    char **argv;
    int next;
    piw__given *given; /* room for every character of argv: each is an option at most once */
    size_t given_count;
    char **operands; /* borrowed from argv */
    size_t operands_count;
} piw__command_line;

void piw__command_line_init(piw__command_line *line, const piw_program *program, int argc, char **argv);
void piw__command_line_fini(piw__command_line *line);

/* 0; 1 when --help or --version was printed; PIW_EUSAGE with a sentence. */
int piw__command_line_parse(piw__command_line *line, piw_err *err);

/* PIW_EUSAGE with a sentence that ends in the way to --help. */
int piw__usage_error(const piw__command_line *line, piw_err *err, const char *fmt, ...) PIW_PRINTF(3, 4);

#endif
