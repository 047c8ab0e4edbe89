/* site_mark.c — the mark of an output folder. */
#include "shared/site_mark.h"

#include "shared/atomic_file.h"
#include "shared/site_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { FILE_MAX = 256 };

static int too_long(const char *root, piw_err *err)
{
    return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", root);
}

int piw_site_there(const char *root, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_mark(path, root))
        return too_long(root, err);
    if (piw_file_there(path))
        return 0;
    return piw_err_set(err, PIW_EAGAIN, "%s isn't this farm's site: %s is missing; nothing is written there", root,
                       path);
}

int piw_site_mark_read(const char *root, char *mark, piw_err *err)
{
    char path[PIW_PATH_MAX];
    void *data;
    size_t len;
    piw_err own_err = {0};
    mark[0] = '\0';
    if (!piw_path_mark(path, root))
        return too_long(root, err);
    int rc = piw_file_read(path, FILE_MAX, &data, &len, &own_err);
    if (rc == PIW_ENOENT)
        return 0;
    if (rc != 0)
        return piw_err_set(err, rc, "%s", own_err.text);
    size_t digits = strspn(data, "0123456789abcdef");
    bool good = digits == PIW_SITE_MARK_LEN && (len == digits || (len == digits + 1 && ((char *)data)[digits] == '\n'));
    if (good) {
        memcpy(mark, data, digits);
        mark[digits] = '\0';
    }
    free(data);
    return good ? 0 : piw_err_set(err, PIW_EINVAL, "%s doesn't hold %d hex digits", path, PIW_SITE_MARK_LEN);
}

int piw_site_mark_make(char *mark, piw_err *err)
{
    uint64_t random[2];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return piw_err_errno(err, "can't make a mark for the site");
    snprintf(mark, PIW_SITE_MARK_LEN + 1, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    return 0;
}

int piw_site_mark_write(const char *root, const char *mark, piw_err *err)
{
    char path[PIW_PATH_MAX], made[PIW_PATH_MAX + 8];
    if (!piw_path_mark(path, root))
        return too_long(root, err);
    snprintf(made, sizeof(made), "%s.new", path);
    int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return piw_err_errno(err, "can't mark the output path: %s", made);
    int rc = 0;
    if (piw_write_all(fd, mark, strlen(mark)) != 0 || piw_write_all(fd, "\n", 1) != 0 || fsync(fd) != 0)
        rc = piw_err_errno(err, "can't write %s", made);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write %s", made);
    if (rc == 0 && rename(made, path) != 0)
        rc = piw_err_errno(err, "can't put %s in place", path);
    if (rc != 0)
        unlink(made);
    return rc != 0 ? rc : piw_folder_sync_of(path, err);
}
