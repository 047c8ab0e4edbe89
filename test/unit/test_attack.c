/* test_attack.c — hostile bytes: any of them give a message or an error, in bounded memory and time.
 *
 * Each test runs in a process whose address space is bounded, so that memory taken for a declared length is a crash. */
#include "unit.h"

#include "values.h"

#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

enum { CASES = 200000, SIZE = 4096, MEGABYTE = 1 << 20 };

/* Sanitizers reserve terabytes of address space: there the figures of the allocator must do. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUNDED 0
#else
#define BOUNDED 1
#endif
/* What is linear takes a second or two; an emulated machine and a sanitized program are slower, what is quadratic takes minutes. */
#if BOUNDED && !defined(__arm__)
#define LINEAR_S 10
#else
#define LINEAR_S 60
#endif

static void bound_memory(size_t megabytes)
{
    if (BOUNDED) {
        struct rlimit limit = {.rlim_cur = megabytes * MEGABYTE, .rlim_max = megabytes * MEGABYTE};
        ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    }
}

/* Either a whole message or an error with its reason; nothing else. */
static int take_it(const piw_protocol *protocol, const uint8_t *bytes, size_t len)
{
    piw_err err = {0};
    piw_msg *msg;
    const piw_msg_type *word;
    /* In memory of its own, so that a sanitizer sees a read beyond the end. */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, len);
    int rc = piw_decode(protocol, 1, copy, len, NULL, &msg, &word, &err);
    ck_assert(rc == 0 ? msg != NULL && word != NULL : msg == NULL && err.text[0] != '\0' && err.code == rc);
    if (rc == 0)
        ck_assert_int_eq(piw_msg_check(msg, &err), 0);
    piw_msg_free(&msg);
    free(copy);
    return rc;
}

/* Of this process: what runs beside it doesn't count. */
static double seconds(void)
{
    struct timespec used;
    ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* --- Declared lengths --- */

static void put(piw_buffer *to, const char *hex)
{
    uint8_t bytes[256];
    ck_assert_int_eq(piw_buffer_add(to, bytes, unit_from_hex(hex, bytes)), 0);
}

START_TEST(declared_lengths_take_no_memory)
{
    /* Words that are followed by a count or length of 2^40, 2^32 - 1 or 2^63, in both encodings: as the message, as its
     * word, as data, as a text, a log, a list and a map inside. */
    static const char *const bombs[] = {
        "9b0000010000000000",
        "bb0000010000000000",
        "7b000001000000000078",
        "5b0000010000000000",
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "7bffffffffffffffff",
        "dfffffffff",
        "dbffffffff",
        "ddffffffff",
        "c6ffffffff",
        "c9ffffffff01",
        "829b0000010000000000",
        "827b0000010000000000",
        "92dbffffffff",
        "92ddffffffff",
        "8265"
        "48454c4c4f"
        "9b0000010000000000", /* HELLO with a list of 2^40 */
        "92a5"
        "48454c4c4f"
        "ddffffffff",
        "8265"
        "4255494c54"
        "84f5d907d183000000"
        "7b0000010000000000", /* BUILT with a log of 2^40 bytes */
        "8265"
        "4255494c54"
        "84f5d907d183000000"
        "609b0000010000000000", /* … of 2^40 files */
        "8265"
        "4255494c54"
        "84f5d907d183000000"
        "609a000003e8", /* … of 1000 files, and nothing behind */
        "92a5"
        "4255494c54"
        "94c3c70c02000000000000000000000000"
        "dbffffffff",
        "92a5"
        "4255494c54"
        "94c3c70c02000000000000000000000000"
        "a0ddffffffff",
        "92a5"
        "4255494c54"
        "94c3c70c02000000000000000000000000"
        "a0dc03e8",
        "8265"
        "4255494c54"
        "84f5d907d183000000"
        "60818b606060606060606060f6bb0000010000000000", /* its dependencies */
    };
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    bound_memory(200);
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < PIW_COUNT(bombs); i++) {
        piw_buffer bytes = {0};
        put(&bytes, bombs[i]);
        ck_assert_msg(take_it(slave, bytes.data, bytes.len) != 0, "bomb %zu was accepted", i);
        piw_buffer_fini(&bytes);
    }
    if (BOUNDED)
        ck_assert_uint_lt(mallinfo2().uordblks, before + MEGABYTE);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    static const struct {
        const char *name;
        uint8_t head;
        const char *before;
    } cases[] = {
        {"CBOR lists", 0x81, ""},
        {"CBOR open lists", 0x9f, ""},
        {"CBOR maps", 0xa1, ""},
        {"CBOR tags", 0xc1, ""},
        {"MessagePack lists", 0x91, "92a5534c415645"},
        {"CBOR lists in any", 0x81,
         "8265534c4156458401c074323032342d30332d30315431323a33343a35365a61"
         "78"},
        {"CBOR tags in any", 0xc2, "8265534c4156458401c074323032342d30332d30315431323a33343a35365a6178"},
        {"CBOR open maps in any", 0xbf, "8265534c4156458401c074323032342d30332d30315431323a33343a35365a6178"},
        {"MessagePack lists in any", 0x91, "92a5534c4156459401c70a0100000000000000000000a178"},
    };
    const piw_protocol *status = piw_protocol_use(&status_protocol_def);
    uint8_t *deep = malloc(MEGABYTE);
    bound_memory(200);
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_err err = {0};
        piw_msg *msg;
        memset(deep, cases[i].head, MEGABYTE);
        unit_from_hex(cases[i].before, deep);
        int r = piw_decode(status, -1, deep, MEGABYTE, NULL, &msg, NULL, &err);
        ck_assert_msg(r == PIW_ESHAPE, "%s: %d %s", cases[i].name, r, err.text);
        if (strstr(cases[i].name, "in any") != NULL)
            ck_assert_msg(strstr(err.text, "deep") != NULL, "%s: %s", cases[i].name, err.text);
    }
    free(deep);
}
END_TEST

