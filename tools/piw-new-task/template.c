/* template.c — the files of template/, inside the program. The assembler takes them in, as it does with the SQL of
 * schema/. Paths are relative to the folder of the Makefile. */
#include "template.h"

#include "piw/err.h"

#include <ctype.h>

#define INCLUDE(symbol, name)                                                                                          \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"tools/piw-new-task/template/" name                          \
            "\"\n.byte 0\n.popsection\n");                                                                             \
    extern const char symbol[] __attribute__((visibility("hidden")))

INCLUDE(template_task, "task.c.in");
INCLUDE(template_proto, "task.piw.in");
INCLUDE(template_makefile, "Makefile.in");
INCLUDE(template_probe, "probe.c.in");
INCLUDE(template_run, "run.in");
INCLUDE(template_readme, "README.md.in");
INCLUDE(template_ignore, "gitignore.in");

#define NAME      "@name@"
#define UPPERCASE "@NAME@"

const template_file template_files[] = {
    {NAME ".c", template_task, 0666},
    {"proto", NULL, 0777},
    {"proto/" NAME ".piw", template_proto, 0666},
    {"Makefile", template_makefile, 0666},
    {"test", NULL, 0777},
    {"test/run", template_run, 0777},
    {"test/probe.c", template_probe, 0666},
    {"README.md", template_readme, 0666},
    {".gitignore", template_ignore, 0666},
};
const size_t template_files_count = PIW_COUNT(template_files);

/* Into `to`, unless that is NULL; how many bytes it is. */
static size_t fill(const char *text, const char *name, char *to)
{
    size_t len = strlen(name), total = 0;
    while (*text != '\0') {
        bool upper = strncmp(text, UPPERCASE, strlen(UPPERCASE)) == 0;
        bool holds = upper || strncmp(text, NAME, strlen(NAME)) == 0;
        for (size_t i = 0; to != NULL && i < (holds ? len : 1); i++)
            to[total + i] = holds ? (upper ? (char)toupper((unsigned char)name[i]) : name[i]) : *text;
        total += holds ? len : 1;
        text += holds ? strlen(NAME) : 1;
    }
    return total;
}

char *template_fill(const char *text, const char *name)
{
    size_t len = fill(text, name, NULL);
    char *filled = piw_alloc(len + 1);
    fill(text, name, filled);
    filled[len] = '\0';
    return filled;
}
