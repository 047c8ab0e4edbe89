/* job_metadata.c — a job for the worker pool: puts METADATA beside published wheels that have none. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel.h"

#include <unistd.h>

/* 0 with the hash; PIW_ENOENT: it can't have any. */
static int make_one(const char *root, const wheels_for_metadata_files *file, piw_msg *into, piw_text *hash,
                    piw_err *err)
{
    char path[PIW_PATH_MAX], to[PIW_PATH_MAX];
    piw_wheel wheel;
    piw_err own_err = {0};
    if (!piw_path_simple(path, root, file->package, file->filename) ||
        !piw_path_metadata(to, root, file->package, file->filename))
        return PIW_ENOENT;
    int rc = piw_wheel_read(path, file->filename.s, &wheel, &own_err);
    if (rc == PIW_EREFUSED || rc == PIW_EINVAL)
        piw_info("%s stays without METADATA beside it: %s", path, own_err.text);
    if (rc != 0)
        return rc == PIW_ESYS || rc == PIW_ENOMEM ? piw_err_set(err, rc, "%s", own_err.text) : PIW_ENOENT;
    if (!piw_file_holds(to, wheel.metadata_bytes, wheel.metadata_len))
        rc = piw_file_write(root, to, wheel.metadata_bytes, wheel.metadata_len, 0, err);
    if (rc == 0)
        *hash = piw_msg_textz(into, wheel.metadata_hash);
    piw_wheel_fini(&wheel);
    /* It may have been removed meanwhile, and what lay beside it. */
    if (rc == 0 && access(path, F_OK) != 0) {
        unlink(to);
        rc = PIW_ENOENT;
    }
    return rc;
}

int job_make_metadata(piw_msg *job, piw_msg **result, piw_err *err)
{
    const make_metadata *body = make_metadata_of(job);
    int rc = piw_site_there(body->root.s, err);
    wheels_done *made;
    piw_msg *reply = make_metadata_reply_new(&made);
    piw_msg_list(reply, &made->files, body->wheels.files.count);
    made->files.count = 0;
    for (uint32_t i = 0; rc == 0 && i < body->wheels.files.count; i++) {
        wheels_done_files *to = &made->files.at[made->files.count];
        rc = make_one(body->root.s, &body->wheels.files.at[i], reply, &to->hash, err);
        if (rc == 0) {
            to->filename = piw_text_copy(reply, body->wheels.files.at[i].filename);
            made->files.count++;
        } else if (rc == PIW_ENOENT) {
            rc = 0;
        }
    }
    if (body->wheels.upto.s != NULL)
        made->upto = piw_text_copy(reply, body->wheels.upto);
    if (rc == 0)
        *result = reply;
    else
        piw_msg_free(&reply);
    return rc;
}
