/* Looks at which wheels PyPI has quarantined: what is published while one is under way, or asked for, isn't overlooked until the
 * next period. */
#include "site_house.h"

static void house(void)
{
    removals_every = "1h";
    setup();
    wait_for("WITHHELD_DUE(", 1);
    set("looks-held", "yes");
}

/* A look that is under way, and will have been told of this wheel. */
static void begin_look(const char *filename)
{
    tell("archive", archive_WITHHELD_make(piw_text_of("gold"), piw_text_of(filename), true));
    tell("archive", archive_LOOK_new());
    wait_for("WITHHELD_DUE(", 2);
}

static void publish_wheel(void)
{
    parcel p = pack("gold", 1000);
    expect(&p, BUILD, 1, "local", "gold");
    transfer(&p, 1);
    ck_good(BUILD, 1);
    stage(BUILD, "gold", "a log");
    publish(BUILD, "gold", NULL);
    piw_buffer_fini(&p.bytes);
}

/* Its look may have found the wheel missing a moment before. */
START_TEST(a_publication_meanwhile_has_another_follow)
{
    begin_look("gold-2.0-py3-none-any.whl");
    publish_wheel();
    set("looks-held", "no");
    wait_for("WITHHELD_DUE(", 3);
}
END_TEST

/* Also when the look has nothing to move. */
START_TEST(one_that_is_asked_for_meanwhile_follows)
{
    begin_look("gold-2.0-py3-none-any.whl");
    tell("archive", archive_LOOK_new());
    stage(BUILD, "gold", "an answer, so that it has come");
    set("looks-held", "no");
    wait_for("WITHHELD_DUE(", 3);
}
END_TEST

START_TEST(without_a_publication_none_follows)
{
    begin_look("gold-2.0-py3-none-any.whl");
    set("looks-held", "no");
    publish_wheel(); /* which the wheel that is missing may be one of */
    wait_for("WITHHELD_DUE(", 3);
    publish(BUILD + 1, "gold", NULL);
    ck_assert_int_eq(count_of("WITHHELD_DUE("), 3);
}
END_TEST

/* The database knows of a wheel that it is out of reach; a later build of it was recorded before, and is put in place now. */
START_TEST(one_whose_namesake_is_out_of_reach_follows_it)
{
    const char *name = "gold-1.0-py3-none-any.whl", *away = ".quarantine/gold/gold-1.0-py3-none-any.whl";
    ck_assert_int_eq(piw_file_write(root, at(away), "another", 7, 0, NULL), 0);
    store("gold", NULL, NULL);
    tell("archive", known(BUILD));
    tell("archive", archive_WITHHELD_make(piw_text_of("gold"), piw_text_of(name), true));
    publish_wheel();
    wait_for("WITHHELD_DONE(away=['gold-1.0-py3-none-any.whl']", 1);
    parcel p = pack("gold", 1000);
    ck_bytes(away, &p.bytes);
    piw_buffer_fini(&p.bytes);
    ck_assert(is_there(".quarantine/gold/gold-1.0-py3-none-any.whl.metadata"));
    ck_assert(!is_there("simple/gold/gold-1.0-py3-none-any.whl"));
    ck_assert(!is_there("simple/gold/gold-1.0-py3-none-any.whl.metadata"));
}
END_TEST

/* Too long a name has no METADATA: one of 250 bytes goes all the same, and comes back, and is removed. */
START_TEST(a_long_name_goes_and_comes)
{
    char name[260], place[300], away[300];
    snprintf(name, sizeof(name), "gold-1.0+%0224d-py3-none-any.whl", 1);
    ck_assert_uint_eq(strlen(name), 250);
    snprintf(place, sizeof(place), "simple/gold/%s", name);
    snprintf(away, sizeof(away), ".quarantine/gold/%s", name);
    ck_assert_int_eq(piw_file_write(root, at(place), "a wheel", 7, 0, NULL), 0);
    begin_look(name);
    set("looks-held", "no");
    wait_for("WITHHELD_DONE(away=['gold-1.0+", 1);
    ck_assert(is_there(away) && !is_there(place));
    tell("archive", archive_WITHHELD_make(piw_text_of("gold"), piw_text_of(name), false));
    tell("archive", archive_LOOK_new());
    wait_for("back=['gold-1.0+", 1);
    ck_assert(is_there(place) && !is_there(away));
    tell("archive", archive_WITHHELD_make(piw_text_of("gold"), piw_text_of(name), true));
    tell("archive", archive_LOOK_new());
    wait_for("WITHHELD_DONE(away=['gold-1.0+", 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("looks");
    TCase *looks = tcase_create("looks");
    tcase_set_timeout(looks, 60);
    tcase_add_checked_fixture(looks, house, teardown);
    tcase_add_test(looks, a_publication_meanwhile_has_another_follow);
    tcase_add_test(looks, one_that_is_asked_for_meanwhile_follows);
    tcase_add_test(looks, without_a_publication_none_follows);
    tcase_add_test(looks, one_whose_namesake_is_out_of_reach_follows_it);
    tcase_add_test(looks, a_long_name_goes_and_comes);
    suite_add_tcase(suite, looks);
    return suite;
}
