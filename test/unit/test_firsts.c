/* the_architect's list of packages that an operator put first, and its way over a swap. */
#include "the_architect/firsts.c"

#include "unit.h"

static void check_taken(first_commands *commands, uint64_t id, const char *package)
{
    first_command taken;
    ck_assert(firsts_take(commands, &taken));
    ck_assert_uint_eq(taken.answer.id, id);
    ck_assert_str_eq(taken.package, package);
    free(taken.package);
}

START_TEST(orders_are_taken_in_their_order)
{
    first_commands commands = {0};
    first_command taken;
    ck_assert(!firsts_take(&commands, &taken));
    firsts_add(&commands, (piw_token){.id = 1}, "a");
    firsts_add(&commands, (piw_token){.id = 2}, "b");
    ck_assert_int_eq(commands.count, 2);
    check_taken(&commands, 1, "a");
    firsts_add(&commands, (piw_token){.id = 3}, "c");
    check_taken(&commands, 2, "b");
    check_taken(&commands, 3, "c");
    ck_assert(!firsts_take(&commands, &taken));
    ck_assert_int_eq(commands.count, 0);
    firsts_add(&commands, (piw_token){.id = 4}, "d");
    firsts_fini(&commands);
    ck_assert_int_eq(commands.count, 0);
}
END_TEST

START_TEST(orders_outlive_a_swap)
{
    piw_protocol_use(&the_architect_protocol_def);
    first_commands commands = {0}, later = {0};
    firsts_add(&commands, (piw_token){.id = 7}, "a");
    firsts_add(&commands, (piw_token){.id = 8}, "b");
    architect_state *state = NULL;
    piw_msg *msg = architect_state_new(&state);
    firsts_save(&commands, msg, state);
    firsts_fini(&commands);
    firsts_load(&later, architect_state_of(msg));
    piw_msg_free(&msg);
    ck_assert_int_eq(later.count, 2);
    check_taken(&later, 7, "a");
    check_taken(&later, 8, "b");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("firsts");
    TCase *tests = tcase_create("firsts");
    tcase_add_test(tests, orders_are_taken_in_their_order);
    tcase_add_test(tests, orders_outlive_a_swap);
    suite_add_tcase(suite, tests);
    return suite;
}
