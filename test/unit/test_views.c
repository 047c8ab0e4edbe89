/* test_views.c — views as the configuration has them: what is refused, and which view a slave fits. */
#include "unit.h"

#include "shared/views.h"

typedef struct given {
    const char *name, *text;
} given;

static const char *setting(void *arg, const char *name)
{
    for (const given *at = arg; at->name != NULL; at++)
        if (strcmp(at->name, name) == 0)
            return at->text;
    return NULL;
}

static const piw_view_machine bookworm_pi = {
    {"cp311", 5}, {"linux_armv7l", 12}, {"Raspbian GNU/Linux", 18}, {"12 (bookworm)", 13}, {"c03112", 6}};

static given two[] = {
    {"views", "bookworm-armhf trixie-arm64"},
    {"view:bookworm-armhf.abi", "cp311"},
    {"view:bookworm-armhf.platform", "[linux_armv7l, linux_armv6l]"},
    {"view:bookworm-armhf.os_name", "debian, raspbian"},
    {"view:bookworm-armhf.os_version", "12"},
    {"view:trixie-arm64.abi", "cp313"},
    {"view:trixie-arm64.platform", "linux_aarch64"},
    {"view:trixie-arm64.os_name", "*"},
    {"view:trixie-arm64.machine", "aarch64 d04170"},
    {"view:trixie-arm64.libraries", "libc.so.6 GLIBC_2.41"},
    {"view:trixie-arm64.stable_only", "1"},
    {"view:trixie-arm64.newest", "3"},
    {NULL, NULL},
};

static piw_text text(const char *s)
{
    return piw_text_of(s);
}

START_TEST(no_views)
{
    given none[] = {{NULL, NULL}};
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, none, &err), 0);
    ck_assert_uint_eq(views.count, 0);
    ck_assert_ptr_null(piw_views_fit(&views, &bookworm_pi));
    piw_views_fini(&views);
}
END_TEST

START_TEST(what_they_say)
{
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, two, &err), 0);
    ck_assert_uint_eq(views.count, 2);
    const piw_farm_view *first = &views.at[0], *second = &views.at[1];
    ck_assert(first->common && !second->common);
    ck_assert_str_eq(piw_view_queue(first), "cp311");
    ck_assert_str_eq(piw_view_queue(second), "trixie-arm64");
    ck_assert(first->pure_from_pypi && !second->pure_from_pypi);
    ck_assert(second->stable_only && second->newest == 3 && second->popular == 0);
    ck_assert_uint_eq(first->platforms.count, 2);
    ck_assert_uint_eq(second->libraries.count, 2);
    ck_assert_uint_eq(second->os_names.count, 0);
    ck_assert_ptr_eq(piw_views_of_queue(&views, text("cp311")), first);
    ck_assert_ptr_eq(piw_views_of_queue(&views, text("trixie-arm64")), second);
    ck_assert_ptr_null(piw_views_of_queue(&views, text("cp313")));
    ck_assert_ptr_eq(piw_views_find(&views, text("bookworm-armhf")), first);
    piw_views_fini(&views);
}
END_TEST

START_TEST(common_by_name)
{
    given more[PIW_COUNT(two) + 1];
    memcpy(more, two, sizeof(two));
    more[PIW_COUNT(two) - 1] = (given){"site.common", "trixie-arm64"};
    more[PIW_COUNT(two)] = (given){NULL, NULL};
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, more, &err), 0);
    ck_assert(!views.at[0].common && views.at[1].common);
    piw_views_fini(&views);
    more[PIW_COUNT(two) - 1].text = "nosuch";
    ck_assert_int_eq(piw_views_read(&views, setting, more, &err), PIW_ECONFIG);
    ck_assert_str_eq(err.text, "[site]: common: there is no [view:nosuch]");
}
END_TEST

START_TEST(which_fits)
{
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, two, &err), 0);
    const piw_farm_view *first = &views.at[0], *second = &views.at[1];
    piw_view_machine machine = bookworm_pi;
    ck_assert_ptr_eq(piw_views_fit(&views, &machine), first);
    machine.os_version = text("12.5");
    ck_assert_ptr_eq(piw_views_fit(&views, &machine), first);
    machine.platform = text("linux_armv6l");
    ck_assert_ptr_eq(piw_views_fit(&views, &machine), first);
    static const char *const others[] = {"11", "1", "", "120", "12a0"};
    for (size_t i = 0; i < 4; i++) {
        machine.os_version = text(others[i]);
        ck_assert_msg(piw_views_fit(&views, &machine) == NULL, "version '%s'", others[i]);
    }
    machine = bookworm_pi;
    machine.os_name = text("Ubuntu");
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    machine.os_name = text("GNU/Debian Linux");
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    machine = bookworm_pi;
    machine.abi = text("cp39");
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    machine.abi = text("cp313");
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    machine.platform = text("linux_aarch64");
    ck_assert_ptr_eq(piw_views_fit(&views, &machine), second);
    machine = (piw_view_machine){0};
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    piw_views_fini(&views);
}
END_TEST

