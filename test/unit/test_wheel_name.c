/* Names of wheels, and what METADATA and RECORD say. */
#include "shared/metadata.h"
#include "shared/record.h"
#include "shared/wheel_name.h"

#include "unit.h"

#include <stdio.h>

START_TEST(names_come_apart)
{
    piw_wheel_name name;
    ck_assert_int_eq(piw_wheel_name_parse(piw_text_of("MarkupSafe-2.1.2-cp311-cp311-linux_armv7l.whl"), &name, NULL),
                     0);
    ck_assert_str_eq(name.package, "MarkupSafe");
    ck_assert_str_eq(name.canonical, "markupsafe");
    ck_assert_str_eq(name.version, "2.1.2");
    ck_assert_str_eq(name.build, "");
    ck_assert_str_eq(name.py, "cp311");
    ck_assert_str_eq(name.abi, "cp311");
    ck_assert_str_eq(name.platform, "linux_armv7l");
    ck_assert_int_eq(piw_wheel_name_parse(piw_text_of("a_b-1.0+x.1-1build-py2.py3-none-any.whl"), &name, NULL), 0);
    ck_assert_str_eq(name.build, "1build");
    ck_assert_str_eq(name.canonical, "a-b");
    ck_assert_str_eq(name.py, "py2.py3");
}
END_TEST

START_TEST(what_is_no_wheel_name_is_refused)
{
    static const char *const bad[] = {
        "",
        ".whl",
        "a.whl",
        "a-1-py3-none.whl",
        "a-1-py3-none-any",
        "a-1-py3-none-any.WHL",
        "a-1-x-py3-none-any.whl",
        "a-1-1-2-py3-none-any.whl",
        "a--py3-none-any.whl",
        "-1-py3-none-any.whl",
        ".a-1-py3-none-any.whl",
        "../a-1-py3-none-any.whl",
        "/a-1-py3-none-any.whl",
        "a-1/2-py3-none-any.whl",
        "a-1\\2-py3-none-any.whl",
        "a-1-py3-none-any\n.whl",
        "a\xff-1-py3-none-any.whl",
        "a-1-py3-no ne-any.whl",
        "a-1-py3.-none-any.whl",
        "a b-1-py3-none-any.whl",
    };
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_wheel_name name;
        piw_err err = {0};
        ck_assert_msg(piw_wheel_name_parse(piw_text_of(bad[i]), &name, &err) == PIW_EINVAL, "\"%s\" was taken", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "is refused"));
    }
    char longest[300];
    int n = snprintf(longest, sizeof longest, "a-%0240d-py3-none-any.whl", 1);
    piw_wheel_name name;
    ck_assert_int_gt(n, PIW_FILENAME_MAX);
    ck_assert_int_ne(piw_wheel_name_parse(piw_text_of(longest), &name, NULL), 0);
}
END_TEST

static int parse(const char *text, piw_metadata *metadata)
{
    return piw_metadata_parse(text, strlen(text), metadata, NULL);
}

START_TEST(metadata_is_read)
{
    piw_metadata m;
    ck_assert_int_eq(parse("Metadata-Version: 2.1\r\nName: Gold.Pure\r\nVersion: 1.2\r\nRequires-Python: >=3.6\n"
                           "Requires-Dist: MarkupSafe (>=1.0)\nRequires-Dist: tomli>=1; python_version < \"3.11\"\n"
                           "Requires-Dist: pytest ; extra == 'test'\nRequires-Dist: x[y]; 'extra' in platform_machine\n"
                           "Requires-Dist: z; python_version<'3' and (extra=='q')\nRequires-Dist: tomli\n"
                           "Requires-Dist: ??\nSummary: all\n  of it\n\nName: not a field\nRequires-Dist: late\n",
                           &m),
                     0);
    ck_assert_str_eq(m.name, "Gold.Pure");
    ck_assert_str_eq(m.version, "1.2");
    ck_assert_str_eq(m.requires_python, ">=3.6");
    ck_assert_uint_eq(m.requires_count, 3);
    ck_assert_str_eq(m.requires[0], "markupsafe");
    ck_assert_str_eq(m.requires[1], "tomli");
    ck_assert_str_eq(m.requires[2], "x");
    piw_metadata_fini(&m);
}
END_TEST

START_TEST(metadata_without_its_name_is_refused)
{
    piw_metadata m;
    ck_assert_int_eq(parse("Version: 1\n", &m), PIW_EREFUSED);
    ck_assert_int_eq(parse("Name: a\n\nVersion: 1\n", &m), PIW_EREFUSED);
    ck_assert_int_eq(parse("Name: a\nName: b\nVersion: 1\n", &m), PIW_EREFUSED);
    ck_assert_int_eq(piw_metadata_parse("Name: a\0\nVersion: 1\n", 20, &m, NULL), PIW_EREFUSED);
    ck_assert_int_eq(parse("", &m), PIW_EREFUSED);
}
END_TEST

#define HASH "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

static int record(const char *text, piw_record *r)
{
    return piw_record_parse(text, strlen(text), r, NULL);
}

START_TEST(records_are_read)
{
    piw_record r;
    ck_assert_int_eq(record("b.py," HASH ",0\r\n\"a, \"\"b\"\".py\"," HASH ",12\nx.dist-info/RECORD,,\n\n", &r), 0);
    ck_assert_uint_eq(r.count, 3);
    const piw_record_line *line = piw_record_find(&r, "a, \"b\".py", 9);
    ck_assert_ptr_nonnull(line);
    ck_assert(line->has_hash && line->has_size);
    ck_assert_uint_eq(line->size, 12);
    ck_assert_uint_eq(line->sha256[0], 0xe3);
    ck_assert_uint_eq(line->sha256[31], 0x55);
    ck_assert(!piw_record_find(&r, "x.dist-info/RECORD", 18)->has_hash);
    ck_assert_ptr_null(piw_record_find(&r, "c.py", 4));
    piw_record_fini(&r);
}
END_TEST

START_TEST(bad_records_are_refused)
{
    static const char *const bad[] = {
        "a.py",
        "a.py," HASH,
        "a.py," HASH ",1,2",
        "a.py,md5=abc,1",
        "a.py,sha256=abc,1",
        "a.py," HASH "A,1",
        "a.py," HASH ",x",
        "a.py," HASH ",99999999999999999999",
        ",,",
        "a.py,,\na.py,,",
        "\"a.py,,",
        "a\"b,,",
        "\"a\"b,,",
        "a,,\rb,,\rc,,\rd,,\r",
    };
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_record r;
        ck_assert_msg(record(bad[i], &r) == PIW_EREFUSED, "\"%s\" was taken", bad[i]);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("wheel_name");
    TCase *tests = tcase_create("names");
    tcase_add_test(tests, names_come_apart);
    tcase_add_test(tests, what_is_no_wheel_name_is_refused);
    tcase_add_test(tests, metadata_is_read);
    tcase_add_test(tests, metadata_without_its_name_is_refused);
    tcase_add_test(tests, records_are_read);
    tcase_add_test(tests, bad_records_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
