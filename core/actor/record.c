/* record.c — what a soul gets and does becomes records; and what its jobs do with files. */
#include "actor/record.h"

#include "actor/shell.h"
#include "recording.piw.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTENT_MAX = 16 << 20, /* bytes of a file that was read: larger ones are named without their content */
    NAME_MAX_BYTES = 200,
    TEXT_MAX_BYTES = 1000,
};

/* Whose function or job runs on this thread. */
static __thread piw__shell *working_for;

void piw__record_thread(piw__shell *shell)
{
    working_for = shell;
}

int64_t piw__record_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static piw_text text_of(piw_msg *msg, const char *text, size_t max)
{
    return piw_msg_printf(msg, "%.*s", (int)max, text != NULL ? text : "");
}

/* --- Begin and end --------------------------------------------------------------------------------------------------- */

int piw__record_check(const piw__shell *shell, piw_err *err)
{
    if (shell->soul.state != PIW__RUNNING)
        return piw_err_set(err, PIW_EREFUSED, "%s does not run: a recording begins while it does", shell->name);
    if (shell->role->isolate)
        return piw_err_set(err, PIW_EREFUSED,
                           "%s runs in a process of its own, where it can't be recorded: set isolate = no for that",
                           shell->name);
    if (shell->record.to != NULL && !piw__recording_closed(shell->record.to))
        return piw_err_set(err, PIW_EREFUSED, "%s is being recorded in %s: piw-ctl record %s --stop ends that",
                           shell->name, piw__recording_path(shell->record.to), shell->name);
    return 0;
}

static void set(piw__shell *shell, piw__recording *recording)
{
    pthread_mutex_lock(&shell->record.lock);
    piw__recording *old = shell->record.to;
    shell->record.to = recording;
    pthread_mutex_unlock(&shell->record.lock);
    piw__recording_unref(&old);
}

piw__recording *piw__record_ref(piw__shell *shell)
{
    pthread_mutex_lock(&shell->record.lock);
    piw__recording *to = shell->record.to != NULL ? piw__recording_ref(shell->record.to) : NULL;
    pthread_mutex_unlock(&shell->record.lock);
    return to;
}

static void add_calls(piw__shell *shell, piw_msg *msg, recording_begin *body)
{
    uint32_t bucket = 0, count = 0;
    recording_call *to = piw_msg_alloc(msg, (shell->waits.calls.count + 1) * sizeof(*to));
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.calls, &bucket, node)) != NULL;) {
        const piw__call *call = (const piw__call *)node;
        to[count++] = (recording_call){.id = (int64_t)call->node.key,
                                       .continuation = text_of(msg, call->continuation, NAME_MAX_BYTES),
                                       .key = (int64_t)call->key,
                                       .protocol = piw__recording_protocol(shell->record.to, call->type->protocol),
                                       .word = call->type->index,
                                       .work = call->work};
    }
    body->calls.count = count;
    body->calls.at = to;
}

static void add_timers(piw__shell *shell, piw_msg *msg, recording_begin *body)
{
    uint32_t bucket = 0, count = 0;
    recording_timer *to = piw_msg_alloc(msg, (shell->waits.timers.count + 1) * sizeof(*to));
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.timers, &bucket, node)) != NULL;) {
        const piw__timer *timer = (const piw__timer *)node;
        to[count++] = (recording_timer){.continuation = text_of(msg, timer->continuation, NAME_MAX_BYTES),
                                        .key = (int64_t)timer->key,
                                        .due_ns = timer->due.at_ns,
                                        .period_ns = timer->period_ns};
    }
    body->timers.count = count;
    body->timers.at = to;
}

/* Who asked, as a number that nobody else has. */
static int64_t asker_of(const piw__shell *from, piw_peer peer)
{
    return from != NULL ? (int64_t)from->number : -(int64_t)peer;
}

static void add_deferred(piw__shell *shell, piw_msg *msg, recording_begin *body)
{
    uint32_t bucket = 0, count = 0;
    recording_deferred *to = piw_msg_alloc(msg, (shell->waits.deferred.count + 1) * sizeof(*to));
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.deferred, &bucket, node)) != NULL;) {
        const piw__deferred *deferred = (const piw__deferred *)node;
        to[count++] =
            (recording_deferred){.token = (int64_t)deferred->node.key,
                                 .protocol = piw__recording_protocol(shell->record.to, deferred->type->protocol),
                                 .word = deferred->type->index,
                                 .asker = asker_of(deferred->from, deferred->peer),
                                 .id = (int64_t)deferred->call_id};
    }
    body->deferred.count = count;
    body->deferred.at = to;
}

