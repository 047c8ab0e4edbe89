/* job_needs.c — a job for the worker pool: reads what the code of published wheels needs of the machine. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/log.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel_needs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* The wheel in its place, or out of reach while it is quarantined. -1 with errno. */
static int open_wheel(const char *root, const wheels_for_needs_files *file)
{
    char path[PIW_PATH_MAX];
    errno = EINVAL;
    int fd =
        piw_path_simple(path, root, file->package, file->filename) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0 && errno == ENOENT && piw_path_withheld(path, root, file->package, file->filename))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd;
}

static int read_one(const char *root, const wheels_for_needs_files *file, piw_msg *into, const wheel_needs **found,
                    piw_err *err)
{
    piw_needs needs = {.count = 0};
    piw_err own_err = {0};
    int fd = open_wheel(root, file), rc = fd < 0 ? piw_err_errno(&own_err, "can't open it") : 0;
    if (rc == 0)
        rc = piw_wheel_needs(fd, file->filename.s, &needs, &own_err);
    if (fd >= 0)
        close(fd);
    if (rc == 0 && !needs.unknown) {
        wheel_needs *words = piw_msg_alloc(into, sizeof(*words));
        piw_msg_list(into, &words->words, needs.count);
        for (uint32_t i = 0; i < words->words.count; i++)
            words->words.at[i] = piw_msg_textz(into, needs.at[i]);
        *found = words;
    }
    piw_needs_fini(&needs);
    if (rc == PIW_ENOMEM)
        return piw_err_set(err, rc, "%s", own_err.text);
    /* A disk that can't give one wheel gives others: without it a build more is made, that is all. */
    if (rc != 0)
        piw_info("what %s needs isn't known, so it serves its own view alone: %s", file->filename.s, own_err.text);
    return 0;
}

int job_read_needs(piw_msg *job, piw_msg **result, piw_err *err)
{
    const read_needs *body = read_needs_of(job);
    int rc = piw_site_there(body->root.s, err);
    wheels_done *found;
    piw_msg *reply = read_needs_reply_new(&found);
    piw_msg_list(reply, &found->files, body->wheels.files.count);
    for (uint32_t i = 0; rc == 0 && i < body->wheels.files.count; i++) {
        wheels_done_files *to = &found->files.at[i];
        to->filename = piw_text_copy(reply, body->wheels.files.at[i].filename);
        to->hash = piw_text_copy(reply, body->wheels.files.at[i].hash);
        rc = read_one(body->root.s, &body->wheels.files.at[i], reply, &to->needs, err);
    }
    if (body->wheels.upto.s != NULL)
        found->upto = piw_text_copy(reply, body->wheels.upto);
    if (rc == 0)
        *result = reply;
    else
        piw_msg_free(&reply);
    return rc;
}
