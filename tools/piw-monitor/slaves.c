/* slaves.c — what is known of slaves from the status queue: who they are, what each does and since when. */
#include "format.h"
#include "model.h"
#include "piw/codec.h"
#include "shared/abi.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    GONE_US = 20 * 1000000,  /* a slave that has ended is shown for this long */
    LOST_US = 120 * 1000000, /* one that fell silent is shown longer, since an operator should see it */
    SLAVES_MAX = 20000,      /* a master accepts fewer */
};

/* --- Finding ------------------------------------------------------------------------------------------------------ */

const slave_hello *model_hello(const model_slave *slave)
{
    return slave->hello != NULL ? slave_HELLO_of(slave->hello) : NULL;
}

const char *model_label(const model_slave *slave)
{
    return slave->hello != NULL ? slave_HELLO_of(slave->hello)->label.s : "?";
}

const char *model_abi(const model_slave *slave)
{
    return slave->hello != NULL ? slave_HELLO_of(slave->hello)->abi.s : "?";
}

const char *model_queue(const model_slave *slave)
{
    return slave->queue != NULL ? slave->queue : model_abi(slave);
}

/* By the rule by which the master gives it work. */
static const char *queue_of(const model *self, const model_slave *slave)
{
    const slave_hello *hello = model_hello(slave);
    if (self->views.count == 0 || hello == NULL)
        return NULL;
    const piw_farm_view *view =
        piw_views_fit(&self->views, &(piw_view_machine){hello->abi, hello->platform, hello->os_name, hello->os_version,
                                                        hello->board_revision});
    return view != NULL ? piw_view_queue(view) : "";
}

static int shown_order(const model_slave *a, const model_slave *b)
{
    int before = piw_abi_compare(piw_text_of(model_queue(a)), piw_text_of(model_queue(b)));
    before = before != 0 ? before : strcmp(model_queue(a), model_queue(b));
    before = before != 0 ? before : format_order(model_label(a), model_label(b));
    return before != 0 ? before : (a->id > b->id) - (a->id < b->id);
}

