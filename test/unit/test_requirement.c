/* Requires-Python and Requires-Dist: what is taken is what python3-packaging 23.0 takes, but for an empty "===". */
#include "shared/requirement.h"
#include "shared/requires_python.h"

#include "unit.h"

#include <stdio.h>

START_TEST(specifiers)
{
    static const char *const good[] = {
        "",
        ">=3.6",
        ">= 1.0 ",
        ">=3.6,!=3.7.*,\t<4",
        ">=1.0,",
        ",>=1",
        "=== x",
        "==v1.0",
        "==1!1.*",
        "~=2.0a1",
        "~=1!2.3",
        "!=3.0.*",
        "==1.0+local.1",
        "==1.0-1",
        "== 1.0.post-1",
        "<2.0.dev1",
    };
    static const char *const bad[] = {"1.0",          "===",       "===a b",       "==1.0a1.*", "==1.0.post1.*",
                                      "==1.0.dev1.*", ">=1.0+x",   "~=1",          "~=1.0.*",   "==1.0.*+x",
                                      "<2.*",         "~=1.0+x",   "===any,thing", "===1;x",    "===x)",
                                      "~= 1!2",       "== 1.0 .*", ">=3.6 <4",     "=>3",       "=3",
                                      ">=",           "*",         ">=2004d",      "==.*",      "== *",
                                      ">=3.6;<4",     ">=3.*"};
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert_msg(piw_specifiers_valid(piw_text_of(good[i])), "\"%s\" was refused", good[i]);
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(!piw_specifiers_valid(piw_text_of(bad[i])), "\"%s\" was taken", bad[i]);
}
END_TEST

START_TEST(requirements)
{
    static const char *const good[] = {"a",
                                       "a>=1,",
                                       "a (>=1)",
                                       "a ( >=1 )",
                                       "a()",
                                       "a[]",
                                       "a[x,y]>=1",
                                       "a [x , y]",
                                       "a @ http://x",
                                       "a@http://x",
                                       "a @ http://x;os_name=='x'",
                                       "a @ http://x ; os_name=='x'",
                                       "a;os.name=='x'",
                                       "a;extra=='x'",
                                       "a; 'x'=='y'",
                                       "a;(os_name=='x' and os_name=='y')or extra=='z'",
                                       "a; os_name not   in 'x'",
                                       "a; 'x' in os_name",
                                       "a;python_version>'3'and os_name=='x'",
                                       "a>=1 , <2",
                                       "a==1.*",
                                       "a>=1;os_name==\"x'y\"",
                                       "a @ file:///x",
                                       "a ===foo",
                                       "a===foo;os_name=='x'",
                                       "a ===1.0 , !=2.0",
                                       "a===1.0,!=2.0 , <3",
                                       "a !=2.0, ===1.0",
                                       "a (===1.0, )",
                                       "a (===foo)",
                                       "a (>=1) ;os_name=='x'",
                                       "a; python_implementation=='x'",
                                       "a; implementation_version == 'x'",
                                       "a; os_name=='x'and(os_name=='y')",
                                       "a[x] @ http://x",
                                       "a; ('x'=='y')",
                                       "a; python_version ~= '3.6'",
                                       "a; os_name === 'x'",
                                       "a (>=1,)",
                                       "a;os_name in'x'",
                                       "a;os_name=='x'or'x'=='y'",
                                       "a\t>=1",
                                       "A_B.c-d>=1",
                                       "a!=1.*,>=2",
                                       "a; os_name==''",
                                       "a[x]>=1;(((os_name=='x')))",
                                       "a==1.0 ; os_name=='x'",
                                       "a ;'x' in os_name and('y' not in os_name)",
                                       "a==1.0-1"};
    static const char *const bad[] = {"",
                                      "??",
                                      "a[x,]",
                                      "a; foo=='x'",
                                      "a; os_name",
                                      "a;",
                                      "a 1.0",
                                      "a (1.0)",
                                      "a>=1<2",
                                      "a ===1.0, !=2.0",
                                      "a (===1.0,!=2.0, <3)",
                                      "a ===1.0,\t===1.0; os_name=='x'",
                                      "_a",
                                      "a-",
                                      "a.",
                                      "a; os_name == 'x' #c",
                                      "a @ ../x",
                                      "a>=1.0.*",
                                      "a~=1",
                                      "a; os_name<>'x'",
                                      "a >1.0+x",
                                      "a @",
                                      "a,b",
                                      "a,",
                                      "a [x] , ",
                                      "a (,)",
                                      "a ,>=1",
                                      "a >=1,,<2",
                                      "a (>=1 , , <2)",
                                      "a; os_name == 'x' and",
                                      "a (>=1",
                                      "a>=1)",
                                      "a >= 1.0 .*",
                                      "a==2004d",
                                      "a; python_version == 3",
                                      "a;os_nameextra=='x'",
                                      "a>=1.0and",
                                      "a; os_name == 'x",
                                      "a; (os_name == 'x'",
                                      "a[x",
                                      "a b",
                                      "a; extras == 'a'",
                                      "a; os_name == 'x' or",
                                      "a; not os_name == 'x'",
                                      "a; os_name == 'x' nor os_name == 'y'"};
    piw_requirement r;
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert_msg(piw_requirement_parse(piw_text_of(good[i]), &r), "\"%s\" was refused", good[i]);
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(!piw_requirement_parse(piw_text_of(bad[i]), &r), "\"%s\" was taken", bad[i]);
}
END_TEST

