/* player.c — a recording is played to a plugin: one shell whose thread is the caller's, and in the place of all other tasks bare
 * mailboxes. Messages come in the recorded order, at the recorded time; calls get the recorded answers. */
#include "runtime/player.h"

#include "actor/deliver.h"
#include "actor/dispatch.h"
#include "actor/run.h"
#include "record/recording.h"
#include "recording.piw.h"
#include "runtime/inner.h"
#include "runtime/playback.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OTHERS_MAX = 512,
    /* A timer that the recording says nothing of is fired when it is so late: one that it does say something of would have come. */
    LATE_NS = 100000000,
};

/* A mailbox in the place of an instance of a service, of the subscribers of events, or of who asks us. */
typedef struct other {
    piw__shell *shell;
    int64_t asker; /* 0: it serves */
} other;

static struct player {
    const piw_play *play;
    piw_play_result *result;
    piw_recording *file;
    piw__playback known; /* what the recording holds, looked through beforehand */
    piw_runtime *runtime;
    const piw__image *image;
    piw__shell *shell;
    piw__role *role;
    piw__options *options; /* every one that was in force */
    other others[OTHERS_MAX];
    unsigned others_count;
    uint64_t at; /* of the record that is played */
} player;

static void left_out(const char *what, const char *name)
{
    piw_play_result *result = player.result;
    if (result->left_out++ == 0)
        snprintf(result->first_left_out, sizeof(result->first_left_out), "%s %.100s", what, name);
}

/* --- The shell and what stands around it ---------------------------------------------------------------------------- */

static int add_other(piw__shell *shell, int64_t asker, piw_err *err)
{
    if (player.others_count == OTHERS_MAX)
        return piw_err_set(err, PIW_ELIMIT, "the recording has messages of too many tasks");
    player.others[player.others_count++] = (other){shell, asker};
    return 0;
}

static int asker_of(int64_t number, piw__shell **asker, piw_err *err)
{
    for (unsigned i = 0; i < player.others_count; i++) {
        if (player.others[i].asker == number) {
            *asker = player.others[i].shell;
            return 0;
        }
    }
    int rc = piw__shell_new(&player.runtime->hub, NULL, 0, asker, err);
    if (rc != 0)
        return rc;
    (*asker)->number = (uint64_t)number;
    return add_other(*asker, number, err);
}

static int make_role(const char *name, unsigned instances, piw__role **made, piw_err *err)
{
    int rc = piw__bare_role(player.runtime, name, instances, made, err);
    for (unsigned n = 0; n < instances && rc == 0; n++)
        rc = add_other((*made)->shells[n], 0, err);
    return rc;
}

static unsigned instances_of(const char *service)
{
    const recording_begin *begin = recording_begin_of(player.known.begin);
    for (uint32_t i = 0; i < begin->services.count; i++) {
        const recording_service *one = &begin->services.at[i];
        if (strcmp(one->name.s, service) == 0)
            return one->instances > 0 && one->instances <= PIW_LIMIT_INSTANCES ? (unsigned)one->instances : 1;
    }
    return 1;
}

static int make_services(const piw_service *list, piw_err *err)
{
    piw__registry *registry = &player.runtime->hub.registry;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        piw__role *role;
        if (piw__registry_find(registry, list[i].name) != NULL)
            continue;
        int rc = make_role(list[i].name, instances_of(list[i].name), &role, err);
        if (rc != 0)
            return rc;
        piw__registry_serve(registry, role, &list[i]);
    }
    return 0;
}

static piw__options *options_of(const recording_start *start)
{
    uint32_t count = start->options.count;
    const char **names = piw_zalloc(((size_t)count + 1) * 2 * sizeof(*names)), **values = names + count;
    char **kept = piw_zalloc(((size_t)count + 1) * sizeof(*kept));
    for (uint32_t i = 0; i < count; i++) {
        const recording_pair *pair = &start->options.at[i];
        names[i] = pair->name.s;
        kept[i] = piw__playback_place(player.play->root, pair->value.s);
        values[i] = kept[i];
    }
    piw__options *options = piw__options_new(names, values, NULL, count);
    for (uint32_t i = 0; i < count; i++)
        free(kept[i]);
    free(kept);
    free(names);
    options->older = player.options;
    player.options = options;
    return options;
}

