/* schema.h — the SQL files of schema/, inside the program. */
#ifndef INITDB_SCHEMA_H
#define INITDB_SCHEMA_H

typedef struct schema_file {
    const char *name;  /* "piw.sql" */
    const char *sql;   /* NUL-terminated */
    const char *doing; /* what running it is called: "creating …" */
} schema_file;

/* A step of schema piw from one version to the next, and what fills its new tables once the functions are there. */
typedef struct schema_step {
    int from;
    schema_file tables, fill; /* fill.name may be NULL */
} schema_step;

/* Lists end with a NULL name, steps with a 0. */

/* The stock tables and functions of release 0.23. */
extern const schema_file schema_public[];
/* The same, into a database of release 0.22. */
extern const schema_file schema_stock_step[];
/* Schema piw: its tables, and all else (functions, types, triggers), in the order in which they build on each other. */
extern const schema_file schema_piw_tables[], schema_piw_programs[];
/* The triggers on stock tables alone, one `CREATE TRIGGER` for each. */
extern const schema_file schema_attach;
/* What a new schema piw counts: the tables of a stock database. */
extern const schema_file schema_counts[];
/* Takes away what schema_piw_programs makes, of whatever version. */
extern const schema_file schema_drop_programs;
/* In ascending order, without gaps up to this program's version. */
extern const schema_step schema_steps[];
/* How many versions an upgrade from before SCHEMA_COVERAGE brings back into the build queue; what it makes is to be
 * taken back. */
enum { SCHEMA_COVERAGE = 3 };
extern const schema_file schema_count_back[];
/* Privileges: of the role in the setting piw.role, on the schemas in piw.schemas. */
extern const schema_file schema_grants;

#endif
