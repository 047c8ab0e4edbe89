/* soul_process.c — the process of an isolated soul: one ordinary shell with its thread, its timers and a worker
 * pool, and in the place of all other tasks bare mailboxes, which the main thread empties into the socket (isolate.c
 * reads it).
 *
 * The soul's thread and the workers speak to the socket too (log lines, settings, the mark), under a lock. The
 * process ends when the socket does, whatever it is doing then. */
#include "runtime/soul_process.h"

#include "actor/isolate.h"
#include "actor/soul_wire.h"
#include "base/core_dumps.h"
#include "base/log_sink.h"
#include "base/tuning.h"
#include "runtime/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEAT_MS = 250, STARTING_MS = 5, SETUP_MS = 30000, STOP_MS = 2000, PORTS_MAX = 256 };

/* A mailbox in the place of one instance of a service; of all that subscribe to events; of all that ask us. */
typedef struct port {
    piw__shell *shell;
    unsigned service, instance;
} port;

typedef struct setting {
    struct setting *next;
    char *value;
    char name[];
} setting;

static struct soul {
    piw__channel in; /* the main thread's */
    pthread_mutex_t out_lock;
    piw__channel out;
    pthread_mutex_t settings_lock;
    pthread_cond_t settings_changed;
    setting *settings;

    piw_runtime *runtime;
    const piw__image *image; /* with the mark's handler */
    const piw_plugin *plugin;
    piw__shell *shell;
    port ports[PORTS_MAX];
    unsigned ports_count;
    piw__shell *asker;
    piw__op *start_op; /* until the soul is ready */
    bool quit_said, stopping;
    unsigned notes_said;
    /* Of the look for a stuck handler. */
    uint64_t busy_number;
    int64_t busy_since_ns, looked_ns, beat_ns;
} soul = {.in = {.fd = PIW__SOUL_SOCKET},
          .out = {.fd = PIW__SOUL_SOCKET},
          .out_lock = PTHREAD_MUTEX_INITIALIZER,
          .settings_lock = PTHREAD_MUTEX_INITIALIZER};

/* --- To the master -------------------------------------------------------------------------------------------------- */

static void flush_locked(void)
{
    if (piw__channel_flush(&soul.out) != 0)
        _exit(0); /* the master has gone, or wants us gone */
}

static void say(piw__frame *frame, const void *payload, size_t size)
{
    pthread_mutex_lock(&soul.out_lock);
    piw__channel_put(&soul.out, frame, payload, size);
    flush_locked();
    pthread_mutex_unlock(&soul.out_lock);
}

static void say_text(piw__frame_kind kind, const char *text)
{
    piw__frame frame = {.kind = (uint8_t)kind};
    say(&frame, text, strlen(text));
}

static void say_log(piw_log_level level, const char *text, size_t len)
{
    piw__frame frame = {.kind = PIW__FRAME_LOG, .code = level};
    say(&frame, text, len);
}

static _Noreturn void fail(const char *why)
{
    say_text(PIW__FRAME_FAILED, why);
    _exit(1);
}

static uint64_t open_calls(void)
{
    return atomic_load_explicit(&soul.shell->seen.figures.calls_open, memory_order_relaxed);
}

/* What others would have got. */
static void send_out(const port *from, piw_msg *msg)
{
    piw__frame frame = {.kind = PIW__FRAME_MESSAGE,
                        .service = from->service,
                        .instance = from->instance,
                        .deadline_ns = msg->deadline_ns};
    piw_err err = {0};
    if ((msg->flags & PIW__ANSWER) != 0)
        frame.kind = PIW__FRAME_ANSWER;
    else if ((msg->flags & PIW__REQUEST) != 0 && msg->from == soul.asker)
        frame.kind = PIW__FRAME_FORWARD;
    if ((msg->flags & (PIW__ANSWER | PIW__REQUEST)) != 0)
        frame.id = msg->call_id;
    pthread_mutex_lock(&soul.out_lock);
    if (frame.kind == PIW__FRAME_ANSWER && piw__msg_rest_of(msg)->error != 0) {
        const char *text = piw_msg_error_text(msg);
        frame.code = piw__msg_rest_of(msg)->error;
        piw__channel_put(&soul.out, &frame, text, strlen(text));
    } else if (piw__channel_put_msg(&soul.out, &frame, msg, &err) != 0) {
        piw__frame refusal = {.kind = PIW__FRAME_ANSWER, .id = frame.id, .code = err.code};
        if (frame.kind != PIW__FRAME_MESSAGE)
            piw__channel_put(&soul.out, &refusal, err.text, strlen(err.text));
    }
    pthread_mutex_unlock(&soul.out_lock);
    if (err.code == 0)
        return;
    if (frame.kind == PIW__FRAME_MESSAGE && frame.id != 0) {
        /* Our own call: its continuation hears of it. */
        piw_msg *answer = piw__msg_error_answer(msg, err.code, err.text);
        answer->flags |= PIW__ANSWER;
        answer->call_id = msg->call_id;
        if (piw__mailbox_push(&soul.shell->mailbox, answer, answer, 1, NULL, NULL) != 0)
            piw_msg_free(&answer);
    } else {
        piw_error("%s can't be sent: %s", msg->type->name, err.text);
    }
}