START_TEST(depth_is_bounded)
{
    char text[4000] = "a;";
    piw_requirement r;
    memset(text + 2, '(', 2000);
    ck_assert(!piw_requirement_parse((piw_text){text, 2002}, &r));
    snprintf(text, sizeof(text), "a;((((os_name=='x') or extra=='y')))");
    ck_assert(piw_requirement_parse(piw_text_of(text), &r));
    ck_assert(r.names_extra && piw_text_is(r.name, "a"));
}
END_TEST

/* As python3-packaging says of 3.N.99. */
START_TEST(releases_of_python)
{
    static const struct {
        const char *text;
        uint64_t taken;
    } cases[] = {
        {"", UINT64_C(0x7fffffffffffffff)},
        {">=3.8", UINT64_C(0x7fffffffffffff00)},
        {">=3.8,<3.12", UINT64_C(0xf00)},
        {">= 3.9 , != 3.9.0", UINT64_C(0x7ffffffffffffe00)},
        {"!=3.10.*,>=3.9", UINT64_C(0x7ffffffffffffa00)},
        {"==3.11.*", UINT64_C(0x800)},
        {"~=3.8", UINT64_C(0x7fffffffffffff00)},
        {"~=3.8.1", UINT64_C(0x100)},
        {"~=3.8.1,!=3.8.5", UINT64_C(0x100)},
        {"~=3.8.0a1", UINT64_C(0x100)},
        {"~=3.8.0.post1,!=3.8.5", UINT64_C(0x100)},
        {"~=3.8rc1", UINT64_C(0x7fffffffffffff00)},
        {"~=v3.8.1", UINT64_C(0x100)},
        {"~=1!3.8", 0},
        {"==v3.11.*", UINT64_C(0x800)},
        {"==0!3.11.*", UINT64_C(0x800)},
        {"==1!3.11.*", 0},
        {"!=v3.10.*", UINT64_C(0x7ffffffffffffbff)},
        {"~=3.8.1.2", 0},
        {"==3.9.99.0.*", UINT64_C(0x200)},
        {"<4", UINT64_C(0x7fffffffffffffff)},
        {">=2.7,!=3.0.*,!=3.1.*,!=3.2.*", UINT64_C(0x7ffffffffffffff8)},
        {"<=3.11", UINT64_C(0x7ff)},
        {"<=3.11.4", UINT64_C(0x7ff)},
        {"==3.11", UINT64_C(0x0)},
        {"==3.11.99", UINT64_C(0x800)},
        {">3.9", UINT64_C(0x7ffffffffffffe00)},
        {">3.9.99", UINT64_C(0x7ffffffffffffc00)},
        {"<3.12.0b1", UINT64_C(0xfff)},
        {"===3.12.99", UINT64_C(0x1000)},
        {"==3.*", UINT64_C(0x7fffffffffffffff)},
        {"==2.*", UINT64_C(0x0)},
        {">=3.12rc1", UINT64_C(0x7ffffffffffff000)},
        {">=3.8.*", UINT64_C(0x7fffffffffffffff)}, /* it can't be read */
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_msg(piw_requires_python(piw_text_of(cases[i].text)) == cases[i].taken, "\"%s\": %llx", cases[i].text,
                      (unsigned long long)piw_requires_python(piw_text_of(cases[i].text)));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("requirement");
    TCase *tests = tcase_create("requirements");
    tcase_add_test(tests, specifiers);
    tcase_add_test(tests, requirements);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, releases_of_python);
    suite_add_tcase(suite, tests);
    return suite;
}
