/* monitor.c — what monitors see of slaves: sent to the stats service, which keeps and publishes it. */
#include "slave_driver/monitor.h"

#include "events.piw.h"
#include "slave_driver/slaves.h"
#include "stats.piw.h"

static void tell(driver *self, const driver_slave *slave, piw_time at, const char *word, const piw_type *type,
                 const void *value, bool nodata)
{
    stats_SLAVE *body;
    piw_msg *msg = stats_SLAVE_new(&body);
    body->slave_id = slave->saved.slave_id;
    body->timestamp = at;
    body->message = piw_msg_textz(msg, word);
    body->data.nodata = nodata;
    if (type != NULL) {
        void *copy = piw_msg_alloc(msg, type->size);
        piw_value_copy(msg, type, value, copy);
        body->data.type = type;
        body->data.value = copy;
    }
    /* Monitors must not hold up the farm: while the stats service is away, what they would have seen is lost. */
    if (piw_cast(self->task, &msg) != 0)
        piw_msg_free(&msg);
}

void driver_tell_hello(driver *self, const driver_slave *slave)
{
    slave_hello first_ten = slave->saved.hello;
    first_ten.version = (piw_text){0};
    first_ten.claim = NULL;
    tell(self, slave, slave->saved.first_seen, "HELLO", slave_hello_type(), &first_ten, false);
}

void driver_tell_stats(driver *self, const driver_slave *slave, const slave_stats *stats)
{
    slave_stats first_nine = *stats;
    first_nine.wait = NULL;
    tell(self, slave, slave->saved.last_seen, "STATS", slave_stats_type(), &first_nine, false);
}

void driver_tell_reply(driver *self, const driver_slave *slave, const piw_msg *reply)
{
    const piw_msg_type *type = piw_msg_type_of(reply);
    const char *body = piw_msg_any_body(reply);
    if (type->flags & PIW_M_NODATA) {
        tell(self, slave, slave->saved.last_seen, type->name, NULL, NULL, true);
    } else if (type->flags & PIW_M_BARE) {
        const piw_field *field = &type->body->fields[0];
        tell(self, slave, slave->saved.last_seen, type->name, field->type, body + field->offset, false);
    } else if (type == slave_ACK_type()) {
        slave_ACK without_token = *slave_ACK_of(reply);
        without_token.token = (piw_text){0};
        tell(self, slave, slave->saved.last_seen, type->name, type->body, &without_token, false);
    } else {
        tell(self, slave, slave->saved.last_seen, type->name, type->body, body, false);
    }
}

void driver_tell_gone(driver *self, const driver_slave *slave, bool expired)
{
    tell(self, slave, slave->saved.last_seen, "DIE", NULL, NULL, !expired);
    piw_msg *gone = stats_SLAVE_GONE_make(slave->saved.slave_id);
    if (piw_cast(self->task, &gone) != 0)
        piw_msg_free(&gone);
    piw_msg *event = slave_gone_make(slave->saved.slave_id);
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

void driver_tell_came(driver *self, const driver_slave *slave)
{
    piw_msg *event = slave_came_make(slave->saved.slave_id, slave->saved.hello.label, slave->saved.hello.abi,
                                     driver_view_of(self, slave));
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

void driver_tell_pending(driver *self)
{
    for (struct driver_abi *abi = driver_offers_next_abi(self->offers, NULL); abi != NULL;
         abi = driver_offers_next_abi(self->offers, abi)) {
        piw_msg *queue = stats_QUEUE_make(driver_offers_view(abi).abi_tag, driver_offers_pending(self->offers, abi));
        if (piw_cast(self->task, &queue) != 0)
            piw_msg_free(&queue);
    }
}

/* The last reply, made again from what is known of it; NULL when there was none. */
static piw_msg *last_reply(const driver *self, const driver_slave *slave)
{
    const driver_build *build = slave->build;
    switch (slave->saved.last) {
    case DRIVER_SAID_ACK:
        return slave_ACK_make(slave->saved.slave_id, self->pypi_url, (piw_text){0});
    case DRIVER_SAID_BUILD:
        return build == NULL ? NULL : slave_BUILD_make(build->embargo->saved.package, build->embargo->saved.version);
    case DRIVER_SAID_SLEEP:
        return slave_SLEEP_make(slave->saved.said_paused);
    case DRIVER_SAID_SEND:
        if (build == NULL || build->report.verified.count >= build->report.files.count)
            return NULL;
        return slave_SEND_make(build->report.files.at[build->report.verified.count].filename);
    case DRIVER_SAID_DONE:
        return slave_DONE_new();
    case DRIVER_SAID_DIE:
        return slave_DIE_new();
    default:
        return NULL;
    }
}

void driver_tell_all(driver *self)
{
    piw_msg *paused = self->farm.farm_paused ? stats_PAUSED_make(self->farm.paused_by_operator) : NULL;
    if (paused != NULL && piw_cast(self->task, &paused) != 0)
        piw_msg_free(&paused);
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave)) {
        if (slave->saved.slave_id == 0)
            continue;
        driver_tell_hello(self, slave);
        piw_msg *reply = last_reply(self, slave);
        if (reply != NULL)
            driver_tell_reply(self, slave, reply);
        piw_msg_free(&reply);
    }
}