static bool empty_ports(void)
{
    bool any = false;
    for (unsigned i = 0; i < soul.ports_count; i++) {
        for (piw_msg *msg = piw__mailbox_take(&soul.ports[i].shell->mailbox, 0); msg != NULL; any = true) {
            piw_msg *next = msg->next;
            send_out(&soul.ports[i], msg);
            piw_msg_free(&msg);
            msg = next;
        }
    }
    if (any) {
        pthread_mutex_lock(&soul.out_lock);
        flush_locked();
        pthread_mutex_unlock(&soul.out_lock);
    }
    return any;
}

/* --- The mark: comes behind messages, and says that they have been handled ---------------------------------------------- */

static const piw_type nothing = {.kind = PIW_TUPLE};
static const piw_type *const mark_types[] = {&nothing};
static const piw_msg_type mark_messages[] = {
    {.name = "MARK", .body = &nothing, .kind = PIW_M_CAST, .flags = PIW_M_NODATA, .reply = -1, .fallback = -1}};
static const piw_protocol mark_protocol = {.name = "soul",
                                           .hash = 0x736f756c6d61726bu,
                                           .messages = mark_messages,
                                           .messages_count = 1,
                                           .types = mark_types,
                                           .types_count = 1};
static piw_protocol_def mark_protocol_def = {.own = &mark_protocol};

static int on_mark(piw_task *task, piw_msg *msg)
{
    (void)task;
    piw__frame frame = {.kind = PIW__FRAME_TAKEN, .id = msg->call_id, .count = open_calls()};
    say(&frame, NULL, 0);
    return 0;
}

static piw_msg *mark_new(uint64_t number)
{
    piw_msg *mark = piw_msg_new(&mark_protocol_def.interned->messages[0]);
    mark->call_id = number;
    return mark;
}

/* The plugin's manifest with one handler more. */
static int image_with_mark(const piw__image *image, const piw__image **made, piw_err *err)
{
    const piw_plugin *plugin = image->plugin;
    unsigned count = 0;
    while (plugin->handlers != NULL && plugin->handlers[count].protocol != NULL)
        count++;
    piw_handler *handlers = piw_zalloc((count + 2) * sizeof(*handlers));
    if (count > 0)
        memcpy(handlers, plugin->handlers, count * sizeof(*handlers));
    handlers[count] = (piw_handler){&mark_protocol_def, 0, on_mark};
    piw_plugin *own = piw_alloc(sizeof(*own));
    *own = *plugin;
    own->handlers = handlers;
    piw_protocol_use(&mark_protocol_def);
    return piw__image_of(own, made, err);
}

/* --- Settings: asked for when they are needed, then kept -------------------------------------------------------------- */

static const char *find_setting(const char *name, bool *known)
{
    for (const setting *one = soul.settings; one != NULL; one = one->next) {
        if (strcmp(one->name, name) == 0) {
            *known = true;
            return one->value;
        }
    }
    *known = false;
    return NULL;
}

static const char *ask_setting(void *arg, const char *name)
{
    (void)arg;
    bool known;
    pthread_mutex_lock(&soul.settings_lock);
    const char *value = find_setting(name, &known);
    if (!known) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += SETUP_MS / 1000;
        say_text(PIW__FRAME_ASK, name);
        int ret = 0;
        while (!known && ret != ETIMEDOUT) {
            ret = pthread_cond_timedwait(&soul.settings_changed, &soul.settings_lock, &until);
            value = find_setting(name, &known);
        }
    }
    pthread_mutex_unlock(&soul.settings_lock);
    return value;
}