static int make_shell(piw_err *err)
{
    const recording_begin *begin = recording_begin_of(player.known.begin);
    int rc = make_role(begin->task.s, 0, &player.role, err);
    if (rc != 0)
        return rc;
    player.role->image = player.image;
    player.role->instances = 1;
    player.role->enabled = true;
    player.role->parts = (unsigned)begin->instances;
    player.role->part = (unsigned)begin->instance;
    rc = piw__shell_new(&player.runtime->hub, player.role, 0, &player.shell, err);
    if (rc != 0)
        return rc;
    player.role->shells[0] = player.shell;
    player.shell->soul.image = player.image;
    /* So that tokens in the state are those of the recording, and new ones none of them. */
    player.shell->number = (uint64_t)begin->shell;
    player.shell->waits.next_token = (uint64_t)begin->next_token;
    piw__record_thread(player.shell);
    return 0;
}

/* --- What a successor finds: calls that wait, timers, requests that are open ------------------------------------------- */

static const piw_msg_type *type_of(int64_t protocol, int64_t word)
{
    return piw__playback_type(&player.known, player.file, protocol, word);
}

static void take_calls(const recording_begin *begin)
{
    for (uint32_t i = 0; i < begin->calls.count; i++) {
        const recording_call *from = &begin->calls.at[i];
        const char *name = piw__image_continuation(player.image, from->continuation.s);
        const piw_msg_type *type = type_of(from->protocol, from->word);
        piw__wanted *wanted = piw__playback_of_id(&player.known, from->id);
        const piw_task nobody = {0};
        if (name == NULL || type == NULL || type->reply < 0) {
            left_out("a call that waits for its answer at", from->continuation.s);
            continue;
        }
        piw__call *call = piw__call_new(player.shell, &nobody, name, (uint64_t)from->key);
        call->type = type;
        if (wanted != NULL)
            wanted->mine = call->node.key;
    }
}

static int take_open(piw_err *err)
{
    const recording_begin *begin = recording_begin_of(player.known.begin);
    int rc = 0;
    take_calls(begin);
    for (uint32_t i = 0; i < begin->timers.count; i++) {
        const recording_timer *from = &begin->timers.at[i];
        const char *name = piw__image_continuation(player.image, from->continuation.s);
        if (name != NULL && from->period_ns >= 0)
            piw__timer_put(player.shell, name, (uint64_t)from->key, from->due_ns, from->period_ns);
    }
    for (uint32_t i = 0; i < begin->deferred.count && rc == 0; i++) {
        const recording_deferred *from = &begin->deferred.at[i];
        piw__shell *asker;
        const piw_msg_type *type = type_of(from->protocol, from->word);
        if (type == NULL || type->reply < 0) {
            left_out("an open request of another protocol,", "");
            continue;
        }
        rc = asker_of(from->asker, &asker, err);
        if (rc != 0)
            return rc;
        piw__deferred *deferred = piw_zalloc(sizeof(*deferred));
        deferred->type = type;
        deferred->from = asker;
        deferred->call_id = (uint64_t)from->id;
        piw__table_put(&player.shell->waits.deferred, &deferred->node, (uint64_t)from->token);
    }
    return rc;
}

/* --- What came of it ---------------------------------------------------------------------------------------------------- */

static bool has_passed(const piw__wanted *wanted)
{
    return wanted->answer_at != 0 && wanted->answer_at < player.at;
}

static piw_msg *error_answer(const piw_msg_type *type, int code, const char *text)
{
    piw_msg *msg = piw_msg_new(&type->protocol->messages[type->reply]);
    piw__msg_fail(msg, code, piw_msg_textz(msg, text).s);
    return msg;
}

/* The recorded answer, as the one to this call. */
static piw_msg *answer_of(const recording_came *came, const piw_msg_type *asked)
{
    const piw_msg_type *type = &asked->protocol->messages[asked->reply];
    piw_msg *msg = NULL;
    piw_err err = {0};
    if (came->error != 0)
        return error_answer(asked, (int)came->error, came->error_text.s);
    if (piw_recording_as(player.file, came->protocol, came->word, came->data, type, &msg, &err) != 0)
        return error_answer(asked, PIW_ESHAPE, err.text);
    return msg;
}

