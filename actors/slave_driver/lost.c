/* lost.c — slaves that are lost. The end of a connection is heard of before what came by it last: so a moment passes before a slave
 * that built nothing is said to be lost. */
#include "slave_driver/lost.h"

#include "events.piw.h"
#include "slave_driver/slaves.h"

#include <stdio.h>

static const int64_t BYE_NS = 2000000000;

static piw_msg *make_event(const driver *self, const driver_slave *slave)
{
    return slave_lost_make(slave->saved.slave_id, slave->saved.hello.label, slave->saved.hello.abi,
                           driver_view_of(self, slave));
}

static void emit(driver *self, piw_msg *event)
{
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

void driver_lost_tell(driver *self, const driver_slave *slave)
{
    if (slave->saved.slave_id != 0)
        emit(self, make_event(self, slave));
}

static piw_msg *take(driver *self, uint32_t place)
{
    piw_msg *event = self->lost_maybe[place].event;
    memmove(&self->lost_maybe[place], &self->lost_maybe[place + 1],
            (--self->lost_maybe_count - place) * sizeof(self->lost_maybe[0]));
    return event;
}

void driver_lost_maybe(driver *self, const driver_slave *slave)
{
    if (slave->saved.slave_id == 0)
        return;
    if (self->lost_maybe_count == DRIVER_LOST_MAYBE)
        emit(self, take(self, 0));
    driver_lost *made = &self->lost_maybe[self->lost_maybe_count++];
    made->until_ns = piw_monotonic_ns() + BYE_NS;
    made->event = make_event(self, slave);
    snprintf(made->address, sizeof(made->address), "%s", slave->address->text);
}

void driver_lost_said_bye(driver *self, const char *address)
{
    for (uint32_t i = 0; address != NULL && i < self->lost_maybe_count; i++) {
        if (strcmp(self->lost_maybe[i].address, address) != 0)
            continue;
        piw_msg *event = take(self, i);
        piw_msg_free(&event);
        return;
    }
}

void driver_lost_sweep(driver *self, int64_t now_ns)
{
    while (self->lost_maybe_count > 0 && self->lost_maybe[0].until_ns <= now_ns)
        emit(self, take(self, 0));
}

void driver_lost_forget(driver *self)
{
    while (self->lost_maybe_count > 0) {
        piw_msg *event = take(self, 0);
        piw_msg_free(&event);
    }
}
