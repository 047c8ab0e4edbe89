/* piw-monitor without its terminal: what keys and clicks mean, and which commands they give. */
#include "monitor_screen.h"
#include "piw-monitor/view.h"

static void two_slaves(void)
{
    model_connected(known, true, now);
    hear_hello(100 * SECOND);
    arrive(7, "pi-9", "cp39", builds("numpy", "1.26.4"));
    arrive(8, "pi-10", "cp39", slave_SLEEP_make(false));
    look(80, 24);
}

#define GIVES(made, kind_, all_, id_)                                                                                  \
    do {                                                                                                               \
        command made_ = (made);                                                                                        \
        ck_assert_int_eq(made_.kind, kind_);                                                                           \
        ck_assert_int_eq(made_.all, all_);                                                                             \
        ck_assert_int_eq(made_.slave_id, id_);                                                                         \
    } while (0)

START_TEST(keys_give_orders)
{
    two_slaves();
    GIVES(KEY('p'), COMMAND_SLEEP, true, 0);
    GIVES(KEY('r'), COMMAND_WAKE, true, 0);
    GIVES(KEY('z'), COMMAND_SLEEP, true, 0);
    KEY(UI_DOWN);
    GIVES(KEY('s'), COMMAND_SKIP, false, 7);
    GIVES(KEY('z'), COMMAND_SLEEP, false, 7);
    KEY(UI_DOWN);
    GIVES(KEY('w'), COMMAND_WAKE, false, 8);
    GIVES(KEY('p'), COMMAND_SLEEP, true, 0);
    KEY(UI_DOWN); /* there is no other */
    GIVES(KEY('w'), COMMAND_WAKE, false, 8);
    KEY('a');
    GIVES(KEY('w'), COMMAND_WAKE, true, 0);
    GIVES(KEY('x'), COMMAND_NONE, false, 0);
    ck_assert(!person.quit);
    KEY('q');
    ck_assert(person.quit);
}
END_TEST

START_TEST(what_ends_something_is_asked_first)
{
    two_slaves();
    KEY(UI_DOWN);
    GIVES(KEY('k'), COMMAND_NONE, false, 0);
    look(80, 24);
    SEES("Kill slave 7 pi-9?");
    GIVES(KEY('k'), COMMAND_NONE, false, 0); /* neither yes nor no */
    look(80, 24);
    SEES("Kill slave 7 pi-9?");
    GIVES(KEY('y'), COMMAND_KILL, false, 7);
    look(80, 24);
    SEES_NOT("Kill slave");
    GIVES(KEY('k'), COMMAND_NONE, false, 0);
    GIVES(KEY('n'), COMMAND_NONE, false, 0);
    GIVES(KEY('y'), COMMAND_NONE, false, 0);
    KEY('a');
    GIVES(KEY('k'), COMMAND_NONE, false, 0);
    look(80, 24);
    SEES("Kill all slaves?");
    GIVES(KEY(UI_ESCAPE), COMMAND_NONE, false, 0);
    GIVES(KEY('s'), COMMAND_NONE, false, 0);
    look(80, 24);
    SEES("Skip what is built by all slaves?");
    GIVES(KEY('y'), COMMAND_SKIP, true, 0);
    GIVES(KEY('t'), COMMAND_NONE, false, 0);
    look(40, 12);
    SEES("Terminate the master on farm-1?");
    KEY('q'); /* ends the question, not the program */
    ck_assert(!person.quit);
    KEY('t');
    GIVES(KEY('y'), COMMAND_QUIT, false, 0);
}
END_TEST

START_TEST(clicks)
{
    two_slaves();
    GIVES(ui_click(&person, known, screen, find("pi-10"), 20, now), COMMAND_NONE, false, 0);
    ck_assert(!person.all);
    ck_assert_int_eq(person.chosen, 8);
    look(80, 24);
    ui_click(&person, known, screen, find("all slaves"), 30, now);
    ck_assert(person.all);
    look(80, 24);
    ui_click(&person, known, screen, 3, 3, now); /* nothing there */
    ck_assert(person.all);
    char keys[400];
    canvas_line(screen, 23, keys, sizeof(keys));
    GIVES(ui_click(&person, known, screen, 23, (int)(strstr(keys, "Pause") - keys), now), COMMAND_SLEEP, true, 0);
    ui_click(&person, known, screen, 23, (int)(strstr(keys, "Terminate") - keys), now);
    look(80, 24);
    int row = find(" y  Yes");
    ck_assert_int_ge(row, 0);
    GIVES(ui_click(&person, known, screen, 0, 0, now), COMMAND_NONE, false, 0); /* beside it: no */
    ck_assert_int_eq(person.dialog, DIALOG_NONE);
    KEY('t');
    look(80, 24);
    int column = 0;
    while (column < 80 && (canvas_at(screen, row, column) == NULL || canvas_at(screen, row, column)->arg != 'y'))
        column++;
    GIVES(ui_click(&person, known, screen, row, column, now), COMMAND_QUIT, false, 0);
}
END_TEST