static void on_setting(const piw__frame *frame, const uint8_t *payload)
{
    const char *name = (const char *)payload;
    size_t len = strnlen(name, frame->size);
    if (len + 1 >= frame->size || payload[frame->size - 1] != 0)
        return;
    bool known;
    pthread_mutex_lock(&soul.settings_lock);
    find_setting(name, &known);
    if (!known) {
        setting *one = piw_alloc(sizeof(*one) + len + 1);
        memcpy(one->name, name, len + 1);
        one->value = frame->code == 0 ? piw_strdup(name + len + 1) : NULL;
        one->next = soul.settings;
        soul.settings = one;
    }
    pthread_cond_broadcast(&soul.settings_changed);
    pthread_mutex_unlock(&soul.settings_lock);
}

/* --- From the master ---------------------------------------------------------------------------------------------------- */

static void add(piw__msg_list *list, piw_msg *msg)
{
    msg->next = NULL;
    if (list->last != NULL)
        list->last->next = msg;
    else
        list->first = msg;
    list->last = msg;
    list->count++;
}

static piw_msg *message_of(const piw__frame *frame, const uint8_t *payload)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    if (piw__frame_msg(soul.plugin, frame, payload, &msg, &err) != 0)
        fail(err.text);
    return msg;
}

static piw_msg *request_of(const piw__frame *frame, const uint8_t *payload)
{
    piw_msg *msg = message_of(frame, payload);
    msg->deadline_ns = frame->deadline_ns;
    if (frame->id != 0) {
        msg->flags |= PIW__REQUEST;
        msg->from = soul.asker;
        msg->call_id = frame->id;
    }
    return msg;
}

static piw_msg *answer_of(const piw__frame *frame, const uint8_t *payload)
{
    piw_msg *msg;
    if (frame->code != 0) {
        /* The type does not matter: the continuation looks at the error first. */
        msg = piw_msg_new(&mark_protocol_def.interned->messages[0]);
        piw__msg_fail(msg, frame->code, piw_msg_text(msg, (const char *)payload, frame->size).s);
    } else {
        msg = message_of(frame, payload);
    }
    msg->flags |= PIW__ANSWER;
    msg->call_id = frame->id;
    return msg;
}

static void on_stop(void)
{
    soul.stopping = true;
    piw__op *op = piw__op_new(PIW__OP_DISABLE, NULL);
    piw__op_send(op, soul.shell);
    if (piw__op_wait(op, piw_monotonic_ns() + STOP_MS * INT64_C(1000000), true, NULL) == 0)
        empty_ports();
    _exit(0);
}

static void take_in(void)
{
    if (piw__channel_read(&soul.in) != 0)
        _exit(0);
    piw__frame frame;
    const uint8_t *payload;
    piw__msg_list list = {0};
    uint64_t number = 0;
    bool stop = false;
    int got;
    while (!stop && (got = piw__channel_next(&soul.in, &frame, &payload)) != 0) {
        if (got < 0)
            fail("its master sent a malformed message");
        switch ((piw__frame_kind)frame.kind) {
        case PIW__FRAME_MESSAGE:
            piw__log_sink_debug((frame.flags & PIW__FRAME_DEBUG) != 0);
            add(&list, request_of(&frame, payload));
            number = frame.count;
            break;
        case PIW__FRAME_ANSWER:
            add(&list, answer_of(&frame, payload));
            break;
        case PIW__FRAME_SETTING:
            on_setting(&frame, payload);
            break;
        case PIW__FRAME_STOP:
            stop = true;
            break;
        default:
            fail("its master sent an unknown message");
        }
    }
    if (number != 0)
        add(&list, mark_new(number));
    if (list.first != NULL)
        piw__mailbox_push(&soul.shell->mailbox, list.first, list.last, list.count, NULL, NULL);
    if (stop)
        on_stop();
}

/* --- Setup --------------------------------------------------------------------------------------------------------------- */

typedef struct texts {
    const char *at, *end;
} texts;

static const char *next_text(texts *from)
{
    size_t room = (size_t)(from->end - from->at), len = strnlen(from->at, room);
    if (len == room)
        fail("its setup is cut off");
    const char *text = from->at;
    from->at += len + 1;
    return text;
}

