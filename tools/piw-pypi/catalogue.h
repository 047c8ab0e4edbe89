/* catalogue.h — the archives in the folder, and what their metadata says.
 *
 * The folder is read again before each answer; what was read of a file is kept as long as its size and time stay.
 * One thread. */
#ifndef PYPI_CATALOGUE_H
#define PYPI_CATALOGUE_H

#include "piw/err.h"

typedef struct pypi_file {
    char *filename;
    bool sdist;          /* else a wheel */
    char canonical[201]; /* project */
    char *name;          /* as the metadata spells it */
    char *version;
    char *summary;         /* NULL: none */
    char *requires_python; /* NULL: none */
    char hash[65];         /* SHA-256 */
    int64_t size;
    int64_t mtime_ns;
    bool present; /* seen by the last scan */
} pypi_file;

typedef struct pypi_catalogue {
    char *dir;
    pypi_file *files; /* sorted by file name */
    size_t count;
} pypi_catalogue;

/* Begin with an empty catalogue of a folder; PIW_ENOENT when there is none. */
int pypi_catalogue_open(pypi_catalogue *catalogue, const char *dir, piw_err *err);
/* Read the folder again. A file that can't be understood is left out, with one warning. */
int pypi_catalogue_scan(pypi_catalogue *catalogue, piw_err *err);
void pypi_catalogue_close(pypi_catalogue *catalogue);
/* The file of this name that is there, or NULL. */
const pypi_file *pypi_catalogue_find(const pypi_catalogue *catalogue, const char *filename);

#endif
