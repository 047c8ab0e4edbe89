/* test_addresses.c — what slave_driver thinks of a network address whose slaves leave what they are given. */
#include "slave_driver/addresses.c"

#include "unit.h"

enum {
    CROWD = 200,
    WITHIN_S = 30, /* docs/security.md */
};

static driver self;
static driver_slave crowd[CROWD], newcomer;
static driver_build build;

static void setup(void)
{
    self = (driver){.address_seed = 1};
    memset(crowd, 0, sizeof(crowd));
    newcomer = (driver_slave){0};
}

static void teardown(void)
{
    driver_addresses_free(&self);
}

static void comes(driver_slave *slave)
{
    driver_address_enter(&self, slave, "10.0.0.1");
}

/* With a build in its hand. */
static void leaves(driver_slave *slave)
{
    slave->build = &build;
    driver_address_left(slave);
    driver_address_leave(&self, slave);
}

static bool gets_work_within(int seconds)
{
    comes(&newcomer);
    while (driver_address_full(&newcomer) && seconds-- > 0)
        driver_addresses_sweep(&self);
    bool gets = !driver_address_full(&newcomer);
    driver_address_leave(&self, &newcomer);
    return gets;
}

START_TEST(who_left_few_gets_work_at_once)
{
    comes(&crowd[0]);
    leaves(&crowd[0]);
    ck_assert(gets_work_within(0));
}
END_TEST

START_TEST(who_left_many_waits_but_not_for_long)
{
    comes(&newcomer); /* stays there */
    for (int i = 0; i < CROWD; i++) {
        comes(&crowd[0]);
        leaves(&crowd[0]);
    }
    driver_address_leave(&self, &newcomer);
    ck_assert(!gets_work_within(1));
    ck_assert(gets_work_within(WITHIN_S));
}
END_TEST

/* All at once, and none is there any more by whom the limit of those who come next could be larger. */
START_TEST(a_crowd_that_has_gone_is_forgiven_as_soon)
{
    for (int i = 0; i < CROWD; i++)
        comes(&crowd[i]);
    for (int i = 0; i < CROWD; i++)
        leaves(&crowd[i]);
    ck_assert(!gets_work_within(1));
    ck_assert(gets_work_within(WITHIN_S));
}
END_TEST

START_TEST(an_address_that_is_forgiven_is_forgotten)
{
    for (int i = 0; i < CROWD; i++)
        comes(&crowd[i]);
    for (int i = 0; i < CROWD; i++)
        leaves(&crowd[i]);
    for (int i = 0; i < WITHIN_S; i++)
        driver_addresses_sweep(&self);
    ck_assert_ptr_null(driver_address_find(&self, "10.0.0.1"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("addresses");
    TCase *tests = tcase_create("left");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, who_left_few_gets_work_at_once);
    tcase_add_test(tests, who_left_many_waits_but_not_for_long);
    tcase_add_test(tests, a_crowd_that_has_gone_is_forgiven_as_soon);
    tcase_add_test(tests, an_address_that_is_forgiven_is_forgotten);
    suite_add_tcase(suite, tests);
    return suite;
}