static uint64_t next_number(texts *from)
{
    return strtoull(next_text(from), NULL, 10);
}

static void add_port(piw__shell *shell, unsigned service, unsigned instance)
{
    if (soul.ports_count == PORTS_MAX)
        fail("it uses too many services");
    soul.ports[soul.ports_count++] = (port){shell, service, instance};
}

static piw__role *bare_role(const char *name, unsigned service, unsigned instances)
{
    piw__role *role;
    piw_err err = {0};
    if (piw__bare_role(soul.runtime, name, instances, &role, &err) != 0)
        fail(err.text);
    for (unsigned n = 0; n < instances; n++)
        add_port(role->shells[n], service, n);
    return role;
}

static bool is_served(const char *name)
{
    return piw__registry_find(&soul.runtime->hub.registry, name) != NULL;
}

static void make_services(texts *from)
{
    piw__registry *registry = &soul.runtime->hub.registry;
    const piw_service *one;
    for (unsigned n = 0; (one = piw__soul_service(soul.plugin, n)) != NULL; n++) {
        unsigned instances = (unsigned)next_number(from);
        if (instances > PIW_LIMIT_INSTANCES)
            fail("its setup is malformed");
        if (instances == 0 || is_served(one->name))
            continue;
        piw__registry_serve(registry, bare_role(one->name, n, instances), one);
    }
}

/* All events go to the master, which knows who wants them; they come back if the task itself does. */
static void make_events(void)
{
    piw__registry *registry = &soul.runtime->hub.registry;
    piw__role *role = bare_role("events", 0, 1);
    const piw_protocol *protocol;
    for (unsigned n = 0; (protocol = piw__soul_protocol(soul.plugin, n)) != NULL; n++) {
        for (unsigned m = 0; m < protocol->messages_count; m++) {
            const piw_msg_type *type = &protocol->messages[m];
            bool known = type->kind != PIW_M_EVENT;
            for (const piw__subscription *s = registry->subscriptions; s != NULL && !known; s = s->next)
                known = s->event == type;
            if (known)
                continue;
            piw__subscription *subscription = piw_zalloc(sizeof(*subscription));
            *subscription = (piw__subscription){registry->subscriptions, type, role};
            registry->subscriptions = subscription;
        }
    }
}

static const piw__options *make_options(texts *from)
{
    size_t count = next_number(from);
    if (count > (size_t)(from->end - from->at))
        fail("its setup is malformed");
    const char **names = piw_zalloc((count + 1) * 2 * sizeof(*names)), **values = names + count;
    for (size_t i = 0; i < count; i++) {
        names[i] = next_text(from);
        values[i] = next_text(from);
    }
    const piw__options *options = piw__options_new(names, values, NULL, count);
    free(names);
    return options;
}

static piw__role *make_role(const char *name)
{
    piw__role *role = piw_zalloc(sizeof(*role));
    role->runtime = soul.runtime;
    role->name = piw_strdup(name);
    role->plugin = role->plugin_config = name;
    role->enabled = role->enabled_config = true;
    role->critical = true; /* its first failure is the runtime's wish to quit */
    role->instances = 1;
    role->image = soul.image;
    role->shells = piw_zalloc(sizeof(*role->shells));
    soul.runtime->roles[0] = role;
    soul.runtime->roles_count = 1;
    return role;
}

static void make_shell(piw__role *role, const char *name, uint64_t number)
{
    piw_err err = {0};
    if (piw__shell_new(&soul.runtime->hub, role, 0, &soul.shell, &err) != 0)
        fail(err.text);
    role->shells[0] = soul.shell;
    snprintf(soul.shell->name, sizeof(soul.shell->name), "%s", name);
    /* Traces begun here and in the master's shell are told apart by the upper half of the count. */
    soul.shell->number = number;
    soul.shell->loop.next_trace = UINT64_C(1) << 39;
}

