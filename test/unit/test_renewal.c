/* Pages of an older form: which package is next, what is kept of how far it has come, and what the site says of its form. */
#include "shared/scribe/form.c"
#include "shared/scribe/renewal.c"
#include "shared/scribe/roster.c"

#include "shared/site_mark.h"

#include "unit.h"

static const int64_t NOW = 1000000000000;
static char root[UNIT_FOLDER];
static roster names;
static renewal self;

static void setup(void)
{
    unit_folder(root);
    ck_assert_int_eq(piw_site_mark_write(root, "0123456789abcdef0123456789abcdef", NULL), 0);
    for (int i = 0; i < 1200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p-%04d", i);
        ck_assert(roster_add(&names, piw_text_of(name)));
    }
    renewal_begin(&self, "");
}

static void teardown(void)
{
    roster_fini(&names);
    unit_remove(root);
}

/* --- What is next --- */

static renewal_step next_at(int64_t now_ns, const char **name)
{
    size_t place;
    return renewal_next(&self, &names, now_ns, name, &place);
}

static renewal_step next(void)
{
    const char *name;
    return next_at(NOW, &name);
}

/* Packages that are done, one after the other, until something else is due. */
static renewal_step go_on(int64_t now_ns, unsigned *count)
{
    const char *name;
    renewal_step step;
    for (*count = 0; (step = next_at(now_ns, &name)) == RENEWAL_PAGE; ++*count)
        renewal_ended(&self, RENEWAL_DONE, now_ns);
    return step;
}

START_TEST(all_have_their_turn_and_marks_are_kept_between)
{
    unsigned count;
    ck_assert_int_eq(go_on(NOW, &count), RENEWAL_MARK);
    ck_assert_uint_eq(count, MARK_EVERY);
    ck_assert_str_eq(self.at, "p-0499");
    ck_assert_int_eq(next(), RENEWAL_WAIT); /* until it is kept */
    renewal_marked(&self, true, NOW);
    ck_assert_int_eq(go_on(NOW, &count), RENEWAL_MARK);
    renewal_marked(&self, true, NOW);
    ck_assert_int_eq(go_on(NOW, &count), RENEWAL_END);
    ck_assert_uint_eq(count, 200);
    renewal_marked(&self, true, NOW);
    ck_assert(!self.running);
    ck_assert_int_eq(next(), RENEWAL_WAIT);
}
END_TEST

START_TEST(no_mark_is_ahead_of_what_is_being_written)
{
    const char *name;
    unsigned count;
    for (unsigned i = 0; i < FLYING_MAX; i++) {
        char wanted[16];
        snprintf(wanted, sizeof(wanted), "p-%04u", i);
        ck_assert_int_eq(next_at(NOW, &name), RENEWAL_PAGE);
        ck_assert_str_eq(name, wanted);
    }
    ck_assert_int_eq(next(), RENEWAL_WAIT);
    for (unsigned i = 1; i < FLYING_MAX; i++)
        renewal_ended(&self, RENEWAL_DONE, NOW);
    ck_assert_int_eq(go_on(NOW, &count), RENEWAL_WAIT); /* one still flies */
    ck_assert_uint_eq(count, MARK_EVERY - FLYING_MAX);
    renewal_ended(&self, RENEWAL_DONE, NOW);
    ck_assert_int_eq(next(), RENEWAL_MARK);
}
END_TEST

START_TEST(a_mark_that_cant_be_kept_is_tried_again)
{
    unsigned count;
    go_on(NOW, &count);
    renewal_marked(&self, false, NOW);
    ck_assert_int_eq(next(), RENEWAL_WAIT);
    ck_assert_str_eq(self.marked, "");
    const char *name;
    ck_assert_int_eq(next_at(NOW + AWAY_REST_S * SECOND_NS, &name), RENEWAL_MARK);
}
END_TEST

START_TEST(a_database_that_is_away_lets_all_wait_from_the_last_mark)
{
    unsigned count;
    go_on(NOW, &count);
    renewal_marked(&self, true, NOW);
    ck_assert_int_eq(next(), RENEWAL_PAGE);
    ck_assert_int_eq(next(), RENEWAL_PAGE);
    renewal_ended(&self, RENEWAL_AWAY, NOW);
    renewal_ended(&self, RENEWAL_DONE, NOW);
    ck_assert_int_eq(next(), RENEWAL_WAIT);
    const char *name;
    ck_assert_int_eq(next_at(NOW + AWAY_REST_S * SECOND_NS, &name), RENEWAL_PAGE);
    ck_assert_str_eq(name, "p-0500");
}
END_TEST

START_TEST(what_cant_be_written_is_passed_over_and_tried_again)
{
    unsigned count;
    const char *name;
    ck_assert_int_eq(next(), RENEWAL_PAGE);
    renewal_ended(&self, RENEWAL_FAILED, NOW);
    ck_assert_int_eq(next(), RENEWAL_WAIT);
    int64_t later = NOW + FAILED_REST_S * SECOND_NS;
    /* To the end without a mark: a later start has to begin before it. */
    ck_assert_int_eq(go_on(later, &count), RENEWAL_WAIT);
    ck_assert_uint_eq(count, 1199);
    ck_assert_str_eq(self.marked, "");
    ck_assert_int_eq(next_at(later + (ROUND_REST_S - 1) * SECOND_NS, &name), RENEWAL_WAIT);
    ck_assert_int_eq(next_at(later + ROUND_REST_S * SECOND_NS, &name), RENEWAL_PAGE);
    ck_assert_str_eq(name, "p-0000");
}
END_TEST

