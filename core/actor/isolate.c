/* isolate.c — the stand-in of an isolated soul: hands messages to its process, a window at a time, and carries out
 * what comes back.
 *
 * What the process does reaches us only after the handler there has succeeded, so each frame is carried out whole.
 * When the process ends the stand-in fails, and everything else is the supervision of any task. */
#include "actor/isolate.h"

#include "actor/deliver.h"
#include "actor/registry.h"
#include "actor/shell.h"
#include "actor/soul_wire.h"
#include "base/tuning.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static piw_continuation_fn on_soul_socket;

/* Messages that the process may have before it; below half of that it gets more. What is in the window is lost when the
 * process dies (requests get the error), the mailbox is not. */
enum { WINDOW = 128, SEND_AT = 16 << 10 };

/* How long a process may take to stop; and how long it may be silent, which is longer than it takes to report that
 * its own handler is stuck. */
enum { STOP_MS = 3000, SILENT_MS = 2000 };

typedef struct stand_in {
    piw__channel channel;
    const piw_plugin *plugin; /* of the real soul */
    pid_t pid;
    uint64_t sent, taken;  /* numbers of the last message handed over and of the last one handled */
    bool requests[WINDOW]; /* by number: was it a request? */
    unsigned open;         /* calls and jobs of the real soul that are under way */
    int64_t heard_ns;
    bool writing; /* the watch waits for room, too */
} stand_in;

/* --- To the process ----------------------------------------------------------------------------------------------- */

static unsigned in_flight(const stand_in *self)
{
    return (unsigned)(self->sent - self->taken);
}

static void note_away(piw_task *task, const stand_in *self)
{
    task->shell->soul.away = in_flight(self) + self->open;
}

static void send_out(piw_task *task, stand_in *self)
{
    bool writing = piw__channel_flush(&self->channel) == PIW_EAGAIN; /* its end will be noticed when we read */
    if (writing == self->writing)
        return;
    self->writing = writing;
    if (piw_watch(task, self->channel.fd, PIW_READ | (writing ? PIW_WRITE : 0), PIW_ON(soul_socket), 0) != 0)
        piw_fail(task, "the socket of its process can't be watched");
}

static int send_idle(piw_task *task)
{
    send_out(task, piw_soul(task));
    return 0;
}

static void put_error(stand_in *self, uint64_t id, int code, const char *text)
{
    piw__frame frame = {.kind = PIW__FRAME_ANSWER, .id = id, .code = code};
    piw__channel_put(&self->channel, &frame, text, strlen(text));
}

/* Every handler of the stand-in. */
static int hand_over(piw_task *task, piw_msg *msg)
{
    stand_in *self = piw_soul(task);
    bool request = (msg->flags & PIW__REQUEST) != 0;
    const piw__frame frame = {.kind = PIW__FRAME_MESSAGE,
                              .flags = piw_log_wants(PIW_LOG_DEBUG) ? PIW__FRAME_DEBUG : 0,
                              .count = self->sent + 1,
                              .deadline_ns = msg->deadline_ns};
    piw__frame head = frame;
    piw_token token = {0};
    piw_err err = {0};
    int rc = request ? piw_defer(task, msg, &token) : 0;
    if (rc != 0)
        return rc;
    head.id = token.id;
    if (piw__channel_put_msg(&self->channel, &head, msg, &err) != 0) {
        if (request)
            return piw_answer_error(task, token, err.code, "%s", err.text);
        piw__figure(&task->shell->seen.figures.dead_letters, 1);
        piw_log_limited(&task->shell->supervision.log_dead, 10, PIW_LOG_WARNING,
                        "dead letter: %s was not delivered: %s", msg->type->name, err.text);
        return 0;
    }
    self->requests[++self->sent % WINDOW] = request;
    note_away(task, self);
    task->shell->soul.full = in_flight(self) >= WINDOW;
    if (task->shell->soul.full || piw__channel_waiting(&self->channel) >= SEND_AT)
        send_out(task, self);
    return 0;
}