/* The frame's texts, in the order of put_setup in isolate.c. */
static void set_up(const piw__frame *frame, const uint8_t *payload)
{
    texts from = {(const char *)payload, (const char *)payload + frame->size};
    const piw__image *image;
    piw_err err = {0};
    piw__log_sink_debug((frame->flags & PIW__FRAME_DEBUG) != 0);
    if (strcmp(next_text(&from), PIW_VERSION) != 0)
        fail("piw-soul is of another version than the master: restart the master after an installation");
    const char *file = piw__intern(next_text(&from)), *task = next_text(&from), *name = next_text(&from);
    piw_why why = (piw_why)next_number(&from);
    uint64_t number = next_number(&from);
    unsigned part = (unsigned)next_number(&from), parts = (unsigned)next_number(&from);
    piw__tune.failures = 1;
    piw__tune.errors_per_s = (int)next_number(&from);
    piw__tune.stuck_ms = (int)next_number(&from);
    const piw_runtime_config config = {.setting = ask_setting};
    if (piw__image_load_fd(PIW__SOUL_IMAGE, file, &image, &err) != 0 ||
        image_with_mark(image, &soul.image, &err) != 0 || piw_runtime_new(&soul.runtime, &config, &err) != 0)
        fail(err.text);
    soul.plugin = image->plugin;
    piw__role *role = make_role(task);
    role->part = part;
    role->parts = parts;
    role->options = make_options(&from);
    make_shell(role, name, number);
    if (piw__shell_new(&soul.runtime->hub, NULL, 0, &soul.asker, &err) != 0)
        fail(err.text);
    add_port(soul.asker, 0, 0);
    make_services(&from);
    make_events();
    if (piw__workers_start(&soul.runtime->hub.workers, PIW_LIMIT_WORKERS, PIW_LIMIT_BACKGROUND, &err) != 0)
        fail(err.text);
    piw__crash_watch(soul.runtime);
    if (piw__shell_run(soul.shell, &err) != 0)
        fail(err.text);
    soul.start_op = piw__op_new(PIW__OP_START, soul.image);
    soul.start_op->why = why;
    piw__op_send(soul.start_op, soul.shell);
}

static void wait_setup(void)
{
    int64_t until_ns = piw_monotonic_ns() + SETUP_MS * INT64_C(1000000);
    piw__frame frame;
    const uint8_t *payload;
    int got;
    while ((got = piw__channel_next(&soul.in, &frame, &payload)) == 0) {
        int64_t left_ms = (until_ns - piw_monotonic_ns()) / 1000000;
        struct pollfd fd = {.fd = PIW__SOUL_SOCKET, .events = POLLIN};
        if (left_ms <= 0 || (poll(&fd, 1, (int)left_ms) > 0 && piw__channel_read(&soul.in) != 0))
            _exit(1);
    }
    if (got < 0 || frame.kind != PIW__FRAME_SETUP)
        fail("the first message of its master is not its setup");
    set_up(&frame, payload);
}

/* --- Watching the soul ------------------------------------------------------------------------------------------------------- */

/* The reason that the soul gave, if it has failed. */
static bool has_failed(char *why, size_t size)
{
    pthread_mutex_lock(&soul.shell->supervision.ops_lock);
    snprintf(why, size, "%s", soul.shell->seen.failure);
    pthread_mutex_unlock(&soul.shell->supervision.ops_lock);
    return why[0] != 0;
}

static void look_at_start(void)
{
    piw_err err = {0};
    char why[PIW_ERR_TEXT];
    int ret = soul.start_op != NULL ? piw__op_wait(soul.start_op, piw_monotonic_ns(), false, &err) : PIW_EAGAIN;
    if (ret == PIW_EAGAIN)
        return;
    piw__op_unref(soul.start_op);
    soul.start_op = NULL;
    if (ret == 0) {
        say_text(PIW__FRAME_READY, "");
        return;
    }
    empty_ports();
    fail(has_failed(why, sizeof(why)) ? why : err.text);
}

static void look_at_quit(void)
{
    piw_runtime *runtime = soul.runtime;
    char why[PIW_ERR_TEXT];
    if (soul.quit_said)
        return;
    pthread_mutex_lock(&runtime->hub.quit_lock);
    bool quit = runtime->hub.quit;
    pthread_mutex_unlock(&runtime->hub.quit_lock);
    if (!quit)
        return;
    soul.quit_said = true;
    empty_ports();
    if (has_failed(why, sizeof(why)))
        fail(why);
    say_text(PIW__FRAME_QUIT, runtime->hub.quit_code != 0 ? runtime->hub.quit_reason : "");
}

/* A handler that does not return ends the process. The first look after a long pause of our own begins anew: the socket
 * may have been full because the task was on hold. */
