/* Names of wheels, and what METADATA and RECORD say. */
#include "shared/metadata.h"
#include "shared/wheel_name.h"
#include "shared/wheel_record.h"

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
        /* What installers don't read. */
        "a-latest-py3-none-any.whl",
        "a-1.0..0-py3-none-any.whl",
        "a-1.0_1-py3-none-any.whl",
        "a-2004d-py3-none-any.whl",
        "a-1.0+-py3-none-any.whl",
        "a- 1.0-py3-none-any.whl",
        "a__b-1.0-py3-none-any.whl",
        "a-1.0-1'-py3-none-any.whl",
        "a-1.0-1%2f-py3-none-any.whl",
        "a-1.0-1<b>-py3-none-any.whl",
        "a-1.0-1#-py3-none-any.whl",
    };
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_wheel_name name;
        piw_err err = {0};
        ck_assert_msg(piw_wheel_name_parse(piw_text_of(bad[i]), &name, &err) == PIW_EINVAL, "\"%s\" was taken", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "is refused"));
    }
    char longest[300];
    int n = snprintf(longest, sizeof(longest), "a-%0240d-py3-none-any.whl", 1);
    piw_wheel_name name;
    ck_assert_int_gt(n, PIW_FILENAME_MAX);
    ck_assert_int_ne(piw_wheel_name_parse(piw_text_of(longest), &name, NULL), 0);
}
END_TEST

