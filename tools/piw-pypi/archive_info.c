/* archive_info.c — the core metadata inside a source archive or a wheel. */
#include "archive_info.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

enum {
    INFO_MAX = 4 << 20,   /* bytes of metadata: descriptions with pictures in them fit */
    BLOCK = 64 << 10,     /* bytes read at a time */
    ENTRIES_MAX = 100000, /* members looked at before giving up */
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

bool pypi_is_sdist(const char *filename)
{
    return ends_with(filename, ".tar.gz") || ends_with(filename, ".zip");
}

bool pypi_is_wheel(const char *filename)
{
    return ends_with(filename, ".whl");
}

/* STEM/PKG-INFO in a source archive, STEM.dist-info/METADATA in a wheel. */
static bool is_info(const char *path, bool sdist)
{
    if (strncmp(path, "./", 2) == 0)
        path += 2;
    const char *slash = strchr(path, '/');
    if (slash == NULL || slash == path)
        return false;
    if (sdist)
        return strcmp(slash, "/PKG-INFO") == 0;
    static const char end[] = ".dist-info";
    size_t stem = (size_t)(slash - path);
    return strcmp(slash, "/METADATA") == 0 && stem > sizeof(end) - 1 &&
           strncmp(slash - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

static int read_member(struct archive *archive, void **data, size_t *len, piw_err *err)
{
    char *room = malloc(INFO_MAX);
    if (room == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for metadata");
    size_t used = 0;
    for (;;) {
        la_ssize_t n = archive_read_data(archive, room + used, INFO_MAX - used);
        if (n == 0)
            break;
        if (n < 0 || (used += (size_t)n) == INFO_MAX) {
            free(room);
            return piw_err_set(err, PIW_EREFUSED, "its metadata can't be read or is too long");
        }
    }
    *data = room;
    *len = used;
    return 0;
}

static int find_info(struct archive *archive, bool sdist, void **data, size_t *len, piw_err *err)
{
    struct archive_entry *entry;
    for (int i = 0; i < ENTRIES_MAX; i++) {
        int rc = archive_read_next_header(archive, &entry);
        if (rc == ARCHIVE_EOF)
            return piw_err_set(err, PIW_EREFUSED, "it holds no %s", sdist ? "PKG-INFO" : "METADATA");
        if (rc < ARCHIVE_WARN)
            return piw_err_set(err, PIW_EREFUSED, "it can't be read: %s", archive_error_string(archive));
        const char *path = archive_entry_pathname(entry);
        if (path != NULL && is_info(path, sdist))
            return read_member(archive, data, len, err);
    }
    return piw_err_set(err, PIW_EREFUSED, "it has too many members");
}

int pypi_archive_info(const char *path, bool sdist, piw_metadata *metadata, piw_err *err)
{
    struct archive *archive = archive_read_new();
    if (archive == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read an archive");
    archive_read_support_filter_gzip(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_format_zip(archive);
    void *data = NULL;
    size_t len = 0;
    int rc;
    if (archive_read_open_filename(archive, path, BLOCK) != ARCHIVE_OK)
        rc = piw_err_set(err, PIW_EREFUSED, "it can't be opened: %s", archive_error_string(archive));
    else
        rc = find_info(archive, sdist, &data, &len, err);
    archive_read_free(archive);
    if (rc == 0)
        rc = piw_metadata_parse(data, len, metadata, err);
    free(data);
    return rc;
}