static void give_answer(uint64_t mine, piw_msg *msg)
{
    msg->flags |= PIW__ANSWER;
    msg->call_id = mine;
    piw__dispatch(player.shell, msg);
}

static void give_recorded(piw__wanted *wanted, const recording_came *came)
{
    const piw__call *call = piw__call_find(player.shell, wanted->mine);
    uint64_t mine = wanted->mine;
    wanted->mine = 0;
    if (call != NULL)
        give_answer(mine, answer_of(came, call->type));
}

/* It is asked later than in the recording: the answer comes at once. */
static int give_passed(piw__wanted *wanted, piw_err *err)
{
    piw_msg *record = NULL;
    uint64_t here = piw_recording_at(player.file);
    piw_recording_go(player.file, wanted->answer_at);
    int rc = piw_recording_next(player.file, &record, err);
    piw_recording_go(player.file, here);
    if (rc == 1 && piw_msg_type_of(record) == recording_came_type())
        give_recorded(wanted, recording_came_of(record));
    piw_msg_free(&record);
    return rc < 0 ? rc : 0;
}

/* A call of the soul. */
static int take_call(const piw_msg *msg, piw_err *err)
{
    piw__wanted *wanted = piw__playback_match(&player.known, msg);
    if (wanted != NULL) {
        wanted->mine = msg->call_id;
        return has_passed(wanted) ? give_passed(wanted, err) : 0;
    }
    player.result->unknown++;
    if (piw__call_find(player.shell, msg->call_id) != NULL)
        give_answer(msg->call_id, error_answer(msg->type, PIW_ENOENT, "the recording has no answer to this"));
    return 0;
}

/* What others would have got; calls find their answers. 1: there was something. */
static int take_sent(piw_err *err)
{
    int any = 0;
    piw__flush(player.shell);
    for (unsigned i = 0; i < player.others_count; i++) {
        piw_msg *msg = piw__mailbox_take(&player.others[i].shell->mailbox, 0);
        while (msg != NULL) {
            piw_msg *next = msg->next;
            int rc = 0;
            any = 1;
            if ((msg->flags & PIW__REQUEST) != 0 && msg->from == player.shell)
                rc = take_call(msg, err);
            piw_msg_free(&msg);
            msg = next;
            if (rc != 0) {
                while (msg != NULL) {
                    next = msg->next;
                    piw_msg_free(&msg);
                    msg = next;
                }
                return rc;
            }
        }
    }
    return any;
}

/* A job has been done. Its result comes when it came in the recording; one that isn't known there, at once. */
static void take_result(piw_msg *msg)
{
    const piw__call *call = piw__call_find(player.shell, msg->call_id);
    piw__wanted *wanted = call != NULL && call->work ? piw__playback_match_job(&player.known, call->type) : NULL;
    if (wanted == NULL || has_passed(wanted)) {
        piw__dispatch(player.shell, msg);
        return;
    }
    wanted->mine = msg->call_id;
    piw_msg_free(&wanted->result);
    wanted->result = msg;
}

static int take_results(void)
{
    int any = 0;
    piw__workers_drain(player.runtime->hub.workers);
    for (piw_msg *msg = piw__mailbox_take(&player.shell->mailbox, 0); msg != NULL; any = 1) {
        piw_msg *next = msg->next;
        msg->next = NULL;
        take_result(msg);
        msg = next;
    }
    return any;
}

/* Until nothing follows from what was played. */
static int settle(piw_err *err)
{
    int sent, results;
    do {
        sent = take_sent(err);
        if (sent < 0)
            return sent;
        results = take_results();
    } while (sent != 0 || results != 0);
    return 0;
}

/* --- What comes --------------------------------------------------------------------------------------------------------- */

static int stop_soul(piw_task *old)
{
    if (old->plugin->stop != NULL) {
        piw__flight_entry *entry = piw__soul_enter(player.shell, "stop");
        old->plugin->stop(old, false);
        piw__soul_leave(player.shell, entry, 0, false);
    }
    piw__watches_clear(player.shell, old->generation);
    piw__task_free(&old);
    return 0;
}

