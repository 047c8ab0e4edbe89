/* atomic_file.h — files of the site appear whole or not at all: a temporary file beside the staging folder, then a
 * rename (docs/site.md#how-files-appear).
 *
 * The temporary file lies in ROOT/.staging/tmp, which must be on the file system of ROOT, so that what a killed
 * master leaves is never inside the site; piw_tmp_clear removes what other processes left. Any thread. */
#ifndef SHARED_ATOMIC_FILE_H
#define SHARED_ATOMIC_FILE_H

#include "piw/err.h"

enum {
    PIW_FILE_SYNC = 1 << 0,     /* fsync the file before the rename */
    PIW_FILE_SYNC_DIR = 1 << 1, /* fsync its folder after the rename */
    PIW_FILE_KEEP = 1 << 2,     /* never replace: PIW_EEXIST when there is one */
    PIW_FILE_LATER =
        1 << 3, /* its time is of a later second than that of a file of its size that it replaces: web servers
                                 * tell files apart by these (docs/web-logs.md#what-caches-are-told) */
};

/* Write `data` as `path`, mode 0644, replacing what is there. Folders that are missing are made (0755). On failure
 * nothing has changed and no temporary file stays; the sentence names path and cause. */
int piw_file_write(const char *root, const char *path, const void *data, size_t len, unsigned flags, piw_err *err);
/* Is `path` a file of mode 0644 with exactly these bytes? */
bool piw_file_holds(const char *path, const void *data, size_t len);
/* Is there something of that path? */
bool piw_file_there(const char *path);
/* A room: a folder of its own for temporary files, which is made when it is missing. Who makes many files spreads them over rooms, a few
 * thousand in each, so that ext4 doesn't look past the inodes of all that was removed near the others
 * (docs/performance.md#files-of-builds). */
typedef struct piw_room {
    int64_t number;    /* from 1 */
    int64_t files, ns; /* that were made in it by this struct, and what this took of a processor */
} piw_room;
/* As piw_file_write, by way of a room (NULL: none). */
int piw_file_write_in(const char *root, piw_room *room, const char *path, const void *data, size_t len, unsigned flags,
                      piw_err *err);
/* Nobody makes files in this process's rooms up to this one any more: they go when they are empty. */
void piw_rooms_end(const char *root, int64_t last);
/* The highest number of a room of this process; 0: there is none. */
int64_t piw_room_last(const char *root);
/* Remove those of this process up to this number, with all that is in them. */
void piw_rooms_clear(const char *root, int64_t last);
/* Begin a temporary file, in a room (NULL: in none): *fd is open for writing, `tmp` (PIW_PATH_MAX bytes) its path. End it with
 * piw_file_commit, or close and unlink it. */
int piw_file_begin(const char *root, piw_room *room, char *tmp, int *fd, piw_err *err);
/* Make a temporary folder, 0700. End it with piw_folder_commit, or piw_folder_remove. */
int piw_folder_begin(const char *root, char *tmp, piw_err *err);
/* It becomes `path`; a file or folder of that name goes, in the same moment. Removes `tmp` also when it fails. */
int piw_folder_commit(const char *tmp, const char *path, piw_err *err);
/* Finish: mode 0644, fsync when asked for, close, rename to `path`. Closes *fd (and sets it to -1) and unlinks tmp also
 * when it fails. */
int piw_file_commit(int *fd, const char *tmp, const char *path, unsigned flags, piw_err *err);
/* Put a file that is complete (staged) at `path`, mode 0644, by rename. PIW_ENOENT when `from` isn't there. */
int piw_file_place(const char *from, const char *path, unsigned flags, piw_err *err);
/* Rename, but never over another file; -1 and errno. */
int piw_file_rename_keeping(const char *from, const char *path);
/* A relative symbolic link `path` -> `target`, atomically; a real file or folder at `path` is left: PIW_EEXIST. */
int piw_link_write(const char *root, const char *path, const char *target, piw_err *err);
/* Remove a file or link; one that isn't there is fine. */
int piw_file_remove(const char *path, piw_err *err);
/* Make the folder and what is missing above it, mode 0755. */
int piw_folder_make(const char *path, piw_err *err);
/* The same for the folder that `path` lies in. */
int piw_folder_make_for(const char *path, piw_err *err);
/* fsync of the folder that `path` lies in. */
int piw_folder_sync_of(const char *path, piw_err *err);
/* What has changed on the file system of `root` reaches the disk. */
int piw_site_sync(const char *root, piw_err *err);
/* Remove a folder and everything in it (no links are followed); one that isn't there is fine. */
int piw_folder_remove(const char *path, piw_err *err);
/* The same, but the emptied folder is kept for piw_folder_reuse: file systems look past what was just removed for each thing
 * that is made (docs/performance.md). `number` spreads over a few places; what is there already is given up. */
int piw_folder_spare(const char *root, const char *path, int64_t number, piw_err *err);
/* Make `path` of a spare folder of that number, if there is one. */
bool piw_folder_reuse(const char *root, const char *path, int64_t number);
/* Move a file or folder into ROOT/.staging/tmp at once, whatever its size; piw_tmp_clear removes it for good. `trash`
 * (PIW_PATH_MAX bytes) becomes its path there. PIW_ENOENT when there is none. */
int piw_trash(const char *root, const char *path, char *trash, piw_err *err);
/* Remove what other processes left in ROOT/.staging/tmp. */
int piw_tmp_clear(const char *root, piw_err *err);

/* Write all of it, whatever pieces the system takes. PIW_ESYS with errno set. */
int piw_write_all(int fd, const void *data, size_t len);
/* Read a whole file of at most `max` bytes into *data (malloc; the caller frees), NUL-terminated. PIW_ENOENT when there is
 * none, PIW_ELIMIT when it is larger. */
int piw_file_read(const char *path, size_t max, void **data, size_t *len, piw_err *err);

#endif
