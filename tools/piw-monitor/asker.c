/* asker.c — asks the master over the admin queue, round by round: queues, what is next for one ABI, builds. */
#include "asker.h"

#include "common/reach.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROUND_MS = 2000,
    RETRY_MS = 5000,
    PATIENCE_MS = 60000, /* a task waits 30 s for the database, and the master may be changing tasks */
    IDLE_MS = 60000,
};

static int64_t in_ms(int64_t ms)
{
    return piw_monotonic_ns() + ms * 1000000;
}

void asker_init(asker *self, const char *address, const char *status, piw_codec codec)
{
    *self = (asker){.address = address, .status = status, .codec = codec};
}

/* The next connection may be to another master. */
static void disconnect(asker *self)
{
    piw_client_close(&self->client);
    free(self->site);
    self->site = NULL;
    self->next = ASKER_NOTHING;
    self->waits = false;
}

void asker_fini(asker *self)
{
    disconnect(self);
}

static bool give_up(asker *self, farm_known *known, const char *why)
{
    disconnect(self);
    self->due_ns = in_ms(RETRY_MS);
    bool news = strcmp(known->link.why, why) != 0;
    snprintf(known->link.why, sizeof(known->link.why), "%s", why);
    return news;
}

static bool connect_now(asker *self, farm_known *known)
{
    piw_err err = {0};
    int rc = tool_check_listens(
        self->address, "only root and the user that the master runs as may ask it for builds, queues and logs", &err);
    if (rc == PIW_ENET) {
        err = (piw_err){0};
        rc = piw_err_set(&err, rc, "no master answers at %.150s, where builds, queues and logs are asked for",
                         self->address);
    }
    rc = rc != 0 ? rc : piw_client_open(&self->client, &admin_protocol_def, self->address, self->codec, &err);
    if (rc != 0)
        return give_up(self, known, err.text);
    self->next = ASKER_CONFIG;
    return false;
}

/* --- Questions ---------------------------------------------------------------------------------------------------------- */

static piw_msg *order(const char *task, const char *word, const char *arg)
{
    admin_ASK *body = NULL;
    piw_msg *msg = admin_ASK_new(&body);
    body->task = piw_text_of(task);
    body->word = piw_text_of(word);
    piw_msg_list(msg, &body->args, arg != NULL ? 1 : 0);
    if (arg != NULL)
        body->args.at[0] = piw_msg_textz(msg, arg);
    return msg;
}

static void choose_abi(asker *self, const farm_known *known, const char *wished)
{
    const char *abi = known->queues_count > 0 ? known->queues[0].abi : "";
    for (size_t i = known->queues_count; i > 0; i--)
        if (known->queues[i - 1].waiting > 0)
            abi = known->queues[i - 1].abi;
    for (size_t i = 0; i < known->queues_count; i++)
        if (wished != NULL && strcmp(known->queues[i].abi, wished) == 0)
            abi = known->queues[i].abi;
    snprintf(self->abi, sizeof(self->abi), "%s", abi);
}

static piw_msg *question(const asker *self)
{
    char count[16];
    snprintf(count, sizeof(count), "%d", FARM_BUILDS);
    switch (self->next) {
    case ASKER_CONFIG:
        return admin_CONFIG_new();
    case ASKER_BUILDS:
        return order("mr_chase", "builds", count);
    case ASKER_QUEUES:
        return order("slave_driver", "queue", NULL);
    default:
        return order("slave_driver", "queue", self->abi);
    }
}

static bool ask(asker *self, farm_known *known)
{
    piw_err err = {0};
    piw_msg *msg = question(self);
    int rc = piw_client_send(self->client, &msg, 0, &err);
    piw_msg_free(&msg);
    if (rc == PIW_EAGAIN)
        return give_up(self, known, "the master takes no questions now");
    if (rc != 0)
        return give_up(self, known, err.text);
    self->waits = true;
    self->asked_ns = piw_monotonic_ns();
    return false;
}

/* --- Answers ------------------------------------------------------------------------------------------------------------ */

/* Where the site is, and whether this master is the one whose slaves are shown: on one machine there may be others. */
static int take_config(asker *self, farm_known *known, const admin_SETTINGS *settings, piw_err *err)
{
    for (uint32_t i = 0; i < settings->settings.count; i++) {
        const setting *one = &settings->settings.at[i];
        if (piw_text_is(one->name, "status-queue") && !piw_text_is(one->value, self->status))
            return piw_err_set(
                err, PIW_EREFUSED,
                "the master at %.100s has its status queue at %.100s: for its builds, queues and logs name it so",
                self->address, one->value.s);
        if (piw_text_is(one->name, "output-path") && self->site == NULL)
            self->site = piw_strndup(one->value.s, one->value.len);
    }
    if (self->site == NULL)
        return piw_err_set(err, PIW_ENOENT, "the master doesn't say where its site is");
    return farm_take_settings(known, settings, err);
}