START_TEST(packages_may_come_and_go_meanwhile)
{
    const char *name;
    size_t place;
    renewal_begin(&self, "p-0600x");
    ck_assert_int_eq(renewal_next(&self, &names, NOW, &name, &place), RENEWAL_PAGE);
    ck_assert_str_eq(name, "p-0601");
    ck_assert_uint_eq(place, 601);
    renewal_ended(&self, RENEWAL_DONE, NOW);
    ck_assert(roster_remove(&names, piw_text_of("p-0601")));
    ck_assert(roster_add(&names, piw_text_of("p-0601a")));
    ck_assert_int_eq(next_at(NOW, &name), RENEWAL_PAGE);
    ck_assert_str_eq(name, "p-0601a");
}
END_TEST

/* --- What the site says --- */

static const char *at(const char *name)
{
    static char path[PIW_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    piw_err err = {0};
    ck_assert_msg(piw_file_write(root, at(name), text, strlen(text), 0, &err) == 0, "%s", err.text);
}

static void ck_mark(const char *text)
{
    void *data;
    size_t len;
    ck_assert_int_eq(piw_file_read(at(".pages"), 1000, &data, &len, NULL), 0);
    ck_assert_str_eq(data, text);
    free(data);
}

static void ck_begins_with(const char *views, const char *wanted, bool wanted_done, const char *wanted_former)
{
    char after[PIW_NAME_MAX + 1], *former;
    bool done;
    piw_err err = {0};
    ck_assert_msg(form_begin(root, views, after, &done, &former, &err) == 0, "%s", err.text);
    ck_assert_str_eq(after, wanted);
    ck_assert_int_eq(done, wanted_done);
    ck_assert_str_eq(former, wanted_former);
    free(former);
}

static void ck_begins(const char *wanted, bool wanted_done)
{
    ck_begins_with("", wanted, wanted_done, "");
}

START_TEST(the_site_says_how_far_its_pages_have_the_form)
{
    put("simple/index.html", "<!DOCTYPE html>\n<head>\n" PAGES_GENERATOR "\n");
    ck_begins("", false);
    ck_mark("form " PAGES_FORM "\nup to \n");
    put(".pages", "form " PAGES_FORM "\nup to gold-pure\n");
    ck_begins("gold-pure", false);
    put(".pages", "form " PAGES_FORM "\nall\n");
    ck_begins("", true);
    ck_mark("form " PAGES_FORM "\nall\n");
}
END_TEST

START_TEST(nothing_is_believed_of_another_master_or_a_damaged_mark)
{
    static const char *const marks[] = {"",
                                        "form 1\nall\n",
                                        "form 22\nall\n",
                                        "form 9\nall\n",
                                        "form " PAGES_FORM "\n",
                                        "form " PAGES_FORM "\nall",
                                        "form " PAGES_FORM "\nup to ",
                                        "form " PAGES_FORM "\nup to ../x\n",
                                        "form " PAGES_FORM "\nup to Gold\n"};
    put("simple/index.html", PAGES_GENERATOR);
    for (size_t i = 0; i < PIW_COUNT(marks); i++) {
        put(".pages", marks[i]);
        ck_begins("", false);
        ck_mark("form " PAGES_FORM "\nup to \n");
    }
    put(".pages", "form " PAGES_FORM "\nall\n");
    put("simple/index.html", "<!DOCTYPE html>\n<title>Simple index</title>\n");
    ck_begins("", false);
    put(".pages", "form " PAGES_FORM "\nall\n");
    ck_assert_int_eq(unlink(at("simple/index.html")), 0);
    ck_begins("", false);
}
END_TEST

#define THREE "form " PAGES_FORM "\n"

/* With other views all pages are of another form; those of views that have gone go. */
START_TEST(pages_of_other_views_are_written_anew)
{
    put("simple/index.html", "<!DOCTYPE html>\n<head>\n" PAGES_GENERATOR "\n");
    put(".pages", THREE "all\n");
    ck_begins_with("a b #12345678", "", false, "");
    ck_mark(THREE "up to \nviews a b #12345678\n");
    put(".pages", THREE "up to gold\nviews a b #12345678\n");
    ck_begins_with("a b #12345678", "gold", false, "");
    put(".pages", THREE "all\nviews a b #12345678\n");
    ck_begins_with("a b #12345678", "", true, "");
    ck_begins_with("a b #87654321", "", false, "");
    ck_begins_with("b c #00000000", "", false, " a");
    ck_mark(THREE "up to \nviews b c #00000000\nwithout  a\n");
    ck_begins_with("", "", false, " b c a");
    ck_mark(THREE "up to \nwithout  b c a\n");
    ck_begins_with("", "", false, " b c a");
    put(".pages", THREE "up to gold\nviews ../x simple a\nwithout /etc\n");
    ck_begins_with("", "", false, " a");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("renewal");
    TCase *tests = tcase_create("renewal");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, all_have_their_turn_and_marks_are_kept_between);
    tcase_add_test(tests, no_mark_is_ahead_of_what_is_being_written);
    tcase_add_test(tests, a_mark_that_cant_be_kept_is_tried_again);
    tcase_add_test(tests, a_database_that_is_away_lets_all_wait_from_the_last_mark);
    tcase_add_test(tests, what_cant_be_written_is_passed_over_and_tried_again);
    tcase_add_test(tests, packages_may_come_and_go_meanwhile);
    tcase_add_test(tests, the_site_says_how_far_its_pages_have_the_form);
    tcase_add_test(tests, nothing_is_believed_of_another_master_or_a_damaged_mark);
    tcase_add_test(tests, pages_of_other_views_are_written_anew);
    suite_add_tcase(suite, tests);
    return suite;
}
