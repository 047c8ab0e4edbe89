/* driver.h — slave_driver as it is, in a runtime, behind its real queue: what its tests have in common. */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

#include "farm.h"

static farm f;
static const char *const tasks[] = {"fake_farm", "slave_driver", NULL};
static const char *const queues[] = {"slave", NULL};
static const char *const two[] = {"p", "1.0", "p", "2.0", NULL};
static const char *const one_file[] = {"any", NULL};
static const char *seal_after = "60s";

static inline void setup(void)
{
    memset(&f, 0, sizeof(f));
    f.settings[0] = "pypi-simple";
    f.settings[1] = "http://simple.test/simple";
    f.option[0] = "slave_driver";
    f.option[1] = "seal-after";
    f.option[2] = seal_after;
    farm_start(&f, tasks, queues);
}

static inline void setup_sealing(void)
{
    seal_after = "1s";
    setup();
}

static inline void teardown(void)
{
    farm_stop(&f);
}

#define SAYS(slave, msg, answer) ck_assert_str_eq(slave_say(slave, msg), answer)
#define ACK(number)              "ACK " #number " http://simple.test/simple"

static inline void swap(void)
{
    piw_err err = {0};
    int failed = piw_runtime_replace(f.runtime, "slave_driver", "slave_driver.so", &err);
    ck_assert_msg(failed == 0, "%s", err.text);
}

/* A slave that has a build in hand. */
static inline piw_client *building(int64_t busy_ms, int64_t build_ms)
{
    piw_client *slave = slave_connect(&f, PIW_CBOR);
    farm_queue(&f, "cp311", two);
    slave_say(slave, say_hello("cp311", busy_ms, build_ms, NULL));
    SAYS(slave, idle(), "BUILD p 1.0");
    return slave;
}

#endif
