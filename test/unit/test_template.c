/* Templates: what a page becomes of one, and what is said of one that is wrong. */
#include "shared/template.h"
#include "shared/text.h"
#include "unit.h"

#include <stdio.h>

typedef struct file {
    const char *name, *text;
} file;

static const file *files;
static size_t files_count;
static piw_view *view;

static int find(void *arg, piw_text name, piw_text *text, const char **called, piw_err *err)
{
    (void)arg;
    for (size_t i = 0; i < files_count; i++) {
        if (!piw_text_is(name, files[i].name))
            continue;
        *text = piw_text_of(files[i].text);
        *called = files[i].name;
        return 0;
    }
    return piw_err_set(err, PIW_ENOENT, "no template %.*s", (int)name.len, name.s);
}

static const piw_template_source source = {.find = find};

static void setup(void)
{
    view = piw_view_new();
    piw_view_text(view, "name", piw_text_of("<b>&\"'"));
    piw_view_text(view, "empty", (piw_text){0});
    piw_view_print(view, "number", "%d", 42);
    piw_view_number(view, "large", -1234567);
    piw_view_flag(view, "yes", true);
    piw_view_flag(view, "no", false);
    piw_view_list(view, "none");
    for (int i = 1; i < 4; i++) {
        piw_view *item = piw_view_add(view, "items");
        piw_view_print(item, "n", "%d", i);
        piw_view_flag(item, "odd", i % 2 == 1);
        piw_view_text(piw_view_add(item, "words"), ".", piw_text_of("a"));
        piw_view_text(piw_view_add(item, "words"), ".", piw_text_of("<"));
    }
    piw_buffer html = {0};
    piw_put(&html, "<svg/>");
    piw_view_markup(view, "picture", &html);
}

static void teardown(void)
{
    piw_view_free(&view);
    files_count = 0;
}

static const char *made(const char *text)
{
    static char page[4096];
    const file one[] = {{"page", text}, {"part", "[{{number}}]"}, {"self", "{{>self}}"}};
    files = one;
    files_count = PIW_COUNT(one);
    piw_buffer to = {0};
    piw_err err = {0};
    piw_put(&to, "*");
    int rc = piw_template_render(&source, "page", view, &to, &err);
    ck_assert_int_eq(rc == 0, err.text[0] == '\0');
    /* What was there before stays, and a page that failed leaves nothing. */
    ck_assert_int_eq(to.data[0], '*');
    ck_assert(rc == 0 || to.len == 1);
    snprintf(page, sizeof(page), "%.*s", rc == 0 ? (int)to.len - 1 : (int)strlen(err.text),
             rc == 0 ? (const char *)to.data + 1 : err.text);
    piw_buffer_fini(&to);
    return page;
}

START_TEST(pages_are_made)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"plain\n", "plain\n"},
        {"{{name}} {{ number }} {{large}}{{empty}}", "&lt;b&gt;&amp;&quot;&#39; 42 -1,234,567"},
        {"{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{^no}}not{{/no}}{{^yes}}x{{/yes}}", "ynot"},
        {"{{#name}}some{{/name}}{{#empty}}x{{/empty}}{{^empty}}none{{/empty}}", "somenone"},
        {"{{#items}}{{n}}{{#odd}}!{{/odd}}{{#words}} {{.}}{{/words}};{{/items}}", "1! a &lt;;2 a &lt;;3! a &lt;;"},
        {"{{^none}}nothing{{/none}}{{#none}}x{{/none}}{{^items}}x{{/items}}", "nothing"},
        {"{{#items}}{{number}}{{/items}}", "424242"},
        {"{{{picture}}}{{&picture}}", "<svg/><svg/>"},
        {"a{{! a remark, of\nlines }}b", "ab"},
        {"{{>part}}", "[42]"},
        {"a\n  {{#yes}}  \nb\n{{/yes}}\nc", "a\nb\nc"},
        {"a {{#yes}}\nb{{/yes}}\nc", "a \nb\nc"},
        {"{{! alone }}\nx", "x"},
        {"} }} {", "} }} {"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(made(cases[i][0]), cases[i][1]);
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_line)
{
    static const char *const cases[][2] = {
        {"\n\n{{nmae}}", "page:3: {{nmae}} is a name that this page doesn't have"},
        {"a\n{{#yes}}\n", "page:2: {{#yes}} is never closed"},
        {"{{/yes}}", "page:1: {{yes}} closes a section that isn't open"},
        {"{{#yes}}\n{{#no}}\n{{/yes}}{{/no}}", "page:3: {{/yes}} stands where {{#no}} of line 2 is to be closed"},
        {"x\n{{name", "page:2: {{ without its }}"},
        {"{{{name}}}", "page:1: {{name}} is text, which is always escaped: write {{…}}"},
        {"{{picture}}", "page:1: {{picture}} is HTML already: write {{{…}}}"},
        {"{{items}}", "page:1: {{items}} is no text: {{#…}} and {{^…}} are for it"},
        {"{{=<% %>=}}", "page:1: delimiters can't be changed"},
        {"{{a b}}", "page:1: {{a b}} is no name"},
        {"{{}}", "page:1: {{}} is no name"},
        {"{{>other}}", "no template other"},
        {"{{>self}}", "self: templates in templates, without an end"},
        {"\n\n{{! of two\nlines }}\n{{x}}", "page:5: {{x}} is a name that this page doesn't have"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(made(cases[i][0]), cases[i][1]);
}
END_TEST

/* Sections in sections multiply; sixteen of a list with three items each would take hours. */
START_TEST(no_page_grows_without_bound)
{
    char text[4096] = "";
    for (int i = 0; i < PIW_TEMPLATE_DEPTH; i++)
        strcat(text, "{{#items}}");
    for (int i = 0; i < PIW_TEMPLATE_DEPTH; i++)
        strcat(text, "{{/items}}");
    ck_assert_str_eq(made(text), "page:1: the page becomes too large");
    char deep[4096] = "{{#yes}}";
    strcat(deep, text);
    ck_assert_str_eq(made(deep), "page:1: {{items}} is too deep inside of others");
}
END_TEST

START_TEST(what_turns_text_is_named)
{
    static const char *const cases[][2] = {
        {"a\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae", "a[U+202A][U+202B][U+202C][U+202D][U+202E]"},
        {"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9z", "[U+2066][U+2067][U+2068][U+2069]z"},
        {"\xe2\x80\xa8x\xe2\x80\xa9", "[U+2028]x[U+2029]"},
        {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa", "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},
        {"\xe2\x80", "\xe2\x80"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_buffer to = {0};
        piw_put_html(&to, piw_text_of(cases[i][0]));
        piw_put_bytes(&to, "", 1);
        ck_assert_str_eq((char *)to.data, cases[i][1]);
        piw_buffer_fini(&to);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("template");
    TCase *tests = tcase_create("template");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, pages_are_made);
    tcase_add_test(tests, what_is_wrong_is_said_with_its_line);
    tcase_add_test(tests, no_page_grows_without_bound);
    tcase_add_test(tests, what_turns_text_is_named);
    suite_add_tcase(suite, tests);
    return suite;
}
