/* What ldd and dpkg print, taken apart. */
#include "../../tools/piw-slave/depends_parse.h"
#include "unit.h"

#include "../../tools/piw-slave/depends_parse.c"

static slave_ldd_kind ldd(const char *line, char *to)
{
    piw_text text = {0};
    slave_ldd_kind kind = slave_ldd_line(piw_text_of(line), &text);
    memcpy(to, text.s != NULL ? text.s : "", text.len);
    to[text.len] = '\0';
    return kind;
}

START_TEST(ldd_lines)
{
    char text[256];
    ck_assert_int_eq(ldd("\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f1)", text), SLAVE_LDD_PATH);
    ck_assert_str_eq(text, "/lib/x86_64-linux-gnu/libz.so.1");
    ck_assert_int_eq(ldd("\t/lib64/ld-linux-x86-64.so.2 (0x00007f1)", text), SLAVE_LDD_PATH);
    ck_assert_str_eq(text, "/lib64/ld-linux-x86-64.so.2");
    ck_assert_int_eq(ldd("\t/lib/ld-linux-armhf.so.3 => /lib/arm-linux-gnueabihf/ld-2.36.so (0xb6)", text),
                     SLAVE_LDD_PATH);
    ck_assert_str_eq(text, "/lib/arm-linux-gnueabihf/ld-2.36.so");
    ck_assert_int_eq(ldd("\tlibgone.so.3 => not found", text), SLAVE_LDD_MISSING);
    ck_assert_str_eq(text, "libgone.so.3");
    ck_assert_int_eq(ldd("\tlibz.so.1 => /opt/a b/libz.so.1 (0x1)", text), SLAVE_LDD_PATH);
    ck_assert_str_eq(text, "/opt/a b/libz.so.1");
}
END_TEST

START_TEST(ldd_other_lines)
{
    static const char *const lines[] = {
        "",
        "\t",
        "/tmp/x/0.so:",
        "\tlinux-vdso.so.1 (0x00007ffd)",
        "\tstatically linked",
        "\tnot a dynamic executable",
        "ldd: /tmp/x/1.so: not regular file",
        "\t => not",
        "\tlibx.so => (0x0)",
    };
    char text[256];
    for (size_t i = 0; i < PIW_COUNT(lines); i++)
        ck_assert_msg(ldd(lines[i], text) == SLAVE_LDD_NOTHING, "%s", lines[i]);
}
END_TEST

static void dpkg(const char *line, const char *package, const char *path)
{
    piw_text got_package, got_path;
    bool good = slave_dpkg_line(piw_text_of(line), &got_package, &got_path);
    ck_assert_msg(good == (package != NULL), "%s", line);
    if (package != NULL) {
        ck_assert_msg(piw_text_is(got_package, package), "%s", line);
        ck_assert_msg(piw_text_is(got_path, path), "%s", line);
    }
}

START_TEST(dpkg_lines)
{
    dpkg("zlib1g:amd64: /lib/x86_64-linux-gnu/libz.so.1", "zlib1g", "/lib/x86_64-linux-gnu/libz.so.1");
    dpkg("base-files: /lib", "base-files", "/lib");
    dpkg("libc6:armhf, libc6:arm64: /lib/ld.so", "libc6", "/lib/ld.so");
    dpkg("diversion by dash from: /bin/sh", NULL, NULL);
    dpkg("dpkg-query: no path found matching pattern /opt/x.so", NULL, NULL);
    dpkg(": /x", NULL, NULL);
    dpkg("", NULL, NULL);
}
END_TEST

START_TEST(spellings)
{
    char to[64];
    ck_assert(slave_other_spelling("/lib/x86_64-linux-gnu/libz.so.1", to, sizeof(to)));
    ck_assert_str_eq(to, "/usr/lib/x86_64-linux-gnu/libz.so.1");
    ck_assert(slave_other_spelling("/usr/lib/libz.so.1", to, sizeof(to)));
    ck_assert_str_eq(to, "/lib/libz.so.1");
    ck_assert(slave_other_spelling("/lib64/ld.so", to, sizeof(to)));
    ck_assert_str_eq(to, "/usr/lib64/ld.so");
    ck_assert(!slave_other_spelling("/opt/lib/libz.so.1", to, sizeof(to)));
    ck_assert(!slave_other_spelling("/library/x", to, sizeof(to)));
    ck_assert(!slave_other_spelling("/usr/local/lib/x", to, sizeof(to)));
    char tight[8];
    ck_assert(!slave_other_spelling("/lib/long/enough", tight, sizeof(tight)));
    ck_assert_str_eq(tight, "");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("slave_depends");
    TCase *group = tcase_create("depends");
    tcase_add_test(group, ldd_lines);
    tcase_add_test(group, ldd_other_lines);
    tcase_add_test(group, dpkg_lines);
    tcase_add_test(group, spellings);
    suite_add_tcase(suite, group);
    return suite;
}