/* `any` may nest as deep as a message may, and no deeper. */
START_TEST(nesting_up_to_the_limit_is_fine)
{
    const piw_protocol *status = piw_protocol_use(&status_protocol_def);
    for (unsigned depth = 25; depth < 36; depth++) {
        uint8_t bytes[200];
        piw_msg *msg;
        size_t len = unit_from_hex("8265534c4156458401c074323032342d30332d30315431323a33343a35365a6178", bytes);
        memset(bytes + len, 0x81, depth);
        len += depth;
        bytes[len++] = 0x01;
        int r = piw_decode(status, 0, bytes, len, NULL, &msg, NULL, NULL);
        /* The message and its data are two levels of their own. */
        ck_assert_msg((r == 0) == (depth + 2 <= PIW_LIMIT_DEPTH), "%u: %d", depth, r);
        piw_msg_free(&msg);
    }
}
END_TEST

/* --- Floods that are well-formed --- */

START_TEST(a_flood_of_chunks_is_linear)
{
    enum { FLOOD = 16 << 20 };
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    uint8_t *bytes = malloc(FLOOD);
    bound_memory(300);
    size_t start = unit_from_hex("82654255494c5484f5d907d183000000"
                                 "7f",
                                 bytes);
    /* Empty chunks, then chunks of one byte: the log is 8 MB of x. */
    double began = seconds();
    memset(bytes + start, 0x60, FLOOD - start);
    memcpy(bytes + FLOOD - 2, "\xff\x80", 2);
    ck_assert_int_eq(take_it(slave, bytes, FLOOD), 0);
    for (size_t i = start; i + 3 < FLOOD; i += 2)
        memcpy(bytes + i, "\x61x", 2);
    memcpy(bytes + start + ((FLOOD - start - 2) & ~(size_t)1), "\xff\x80", 2);
    size_t len = start + ((FLOOD - start - 2) & ~(size_t)1) + 2;
    ck_assert_int_eq(take_it(slave, bytes, len), 0);
    /* Chunks without end, and a chunk of chunks. */
    ck_assert_int_ne(take_it(slave, bytes, len - 2), 0);
    bytes[start] = 0x7f;
    ck_assert_int_ne(take_it(slave, bytes, len), 0);
    ck_assert_msg(seconds() - began < LINEAR_S, "it took %.1f s", seconds() - began);
    free(bytes);
}
END_TEST

