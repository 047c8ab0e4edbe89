/* addresses.c — where slaves come from. Who says HELLO, takes a build and hangs up, over and over, holds no more builds than
 * he keeps connections; and who leaves what he takes, over and over, has to wait for the next. */
#include "slave_driver/addresses.h"

#include <stdlib.h>

enum {
    /* Builds that may be left at once: all of an address's slaves may be restarted, and again. */
    LEFT_MIN = 10,
    LEFT_PER_SLAVE = 2,
    FORGIVEN_S = 30, /* after which all are forgiven, whoever is still there */
};

static bool is_address(const piw_table_node *node, const void *key)
{
    return strcmp(PIW_TABLE_ENTRY(node, const driver_address, node)->text, key) == 0;
}

static uint64_t hash_of(const driver *self, const char *text)
{
    return piw_table_hash(self->address_seed, text, strlen(text));
}

driver_address *driver_address_find(const driver *self, const char *text)
{
    piw_table_node *node = piw_table_find(&self->addresses, hash_of(self, text), is_address, text);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_address, node) : NULL;
}

void driver_address_enter(driver *self, driver_slave *slave, const char *text)
{
    size_t size = strlen(text) + 1;
    driver_address *address = driver_address_find(self, text);
    if (address == NULL) {
        address = piw_zalloc(sizeof(*address) + size);
        memcpy(address->text, text, size);
        piw_table_add(&self->addresses, &address->node, hash_of(self, text));
    }
    address->slaves++;
    slave->address = address;
}

static void forget(driver *self, driver_address *address)
{
    if (address->slaves > 0 || address->left > 0)
        return;
    piw_table_remove(&self->addresses, &address->node);
    free(address);
}

void driver_address_leave(driver *self, driver_slave *slave)
{
    driver_address *address = slave->address;
    driver_address_gone(slave, 0);
    slave->address = NULL;
    address->slaves--;
    forget(self, address);
}

void driver_address_gone(driver_slave *slave, int64_t gone_ns)
{
    slave->address->gone += gone_ns != 0;
    slave->address->gone -= slave->gone_ns != 0;
    slave->gone_ns = gone_ns;
}

static uint32_t may_leave(const driver_address *address)
{
    return LEFT_MIN + LEFT_PER_SLAVE * (address->slaves - address->gone);
}

bool driver_address_full(const driver_slave *slave)
{
    const driver_address *address = slave->address;
    return address->builds >= address->slaves - address->gone || address->left >= may_leave(address);
}

/* How many are forgiven in a second is decided by how many there are: those who left them may have gone, and whoever comes from
 * there next would have to wait for their limit's sake as long as there were many. */
void driver_address_left(const driver_slave *slave)
{
    driver_address *address = slave->address;
    if (slave->build == NULL)
        return;
    uint32_t each_s = ++address->left / FORGIVEN_S + 1;
    if (address->forgiven_each_s < each_s)
        address->forgiven_each_s = each_s;
}

static driver_address *next(const driver *self, const driver_address *address)
{
    piw_table_node *node = piw_table_next(&self->addresses, address != NULL ? &address->node : NULL);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_address, node) : NULL;
}

void driver_addresses_sweep(driver *self)
{
    for (driver_address *address = next(self, NULL), *after; address != NULL; address = after) {
        after = next(self, address);
        address->left -= address->left < address->forgiven_each_s ? address->left : address->forgiven_each_s;
        if (address->left == 0)
            address->forgiven_each_s = 0;
        forget(self, address);
    }
}

void driver_addresses_free(driver *self)
{
    for (driver_address *address; (address = next(self, NULL)) != NULL;) {
        address->slaves = address->left = 0;
        forget(self, address);
    }
    piw_table_fini(&self->addresses);
}
