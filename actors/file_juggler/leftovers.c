/* leftovers.c — builds that an earlier master left staged: those with a row are published, the others removed. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "web.piw.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { RETRY_MS = 5000, DIGITS = 12, LEFTOVERS_MAX = 100000 };

/* A folder's name as a build id, 0 when it isn't one. */
static int64_t id_of(const char *name)
{
    if (strlen(name) != DIGITS || strspn(name, "0123456789") != DIGITS)
        return 0;
    return strtoll(name, NULL, 10);
}

/* With room for one more. */
static void grow(juggler *j)
{
    if (j->leftovers_count < j->leftovers_room)
        return;
    j->leftovers_room = j->leftovers_room == 0 ? 16 : 2 * j->leftovers_room;
    j->leftovers = piw_realloc(j->leftovers, j->leftovers_room * sizeof *j->leftovers);
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const leftover *)a)->id, y = ((const leftover *)b)->id;
    return x > y ? -1 : x < y;
}

static bool is_listed(const leftover *list, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].id == id)
            return true;
    }
    return false;
}

static bool is_in(const int64_t *ids, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Append to the list what is staged, in order, but for what the list has already and what `except` names. */
static int find(juggler *j, const int64_t *except, uint32_t except_count, bool settled, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staging(path, j->root))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", j->root);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    uint32_t before = j->leftovers_count;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL && j->leftovers_count < LEFTOVERS_MAX) {
        int64_t id = id_of(entry->d_name);
        if (id <= 0 || is_listed(j->leftovers, before, id) || is_in(except, except_count, id))
            continue;
        grow(j);
        j->leftovers[j->leftovers_count++] = (leftover){.id = id, .settled = settled};
    }
    closedir(folder);
    if (j->leftovers_count > before)
        qsort(j->leftovers + before, j->leftovers_count - before, sizeof *j->leftovers, newest_first);
    return 0;
}

int leftovers_find(juggler *j, piw_err *err)
{
    int rc = piw_tmp_clear(j->root, err);
    if (rc == 0)
        rc = find(j, NULL, 0, false, err);
    if (rc == 0 && j->leftovers_count > 0)
        piw_info("%" PRIu32 " builds are staged from before: asking the database which of them were recorded",
                 j->leftovers_count);
    return rc;
}

int leftovers_settle(piw_task *task, const int64_t *except, uint32_t count)
{
    juggler *j = piw_soul(task);
    uint32_t before = j->leftovers_count;
    piw_err why = {0};
    if (find(j, except, count, true, &why) != 0) {
        piw_error("builds that nobody finishes any more stay staged until the master starts again: %s", why.text);
        return 0;
    }
    if (j->leftovers_count == before)
        return 0;
    piw_info("%" PRIu32
             " builds are staged that nobody finishes any more: asking the database which of them were recorded",
             j->leftovers_count - before);
    if (before == 0)
        return leftovers_begin(task);
    /* Their turn comes after those that are being dealt with, the last of the list first. */
    uint32_t more = j->leftovers_count - before;
    leftover *added = piw_alloc(more * sizeof *added);
    memcpy(added, j->leftovers + before, more * sizeof *added);
    memmove(j->leftovers + more, j->leftovers, before * sizeof *added);
    memcpy(j->leftovers, added, more * sizeof *added);
    free(added);
    return 0;
}

int leftovers_begin(piw_task *task)
{
    juggler *j = piw_soul(task);
    if (j->leftovers_count == 0)
        return 0;
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, j->leftovers_count);
    for (uint32_t i = 0; i < j->leftovers_count; i++)
        body->build_ids.at[i] = j->leftovers[i].id;
    int rc = piw_call(task, &call, "builds_known", 0, 0);
    piw_msg_free(&call);
    return rc;
}

int on_leftovers_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return leftovers_begin(task);
}