/* The answer to a call of the real soul. */
static int on_soul_answered(piw_task *task, piw_msg *reply, uint64_t key)
{
    stand_in *self = piw_soul(task);
    piw__frame frame = {.kind = PIW__FRAME_ANSWER, .id = key};
    piw_err err = {0};
    if (piw_msg_error(reply) != 0)
        put_error(self, key, piw_msg_error(reply), piw_msg_error_text(reply));
    else if (piw__channel_put_msg(&self->channel, &frame, reply, &err) != 0)
        put_error(self, key, err.code, err.text);
    return 0;
}

/* The answer to a request that the real soul has handed on. */
static int on_soul_forwarded(piw_task *task, piw_msg *reply, uint64_t key)
{
    const piw_token token = {key};
    if (piw_msg_error(reply) != 0)
        return piw_answer_error(task, token, piw_msg_error(reply), "%s", piw_msg_error_text(reply));
    piw_msg *answer = piw_msg_copy(reply);
    int rc = piw_answer(task, token, &answer);
    piw_msg_free(&answer);
    return rc;
}

/* --- From the process ----------------------------------------------------------------------------------------------- */

static const char *text_of(char *to, size_t size, const piw__frame *frame, const uint8_t *payload)
{
    snprintf(to, size, "%.*s", (int)(frame->size < size ? frame->size : size), (const char *)payload);
    return to;
}

static int64_t left_ms(const piw__frame *frame)
{
    if (frame->deadline_ns == 0)
        return -1;
    int64_t ms = (frame->deadline_ns - piw_monotonic_ns()) / 1000000;
    return ms > 0 ? ms : 1;
}

/* It calls, casts or emits. */
static int send_on(piw_task *task, stand_in *self, const piw__frame *frame, piw_msg **msg)
{
    if ((*msg)->type->kind == PIW_M_EVENT)
        return piw_emit(task, msg);
    const piw_service *service = piw__soul_service(self->plugin, frame->service);
    if (service == NULL)
        return PIW_ENOENT;
    int instance = (int)(frame->instance % PIW_LIMIT_INSTANCES);
    if (frame->id == 0)
        return piw_cast_to(task, service->name, instance, msg);
    return piw_call_to(task, service->name, instance, msg,
                       frame->kind == PIW__FRAME_FORWARD ? PIW_ON(soul_forwarded) : PIW_ON(soul_answered), frame->id,
                       left_ms(frame));
}

static int on_message(piw_task *task, stand_in *self, const piw__frame *frame, const uint8_t *payload)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    int rc = piw__frame_msg(self->plugin, frame, payload, &msg, &err);
    if (rc != 0)
        return rc;
    task->shell->soul.trace = frame->trace;
    rc = send_on(task, self, frame, &msg);
    if (rc != 0 && frame->kind == PIW__FRAME_FORWARD)
        piw_answer_error(task, (piw_token){frame->id}, rc, "%s can't be handed on", msg->type->name);
    else if (rc != 0 && frame->id != 0)
        put_error(self, frame->id, rc, "it can't be sent");
    else if (rc != 0)
        piw__figure(&task->shell->seen.figures.dead_letters, 1);
    piw_msg_free(&msg);
    return 0;
}

static int on_answer(piw_task *task, const stand_in *self, const piw__frame *frame, const uint8_t *payload)
{
    const piw_token token = {frame->id};
    char text[PIW_ERR_TEXT];
    piw_msg *answer = NULL;
    piw_err err = {0};
    if (frame->code != 0) {
        piw_answer_error(task, token, frame->code, "%s", text_of(text, sizeof(text), frame, payload));
        return 0;
    }
    int rc = piw__frame_msg(self->plugin, frame, payload, &answer, &err);
    if (rc != 0)
        return rc;
    rc = piw_answer(task, token, &answer);
    if (rc == PIW_EINVAL)
        piw_answer_error(task, token, PIW_ESHAPE, "its answer is of another type");
    piw_msg_free(&answer);
    return 0;
}

