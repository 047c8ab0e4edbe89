/* The journal of builds on their way: what is read again after any end, and that its size follows what is open. */
#include "file_juggler/journal.c"

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static bool full;

/* Stands for the system's: the disk may be full. */
ssize_t write(int fd, const void *data, size_t len)
{
    if (!full)
        return syscall(SYS_write, fd, data, len);
    errno = ENOSPC;
    return -1;
}

static char root[UNIT_FOLDER];
static journal j;

static void setup(void)
{
    unit_folder(root);
    piw_protocol_use(&file_juggler_protocol_def);
    piw_err err = {0};
    ck_assert_msg(journal_open(&j, root, NULL, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    journal_close(&j);
    unit_remove(root);
}

static void reopen(void)
{
    piw_err err = {0};
    journal_close(&j);
    ck_assert_msg(journal_open(&j, root, NULL, &err) == 0, "%s", err.text);
}

static int put_with(int64_t id, const char *package, const sealed_build *sealed)
{
    journal_build *body;
    piw_msg *msg = journal_build_new(&body);
    body->build_id = id;
    body->package = piw_msg_textz(msg, package);
    body->sealed = sealed;
    piw_err err = {0};
    int rc = journal_put(&j, &msg, &err);
    piw_msg_free(&msg);
    return rc;
}

static void put(int64_t id)
{
    ck_assert_int_eq(put_with(id, "gold", NULL), 0);
}

/* All of a build: `size` bytes of its wheel, whose METADATA and log are shorter. */
static void put_whole(int64_t id, size_t size)
{
    uint8_t *bytes = malloc(size);
    journal_build *body;
    piw_msg *msg = journal_build_new(&body);
    noted_wheel *wheel = piw_msg_alloc(msg, sizeof(*wheel));
    memset(bytes, (int)id, size);
    piw_blob *blobs[] = {piw_blob_new(bytes, size), piw_blob_new("Name: gold\n", 11), piw_blob_new("a log", 5)};
    wheel->data = piw_msg_blob(msg, blobs[0]);
    wheel->metadata = piw_msg_blob(msg, blobs[1]);
    body->build_id = id;
    body->package = piw_text_of("gold");
    body->wheel = wheel;
    body->log = piw_msg_blob(msg, blobs[2]);
    piw_msg_list(msg, &body->wheels, 1);
    body->wheels.at[0] = piw_text_of("gold-1.0-py3-none-any.whl");
    piw_err err = {0};
    ck_assert_msg(journal_put(&j, &msg, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < PIW_COUNT(blobs); i++)
        piw_blob_unref(&blobs[i]);
    free(bytes);
}

static void ck_whole(int64_t id, size_t size)
{
    const journal_entry *entry = journal_find(&j, id);
    ck_assert_ptr_nonnull(entry);
    const noted_wheel *wheel = entry->build->wheel;
    ck_assert_ptr_nonnull(wheel);
    ck_assert_uint_eq(piw_blob_size(wheel->data), size);
    const uint8_t *data = piw_blob_data(wheel->data);
    ck_assert(data[0] == (uint8_t)id && data[size - 1] == (uint8_t)id);
    ck_assert_uint_eq(piw_blob_size(wheel->metadata), 11);
    ck_assert_uint_eq(piw_blob_size(entry->build->log), 5);
}

static void sync_all(void)
{
    piw_err err = {0};
    journal_sync_begins(&j);
    ck_assert_msg(journal_sync_ends(&j, true, &err) == 0, "%s", err.text);
}

static size_t files(void)
{
    int64_t *numbers = NULL;
    size_t count = 0;
    ck_assert_int_eq(list_files(&j, &numbers, &count, NULL), 0);
    free(numbers);
    return count;
}

static const char *path(void)
{
    static char at[PIW_PATH_MAX];
    ck_assert(journal_path(&j, at));
    return at;
}

START_TEST(what_was_noted_is_known_again)
{
    const sealed_build sealed = {.slave_id = 7,
                                 .version = piw_text_of("1.0"),
                                 .abi_tag = piw_text_of("cp311"),
                                 .duration = piw_duration_from_us(1)};
    put(1);
    put(2);
    ck_assert_int_eq(put_with(2, "silver", &sealed), 0);
    put(3);
    journal_end(&j, 3);
    sync_all();
    put(4);
    journal_end(&j, 4); /* but not synced: it may have to be done again */
    reopen();
    ck_assert_uint_eq(j.builds.count, 3);
    ck_assert_ptr_null(journal_find(&j, 3));
    ck_assert_int_eq(journal_find(&j, 4)->state, JOURNAL_IS_OPEN);
    ck_assert_str_eq(journal_find(&j, 1)->build->package.s, "gold");
    const journal_entry *second = journal_find(&j, 2);
    ck_assert_str_eq(second->build->package.s, "silver");
    ck_assert_int_eq(second->build->sealed->slave_id, 7);
    ck_assert_str_eq(second->build->sealed->abi_tag.s, "cp311");
    ck_assert_int_eq(j.low, 1);
}
END_TEST

/* Wherever the machine stopped writing: what is whole before that place counts. */
START_TEST(a_torn_tail_is_passed_over)
{
    put(1);
    size_t whole = j.size;
    if (_i == 0)
        put(2);
    else
        put_whole(2, 300);
    size_t len = j.size;
    void *bytes;
    size_t got;
    ck_assert_int_eq(piw_file_read(path(), 1 << 20, &bytes, &got, NULL), 0);
    ck_assert_uint_gt(got, len); /* zeros */
    for (size_t cut = whole; cut < len; cut++) {
        for (int kind = 0; kind < 2; kind++) { /* cut off, or zeros from there on */
            uint8_t *torn = calloc(1, len);
            memcpy(torn, bytes, cut);
            journal_close(&j);
            ck_assert_int_eq(piw_folder_remove(root, NULL), 0);
            ck_assert_int_eq(mkdir(root, 0755), 0); /* nobody makes a site's own folder anew */
            char file[PIW_PATH_MAX];
            ck_assert(piw_path_journal(file, root, 1));
            ck_assert_int_eq(piw_file_write(root, file, torn, kind == 0 ? cut : len, 0, NULL), 0);
            free(torn);
            reopen();
            ck_assert_uint_eq(j.builds.count, 1);
            ck_assert_ptr_nonnull(journal_find(&j, 1));
        }
    }
    free(bytes);
}
END_TEST

/* What is appended then changes neither the file's size nor its blocks, until more are needed; and the next start goes on in it. */
START_TEST(zeros_are_written_ahead)
{
    struct stat before, after;
    put(1);
    ck_assert_int_eq(stat(path(), &before), 0);
    for (int64_t id = 2; id <= 20; id++) {
        put(id);
        if (id % 5 == 0)
            reopen();
    }
    ck_assert_int_eq(stat(path(), &after), 0);
    ck_assert_int_eq(j.number, 1);
    ck_assert_uint_eq(j.builds.count, 20);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_int_eq(after.st_blocks, before.st_blocks);
    ck_assert_int_gt(after.st_size, (off_t)j.size);
    for (int64_t id = 21; (off_t)j.size <= before.st_size; id++)
        put_whole(id, 40000);
    put(30);
    ck_assert_int_eq(stat(path(), &after), 0);
    ck_assert_int_gt(after.st_size, (off_t)j.size);
    reopen();
    ck_assert_uint_eq(j.builds.count, 23);
    ck_whole(21, 40000);
    ck_whole(22, 40000);
}
END_TEST

/* Of the last record the head may be what didn't reach the disk. */
/* As a crash may leave a file that was just begun: without bytes, or with its length alone. */
START_TEST(an_empty_file_and_one_of_zeros_have_nothing)
{
    static const char zeros[70000];
    put(1);
    char next[PIW_PATH_MAX];
    ck_assert(piw_path_journal(next, root, 2));
    ck_assert_int_eq(piw_file_write(root, next, zeros, _i == 0 ? 0 : sizeof(zeros), 0, NULL), 0);
    reopen();
    ck_assert_ptr_nonnull(journal_find(&j, 1));
    put(2);
    sync_all();
    ck_assert_uint_eq(files(), 1);
    reopen();
    ck_assert_uint_eq(j.builds.count, 2);
}
END_TEST

START_TEST(a_record_without_its_head_is_torn)
{
    put(1);
    size_t whole = j.size;
    put(2);
    static const uint8_t nothing[HEAD];
    int fd = open(path(), O_RDWR);
    ck_assert_int_eq(pwrite(fd, nothing, HEAD, (off_t)whole), HEAD);
    close(fd);
    reopen();
    ck_assert_uint_eq(j.builds.count, 1);
    ck_assert_int_eq(j.number, 2);
}
END_TEST

START_TEST(a_changed_byte_is_noticed)
{
    put(1);
    size_t whole = j.size;
    put(2);
    int fd = open(path(), O_RDWR);
    ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(whole + HEAD + 5)), 1);
    close(fd);
    reopen();
    ck_assert_uint_eq(j.builds.count, 1);
    put(2); /* and what comes now isn't behind it */
    reopen();
    ck_assert_uint_eq(j.builds.count, 2);
}
END_TEST

START_TEST(its_size_follows_what_is_open)
{
    put(1);
    for (int64_t id = 2; id < 60000; id++) {
        put(id);
        journal_end(&j, id);
        if (id % 100 == 0)
            sync_all();
        ck_assert_uint_lt(j.size, JOURNAL_GROWTH + 2 * j.open_size + 65536);
    }
    ck_assert_int_gt(j.number, 1);
    sync_all();
    ck_assert_uint_eq(files(), 1);
    ck_assert_int_eq(j.low, 1); /* which is open still */
    journal_end(&j, 1);
    sync_all();
    ck_assert_int_eq(j.low, 60000);
    reopen();
    ck_assert_uint_eq(j.builds.count, 0);
    ck_assert_int_eq(j.low, 60000);
    ck_assert_uint_eq(files(), 1);
}
END_TEST

/* What is over goes with the sync, and isn't copied: the next file begins with the least. */
START_TEST(whole_builds_make_it_no_longer)
{
    for (int64_t id = 1; id < 2000; id++) {
        put_whole(id, 4096);
        journal_end(&j, id);
        if (id % 100 != 0)
            continue;
        journal_sync_begins(&j);
        put_whole(1000000 + id, 4096);
        piw_err err = {0};
        ck_assert_int_eq(journal_sync_ends(&j, true, &err), 0);
        ck_assert_uint_lt(j.size, JOURNAL_GROWTH + j.open_size + 4096);
        ck_whole(1000000 + id, 4096);
        const juggler_files known = {.first = j.first_number, .last = j.number};
        journal_close(&j);
        ck_assert_msg(journal_open(&j, root, &known, &err) == 0, "%s", err.text);
        ck_whole(1000000 + id, 4096);
        journal_end(&j, 1000000 + id);
    }
    sync_all();
    ck_assert_uint_eq(j.builds.count, 0);
}
END_TEST

/* While the database is away much is open for long, and each sync must not write it all again for a little that is over. */
START_TEST(what_stays_open_is_seldom_written_again)
{
    for (int64_t id = 1; id <= 1000; id++)
        put_whole(id, 4096);
    sync_all();
    int64_t before = j.number;
    size_t garbage = 0;
    for (int64_t id = 2000; id < 2400; id++) {
        size_t size = j.size;
        put_whole(id, 4096);
        garbage += j.size > size ? j.size - size : 0;
        journal_end(&j, id);
        if (id % 20 == 0)
            sync_all();
    }
    ck_assert_uint_gt(garbage, 1 << 20);
    ck_assert_int_le(j.number - before, 1);
    ck_assert_uint_lt(j.size, JOURNAL_GROWTH + 2 * j.open_size);
}
END_TEST

/* The file that there is is gone on with. */
START_TEST(a_next_file_that_cannot_be_filled_changes_nothing)
{
    struct rlimit small = {.rlim_cur = 8192}, before;
    piw_err err = {0};
    put_whole(1, 4000);
    int64_t number = j.number;
    put_whole(2, 4000);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_ne(next_file(&j, &err), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(j.number, number);
    ck_assert_uint_eq(files(), 1);
    put(3);
    reopen();
    ck_whole(1, 4000);
    ck_whole(2, 4000);
    ck_assert_ptr_nonnull(journal_find(&j, 3));
}
END_TEST

/* The master may die while it begins the next file, at any place; also where a record ends just there. What the one before holds stays when
 * that one goes. */
START_TEST(a_file_that_was_just_begun_loses_nothing)
{
    put(1);
    put_whole(2, 300);
    size_t len, records = j.size;
    void *bytes;
    char first[PIW_PATH_MAX], next[PIW_PATH_MAX];
    ck_assert_int_eq(piw_file_read(path(), 1 << 20, &bytes, &len, NULL), 0);
    for (size_t cut = 0; cut <= records + 1; cut++) { /* the rest are zeros */
        journal_close(&j);
        ck_assert_int_eq(piw_folder_remove(root, NULL), 0);
        ck_assert_int_eq(mkdir(root, 0755), 0);
        ck_assert(piw_path_journal(first, root, 1) && piw_path_journal(next, root, 2));
        ck_assert_int_eq(piw_file_write(root, first, bytes, len, 0, NULL), 0);
        ck_assert_int_eq(piw_file_write(root, next, bytes, cut, 0, NULL), 0);
        reopen();
        ck_assert_uint_eq(j.builds.count, 2);
        sync_all();
        ck_assert_uint_eq(files(), 1);
        reopen();
        ck_assert_msg(j.builds.count == 2, "cut off at %zu of %zu bytes: %zu builds are left", cut, len,
                      j.builds.count);
        ck_whole(2, 300);
    }
    free(bytes);
}
END_TEST

/* The next file is begun once there is room; until then nothing is removed, as the last one hasn't all that is open. */
START_TEST(a_torn_end_on_a_full_disk_waits_for_room)
{
    put(1);
    put_whole(2, 300);
    char next[PIW_PATH_MAX];
    ck_assert(piw_path_journal(next, root, 2));
    ck_assert_int_eq(piw_file_write(root, next, "torn", 4, 0, NULL), 0);
    for (int i = 0; i < 2; i++) {
        full = true;
        reopen();
        ck_assert_int_lt(j.fd, 0);
        ck_assert_uint_eq(j.builds.count, 2);
        sync_all();
        ck_assert_uint_eq(files(), 2);
        ck_assert_int_ne(put_with(3, "gold", NULL), 0);
        full = false;
    }
    if (_i == 0) {
        put(3);
    } else {
        journal_end(&j, 1);
        sync_all(); /* which notes it */
        put(3);
    }
    ck_assert_int_ge(j.fd, 0);
    sync_all();
    ck_assert_uint_eq(files(), 1);
    reopen();
    ck_assert_uint_eq(j.builds.count, _i == 0 ? 3 : 2);
    ck_whole(2, 300);
    ck_assert_ptr_nonnull(journal_find(&j, 3));
}
END_TEST

/* Whatever else keeps it from being begun is for an operator to mend first. */
START_TEST(what_is_no_want_of_room_ends_a_start)
{
    struct rlimit small = {.rlim_cur = 3}, before;
    piw_err err = {0};
    put(1);
    char next[PIW_PATH_MAX];
    ck_assert(piw_path_journal(next, root, 2));
    ck_assert_int_eq(piw_file_write(root, next, "torn", 4, 0, NULL), 0);
    journal_close(&j);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = journal_open(&j, root, NULL, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(rc, PIW_ESYS);
    reopen();
    ck_assert_ptr_nonnull(journal_find(&j, 1));
}
END_TEST

START_TEST(it_is_full_some_time)
{
    for (int64_t id = 1; id <= JOURNAL_BUILDS_MAX; id++)
        put(id);
    ck_assert_int_eq(put_with(JOURNAL_BUILDS_MAX + 1, "gold", NULL), PIW_ESYS);
    journal_end(&j, 1);
    sync_all();
    ck_assert_int_eq(put_with(JOURNAL_BUILDS_MAX + 1, "gold", NULL), 0);
}
END_TEST

/* A successor that was taken back has left a file. */
START_TEST(a_number_that_is_taken_is_passed_over)
{
    char taken[PIW_PATH_MAX];
    put(1);
    ck_assert(piw_path_journal(taken, root, 2));
    ck_assert_int_eq(piw_file_write(root, taken, "", 0, 0, NULL), 0);
    for (int64_t id = 2; j.number < 3; id++) {
        put(id);
        journal_end(&j, id);
        if (id % 100 == 0)
            sync_all();
    }
    reopen();
    ck_assert_ptr_nonnull(journal_find(&j, 1));
}
END_TEST

/* What the disk may say is over has to be synced when it comes after all. */
START_TEST(late_builds_are_told)
{
    put(5);
    ck_assert(journal_late(&j, 5)); /* nothing was ever here: nobody would look */
    journal_end(&j, 5);
    sync_all();
    ck_assert_int_eq(j.low, 6);
    ck_assert(!journal_late(&j, 6));
    ck_assert(journal_late(&j, 3));
    put(3);
    ck_assert_int_eq(j.low, 3);
    reopen();
    ck_assert_int_eq(j.low, 3);
}
END_TEST

START_TEST(known_files_need_no_list)
{
    piw_err err = {0};
    put(1);
    juggler_files known = {j.first_number, j.number};
    for (int more = 0; more < 2; more++) { /* the second time there is one that isn't known */
        journal_close(&j);
        ck_assert_msg(journal_open(&j, root, &known, &err) == 0, "%s", err.text);
        ck_assert_ptr_nonnull(journal_find(&j, 1));
        ck_assert(more == 0 || journal_find(&j, 2) != NULL);
        ck_assert_int_eq(next_file(&j, &err), 0);
        put(2);
    }
    known = (juggler_files){1, 50}; /* and some that aren't there */
    journal_close(&j);
    ck_assert_msg(journal_open(&j, root, &known, &err) == 0, "%s", err.text);
    ck_assert_ptr_nonnull(journal_find(&j, 2));
}
END_TEST

/* Records that nobody has asked for since a swap go from file to file as they are. */
START_TEST(a_swap_reads_a_record_when_it_is_asked_for)
{
    piw_err err = {0};
    const sealed_build sealed = {.slave_id = 7, .version = piw_text_of("1.0"), .abi_tag = piw_text_of("cp311")};
    ck_assert_int_eq(put_with(1, "silver", &sealed), 0);
    put(2);
    put(3);
    journal_end(&j, 3);
    sync_all();
    for (int swap = 0; swap < 3; swap++) {
        const juggler_files known = {.first = j.first_number, .last = j.number};
        journal_close(&j);
        ck_assert_msg(journal_open(&j, root, &known, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(j.builds.count, 2);
        const journal_entry *entry = journal_next(&j, NULL);
        ck_assert_ptr_null(entry->build);
        ck_assert_ptr_null(journal_next(&j, entry)->build);
        if (swap == 1) {
            ck_assert_int_eq(next_file(&j, &err), 0);
            remove_before(&j, j.number);
        }
    }
    ck_assert_ptr_null(journal_find(&j, 3));
    ck_assert_str_eq(journal_find(&j, 1)->build->sealed->abi_tag.s, "cp311");
    put(2); /* in place of one that was never read */
    journal_end(&j, 1);
    journal_end(&j, 2);
    sync_all();
    ck_assert_uint_eq(j.builds.count, 0);
}
END_TEST

/* Who saves for a swap needn't read all of it. */
START_TEST(whole_builds_are_counted)
{
    put(1);
    put_whole(2, 100);
    put_whole(3, 100);
    put_whole(3, 200);
    ck_assert_uint_eq(j.whole, 2);
    put(3); /* nobody wants it, say */
    ck_assert_uint_eq(j.whole, 1);
    put_whole(3, 100);
    const juggler_files known = {.first = j.first_number, .last = j.number};
    piw_err err = {0};
    journal_close(&j);
    ck_assert_msg(journal_open(&j, root, &known, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(j.whole, 0); /* as far as is known */
    journal_is_whole(&j, 2);
    journal_is_whole(&j, 4);
    ck_assert_uint_eq(j.whole, 1);
    ck_assert_ptr_nonnull(journal_find(&j, 2));
    ck_assert_ptr_nonnull(journal_find(&j, 3));
    ck_assert_uint_eq(j.whole, 2);
    journal_end(&j, 2);
    ck_assert_uint_eq(j.whole, 1);
    journal_sync_begins(&j);
    ck_assert_int_eq(journal_sync_ends(&j, false, &err), 0);
    ck_assert_uint_eq(j.whole, 1);
    journal_end(&j, 3);
    reopen();
    ck_assert_uint_eq(j.whole, 2); /* that they are over has reached no disk */
}
END_TEST

START_TEST(a_sync_that_fails_changes_nothing)
{
    piw_err err = {0};
    put(1);
    journal_end(&j, 1);
    journal_sync_begins(&j);
    put(2);
    ck_assert_int_eq(journal_sync_ends(&j, false, &err), 0);
    ck_assert_int_eq(journal_find(&j, 1)->state, JOURNAL_IS_OVER);
    /* One that is on its way again while a sync is under way isn't over with it. */
    journal_sync_begins(&j);
    put(1);
    ck_assert_int_eq(journal_sync_ends(&j, true, &err), 0);
    ck_assert_int_eq(journal_find(&j, 1)->state, JOURNAL_IS_OPEN);
    reopen();
    ck_assert_uint_eq(j.builds.count, 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *cases = tcase_create("journal");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_was_noted_is_known_again);
    tcase_add_loop_test(cases, a_torn_tail_is_passed_over, 0, 2);
    tcase_add_test(cases, zeros_are_written_ahead);
    tcase_add_loop_test(cases, an_empty_file_and_one_of_zeros_have_nothing, 0, 2);
    tcase_add_test(cases, a_record_without_its_head_is_torn);
    tcase_add_test(cases, whole_builds_make_it_no_longer);
    tcase_add_test(cases, what_stays_open_is_seldom_written_again);
    tcase_add_test(cases, a_next_file_that_cannot_be_filled_changes_nothing);
    tcase_add_test(cases, a_file_that_was_just_begun_loses_nothing);
    tcase_add_test(cases, a_changed_byte_is_noticed);
    tcase_add_test(cases, its_size_follows_what_is_open);
    tcase_add_loop_test(cases, a_torn_end_on_a_full_disk_waits_for_room, 0, 2);
    tcase_add_test(cases, what_is_no_want_of_room_ends_a_start);
    tcase_add_test(cases, it_is_full_some_time);
    tcase_add_test(cases, a_number_that_is_taken_is_passed_over);
    tcase_add_test(cases, late_builds_are_told);
    tcase_add_test(cases, known_files_need_no_list);
    tcase_add_test(cases, a_swap_reads_a_record_when_it_is_asked_for);
    tcase_add_test(cases, a_sync_that_fails_changes_nothing);
    tcase_add_test(cases, whole_builds_are_counted);
    suite_add_tcase(suite, cases);
    return suite;
}