static void add_services(const piw__shell *shell, piw_msg *msg, recording_begin *body)
{
    const piw_task *task = shell->soul.task;
    recording_service *to = piw_msg_alloc(msg, (task->routes_count + 1) * sizeof(*to));
    for (unsigned i = 0; i < task->routes_count; i++)
        to[i] = (recording_service){text_of(msg, task->routes[i].service, NAME_MAX_BYTES),
                                    task->routes[i].to->role->instances};
    body->services.count = task->routes_count;
    body->services.at = to;
}

void piw__record_begin(piw__shell *shell, piw__recording *recording)
{
    const piw__role *role = shell->role;
    const piw_plugin *plugin = shell->soul.image->plugin;
    recording_begin *body;
    set(shell, piw__recording_ref(recording));
    piw_msg *msg = recording_begin_new(&body);
    body->release = piw_msg_textz(msg, PIW_VERSION);
    body->task = text_of(msg, role->name, 64);
    body->plugin = text_of(msg, plugin->name, 64);
    body->version = text_of(msg, plugin->version, 64);
    body->file = text_of(msg, shell->soul.image->file, PIW_LIMIT_TEXT / 16);
    body->instance = role->parts > 0 ? role->part : shell->instance;
    body->instances = role->parts > 0 ? role->parts : role->instances;
    body->started = piw_time_now();
    body->now_ns = piw_monotonic_ns();
    body->shell = (int64_t)shell->number;
    body->next_token = (int64_t)shell->waits.next_token;
    if (shell->soul.task != NULL)
        add_services(shell, msg, body);
    add_calls(shell, msg, body);
    add_timers(shell, msg, body);
    add_deferred(shell, msg, body);
    piw__recording_put(recording, &msg);
    shell->record.open = false;
    atomic_fetch_or_explicit(&shell->seen.watched, PIW__RECORDED, memory_order_relaxed);
}

/* What is left of it tells how it ended, until the next one begins. */
void piw__record_end(piw__shell *shell, const char *why)
{
    atomic_fetch_and_explicit(&shell->seen.watched, ~PIW__RECORDED, memory_order_relaxed);
    shell->record.sent.len = 0;
    shell->record.open = false;
    if (shell->record.to != NULL)
        piw__recording_end(shell->record.to, why);
}

/* --- What comes ------------------------------------------------------------------------------------------------------- */

static void opened(piw__shell *shell)
{
    shell->record.sent.len = 0;
    shell->record.open = true;
    piw__reads *reads = &shell->record.reads;
    for (int kind = 0; kind < PIW__READ_KINDS; kind++) {
        if (!reads->play)
            reads->of[kind].count = 0;
        reads->of[kind].next = 0;
    }
    piw__reads_now = reads;
    shell->record.began_ns = piw__record_clock();
}

/* The message itself, as the file names and holds it. */
static piw_blob *name_it(piw__shell *shell, const piw_msg *msg, int64_t *protocol, int64_t *word)
{
    *protocol = piw__recording_protocol(shell->record.to, msg->type->protocol);
    *word = msg->type->index;
    return piw__msg_rest_of(msg)->error == 0 ? piw__recording_body(msg) : NULL;
}

void piw__record_start(piw__shell *shell, const piw_task *task, piw_why why, const piw_msg *state)
{
    recording_start *body;
    piw_msg *msg = recording_start_new(&body);
    const piw__options *options = task->options;
    body->at_ns = piw_monotonic_ns();
    body->why = why;
    piw_msg_list(msg, &body->options, options != NULL ? options->count : 0);
    recording_pair *to = body->options.at;
    for (size_t i = 0; options != NULL && i < options->count; i++)
        to[i] =
            (recording_pair){text_of(msg, options->names[i], NAME_MAX_BYTES), text_of(msg, options->values[i], 4096)};
    if (state != NULL) {
        piw_blob *data = name_it(shell, state, &body->protocol, &body->word);
        body->data = piw_msg_blob(msg, data);
        piw_blob_unref(&data);
    }
    piw__recording_put(shell->record.to, &msg);
    opened(shell);
}

static piw_msg *came(piw__shell *shell, piw_came kind, const piw_msg *what, recording_came **body)
{
    piw_msg *msg = recording_came_new(body);
    (*body)->at_ns = piw_monotonic_ns();
    (*body)->kind = kind;
    (*body)->name = (*body)->error_text = piw_text_of("");
    if (what == NULL)
        return msg;
    piw_blob *data = name_it(shell, what, &(*body)->protocol, &(*body)->word);
    (*body)->data = piw_msg_blob(msg, data);
    piw_blob_unref(&data);
    (*body)->id = (int64_t)what->call_id;
    (*body)->error = piw__msg_rest_of(what)->error;
    if ((*body)->error != 0)
        (*body)->error_text = text_of(msg, piw_msg_error_text(what), TEXT_MAX_BYTES);
    return msg;
}