static void look_at_handler(int64_t now)
{
    piw__shell *shell = soul.shell;
    uint64_t number = atomic_load_explicit(&shell->seen.busy_number, memory_order_relaxed);
    const char *what = atomic_load_explicit(&shell->seen.busy_in, memory_order_relaxed);
    bool rested = now - soul.looked_ns > 4 * BEAT_MS * INT64_C(1000000);
    soul.looked_ns = now;
    if (what == NULL || number != soul.busy_number || rested || soul.plugin->blocks) {
        soul.busy_number = number;
        soul.busy_since_ns = now;
        return;
    }
    int64_t ms = (now - soul.busy_since_ns) / 1000000;
    if (ms < piw__tune.stuck_ms)
        return;
    char why[PIW_ERR_TEXT];
    piw__recorder_print(&shell->seen.recorder, shell->name, STDERR_FILENO, 32);
    snprintf(why, sizeof(why), "its handler of %s has been running for more than %d ms", what, (int)ms);
    fail(why);
}

static void look_at_note(void)
{
    piw__shell *shell = soul.shell;
    unsigned notes = atomic_load_explicit(&shell->seen.notes, memory_order_acquire);
    if (notes == soul.notes_said)
        return;
    soul.notes_said = notes;
    char note[sizeof(shell->seen.note)];
    pthread_mutex_lock(&shell->supervision.ops_lock);
    memcpy(note, shell->seen.note, sizeof(note));
    pthread_mutex_unlock(&shell->supervision.ops_lock);
    say_text(PIW__FRAME_NOTE, note);
}

static void beat(int64_t now)
{
    if (now - soul.beat_ns < BEAT_MS * INT64_C(1000000))
        return;
    soul.beat_ns = now;
    piw__frame frame = {.kind = PIW__FRAME_BEAT, .count = open_calls()};
    say(&frame, NULL, 0);
}

/* --- The loop ---------------------------------------------------------------------------------------------------------------- */

static void rest(void)
{
    struct pollfd fds[PORTS_MAX + 2] = {{.fd = PIW__SOUL_SOCKET, .events = POLLIN},
                                        {.fd = soul.runtime->hub.quit_fd, .events = POLLIN}};
    for (unsigned i = 0; i < soul.ports_count; i++) {
        piw__mailbox *mailbox = &soul.ports[i].shell->mailbox;
        if (!piw__mailbox_sleep(mailbox))
            return;
        fds[i + 2] = (struct pollfd){.fd = mailbox->wake_fd, .events = POLLIN};
    }
    if (soul.quit_said)
        fds[1].fd = -1;
    int64_t beats_ms = BEAT_MS - (piw_monotonic_ns() - soul.beat_ns) / 1000000;
    int timeout_ms = soul.start_op != NULL ? STARTING_MS : beats_ms > 0 ? (int)beats_ms : 0;
    poll(fds, soul.ports_count + 2, timeout_ms);
    for (unsigned i = 0; i < soul.ports_count; i++)
        if ((fds[i + 2].revents & POLLIN) != 0)
            piw__mailbox_awake(&soul.ports[i].shell->mailbox);
}

static void prepare(const char *parent)
{
    /* Whoever ends the master's group ends the master; we go when it says so, or is gone. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(parent, NULL, 10))
        _exit(1);
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < PIW_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    close_range(PIW__SOUL_IMAGE + 1, ~0U, 0);
    fcntl(PIW__SOUL_SOCKET, F_SETFD, FD_CLOEXEC);
    fcntl(PIW__SOUL_IMAGE, F_SETFD, FD_CLOEXEC);
    pthread_cond_init(&soul.settings_changed, NULL);
    piw__log_sink(say_log);
}

int piw_soul_main(int argc, char **argv)
{
    int domain = 0;
    socklen_t len = sizeof(domain);
    if (argc != 4 || getsockopt(PIW__SOUL_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX) {
        fprintf(stderr, "piw-soul: holds a task with isolate = process; piw-master starts it\n");
        return 2;
    }
    piw__core_dumps_allow(strcmp(argv[3], PIW__SOUL_OPEN) == 0);
    prepare(argv[2]);
    wait_setup();
    for (;;) {
        take_in();
        empty_ports();
        look_at_start();
        look_at_quit();
        int64_t now = piw_monotonic_ns();
        look_at_handler(now);
        look_at_note();
        beat(now);
        rest();
    }
}
