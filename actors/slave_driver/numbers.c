/* numbers.c — slave and build numbers, reserved in the database in blocks so that nobody waits for them.
 *
 * A block begins small and doubles while blocks are used up within a second, so that a quiet farm wastes few numbers
 * at a restart and a busy one doesn't run dry. */
#include "slave_driver/numbers.h"

#include "db.piw.h"

enum {
    BLOCK_MIN = 64,
    BLOCK_MAX = 16384,
    ASK_AGAIN_MS = 1000,
    QUICK_NS = 1000000000,
    /* The clock's slave numbers: seconds since this moment (2023-11-14), above all that a database gives out in blocks
     * and inside the column's 31 bits for the next three decades. */
    CLOCK_FROM_S = 1700000000,
    CLOCK_BASE = 1000000000,
};

static const char *const kinds[DRIVER_POOLS] = {"slave", "build"};

void driver_numbers_ask(driver *self, int which)
{
    driver_numbers *pool = &self->numbers[which];
    if (pool->asking || pool->spare_next < pool->spare_end)
        return;
    int64_t now_ns = piw_monotonic_ns();
    if (pool->block == 0)
        pool->block = BLOCK_MIN;
    else if (now_ns - pool->asked_ns < QUICK_NS && pool->block < BLOCK_MAX)
        pool->block *= 2;
    pool->asked_ns = now_ns;
    piw_msg *call = db_RESERVE_make(piw_text_of(kinds[which]), pool->block);
    if (piw_call(self->task, &call, PIW_ON(numbers), (uint64_t)which, -1) == 0) {
        pool->asking = true;
        return;
    }
    piw_msg_free(&call);
    piw_timer(self->task, PIW_ON(ask), (uint64_t)which, ASK_AGAIN_MS, 0);
}

bool driver_number_there(const driver *self, int which)
{
    const driver_numbers *pool = &self->numbers[which];
    return pool->next < pool->end || pool->spare_next < pool->spare_end;
}

bool driver_number_take(driver *self, int which, int64_t *number)
{
    driver_numbers *pool = &self->numbers[which];
    if (pool->next >= pool->end) {
        pool->next = pool->spare_next;
        pool->end = pool->spare_end;
        pool->spare_next = pool->spare_end = 0;
    }
    bool there = pool->next < pool->end;
    if (there)
        *number = pool->next++;
    if (pool->end - pool->next <= pool->block / 2)
        driver_numbers_ask(self, which);
    return there;
}

int64_t driver_number_clock(driver *self)
{
    int64_t number = piw_time_now().us / 1000000 - CLOCK_FROM_S + CLOCK_BASE;
    if (number <= self->farm.clock_number)
        number = self->farm.clock_number + 1;
    self->farm.clock_number = number;
    return number;
}

bool driver_numbers_came(driver *self, int which, piw_msg *reply)
{
    driver_numbers *pool = &self->numbers[which];
    pool->asking = false;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->numberless, PIW_LOG_WARNING, 0, "no %s numbers from the database yet: %s",
                           kinds[which], piw_msg_error_text(reply));
        if (piw_timer(self->task, PIW_ON(ask), (uint64_t)which, ASK_AGAIN_MS, 0) != 0)
            piw_fail(self->task, "no timer can be set for %s numbers", kinds[which]);
        return false;
    }
    piw_outage_over(&self->numberless, "numbers come from the database again");
    int64_t first = db_RESERVE_reply_of(reply)->first;
    int64_t *next = pool->next < pool->end ? &pool->spare_next : &pool->next;
    int64_t *end = pool->next < pool->end ? &pool->spare_end : &pool->end;
    *next = first;
    *end = first + pool->block;
    return true;
}

int on_ask(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    driver_numbers_ask(piw_soul(task), key == DRIVER_POOL_SLAVE ? DRIVER_POOL_SLAVE : DRIVER_POOL_BUILD);
    return 0;
}