static void on_ask(const piw_task *task, stand_in *self, const piw__frame *frame, const uint8_t *payload)
{
    const piw__hub *hub = task->shell->hub;
    char name[256];
    text_of(name, sizeof(name), frame, payload);
    const char *value = hub->setting != NULL ? hub->setting(hub->arg, name) : NULL;
    piw__frame answer = {.kind = PIW__FRAME_SETTING, .code = value == NULL};
    piw_buffer text = {0};
    if (piw_buffer_add(&text, name, strlen(name) + 1) == 0 &&
        piw_buffer_add(&text, value != NULL ? value : "", value != NULL ? strlen(value) + 1 : 1) == 0)
        piw__channel_put(&self->channel, &answer, text.data, text.len);
    piw_buffer_fini(&text);
}

static int on_taken(piw_task *task, stand_in *self, const piw__frame *frame)
{
    if (frame->id < self->taken || frame->id > self->sent)
        return PIW_ESHAPE;
    self->taken = frame->id;
    if (task->shell->soul.full && in_flight(self) <= WINDOW / 2) {
        task->shell->soul.full = false;
        piw__release_held(task->shell);
    }
    return 0;
}

static void on_log(const piw__frame *frame, const uint8_t *payload)
{
    piw_log_level level =
        frame->code >= PIW_LOG_DEBUG && frame->code <= PIW_LOG_ERROR ? (piw_log_level)frame->code : PIW_LOG_ERROR;
    piw_log(level, "%.*s", (int)frame->size, (const char *)payload);
}

static int on_frame(piw_task *task, stand_in *self, const piw__frame *frame, const uint8_t *payload)
{
    char text[PIW_ERR_TEXT];
    int rc = 0;
    switch ((piw__frame_kind)frame->kind) {
    case PIW__FRAME_MESSAGE:
    case PIW__FRAME_FORWARD:
        return on_message(task, self, frame, payload);
    case PIW__FRAME_ANSWER:
        return on_answer(task, self, frame, payload);
    case PIW__FRAME_READY:
        piw_ready(task);
        return 0;
    case PIW__FRAME_FAILED:
        piw_fail(task, "%s", text_of(text, sizeof(text), frame, payload));
        return 0;
    case PIW__FRAME_QUIT:
        piw_quit(task, frame->size > 0 ? text_of(text, sizeof(text), frame, payload) : NULL);
        return 0;
    case PIW__FRAME_TAKEN:
        rc = on_taken(task, self, frame);
        break;
    case PIW__FRAME_BEAT:
        break;
    case PIW__FRAME_ASK:
        on_ask(task, self, frame, payload);
        return 0;
    case PIW__FRAME_LOG:
        on_log(frame, payload);
        return 0;
    case PIW__FRAME_NOTE:
        piw_task_note(task, "%s", text_of(text, sizeof(text), frame, payload));
        return 0;
    default:
        return PIW_ESHAPE;
    }
    self->open = (unsigned)frame->count;
    note_away(task, self);
    return rc;
}

/* Everything that has come. False when the process has gone. */
static bool take_in(piw_task *task, stand_in *self)
{
    int read = piw__channel_read(&self->channel), got = 0;
    piw__frame frame;
    const uint8_t *payload;
    while (!task->failed && (got = piw__channel_next(&self->channel, &frame, &payload)) == 1) {
        self->heard_ns = piw_monotonic_ns();
        got = on_frame(task, self, &frame, payload);
        if (got != 0)
            break;
    }
    if (got < 0)
        piw_fail(task, "what its process says makes no sense");
    return read == 0;
}

static int on_soul_socket(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    stand_in *self = piw_soul(task);
    char how[200];
    if (!take_in(task, self) && !task->failed) {
        piw__soul_reap(self->pid, how, sizeof(how));
        self->pid = 0;
        piw_fail(task, "%s", how);
    }
    if (!task->failed)
        send_out(task, self);
    return 0;
}

