/* unfinished.c — builds that an earlier master left staged: those with a row are published, the others removed. */
#include "juggler.h"

#include "db.piw.h"
#include "jobs.h"
#include "piw/fault.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "web.piw.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum { RETRY_MS = 5000, UNFINISHED_MAX = 100000 };

/* With room for one more. */
static void grow(juggler *self)
{
    if (self->unfinished_count < self->unfinished_room)
        return;
    self->unfinished_room = self->unfinished_room == 0 ? 16 : 2 * self->unfinished_room;
    self->unfinished = piw_realloc(self->unfinished, self->unfinished_room * sizeof(*self->unfinished));
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = ((const unfinished *)a)->id, y = ((const unfinished *)b)->id;
    return x > y ? -1 : x < y;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Builds in order, to be looked up. The caller's. */
static int64_t *sorted(const int64_t *ids, uint32_t count)
{
    int64_t *made = piw_alloc((count + 1) * sizeof(*made));
    if (count > 0)
        memcpy(made, ids, count * sizeof(*made));
    qsort(made, count, sizeof(*made), by_value);
    return made;
}

static bool is_in(const int64_t *ids, uint32_t count, int64_t id)
{
    return bsearch(&id, ids, count, sizeof(*ids), by_value) != NULL;
}

static void add(juggler *self, unfinished it)
{
    grow(self);
    self->unfinished[self->unfinished_count++] = it;
}

static int find_staged(juggler *self, bool settled, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staging(path, self->root))
        return piw_err_set(err, PIW_EINVAL, "the output path %s is too long", self->root);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL && self->unfinished_count < UNFINISHED_MAX) {
        int64_t id = piw_staged_build(entry->d_name);
        if (id > 0)
            add(self, (unfinished){.id = id, .settled = settled, .staged = true});
    }
    closedir(folder);
    return 0;
}

/* Of the journal: all that are open, but for what is thrown away anyway. */
static void find_noted(juggler *self, bool settled)
{
    const journal_entry *at = NULL;
    while ((at = journal_next(&self->journal, at)) != NULL && self->unfinished_count < UNFINISHED_MAX) {
        if (at->state == JOURNAL_IS_OPEN && !journal_is_discarded(at))
            add(self, (unfinished){.id = at->build_id, .settled = settled});
    }
}

/* In order, each once, without those that were in the list before or are in `except`. The staged files stay where
 * they are. */
static void arrange(juggler *self, uint32_t before, const int64_t *except, uint32_t except_count)
{
    int64_t *left_out = piw_alloc((before + except_count + 1) * sizeof(*left_out));
    for (uint32_t i = 0; i < before; i++)
        left_out[i] = self->unfinished[i].id;
    if (except_count > 0)
        memcpy(left_out + before, except, except_count * sizeof(*left_out));
    uint32_t count = before + except_count, to = before;
    qsort(left_out, count, sizeof(*left_out), by_value);
    if (self->unfinished_count > before)
        qsort(self->unfinished + before, self->unfinished_count - before, sizeof(*self->unfinished), newest_first);
    for (uint32_t i = before; i < self->unfinished_count; i++) {
        unfinished it = self->unfinished[i];
        if (to > before && self->unfinished[to - 1].id == it.id)
            self->unfinished[to - 1].staged = self->unfinished[to - 1].staged || it.staged;
        else if (!is_in(left_out, count, it.id))
            self->unfinished[to++] = it;
    }
    self->unfinished_count = to;
    free(left_out);
}

/* What is staged or in the journal, but for what is in the list already or in `except`, behind it. */
static int find(juggler *self, const int64_t *except, uint32_t except_count, bool settled, piw_err *err)
{
    uint32_t before = self->unfinished_count;
    int rc = find_staged(self, settled, err);
    if (rc == 0)
        find_noted(self, settled);
    arrange(self, before, except, except_count);
    return rc;
}

int unfinished_find(juggler *self, piw_err *err)
{
    int rc = piw_tmp_clear(self->root, err);
    if (rc == 0)
        rc = find(self, NULL, 0, false, err);
    if (rc == 0 && self->unfinished_count > 0)
        piw_info("%u builds were unfinished when the master stopped: asking the database which of them were recorded",
                 self->unfinished_count);
    return rc;
}

