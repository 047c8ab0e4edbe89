/* The outbox: what is decided stays, what isn't is cut off, and each message tells of one further on that is really to come. */
#include "unit.h"

#include "bus/outbox.h"
#include "test/echo.piw.h"

enum { MANY = 3 * PIW__AHEAD + 1 };

static piw__mailbox here, there;
static piw__outbox outbox;

static void setup(void)
{
    piw_err err = {0};
    piw_protocol_use(&echo_protocol_def);
    ck_assert_int_eq(piw__mailbox_init(&here, &err), 0);
    ck_assert_int_eq(piw__mailbox_init(&there, &err), 0);
}

static void teardown(void)
{
    piw__outbox_fini(&outbox);
    piw__mailbox_fini(&here);
    piw__mailbox_fini(&there);
}

static const piw__out *out_of(const piw__mailbox *to)
{
    for (uint32_t i = 0; i < outbox.count; i++)
        if (outbox.outs[i].to == to)
            return &outbox.outs[i];
    return NULL;
}

static void add(piw__mailbox *to, int64_t n)
{
    piw__outbox_add(&outbox, to, echo_NOTE_make(n));
}

/* From `first` to `last`, in order, each of them telling of the one PIW__AHEAD places on when `told`. */
static void expect(const piw__out *out, int64_t first, int64_t last, bool told)
{
    const piw_msg *soon = out->first;
    for (int i = 0; i < PIW__AHEAD && soon != NULL; i++)
        soon = soon->next;
    int64_t n = first;
    for (const piw_msg *msg = out->first; msg != NULL; msg = msg->next, n++) {
        ck_assert_int_eq(echo_NOTE_of(msg)->n, n);
        if (told)
            ck_assert_ptr_eq(msg->ahead, soon);
        soon = soon != NULL ? soon->next : NULL;
    }
    ck_assert_int_eq(n, last + 1);
    ck_assert_uint_eq(out->count, (uint32_t)(last - first + 1));
}

START_TEST(tells_of_one_further_on)
{
    for (int i = 0; i < MANY; i++) {
        add(&here, i);
        if (i < 2)
            add(&there, i);
    }
    expect(out_of(&here), 0, MANY - 1, true);
    expect(out_of(&there), 0, 1, true);
}
END_TEST

START_TEST(forgets_what_is_cut_off)
{
    for (int i = 0; i < 3; i++)
        add(&here, i);
    piw__outbox_commit(&outbox);
    for (int i = 3; i < MANY; i++)
        add(&here, 100 + i);
    add(&there, 7);
    piw__outbox_undo(&outbox, NULL);
    expect(out_of(&here), 0, 2, false);
    ck_assert_ptr_null(out_of(&there)->first);
    /* None of those that are freed is written to: they are made again, at the same place. */
    piw_msg *again[MANY];
    for (int i = 0; i < MANY; i++)
        again[i] = echo_NOTE_make(i);
    for (int i = 3; i < 3 + PIW__AHEAD; i++)
        add(&here, i);
    for (int i = 0; i < MANY; i++) {
        ck_assert_ptr_null(again[i]->ahead);
        piw_msg_free(&again[i]);
    }
    expect(out_of(&here), 0, 2 + PIW__AHEAD, false);
    piw__outbox_commit(&outbox);
    ck_assert_uint_eq(outbox.waiting, 3 + PIW__AHEAD);
}
END_TEST

/* A forwarded request comes from another list, of whose messages it told. */
START_TEST(forgets_the_list_before)
{
    for (int i = 0; i <= PIW__AHEAD; i++)
        add(&here, i);
    piw_msg *msg = out_of(&here)->first;
    ck_assert_ptr_nonnull(msg->ahead);
    outbox.outs[0].first = msg->next;
    piw__outbox_add(&outbox, &there, msg);
    ck_assert_ptr_null(msg->ahead);
    expect(out_of(&there), 0, 0, true);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tc = tcase_create("outbox");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, tells_of_one_further_on);
    tcase_add_test(tc, forgets_what_is_cut_off);
    tcase_add_test(tc, forgets_the_list_before);
    suite_add_tcase(suite, tc);
    return suite;
}