/* It may be silent because it hangs, or is stopped; while this task was on hold its beats have waited for us. */
static int on_soul_beat(piw_task *task, piw_msg *reply, uint64_t key)
{
    const stand_in *self = piw_soul(task);
    int rc = on_soul_socket(task, reply, key);
    int64_t silent_ms = (piw_monotonic_ns() - self->heard_ns) / 1000000;
    if (silent_ms > 2 * (int64_t)piw__tune.stuck_ms + SILENT_MS)
        piw_fail(task, "its process has not been heard of for %d ms", (int)silent_ms);
    return rc;
}

/* --- Start and stop ------------------------------------------------------------------------------------------------- */

static void add_text(piw_buffer *to, const char *text)
{
    if (piw_buffer_add(to, text, strlen(text) + 1) != 0)
        (void)piw_alloc(SIZE_MAX / 2); /* says that there is no memory, and gives up */
}

static void add_number(piw_buffer *to, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    add_text(to, text);
}

/* What the process must know from the beginning, in the order in which soul_process.c reads it. */
static void put_setup(const piw_task *task, stand_in *self, piw_why why)
{
    const piw__shell *shell = task->shell;
    piw_buffer text = {0};
    add_text(&text, PIW_VERSION);
    add_text(&text, shell->soul.image->file);
    add_text(&text, shell->role->name);
    add_text(&text, shell->name);
    add_number(&text, (uint64_t)why);
    add_number(&text, shell->number);
    add_number(&text, shell->instance);
    add_number(&text, shell->role->instances);
    add_number(&text, (uint64_t)piw__tune.errors_per_s);
    add_number(&text, (uint64_t)piw__tune.stuck_ms);
    add_number(&text, task->options != NULL ? task->options->count : 0);
    for (size_t i = 0; task->options != NULL && i < task->options->count; i++) {
        add_text(&text, task->options->names[i]);
        add_text(&text, task->options->values[i]);
    }
    const piw_service *service;
    for (unsigned n = 0; (service = piw__soul_service(self->plugin, n)) != NULL; n++) {
        const piw__service *entry = piw__registry_find(&shell->hub->registry, service->name);
        add_number(&text, entry != NULL ? entry->role->instances : 0);
    }
    piw__frame frame = {.kind = PIW__FRAME_SETUP, .flags = piw_log_wants(PIW_LOG_DEBUG) ? PIW__FRAME_DEBUG : 0};
    piw__channel_put(&self->channel, &frame, text.data, text.len);
    piw_buffer_fini(&text);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)state;
    piw__shell *shell = task->shell;
    stand_in *self = piw_zalloc(sizeof(*self));
    self->plugin = shell->soul.image->plugin;
    self->heard_ns = piw_monotonic_ns();
    int rc = piw__soul_spawn(shell->name, shell->soul.image->fd, &self->channel.fd, &self->pid, err);
    if (rc != 0) {
        free(self);
        return rc;
    }
    piw_soul_set(task, self);
    atomic_store_explicit(&shell->seen.pid, (int)self->pid, memory_order_relaxed);
    piw_debug("its soul is in process %d", (int)self->pid);
    put_setup(task, self, why);
    int beat_ms = piw__tune.stuck_ms / 2 > 0 ? piw__tune.stuck_ms / 2 : 1;
    if (piw_watch(task, self->channel.fd, PIW_READ, PIW_ON(soul_socket), 0) != 0 ||
        piw_timer(task, PIW_ON(soul_beat), 0, beat_ms, beat_ms) != 0)
        piw_fail(task, "its process can't be watched");
    send_out(task, self);
    return PIW_EAGAIN;
}

/* Let the real soul stop by itself; what it still says is carried out. */
static void let_stop(piw_task *task, stand_in *self)
{
    piw__frame frame = {.kind = PIW__FRAME_STOP};
    piw__channel_put(&self->channel, &frame, NULL, 0);
    int64_t until_ns = piw_monotonic_ns() + STOP_MS * INT64_C(1000000);
    for (;;) {
        bool writing = piw__channel_flush(&self->channel) == PIW_EAGAIN;
        int64_t left = (until_ns - piw_monotonic_ns()) / 1000000;
        if (task->failed || left <= 0) {
            piw_warning("its process did not stop within %d ms and is killed", STOP_MS);
            return;
        }
        struct pollfd fd = {.fd = self->channel.fd, .events = POLLIN | (writing ? POLLOUT : 0)};
        if (poll(&fd, 1, (int)left) > 0 && !take_in(task, self))
            return;
    }
}

