/* job_check.c — a job for the worker pool: checks a received wheel and writes its METADATA beside it. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/wheel.h"
#include "shared/wheel_name.h"
#include "shared/wheel_needs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { METADATA_MAX = 64 << 10 /* bytes that go into the journal */ };

/* The staged file and the folder that it lies in. All goes through these two, so that a build that is thrown away
 * meanwhile (its folder renamed) takes what is written here with it. */
typedef struct staged {
    int folder, file;
} staged;

static int open_staged(const check_file *job, staged *s, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    const char *slash = strrchr(job->path.s, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - job->path.s);
    if (len == 0 || len >= sizeof(folder))
        return piw_err_set(err, PIW_EINVAL, "the staged path \"%s\" has no folder", job->path.s);
    memcpy(folder, job->path.s, len);
    folder[len] = '\0';
    s->file = -1;
    s->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (s->folder < 0)
        return piw_err_errno(err, "can't open the staging folder %s", folder);
    s->file = openat(s->folder, job->state.filename.s, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (s->file >= 0)
        return 0;
    int rc = piw_err_errno(err, "can't open the staged file %s", job->path.s);
    close(s->folder);
    return rc;
}

static void close_staged(staged *s)
{
    close(s->file);
    close(s->folder);
}

/* FILE.metadata of `filename`, staged; it can be made again from the wheel. *written is false when its name is
 * longer than a file system takes. */
static int write_metadata(const staged *s, const check_file *job, const char *filename, const piw_wheel *wheel,
                          bool *written, piw_err *err)
{
    char name[PIW_PATH_MAX];
    int n = snprintf(name, sizeof(name), "%s.metadata", filename);
    *written = n > 0 && piw_path_component((piw_text){name, (uint32_t)n});
    if (!*written)
        return 0;
    int fd = openat(s->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return piw_err_errno(err, "can't make the staged file %s.metadata", job->path.s);
    int rc = 0;
    if (piw_write_all(fd, wheel->metadata_bytes, wheel->metadata_len) != 0)
        rc = piw_err_errno(err, "can't write the staged file %s.metadata", job->path.s);
    if (close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write the staged file %s.metadata", job->path.s);
    return rc;
}

/* The name for linux_armv6l, a link to the staged wheel. A wheel of that name which the build has itself stays. */
static int stage_armv6l(const staged *s, const check_file *job, const piw_wheel *wheel, bool *made, piw_err *err)
{
    char name[PIW_FILENAME_MAX + 1];
    bool metadata;
    if (!wheel->armv6_too || !piw_wheel_name_armv6l(job->state.filename, name))
        return 0;
    if (symlinkat(job->state.filename.s, s->folder, name) != 0) {
        struct stat there;
        if (errno != EEXIST || fstatat(s->folder, name, &there, AT_SYMLINK_NOFOLLOW) != 0)
            return piw_err_errno(err, "can't make the link %s to the staged file %s", name, job->path.s);
        if (!S_ISLNK(there.st_mode))
            return 0;
    }
    *made = true;
    return write_metadata(s, job, name, wheel, &metadata, err);
}

/* Most wheels are synced with those of other builds (job_sync.c), which a large one would hold up. */
static int sync_large(const staged *s, const check_file *job, piw_err *err)
{
    if (job->state.filesize <= JOB_SYNCED_ALONE || fdatasync(s->file) == 0)
        return 0;
    return piw_err_errno(err, "can't sync %s", job->path.s);
}

static int stage_beside(const staged *s, const check_file *job, const piw_wheel *wheel, bool *metadata, bool *armv6_too,
                        piw_err *err)
{
    int rc = sync_large(s, job, err);
    if (rc == 0)
        rc = write_metadata(s, job, job->state.filename.s, wheel, metadata, err);
    if (rc == 0)
        rc = stage_armv6l(s, job, wheel, armv6_too, err);
    return rc;
}

/* The answer with the file as it was announced. */
static piw_msg *answer(const check_file *job, check_file_reply **body)
{
    piw_msg *msg = check_file_reply_new(body);
    piw_value_copy(msg, file_state_type(), &job->state, &(*body)->file.state);
    (*body)->why = piw_msg_textz(msg, "");
    return msg;
}

static piw_msg *answer_bad(const check_file *job, bool final, const char *refused_by, const char *why)
{
    check_file_reply *body;
    piw_msg *msg = answer(job, &body);
    body->final = final;
    body->refused_by = piw_msg_textz(msg, refused_by);
    body->why = piw_msg_textz(msg, why);
    return msg;
}

/* What the wheel's code needs of the machine; nothing where it isn't asked for, or isn't known. `s`: NULL for one in memory. */
static int note_needs(const staged *s, const check_file *job, piw_msg *to, built_file *file, piw_err *err)
{
    piw_needs needs;
    const char *name = job->state.filename.s;
    if (job->needs == NULL || !*job->needs)
        return 0;
    int rc = s != NULL ? piw_wheel_needs(s->file, name, &needs, err)
                       : piw_wheel_needs_of(piw_blob_data(job->data), piw_blob_size(job->data), name, &needs, err);
    if (rc == 0 && !needs.unknown) {
        wheel_needs *words = piw_msg_alloc(to, sizeof(*words));
        piw_msg_list(to, &words->words, needs.count);
        for (uint32_t i = 0; i < words->words.count; i++)
            words->words.at[i] = piw_msg_textz(to, needs.at[i]);
        file->needs = words;
    }
    piw_needs_fini(&needs);
    return rc;
}

/* A log that can't be kept now is tried again when it is asked for, which says what is wrong. */
static void keep_log_too(const check_file *job, piw_msg *to, check_file_reply *body)
{
    piw_err err = {0};
    if (job->log == NULL)
        return;
    bool *logged = piw_msg_alloc(to, sizeof(*logged));
    *logged = job_stage_log(job->log, &err) == 0;
    body->logged = logged;
}

static int check(const staged *s, const check_file *job, piw_msg **result, piw_err *err)
{
    struct stat info;
    if (fstat(s->file, &info) != 0)
        return piw_err_errno(err, "can't read %s", job->path.s);
    if (info.st_size != job->state.filesize) {
        piw_err own_err = {0};
        piw_err_set(&own_err, PIW_EAGAIN, "%s has %lld bytes, not %lld as was said", job->state.filename.s,
                    (long long)info.st_size, (long long)job->state.filesize);
        *result = answer_bad(job, false, "size", own_err.text);
        return 0;
    }
    /* What hasn't been written out yet is written while the wheel is checked. */
    (void)sync_file_range(s->file, 0, 0, SYNC_FILE_RANGE_WRITE);
    piw_wheel_known known = {.hash = job->hash.len == 64 ? job->hash.s : NULL,
                             .seen = (const piw_wheel_seen *)(const void *)job->seen.data,
                             .count = job->seen.len / sizeof(*known.seen)};
    piw_wheel wheel;
    piw_err own_err = {0};
    int rc = piw_wheel_read_fd(s->file, job->state.filename.s, job->state.filehash.s, &known, &wheel, &own_err);
    if (rc == PIW_EAGAIN || rc == PIW_EREFUSED) {
        *result = answer_bad(job, rc == PIW_EREFUSED, wheel.refused_by, own_err.text);
        return 0;
    }
    if (rc != 0)
        return piw_err_set(err, rc, "%s", own_err.text);
    bool metadata = false, armv6_too = false;
    rc = stage_beside(s, job, &wheel, &metadata, &armv6_too, err);
    if (rc == 0) {
        check_file_reply *body;
        *result = answer(job, &body);
        body->good = true;
        body->file.armv6_too = armv6_too;
        /* What the wheel says of itself is what an installer will check. */
        body->file.state.requires_python = piw_msg_textz(*result, wheel.metadata.requires_python);
        if (metadata)
            body->file.metadata_hash = piw_msg_textz(*result, wheel.metadata_hash);
        rc = note_needs(s, job, *result, &body->file, err);
        if (rc == 0)
            keep_log_too(job, *result, body);
        else
            piw_msg_free(result);
    }
    piw_wheel_fini(&wheel);
    return rc;
}

/* --- One in memory ---------------------------------------------------------------------------------------------------- */

/* Its METADATA goes with it into the journal. */
static int answer_held(const check_file *job, const piw_wheel *wheel, piw_msg **result, piw_err *err)
{
    char name[PIW_PATH_MAX], second[PIW_FILENAME_MAX + 1];
    check_file_reply *body;
    int n = snprintf(name, sizeof(name), "%s.metadata", job->state.filename.s);
    *result = answer(job, &body);
    body->good = true;
    body->file.armv6_too = wheel->armv6_too && piw_wheel_name_armv6l(job->state.filename, second);
    body->file.state.requires_python = piw_msg_textz(*result, wheel->metadata.requires_python);
    if (n > 0 && piw_path_component((piw_text){name, (uint32_t)n}))
        body->file.metadata_hash = piw_msg_textz(*result, wheel->metadata_hash);
    if (wheel->metadata_len <= METADATA_MAX) {
        piw_blob *metadata = piw_blob_new(wheel->metadata_bytes, wheel->metadata_len);
        body->metadata = piw_msg_blob(*result, metadata);
        piw_blob_unref(&metadata);
    }
    return note_needs(NULL, job, *result, &body->file, err);
}

static int check_held(const check_file *job, piw_msg **result, piw_err *err)
{
    piw_wheel_known known = {.hash = job->hash.len == 64 ? job->hash.s : NULL};
    piw_wheel wheel;
    piw_err own_err = {0};
    int rc = piw_wheel_read_bytes(piw_blob_data(job->data), piw_blob_size(job->data), job->state.filename.s,
                                  job->state.filehash.s, &known, &wheel, &own_err);
    if (rc == PIW_EAGAIN || rc == PIW_EREFUSED) {
        *result = answer_bad(job, rc == PIW_EREFUSED, wheel.refused_by, own_err.text);
        return 0;
    }
    if (rc != 0)
        return piw_err_set(err, rc, "%s", own_err.text);
    rc = answer_held(job, &wheel, result, err);
    if (rc != 0)
        piw_msg_free(result);
    piw_wheel_fini(&wheel);
    return rc;
}

int job_check_file(piw_msg *job, piw_msg **result, piw_err *err)
{
    const check_file *body = check_file_of(job);
    staged s;
    if (body->data != NULL)
        return check_held(body, result, err);
    int rc = open_staged(body, &s, err);
    if (rc != 0)
        return rc;
    rc = check(&s, body, result, err);
    close_staged(&s);
    return rc;
}

/* Only a hint: trouble shows when the file is synced. */
int job_write_out(piw_msg *job, piw_msg **result, piw_err *err)
{
    (void)err;
    const write_out *body = write_out_of(job);
    int fd = open(body->path.s, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        (void)sync_file_range(fd, body->from, body->length, SYNC_FILE_RANGE_WRITE);
        close(fd);
    }
    *result = write_out_reply_new();
    return 0;
}
