/* folder.c — the folder of a new task appears whole: it is filled under another name beside its place, then renamed. */
#include "folder.h"

#include "shared/atomic_file.h"
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_file(const char *path, const template_file *file, const char *name, piw_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    if (fd < 0)
        return piw_err_errno(err, "can't make %s", path);
    char *text = template_fill(file->text, name);
    int rc = piw_write_all(fd, text, strlen(text)) == 0 ? 0 : piw_err_errno(err, "can't write %s", path);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write %s", path);
    free(text);
    return rc;
}

static int fill_folder(const char *folder, const char *name, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < template_files_count && rc == 0; i++) {
        const template_file *file = &template_files[i];
        char *own = template_fill(file->path, name), *path = piw_sprintf("%s/%s", folder, own);
        if (file->text != NULL)
            rc = write_file(path, file, name, err);
        else if (mkdir(path, file->mode) != 0)
            rc = piw_err_errno(err, "can't make the folder %s", path);
        free(path);
        free(own);
    }
    return rc;
}

static int exists(const char *path, piw_err *err)
{
    return piw_err_set(err, PIW_EEXIST, "there is a %s already: remove it, or choose another name or --dir", path);
}

/* What mkdtemp has made is its owner's alone. */
static int open_up(const char *folder, piw_err *err)
{
    mode_t mask = umask(0);
    umask(mask);
    return chmod(folder, 0777 & ~mask) == 0 ? 0 : piw_err_errno(err, "can't change the mode of %s", folder);
}

/* Not every file system can refuse to replace; there an empty folder of that name, made since it was looked, would go. */
static int put_in_place(const char *from, const char *path, piw_err *err)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return exists(path, err);
    if (errno != EINVAL || rename(from, path) != 0)
        return piw_err_errno(err, "can't make %s", path);
    return 0;
}

int folder_make(const char *path, const char *dir, const char *name, piw_err *err)
{
    struct stat st;
    char *filled = piw_sprintf("%s/.%s.XXXXXX", dir, name);
    int rc = 0;
    if (lstat(path, &st) == 0)
        rc = exists(path, err);
    else if (mkdtemp(filled) == NULL)
        rc = piw_err_errno(err, "can't make a folder in %s", dir);
    if (rc == 0) {
        rc = fill_folder(filled, name, err);
        rc = rc != 0 ? rc : open_up(filled, err);
        rc = rc != 0 ? rc : put_in_place(filled, path, err);
        if (rc != 0)
            piw_folder_remove(filled, NULL); /* what went wrong before is said */
    }
    free(filled);
    return rc;
}
