/* What a wheel's code needs of the machine: libraries and versions, without what it brings itself. */
#include "unit.h"

#include "elf_maker.h"

#include "shared/elf.h"
#include "shared/wheel_needs.h"

#include <elf.h>

static const char WHEEL[] = "gold-1.0-cp311-cp311-linux_x86_64.whl";

/* All words, in order; "?" behind them: it needs more. */
static const char *told(piw_needs *needs)
{
    static char text[4096];
    text[0] = '\0';
    for (size_t i = 0; i < needs->count; i++) {
        strcat(text, i == 0 ? "" : " ");
        strcat(text, needs->at[i]);
    }
    strcat(text, needs->unknown ? " ?" : "");
    piw_needs_fini(needs);
    return text;
}

START_TEST(of_each_kind_the_highest_version_stays)
{
    static const struct {
        const char *words[6]; /* with a '.so': a library */
        const char *told;
    } cases[] = {
        {{"libssl.so.3", "OPENSSL_3.0.0", "libc.so.6", "GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.28"},
         "GLIBC_2.34 OPENSSL_3.0.0 libssl.so.3"},
        {{"libm.so.6", "libc.so.6", "ld-linux-armhf.so.3", "libpthread.so.0"}, "GLIBC_2.0"},
        {{"GLIBC_2.9", "GLIBC_2.10", "GLIBC_2.2.5"}, "GLIBC_2.10"},
        {{"GLIBC_2.4", "GLIBC_PRIVATE"}, "GLIBC_2.4 GLIBC_PRIVATE"},
        {{"GLIBC_2.17", "GLIBC_ABI_DT_RELR"}, "GLIBC_2.36"},
        {{"GLIBCXX_3.4.30", "GLIBC_2.4", "GLIBCXX_3.4.9", "CXXABI_1.3"}, "CXXABI_1.3 GLIBCXX_3.4.30 GLIBC_2.4"},
        {{"libfoo.so", "libfoo.so", "libfoo.so.1"}, "libfoo.so libfoo.so.1"},
        {{"OPENSSL_1_1_0", "OPENSSL_1_1_1", "OPENSSL_1_0_2"}, "OPENSSL_1_0_2 OPENSSL_1_1_1"},
        {{"FOO_99999999999999999999", "FOO_1"}, "FOO_99999999999999999999"},
        {{"lib with blank.so"}, " ?"},
        {{"lib\"quoted.so", "GLIBC_2.4"}, "GLIBC_2.4 ?"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_needs needs = {.count = 0};
        for (size_t k = 0; k < 6 && cases[i].words[k] != NULL; k++) {
            const char *word = cases[i].words[k];
            bool library = strstr(word, ".so") != NULL;
            ck_assert_int_eq(library ? piw_needs_library(&needs, word, NULL) : piw_needs_version(&needs, word, NULL),
                             0);
        }
        piw_needs_sort(&needs);
        ck_assert_str_eq(told(&needs), cases[i].told);
    }
}
END_TEST

START_TEST(a_list_has_an_end)
{
    piw_needs needs = {.count = 0};
    char word[PIW_NEED_WORD_MAX + 2];
    for (int i = 0; i < PIW_NEEDS_MAX + 1; i++) {
        ck_assert(!needs.unknown);
        snprintf(word, sizeof(word), "libs%d.so", i);
        ck_assert_int_eq(piw_needs_library(&needs, word, NULL), 0);
    }
    ck_assert(needs.unknown && needs.count == PIW_NEEDS_MAX);
    piw_needs_fini(&needs);
    needs.unknown = false;
    memset(word, 'l', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    ck_assert_int_eq(piw_needs_library(&needs, word, NULL), 0);
    ck_assert(needs.unknown && needs.count == 0);
}
END_TEST

static int count_version(void *arg, const char *library, const char *version)
{
    unsigned *count = arg;
    ck_assert_str_eq(library, "libtangled.so.1");
    ck_assert_str_eq(version, "");
    ++*count;
    return 0;
}

START_TEST(lists_that_share_entries_have_an_end)
{
    enum { RECORDS = 2000, SIDE_BY_SIDE = 4096 };
    const elf_wish wish = {.machine = EM_X86_64, .wide = true, .needs = "libtangled.so.1", .tangled = RECORDS};
    piw_buffer file = elf_make(&wish);
    unsigned count = 0;
    ck_assert_int_eq(piw_elf_versions(file.data, file.len, count_version, &count), PIW_ELIMIT);
    ck_assert_uint_ge(count, RECORDS - 1);
    ck_assert_uint_le(count, SIDE_BY_SIDE);
    piw_buffer_fini(&file);
}
END_TEST

typedef struct member {
    const char *name;
    elf_wish wish;
} member;

/* What a wheel of these files needs. */
static const char *needs_of(const char *filename, const member *members, size_t count)
{
    maker m = {0};
    for (size_t i = 0; i < count && members[i].name != NULL; i++) {
        elf_wish wish = members[i].wish;
        wish.wide = wish.machine == 0;
        wish.machine = wish.wide ? EM_X86_64 : wish.machine;
        wish.code = true;
        piw_buffer file = elf_make(&wish);
        maker_add(&m, members[i].name, file.data, file.len,
                  &(maker_odd){.deflate = i % 2 == 0, .method = i % 2 == 0 ? 8 : 0});
        piw_buffer_fini(&file);
    }
    piw_buffer wheel = maker_end(&m);
    int fd = memfd_create("wheel", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, wheel.data, wheel.len), wheel.len);
    piw_needs needs;
    piw_err err = {0};
    ck_assert_msg(piw_wheel_needs(fd, filename, &needs, &err) == 0, "%s", err.text);
    close(fd);
    piw_needs in_memory;
    ck_assert_int_eq(piw_wheel_needs_of(wheel.data, wheel.len, filename, &in_memory, &err), 0);
    ck_assert_uint_eq(in_memory.count, needs.count);
    for (size_t i = 0; i < needs.count; i++)
        ck_assert_str_eq(in_memory.at[i], needs.at[i]);
    piw_needs_fini(&in_memory);
    piw_buffer_fini(&wheel);
    return told(&needs);
}

START_TEST(a_wheel_needs_what_it_does_not_bring)
{
    static const struct {
        const char *told;
        member members[3];
    } cases[] = {
        {"libssl.so.3", {{"gold.cpython-311-x86_64-linux-gnu.so", {.needs = "libssl.so.3"}}}},
        {"OPENSSL_3.0.0 libssl.so.3",
         {{"gold.cpython-311-x86_64-linux-gnu.so", {.needs = "libssl.so.3", .version = "OPENSSL_3.0.0"}}}},
        {"libssl.so.3",
         {{"gold.cpython-311-x86_64-linux-gnu.so",
           {.needs = "libssl.so.3", .version = "OPENSSL_3.0.0", .weak = true}}}},
        {"GLIBC_2.38", {{"gold/libx.so.1", {.needs = "libc.so.6", .version = "GLIBC_2.38"}}}},
        /* Found along its search path it comes with the wheel, and its version with it, … */
        {"GLIBC_2.36",
         {{"gold/_x.abi3.so",
           {.needs = "libssl.so.3", .version = "OPENSSL_3.0.0", .runpath = "/opt:$ORIGIN/../gold.libs"}},
          {"gold.libs/libssl.so.3", {.needs = "libc.so.6", .version = "GLIBC_2.36"}}}},
        /* … but not where nothing leads to it. */
        {"GLIBC_2.36 OPENSSL_3.0.0 libssl.so.3",
         {{"gold/_x.abi3.so", {.needs = "libssl.so.3", .version = "OPENSSL_3.0.0"}},
          {"gold.libs/libssl.so.3", {.needs = "libc.so.6", .version = "GLIBC_2.36"}}}},
        /* What no interpreter loads needs nothing. */
        {"", {{"gold/module.o", {.type = ET_REL, .needs = "libssl.so.3"}}}},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_str_eq(needs_of(WHEEL, cases[i].members, 3), cases[i].told);
    ck_assert_str_eq(needs_of("gold-1.0-py3-none-any.whl", cases[0].members, 1), "");
    ck_assert_str_eq(needs_of("gold-1.0-cp311-cp311-win_amd64.whl", cases[0].members, 1), " ?");
    ck_assert_str_eq(needs_of("nonsense", cases[0].members, 1), " ?");
}
END_TEST

/* Libraries of 32-bit ARM have one name for both sizes of time_t. */
START_TEST(where_time_has_two_sizes_other_libraries_are_not_known)
{
    enum { HARD = 0x5000400 };
    static const struct {
        const char *platform, *told;
        elf_wish wish;
    } cases[] = {
        {"linux_armv7l",
         "OPENSSL_3.0.0 libssl.so.3 ?",
         {.machine = EM_ARM, .flags = HARD, .needs = "libssl.so.3", .version = "OPENSSL_3.0.0"}},
        {"linux_armv6l", "libz.so.1 ?", {.machine = EM_ARM, .flags = HARD, .needs = "libz.so.1"}},
        {"linux_armv7l",
         "GLIBC_2.34",
         {.machine = EM_ARM, .flags = HARD, .needs = "libc.so.6", .version = "GLIBC_2.34"}},
        {"linux_armv7l", "libstdc++.so.6", {.machine = EM_ARM, .flags = HARD, .needs = "libstdc++.so.6"}},
        {"linux_i686", "libssl.so.3", {.machine = EM_386, .needs = "libssl.so.3"}},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char filename[100];
        snprintf(filename, sizeof(filename), "gold-1.0-cp39-abi3-%s.whl", cases[i].platform);
        ck_assert_str_eq(needs_of(filename, &(member){"gold.abi3.so", cases[i].wish}, 1), cases[i].told);
    }
}
END_TEST

/* Bytes changed and cut at random: an answer, and no more. */
START_TEST(damaged_wheels_do_no_harm)
{
    const elf_wish wish = {.machine = EM_X86_64, .wide = true, .code = true, .needs = "liby.so", .version = "Y_1"};
    unsigned seed = 20261;
    piw_buffer file = elf_make(&wish);
    for (int i = 0; i < 2000; i++) {
        uint8_t *copy = malloc(file.len);
        memcpy(copy, file.data, file.len);
        for (int k = 0; k < 4; k++)
            copy[(size_t)rand_r(&seed) % file.len] = (uint8_t)rand_r(&seed);
        maker m = {0};
        maker_add(&m, "gold.abi3.so", copy, rand_r(&seed) % 8 == 0 ? (size_t)rand_r(&seed) % file.len : file.len, NULL);
        piw_buffer wheel = maker_end(&m);
        int fd = memfd_create("wheel", MFD_CLOEXEC);
        ck_assert_int_eq(write(fd, wheel.data, wheel.len), wheel.len);
        piw_needs needs;
        piw_err err = {0};
        ck_assert_int_eq(piw_wheel_needs(fd, WHEEL, &needs, &err), 0);
        piw_needs_fini(&needs);
        close(fd);
        piw_buffer_fini(&wheel);
        free(copy);
    }
    piw_buffer_fini(&file);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("wheel_needs");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, of_each_kind_the_highest_version_stays);
    tcase_add_test(all, a_list_has_an_end);
    tcase_add_test(all, lists_that_share_entries_have_an_end);
    tcase_add_test(all, a_wheel_needs_what_it_does_not_bring);
    tcase_add_test(all, where_time_has_two_sizes_other_libraries_are_not_known);
    tcase_add_test(all, damaged_wheels_do_no_harm);
    suite_add_tcase(suite, all);
    return suite;
}
