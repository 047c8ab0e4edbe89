/* job_seal.c — a job for the worker pool: keeps beside a staged build all that its row in the database needs. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/codec.h"
#include "piw/fault.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <fcntl.h>
#include <unistd.h>

/* The wheels were synced when they were verified; the log was not. */
static int sync_log(const seal_build *job, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, job->root.s, job->build_id, piw_text_of("log.txt.gz")))
        return piw_err_set(err, PIW_EINVAL, "a build's number makes no path");
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return piw_err_errno(err, "can't open the staged log %s", path);
    int rc = fsync(fd) == 0 ? 0 : piw_err_errno(err, "can't sync the staged log %s", path);
    close(fd);
    return rc;
}

int job_seal_build(piw_msg *job, piw_msg **result, piw_err *err)
{
    const seal_build *body = seal_build_of(job);
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, body->root.s, body->build_id, piw_text_of("record")))
        return piw_err_set(err, PIW_EINVAL, "build %lld can't be sealed: its number makes no path",
                           (long long)body->build_id);
    staged_record *record;
    piw_msg *msg = staged_record_new(&record);
    record->build_id = body->build_id;
    record->package = piw_text_copy(msg, body->package);
    record->view = piw_text_copy_some(msg, body->view);
    sealed_build *sealed = piw_msg_alloc(msg, sizeof(*sealed));
    piw_value_copy(msg, sealed_build_type(), &body->sealed, sealed);
    record->sealed = sealed;
    piw_buffer bytes = {0};
    int rc = piw_record_write(msg, &bytes, err);
    piw_msg_free(&msg);
    if (rc == 0)
        rc = sync_log(body, err);
    if (rc == 0)
        rc = piw_file_write(body->root.s, path, bytes.data, bytes.len, PIW_FILE_SYNC | PIW_FILE_SYNC_DIR, err);
    piw_buffer_fini(&bytes);
    if (rc == 0 && PIW_FAULT("juggler.sealed"))
        rc = piw_err_set(err, PIW_ESYS, "build %lld can't be sealed: the fault point juggler.sealed is armed",
                         (long long)body->build_id);
    if (rc == 0)
        *result = seal_build_reply_new();
    return rc;
}
