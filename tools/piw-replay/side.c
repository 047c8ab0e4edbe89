/* side.c — one of the two that are compared: what was sent, the files, how long its functions took. */
#include "replay.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What was sent by the function that is read counts when that ends well. */
typedef struct reader {
    side *self;
    const char *const *ignored;
    size_t ignored_count;
    size_t settled; /* of self->sent */
    size_t owned;   /* of self->files, by handlers and jobs that have ended */
} reader;

static void add_time(times *to, int64_t ns)
{
    if (to->count == to->room) {
        to->room = to->room > 0 ? to->room * 2 : 256;
        to->at = piw_realloc(to->at, to->room * sizeof(*to->at));
    }
    to->at[to->count++] = ns;
    to->total += ns;
}

/* --- Messages ----------------------------------------------------------------------------------------------------- */

static int message_of(side *self, const recording_sent *from, piw_msg **msg, piw_err *err)
{
    *msg = NULL;
    return from->error != 0 ? 0 : piw_recording_message(self->file, from->protocol, from->word, from->data, msg, err);
}

static int read_sent(reader *in, const recording_sent *from, uint64_t at, piw_err *err)
{
    side *self = in->self;
    const piw_msg_type *type = piw_recording_word(self->file, from->protocol, from->word);
    if (type == NULL)
        return piw_err_set(err, PIW_ESHAPE, "the recording doesn't say what one of its messages is");
    if (from->kind == PIW_SENT_JOB) { /* what it came to is seen: files, and what follows from its result */
        unfinished_kind(self, type->name)->begun++;
        return 0;
    }
    piw_msg *msg;
    int rc = message_of(self, from, &msg, err);
    if (rc != 0)
        return rc;
    if (self->sent_count == self->sent_room) {
        self->sent_room = self->sent_room > 0 ? self->sent_room * 2 : 256;
        self->sent = piw_realloc(self->sent, self->sent_room * sizeof(*self->sent));
    }
    sent *to = &self->sent[self->sent_count++];
    *to = (sent){.kind = (piw_sent)from->kind, .asker = from->asker, .id = from->id, .at = at};
    to->word = piw_sprintf("%s.%s", type->protocol->name, type->name);
    if (msg != NULL) {
        flat list;
        flat_make(&list, msg, in->ignored, in->ignored_count);
        to->hash = flat_hash(&list);
        flat_fini(&list);
    } else {
        to->hash = (uint64_t)from->error * 0x9e3779b97f4a7c15u + 1;
    }
    piw_msg_free(&msg);
    return 0;
}

static void read_done(reader *in, const recording_done *done)
{
    side *self = in->self;
    add_time(&self->handlers, done->took_ns);
    if (done->result != 0) {
        self->failed++;
        while (self->sent_count > in->settled)
            free(self->sent[--self->sent_count].word);
    }
    in->settled = self->sent_count;
    in->owned = self->files_count;
}

int side_message(side *self, const sent *what, piw_msg **msg, piw_err *err)
{
    piw_msg *record = NULL;
    piw_recording_go(self->file, what->at);
    *msg = NULL;
    int rc = piw_recording_next(self->file, &record, err);
    if (rc == 1)
        rc = message_of(self, recording_sent_of(record), msg, err);
    else if (rc == 0)
        rc = piw_err_set(err, PIW_ESHAPE, "the recording has become shorter");
    piw_msg_free(&record);
    return rc;
}

/* --- Files -------------------------------------------------------------------------------------------------------- */

static bool is_ignored(const reader *in, const char *path)
{
    for (size_t i = 0; i < in->ignored_count; i++)
        if (fnmatch(in->ignored[i], path, 0) == 0)
            return true;
    return false;
}

static void read_file(const reader *in, const recording_file *from)
{
    side *self = in->self;
    const char *path = from->path.s;
    size_t root = self->root != NULL ? strlen(self->root) : 0;
    if (root > 0 && strncmp(path, self->root, root) == 0)
        path += root;
    if (from->how == PIW_FILE_READ || is_ignored(in, path))
        return;
    if (self->files_count == self->files_room) {
        self->files_room = self->files_room > 0 ? self->files_room * 2 : 256;
        self->files = piw_realloc(self->files, self->files_room * sizeof(*self->files));
    }
    used_file *to = &self->files[self->files_count++];
    *to = (used_file){.path = piw_strdup(path), .how = (piw_file_use)from->how, .size = from->size};
    snprintf(to->sha256, sizeof(to->sha256), "%s", from->sha256.s);
}

typedef struct numbered {
    used_file file;
    size_t number;
} numbered;

