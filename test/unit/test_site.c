/* Page requests from their asking to the pages on disk, over swaps, an absent database and the end; and what pip makes
 * of the pages. */
#include "site_house.h"

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

/* --- Pages --- */

enum { HOLD_NS = 2000000000 /* less than is held */ };

/* Until the scribe has looked for pages of an older form: it writes them, asked or not. */
static void wait_for_form(void)
{
    for (int64_t until_ns = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000);; poll(NULL, 0, 10)) {
        char *form = content(".pages");
        bool all = strstr(form, "\nall\n") != NULL;
        free(form);
        if (all)
            return;
        ck_assert_msg(piw_monotonic_ns() < until_ns, "the scribe still looks for pages of an older form");
    }
}

static void setup_holding(void)
{
    hold = "3s";
    setup();
}

static void setup_holding_long(void)
{
    hold = "1h";
    setup();
}

START_TEST(requests_are_held_and_merged)
{
    wait_for_form();
    int64_t began_ns = piw_monotonic_ns();
    store("gold", NULL, NULL);
    store("silver", NULL, NULL);
    for (int i = 0; i < 5; i++)
        web(i == 3 ? "BOTH" : "PROJECT", "gold", false);
    web("PROJECT", "silver", true);
    wait_for("PROJECT(package='silver')", 1);
    ck_assert(count_of("PROJECT(package='gold')") == 0 || piw_monotonic_ns() - began_ns > HOLD_NS);
    wait_for("PROJECT(package='gold')", 1);
    /* Errands of one package follow each other, so after this one the first is written. */
    tell("scribe", scribe_PROJECT_make(piw_text_of("gold")));
    ck_assert(is_there("simple/gold/index.html"));
    ck_assert(!is_there("simple/silver"));
    ck_assert_int_eq(count_of("PROJECT(package='gold')"), 2);
}
END_TEST

START_TEST(bulk_work_is_answered_when_it_is_written)
{
    wait_for_form(); /* which would write all of silver's pages */
    store("gold", NULL, NULL);
    store("silver", NULL, NULL);
    piw_msg *soon = scribe_SOON_make(piw_text_of("copper"));
    ck_assert_int_eq(piw_runtime_call(runtime, "scribe", &soon, 0, NULL, NULL), 0);
    tell("scribe", scribe_BULK_make(piw_text_of("silver"), false));
    ck_assert(is_there("project/silver/index.html"));
    ck_assert(!is_there("simple/silver"));
    tell("scribe", scribe_BULK_make(piw_text_of("gold"), true));
    ck_assert(is_there("simple/gold/index.html"));
}
END_TEST

START_TEST(a_removed_package_loses_its_pages_after_the_root_list)
{
    store("gold", NULL, NULL);
    store("silver", NULL, NULL);
    tell("scribe", scribe_BOTH_make(piw_text_of("gold")));
    tell("scribe", scribe_BOTH_make(piw_text_of("silver")));
    tell("archive", archive_FORGET_make(piw_text_of("gold")));
    tell("scribe", scribe_DELPKG_make(piw_text_of("gold")));
    ck_assert(!is_there("simple/gold"));
    ck_assert(!is_there("project/gold"));
    ck_assert(is_there("simple/silver/index.html"));
    char *list = content("simple/index.html");
    ck_assert_ptr_null(strstr(list, "gold"));
    ck_assert_ptr_nonnull(strstr(list, "<a href=\"silver/\">silver</a>"));
    free(list);
    /* DELPKG at once, whatever was held. */
    web("BOTH", "silver", false);
    tell("archive", archive_FORGET_make(piw_text_of("silver")));
    web("DELPKG", "silver", false);
    wait_for("PROJECT(package='silver')", 2);
    tell("scribe", scribe_DELPKG_make(piw_text_of("silver")));
    ck_assert(!is_there("simple/silver"));
}
END_TEST

START_TEST(what_is_held_survives)
{
    store("gold", NULL, NULL);
    web("BOTH", "gold", false);
    wait_for("REWRITES_SAVE(rewrites=[(package='gold'", 1);
}
END_TEST

START_TEST(what_is_held_at_the_end_is_saved)
{
    /* The first save says that what an earlier run held has been read; nothing else is saved before the end. */
    wait_for("REWRITES_SAVE(", 1);
    web("PROJECT", "silver", false);
    web("BOTH", "gold", false);
    end();
    void *lines;
    size_t len;
    ck_assert_int_eq(piw_file_read(rewrites_file, 1000, &lines, &len, NULL), 0);
    ck_assert_ptr_nonnull(strstr(lines, "BOTH gold\n"));
    ck_assert_ptr_nonnull(strstr(lines, "PROJECT silver\n"));
    free(lines);
}
END_TEST

START_TEST(a_database_that_is_away_only_delays)
{
    wait_for_form(); /* which would ask for gold as well */
    store("gold", NULL, NULL);
    set("away", "yes");
    web("BOTH", "gold", true);
    wait_for("PROJECT(package='gold')", 1);
    set("away", "no");
    wait_there("simple/gold/index.html");
}
END_TEST