int unfinished_find_recorded(juggler *self, piw_err *err)
{
    int rc = find(self, NULL, 0, true, err);
    for (uint32_t i = 0; i < self->unfinished_count; i++)
        self->unfinished[i].others = true;
    return rc;
}

/* All begins anew in a while. */
static int try_again(piw_task *task, const char *why)
{
    piw_outage_goes_on(&((juggler *)piw_soul(task))->troubles[TROUBLE_LEFTOVERS], PIW_LOG_WARNING, 0,
                       "the builds that an earlier master left staged have to wait: %s", why);
    return piw_timer(task, PIW_ON(leftovers), 0, RETRY_MS, 0);
}

/* A step that can't be made, for the task that it needs is away, mustn't be the last one. */
static int or_again(piw_task *task, int rc)
{
    return rc == 0 ? 0 : try_again(task, piw_err_name(rc));
}

/* Ask the database which of these have a row. */
static int ask_known(piw_task *task, const unfinished *from, uint32_t count, const char *continuation)
{
    db_BUILDS_KNOWN *body;
    piw_msg *call = db_BUILDS_KNOWN_new(&body);
    piw_msg_list(call, &body->build_ids, count);
    for (uint32_t i = 0; i < count; i++)
        body->build_ids.at[i] = from[i].id;
    int rc = PIW_FAULT("juggler.left") ? PIW_ELIMIT : piw_call(task, &call, continuation, 0, 0);
    piw_msg_free(&call);
    return rc;
}

int unfinished_begin(piw_task *task)
{
    const juggler *self = piw_soul(task);
    return self->unfinished_count == 0
               ? 0
               : or_again(task, ask_known(task, self->unfinished, self->unfinished_count, PIW_ON(builds_known)));
}

int on_leftovers(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return unfinished_begin(task);
}

int unfinished_settle(piw_task *task, const int64_t *except, uint32_t count)
{
    juggler *self = piw_soul(task);
    uint32_t before = self->unfinished_count;
    piw_err err = {0};
    if (find(self, except, count, true, &err) != 0) {
        piw_error("unfinished builds stay as they are until the master starts again: %s", err.text);
        return 0;
    }
    if (self->unfinished_count == before)
        return 0;
    piw_info("%u builds are unfinished and no task works on them: asking the database which of them were recorded",
             self->unfinished_count - before);
    if (before == 0)
        return unfinished_begin(task);
    /* Their turn comes after those that are being dealt with, the last of the list first. */
    uint32_t more = self->unfinished_count - before;
    unfinished *added = piw_alloc(more * sizeof(*added));
    memcpy(added, self->unfinished + before, more * sizeof(*added));
    memmove(self->unfinished + more, self->unfinished, before * sizeof(*added));
    memcpy(self->unfinished, added, more * sizeof(*added));
    free(added);
    return 0;
}

int unfinished_add(piw_task *task, int64_t build_id)
{
    juggler *self = piw_soul(task);
    add(self, (unfinished){.id = build_id, .settled = true});
    if (self->unfinished_count == 1)
        return unfinished_begin(task);
    /* Its turn comes after those that are being dealt with. */
    unfinished it = self->unfinished[self->unfinished_count - 1];
    it.recorded = true;
    memmove(self->unfinished + 1, self->unfinished, (self->unfinished_count - 1) * sizeof(it));
    self->unfinished[0] = it;
    return 0;
}

bool unfinished_waits(const juggler *self, int64_t build_id)
{
    for (uint32_t i = 0; i < self->unfinished_count; i++)
        if (self->unfinished[i].id == build_id)
            return self->unfinished[i].settled && !self->unfinished[i].others;
    return false;
}

static unfinished *current(const juggler *self)
{
    return &self->unfinished[self->unfinished_count - 1];
}

/* All that are left have failed. */
static int end_round(piw_task *task)
{
    juggler *self = piw_soul(task);
    for (uint32_t i = 0; i < self->unfinished_count; i++)
        self->unfinished[i].failed = false;
    return piw_timer(task, PIW_ON(leftovers), 0, RETRY_MS, 0);
}