/* What the soul that goes hands over; what the first one finds is recorded. */
static int state_for(const recording_start *start, piw_msg **state, piw_err *err)
{
    const piw_task *old = player.shell->soul.task;
    const piw_msg_type *saved = piw_recording_word(player.file, start->protocol, start->word);
    *state = NULL;
    if (old == NULL && saved != NULL && player.image->state != NULL &&
        strcmp(saved->name, player.image->state->name) != 0)
        return piw_err_set(err, PIW_EPLUGIN, "the recording is of another task: its state is %.100s, that of %s %s",
                           saved->name, player.image->file, player.image->state->name);
    if (old == NULL && start->protocol != 0 && player.image->state != NULL)
        return piw_recording_as(player.file, start->protocol, start->word, start->data, player.image->state, state,
                                err);
    if (old == NULL || start->why != PIW_SWAP || old->plugin->save == NULL || player.image->state == NULL)
        return 0;
    piw__flight_entry *entry = piw__soul_enter(player.shell, "save");
    int rc = old->plugin->save(player.shell->soul.task, state, err);
    piw__soul_leave(player.shell, entry, rc, false);
    return rc;
}

/* A soul begins; one that is there is swapped, or ends, as it did in the recording. */
static int play_start(const recording_start *start, piw_err *err)
{
    piw__shell *shell = player.shell;
    piw_msg *state = NULL;
    int rc = state_for(start, &state, err);
    if (rc != 0)
        return rc;
    if (start->why != PIW_SWAP)
        piw__soul_end(shell, false, PIW_EHANDLER, "its task was restarted");
    shell->soul.options = options_of(start);
    rc = piw__role_check_options(player.role, shell->soul.options, player.image, err);
    if (rc != 0) {
        piw_msg_free(&state);
        return rc;
    }
    piw_task *task = piw__task_new(shell, player.image), *old = shell->soul.task;
    piw_why why = start->why == PIW_SWAP ? PIW_SWAP : start->why == PIW_BOOT ? PIW_BOOT : PIW_RESTART;
    piw__record_start(shell, task, why, state);
    piw__flight_entry *entry = piw__soul_enter(shell, "start");
    rc = task->plugin->start(task, why, state, err);
    bool good = (rc == 0 || rc == PIW_EAGAIN) && !task->failed;
    if (!good)
        piw_err_set(err, PIW_EHANDLER, "%s", task->failed ? task->failure : "it did not start");
    piw__soul_leave(shell, entry, rc, good);
    piw_msg_free(&state);
    if (!good) {
        piw_err_prefix(err, "%s does not start", player.image->file);
        piw__task_free(&task);
        return err->code;
    }
    piw__soul_is(shell, task);
    if (old != NULL)
        stop_soul(old);
    piw__state_set(shell, PIW__RUNNING);
    return 0;
}

static int play_message(const recording_came *came, piw_err *err)
{
    const piw_msg_type *type = type_of(came->protocol, came->word);
    const piw_msg_type *recorded = piw_recording_word(player.file, came->protocol, came->word);
    piw_msg *msg = NULL;
    piw_err own_err = {0};
    if (recorded == NULL)
        return piw_err_set(err, PIW_ESHAPE, "the recording doesn't say what one of its messages is");
    if (type == NULL || piw__image_handler(player.image, type) == NULL) {
        if (recorded->kind != PIW_M_EVENT)
            left_out("the plugin has no handler for", recorded->name);
        return 0;
    }
    if (piw_recording_as(player.file, came->protocol, came->word, came->data, type, &msg, &own_err) != 0) {
        left_out("a message can't be read as the plugin's:", own_err.text);
        return 0;
    }
    if (came->asker != 0) {
        int rc = asker_of(came->asker, &msg->from, err);
        if (rc != 0) {
            piw_msg_free(&msg);
            return rc;
        }
        msg->flags |= PIW__REQUEST;
        msg->call_id = (uint64_t)came->id;
    }
    piw__dispatch(player.shell, msg);
    return 0;
}

