/* job_staged.c — jobs for the worker pool that look after what is staged: reading it, syncing, emptying the trash. */
#include "jobs.h"

#include "file_juggler.piw.h"
#include "piw/codec.h"
#include "shared/atomic_file.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORD_MAX = 64 << 20, FILES_MAX = 1000 };

/* The package that the record names, and what it has sealed; null when there is no record that can be read. */
static piw_text read_record(const read_staged *job, piw_msg *into, const sealed_build **sealed, piw_text *view)
{
    char path[PIW_PATH_MAX];
    void *data;
    size_t len;
    piw_text package = {0};
    if (!piw_path_staged(path, job->root.s, job->build_id, piw_text_of("record")) ||
        piw_file_read(path, RECORD_MAX, &data, &len, NULL) != 0)
        return package;
    piw_msg *record = NULL;
    piw_err err = {0};
    if (piw_record_read(file_juggler_protocol_def.interned, data, len, &record, &err) != 0) {
        piw_warning("what is staged of build %lld has a record that can't be read: %s", (long long)job->build_id,
                    err.text);
    } else if (piw_msg_type_of(record) == staged_record_type()) {
        const staged_record *body = staged_record_of(record);
        package = piw_text_copy(into, body->package);
        *view = piw_text_copy_some(into, body->view);
        if (body->sealed != NULL) {
            sealed_build *copy = piw_msg_alloc(into, sizeof(*copy));
            piw_value_copy(into, sealed_build_type(), body->sealed, copy);
            *sealed = copy;
        }
    }
    piw_msg_free(&record);
    free(data);
    return package;
}

/* A staged link is another name of a wheel: put that wheel's own path into `path`, staged or already in place. */
static int follow_link(const read_staged *job, const char *name, char *path, const char *package, piw_text view,
                       piw_err *err)
{
    char target[PIW_FILENAME_MAX + 1], home[PIW_PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return errno == EINVAL ? 0 : piw_err_errno(err, "can't look at the staged file %s", path);
    target[n] = '\0';
    if (!piw_path_staged(path, job->root.s, job->build_id, piw_text_of(target)))
        return piw_err_set(err, PIW_EREFUSED, "the staged link %s leads nowhere", name);
    if (access(path, F_OK) == 0)
        return 0;
    if (!piw_path_view(home, job->root.s, view) ||
        !piw_path_simple(path, home, piw_text_of(package), piw_text_of(target)) || access(path, F_OK) != 0)
        return piw_err_set(err, PIW_EREFUSED, "the staged link %s leads nowhere", name);
    return 0;
}

static int add_file(const read_staged *job, const char *name, piw_msg *into, read_staged_reply *reply, piw_err *err)
{
    char path[PIW_PATH_MAX], hash[65];
    int64_t size;
    piw_wheel_name parts;
    if (piw_wheel_name_split(piw_text_of(name), &parts, NULL) != 0 ||
        !piw_path_staged(path, job->root.s, job->build_id, piw_text_of(name)))
        return 0;
    int rc =
        follow_link(job, name, path, reply->package.s != NULL ? reply->package.s : parts.canonical, reply->view, err);
    if (rc == 0)
        rc = piw_file_hash(path, hash, &size, err);
    if (rc != 0)
        return rc == PIW_EREFUSED ? 0 : rc;
    if (reply->package.s == NULL)
        reply->package = piw_msg_textz(into, parts.canonical);
    read_staged_reply_files *file = &reply->files.at[reply->files.count++];
    file->filename = piw_msg_textz(into, name);
    file->filehash = piw_msg_textz(into, hash);
    return 0;
}

static int list_files(const read_staged *job, piw_msg *into, read_staged_reply *reply, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, job->root.s, job->build_id, (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "a staged build's number makes no path");
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT || errno == ENOTDIR ? 0 : piw_err_errno(err, "can't list %s", path);
    piw_msg_list(into, &reply->files, FILES_MAX);
    reply->files.count = 0;
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && reply->files.count < FILES_MAX && (entry = readdir(folder)) != NULL)
        rc = entry->d_name[0] == '.' ? 0 : add_file(job, entry->d_name, into, reply, err);
    closedir(folder);
    return rc;
}