static void put(piw__shell *shell, piw_msg **msg)
{
    piw__recording_put(shell->record.to, msg);
    opened(shell);
}

void piw__record_message(piw__shell *shell, const piw_msg *what)
{
    recording_came *body;
    piw_msg *msg = came(shell, PIW_CAME_MESSAGE, what, &body);
    if (what->from != NULL)
        body->name = piw_msg_printf(msg, "%.100s", what->from->name);
    else if (piw__msg_rest_of(what)->port != NULL)
        body->name = piw_msg_printf(msg, "queue %.100s", piw__port_name(piw__msg_rest_of(what)->port));
    if ((what->flags & PIW__REQUEST) != 0)
        body->asker = asker_of(what->from, piw_msg_peer(what));
    put(shell, &msg);
}

void piw__record_answer(piw__shell *shell, const piw_msg *what, bool job)
{
    recording_came *body;
    piw_msg *msg = came(shell, job ? PIW_CAME_RESULT : PIW_CAME_ANSWER, what, &body);
    put(shell, &msg);
}

void piw__record_bare(piw__shell *shell, const char *continuation, uint64_t key)
{
    recording_came *body;
    piw_msg *msg = came(shell, continuation != NULL ? PIW_CAME_CONTINUATION : PIW_CAME_IDLE, NULL, &body);
    body->name = text_of(msg, continuation, NAME_MAX_BYTES);
    body->key = (int64_t)key;
    put(shell, &msg);
}

/* --- What is sent ----------------------------------------------------------------------------------------------------- */

static piw_msg *sent(piw__shell *shell, piw_sent kind, const piw_msg *what, recording_sent **body)
{
    piw_msg *msg = recording_sent_new(body);
    (*body)->kind = kind;
    (*body)->service = (*body)->error_text = piw_text_of("");
    (*body)->instance = -1;
    piw_blob *data = name_it(shell, what, &(*body)->protocol, &(*body)->word);
    (*body)->data = piw_msg_blob(msg, data);
    piw_blob_unref(&data);
    (*body)->error = piw__msg_rest_of(what)->error;
    if ((*body)->error != 0)
        (*body)->error_text = text_of(msg, piw_msg_error_text(what), TEXT_MAX_BYTES);
    return msg;
}

static void gather(piw__shell *shell, piw_msg **msg)
{
    piw__recording_frame(&shell->record.sent, *msg);
    piw_msg_free(msg);
}

void piw__record_sent(piw__shell *shell, piw_sent kind, const piw_msg *what, const char *service, int instance)
{
    recording_sent *body;
    piw_msg *msg = sent(shell, kind, what, &body);
    body->service = text_of(msg, service, NAME_MAX_BYTES);
    body->instance = instance;
    if (kind == PIW_SENT_CALL || kind == PIW_SENT_JOB || kind == PIW_SENT_FORWARD)
        body->id = (int64_t)what->call_id;
    gather(shell, &msg);
}

void piw__record_answered(piw__shell *shell, const piw_msg *request, const piw_msg *answer)
{
    recording_sent *body;
    piw_msg *msg = sent(shell, PIW_SENT_ANSWER, answer, &body);
    body->id = (int64_t)request->call_id;
    body->asker = asker_of(request->from, piw_msg_peer(request));
    gather(shell, &msg);
}

static int64_t *copy_reads(const piw__reads *reads, piw__read_kind kind, piw_msg *msg, uint32_t *count)
{
    *count = reads->of[kind].count;
    int64_t *copy = piw_msg_alloc(msg, *count * sizeof(*copy));
    memcpy(copy, reads->of[kind].at, *count * sizeof(*copy));
    return copy;
}

static void add_reads(const piw__reads *reads, piw_msg *msg, recording_done *body)
{
    body->monotonic_ns.at = copy_reads(reads, PIW__READ_MONOTONIC, msg, &body->monotonic_ns.count);
    body->day_us.at = copy_reads(reads, PIW__READ_DAY, msg, &body->day_us.count);
    body->random.at = copy_reads(reads, PIW__READ_RANDOM, msg, &body->random.count);
}

void piw__record_done(piw__shell *shell, int result)
{
    piw_buffer *all = &shell->record.sent;
    bool open = shell->record.open;
    int64_t took_ns = piw__record_clock() - shell->record.began_ns;
    piw__reads_now = NULL;
    shell->record.open = false;
    if (result != 0)
        all->len = 0; /* it has been undone */
    if (open) {
        recording_done *body;
        piw_msg *msg = recording_done_new(&body);
        body->result = result;
        body->took_ns = took_ns;
        if (!shell->record.reads.play)
            add_reads(&shell->record.reads, msg, body);
        gather(shell, &msg);
        piw__recording_add(shell->record.to, all->data, all->len);
    }
    all->len = 0;
    /* Full, too long, or the disk is: nobody looks at this task's messages any more. */
    if (piw__recording_over(shell->record.to)) {
        atomic_fetch_and_explicit(&shell->seen.watched, ~PIW__RECORDED, memory_order_relaxed);
        piw_buffer_fini(all);
        *all = (piw_buffer){0};
    }
}