START_TEST(orders_wait_until_they_are_carried_out)
{
    two_slaves();
    model_commanded(known, (command){.kind = COMMAND_KILL, .slave_id = 7}, now);
    look(80, 24);
    SEES("KILL? builds numpy");
    SEES("KILL to slave 7 pi-9: it ends when its build has ended");
    model_commanded(known, (command){.kind = COMMAND_WAKE, .slave_id = 7}, now);
    look(80, 24);
    SEES_NOT("KILL?");
    model_commanded(known, (command){.kind = COMMAND_SKIP, .slave_id = 7}, now);
    look(80, 24);
    SEES("SKIP? builds numpy");
    hear_reply(7, 0, slave_DONE_new());
    look(80, 24);
    SEES_NOT("SKIP?");
    model_commanded(known, (command){.kind = COMMAND_SLEEP, .all = true}, now);
    look(80, 24);
    SEES("pausing, 2 slaves");
    hear_reply(7, 0, slave_SLEEP_make(true));
    hear_reply(8, 0, slave_SLEEP_make(true));
    look(80, 24);
    SEES(" paused, 2 slaves");
}
END_TEST

/* The master doesn't say that it is paused: it must not be said of it for what concerns one slave, or what is over. */
START_TEST(a_pause_is_said_while_there_is_one)
{
    two_slaves();
    hear_reply(7, 0, slave_SLEEP_make(true));
    now += SECOND;
    look(80, 24);
    SEES("  2 slaves"); /* one of two, which nobody here has paused */
    model_commanded(known, (command){.kind = COMMAND_SLEEP, .all = true}, now);
    hear_reply(8, 0, builds("late", "1")); /* was on its way */
    look(80, 24);
    SEES("pausing, 2 slaves");
    now += SECOND;
    hear_reply(8, 0, slave_DONE_new());
    hear_reply(8, 0, slave_SLEEP_make(true));
    look(80, 24);
    SEES(" paused, 2 slaves");
    model_commanded(known, (command){.kind = COMMAND_WAKE, .all = true}, now);
    look(80, 24);
    SEES("  2 slaves"); /* though neither has asked since */
    now += SECOND;
    hear_reply(7, 0, builds("next", "1"));
    look(80, 24);
    SEES("  2 slaves"); /* one is still as it was */
    now += SECOND;
    hear_reply(7, 0, slave_DONE_new());
    hear_reply(7, 0, slave_SLEEP_make(true));
    look(80, 24);
    SEES(" paused, 2 slaves"); /* somebody else's pause */
}
END_TEST

START_TEST(a_chosen_slave_that_goes)
{
    two_slaves();
    KEY(UI_DOWN);
    look(80, 24);
    hear_reply(7, 0, slave_DIE_new());
    GIVES(KEY('s'), COMMAND_NONE, false, 0);
    look(80, 24);
    SEES("SKIP was not sent: the chosen slave is gone");
    now += 21 * SECOND;
    model_tick(known, now);
    look(80, 24);
    GIVES(KEY('s'), COMMAND_NONE, false, 0); /* never to the one that took its place */
    KEY(UI_DOWN);
    ck_assert_int_eq(person.chosen, 8);
}
END_TEST

START_TEST(help_is_whole_at_any_size)
{
    two_slaves();
    KEY('?');
    look(80, 24);
    SEES("terminate the master, in order");
    SEES("since then, or longer");
    look(40, 10);
    SEES_NOT("since then, or longer");
    for (int i = 0; i < 40; i++)
        KEY(UI_DOWN);
    look(40, 10);
    SEES("since then, or longer");
    KEY('x');
    look(40, 10);
    SEES_NOT("since then, or longer");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("monitor_keys");
    TCase *tests = tcase_create("monitor_keys");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, keys_give_orders);
    tcase_add_test(tests, what_ends_something_is_asked_first);
    tcase_add_test(tests, clicks);
    tcase_add_test(tests, orders_wait_until_they_are_carried_out);
    tcase_add_test(tests, a_pause_is_said_while_there_is_one);
    tcase_add_test(tests, a_chosen_slave_that_goes);
    tcase_add_test(tests, help_is_whole_at_any_size);
    suite_add_tcase(suite, tests);
    return suite;
}