START_TEST(machine_or_board)
{
    given one[] = {{"views", "pi5"},
                   {"view:pi5.abi", "cp313"},
                   {"view:pi5.platform", "linux_aarch64"},
                   {"view:pi5.machine", "d04170"},
                   {NULL, NULL}};
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, one, &err), 0);
    piw_view_machine machine = {text("cp313"), text("linux_aarch64"), text("Debian"), text("13"), text("D04170")};
    ck_assert_ptr_eq(piw_views_fit(&views, &machine), &views.at[0]);
    machine.board = text("c03112");
    ck_assert_ptr_null(piw_views_fit(&views, &machine));
    piw_views_fini(&views);
}
END_TEST

static built_file file(const char *interpreters, const char *abi, const char *platform)
{
    return (built_file){
        .state = {.py_version_tag = text(interpreters), .abi_tag = text(abi), .platform_tag = text(platform)}};
}

START_TEST(whose_a_build_is)
{
    piw_views views;
    piw_err err = {0};
    ck_assert_int_eq(piw_views_read(&views, setting, two, &err), 0);
    built_file files[] = {file("py3", "none", "any"), file("py2.py3", "none", "any"), file("cp313", "none", "any")};
    const piw_text own = text("trixie-arm64");
    ck_assert(piw_text_is(piw_views_owner(&views, own, files, 1), "cp311"));
    ck_assert(piw_text_is(piw_views_owner(&views, own, files, 2), "cp311"));
    ck_assert(piw_text_eq(piw_views_owner(&views, own, files, 0), own));
    ck_assert_msg(piw_text_eq(piw_views_owner(&views, own, files, 3), own), "one isn't for the common view's Python");
    ck_assert(piw_text_is(piw_views_owner(&views, text("cp311"), files, 3), "cp311"));
    ck_assert_msg(piw_text_is(piw_views_owner(&views, text("cp39"), files, 1), "cp39"), "an ABI that no view has");
    files[1] = file("cp311", "none", "any");
    ck_assert_msg(piw_text_eq(piw_views_owner(&views, own, files, 2), own), "one isn't for its own Python");
    files[1] = file("py3", "none", "linux_aarch64");
    ck_assert(piw_text_eq(piw_views_owner(&views, own, files, 2), own));
    files[1] = file("cp32", "abi3", "any");
    ck_assert(piw_text_eq(piw_views_owner(&views, own, files, 2), own));
    piw_views_fini(&views);
}
END_TEST

START_TEST(names)
{
    static const char *const good[] = {"bookworm-arm64", "bookworm", "debian-12.5", "12", "pi5"};
    static const char *const bad[] = {"",
                                      "Bookworm",
                                      "-a",
                                      ".a",
                                      "a_b",
                                      "a/b",
                                      "simple",
                                      "project",
                                      "logs",
                                      "json",
                                      "p",
                                      "index.html",
                                      "packages.json",
                                      "sitemap0.xml",
                                      "cp311",
                                      "py3",
                                      "pypy310",
                                      "abi3",
                                      "none",
                                      "abcdefghijklmnopqrstuvwxyz0123456",
                                      "a b",
                                      "\xc3\xa4"};
    for (size_t i = 0; i < PIW_COUNT(good); i++) {
        ck_assert_msg(piw_view_name_fault(text(good[i])) == NULL, "%s", good[i]);
        ck_assert(piw_queue_acceptable(text(good[i])));
    }
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(piw_view_name_fault(text(bad[i])) != NULL, "%s", bad[i]);
    ck_assert(piw_queue_acceptable(text("cp311")));
    ck_assert(!piw_queue_acceptable(text("a/b")));
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *key, *text, *why;
    } cases[] = {
        {"view:a.abi", "", "[view:a]: abi is missing: the ABI of its slaves, such as cp311"},
        {"view:a.abi", "py3", "[view:a]: abi is no ABI tag of an interpreter, such as cp311"},
        {"view:a.platform", " ",
         "[view:a]: platform is missing: what its slaves' wheels are for, such as linux_aarch64"},
        {"view:a.platform", "Linux", "[view:a]: platform has a word that is no platform's tag, such as linux_aarch64"},
        {"view:a.platform", "any", "[view:a]: platform says any, which every view takes"},
        {"view:a.os_version", "bookworm", "[view:a]: os_version is no number with dots, such as 12 or 12.5"},
        {"view:a.os_version", "12.", "[view:a]: os_version is no number with dots, such as 12 or 12.5"},
        {"views", "a logs", "[view:logs]: the site uses this name itself"},
        {"views", "a p", "[view:p]: the site uses this name itself"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        given one[] = {{cases[i].key, cases[i].text},
                       {"views", "a"},
                       {"view:a.abi", "cp311"},
                       {"view:a.platform", "linux_armv7l"},
                       {NULL, NULL}};
        piw_views views;
        piw_err err = {0};
        ck_assert_int_eq(piw_views_read(&views, setting, one, &err), PIW_ECONFIG);
        ck_assert_str_eq(err.text, cases[i].why);
        ck_assert_uint_eq(views.count, 0);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("views");
    TCase *tests = tcase_create("views");
    tcase_add_test(tests, no_views);
    tcase_add_test(tests, what_they_say);
    tcase_add_test(tests, common_by_name);
    tcase_add_test(tests, which_fits);
    tcase_add_test(tests, machine_or_board);
    tcase_add_test(tests, whose_a_build_is);
    tcase_add_test(tests, names);
    tcase_add_test(tests, refused);
    suite_add_tcase(suite, tests);
    return suite;
}
