/* test_width.c — what is only right on a machine of 32 bits when it was thought of: sizes, times, lengths, places in memory.
 * On 64 bits it holds by itself; test/arm runs it on the others. */
#include "unit.h"

#include "values.h"

#include "shared/atomic_file.h"
#include "shared/disk.h"
#include "shared/wheel.h"
#include "test/every.piw.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A disk of 16 TiB with 9 TiB free, whichever is asked for: it stands in for the C library's function. */
int statvfs(const char *path, struct statvfs *disk)
{
    (void)path;
    *disk = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_blocks = 4ull << 30, .f_bavail = 9ull << 28};
    return 0;
}

START_TEST(disks_are_counted_beyond_32_bits)
{
    int64_t size, free_bytes;
    ck_assert_int_eq(piw_disk_room("/", &size, &free_bytes), 0);
    ck_assert_int_eq(size, INT64_C(16) << 40);
    ck_assert_int_eq(free_bytes, INT64_C(9) << 40);
}
END_TEST

static void path_of(const char *name, char *to, size_t size)
{
    const char *folder = getenv("PIW_TMP");
    snprintf(to, size, "%s/%s", folder != NULL ? folder : "/tmp", name);
}

START_TEST(files_and_times_have_64_bits)
{
    ck_assert_uint_eq(sizeof(off_t), 8);
    ck_assert_uint_eq(sizeof(time_t), 8);
    ck_assert_uint_eq(sizeof(ino_t), 8);
    char path[256];
    path_of("large", path, sizeof(path));
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_ge(fd, 0);
    /* Nothing is written: it is a hole. */
    ck_assert_int_eq(ftruncate(fd, (off_t)5 << 30), 0);
    const struct timespec in_2100[2] = {{.tv_sec = 4102444800}, {.tv_sec = 4102444800}};
    ck_assert_int_eq(futimens(fd, in_2100), 0);
    struct stat found;
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_int_eq(found.st_size, INT64_C(5) << 30);
    ck_assert_int_eq(found.st_mtime, 4102444800);

    piw_err err = {0};
    void *data;
    size_t len;
    ck_assert_int_eq(piw_file_read(path, 1 << 30, &data, &len, &err), PIW_ELIMIT);
    if (sizeof(size_t) == 4) { /* 64 bits of addresses would map and read all of it */
        piw_wheel wheel;
        err = (piw_err){0};
        ck_assert_int_eq(piw_wheel_read_fd(fd, "large-1.0-py3-none-any.whl", "", NULL, &wheel, &err), PIW_ELIMIT);
    }
    close(fd);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(memory_of_messages_is_aligned)
{
    piw_protocol_use(&every_protocol_def);
    /* Small bodies come from the pool, large pieces from chunks of their own. */
    for (size_t size = 1; size < 400000; size = size * 3 + 1) {
        piw_msg *msg = piw_msg_new(every_FORMS_type());
        ck_assert_uint_eq((uintptr_t)piw_msg_any_body(msg) % 16, 0);
        for (int i = 0; i < 20; i++)
            ck_assert_uint_eq((uintptr_t)piw_msg_alloc(msg, size) % 16, 0);
        piw_msg_free(&msg);
    }
    for (size_t size = 8; size < 100000; size *= 5) {
        void *aligned = piw_alloc_aligned(64, size);
        ck_assert_uint_eq((uintptr_t)aligned % 64, 0);
        free(aligned);
    }
}
END_TEST

/* Entries are laid out by the C compiler here, and stepped through by the tables there. */
START_TEST(entries_of_maps_lie_where_tables_say)
{
    piw_protocol_use(&every_protocol_def);
    static const char *const names[] = {"one", "two", "three", "four"};
    for (int codec = 0; codec < 2; codec++) {
        every_form *form;
        piw_msg *msg = every_FORMS_new(&form), *back;
        piw_msg_list(msg, &form->named_flags, PIW_COUNT(names));
        piw_msg_list(msg, &form->named_spans, PIW_COUNT(names));
        for (size_t i = 0; i < PIW_COUNT(names); i++) {
            form->named_flags.at[i].key = form->named_spans.at[i].key = piw_text_of(names[i]);
            form->named_flags.at[i].value = i % 2 == 1;
            form->named_spans.at[i].value = (piw_duration){.days = (int32_t)i};
        }
        piw_err err = {0};
        piw_buffer bytes = {0};
        const piw_msg_type *word;
        ck_assert_msg(piw_encode(msg, codec == 0 ? PIW_CBOR : PIW_MSGPACK, &bytes, &err) == 0, "%s", err.text);
        ck_assert_msg(piw_decode(every_protocol_def.interned, 1, bytes.data, bytes.len, NULL, &back, &word, &err) == 0,
                      "%s", err.text);
        form = piw_msg_body(back, every_FORMS_type());
        ck_assert_uint_eq(form->named_flags.count, PIW_COUNT(names));
        for (size_t i = 0; i < PIW_COUNT(names); i++) {
            ck_assert_str_eq(form->named_flags.at[i].key.s, names[i]);
            ck_assert(form->named_flags.at[i].value == (i % 2 == 1));
            ck_assert_str_eq(form->named_spans.at[i].key.s, names[i]);
            ck_assert_int_eq(form->named_spans.at[i].value.days, (int)i);
        }
        piw_buffer_fini(&bytes);
        piw_msg_free(&msg);
        piw_msg_free(&back);
    }
}
END_TEST

static int take_built(const char *hex)
{
    uint8_t bytes[256];
    piw_err err = {0};
    piw_msg *msg;
    const piw_msg_type *word;
    int rc =
        piw_decode(piw_protocol_use(&slave_protocol_def), 1, bytes, unit_from_hex(hex, bytes), NULL, &msg, &word, &err);
    piw_msg_free(&msg);
    return rc;
}

START_TEST(lengths_of_64_bits_are_not_cut)
{
    /* BUILT of a failed build: a duration, a log, no files. */
    ck_assert_int_eq(take_built("82654255494c5484f5d907d1830000006080"), 0);
    /* The same with lengths that are too large by 2^32: the list around it, its word, the log, the files; and the mark of
     * a duration. */
    static const char *const cut[] = {
        "9b00000001000000026542"
        "55494c5484f5d907d1830000006080",
        "827b00000001000000054255494c5484f5d907d1830000006080",
        "82654255494c5484f5d907d1830000007b00000001000000006080",
        "82654255494c5484f5d907d1830000007b000000010000000080",
        "82654255494c5484f5d907d183000000609b0000000100000000",
        "82654255494c5484f5d907d183000000"
        "60bb0000000100000000",
        "82654255494c5484f5db00000001000007d1830000006080",
        "82654255494c5484f5d907d19b00000001000000030000006080",
    };
    for (size_t i = 0; i < PIW_COUNT(cut); i++)
        ck_assert_msg(take_built(cut[i]) != 0, "case %zu was accepted", i);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("width");
    TCase *tcase = tcase_create("width");
    tcase_add_test(tcase, disks_are_counted_beyond_32_bits);
    tcase_add_test(tcase, files_and_times_have_64_bits);
    tcase_add_test(tcase, memory_of_messages_is_aligned);
    tcase_add_test(tcase, entries_of_maps_lie_where_tables_say);
    tcase_add_test(tcase, lengths_of_64_bits_are_not_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
