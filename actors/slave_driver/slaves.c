/* slaves.c — the records of the slaves: found by peer and by number, expired, and forgotten. */
#include "slave_driver/driver.h"

#include <stdlib.h>

enum {
    TIMEOUT_MIN_S = 1,
    BUSY_TIMEOUT_MAX_S = 24 * 3600, /* what a slave may ask for at most: a lost one must be noticed some day */
    BUILD_TIMEOUT_MAX_S = 7 * 24 * 3600,
};

static bool is_peer(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_builder, by_peer)->peer == *(const piw_peer *)key;
}

static bool is_id(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_builder, by_id)->id == *(const int64_t *)key;
}

driver_builder *driver_find_peer(const driver *self, piw_peer peer)
{
    piw_table_node *node = piw_table_find(&self->by_peer, piw_table_hash_u64(peer), is_peer, &peer);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_builder, by_peer) : NULL;
}

driver_builder *driver_find_id(const driver *self, int64_t id)
{
    piw_table_node *node = piw_table_find(&self->by_id, piw_table_hash_u64((uint64_t)id), is_id, &id);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_builder, by_id) : NULL;
}

driver_builder *driver_next(const driver *self, const driver_builder *builder)
{
    piw_table_node *node = piw_table_next(&self->by_peer, builder != NULL ? &builder->by_peer : NULL);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_builder, by_peer) : NULL;
}

driver_builder *driver_add(driver *self, piw_peer peer, const piw_msg *hello)
{
    driver_builder *builder = piw_zalloc(sizeof(*builder));
    builder->peer = peer;
    builder->hello = piw_msg_copy(hello);
    builder->first_seen = builder->last_seen = piw_time_now();
    builder->heard_ns = piw_monotonic_ns();
    piw_table_add(&self->by_peer, &builder->by_peer, piw_table_hash_u64(peer));
    return builder;
}

void driver_set_id(driver *self, driver_builder *builder, int64_t id)
{
    builder->id = id;
    self->slaves_changed = true;
    piw_table_add(&self->by_id, &builder->by_id, piw_table_hash_u64((uint64_t)id));
}

void driver_remove(driver *self, driver_builder **builder)
{
    driver_builder *gone = *builder;
    *builder = NULL;
    self->slaves_changed = true;
    piw_table_remove(&self->by_peer, &gone->by_peer);
    if (gone->id != 0 && !gone->ghost)
        piw_table_remove(&self->by_id, &gone->by_id);
    driver_job_free(self, &gone->job);
    piw_msg_free(&gone->hello);
    free(gone);
}

static void cast_quietly(driver *self, piw_msg **msg)
{
    if (piw_cast(self->task, msg) != 0)
        piw_msg_free(msg);
}

bool driver_has_others(const driver *self, const driver_builder *builder)
{
    for (driver_builder *other = driver_next(self, NULL); other != NULL; other = driver_next(self, other))
        if (other != builder && !other->ghost && !other->killed && !other->paused && !other->leaving &&
            piw_text_eq(driver_hello(other)->abi, driver_hello(builder)->abi))
            return true;
    return false;
}

void driver_discard(driver *self, const driver_builder *builder)
{
    if (builder->job == NULL || builder->job->build_id == 0)
        return;
    piw_msg *discard = fs_DISCARD_make(builder->job->build_id, builder->id);
    cast_quietly(self, &discard);
}

void driver_abandon(driver *self, driver_builder *builder, int kind, const char *cause)
{
    /* When its row may exist, what is staged is settled at the next start, by whether it does. */
    if (builder->job != NULL && !builder->job->sent_before)
        driver_discard(self, builder);
    driver_job_free(self, &builder->job);
    builder->skip = builder->removed = false;
    if (builder->hold == NULL)
        return;
    piw_msg *end = db_ATTEMPT_END_make(builder->id, builder->hold->package, builder->hold->version,
                                       driver_hello(builder)->abi, piw_text_of(cause));
    cast_quietly(self, &end);
    if (kind == DRIVER_HOLD_SKIPPED)
        driver_builds_end(self->builds, &builder->hold, kind, builder->ends_ns);
    else if (kind == DRIVER_HOLD_RETURNED)
        driver_builds_end(self->builds, &builder->hold, kind, piw_monotonic_ns());
    else
        driver_builds_drop(self->builds, &builder->hold);
}

const slave_hello *driver_hello(const driver_builder *builder)
{
    return slave_HELLO_of(builder->hello);
}

static int64_t bounded_ns(piw_duration said, int64_t max_s)
{
    int64_t us = piw_duration_us(said);
    if (us < (int64_t)TIMEOUT_MIN_S * 1000000)
        us = (int64_t)TIMEOUT_MIN_S * 1000000;
    if (us > max_s * 1000000)
        us = max_s * 1000000;
    return us * 1000;
}

int64_t driver_busy_timeout_ns(const driver_builder *builder)
{
    return bounded_ns(driver_hello(builder)->busy_timeout, BUSY_TIMEOUT_MAX_S);
}

int64_t driver_build_timeout_ns(const driver_builder *builder)
{
    return bounded_ns(driver_hello(builder)->build_timeout, BUILD_TIMEOUT_MAX_S);
}

void driver_leave(driver *self, driver_builder **builder)
{
    if ((*builder)->id != 0)
        driver_tell_gone(self, *builder, false);
    driver_abandon(self, *builder, DRIVER_HOLD_RETURNED, "the slave left");
    piw_peer_forget(self->task, (*builder)->peer);
    driver_remove(self, builder);
}

int driver_on_sweep(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    driver *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    driver_builder *builder = driver_next(self, NULL);
    while (builder != NULL) {
        driver_builder *next = driver_next(self, builder);
        /* A slave that waits for our answer is not silent. */
        if (builder->phase == DRIVER_IDLE && now_ns - builder->heard_ns > driver_busy_timeout_ns(builder)) {
            piw_text label = driver_hello(builder)->label;
            piw_warning("slave %lld (%.*s) has been silent for longer than its busy timeout%s; forgetting it",
                        (long long)builder->id, (int)label.len, label.s,
                        builder->hold != NULL ? " and its build is lost" : "");
            driver_lose(self, &builder);
        } else {
            driver_seal_if_late(self, builder, now_ns);
        }
        builder = next;
    }
    driver_builds_sweep(self->builds, now_ns);
    driver_tell_pending(self);
    driver_tell_abis(self, now_ns);
    return 0;
}
