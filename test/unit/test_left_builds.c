/* Builds that are finished as those that were left: the first question about them can't be asked. */
#include "site_house.h"

#include <stdlib.h>

static const char *const packages[] = {"gold", "silver"};

/* Fault points are read when a program begins: it begins again. */
__attribute__((constructor)) static void arm(int argc, char **argv)
{
    (void)argc;
    if (getenv("PIW_FAULTS") == NULL && setenv("PIW_FAULTS", "juggler.left=error:1", 1) == 0)
        execv("/proc/self/exe", argv);
}

/* A small build, which isn't published. Its wheel is stored as the one that the database has. */
static void receive(int64_t build_id, const char *package)
{
    parcel own = pack(package, 2000);
    store(package, own.name, own.hash);
    expect_last(&own, build_id, build_id, package, "all is well");
    transfer(&own, build_id);
    piw_msg *verdict = verify(build_id, build_id);
    ck_assert(is_staged_too(verdict));
    piw_msg_free(&verdict);
    piw_buffer_fini(&own.bytes);
}

/* Nothing can be put where the package's wheels belong. */
static void block(const char *package)
{
    char folder[64];
    snprintf(folder, sizeof(folder), "simple/%s", package);
    piw_err err = {0};
    ck_assert_msg(piw_file_write(root, at(folder), "x", 1, 0, &err) == 0, "%s", err.text);
}

static void unblock(const char *package)
{
    char folder[64];
    snprintf(folder, sizeof(folder), "simple/%s", package);
    ck_assert_int_eq(unlink(at(folder)), 0);
}

static void know_both(void)
{
    archive_KNOWN *body;
    piw_msg *msg = archive_KNOWN_new(&body);
    piw_msg_list(msg, &body->build_ids, 2);
    body->build_ids.at[0] = BUILD;
    body->build_ids.at[1] = BUILD + 1;
    tell("archive", msg);
}

START_TEST(they_are_asked_about_later)
{
    know_both();
    for (int i = 0; i < 2; i++) {
        block(packages[i]);
        receive(BUILD + i, packages[i]);
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_ne(try_publish(BUILD + i, packages[i]), 0);
    for (int i = 0; i < 2; i++)
        unblock(packages[i]);
    wait_there("simple/gold/gold-1.0-py3-none-any.whl");
    wait_there("simple/silver/silver-1.0-py3-none-any.whl");
    wait_gone(".staging/000123456789");
    wait_gone(".staging/000123456790");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("left_builds");
    TCase *cases = tcase_create("left_builds");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, they_are_asked_about_later);
    suite_add_tcase(suite, cases);
    return suite;
}