static int by_path(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    int order = strcmp(x->file.path, y->file.path);
    return order != 0 ? order : x->number < y->number ? -1 : 1;
}

/* Each file once, as it was in the end. */
static void settle_files(side *self)
{
    numbered *all = piw_alloc((self->files_count + 1) * sizeof(*all));
    for (size_t i = 0; i < self->files_count; i++)
        all[i] = (numbered){self->files[i], i};
    qsort(all, self->files_count, sizeof(*all), by_path);
    size_t count = 0;
    for (size_t i = 0; i < self->files_count; i++) {
        if (i + 1 < self->files_count && strcmp(all[i].file.path, all[i + 1].file.path) == 0)
            free(all[i].file.path);
        else
            self->files[count++] = all[i].file;
    }
    self->files_count = count;
    free(all);
}

static int read_worked(reader *in, const recording_worked *worked, piw_err *err)
{
    side *self = in->self;
    const piw_msg_type *type = piw_recording_word(self->file, worked->protocol, worked->word);
    if (type == NULL)
        return piw_err_set(err, PIW_ESHAPE, "the recording doesn't say what one of its jobs is");
    job_kind *kind = unfinished_kind(self, type->name);
    kind->ended++;
    for (; in->owned < self->files_count; in->owned++) {
        self->files[in->owned].job = (size_t)(kind - self->kinds) + 1;
        self->files[in->owned].number = kind->ended;
    }
    add_time(&self->jobs, worked->took_ns);
    self->jobs_failed += worked->result != 0;
    return 0;
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static void read_begin(side *self, const recording_begin *from)
{
    for (uint32_t i = 0; i < from->calls.count; i++) {
        const recording_call *call = &from->calls.at[i];
        const piw_msg_type *type = piw_recording_word(self->file, call->protocol, call->word);
        if (call->work && type != NULL)
            unfinished_kind(self, type->name)->before++;
    }
    time_t began = (time_t)(from->started.us / 1000000);
    struct tm utc = {0};
    gmtime_r(&began, &utc);
    strftime(self->began, sizeof(self->began), "%Y-%m-%d %H:%M:%S UTC", &utc);
    snprintf(self->task, sizeof(self->task), "%s", from->task.s);
    snprintf(self->plugin, sizeof(self->plugin), "%s", from->plugin.s);
    snprintf(self->version, sizeof(self->version), "%s", from->version.s);
    self->first_ns = self->last_ns = from->now_ns;
}

static int read_record(reader *in, const piw_msg *record, uint64_t at, piw_err *err)
{
    const piw_msg_type *type = piw_msg_type_of(record);
    side *self = in->self;
    if (type == recording_sent_type())
        return read_sent(in, recording_sent_of(record), at, err);
    if (type == recording_done_type())
        read_done(in, recording_done_of(record));
    else if (type == recording_begin_type())
        read_begin(self, recording_begin_of(record));
    else if (type == recording_came_type())
        self->last_ns = recording_came_of(record)->at_ns;
    else if (type == recording_file_type())
        read_file(in, recording_file_of(record));
    else if (type == recording_worked_type())
        return read_worked(in, recording_worked_of(record), err);
    return 0;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_times(times *list)
{
    if (list->count > 0)
        qsort(list->at, list->count, sizeof(*list->at), compare_times);
}

int side_read(side *self, const char *name, const char *path, const char *root, const char *const *ignored,
              size_t ignored_count, piw_err *err)
{
    *self = (side){.name = name, .root = root};
    reader in = {.self = self, .ignored = ignored, .ignored_count = ignored_count};
    int rc = piw_recording_open(&self->file, path, err);
    if (rc != 0)
        return rc;
    do {
        piw_msg *record = NULL;
        uint64_t at = piw_recording_at(self->file);
        rc = piw_recording_next(self->file, &record, err);
        if (rc == 1) {
            int bad = read_record(&in, record, at, err);
            rc = bad != 0 ? bad : 1;
        }
        piw_msg_free(&record);
    } while (rc == 1);
    while (self->sent_count > in.settled) /* of a function whose end isn't in the file */
        free(self->sent[--self->sent_count].word);
    settle_files(self);
    sort_times(&self->handlers);
    sort_times(&self->jobs);
    return rc;
}

void side_fini(side *self)
{
    for (size_t i = 0; i < self->sent_count; i++)
        free(self->sent[i].word);
    for (size_t i = 0; i < self->files_count; i++)
        free(self->files[i].path);
    free(self->sent);
    free(self->files);
    unfinished_fini(self);
    free(self->handlers.at);
    free(self->jobs.at);
    piw_recording_close(&self->file);
    *self = (side){0};
}