void piw__record_setting(piw__shell *shell, const char *name, const char *value)
{
    recording_setting *body;
    if (!piw__recording_first(shell->record.to, "setting", name))
        return;
    piw_msg *msg = recording_setting_new(&body);
    body->name = text_of(msg, name, NAME_MAX_BYTES);
    body->value = value != NULL ? text_of(msg, value, PIW_LIMIT_TEXT - 1) : (piw_text){0};
    piw__recording_put(shell->record.to, &msg);
}

/* --- Jobs and files --------------------------------------------------------------------------------------------------- */

static bool is_recorded(piw__shell *shell)
{
    return shell != NULL && (atomic_load_explicit(&shell->seen.watched, memory_order_relaxed) & PIW__RECORDED) != 0;
}

void piw__record_worked(piw__shell *shell, const piw_msg_type *job, int result, int64_t took_ns)
{
    piw__recording *to = is_recorded(shell) ? piw__record_ref(shell) : NULL;
    if (to == NULL)
        return;
    recording_worked *body;
    piw_msg *msg = recording_worked_new(&body);
    body->protocol = piw__recording_protocol(to, job->protocol);
    body->word = job->index;
    body->result = result;
    body->took_ns = took_ns;
    piw__recording_put(to, &msg);
    piw__recording_unref(&to);
}

/* What a file holds, or where a link leads by name. Read piece by piece: some are large, and several jobs at work. */
typedef struct held {
    EVP_MD_CTX *digest;
    int64_t size;
    bool keep;          /* its content is wanted, unless that is too large */
    piw_buffer content; /* complete when size <= CONTENT_MAX */
} held;

static bool hold(held *to, const char *piece, size_t len)
{
    to->size += (int64_t)len;
    if (EVP_DigestUpdate(to->digest, piece, len) != 1)
        return false;
    return !to->keep || to->size > CONTENT_MAX || piw_buffer_add(&to->content, piece, len) == 0;
}

/* False: it isn't there, or no file. */
static bool read_file(const char *path, held *to)
{
    char piece[64 << 10];
    ssize_t n = readlink(path, piece, sizeof(piece));
    if (n > 0)
        return hold(to, piece, (size_t)n);
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    bool good = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    while (good && (n = read(fd, piece, sizeof(piece))) != 0)
        good = n > 0 ? hold(to, piece, (size_t)n) : errno == EINTR;
    if (fd >= 0)
        close(fd);
    return good;
}

static piw_text sum_of(piw_msg *msg, const held *file)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    if (EVP_DigestFinal_ex(file->digest, sum, &len) != 1)
        return piw_text_of("");
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return piw_msg_textz(msg, text);
}

static void put_file(piw__recording *to, piw_file_use how, const char *path)
{
    recording_file *body;
    held file = {.digest = EVP_MD_CTX_new(), .keep = how == PIW_FILE_READ};
    piw_msg *msg = recording_file_new(&body);
    bool there = how != PIW_FILE_REMOVED && file.digest != NULL &&
                 EVP_DigestInit_ex(file.digest, EVP_sha256(), NULL) == 1 && read_file(path, &file);
    body->how = how;
    body->path = text_of(msg, path, 4096);
    body->size = file.size;
    body->sha256 = there ? sum_of(msg, &file) : piw_text_of("");
    if (there && file.keep && file.size <= CONTENT_MAX) {
        piw_blob *content = piw_blob_new(file.content.data, file.content.len);
        body->content = piw_msg_blob(msg, content);
        piw_blob_unref(&content);
    }
    piw_buffer_fini(&file.content);
    EVP_MD_CTX_free(file.digest);
    if (there || how == PIW_FILE_REMOVED)
        piw__recording_put(to, &msg);
    piw_msg_free(&msg);
}

static void use_file(piw_file_use how, const char *path)
{
    piw__recording *to = is_recorded(working_for) ? piw__record_ref(working_for) : NULL;
    if (to == NULL)
        return;
    /* What it has written or read before is known to whoever plays this. */
    bool first = piw__recording_first(to, "file", path);
    if (how != PIW_FILE_READ || first)
        put_file(to, how, path);
    piw__recording_unref(&to);
}

void piw_file_was_read(const char *path)
{
    use_file(PIW_FILE_READ, path);
}

void piw_file_was_written(const char *path)
{
    use_file(PIW_FILE_WRITTEN, path);
}

void piw_file_was_removed(const char *path)
{
    use_file(PIW_FILE_REMOVED, path);
}