START_TEST(small_elements_cannot_fill_memory)
{
    /* 1000 files with 8 × 10000 dependencies of one byte each would be 80 million texts: the arena's bound ends it. */
    enum { WIRE = 64 << 20 };
    const piw_protocol *slave = piw_protocol_use(&slave_protocol_def);
    uint8_t *bytes = malloc(WIRE);
    bound_memory(600);
    size_t at = unit_from_hex("82654255494c5484f5d907d183000000609903e8", bytes);
    for (int file = 0; file < 1000 && at + 81000 < WIRE; file++) {
        at += unit_from_hex("8b60006060606060"
                            "60f6a8",
                            bytes + at);
        for (int key = 0; key < 8; key++) {
            bytes[at++] = 0x61;
            bytes[at++] = (uint8_t)('a' + key);
            bytes[at++] = 0x99;
            bytes[at++] = 0x27;
            bytes[at++] = 0x10;
            memset(bytes + at, 0x60, 10000);
            at += 10000;
        }
        bytes[at++] = 0x60;
    }
    double began = seconds();
    piw_err err = {0};
    piw_msg *msg;
    int r = piw_decode(slave, 1, bytes, at, NULL, &msg, NULL, &err);
    ck_assert_msg(r == PIW_ELIMIT || r == PIW_ESHAPE, "%d %s", r, err.text);
    ck_assert_msg(seconds() - began < LINEAR_S, "it took %.1f s", seconds() - began);
    free(bytes);
}
END_TEST

START_TEST(keys_are_not_compared_each_with_each)
{
    /* A map of 1000 ABIs is the largest that the wire has; with a double at its end it is refused, quickly. */
    const piw_protocol *status = piw_protocol_use(&status_protocol_def);
    for (int twice = 0; twice < 2; twice++) {
        master_stats *body;
        piw_msg *back, *msg = status_STATS_new(&body);
        piw_buffer bytes = {0};
        piw_err err = {0};
        piw_msg_list(msg, &body->builds_last_hour, 1000);
        for (uint32_t i = 0; i < 1000; i++)
            body->builds_last_hour.at[i].key = piw_msg_printf(msg, "cp%u", twice != 0 && i == 999 ? 0 : i);
        ck_assert_int_eq(piw_encode(msg, PIW_CBOR, &bytes, &err), 0);
        int r = piw_decode(status, 0, bytes.data, bytes.len, NULL, &back, NULL, &err);
        ck_assert_msg((r == 0) == (twice == 0), "%s", err.text);
        piw_msg_free(&back);
        piw_msg_free(&msg);
        piw_buffer_fini(&bytes);
    }
}
END_TEST

/* --- Noise --- */

static void random_bytes(piw_codec codec, dice *d)
{
    /* Half of them begin like a message, or no byte behind the first would ever be looked at. */
    const piw_protocol *protocols[256];
    size_t count;
    use_all(protocols, &count, 256);
    uint8_t bytes[300];
    for (unsigned i = 0; i < CASES; i++) {
        const piw_protocol *protocol = protocols[below(d, count)];
        size_t len = 0, end = below(d, 200);
        if (i % 2 == 0) {
            const char *word = protocol->messages[below(d, protocol->messages_count)].name;
            bytes[len++] = codec == PIW_CBOR ? 0x82 : 0x92;
            if (codec == PIW_CBOR)
                bytes[len++] = strlen(word) < 24 ? (uint8_t)(0x60 | strlen(word)) : 0x78;
            if (codec == PIW_MSGPACK)
                bytes[len++] = (uint8_t)(0xa0 | (strlen(word) & 0x1f));
            memcpy(bytes + len, word, strlen(word));
            len += strlen(word);
        }
        for (end += len; len < end; len++)
            bytes[len] = (uint8_t)roll(d);
        piw_msg *msg;
        int r = piw_decode(protocol, -1, bytes, len, NULL, &msg, NULL, NULL);
        ck_assert((r == 0) == (msg != NULL));
        piw_msg_free(&msg);
    }
}

START_TEST(random_bytes_in_cbor)
{
    dice d = seeded("random_bytes_in_cbor");
    bound_memory(300);
    random_bytes(PIW_CBOR, &d);
}
END_TEST