/* What was handed over and not handled is lost with the process: requests get an error answer from the shell. */
static void count_lost(piw_task *task, const stand_in *self)
{
    unsigned lost = 0;
    for (uint64_t number = self->taken + 1; number <= self->sent; number++)
        lost += !self->requests[number % WINDOW];
    if (lost == 0)
        return;
    piw__figure(&task->shell->seen.figures.dead_letters, lost);
    piw_log_limited(&task->shell->supervision.log_dead, 10, PIW_LOG_WARNING,
                    "dead letters: up to %u casts and events had been handed to its process and not been handled",
                    lost);
}

static void stop(piw_task *task, bool leaving)
{
    stand_in *self = piw_soul(task);
    char how[200];
    if (self == NULL)
        return;
    if (leaving && !task->failed && self->pid != 0)
        let_stop(task, self);
    count_lost(task, self);
    if (self->pid != 0)
        piw__soul_reap(self->pid, how, sizeof(how));
    piw_unwatch(task, self->channel.fd);
    close(self->channel.fd);
    piw__channel_fini(&self->channel);
    free(self);
    task->shell->soul.away = 0;
    task->shell->soul.full = false;
    atomic_store_explicit(&task->shell->seen.pid, 0, memory_order_relaxed);
}

/* --- The stand-in's manifest ---------------------------------------------------------------------------------------- */

static const piw_continuation continuations[] = {PIW_CONTINUATION(soul_socket), PIW_CONTINUATION(soul_beat),
                                                 PIW_CONTINUATION(soul_answered), PIW_CONTINUATION(soul_forwarded),
                                                 PIW_CONTINUATIONS_END};

static piw_plugin *manifest_of(const piw_plugin *plugin)
{
    unsigned count = 0;
    while (plugin->handlers != NULL && plugin->handlers[count].protocol != NULL)
        count++;
    piw_handler *handlers = piw_zalloc((count + 1) * sizeof(*handlers));
    for (unsigned i = 0; i < count; i++)
        handlers[i] = (piw_handler){plugin->handlers[i].protocol, plugin->handlers[i].message, hand_over};
    piw_plugin *own = piw_alloc(sizeof(*own));
    *own = *plugin;
    own->state_protocol = NULL;
    own->blocks = false;
    own->start = start;
    own->stop = stop;
    own->save = NULL;
    own->idle = send_idle;
    own->handlers = handlers;
    own->continuations = continuations;
    return own;
}

const piw__image *piw__isolate_image(const piw__image *image)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct made {
        struct made *next;
        const piw__image *image, *stand_in;
    } * all;
    pthread_mutex_lock(&lock);
    struct made *made = all;
    while (made != NULL && made->image != image)
        made = made->next;
    if (made == NULL) {
        piw_err err = {0};
        made = piw_zalloc(sizeof(*made));
        made->image = image;
        if (piw__image_of(manifest_of(image->plugin), &made->stand_in, &err) != 0) {
            piw_error("%s", err.text); /* what was checked once is sound: this can't happen */
            abort();
        }
        made->next = all;
        all = made;
    }
    pthread_mutex_unlock(&lock);
    return made->stand_in;
}

int piw__isolate_check(const piw__image *image, piw_err *err)
{
    const piw_service *queues = image->plugin->queues;
    if (queues != NULL && queues[0].name != NULL)
        return piw_err_set(err, PIW_ECONFIG,
                           "isolate = process is not possible for a task that serves an outer queue (%s)",
                           queues[0].name);
    if (image->fd < 0)
        return piw_err_set(err, PIW_ECONFIG, "isolate = process is not possible for a task that is no plugin file");
    return 0;
}