static void play_answer(const recording_came *came)
{
    piw__wanted *wanted = piw__playback_of_id(&player.known, came->id);
    if (wanted == NULL || wanted->mine == 0)
        return; /* nobody asked: that is a difference, and seen where the calls are compared */
    if (wanted->result != NULL) {
        piw_msg *result = wanted->result;
        wanted->result = NULL;
        wanted->mine = 0;
        piw__dispatch(player.shell, result);
        return;
    }
    give_recorded(wanted, came);
}

static void fire(const char *name, uint64_t key)
{
    piw__timer *timer = piw__timer_find(player.shell, name, key);
    if (timer->period_ns > 0) {
        int64_t missed = (piw_monotonic_ns() - timer->due.at_ns) / timer->period_ns;
        piw__heap_put(&player.shell->waits.timer_heap, &timer->due,
                      timer->due.at_ns + (missed > 0 ? missed + 1 : 1) * timer->period_ns);
    } else {
        piw__timer_end(player.shell, timer);
    }
    piw__dispatch_bare(player.shell, name, key);
}

static void play_continuation(const recording_came *came)
{
    const char *name = piw__image_continuation(player.image, came->name.s);
    if (name != NULL && piw__timer_find(player.shell, name, (uint64_t)came->key) != NULL)
        fire(name, (uint64_t)came->key);
    else
        left_out("no timer was set that comes to", came->name.s);
}

/* Timers of which the recording says nothing come at their time. */
static int fire_unknown(int64_t now_ns, piw_err *err)
{
    const piw__heap *heap = &player.shell->waits.timer_heap;
    int rc = 0;
    for (uint32_t i = 1; i <= heap->count && rc == 0;) {
        const piw__timer *timer =
            (const piw__timer *)(const void *)((const char *)heap->at[i] - offsetof(piw__timer, due));
        if (timer->due.at_ns > now_ns - LATE_NS || piw__playback_names(&player.known, timer->continuation)) {
            i++;
            continue;
        }
        fire(timer->continuation, timer->key);
        rc = settle(err);
        i = 1;
    }
    return rc;
}

static int play_came(const recording_came *came, piw_err *err)
{
    if (player.shell->soul.task == NULL) {
        left_out("the soul has failed before", came->name.s);
        return 0;
    }
    player.result->played++;
    switch ((piw_came)came->kind) {
    case PIW_CAME_MESSAGE:
        return play_message(came, err);
    case PIW_CAME_ANSWER:
    case PIW_CAME_RESULT:
        play_answer(came);
        return 0;
    case PIW_CAME_CONTINUATION:
        play_continuation(came);
        return 0;
    case PIW_CAME_IDLE:
        if (player.image->plugin->idle != NULL)
            piw__dispatch_idle(player.shell);
        return 0;
    }
    return piw_err_set(err, PIW_ESHAPE, "the recording has something that this release doesn't know");
}

static void set_clock(int64_t at_ns)
{
    const recording_begin *begin = recording_begin_of(player.known.begin);
    if (player.play->clock != NULL)
        player.play->clock(at_ns, begin->started.us + (at_ns - begin->now_ns) / 1000);
}

static int64_t time_of(const piw_msg *record)
{
    return piw_msg_type_of(record) == recording_start_type() ? recording_start_of(record)->at_ns
                                                             : recording_came_of(record)->at_ns;
}

static bool is_played(const piw_msg *record)
{
    return piw_msg_type_of(record) == recording_start_type() || piw_msg_type_of(record) == recording_came_type();
}

static void take_reads(piw__read_kind kind, uint32_t count, const int64_t *at)
{
    piw__reads *reads = &player.shell->record.reads;
    reads->of[kind].count = count;
    if (count > 0)
        memcpy(reads->of[kind].at, at, count * sizeof(*at));
}

/* What the function read of clocks and chance then, it reads again. NULL: its end isn't in the file. */
static void set_reads(const recording_done *done)
{
    player.shell->record.reads = (piw__reads){.play = true};
    if (done == NULL)
        return;
    take_reads(PIW__READ_MONOTONIC, done->monotonic_ns.count, done->monotonic_ns.at);
    take_reads(PIW__READ_DAY, done->day_us.count, done->day_us.at);
    take_reads(PIW__READ_RANDOM, done->random.count, done->random.at);
}

