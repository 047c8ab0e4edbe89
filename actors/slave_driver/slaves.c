/* slaves.c — the slaves: found by peer and by number, added and forgotten. */
#include "slave_driver/slaves.h"

#include "slave_driver/addresses.h"
#include "slave_driver/waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    TIMEOUT_MIN_S = 1,
    BUILD_TIMEOUT_MAX_S = 7 * 24 * 3600,
};

static bool is_peer(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_slave, by_peer)->peer == *(const piw_peer *)key;
}

static bool is_id(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_slave, by_id)->saved.slave_id == *(const int64_t *)key;
}

driver_slave *driver_find_peer(const driver *self, piw_peer peer)
{
    piw_table_node *node = piw_table_find(&self->by_peer, piw_table_hash_u64(peer), is_peer, &peer);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_slave, by_peer) : NULL;
}

driver_slave *driver_find_id(const driver *self, int64_t id)
{
    piw_table_node *node = piw_table_find(&self->by_id, piw_table_hash_u64((uint64_t)id), is_id, &id);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_slave, by_id) : NULL;
}

driver_slave *driver_next(const driver *self, const driver_slave *slave)
{
    piw_table_node *node = piw_table_next(&self->by_peer, slave != NULL ? &slave->by_peer : NULL);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_slave, by_peer) : NULL;
}

/* Without views each ABI has one; else the first view has it that such a machine fits. */
static piw_text queue_of(const driver *self, const slave_hello *hello)
{
    if (self->views.count == 0)
        return hello->abi;
    const piw_farm_view *view =
        piw_views_fit(&self->views, &(piw_view_machine){hello->abi, hello->platform, hello->os_name, hello->os_version,
                                                        hello->board_revision});
    return piw_text_of(view != NULL ? piw_view_queue(view) : "");
}

piw_text driver_view_of(const driver *self, const driver_slave *slave)
{
    const piw_farm_view *view = piw_views_of_queue(&self->views, slave->queue);
    return self->views.count == 0 ? (piw_text){0} : piw_text_of(view != NULL ? view->name : "");
}

void driver_set_hello(driver *self, driver_slave *slave, const slave_hello *hello)
{
    slave_hello *body;
    piw_msg *memory = slave_HELLO_new(&body);
    piw_value_copy(memory, slave_hello_type(), hello, body);
    piw_msg_free(&slave->memory);
    slave->memory = memory;
    slave->saved.hello = *body;
    slave->queue = queue_of(self, body);
    slave->abi_warned = false;
    self->slaves_changed = true;
}

void driver_set_token(driver_slave *slave, piw_text token)
{
    slave->saved.token = (piw_text){0};
    if (token.len == 0 || token.len > DRIVER_TOKEN_LEN)
        return;
    memcpy(slave->token, token.s, token.len);
    slave->token[token.len] = '\0';
    slave->saved.token = (piw_text){slave->token, token.len};
}

void driver_give_token(driver_slave *slave)
{
    uint64_t random[2];
    if (slave->saved.hello.version.s == NULL) {
        driver_set_token(slave, (piw_text){0});
    } else if (slave->saved.token.s == NULL) {
        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
            piw_warning(
                "there are no random numbers: files of slave %lld are taken from all connections of its address",
                (long long)slave->saved.slave_id);
            return;
        }
        snprintf(slave->token, sizeof(slave->token), "%016llx%016llx", (unsigned long long)random[0],
                 (unsigned long long)random[1]);
        slave->saved.token = piw_text_of(slave->token);
    }
}

driver_slave *driver_add(driver *self, piw_peer peer, const slave_hello *hello)
{
    driver_slave *slave = piw_zalloc(sizeof(*slave));
    slave->peer = peer;
    slave->saved.peer = (int64_t)peer;
    slave->saved.first_seen = slave->saved.last_seen = piw_time_now();
    slave->saved.heard_ns = piw_monotonic_ns();
    driver_set_hello(self, slave, hello);
    piw_table_add(&self->by_peer, &slave->by_peer, piw_table_hash_u64(peer));
    const char *address = piw_peer_address(self->task, peer);
    driver_address_enter(self, slave, address != NULL ? address : "an unknown address");
    return slave;
}

void driver_set_id(driver *self, driver_slave *slave, int64_t id)
{
    slave->saved.slave_id = id;
    self->slaves_changed = true;
    piw_table_add(&self->by_id, &slave->by_id, piw_table_hash_u64((uint64_t)id));
}

void driver_remove(driver *self, driver_slave **slave)
{
    driver_slave *gone = *slave;
    *slave = NULL;
    self->left++;
    self->slaves_changed = true;
    driver_waiting_remove(self, gone);
    driver_address_leave(self, gone);
    piw_table_remove(&self->by_peer, &gone->by_peer);
    if (gone->saved.slave_id != 0)
        piw_table_remove(&self->by_id, &gone->by_id);
    piw_msg_free(&gone->memory);
    free(gone);
}

bool driver_has_others(const driver *self, const driver_slave *slave)
{
    for (const driver_slave *other = driver_next(self, NULL); other != NULL; other = driver_next(self, other))
        if (other != slave && !other->saved.killed && !other->saved.paused && !other->saved.leaving &&
            piw_text_eq(other->queue, slave->queue))
            return true;
    return false;
}

/* Has the address more slaves, or as many of which this one is silent for longer? */
static bool less_wanted(const driver_slave *slave, const driver_slave *than)
{
    if (slave->address != than->address)
        return slave->address->slaves > than->address->slaves;
    return slave->saved.heard_ns < than->saved.heard_ns;
}

driver_slave *driver_least(const driver *self, const driver_address *of)
{
    driver_slave *least = NULL;
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        if (slave->build == NULL && !slave->waits_number && (of == NULL || slave->address == of) &&
            (least == NULL || less_wanted(slave, least)))
            least = slave;
    return least;
}

bool driver_waits(const driver_slave *slave)
{
    return slave->waits_number || driver_waiting_has(slave) ||
           (slave->build != NULL && slave->build->saved.phase != DRIVER_IDLE);
}

static int64_t bounded_ns(piw_duration said, int64_t max_ns)
{
    int64_t us = piw_duration_us(said);
    if (us < (int64_t)TIMEOUT_MIN_S * 1000000)
        us = (int64_t)TIMEOUT_MIN_S * 1000000;
    return us > max_ns / 1000 ? max_ns : us * 1000;
}

int64_t driver_busy_timeout_ns(const driver *self, const driver_slave *slave)
{
    return bounded_ns(slave->saved.hello.busy_timeout, self->busy_max_ns);
}

int64_t driver_build_timeout_ns(const driver_slave *slave)
{
    return bounded_ns(slave->saved.hello.build_timeout, BUILD_TIMEOUT_MAX_S * INT64_C(1000000000));
}
