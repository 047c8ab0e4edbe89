/* monitor.c — what monitors see of slaves (docs/wire.md#monitors): sent to the stats service, which keeps and publishes
 * it. */
#include "slave_driver/driver.h"

static void tell(driver *self, const driver_builder *builder, piw_time at, const char *word, const piw_type *type,
                 const void *value, bool nodata)
{
    stats_SLAVE *body;
    piw_msg *msg = stats_SLAVE_new(&body);
    body->slave_id = builder->id;
    body->timestamp = at;
    body->message = piw_msg_textz(msg, word);
    body->data.nodata = nodata;
    if (type != NULL) {
        void *copy = piw_msg_alloc(msg, type->size);
        piw_value_copy(msg, type, value, copy);
        body->data.type = type;
        body->data.value = copy;
    }
    /* Monitors must not hold up the farm: when the service is away its sights are lost. */
    if (piw_cast(self->task, &msg) != 0)
        piw_msg_free(&msg);
}

void driver_tell_hello(driver *self, const driver_builder *builder)
{
    slave_hello first_ten = *driver_hello(builder);
    first_ten.version = (piw_text){0};
    first_ten.claim = NULL;
    tell(self, builder, builder->first_seen, "HELLO", slave_hello_type(), &first_ten, false);
}

void driver_tell_stats(driver *self, const driver_builder *builder, const slave_stats *stats)
{
    tell(self, builder, builder->last_seen, "STATS", slave_stats_type(), stats, false);
}

void driver_tell_reply(driver *self, const driver_builder *builder, const piw_msg *reply)
{
    const piw_msg_type *type = piw_msg_type_of(reply);
    const char *body = piw_msg_any_body(reply);
    if (type->flags & PIW_M_NODATA) {
        tell(self, builder, builder->last_seen, type->name, NULL, NULL, true);
    } else if (type->flags & PIW_M_BARE) {
        const piw_field *field = &type->body->fields[0];
        tell(self, builder, builder->last_seen, type->name, field->type, body + field->offset, false);
    } else {
        tell(self, builder, builder->last_seen, type->name, type->body, body, false);
    }
}

void driver_tell_gone(driver *self, const driver_builder *builder, bool expired)
{
    tell(self, builder, builder->last_seen, "DIE", NULL, NULL, !expired);
    piw_msg *gone = stats_SLAVE_GONE_make(builder->id);
    if (piw_cast(self->task, &gone) != 0)
        piw_msg_free(&gone);
}

void driver_tell_pending(driver *self)
{
    for (struct driver_abi *abi = driver_builds_next_abi(self->builds, NULL); abi != NULL;
         abi = driver_builds_next_abi(self->builds, abi)) {
        piw_msg *queue = stats_QUEUE_make(driver_builds_view(abi).abi_tag, driver_builds_pending(self->builds, abi));
        if (piw_cast(self->task, &queue) != 0)
            piw_msg_free(&queue);
    }
}

/* The last reply, made again from what is known of it; NULL when there was none. */
static piw_msg *last_reply(const driver *self, const driver_builder *builder)
{
    const driver_job *job = builder->job;
    switch (builder->last) {
    case DRIVER_SAID_ACK:
        return slave_ACK_make(builder->id, self->pypi_url);
    case DRIVER_SAID_BUILD:
        return builder->hold == NULL ? NULL : slave_BUILD_make(builder->hold->package, builder->hold->version);
    case DRIVER_SAID_SLEEP:
        return slave_SLEEP_make(builder->said_paused);
    case DRIVER_SAID_SEND: {
        const slave_BUILT *report = job != NULL ? slave_BUILT_of(job->report) : NULL;
        if (report == NULL || job->verified_count >= report->files.count)
            return NULL;
        return slave_SEND_make(report->files.at[job->verified_count].filename);
    }
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
    piw_msg *paused = self->farm_paused ? stats_PAUSED_make(self->paused_by_operator) : NULL;
    if (paused != NULL && piw_cast(self->task, &paused) != 0)
        piw_msg_free(&paused);
    for (driver_builder *builder = driver_next(self, NULL); builder != NULL; builder = driver_next(self, builder)) {
        if (builder->id == 0 || builder->ghost)
            continue;
        driver_tell_hello(self, builder);
        piw_msg *reply = last_reply(self, builder);
        if (reply != NULL)
            driver_tell_reply(self, builder, reply);
        piw_msg_free(&reply);
    }
}
