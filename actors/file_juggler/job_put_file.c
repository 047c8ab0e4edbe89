/* job_put_file.c — a job for the worker pool: writes or removes a file that a plugin asks for. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int unsafe(const put_file *job, piw_err *err)
{
    return piw_err_set(err, PIW_EINVAL, "\"%s\" makes no safe path", job->path.s);
}

/* A package's file lies beside its page: a package that has none would get a folder for it alone. And no link, as other
 * spellings of names are, leads out of the folder that was meant. */
static int check_folder(const put_file *job, const char *path, piw_err *err)
{
    if (strncmp(job->path.s, "project/", 8) != 0)
        return 0;
    char page[PIW_PATH_MAX + 16];
    struct stat info;
    size_t folder = (size_t)(strrchr(path, '/') - path);
    snprintf(page, sizeof(page), "%.*s", (int)folder, path);
    if (lstat(page, &info) != 0 || !S_ISDIR(info.st_mode))
        return piw_err_set(err, PIW_ENOENT, "%s isn't written: the package has no page", path);
    snprintf(page, sizeof(page), "%.*s/index.html", (int)folder, path);
    return lstat(page, &info) == 0 ? 0
                                   : piw_err_set(err, PIW_ENOENT, "%s isn't written: the package has no page", path);
}

static int write_it(const put_file *job, const char *path, bool *written, piw_err *err)
{
    size_t len = piw_blob_size(job->data);
    char *data = malloc(len + 1);
    if (data == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for %s", path);
    piw_blob_read(job->data, 0, data, len);
    *written = !piw_file_holds(path, data, len);
    int rc = *written ? piw_file_write(job->root.s, path, data, len, 0, err) : 0;
    free(data);
    return rc;
}

int job_put_file(piw_msg *job, piw_msg **result, piw_err *err)
{
    const put_file *body = put_file_of(job);
    char path[PIW_PATH_MAX];
    bool written = false;
    if (!piw_path_plugin(path, body->root.s, body->path))
        return unsafe(body, err);
    int rc = piw_site_there(body->root.s, err);
    if (rc == 0 && body->data == NULL)
        rc = piw_file_remove(path, err);
    else if (rc == 0 && (rc = check_folder(body, path, err)) == 0)
        rc = write_it(body, path, &written, err);
    if (rc == 0)
        *result = put_file_reply_make(written);
    return rc;
}