static farm_state *state_of(farm_known *known, asker_question asked)
{
    return asked == ASKER_BUILDS   ? &known->builds_state
           : asked == ASKER_QUEUES ? &known->queues_state
                                   : &known->next_state;
}

static int take_lines(const asker *self, farm_known *known, const admin_LINES *lines, piw_err *err)
{
    int64_t now_us = piw_monotonic_ns() / 1000;
    return self->next == ASKER_BUILDS   ? farm_take_builds(known, lines, now_us, err)
           : self->next == ASKER_QUEUES ? farm_take_queues(known, lines, now_us, err)
                                        : farm_take_next(known, lines, self->abi, now_us, err);
}

/* A task's error, as while the database is away, is its own pane's; the round goes on. */
static int take(asker *self, farm_known *known, const piw_msg *msg, piw_err *err)
{
    const piw_msg_type *type = piw_msg_type_of(msg);
    piw_err task_err = {0};
    int rc = 0;
    if (self->next == ASKER_CONFIG)
        return type == admin_SETTINGS_type() ? take_config(self, known, admin_SETTINGS_of(msg), err)
                                             : piw_err_set(err, PIW_ESHAPE, "the master doesn't tell its settings");
    if (type == admin_ERROR_type())
        rc = piw_err_set(&task_err, PIW_EREFUSED, "%s", admin_ERROR_of(msg)->text.s);
    else if (type == admin_LINES_type())
        rc = take_lines(self, known, admin_LINES_of(msg), &task_err);
    else
        rc = piw_err_set(&task_err, PIW_ESHAPE, "the master's answer is not one to this question");
    farm_state *state = state_of(known, self->next);
    if (rc != 0)
        snprintf(state->why, sizeof(state->why), "%s", task_err.text);
    return 0;
}

static bool answered(asker *self, farm_known *known, asker_wish wish)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    int rc = piw_client_recv(self->client, &msg, 0, &err);
    if (rc == PIW_EAGAIN) {
        if (piw_monotonic_ns() - self->asked_ns < PATIENCE_MS * 1000000ll)
            return false;
        return give_up(self, known, "the master hasn't answered for a minute");
    }
    rc = rc != 0 ? rc : take(self, known, msg, &err);
    piw_msg_free(&msg);
    if (rc != 0)
        return give_up(self, known, err.text);
    self->waits = false;
    known->link.why[0] = '\0';
    if (self->next == ASKER_QUEUES)
        choose_abi(self, known, wish.abi);
    if (self->next == ASKER_BUILDS) {
        self->next = ASKER_NOTHING;
        self->due_ns = in_ms(ROUND_MS);
    } else {
        self->next += self->next == ASKER_QUEUES && self->abi[0] == '\0' ? 2 : 1;
    }
    return true;
}

/* --- Rounds ------------------------------------------------------------------------------------------------------------- */

bool asker_turn(asker *self, farm_known *known, asker_wish wish)
{
    bool news = false;
    if (!wish.wide || !wish.online) {
        disconnect(self);
        self->due_ns = 0;
        return false;
    }
    bool due = piw_monotonic_ns() >= self->due_ns;
    if (self->client == NULL)
        return due && connect_now(self, known);
    if (self->waits)
        news = answered(self, known, wish);
    else if (self->next == ASKER_NOTHING && due)
        self->next = ASKER_QUEUES;
    if (self->client != NULL && !self->waits && self->next != ASKER_NOTHING)
        news |= ask(self, known);
    if (self->site != NULL && known->builds_state.known) {
        const farm_build *build = farm_last(known, wish.slave);
        bool other = (build != NULL ? build->number : 0) != known->log.build.number;
        if (other || (news && !known->log.read)) {
            farm_read_log(known, build, self->site);
            news = true;
        }
    }
    return news;
}

int asker_fd(const asker *self)
{
    return self->waits ? piw_client_fd(self->client) : -1;
}

int asker_timeout_ms(const asker *self, bool wide)
{
    if (!wide)
        return IDLE_MS;
    if (self->waits)
        return RETRY_MS;
    if (self->client != NULL && self->next != ASKER_NOTHING)
        return 0;
    int64_t left_ms = (self->due_ns - piw_monotonic_ns()) / 1000000 + 1;
    return left_ms < 0 ? 0 : left_ms > IDLE_MS ? IDLE_MS : (int)left_ms;
}