static int try_again(piw_task *task, const char *why)
{
    piw_warning("what is staged from before has to wait: %s", why);
    return piw_timer(task, "leftovers", 0, RETRY_MS, 0);
}

static leftover *current(const juggler *j)
{
    return &j->leftovers[j->leftovers_count - 1];
}

/* The last of the list: read what is staged of it. */
static int next(piw_task *task)
{
    juggler *j = piw_soul(task);
    if (j->leftovers_count == 0)
        return 0;
    piw_msg *job = read_staged_make(juggler_root(j), current(j)->id);
    int rc = piw_work(task, job_read_staged, &job, "leftover_read", 0);
    piw_msg_free(&job);
    return rc;
}

int on_builds_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    const db_BUILDS_KNOWN_reply *known = db_BUILDS_KNOWN_reply_of(reply);
    for (uint32_t i = 0; i < j->leftovers_count; i++)
        j->leftovers[i].recorded = is_in(known->known.at, known->known.count, j->leftovers[i].id);
    return next(task);
}

/* This one is finished, or nothing can be done about it now. */
static int done_with_it(piw_task *task)
{
    juggler *j = piw_soul(task);
    if (j->leftovers_count > 0)
        j->leftovers_count--;
    return next(task);
}

/* Remember what is staged of it while the database is asked about it. */
static void keep(juggler *j, const piw_msg *staged)
{
    piw_msg_free(&j->reading);
    j->reading = piw_msg_copy(staged);
}

/* A build that was sealed while the database was away is recorded before its files are published. */
static int record_sealed(piw_task *task, const piw_msg *staged, int64_t id)
{
    const read_staged_reply *from = read_staged_reply_of(staged);
    db_LOGBUILD *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    body->build_id = id;
    body->slave_id = from->sealed->slave_id;
    body->package = piw_msg_text(call, from->package.s, from->package.len);
    body->version = piw_msg_text(call, from->sealed->version.s, from->sealed->version.len);
    body->abi_tag = piw_msg_text(call, from->sealed->abi_tag.s, from->sealed->abi_tag.len);
    body->status = from->sealed->status;
    body->duration = from->sealed->duration;
    piw_msg_list(call, &body->files, from->sealed->files.count);
    for (uint32_t i = 0; i < from->sealed->files.count; i++)
        piw_value_copy(call, built_file_type(), &from->sealed->files.at[i], &body->files.at[i]);
    int rc = piw_call(task, &call, "leftover_recorded", 0, -1);
    piw_msg_free(&call);
    return rc;
}

/* The project's data tell which of its files are the ones that the database names. */
static int ask_project(piw_task *task, const piw_msg *staged)
{
    piw_msg *call = db_PROJECT_make(read_staged_reply_of(staged)->package);
    int rc = piw_call(task, &call, "leftover_project", 0, 0);
    piw_msg_free(&call);
    return rc;
}

static int throw_away(piw_task *task, int64_t id, const char *why)
{
    piw_info("build %" PRId64 " was staged but %s: removed", id, why);
    int rc = upkeep_discard(task, id);
    return rc != 0 ? rc : done_with_it(task);
}

/* Ask the database whether this one has a row after all. */
static int ask_known(piw_task *task)
{
    const juggler *j = piw_soul(task);
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, 1);
    body->build_ids.at[0] = current(j)->id;
    int rc = piw_call(task, &call, "leftover_known", 0, 0);
    piw_msg_free(&call);
    return rc;
}

int on_leftover_read(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    const read_staged_reply *staged = read_staged_reply_of(reply);
    const leftover *it = current(j);
    bool named = piw_name_is_canonical(staged->package);
    if (it->settled && !named)
        return done_with_it(task); /* it was put in place meanwhile, or the next start sees to it */
    if (!it->recorded && (staged->sealed == NULL || !named) && !it->settled)
        return throw_away(task, it->id, "never recorded");
    if (!named) {
        piw_error("build %" PRId64 " is staged and recorded, but nothing says of which package: it stays staged",
                  it->id);
        return done_with_it(task);
    }
    int rc;
    if (it->recorded)
        rc = ask_project(task, reply);
    else if (staged->sealed != NULL)
        rc = record_sealed(task, reply, it->id);
    else
        rc = ask_known(task);
    if (rc == 0)
        keep(j, reply);
    return rc;
}

