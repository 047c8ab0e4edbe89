/* small.c — a build with one small wheel and a short log lies in the journal as a whole: its wheel comes into memory, and once it has
 * passed the gate one record holds all of the build, synced with those of others. After the build's row a worker puts its files in
 * their places from there (logs.c).
 *
 * Until then a file without bytes stands where the folder of a staged build would (the mark): who writes pages, or compares the site,
 * sees by it that the build is on its way. Whatever else is to be done of such a build is done once it is staged like any other:
 * then the folder takes the mark's place (job_place.c). */
#include "juggler.h"

#include "fs.piw.h"
#include "jobs.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WHEEL_MAX = 49152, /* bytes */
    LOG_MAX = 49152,   /* as it is printed */
    /* While so much is open others are staged: the journal is read at each swap, and written anew now and then. */
    OPEN_MAX = 6 << 20,
    HELD_MAX = 16 << 20, /* bytes that all transfers have in memory */
};

bool small_takes(const juggler *self, const fs_EXPECT *expect)
{
    const last_file *last = expect->last;
    return last != NULL && last->wheels.count == 1 && piw_text_eq(last->wheels.at[0], expect->file.filename) &&
           expect->file.filesize <= WHEEL_MAX && self->transfers.held + expect->file.filesize <= HELD_MAX &&
           piw_blob_size(last->output) <= LOG_MAX && !self->logs_failed && !self->small_failed &&
           self->journal.fd >= 0 && self->journal.open_size < OPEN_MAX && piw_name_is_canonical(expect->package) &&
           !juggler_is_staged(self, expect->build_id);
}

static const journal_build *find(juggler *self, int64_t build_id)
{
    const journal_entry *known = journal_find(&self->journal, build_id);
    return known != NULL && known->state == JOURNAL_IS_OPEN && small_has_wheel(known->build) ? known->build : NULL;
}

bool small_lies(juggler *self, int64_t build_id)
{
    return find(self, build_id) != NULL && !juggler_is_staged(self, build_id);
}

/* --- The mark --------------------------------------------------------------------------------------------------------- */

/* All are links to one file, so that none costs an inode. Where that can't be each is a file of its own. */
static int mark(const juggler *self, int64_t build_id, piw_err *err)
{
    char to[PIW_PATH_MAX], one[PIW_PATH_MAX];
    if (!piw_path_staged(to, self->root, build_id, (piw_text){0}) || !piw_path_unstaged(one, self->root))
        return piw_err_set(err, PIW_EINVAL, "the number of build %lld makes no path", (long long)build_id);
    if (link(one, to) == 0 || errno == EEXIST)
        return 0;
    bool missing = errno == ENOENT;
    int fd = open(missing ? one : to, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) != 0)
        return piw_err_errno(err, "can't make the mark %s", missing ? one : to);
    return !missing || link(one, to) == 0 || errno == EEXIST ? 0 : piw_err_errno(err, "can't make the mark %s", to);
}

/* False when it can't be removed, which is said: pages of its package wait. */
static bool unmark(const juggler *self, int64_t build_id)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, self->root, build_id, (piw_text){0}) || unlink(path) == 0 || errno == ENOENT ||
        errno == EISDIR)
        return true;
    piw_error("the mark %s can't be removed, so pages of its package wait: %s", path, strerror(errno));
    return false;
}

/* --- Into the journal ------------------------------------------------------------------------------------------------- */

static void describe_wheel(piw_msg *record, journal_build *body, transfer *t, const check_file_reply *checked)
{
    char second[PIW_FILENAME_MAX + 1];
    bool two = checked->file.armv6_too && piw_wheel_name_armv6l(t->about->filename, second);
    piw_msg_list(record, &body->wheels, two ? 2 : 1);
    body->wheels.at[0] = piw_text_copy(record, t->about->filename);
    if (two)
        body->wheels.at[1] = piw_msg_textz(record, second);
    noted_wheel *wheel = piw_msg_alloc(record, sizeof(*wheel));
    wheel->data = piw_msg_blob(record, transfers_whole(t));
    wheel->metadata = piw_msg_blob(record, checked->metadata);
    body->wheel = wheel;
}

int small_note(juggler *self, transfer *t, const check_file_reply *checked, piw_err *err)
{
    if (transfers_whole(t) == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to note \"%s\"", t->about->filename.s);
    int64_t build_id = t->about->build_id;
    const last_file *last = juggler_last(t);
    journal_build *body;
    int rc = job_keeping_begins(build_id, err);
    if (rc != 0)
        return rc;
    piw_msg *record = juggler_describe(build_id, t->about->package, last->view, &body);
    body->log = piw_msg_blob(record, last->output);
    describe_wheel(record, body, t, checked);
    rc = juggler_note(self, record, err);
    if (rc == 0)
        rc = mark(self, build_id, err);
    return rc == 0 ? job_keeping_ends(build_id, err) : rc;
}

