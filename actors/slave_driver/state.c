/* state.c — the soul as a message and back (swap), and from the peers' records (restart). */
#include "slave_driver/state.h"

#include "shared/text.h"
#include "slave_driver/build.h"
#include "slave_driver/seals.h"
#include "slave_driver/slaves.h"
#include "slave_driver/waiting.h"

/* --- saving --- */

/* What is saved of a build. What it points to is only borrowed. */
static driver_making making_of(const driver_build *build)
{
    driver_making making = build->saved;
    making.build = build->memory != NULL ? &build->report : NULL;
    return making;
}

static void save_slave(piw_msg *msg, const driver_slave *from, driver_saved *to)
{
    driver_saved record = from->saved;
    record.making.phase = from->waits_number ? DRIVER_WAIT_SLAVE_NO : DRIVER_IDLE;
    record.waits_until_ns = driver_waiting_has(from) ? &from->waits_until_ns : NULL;
    if (from->build != NULL)
        record.making = making_of(from->build);
    piw_value_copy(msg, driver_saved_type(), &record, to);
}

/* A build without a slave is saved as the record of an unknown slave. */
static void save_alone(piw_msg *msg, const driver_build *from, driver_saved *to)
{
    driver_saved record = {.slave_id = from->slave_id, .alone = true, .making = making_of(from)};
    record.hello.abi = from->embargo->saved.abi_tag;
    piw_value_copy(msg, driver_saved_type(), &record, to);
}

/* What only a successor has to know. */
static void save_unnoted(piw_msg *msg, const driver_build *build, driver_saved *to)
{
    if (build == NULL || build->attempt == NULL)
        return;
    bool *unnoted = piw_msg_alloc(msg, sizeof(*unnoted));
    *unnoted = true;
    to->making.unnoted = unnoted;
}

static void save_slaves(piw_msg *msg, const driver *self, slave_driver_state *body)
{
    uint32_t count = self->by_peer.count;
    for (const driver_build *build = self->builds; build != NULL; build = build->next)
        count += build->slave == NULL;
    piw_msg_list(msg, &body->slaves, count);
    driver_saved *to = body->slaves.at;
    for (const driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave)) {
        save_slave(msg, slave, to);
        save_unnoted(msg, slave->build, to++);
    }
    for (const driver_build *build = self->builds; build != NULL; build = build->next)
        if (build->slave == NULL) {
            save_alone(msg, build, to);
            save_unnoted(msg, build, to++);
        }
}

static void save_windows(piw_msg *msg, const driver *self, slave_driver_state *body)
{
    uint32_t count = 0;
    for (struct driver_abi *abi = driver_offers_next_abi(self->offers, NULL); abi != NULL;
         abi = driver_offers_next_abi(self->offers, abi))
        count++;
    piw_msg_list(msg, &body->windows, count);
    driver_window *to = body->windows.at;
    for (struct driver_abi *abi = driver_offers_next_abi(self->offers, NULL); abi != NULL;
         abi = driver_offers_next_abi(self->offers, abi), to++) {
        driver_abi_view view = driver_offers_view(abi);
        to->abi_tag = piw_text_copy(msg, view.abi_tag);
        to->as_of_ns = view.as_of_ns;
        to->total = view.total;
        piw_msg_list(msg, &to->builds, view.count);
        for (uint32_t i = 0; i < view.count; i++) {
            to->builds.at[i].package = piw_text_copy(msg, view.list[i].package);
            to->builds.at[i].version = piw_text_copy(msg, view.list[i].version);
        }
    }
}

static void save_embargoes(piw_msg *msg, const driver *self, slave_driver_state *body)
{
    uint32_t count = 0;
    driver_embargo *embargo = NULL;
    while ((embargo = driver_offers_next_embargo(self->offers, embargo)) != NULL)
        count++;
    piw_msg_list(msg, &body->holds, count);
    driver_hold *to = body->holds.at;
    while ((embargo = driver_offers_next_embargo(self->offers, embargo)) != NULL)
        piw_value_copy(msg, driver_hold_type(), &embargo->saved, to++);
}

int driver_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const driver *self = piw_soul(task);
    slave_driver_state *body;
    piw_msg *msg = slave_driver_state_new(&body);
    save_slaves(msg, self, body);
    save_windows(msg, self, body);
    save_embargoes(msg, self, body);
    body->slave_numbers = self->numbers[DRIVER_POOL_SLAVE];
    body->build_numbers = self->numbers[DRIVER_POOL_BUILD];
    body->farm = self->farm;
    if (driver_seals_open(self)) {
        bool *unknown = piw_msg_alloc(msg, sizeof(*unknown));
        *unknown = true;
        body->sealed_unknown = unknown;
    }
    *state = msg;
    return 0;
}

/* --- loading --- */

/* Saved numbers are indexes of tables: one that isn't in the table becomes 0. */
static int in_table(int64_t saved, int count)
{
    return saved >= 0 && saved < count ? (int)saved : 0;
}

