/* Pages that are written stay among the saved requests until a sync of the site that began afterwards has ended well; the first one
 * here doesn't. */
#include "site_house.h"

/* Fault points are read when a program begins: it begins again. */
__attribute__((constructor)) static void arm(int argc, char **argv)
{
    (void)argc;
    if (getenv("PIW_FAULTS") == NULL && setenv("PIW_FAULTS", "secretary.sync=error:1", 1) == 0)
        execv("/proc/self/exe", argv);
}

/* What a master would save that ends now. */
static bool is_saved(const char *line)
{
    void *lines;
    size_t len;
    ck_assert_int_eq(piw_file_read(rewrites_file, 1000, &lines, &len, NULL), 0);
    bool there = strstr(lines, line) != NULL;
    free(lines);
    return there;
}

START_TEST(what_is_written_stays_saved_until_it_is_synced)
{
    wait_for("REWRITES_SAVE(rewrites=[])", 1);
    store("gold", NULL, NULL);
    tell("web", web_WRITE_make(piw_text_of("gold"), true));
    ck_assert(is_there("simple/gold/index.html"));
    wait_for("REWRITES_SAVE(rewrites=[(package='gold'", 1);
    wait_for("REWRITES_SAVE(rewrites=[])", 2);
    end();
    ck_assert(!is_saved("gold"));
}
END_TEST

START_TEST(it_does_over_swaps_and_the_end)
{
    wait_for("REWRITES_SAVE(rewrites=[])", 1); /* nothing is saved before what was saved last is read */
    store("gold", NULL, NULL);
    store("silver", NULL, NULL);
    tell("web", web_WRITE_make(piw_text_of("gold"), true));
    tell("web", web_WRITE_make(piw_text_of("silver"), false));
    piw_err err = {0};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(piw_runtime_replace(runtime, "the_secretary", "the_secretary.so", &err) == 0, "%s", err.text);
    tell("web", web_WRITE_make(piw_text_of("gold"), false));
    end();
    ck_assert(is_saved("BOTH gold\n"));
    ck_assert(is_saved("PROJECT silver\n"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("synced_pages");
    TCase *pages = tcase_create("pages");
    tcase_set_timeout(pages, 60);
    tcase_add_checked_fixture(pages, setup, teardown);
    tcase_add_test(pages, what_is_written_stays_saved_until_it_is_synced);
    tcase_add_test(pages, it_does_over_swaps_and_the_end);
    suite_add_tcase(suite, pages);
    return suite;
}