void small_copy(piw_msg *record, journal_build *body, const journal_build *from)
{
    noted_wheel *wheel = piw_msg_alloc(record, sizeof(*wheel));
    piw_value_copy(record, noted_wheel_type(), from->wheel, wheel);
    body->wheel = wheel;
    body->log = piw_msg_blob(record, from->log);
    piw_msg_list(record, &body->wheels, from->wheels.count);
    piw_texts_copy(record, from->wheels.at, from->wheels.count, body->wheels.at);
}

bool small_forget(juggler *self, int64_t build_id)
{
    return self->site_away || find(self, build_id) == NULL || unmark(self, build_id);
}

/* --- At a start, and at an end ---------------------------------------------------------------------------------------- */

const noted_build *small_describe(piw_msg *msg, const journal_build *from)
{
    noted_build *to = piw_msg_alloc(msg, sizeof(*to));
    piw_msg_list(msg, &to->wheels, from->wheels.count);
    piw_texts_copy(msg, from->wheels.at, from->wheels.count, to->wheels.at);
    piw_value_copy(msg, noted_wheel_type(), from->wheel, &to->wheel);
    to->log = piw_msg_blob(msg, from->log);
    if (from->sealed != NULL) {
        sealed_build *sealed = piw_msg_alloc(msg, sizeof(*sealed));
        piw_value_copy(msg, sealed_build_type(), from->sealed, sealed);
        to->sealed = sealed;
    }
    return to;
}

static int stage(const juggler *self, const journal_build *build, piw_err *err)
{
    piw_msg *msg = read_staged_reply_new(&(read_staged_reply *){NULL});
    int rc = job_stage_noted(self->root, build->build_id, build->package, build->view, small_describe(msg, build), err);
    piw_msg_free(&msg);
    return rc;
}

/* A mark whose build isn't in the journal: its record didn't reach the disk, or it is over. */
static void remove_marks(juggler *self)
{
    char path[PIW_PATH_MAX];
    DIR *folder = piw_path_staging(path, self->root) ? opendir(path) : NULL;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        int64_t id = piw_staged_build(entry->d_name);
        if (id > 0 && find(self, id) == NULL && !juggler_is_staged(self, id))
            unmark(self, id);
    }
    if (folder != NULL)
        closedir(folder);
}

static bool is_placed(const juggler *self, const journal_build *build)
{
    piw_msg *msg = read_staged_reply_new(&(read_staged_reply *){NULL});
    const noted_build *noted = small_describe(msg, build);
    bool placed = job_is_placed(self->root, build->build_id, build->package, build->view, noted);
    piw_msg_free(&msg);
    return placed;
}

int small_open(juggler *self, piw_err *err)
{
    int rc = 0;
    remove_marks(self);
    for (const journal_entry *at = journal_next(&self->journal, NULL); rc == 0 && at != NULL;
         at = journal_next(&self->journal, at)) {
        if (find(self, at->build_id) == NULL || juggler_is_staged(self, at->build_id))
            continue;
        if (is_placed(self, at->build))
            unmark(self, at->build_id);
        else
            rc = mark(self, at->build_id, err);
    }
    return rc;
}

void small_leave(juggler *self)
{
    const journal_entry *at = journal_next(&self->journal, NULL), *next;
    for (; at != NULL; at = next) {
        int64_t id = at->build_id;
        next = journal_next(&self->journal, at); /* one that can't be read goes */
        const journal_build *build = at->state == JOURNAL_IS_OPEN ? find(self, id) : NULL;
        piw_err err = {0};
        if (build != NULL && !juggler_is_staged(self, id) && stage(self, build, &err) != 0)
            piw_error("build %lld stays in the journal: %s", (long long)id, err.text);
    }
}

/* One that came before a swap and nobody has asked for since, kept by a version that didn't say which those are, counts. */
bool small_any(juggler *self)
{
    const journal_entry *at = self->small_unknown ? journal_next(&self->journal, NULL) : NULL;
    while (at != NULL && (at->state != JOURNAL_IS_OPEN || at->build != NULL))
        at = journal_next(&self->journal, at);
    self->small_unknown = at != NULL;
    return self->journal.whole > 0 || self->small_unknown;
}
