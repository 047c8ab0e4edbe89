/* addresses.c — where slaves come from. Who says HELLO, takes a build and hangs up, over and over, holds no more builds than
 * he keeps connections. */
#include "slave_driver/addresses.h"

#include <stdlib.h>

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

void driver_address_leave(driver *self, driver_slave *slave)
{
    driver_address *address = slave->address;
    driver_address_gone(slave, 0);
    slave->address = NULL;
    if (--address->slaves > 0)
        return;
    piw_table_remove(&self->addresses, &address->node);
    free(address);
}

void driver_address_gone(driver_slave *slave, int64_t gone_ns)
{
    slave->address->gone += gone_ns != 0;
    slave->address->gone -= slave->gone_ns != 0;
    slave->gone_ns = gone_ns;
}

bool driver_address_full(const driver_slave *slave)
{
    return slave->address->builds >= slave->address->slaves - slave->address->gone;
}