int job_read_staged(piw_msg *job, piw_msg **result, piw_err *err)
{
    const read_staged *body = read_staged_of(job);
    int rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    read_staged_reply *reply;
    piw_msg *made = read_staged_reply_new(&reply);
    reply->package = read_record(body, made, &reply->sealed, &reply->view);
    if (reply->package.s == NULL && body->package.len > 0) {
        reply->package = piw_msg_text(made, body->package.s, body->package.len);
        reply->view = piw_text_copy_some(made, body->view);
    }
    if (reply->sealed == NULL && body->sealed != NULL) {
        sealed_build *sealed = piw_msg_alloc(made, sizeof(*sealed));
        piw_value_copy(made, sealed_build_type(), body->sealed, sealed);
        reply->sealed = sealed;
    }
    if (body->noted != NULL && !job_is_placed(body->root.s, body->build_id, body->package, body->view, body->noted))
        rc = job_stage_noted(body->root.s, body->build_id, body->package, body->view, body->noted, err);
    if (rc == 0)
        rc = list_files(body, made, reply, err);
    if (rc != 0) {
        piw_msg_free(&made);
        return rc;
    }
    if (reply->package.s == NULL)
        reply->package = piw_msg_textz(made, "");
    *result = made;
    return 0;
}

void job_add_sealed(piw_msg *msg, sealed_versions *to, piw_text package, const sealed_build *sealed)
{
    to->at.at[to->at.count++] =
        (sealed_version){.package = piw_text_copy(msg, package),
                         .version = piw_text_copy(msg, sealed->version),
                         .queue = piw_text_copy(msg, sealed->queue.len > 0 ? sealed->queue : sealed->abi_tag)};
}

int job_read_seals(piw_msg *job, piw_msg **result, piw_err *err)
{
    const read_seals *body = read_seals_of(job);
    int rc = piw_site_there(body->root.s, err);
    if (rc != 0)
        return rc;
    read_seals_reply *reply;
    piw_msg *made = read_seals_reply_new(&reply);
    piw_msg_list(made, &reply->left.at, body->known.at.count + body->builds.count);
    reply->left.at.count = 0;
    for (uint32_t i = 0; i < body->known.at.count; i++)
        piw_value_copy(made, sealed_version_type(), &body->known.at.at[i], &reply->left.at.at[reply->left.at.count++]);
    for (uint32_t i = 0; i < body->builds.count; i++) {
        const sealed_build *sealed = NULL;
        piw_text view;
        piw_text package =
            read_record(&(read_staged){.root = body->root, .build_id = body->builds.at[i]}, made, &sealed, &view);
        if (sealed != NULL)
            job_add_sealed(made, &reply->left, package, sealed);
    }
    *result = made;
    return 0;
}

int job_sync_site(piw_msg *job, piw_msg **result, piw_err *err)
{
    int rc = piw_site_sync(sync_site_of(job)->root.s, err);
    if (rc == 0)
        *result = sync_site_reply_new();
    return rc;
}

int job_empty_trash(piw_msg *job, piw_msg **result, piw_err *err)
{
    const empty_trash *body = empty_trash_of(job);
    for (uint32_t i = 0; i < body->paths.count; i++) {
        const char *path = body->paths.at[i].s;
        if (unlink(path) == 0 || errno == ENOENT)
            continue;
        int rc = errno == EISDIR || errno == EPERM ? piw_folder_remove(path, err)
                                                   : piw_err_errno(err, "can't remove %s", path);
        if (rc != 0)
            return rc;
    }
    *result = empty_trash_reply_new();
    return 0;
}
