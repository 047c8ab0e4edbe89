/* job_along.c — a job for the worker pool: what has come of a file is stored, and read on in. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/fault.h"
#include "shared/wheel_along.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int job_write_at(int fd, const void *data, size_t len, int64_t at, piw_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const uint8_t *)data + done, len - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "can't store a piece of a file");
        done += (size_t)n;
    }
    return 0;
}

static int store(const come_pieces *come, piw_err *err)
{
    int rc = PIW_FAULT("juggler.store")
                 ? piw_err_set(err, PIW_ESYS, "can't store a piece of a file: the fault point juggler.store is armed")
                 : 0;
    for (uint32_t i = 0; rc == 0 && i < come->at.count; i++)
        rc = job_write_at((int)come->file, piw_blob_data(come->at.at[i].data), piw_blob_size(come->at.at[i].data),
                          come->at.at[i].offset, err);
    return rc;
}

static int store_all(const read_along *job, piw_msg *to, read_along_reply *reply)
{
    piw_err err = {0};
    if (job->come == NULL)
        return 0;
    stored_pieces *stored = piw_msg_alloc(to, sizeof(*stored));
    int rc = store(job->come, &err);
    stored->slave_id = job->come->slave_id;
    stored->code = rc;
    stored->why = piw_msg_textz(to, rc != 0 ? err.text : "");
    piw_msg_list(to, &stored->offsets, job->come->at.count);
    for (uint32_t i = 0; i < stored->offsets.count; i++)
        stored->offsets.at[i] = job->come->at.at[i].offset;
    reply->stored = stored;
    return rc;
}

/* What comes is read where it was received. */
static void show_pieces(const come_pieces *come, piw_wheel_along *along)
{
    for (uint32_t i = 0; come != NULL && i < come->at.count; i++)
        along->pieces[along->pieces_count++] = (piw_wheel_piece){
            come->at.at[i].offset, piw_blob_data(come->at.at[i].data), piw_blob_size(come->at.at[i].data)};
}

static int open_it(const read_along *job, piw_err *err)
{
    if (job->come != NULL)
        return (int)job->come->file;
    int fd = open(job->path.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : piw_err_errno(err, "can't open the staged file %s", job->path.s);
}

int job_read_along(piw_msg *job, piw_msg **result, piw_err *err)
{
    const read_along *body = read_along_of(job);
    read_along_reply *reply;
    int fd = open_it(body, err);
    if (fd < 0)
        return fd;
    *result = read_along_reply_new(&reply);
    piw_wheel_along *along = piw_zalloc(sizeof(*along));
    along->at = body->at;
    memcpy(along->kept, body->kept.data, sizeof(along->kept));
    int rc = store_all(body, *result, reply);
    show_pieces(body->come, along);
    piw_err own_err = {0};
    if (rc == 0 && body->until > body->at && piw_wheel_along_read(along, fd, body->size, body->until, &own_err) != 0) {
        bool *given_up = piw_msg_alloc(*result, sizeof(*given_up));
        *given_up = true;
        reply->given_up = given_up;
    }
    close(fd);
    reply->at = along->at;
    reply->kept = piw_msg_bytes(*result, along->kept, sizeof(along->kept));
    reply->seen = piw_msg_bytes(*result, along->seen, along->count * sizeof(along->seen[0]));
    reply->hash = piw_msg_textz(*result, along->hash);
    free(along);
    return 0;
}