/* It has no row, and won't have one. */
static bool is_to_go(const unfinished *it, const journal_build *known)
{
    return !it->recorded && !it->settled && known->sealed == NULL;
}

/* The last of the list: read what is staged of it. */
static int next(piw_task *task)
{
    juggler *self = piw_soul(task);
    if (self->unfinished_count == 0) {
        piw_outage_over(&self->troubles[TROUBLE_LEFTOVERS], "the builds that an earlier master left are done with");
        return 0;
    }
    if (current(self)->failed)
        return end_round(task);
    const journal_entry *known = journal_find(&self->journal, current(self)->id);
    read_staged *body;
    piw_msg *job = read_staged_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->build_id = current(self)->id;
    if (known != NULL) {
        body->package = piw_text_copy(job, known->build->package);
        body->view = piw_text_copy_some(job, known->build->view);
        if (known->build->sealed != NULL) {
            sealed_build *sealed = piw_msg_alloc(job, sizeof(*sealed));
            piw_value_copy(job, sealed_build_type(), known->build->sealed, sealed);
            body->sealed = sealed;
        }
        if (small_has_wheel(known->build) && known->state == JOURNAL_IS_OPEN && !is_to_go(current(self), known->build))
            body->noted = small_describe(job, known->build);
    }
    int rc = piw_work(task, job_read_staged, &job, PIW_ON(leftover_read), 0);
    piw_msg_free(&job);
    return rc;
}

/* This one can't be put in place now. That may be its own fault, so the others don't wait for it. */
static int put_off(piw_task *task, juggler *self, const piw_msg *reply)
{
    if (piw_msg_error(reply) == PIW_EAGAIN || self->unfinished_count == 0) /* the site is away */
        return try_again(task, piw_msg_error_text(reply));
    unfinished it = *current(self);
    piw_outage_goes_on(&self->troubles[TROUBLE_LEFTOVERS], PIW_LOG_WARNING, 0,
                       "build %lld, which an earlier master left staged, has to wait: %s", (long long)it.id,
                       piw_msg_error_text(reply));
    it.failed = true;
    memmove(self->unfinished + 1, self->unfinished, (self->unfinished_count - 1) * sizeof(it));
    self->unfinished[0] = it;
    return next(task);
}

/* A build without wheels has its log in place: when it has a row, nothing is left to do, and when it has none, it is thrown
 * away, or sealed. */
static int settle_at_once(piw_task *task, const unfinished *it, bool *over)
{
    juggler *self = piw_soul(task);
    const journal_entry *known = journal_find(&self->journal, it->id);
    if (it->staged || known == NULL || known->build->wheels.count > 0 ||
        (!it->recorded && known->build->sealed != NULL))
        return 0;
    *over = true;
    if (it->recorded) {
        piw_msg *page = web_PROJECT_make(known->build->package, false);
        if (piw_cast(task, &page) != 0)
            piw_msg_free(&page); /* it is due all the same, unless the machine went down */
        upkeep_over(self, it->id);
    } else if (it->settled) {
        piw_info("build %lld isn't recorded: its log stays until the master starts again", (long long)it->id);
    } else {
        return upkeep_discard(task, it->id);
    }
    return 0;
}

int on_builds_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return try_again(task, piw_msg_error_text(reply));
    const db_BUILDS_KNOWN_reply *known = db_BUILDS_KNOWN_reply_of(reply);
    int64_t *ids = sorted(known->known.at, known->known.count);
    uint32_t left = 0;
    int rc = 0;
    for (uint32_t i = 0; i < self->unfinished_count; i++) {
        unfinished it = self->unfinished[i];
        it.recorded = is_in(ids, known->known.count, it.id);
        bool over = it.others && !it.recorded;
        if (rc == 0 && !over)
            rc = settle_at_once(task, &it, &over);
        if (!over || rc != 0)
            self->unfinished[left++] = it;
    }
    self->unfinished_count = left;
    free(ids);
    return or_again(task, rc == 0 ? next(task) : rc);
}