static int id_order(const model_slave *a, const model_slave *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

typedef int order_fn(const model_slave *a, const model_slave *b);

/* The index at which the slave stands, or belongs. */
static size_t place_in(model_slave *const *list, size_t count, const model_slave *slave, order_fn *compare)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(list[middle], slave) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(model_slave **list, size_t count, model_slave *slave, order_fn *compare)
{
    size_t place = place_in(list, count, slave, compare);
    memmove(list + place + 1, list + place, (count - place) * sizeof(*list));
    list[place] = slave;
}

static void take_out(model_slave **list, size_t count, model_slave *slave, order_fn *compare)
{
    size_t place = place_in(list, count, slave, compare);
    memmove(list + place, list + place + 1, (count - place - 1) * sizeof(*list));
}

model_slave *model_find(const model *self, int64_t id)
{
    model_slave key = {.id = id};
    size_t place = place_in(self->by_id, self->count, &key, id_order);
    return place < self->count && self->by_id[place]->id == id ? self->by_id[place] : NULL;
}

size_t model_place(const model *self, const model_slave *slave)
{
    return slave != NULL ? place_in(self->slaves, self->count, slave, shown_order) : self->count;
}

static model_slave *add(model *self, int64_t id)
{
    if (self->count == self->size) {
        self->size = self->size == 0 ? 64 : self->size * 2;
        self->slaves = piw_realloc(self->slaves, self->size * sizeof(*self->slaves));
        self->by_id = piw_realloc(self->by_id, self->size * sizeof(*self->by_id));
    }
    model_slave *slave = piw_zalloc(sizeof(*slave));
    slave->id = id;
    slave->past = (history){.figures = FIGURES, .max = MODEL_SLAVE_SAMPLES};
    insert(self->slaves, self->count, slave, shown_order);
    insert(self->by_id, self->count, slave, id_order);
    self->count++;
    return slave;
}

static void free_slave(model_slave *slave)
{
    piw_msg_free(&slave->hello);
    piw_msg_free(&slave->build);
    piw_msg_free(&slave->send);
    history_fini(&slave->past);
    free(slave);
}

static void forget(model *self, model_slave *slave)
{
    take_out(self->slaves, self->count, slave, shown_order);
    take_out(self->by_id, self->count, slave, id_order);
    self->count--;
    free_slave(slave);
}

void model__forget_slaves(model *self)
{
    for (size_t i = 0; i < self->count; i++)
        free_slave(self->slaves[i]);
    self->count = 0;
}

void model__slaves_sort(model *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->by_id[i]->queue = queue_of(self, self->by_id[i]);
    for (size_t i = 0; i < self->count; i++)
        insert(self->slaves, i, self->by_id[i], shown_order);
}

/* --- Messages of slaves, and the answers to them ------------------------------------------------------------------ */

static void say_odd(model *self, const model_slave *slave, const char *word, const char *why, int64_t now_us)
{
    self->odd++;
    model_say(self, LEVEL_WARNING, now_us, "%.20s of slave %lld was left out: %.200s", word, (long long)slave->id, why);
}

static void enter(model_slave *slave, model_state state, int64_t stamp_us)
{
    if (state == slave->state && !(state == STATE_NEW && slave->greeted))
        return;
    slave->state = state;
    slave->since_us = stamp_us;
    /* In a replay HELLO and STATS are followed by the last reply, whose stamp says when the slave was last heard of. */
    slave->since_at_least = state != STATE_NEW && (slave->greeted || slave->hello == NULL);
}

/* Does this reply to the slave show that our command has taken effect? */
static void fulfil(model_slave *slave, command_kind done)
{
    if (slave->asked == done)
        slave->asked = COMMAND_NONE;
}

/* A slave was given a build, or told that there is none. So the farm isn't paused, unless this is of a replay,
 * which tells what was earlier. */
static void note_going(model *self, const model_slave *slave, int64_t stamp_us)
{
    if (slave->greeted)
        return;
    if (stamp_us > self->going_us)
        self->going_us = stamp_us;
    if (self->pause != PAUSE_ASKED) /* else it may have been told so before our command arrived */
        self->pause = PAUSE_NONE;
}

static void hear_hello(model *self, model_slave *slave, const status_SLAVE *body, int64_t now_us)
{
    slave_hello *hello;
    piw_err err = {0};
    piw_msg *msg = slave_HELLO_new(&hello);
    if (piw_any_read(msg, &body->data, slave_hello_type(), hello, &err) != 0) {
        say_odd(self, slave, "HELLO", err.text, now_us);
        piw_msg_free(&msg);
    } else {
        take_out(self->slaves, self->count, slave, shown_order);
        piw_msg_free(&slave->hello);
        slave->hello = msg;
        slave->queue = queue_of(self, slave);
        insert(self->slaves, self->count - 1, slave, shown_order);
    }
    /* The STATS that the master kept of it follow. */
    history_clear(&slave->past);
    slave->samples = 0;
    slave->greeted = true;
    slave->forget_us = 0;
    if (slave->since_us == 0 || slave->state >= STATE_STOPPED)
        enter(slave, STATE_NEW, body->timestamp.us);
}

static void hear_stats(model *self, model_slave *slave, const status_SLAVE *body, int64_t now_us)
{
    slave_stats stats;
    piw_err err = {0};
    piw_msg *arena = slave_DONE_new();
    if (piw_any_read(arena, &body->data, slave_stats_type(), &stats, &err) != 0) {
        say_odd(self, slave, "STATS", err.text, now_us);
    } else {
        float sample[FIGURES] = {0};
        slave->machine = (model_machine){true,           stats.disk_size, stats.disk_free, stats.mem_size,
                                         stats.mem_free, stats.swap_size, stats.swap_free, stats.load_average,
                                         stats.cpu_temp};
        for (model_figure figure = FIGURE_DISK; figure < FIGURES; figure++) {
            double value = 0;
            if (model_value(&slave->machine, figure, &value))
                sample[figure] = (float)value;
        }
        history_add(&slave->past, (int64_t)++slave->samples, sample);
        if (!slave->greeted) /* in a replay they have new stamps */
            slave->skew_us = stats.timestamp.us - body->timestamp.us;
    }
    piw_msg_free(&arena);
}

static int hear_build(model_slave *slave, const status_SLAVE *body, piw_err *err)
{
    slave_BUILD *build;
    piw_msg *msg = slave_BUILD_new(&build);
    int rc = piw_any_read(msg, &body->data, slave_BUILD_type()->body, build, err);
    if (rc != 0) {
        piw_msg_free(&msg);
        return rc;
    }
    const slave_BUILD *before = slave->build != NULL ? slave_BUILD_of(slave->build) : NULL;
    bool same = before != NULL && slave->greeted && piw_text_eq(before->package, build->package) &&
                piw_text_eq(before->version, build->version);
    if (!same && slave->state == STATE_BUILDING)
        slave->state = STATE_DONE; /* a DONE was missed */
    piw_msg_free(&slave->build);
    slave->build = msg;
    enter(slave, STATE_BUILDING, body->timestamp.us);
    return 0;
}

static int hear_send(model_slave *slave, const status_SLAVE *body, piw_err *err)
{
    slave_SEND *send;
    piw_msg *msg = slave_SEND_new(&send);
    int rc = piw_any_read(msg, &body->data, slave_SEND_type()->body->fields[0].type, &send->filename, err);
    if (rc != 0) {
        piw_msg_free(&msg);
        return rc;
    }
    piw_msg_free(&slave->send);
    slave->send = msg;
    enter(slave, STATE_SENDING, body->timestamp.us);
    return 0;
}

static int hear_sleep(model *self, model_slave *slave, const status_SLAVE *body, piw_err *err)
{
    bool paused = false;
    piw_msg *arena = slave_DONE_new();
    int rc = piw_any_read(arena, &body->data, slave_SLEEP_type()->body->fields[0].type, &paused, err);
    piw_msg_free(&arena);
    if (rc != 0)
        return rc;
    if (!paused)
        note_going(self, slave, body->timestamp.us);
    else if (self->pause == PAUSE_ASKED)
        self->pause = PAUSE_TOLD;
    else if (self->pause == PAUSE_OVER && slave->state != STATE_PAUSED)
        self->pause = PAUSE_NONE;
    enter(slave, paused ? STATE_PAUSED : STATE_IDLE, body->timestamp.us);
    fulfil(slave, paused ? COMMAND_SLEEP : COMMAND_WAKE);
    return 0;
}

static void hear_die(model *self, model_slave *slave, const status_SLAVE *body, int64_t now_us)
{
    bool lost = body->data.type == NULL && body->data.raw.len == 0 && !body->data.nodata;
    const slave_BUILD *build = slave->build != NULL ? slave_BUILD_of(slave->build) : NULL;
    bool built = build != NULL && (slave->state == STATE_BUILDING || slave->state == STATE_SENDING);
    if (lost)
        model_say(self, LEVEL_ALARM, now_us, "slave %lld %.100s fell silent%s%.80s%s%.40s", (long long)slave->id,
                  model_label(slave), built ? " while it built " : "", built ? build->package.s : "", built ? " " : "",
                  built ? build->version.s : "");
    else if (slave->state != STATE_STOPPED)
        model_say(self, LEVEL_GOOD, now_us, "slave %lld %.100s has ended", (long long)slave->id, model_label(slave));
    enter(slave, lost ? STATE_LOST : STATE_STOPPED, body->timestamp.us);
    slave->asked = COMMAND_NONE;
    slave->forget_us = now_us + (lost ? LOST_US : GONE_US);
}

/* A reply to a slave, with its data. */
static int hear_reply(model *self, model_slave *slave, const status_SLAVE *body, piw_err *err, int64_t now_us)
{
    if (piw_text_is(body->message, "ACK")) {
        if (slave->greeted && body->timestamp.us > self->newest_us && self->newest_us != 0 && slave->state == STATE_NEW)
            model_say(self, LEVEL_GOOD, now_us, "slave %lld %.100s is here", (long long)slave->id, model_label(slave));
        enter(slave, STATE_NEW, body->timestamp.us);
    } else if (piw_text_is(body->message, "BUILD")) {
        int rc = hear_build(slave, body, err);
        fulfil(slave, COMMAND_WAKE);
        note_going(self, slave, body->timestamp.us);
        return rc;
    } else if (piw_text_is(body->message, "SEND")) {
        return hear_send(slave, body, err);
    } else if (piw_text_is(body->message, "SLEEP")) {
        return hear_sleep(self, slave, body, err);
    } else if (piw_text_is(body->message, "DONE")) {
        enter(slave, STATE_DONE, body->timestamp.us);
        fulfil(slave, COMMAND_SKIP);
    } else if (piw_text_is(body->message, "DIE")) {
        hear_die(self, slave, body, now_us);
    } else {
        return piw_err_set(err, PIW_ESHAPE, "this monitor doesn't know the word");
    }
    return 0;
}

void model__slave_hear(model *self, const status_SLAVE *body, int64_t now_us)
{
    model_slave *slave = model_find(self, body->slave_id);
    bool ends = piw_text_is(body->message, "DIE");
    if (slave == NULL && (ends || self->count >= SLAVES_MAX))
        return;
    if (slave == NULL)
        slave = add(self, body->slave_id);
    slave->heard_us = now_us;
    slave->confirmed = true;
    if (piw_text_is(body->message, "HELLO")) {
        hear_hello(self, slave, body, now_us);
        return;
    }
    if (!ends)
        slave->forget_us = 0;
    if (piw_text_is(body->message, "STATS")) {
        hear_stats(self, slave, body, now_us);
        return;
    }
    piw_err err = {0};
    if (hear_reply(self, slave, body, &err, now_us) != 0)
        say_odd(self, slave, body->message.s, err.text, now_us);
    slave->greeted = false;
}

/* --- Time --------------------------------------------------------------------------------------------------------- */

bool model_silent(const model_slave *slave, int64_t now_us)
{
    const slave_hello *hello = model_hello(slave);
    int64_t allowed_us = hello != NULL ? piw_duration_us(hello->busy_timeout) : 0;
    return slave->forget_us == 0 && allowed_us > 0 && now_us - slave->heard_us > allowed_us;
}

void model__slaves_tick(model *self, int64_t now_us)
{
    bool confirm = self->confirm_us != 0 && now_us >= self->confirm_us;
    for (size_t i = self->count; i > 0; i--) {
        model_slave *slave = self->slaves[i - 1];
        if ((slave->forget_us != 0 && now_us >= slave->forget_us) ||
            (confirm && !slave->confirmed && slave->forget_us == 0))
            forget(self, slave);
    }
}