START_TEST(random_bytes_in_msgpack)
{
    dice d = seeded("random_bytes_in_msgpack");
    bound_memory(300);
    random_bytes(PIW_MSGPACK, &d);
}
END_TEST

/* Change a few bits, bytes or the length of a good message. */
static size_t spoil(dice *d, uint8_t *bytes, size_t len)
{
    static const uint8_t heads[] = {0x00, 0x7f, 0x80, 0x9f, 0xbf, 0xff, 0x5b, 0x7b, 0x9b, 0xbb, 0xc0, 0xc1,
                                    0xc6, 0xc9, 0xdb, 0xdd, 0xdf, 0xd9, 0xf6, 0xf7, 0xf9, 0xfb, 0xe0, 0xed};
    for (uint64_t n = 1 + below(d, 4); n > 0; n--) {
        size_t at = below(d, len);
        switch (below(d, 5)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << below(d, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)roll(d);
            break;
        case 2:
            bytes[at] = heads[below(d, PIW_COUNT(heads))];
            break;
        case 3:
            len = at + 1;
            break;
        default:
            memmove(bytes + at, bytes + at / 2, len - at);
        }
    }
    return len;
}

static void spoilt_messages(piw_codec codec, dice *d)
{
    const piw_protocol *protocols[256];
    size_t count;
    unsigned good = 0;
    use_all(protocols, &count, 256);
    uint8_t bytes[SIZE];
    for (unsigned i = 0; i < CASES / 50; i++) {
        const piw_protocol *protocol = protocols[below(d, count)];
        const piw_msg_type *type = &protocol->messages[below(d, protocol->messages_count)];
        piw_msg *msg = piw_msg_new(type), *back;
        piw_buffer whole = {0};
        random_value(d, msg, type->body, piw_msg_any_body(msg));
        ck_assert_int_eq(piw_encode(msg, codec, &whole, NULL), 0);
        for (int j = 0; j < 50 && whole.len <= SIZE; j++) {
            memcpy(bytes, whole.data, whole.len);
            size_t len = spoil(d, bytes, whole.len);
            uint8_t *copy = malloc(len);
            memcpy(copy, bytes, len);
            int r = piw_decode(protocol, -1, copy, len, NULL, &back, NULL, NULL);
            ck_assert((r == 0) == (back != NULL));
            if (r == 0) {
                /* What was taken in can be sent on. */
                piw_buffer again = {0};
                ck_assert_int_eq(piw_msg_check(back, NULL), 0);
                ck_assert_int_eq(piw_encode(back, piw_codec_of(copy, len), &again, NULL), 0);
                piw_buffer_fini(&again);
                good++;
            }
            piw_msg_free(&back);
            free(copy);
        }
        piw_buffer_fini(&whole);
        piw_msg_free(&msg);
    }
    ck_assert_uint_gt(good, 1000);
}

START_TEST(spoilt_messages_in_cbor)
{
    dice d = seeded("spoilt_messages_in_cbor");
    bound_memory(600);
    spoilt_messages(PIW_CBOR, &d);
}
END_TEST

START_TEST(spoilt_messages_in_msgpack)
{
    dice d = seeded("spoilt_messages_in_msgpack");
    d.optional = true;
    bound_memory(600);
    spoilt_messages(PIW_MSGPACK, &d);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("attack");
    TCase *tcase = tcase_create("attack");
    tcase_set_timeout(tcase, 180);
    tcase_add_test(tcase, declared_lengths_take_no_memory);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, nesting_up_to_the_limit_is_fine);
    tcase_add_test(tcase, a_flood_of_chunks_is_linear);
    tcase_add_test(tcase, small_elements_cannot_fill_memory);
    tcase_add_test(tcase, keys_are_not_compared_each_with_each);
    tcase_add_test(tcase, random_bytes_in_cbor);
    tcase_add_test(tcase, random_bytes_in_msgpack);
    tcase_add_test(tcase, spoilt_messages_in_cbor);
    tcase_add_test(tcase, spoilt_messages_in_msgpack);
    suite_add_tcase(suite, tcase);
    return suite;
}