/* This one is finished, or nothing can be done about it now. */
static int done_with_it(piw_task *task)
{
    juggler *self = piw_soul(task);
    if (self->unfinished_count > 0)
        self->unfinished_count--;
    return next(task);
}

/* Remember what is staged of it while the database is asked about it. */
static void keep(juggler *self, const piw_msg *staged)
{
    piw_msg_free(&self->reading);
    self->reading = piw_msg_copy(staged);
}

/* A swap takes that away: then all begins anew. */
static bool is_kept(const juggler *self)
{
    return self->reading != NULL && self->unfinished_count > 0;
}

/* A question about the last of the list, whose answer leads on, or can't be had now. */
typedef int step_fn(piw_task *task, juggler *self, const piw_msg *reply);

static int ask_again(piw_task *task, juggler *self, const piw_msg *reply)
{
    (void)self;
    return try_again(task, piw_msg_error_text(reply));
}

static int answered(piw_task *task, const piw_msg *reply, step_fn *step, step_fn *failed)
{
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return or_again(task, failed(task, self, reply));
    return is_kept(self) ? or_again(task, step(task, self, reply)) : unfinished_begin(task);
}

/* A build that was sealed while the database was away is recorded before its files are published. */
static int record_sealed(piw_task *task, const piw_msg *staged, int64_t id)
{
    const read_staged_reply *from = read_staged_reply_of(staged);
    const sealed_build *sealed = from->sealed;
    const build_row row = {.build_id = id,
                           .slave_id = sealed->slave_id,
                           .package = from->package,
                           .version = sealed->version,
                           .abi_tag = sealed->abi_tag,
                           .status = sealed->status,
                           .duration = sealed->duration,
                           .files = {sealed->files.count, sealed->files.at},
                           .view = from->view,
                           .queue = sealed->queue};
    build_row *body;
    piw_msg *call = db_LOGBUILD_new(&body);
    piw_value_copy(call, build_row_type(), &row, body);
    int rc = piw_call(task, &call, PIW_ON(leftover_recorded), 0, -1);
    piw_msg_free(&call);
    return rc;
}

/* The project's data tell which of its files are the ones that the database names. */
static int ask_project(piw_task *task, const piw_msg *staged)
{
    piw_msg *call = db_PROJECT_make(read_staged_reply_of(staged)->package);
    int rc = piw_call(task, &call, PIW_ON(leftover_project), 0, 0);
    piw_msg_free(&call);
    return rc;
}

static int throw_away(piw_task *task, int64_t id, const char *why)
{
    piw_info("build %lld was staged but %s: removed", (long long)id, why);
    int rc = upkeep_discard(task, id);
    return rc != 0 ? rc : done_with_it(task);
}

/* Ask the database whether this one has a row after all. */
static int ask_row(piw_task *task, const juggler *self)
{
    return ask_known(task, current(self), 1, PIW_ON(leftover_known));
}

static int take_staged(piw_task *task, juggler *self, const piw_msg *reply)
{
    const read_staged_reply *staged = read_staged_reply_of(reply);
    const unfinished *it = current(self);
    bool named = piw_name_is_canonical(staged->package);
    if (it->settled && !named)
        return done_with_it(task); /* it was put in place meanwhile, or the next start sees to it */
    if (!it->recorded && (staged->sealed == NULL || !named) && !it->settled)
        return throw_away(task, it->id, "never recorded");
    if (!named) {
        piw_error("build %lld is staged and recorded, but nothing says of which package: it stays staged",
                  (long long)it->id);
        return done_with_it(task);
    }
    keep(self, reply);
    if (it->recorded)
        return ask_project(task, reply);
    return staged->sealed != NULL ? record_sealed(task, reply, it->id) : ask_row(task, self);
}

int on_leftover_read(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    juggler *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return or_again(task, put_off(task, self, reply));
    return self->unfinished_count == 0 ? 0 : or_again(task, take_staged(task, self, reply));
}

static int take_recorded(piw_task *task, juggler *self, const piw_msg *reply)
{
    unfinished *it = current(self);
    if (!db_LOGBUILD_reply_of(reply)->recorded)
        return ask_row(task, self); /* its version is gone; or who sealed it had sent it to be recorded */
    piw_info("build %lld, sealed while the database was away, is recorded", (long long)it->id);
    it->recorded = true;
    self->seals_recorded = self->seals_recorded || !self->seals_told;
    return ask_project(task, self->reading);
}