START_TEST(swaps_of_secretary_and_scribe_lose_no_request)
{
    store("gold", NULL, NULL);
    store("silver", NULL, NULL);
    web("BOTH", "gold", false);
    piw_err err = {0};
    for (int i = 0; i < 5; i++) {
        ck_assert_msg(piw_runtime_replace(runtime, "the_secretary", "the_secretary.so", &err) == 0, "%s", err.text);
        web("BOTH", "silver", true);
        ck_assert_msg(piw_runtime_replace(runtime, "the_scribe", "the_scribe.so", &err) == 0, "%s", err.text);
    }
    wait_for("PROJECT(package='silver')", 1);
    wait_for("PROJECT(package='gold')", 1);
    tell("scribe", scribe_PROJECT_make(piw_text_of("gold")));
    tell("scribe", scribe_PROJECT_make(piw_text_of("silver")));
    ck_assert(is_there("simple/gold/index.html"));
    ck_assert(is_there("simple/silver/index.html"));
}
END_TEST

/* --- What installers make of it --- */

/* Run Debian's pip, bounded, with nobody's configuration; its exit status. */
static int pip(const char *const *args)
{
    const char *argv[20] = {"timeout", "100", "/usr/bin/python3", "-m", "pip"};
    size_t n = 5;
    while (*args != NULL)
        argv[n++] = *args++;
    char home[64];
    snprintf(home, sizeof(home), "HOME=%s", dir);
    const char *env[] = {home,
                         "PATH=/usr/bin:/bin",
                         "LC_ALL=C.UTF-8",
                         "PIP_CONFIG_FILE=/dev/null",
                         "PIP_NO_CACHE_DIR=1",
                         "PIP_DISABLE_PIP_VERSION_CHECK=1",
                         "PIP_ROOT_USER_ACTION=ignore",
                         NULL};
    pid_t pid;
    ck_assert_int_eq(
        posix_spawn(&pid, "/usr/bin/timeout", NULL, NULL, (char **)(uintptr_t)argv, (char **)(uintptr_t)env), 0);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(pip_takes_what_is_published)
{
    parcel p = pack("gold", 1000);
    store("gold", p.name, p.hash);
    expect(&p, BUILD, 7, "local", "gold");
    transfer(&p, 7);
    ck_good(BUILD, 7);
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    tell("scribe", scribe_BOTH_make(piw_text_of("gold")));
    char index[96], target[64], found[400];
    snprintf(index, sizeof(index), "file://%s/simple", root);
    snprintf(target, sizeof(target), "%s/target", dir);
    ck_assert_int_eq(pip((const char *[]){"-q", "download", "-i", index, "-d", target, "gold==1.0", NULL}), 0);
    snprintf(found, sizeof(found), "%s/%s", target, p.name);
    ck_assert_int_eq(access(found, F_OK), 0);
    ck_assert_int_eq(pip((const char *[]){"-q", "install", "-i", index, "-t", target, "gold", NULL}), 0);
    snprintf(found, sizeof(found), "%s/noise.bin", target);
    ck_assert_int_eq(access(found, F_OK), 0);
    /* Another hash on the page, and pip refuses the same file. */
    store("gold", p.name, "4ba2136a5bc66d60f3d9c45ae6dda132465e5c4f759b80b73b700b5c7faccd68");
    tell("scribe", scribe_BOTH_make(piw_text_of("gold")));
    ck_assert_int_ne(pip((const char *[]){"-q", "download", "-i", index, "-d", target, "--no-deps", "gold", NULL}), 0);
    piw_buffer_fini(&p.bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("site");
    TCase *pages = tcase_create("pages");
    tcase_set_timeout(pages, 60);
    tcase_add_checked_fixture(pages, setup, teardown);
    tcase_add_test(pages, bulk_work_is_answered_when_it_is_written);
    tcase_add_test(pages, a_removed_package_loses_its_pages_after_the_root_list);
    tcase_add_test(pages, a_database_that_is_away_only_delays);
    tcase_add_test(pages, swaps_of_secretary_and_scribe_lose_no_request);
    suite_add_tcase(suite, pages);
    TCase *held = tcase_create("held");
    tcase_set_timeout(held, 60);
    tcase_add_checked_fixture(held, setup_holding, teardown);
    tcase_add_test(held, requests_are_held_and_merged);
    suite_add_tcase(suite, held);
    TCase *kept = tcase_create("kept");
    tcase_set_timeout(kept, 60);
    tcase_add_checked_fixture(kept, setup_holding_long, teardown);
    tcase_add_test(kept, what_is_held_survives);
    tcase_add_test(kept, what_is_held_at_the_end_is_saved);
    suite_add_tcase(suite, kept);
    TCase *installers = tcase_create("installers");
    tcase_set_timeout(installers, 110);
    tcase_add_checked_fixture(installers, setup, teardown);
    if (access("/usr/lib/python3/dist-packages/pip", F_OK) == 0)
        tcase_add_test(installers, pip_takes_what_is_published);
    else
        puts("skip pip_takes_what_is_published - Debian's pip isn't installed");
    suite_add_tcase(suite, installers);
    return suite;
}