static int play_record(const piw_msg *record, const recording_done *done, piw_err *err)
{
    int rc = 0;
    set_clock(time_of(record));
    set_reads(NULL);
    if (player.shell->soul.task != NULL)
        rc = fire_unknown(time_of(record), err);
    set_reads(done);
    if (rc == 0)
        rc = piw_msg_type_of(record) == recording_start_type() ? play_start(recording_start_of(record), err)
                                                               : play_came(recording_came_of(record), err);
    set_reads(NULL);
    return rc != 0 ? rc : settle(err);
}

/* Something comes, things are sent, it is done: it is played when its end is known. */
static int play_all(piw_err *err)
{
    piw_msg *record = NULL, *waiting = NULL;
    piw_recording_go(player.file, 0);
    int rc = 1;
    while (rc == 1) {
        uint64_t at = piw_recording_at(player.file);
        rc = piw_recording_next(player.file, &record, err);
        bool done = rc == 1 && piw_msg_type_of(record) == recording_done_type();
        if (rc >= 0 && waiting != NULL && (done || rc == 0 || is_played(record))) {
            int bad = play_record(waiting, done ? recording_done_of(record) : NULL, err);
            rc = bad != 0 ? bad : rc;
            piw_msg_free(&waiting);
        }
        if (rc == 1 && is_played(record)) {
            waiting = record;
            record = NULL;
            player.at = at;
        }
        piw_msg_free(&record);
        if (rc == 1 && player.play->progress != NULL)
            player.play->progress(at);
    }
    piw_msg_free(&waiting);
    return rc;
}

/* --- The whole ---------------------------------------------------------------------------------------------------------- */

static const char *setting(void *arg, const char *name)
{
    (void)arg;
    return piw__playback_setting(&player.known, name);
}

static int load(const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? piw_err_errno(err, "the plugin %s can't be opened", path)
                    : piw__image_load_fd(fd, path, &player.image, err);
    if (fd >= 0)
        close(fd);
    const piw_service *queues = rc == 0 ? player.image->plugin->queues : NULL;
    if (queues != NULL && queues[0].name != NULL)
        return piw_err_set(err, PIW_EPLUGIN, "%s serves the outer queue %s: what its peers say can't be played", path,
                           queues[0].name);
    return rc;
}

static int set_up(piw_err *err)
{
    static const piw_runtime_config config = {.setting = setting};
    int rc = piw_runtime_new(&player.runtime, &config, err);
    if (rc == 0)
        rc = load(player.play->plugin, err);
    if (rc == 0)
        rc = piw__playback_read(&player.known, player.file, player.image, player.play->root, err);
    if (rc == 0)
        rc = make_services(player.image->plugin->uses, err);
    if (rc == 0)
        rc = make_services(player.image->plugin->serves, err);
    if (rc == 0)
        rc = make_shell(err);
    if (rc == 0)
        rc = piw__workers_start(&player.runtime->hub.workers, 1, 0, err);
    return rc;
}

int piw_play_recording(const piw_play *play, piw_play_result *result, piw_err *err)
{
    piw__recording *played = NULL;
    player = (struct player){.play = play, .result = result};
    *result = (piw_play_result){0};
    int rc = piw_recording_open(&player.file, play->recording, err);
    if (rc == 0)
        rc = set_up(err);
    if (rc == 0)
        rc = piw__recording_new(&played, player.role->name, play->played, 0, 0, err);
    if (rc == 0) {
        set_clock(recording_begin_of(player.known.begin)->now_ns);
        rc = take_open(err);
    }
    if (rc == 0) {
        piw__record_begin(player.shell, played);
        rc = play_all(err);
        result->torn = piw_recording_torn(player.file);
        result->unanswered = player.shell->waits.calls.count;
    }
    /* The process ends after this: souls, images and the threads of the pool stay as they are. */
    if (played != NULL)
        piw__recording_close(played, "all was played");
    piw_recording_close(&player.file);
    return rc;
}