static int take_refusal(piw_task *task, juggler *self, const piw_msg *reply)
{
    if (piw_msg_error(reply) != PIW_EDB || !is_kept(self))
        return ask_again(task, self, reply);
    piw_error("build %lld, sealed while the database was away, can't be recorded and stays staged: %s",
              (long long)current(self)->id, piw_msg_error_text(reply));
    return done_with_it(task);
}

int on_leftover_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return answered(task, reply, take_recorded, take_refusal);
}

static int take_known(piw_task *task, juggler *self, const piw_msg *reply)
{
    unfinished *it = current(self);
    it->recorded = db_BUILDS_KNOWN_reply_of(reply)->known.count > 0;
    if (it->recorded)
        return ask_project(task, self->reading);
    if (read_staged_reply_of(self->reading)->sealed != NULL)
        return throw_away(task, it->id, "its version is gone");
    piw_info("build %lld is staged but not recorded: it stays staged until the master starts again", (long long)it->id);
    return done_with_it(task);
}

int on_leftover_known(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return answered(task, reply, take_known, ask_again);
}

/* The hash of the release's file of this name in a store, or a null text. */
static piw_text find_hash(const project_release *release, piw_text view, piw_text filename)
{
    for (uint32_t i = 0; view.len == 0 && i < release->files.count; i++) {
        if (piw_text_eq(release->files.at[i].filename, filename))
            return release->files.at[i].filehash;
    }
    for (uint32_t i = 0; view.len > 0 && release->views != NULL && i < release->views->files.count; i++) {
        const view_file *own = &release->views->files.at[i];
        if (piw_text_eq(own->view, view) && piw_text_eq(own->file.filename, filename))
            return own->file.filehash;
    }
    return (piw_text){0};
}

/* Does the database name a file of this name with this hash? */
static bool is_wanted(const project_data *project, piw_text view, const read_staged_reply_files *file)
{
    for (uint32_t i = 0; i < project->releases.count; i++) {
        piw_text hash = find_hash(&project->releases.at[i], view, file->filename);
        if (hash.s != NULL)
            return piw_text_eq(hash, file->filehash);
    }
    return false;
}

/* What the database has of it while pages don't show it, since it is quarantined, or was; or NULL. */
static const withheld_files_at *find_withheld(const db_PROJECT_reply *project, piw_text view, piw_text filename)
{
    const withheld_files *withheld = project->withheld;
    for (uint32_t i = 0; withheld != NULL && i < withheld->at.count; i++) {
        const withheld_files_at *file = &withheld->at.at[i];
        if (piw_text_eq(file->filename, filename) &&
            (view.len > 0 ? piw_text_eq(file->view, view) : file->view.len == 0))
            return file;
    }
    return NULL;
}

static void add_hidden(piw_msg *job, juggler_names *to, const withheld_files_at *file)
{
    if (file != NULL && file->hidden)
        to->at.at[to->at.count++] = piw_text_copy(job, file->filename);
}

/* Of what is staged, the files that the database doesn't name aren't wanted; of that and of what the journal has, some may be hidden. */
static void sort_files(piw_msg *job, publish_build *body, const db_PROJECT_reply *project,
                       const read_staged_reply *staged, const journal_entry *known)
{
    uint32_t noted = known == NULL ? 0 : known->build->wheels.count;
    juggler_names *withheld = piw_msg_alloc(job, sizeof(*withheld));
    piw_msg_list(job, &withheld->at, staged->files.count + noted);
    withheld->at.count = 0;
    body->withheld = withheld;
    piw_msg_list(job, &body->kept, staged->files.count);
    body->kept.count = 0;
    for (uint32_t i = 0; i < staged->files.count; i++) {
        const read_staged_reply_files *file = &staged->files.at[i];
        const withheld_files_at *hidden = find_withheld(project, staged->view, file->filename);
        if (!project->found || (hidden != NULL ? !piw_text_eq(hidden->filehash, file->filehash)
                                               : !is_wanted(&project->data, staged->view, file)))
            body->kept.at[body->kept.count++] = piw_text_copy(job, file->filename);
        add_hidden(job, withheld, hidden);
    }
    piw_msg_list(job, &body->mend, noted);
    for (uint32_t i = 0; i < noted; i++) {
        body->mend.at[i] = piw_text_copy(job, known->build->wheels.at[i]);
        add_hidden(job, withheld, find_withheld(project, staged->view, body->mend.at[i]));
    }
}

