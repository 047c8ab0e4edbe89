/* schema.h — the SQL files of schema/, inside the program. */
#ifndef INITDB_SCHEMA_H
#define INITDB_SCHEMA_H

typedef struct schema_file {
    const char *name; /* "piw.sql" */
    const char *sql;  /* NUL-terminated */
} schema_file;

/* The stock tables and functions of release 0.23. */
extern const schema_file schema_public;
/* Schema piw, in the order in which its files build on each other; ends with a NULL name. */
extern const schema_file schema_piw[];
/* Privileges: of the role in the setting piw.role, on the schemas in piw.schemas. */
extern const schema_file schema_grants;

#endif
