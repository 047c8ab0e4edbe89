/* catalogue.c — the archives in the folder, and what their metadata says. */
#include "catalogue.h"

#include "archive_info.h"
#include "piw/log.h"
#include "shared/names.h"
#include "shared/text.h"
#include "shared/version.h"
#include "shared/wheel.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES_MAX = 100000 }; /* more in one folder than a stand-in is for */

static void file_fini(pypi_file *file)
{
    free(file->filename);
    free(file->name);
    free(file->version);
    free(file->summary);
    free(file->requires_python);
}

int pypi_catalogue_open(pypi_catalogue *catalogue, const char *dir, piw_err *err)
{
    struct stat status;
    *catalogue = (pypi_catalogue){0};
    if (stat(dir, &status) != 0)
        return piw_err_errno(err, "folder %s", dir);
    if (!S_ISDIR(status.st_mode))
        return piw_err_set(err, PIW_ENOENT, "%s is not a folder", dir);
    catalogue->dir = piw_strdup(dir);
    return 0;
}

void pypi_catalogue_close(pypi_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->count; i++)
        file_fini(&catalogue->files[i]);
    free(catalogue->files);
    free(catalogue->dir);
    *catalogue = (pypi_catalogue){0};
}

static pypi_file *find(const pypi_catalogue *catalogue, const char *filename)
{
    size_t low = 0, high = catalogue->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(filename, catalogue->files[middle].filename);
        if (order == 0)
            return &catalogue->files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const pypi_file *pypi_catalogue_find(const pypi_catalogue *catalogue, const char *filename)
{
    const pypi_file *file = find(catalogue, filename);
    return file != NULL && file->present && file->canonical[0] != '\0' ? file : NULL;
}

/* Fills in what the archive says. A file that isn't understood keeps an empty project name: it is known, so that it is
 * complained of once, and never shown. */
static void file_read(pypi_file *file, const char *path)
{
    piw_err err = {0};
    piw_metadata metadata = {0};
    int64_t size;
    char canonical[PIW_NAME_MAX + 1];
    if (pypi_archive_info(path, file->sdist, &metadata, &err) != 0 ||
        piw_file_hash(path, file->hash, &size, &err) != 0) {
        piw_warning("%s is left out: %s", path, err.text);
        piw_metadata_fini(&metadata);
        return;
    }
    if (!piw_name_canonical(piw_text_of(metadata.name), canonical)) {
        piw_warning("%s is left out: \"%s\" is no project name", path, metadata.name);
        piw_metadata_fini(&metadata);
        return;
    }
    if (!piw_version_acceptable(piw_text_of(metadata.version))) {
        piw_warning("%s is left out: \"%s\" is no version", path, metadata.version);
        piw_metadata_fini(&metadata);
        return;
    }
    memcpy(file->canonical, canonical, sizeof(canonical));
    file->name = piw_strdup(metadata.name);
    file->version = piw_strdup(metadata.version);
    file->summary = metadata.summary != NULL ? piw_strdup(metadata.summary) : NULL;
    file->requires_python = metadata.requires_python != NULL ? piw_strdup(metadata.requires_python) : NULL;
    piw_metadata_fini(&metadata);
}

static int by_filename(const void *a, const void *b)
{
    return strcmp(((const pypi_file *)a)->filename, ((const pypi_file *)b)->filename);
}

static int64_t mtime_of(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
}

static int file_seen(pypi_catalogue *catalogue, size_t known, const char *filename, piw_err *err)
{
    char *path = piw_sprintf("%s/%s", catalogue->dir, filename);
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        free(path);
        return 0;
    }
    pypi_catalogue before = {.files = catalogue->files, .count = known};
    pypi_file *file = find(&before, filename);
    if (file != NULL && file->size == status.st_size && file->mtime_ns == mtime_of(&status)) {
        file->present = true;
        free(path);
        return 0;
    }
    if (file != NULL) {
        file_fini(file);
    } else {
        if (catalogue->count == FILES_MAX) {
            free(path);
            return piw_err_set(err, PIW_ELIMIT, "folder %s holds more than %d files", catalogue->dir, FILES_MAX);
        }
        catalogue->files = piw_realloc(catalogue->files, (catalogue->count + 1) * sizeof(*catalogue->files));
        file = &catalogue->files[catalogue->count++];
    }
    *file = (pypi_file){.filename = piw_strdup(filename),
                        .sdist = pypi_is_sdist(filename),
                        .size = status.st_size,
                        .mtime_ns = mtime_of(&status),
                        .present = true};
    file_read(file, path);
    free(path);
    return 0;
}

int pypi_catalogue_scan(pypi_catalogue *catalogue, piw_err *err)
{
    DIR *dir = opendir(catalogue->dir);
    if (dir == NULL)
        return piw_err_errno(err, "folder %s", catalogue->dir);
    size_t known = catalogue->count;
    for (size_t i = 0; i < known; i++)
        catalogue->files[i].present = false;
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && !piw_text_has_control(piw_text_of(entry->d_name)) &&
            (pypi_is_sdist(entry->d_name) || pypi_is_wheel(entry->d_name)))
            rc = file_seen(catalogue, known, entry->d_name, err);
    closedir(dir);
    if (catalogue->count > known)
        qsort(catalogue->files, catalogue->count, sizeof(*catalogue->files), by_filename);
    return rc;
}