/* In an index of an adopted database: what installers read stays, whatever else is odd about it. */
START_TEST(names_that_installers_read_are_told_from_others)
{
    static const struct {
        const char *name;
        bool readable;
    } cases[] = {
        {"a-1.0-py3-none-any.whl", true},      {"a-1.0-1%-py3-none-any.whl", true},
        {"a-1.0+ab_1-py3-none-any.whl", true}, {"a-1!2.0.post1.dev2-2_x-py3-none-any.whl", true},
        {"a-v1.0-py3-none-any.whl", true},     {"a-1.0_post1-py3-none-any.whl", true},
        {"a-latest-py3-none-any.whl", false},  {"a-1.0..0-py3-none-any.whl", false},
        {"a-1.0_1-py3-none-any.whl", false},   {"a-1.0-x-py3-none-any.whl", false},
        {"a-1.0-py3-any.whl", false},          {"a__b-1.0-py3-none-any.whl", false},
        {"a-1.0-py3-none-any.zip", false},     {"a+b-1.0-py3-none-any.whl", false},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_wheel_name name;
        ck_assert_msg(piw_wheel_name_readable(piw_text_of(cases[i].name)) == cases[i].readable, "%s", cases[i].name);
        ck_assert(cases[i].readable || piw_wheel_name_parse(piw_text_of(cases[i].name), &name, NULL) == PIW_EINVAL);
    }
    /* A path all the same. */
    piw_wheel_name name;
    ck_assert_int_eq(piw_wheel_name_split(piw_text_of("a-latest-py3-none-any.whl"), &name, NULL), 0);
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
                           "Summary: all\n  of it\n\nName: not a field\nRequires-Dist: late\n",
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

/* A line that begins with a blank goes on with the one before (RFC 5322, 2.2.3), in every field. */
START_TEST(folded_fields_are_read_to_their_end)
{
    piw_metadata m;
    ck_assert_int_eq(parse("Metadata-Version:\n 2.1\nName:\r\n\tGold\r\nVersion: \n 1.2\nRequires-Python: >=3.6,\n"
                           " !=3.7.*,\r\n\t<3.12\nRequires-Dist:\n silver\n  >=1\nRequires-Dist: zinc;\n extra\n"
                           "\t==\r\n 'x'\nRequires-Dist: iron ; python_version\n < '3'\nSummary: all\n  of it\n \n"
                           "\tand more\n\n folded: no\n",
                           &m),
                     0);
    ck_assert_str_eq(m.metadata_version, "2.1");
    ck_assert_str_eq(m.name, "Gold");
    ck_assert_str_eq(m.version, "1.2");
    ck_assert_str_eq(m.requires_python, ">=3.6, !=3.7.*, <3.12");
    ck_assert_str_eq(m.summary, "all  of it  and more");
    ck_assert_uint_eq(m.requires_count, 2);
    ck_assert_str_eq(m.requires[0], "iron");
    ck_assert_str_eq(m.requires[1], "silver");
    piw_metadata_fini(&m);
}
END_TEST

START_TEST(extras_are_seen_wherever_they_are_compared)
{
    static const struct {
        const char *requirement;
        bool extra;
    } cases[] = {
        {"x; extra == 'test'", true},
        {"x;extra==\"test\"", true},
        {"x; \"test\"==extra", true},
        {"x; 'test'==extra", true},
        {"x; 'test' == extra", true},
        {"x; python_version<'3'and'q'==extra", true},
        {"x; (('q'==extra)or(extra=='r'))", true},
        {"x; python_version < \"3\" and (extra in \"a b\")", true},
        {"x[y]>=1,<2;(extra=='q')", true},
        {"x @ https://example.org/a;b.zip ; extra == 'q'", true},
        {"x @ https://example.org/a;extra=1.zip", false},
        {"x @ https://example.org/a;extra=1.zip ; python_version<'3'", false},
        {"x; 'extra' in platform_machine", false},
        {"x; platform_machine == \"'extra\"", false},
        {"x; platform_version == 'extra == 1'", false},
        {"extra", false},
        {"extra; python_version > '3'", false},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char text[256];
        piw_metadata m;
        snprintf(text, sizeof(text), "Name: a\nVersion: 1\nRequires-Dist: %s\n", cases[i].requirement);
        ck_assert_int_eq(parse(text, &m), 0);
        ck_assert_msg((m.requires_count == 0) == cases[i].extra, "%s", cases[i].requirement);
        piw_metadata_fini(&m);
    }
}
END_TEST

START_TEST(headers_that_readers_take_differently_are_refused)
{
    static const char *const bad[] = {
        "Name: a\nVersion: 1\rRequires-Python: <3\n",
        "Name: a\r\r\nVersion: 1\n",
        "Name: a\nno field\nVersion: 1\n",
        "Name: a\nVersion : 1\n",
        "Name: a\nVersion: 1\n: x\n",
        " Name: a\nName: a\nVersion: 1\n",
        "\xef\xbb\xbfName: a\nVersion: 1\n",
        "Name: a\nVersion: 1\nAuthor: J\xfcrgen\n",
        "Name: a\nVersion: 1\nRequires-Python: >=3\nRequires-Python: <3\n",
        "Name: a\nVersion: 1\nRequires-Python: >=3\x01\n",
    };
    for (size_t i = 0; i < PIW_COUNT(bad); i++) {
        piw_metadata m;
        ck_assert_msg(parse(bad[i], &m) == PIW_EREFUSED, "\"%s\" was taken", bad[i]);
    }
    char longest[400];
    piw_metadata m;
    snprintf(longest, sizeof(longest), "Name: a\nVersion: 1\nRequires-Python: >=%0199d\n", 3);
    ck_assert_int_eq(parse(longest, &m), PIW_EREFUSED);
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

static int record(const char *text, piw_wheel_record *r)
{
    return piw_wheel_record_parse(text, strlen(text), r, NULL);
}

START_TEST(records_are_read)
{
    piw_wheel_record r;
    ck_assert_int_eq(record("b.py," HASH ",0\r\n\"a, \"\"b\"\".py\"," HASH ",12\nx.dist-info/RECORD,,\n\n", &r), 0);
    ck_assert_uint_eq(r.count, 3);
    const piw_wheel_record_line *line = piw_wheel_record_find(&r, "a, \"b\".py", 9);
    ck_assert_ptr_nonnull(line);
    ck_assert_uint_eq(line->hash_len, PIW_WHEEL_RECORD_SHA256);
    ck_assert(line->has_size);
    ck_assert_uint_eq(line->size, 12);
    ck_assert_uint_eq(line->hash[0], 0xe3);
    ck_assert_uint_eq(line->hash[31], 0x55);
    ck_assert_uint_eq(piw_wheel_record_find(&r, "x.dist-info/RECORD", 18)->hash_len, 0);
    ck_assert_ptr_null(piw_wheel_record_find(&r, "c.py", 4));
    for (size_t i = 0; i < r.count; i++)
        ck_assert_uint_eq(strlen(r.lines[i].path), r.lines[i].path_len);
    piw_wheel_record_fini(&r);
}
END_TEST

#define HASH384 "sha384=OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb"
#define HASH512 "sha512=z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg_SpIdNs6c5H0NE8XYXysP-DGNKHfuwvY7kxvUdBeoGlODJ6-SfaPg"

START_TEST(longer_hashes_are_read)
{
    piw_wheel_record r;
    ck_assert_int_eq(record("a," HASH384 ",0\nb," HASH512 ",0\nc," HASH ",0\n", &r), 0);
    const piw_wheel_record_line *line = piw_wheel_record_find(&r, "a", 1);
    ck_assert_uint_eq(line->hash_len, PIW_WHEEL_RECORD_SHA384);
    ck_assert_uint_eq(line->hash[0], 0x38);
    ck_assert_uint_eq(line->hash[47], 0x5b);
    line = piw_wheel_record_find(&r, "b", 1);
    ck_assert_uint_eq(line->hash_len, PIW_WHEEL_RECORD_SHA512);
    ck_assert_uint_eq(line->hash[0], 0xcf);
    ck_assert_uint_eq(line->hash[63], 0x3e);
    piw_wheel_record_fini(&r);
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
        "a.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0",
        "a.py,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0",
        "a.py,sha224=0UoCjCo6K8lHYQK7KII0xBWisB-CjqYqxbPkLw,0",
        "a.py,sha3_256=p__G-L8e12ZRwUdWoGHWYvWA_03kO0n6gtgKS4D4Q0o,0",
        "a.py," HASH384 "A,1",
        "a.py,sha512=OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb,0",
        "a.py," HASH512 "==,0",
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
        piw_wheel_record r;
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
    tcase_add_test(tests, names_that_installers_read_are_told_from_others);
    tcase_add_test(tests, metadata_is_read);
    tcase_add_test(tests, folded_fields_are_read_to_their_end);
    tcase_add_test(tests, extras_are_seen_wherever_they_are_compared);
    tcase_add_test(tests, headers_that_readers_take_differently_are_refused);
    tcase_add_test(tests, metadata_without_its_name_is_refused);
    tcase_add_test(tests, records_are_read);
    tcase_add_test(tests, longer_hashes_are_read);
    tcase_add_test(tests, bad_records_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