int on_leftover_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (j->reading == NULL || j->leftovers_count == 0)
        return leftovers_begin(task);
    leftover *it = current(j);
    int code = piw_msg_error(reply);
    if (code == PIW_EDB) {
        piw_error("build %" PRId64 ", sealed while the database was away, can't be recorded and stays staged: %s",
                  it->id, piw_msg_error_text(reply));
        return done_with_it(task);
    }
    if (code != 0)
        return try_again(task, piw_msg_error_text(reply));
    if (!db_LOGBUILD_reply_of(reply)->recorded)
        return ask_known(task); /* its version is gone; or who sealed it had sent it to be recorded */
    piw_info("build %" PRId64 ", sealed while the database was away, is recorded", it->id);
    it->recorded = true;
    return ask_project(task, j->reading);
}

int on_leftover_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    if (j->reading == NULL || j->leftovers_count == 0)
        return leftovers_begin(task);
    leftover *it = current(j);
    it->recorded = db_BUILDS_KNOWN_reply_of(reply)->known.count > 0;
    if (it->recorded)
        return ask_project(task, j->reading);
    if (read_staged_reply_of(j->reading)->sealed != NULL)
        return throw_away(task, it->id, "its version is gone");
    piw_info("build %" PRId64 " is staged but not recorded: it stays staged until the master starts again", it->id);
    return done_with_it(task);
}

/* Does the database name a file of this name with this hash? */
static bool is_wanted(const project_data *project, const read_staged_reply_files *file)
{
    for (uint32_t i = 0; i < project->releases.count; i++) {
        const project_release *release = &project->releases.at[i];
        for (uint32_t k = 0; k < release->files.count; k++) {
            if (piw_text_eq(release->files.at[k].filename, file->filename))
                return piw_text_eq(release->files.at[k].filehash, file->filehash);
        }
    }
    return false;
}

int on_leftover_project(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    if (j->reading == NULL || j->leftovers_count == 0)
        return leftovers_begin(task);
    const db_PROJECT_reply *project = db_PROJECT_reply_of(reply);
    const read_staged_reply *staged = read_staged_reply_of(j->reading);
    publish_build *body;
    piw_msg *job = publish_build_new(&body);
    body->root = piw_msg_textz(job, j->root);
    body->build_id = current(j)->id;
    body->package = piw_msg_text(job, staged->package.s, staged->package.len);
    piw_msg_list(job, &body->kept, staged->files.count);
    body->kept.count = 0;
    for (uint32_t i = 0; i < staged->files.count; i++) {
        const read_staged_reply_files *file = &staged->files.at[i];
        if (!project->found || !is_wanted(&project->data, file))
            body->kept.at[body->kept.count++] = piw_msg_text(job, file->filename.s, file->filename.len);
    }
    int rc = piw_work(task, job_publish_build, &job, "leftover_published", 0);
    piw_msg_free(&job);
    if (rc == 0)
        upkeep_published(j, staged->package);
    return rc;
}

int on_leftover_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *j = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    if (j->reading == NULL)
        return leftovers_begin(task);
    piw_text package = read_staged_reply_of(j->reading)->package;
    piw_info("a build of %s that was recorded before the master stopped is in place now", package.s);
    piw_msg *cast = web_BOTH_make(package, false);
    int rc = piw_cast(task, &cast);
    piw_msg_free(&cast);
    if (rc != 0)
        return rc;
    piw_msg_free(&j->reading);
    j->unsynced = true;
    return done_with_it(task);
}