static void load_report(driver *self, driver_build *build, const driver_reported *from)
{
    slave_BUILT *body;
    build->memory = slave_BUILT_new(&body);
    driver_reported *to = &build->report;
    piw_value_copy(build->memory, driver_reported_type(), from, to);
    /* Room for those that are still to come. */
    built_file *verified = to->verified.at;
    uint32_t count = to->verified.count;
    piw_msg_list(build->memory, &to->verified, to->files.count > count ? to->files.count : count);
    if (count > 0)
        memcpy(to->verified.at, verified, count * sizeof(*verified));
    to->verified.count = count;
    driver_build_set_number(self, build, from->build_id);
}

static void load_build(driver *self, driver_slave *slave, const driver_saved *from)
{
    const driver_making *making = &from->making;
    piw_text queue = slave != NULL ? slave->queue : from->hello.abi;
    driver_embargo *embargo = driver_offers_find(self->offers, queue, making->package, making->version);
    if (embargo == NULL)
        return;
    driver_build *build = driver_build_new(self, slave, from->slave_id, embargo);
    driver_build_saved(build, making);
    build->saved.phase = in_table(making->phase, DRIVER_PHASES);
    if (making->build != NULL)
        load_report(self, build, making->build);
    if (making->unnoted != NULL && *making->unnoted)
        driver_build_note_soon(self, build);
}

static driver_slave *load_slave(driver *self, const driver_saved *from)
{
    driver_slave *to = driver_add(self, (piw_peer)from->peer, &from->hello);
    slave_hello hello = to->saved.hello;
    to->saved = *from;
    to->saved.hello = hello;
    to->saved.last = in_table(from->last, DRIVER_SAID_COUNT);
    to->saved.making = (driver_making){0};
    to->saved.waits_until_ns = NULL;
    driver_set_token(to, from->token);
    to->waits_number = from->making.phase == DRIVER_WAIT_SLAVE_NO;
    if (from->slave_id != 0)
        driver_set_id(self, to, from->slave_id);
    return to;
}

/* Over a swap its IDLE stays open. */
static void load_open(driver *self, driver_slave *slave, const driver_saved *from)
{
    if (from->waits_until_ns != NULL)
        driver_waiting_add(self, slave, *from->waits_until_ns);
}

/* A slave, or a build without one. */
static void load_saved(driver *self, const driver_saved *from)
{
    driver_slave *slave = from->alone ? NULL : load_slave(self, from);
    if (from->alone || from->making.holds)
        load_build(self, slave, from);
    if (slave != NULL)
        load_open(self, slave, from);
}

void driver_load(driver *self, const piw_msg *state)
{
    const slave_driver_state *body = slave_driver_state_of(state);
    for (uint32_t i = 0; i < body->windows.count; i++) {
        const driver_window *from = &body->windows.at[i];
        driver_offers_window(self->offers, from->abi_tag, from->as_of_ns, from->total, from->builds.at,
                             from->builds.count);
    }
    for (uint32_t i = 0; i < body->holds.count; i++)
        driver_offers_restore(self->offers, &body->holds.at[i]);
    for (uint32_t i = 0; i < body->slaves.count; i++)
        load_saved(self, &body->slaves.at[i]);
    self->numbers[DRIVER_POOL_SLAVE] = body->slave_numbers;
    self->numbers[DRIVER_POOL_BUILD] = body->build_numbers;
    self->farm = body->farm;
    if (body->sealed_unknown != NULL && *body->sealed_unknown)
        driver_seals_begin(self);
}

/* --- restart --- */

void driver_remember(driver *self, const driver_slave *slave)
{
    driver_peer *body;
    piw_msg *record = driver_peer_new(&body);
    save_slave(record, slave, &body->slave);
    if (piw_peer_set(self->task, slave->peer, &record) != 0)
        piw_msg_free(&record);
}

static int recall_peer(piw_task *task, piw_peer peer, const piw_msg *record, void *arg)
{
    (void)task;
    (void)peer;
    driver *self = arg;
    const driver_saved *from = &driver_peer_of(record)->slave;
    if (from->slave_id == 0)
        return 0;
    driver_slave *to = load_slave(self, from);
    if (from->making.holds) {
        driver_offers_restore(self->offers, &(driver_hold){.package = from->making.package,
                                                           .version = from->making.version,
                                                           .abi_tag = to->queue,
                                                           .kind = DRIVER_EMBARGO_OUT});
        load_build(self, to, from);
    }
    to->saved.heard_ns = piw_monotonic_ns();
    to->saved.request = (piw_token){0};
    to->unsure = true;
    if (to->build != NULL) {
        to->build->saved.phase = DRIVER_IDLE;
        to->build->report.sent_before = to->build->memory != NULL; /* nobody knows */
    }
    return 0;
}

void driver_recall(driver *self)
{
    if (piw_peer_each(self->task, "slave", recall_peer, self) != 0)
        piw_warning("the slaves known before the restart could not be recalled; they will say HELLO again");
}