static int take_project(piw_task *task, juggler *self, const piw_msg *reply)
{
    const db_PROJECT_reply *project = db_PROJECT_reply_of(reply);
    const read_staged_reply *staged = read_staged_reply_of(self->reading);
    char home[PIW_PATH_MAX];
    if (!piw_path_view(home, self->root, staged->view)) {
        piw_error("build %lld is staged and recorded, but \"%s\" is no view's name: it stays staged",
                  (long long)current(self)->id, staged->view.s);
        return done_with_it(task);
    }
    publish_build *body;
    piw_msg *job = publish_build_new(&body);
    body->root = piw_msg_textz(job, self->root);
    body->home = piw_msg_textz(job, home);
    body->view = piw_text_copy_some(job, staged->view);
    body->build_id = current(self)->id;
    body->package = piw_text_copy(job, staged->package);
    sort_files(job, body, project, staged, journal_find(&self->journal, body->build_id));
    int rc = piw_work(task, job_publish_build, &job, PIW_ON(leftover_published), 0);
    piw_msg_free(&job);
    if (rc == 0)
        upkeep_published(self, staged->package);
    return rc;
}

int on_leftover_project(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return answered(task, reply, take_project, ask_again);
}

/* All of it lies where it belongs, and the database knows. */
static int finish(piw_task *task, juggler *self)
{
    int64_t id = current(self)->id;
    piw_text package = read_staged_reply_of(self->reading)->package;
    piw_info("build %lld of %s, which was recorded before, is in place now", (long long)id, package.s);
    piw_msg *cast = web_BOTH_make(package, false);
    int rc = piw_cast(task, &cast);
    piw_msg_free(&cast);
    if (rc != 0)
        return rc;
    piw_msg_free(&self->reading);
    upkeep_over(self, id);
    return done_with_it(task);
}

/* Wheels of it lie out of reach. The database may know nothing of that, or think that they are back: then the look that follows
 * puts them back. */
static int tell_away(piw_task *task, piw_text view, const juggler_names *away)
{
    db_WITHHELD_DONE *body;
    piw_msg *call = db_WITHHELD_DONE_new(&body);
    if (view.len > 0) {
        files_of_views *files = piw_msg_alloc(call, sizeof(*files));
        piw_msg_list(call, &files->at, away->at.count);
        for (uint32_t i = 0; i < away->at.count; i++)
            files->at.at[i] = (files_of_views_at){piw_text_copy(call, view), piw_text_copy(call, away->at.at[i])};
        body->views_away = files;
    } else {
        piw_msg_list(call, &body->away, away->at.count);
        piw_texts_copy(call, away->at.at, away->at.count, body->away.at);
    }
    int rc = piw_call(task, &call, PIW_ON(leftover_told), 0, 0);
    piw_msg_free(&call);
    return rc;
}

static int take_published(piw_task *task, juggler *self, const piw_msg *reply)
{
    const publish_build_reply *done = publish_build_reply_of(reply);
    self->small_failed = false;
    tell_placed(task, done->view, done->placed);
    if (done->away != NULL && done->away->at.count > 0)
        return tell_away(task, done->view, done->away);
    int rc = withheld_published(task);
    return rc == 0 ? finish(task, self) : rc;
}

int on_leftover_published(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return answered(task, reply, take_published, put_off);
}

static int take_told(piw_task *task, juggler *self, const piw_msg *reply)
{
    (void)reply;
    int rc = withheld_look(task);
    return rc == 0 ? finish(task, self) : rc;
}

int on_leftover_told(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    return answered(task, reply, take_told, ask_again);
}
