/* watch.c — what slaves showed, published as it comes and kept for monitors that come later. */
#include "big_brother/brother.h"
#include "shared/text.h"
#include "slave.piw.h"

#include <stdlib.h>

/* --- the slaves, sorted by number ------------------------------------------------------------------------------- */

/* Where the slave of this number is, or would be. */
static size_t place_of(const brother *self, int64_t id)
{
    size_t low = 0, high = self->slaves_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->slaves[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static brother_slave *find(const brother *self, int64_t id)
{
    size_t place = place_of(self, id);
    return place < self->slaves_count && self->slaves[place]->id == id ? self->slaves[place] : NULL;
}

static brother_slave *need(brother *self, int64_t id)
{
    brother_slave *slave = find(self, id);
    if (slave != NULL)
        return slave;
    if (self->slaves_count == self->slaves_size) {
        self->slaves_size = self->slaves_size == 0 ? 64 : self->slaves_size * 2;
        self->slaves = piw_realloc(self->slaves, self->slaves_size * sizeof(*self->slaves));
    }
    size_t place = place_of(self, id);
    memmove(self->slaves + place + 1, self->slaves + place, (self->slaves_count - place) * sizeof(*self->slaves));
    slave = piw_zalloc(sizeof(*slave));
    slave->id = id;
    self->slaves[place] = slave;
    self->slaves_count++;
    return slave;
}

static void free_slave(brother_slave *slave)
{
    piw_msg_free(&slave->hello);
    piw_msg_free(&slave->reply);
    free(slave->stats);
    free(slave);
}

void brother_forget_slaves(brother *self)
{
    for (size_t i = 0; i < self->slaves_count; i++)
        free_slave(self->slaves[i]);
    free(self->slaves);
    self->slaves = NULL;
    self->slaves_count = self->slaves_size = 0;
}

/* --- publishing -------------------------------------------------------------------------------------------------- */

static piw_msg *make_shown(int64_t id, piw_time at, piw_text word, const piw_any *data)
{
    status_SLAVE *body;
    piw_msg *msg = status_SLAVE_new(&body);
    body->slave_id = id;
    body->timestamp = at;
    body->message = piw_text_copy(msg, word);
    piw_value_copy(msg, status_SLAVE_type()->body->fields[3].type, data, &body->data);
    return msg;
}

static void publish_copy(brother *self, const piw_msg *kept, piw_time at)
{
    if (kept == NULL)
        return;
    piw_msg *msg = piw_msg_copy(kept);
    ((status_SLAVE *)piw_msg_any_body(msg))->timestamp = at;
    brother_publish(self, &msg);
}

/* The i-th of those kept, oldest first. */
static const slave_stats *kept_stats(const brother_slave *slave, uint32_t i)
{
    return &slave->stats[(slave->stats_next + slave->stats_size - slave->stats_count + i) % slave->stats_size];
}

static void publish_hello_and_stats(brother *self, const brother_slave *slave)
{
    publish_copy(self, slave->hello, slave->first_seen);
    for (uint32_t i = 0; i < slave->stats_count; i++) {
        const piw_any data = {.type = slave_stats_type(), .value = kept_stats(slave, i)};
        piw_msg *msg = make_shown(slave->id, slave->last_seen, piw_text_of("STATS"), &data);
        brother_publish(self, &msg);
    }
}

/* Room for so many; the newest stay. */
static void resize_stats(brother_slave *slave, uint32_t size)
{
    uint32_t count = slave->stats_count < size ? slave->stats_count : size;
    slave_stats *stats = piw_zalloc(size * sizeof(*stats));
    for (uint32_t i = 0; i < count; i++)
        stats[i] = *kept_stats(slave, slave->stats_count - count + i);
    free(slave->stats);
    slave->stats = stats;
    slave->stats_size = size;
    slave->stats_count = count;
    slave->stats_next = count == size ? 0 : count;
}

static void keep_stats(const brother *self, brother_slave *slave, const slave_stats *stats)
{
    size_t share = BROTHER_KEPT_ALL / (self->slaves_count > 0 ? self->slaves_count : 1);
    uint32_t most = share > BROTHER_KEPT ? BROTHER_KEPT : share < BROTHER_KEPT_MIN ? BROTHER_KEPT_MIN : (uint32_t)share;
    bool full = slave->stats_count == slave->stats_size;
    uint32_t twice = slave->stats_size == 0 ? BROTHER_KEPT_MIN : slave->stats_size * 2;
    if (slave->stats_size > most || (full && slave->stats_size < most))
        resize_stats(slave, twice < most ? twice : most);
    slave->stats[slave->stats_next] = *stats;
    slave->stats_next = slave->stats_next + 1 == slave->stats_size ? 0 : slave->stats_next + 1;
    if (slave->stats_count < slave->stats_size)
        slave->stats_count++;
}

/* Data as slave_driver sends them: a typed value of the one protocol both know. */
static bool is_typed(const piw_any *data, const char *name, size_t size)
{
    const piw_type *type = data->type;
    return type != NULL && type->name != NULL && strcmp(type->name, name) == 0 && type->size == size;
}

/* Is it a word that stock monitors know? They end when they get any other. */
static bool is_shown(piw_text word)
{
    static const char *const words[] = {"HELLO", "STATS", "ACK", "SLEEP", "BUILD", "SEND", "DONE", "DIE"};
    for (size_t i = 0; i < PIW_COUNT(words); i++)
        if (piw_text_is(word, words[i]))
            return true;
    return false;
}

int brother_on_slave(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    const stats_SLAVE *body = stats_SLAVE_of(msg);
    if (!is_shown(body->message)) {
        piw_log_limited(&self->odd, 5, PIW_LOG_WARNING, "%.*s of slave %lld is not shown: monitors don't know the word",
                        (int)body->message.len, body->message.s, (long long)body->slave_id);
        return 0;
    }
    brother_slave *slave = need(self, body->slave_id);
    piw_msg *shown = make_shown(body->slave_id, body->timestamp, body->message, &body->data);
    if (piw_text_is(body->message, "HELLO")) {
        /* A slave is first published when its ACK comes, with all that is known of it by then. */
        slave->first_seen = body->timestamp;
        piw_msg_free(&slave->hello);
        slave->hello = shown;
        return 0;
    }
    slave->last_seen = body->timestamp;
    if (piw_text_is(body->message, "STATS")) {
        if (is_typed(&body->data, "slave_stats", sizeof(slave_stats)))
            keep_stats(self, slave, body->data.value);
    } else {
        if (piw_text_is(body->message, "ACK"))
            publish_hello_and_stats(self, slave);
        piw_msg_free(&slave->reply);
        slave->reply = piw_msg_copy(shown);
    }
    brother_publish(self, &shown);
    return 0;
}

int brother_on_slave_gone(piw_task *task, piw_msg *msg)
{
    brother *self = piw_soul(task);
    size_t place = place_of(self, stats_SLAVE_GONE_of(msg)->slave_id);
    if (place == self->slaves_count || self->slaves[place]->id != stats_SLAVE_GONE_of(msg)->slave_id)
        return 0;
    free_slave(self->slaves[place]);
    self->slaves_count--;
    memmove(self->slaves + place, self->slaves + place + 1, (self->slaves_count - place) * sizeof(*self->slaves));
    return 0;
}

/* --- as it is now ------------------------------------------------------------------------------------------------- */

static bool is_told_to_rest(const brother_slave *slave, piw_msg *msg)
{
    bool paused = false;
    piw_err ignored_err = {0};
    const status_SLAVE *reply = status_SLAVE_of(slave->reply);
    return piw_text_is(reply->message, "SLEEP") &&
           piw_any_read(msg, &reply->data, slave_SLEEP_type()->body->fields[0].type, &paused, &ignored_err) == 0 &&
           paused;
}

/* As slave_driver puts it into one. */
static piw_text view_of(const brother *self, piw_msg *msg, const slave_hello *hello)
{
    const piw_farm_view *view =
        piw_views_fit(&self->views, &(piw_view_machine){hello->abi, hello->platform, hello->os_name, hello->os_version,
                                                        hello->board_revision});
    return self->views.count > 0 ? piw_msg_textz(msg, view != NULL ? view->name : "") : (piw_text){0};
}

static void list_slave(const brother *self, const brother_slave *from, piw_msg *msg, slave_figures *to)
{
    to->slave_id = from->id;
    to->label = to->abi = to->board = to->reply = piw_msg_textz(msg, "");
    if (from->hello != NULL && is_typed(&status_SLAVE_of(from->hello)->data, "slave_hello", sizeof(slave_hello))) {
        const slave_hello *hello = status_SLAVE_of(from->hello)->data.value;
        to->label = piw_text_copy(msg, hello->label);
        to->abi = piw_text_copy(msg, hello->abi);
        to->board = piw_text_copy(msg, hello->board_revision);
        to->view = view_of(self, msg, hello);
    }
    if (from->reply != NULL) {
        to->reply = piw_text_copy(msg, status_SLAVE_of(from->reply)->message);
        to->paused = is_told_to_rest(from, msg);
    }
    if (from->stats_count > 0) {
        slave_stats *stats = piw_msg_alloc(msg, sizeof(*stats));
        *stats = *kept_stats(from, from->stats_count - 1);
        to->stats = stats;
    }
}

void brother_list_slaves(const brother *self, piw_msg *msg, stats_FIGURES_reply *body)
{
    piw_msg_list(msg, &body->slaves, self->slaves_count);
    for (uint32_t i = 0; i < body->slaves.count; i++)
        list_slave(self, self->slaves[i], msg, &body->slaves.at[i]);
}

/* --- replay ------------------------------------------------------------------------------------------------------ */

static int begin_replay(brother *self)
{
    piw_msg *hello = brother_master_hello(self->farm.started);
    brother_publish(self, &hello);
    for (uint32_t i = 0; i < self->history_count; i++) {
        piw_msg *stats = piw_msg_copy(brother_kept(self, i));
        brother_publish(self, &stats);
    }
    self->farm.replaying = true;
    self->farm.replay_again = false;
    self->farm.replayed = INT64_MIN;
    return on_slice(self->task, NULL, 0);
}

int brother_replay(brother *self)
{
    if (!self->farm.replaying)
        return begin_replay(self);
    self->farm.replay_again = true;
    return 0;
}

int on_slice(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    brother *self = piw_soul(task);
    if (!self->farm.replaying)
        return 0; /* set before this task was restarted */
    size_t place = self->farm.replayed == INT64_MIN ? 0 : place_of(self, self->farm.replayed + 1);
    for (int i = 0; i < BROTHER_SLICE && place < self->slaves_count; i++, place++) {
        const brother_slave *slave = self->slaves[place];
        publish_hello_and_stats(self, slave);
        publish_copy(self, slave->reply, slave->last_seen);
        self->farm.replayed = slave->id;
    }
    if (place < self->slaves_count)
        return piw_timer(task, PIW_ON(slice), 0, 0, 0);
    self->farm.replaying = false;
    return self->farm.replay_again ? begin_replay(self) : 0;
}

/* --- state ------------------------------------------------------------------------------------------------------- */

void brother_save_slaves(const brother *self, piw_msg *state, big_brother_state *body)
{
    const piw_type *any_type = status_SLAVE_type()->body->fields[3].type;
    piw_msg_list(state, &body->slaves, self->slaves_count);
    for (size_t i = 0; i < self->slaves_count; i++) {
        const brother_slave *from = self->slaves[i];
        watched_slave *to = &body->slaves.at[i];
        to->slave_id = from->id;
        to->first_seen = from->first_seen;
        to->last_seen = from->last_seen;
        if (from->hello != NULL && is_typed(&status_SLAVE_of(from->hello)->data, "slave_hello", sizeof(slave_hello)))
            piw_value_copy(state, slave_hello_type(), status_SLAVE_of(from->hello)->data.value, &to->hello);
        piw_msg_list(state, &to->stats, from->stats_count);
        for (uint32_t k = 0; k < from->stats_count; k++)
            to->stats.at[k] = *kept_stats(from, k);
        to->reply = piw_msg_textz(state, "");
        if (from->reply != NULL) {
            const status_SLAVE *reply = status_SLAVE_of(from->reply);
            to->reply = piw_text_copy(state, reply->message);
            piw_value_copy(state, any_type, &reply->data, &to->reply_data);
        }
    }
}

void brother_load_slaves(brother *self, const big_brother_state *body)
{
    for (uint32_t i = 0; i < body->slaves.count; i++) {
        const watched_slave *from = &body->slaves.at[i];
        brother_slave *to = need(self, from->slave_id);
        to->first_seen = from->first_seen;
        to->last_seen = from->last_seen;
        if (from->hello.label.s != NULL) {
            const piw_any hello = {.type = slave_hello_type(), .value = &from->hello};
            to->hello = make_shown(from->slave_id, from->first_seen, piw_text_of("HELLO"), &hello);
        }
        for (uint32_t k = 0; k < from->stats.count; k++)
            keep_stats(self, to, &from->stats.at[k]);
        if (from->reply.len > 0)
            to->reply = make_shown(from->slave_id, from->last_seen, from->reply, &from->reply_data);
    }
}
