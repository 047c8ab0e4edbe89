/* The files are taken in by the assembler, which needs no generator and keeps them byte for byte. Paths are relative to
 * the folder of the Makefile. */
#include "schema.h"

#include <stddef.h>

#define INCLUDE(symbol, path)                                                                                          \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");                       \
    extern const char symbol[] __attribute__((visibility("hidden")))

INCLUDE(sql_public, "schema/public.sql");
INCLUDE(sql_piw, "schema/piw.sql");
INCLUDE(sql_writes, "schema/writes.sql");
INCLUDE(sql_reads, "schema/reads.sql");
INCLUDE(sql_triggers, "schema/triggers.sql");
INCLUDE(sql_grants, "schema/grants.sql");

const schema_file schema_public = {"public.sql", sql_public};
const schema_file schema_piw[] = {
    {"piw.sql", sql_piw}, {"writes.sql", sql_writes}, {"reads.sql", sql_reads}, {"triggers.sql", sql_triggers},
    {NULL, NULL},
};
const schema_file schema_grants = {"grants.sql", sql_grants};
