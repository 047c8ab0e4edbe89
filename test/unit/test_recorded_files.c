/* test_recorded_files.c — what a recording says of the files that a task read, wrote and removed. */
#include "unit.h"

#include "actor/record.h"
#include "actor/shell.h"
#include "recording.piw.h"

#include <fcntl.h>

static char folder[UNIT_FOLDER], path[UNIT_FOLDER + 20];

static void set_up(void)
{
    unit_folder(folder);
    snprintf(path, sizeof(path), "%s/recording", folder);
    piw_protocol_use(&recording_protocol_def);
}

static void tear_down(void)
{
    unit_remove(folder);
}

static void look_at(const char *name, off_t size, void (*use)(const char *))
{
    char file[UNIT_FOLDER + 20];
    snprintf(file, sizeof(file), "%s/%s", folder, name);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(size == 0 ? write(fd, "hello", 5) != 5 : ftruncate(fd, size), 0);
    close(fd);
    use(file);
}

static void check_next(piw_recording *file, piw_file_use how, int64_t size, const char *sum, bool content)
{
    piw_msg *record = NULL;
    piw_err err = {0};
    ck_assert_int_eq(piw_recording_next(file, &record, &err), 1);
    ck_assert_ptr_eq(piw_msg_type_of(record), recording_file_type());
    const recording_file *body = recording_file_of(record);
    ck_assert_int_eq(body->how, how);
    ck_assert_int_eq(body->size, size);
    ck_assert_str_eq(body->sha256.s, sum);
    ck_assert(content == (body->content != NULL));
    if (content)
        ck_assert_int_eq((int64_t)piw_blob_size(body->content), size);
    piw_msg_free(&record);
}

/* What was read is there with its content, unless that is large; what was written, by its hash alone. */
START_TEST(files_are_told_of)
{
    static const char hello[] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
                      zeros[] = "1003b1b5dc078189799a1216ce0f9fbcebb94e8b6b83c58c4b03345f07f94ced";
    static piw__shell shell; /* as far as its jobs see it */
    enum { LARGE = (16 << 20) + 1 };
    piw__recording *recording = NULL;
    piw_err err = {0};
    ck_assert_msg(piw__recording_new(&recording, "test", path, 0, 0, &err) == 0, "%s", err.text);
    shell.record.to = recording;
    pthread_mutex_init(&shell.record.lock, NULL);
    atomic_store(&shell.seen.watched, PIW__RECORDED);
    piw__record_thread(&shell);
    look_at("small", 0, piw_file_was_read);
    look_at("small", 0, piw_file_was_read); /* is known */
    look_at("written", 0, piw_file_was_written);
    look_at("large", LARGE, piw_file_was_read);
    piw_file_was_read("/nowhere");
    piw__record_thread(NULL);
    piw_file_was_written("/of nobody who is path");
    pthread_mutex_destroy(&shell.record.lock);
    piw__recording_close(recording, "the test ends it");
    piw__recording_unref(&recording);
    piw_recording *file = NULL;
    ck_assert_msg(piw_recording_open(&file, path, &err) == 0, "%s", err.text);
    check_next(file, PIW_FILE_READ, 5, hello, true);
    check_next(file, PIW_FILE_WRITTEN, 5, hello, false);
    check_next(file, PIW_FILE_READ, LARGE, zeros, false);
    piw_msg *record = NULL;
    ck_assert_int_eq(piw_recording_next(file, &record, &err), 1);
    ck_assert_ptr_eq(piw_msg_type_of(record), recording_end_type());
    piw_msg_free(&record);
    piw_recording_close(&file);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("recorded_files");
    TCase *all = tcase_create("files");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, files_are_told_of);
    suite_add_tcase(suite, all);
    return suite;
}
