/* The gate alone, over all wheels of test/wheels: the folder is what it has to say. (test/system/test_gate.py has the same
 * through a farm.) And how much memory it takes. */
#include "shared/wheel.h"

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KINDS_MIN = 150 };

/* Those that the gate itself takes, whatever a slave may not send. */
static bool is_slaves(const char *name)
{
    return strncmp(name, "slave_", 6) == 0;
}

/* How many wheels the folder has; each is judged. */
static int judge_all(const char *folder, bool good)
{
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s isn't there; tests run in the tree's first folder", folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[512];
        piw_wheel wheel;
        piw_err err = {0};
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int rc = piw_wheel_read(path, entry->d_name, &wheel, &err);
        if (rc == 0)
            piw_wheel_fini(&wheel);
        bool wanted = good || is_slaves(entry->d_name);
        ck_assert_msg(rc == (wanted ? 0 : PIW_EREFUSED), "%s: %s", entry->d_name, rc == 0 ? "it was taken" : err.text);
        ck_assert_msg(rc == 0 || strstr(err.text, "name") != NULL || strstr(err.text, entry->d_name) != NULL,
                      "\"%s\" doesn't name the file", err.text);
        count++;
    }
    closedir(dir);
    return count;
}

START_TEST(each_kind_has_its_verdict)
{
    int taken = judge_all("test/wheels/take", true), refused = judge_all("test/wheels/refuse", false);
    ck_assert_int_ge(taken + refused, KINDS_MIN);
}
END_TEST

/* --- Read while they come --- */

/* As if so many bytes came at a time. `bytes`: those of the file, of which what has just come is still in memory; NULL: it isn't. */
static piw_wheel_seen *read_along(int fd, const uint8_t *bytes, int64_t step, size_t *count, char *hash)
{
    struct stat info;
    ck_assert_int_eq(fstat(fd, &info), 0);
    piw_wheel_along along;
    piw_wheel_seen *seen = NULL;
    *count = 0;
    piw_wheel_along_begin(&along);
    for (int64_t come = 0; along.at < info.st_size;) {
        int64_t before = come;
        come = info.st_size - come < step ? info.st_size : come + step;
        if (bytes != NULL && come > before) {
            along.pieces[0] = (piw_wheel_piece){before, bytes + before, (size_t)(come - before)};
            along.pieces_count = 1;
        }
        piw_err err = {0};
        ck_assert_msg(piw_wheel_along_read(&along, fd, info.st_size, come, &err) == 0, "%s", err.text);
        ck_assert_int_le(along.at, come);
        seen = realloc(seen, (*count + along.count + 1) * sizeof(*seen));
        ck_assert_ptr_nonnull(seen);
        memcpy(seen + *count, along.seen, along.count * sizeof(*seen));
        *count += along.count;
    }
    memcpy(hash, along.hash, sizeof(along.hash));
    return seen;
}

/* A small one isn't in a file: the verdict is the same, and its bytes stay as they are. */
static void compare_in_memory(const uint8_t *bytes, size_t len, const char *name, int file_rc, const piw_err *file_err)
{
    piw_wheel wheel;
    piw_err err = {0};
    uint8_t *before = malloc(len + 1);
    ck_assert_ptr_nonnull(before);
    memcpy(before, bytes, len);
    int rc = piw_wheel_read_bytes(bytes, len, name, NULL, NULL, &wheel, &err);
    ck_assert_msg(rc == file_rc && strcmp(err.text, file_err->text) == 0, "%s: \"%s\", not \"%s\"", name, err.text,
                  file_err->text);
    ck_assert_int_eq(memcmp(before, bytes, len), 0);
    free(before);
    if (rc == 0)
        piw_wheel_fini(&wheel);
}

static void compare_with_plain(int fd, const char *name)
{
    static const int64_t steps[] = {61, 4096, INT64_MAX};
    piw_wheel plain, along;
    piw_err plain_err = {0};
    int plain_rc = piw_wheel_read_fd(fd, name, NULL, NULL, &plain, &plain_err);
    struct stat info;
    ck_assert_int_eq(fstat(fd, &info), 0);
    uint8_t *bytes = malloc((size_t)info.st_size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(pread(fd, bytes, (size_t)info.st_size, 0), info.st_size);
    for (size_t i = 0; i < 2 * PIW_COUNT(steps); i++) {
        char hash[65];
        piw_err err = {0};
        piw_wheel_known known = {.hash = hash};
        piw_wheel_seen *seen = read_along(fd, i % 2 == 0 ? NULL : bytes, steps[i / 2], &known.count, hash);
        known.seen = seen;
        int rc = piw_wheel_read_fd(fd, name, NULL, &known, &along, &err);
        ck_assert_msg(rc == plain_rc && strcmp(err.text, plain_err.text) == 0, "%s: \"%s\", not \"%s\"", name, err.text,
                      plain_err.text);
        if (rc == 0) {
            ck_assert_str_eq(along.filehash, plain.filehash);
            ck_assert_str_eq(along.metadata_hash, plain.metadata_hash);
            ck_assert(along.armv6_too == plain.armv6_too);
            piw_wheel_fini(&along);
            /* It isn't for nothing: what was seen is believed. */
            ck_assert_uint_gt(known.count, 0);
            for (size_t k = 0; k < known.count; k++)
                seen[k].hash[0] ^= 1;
            rc = piw_wheel_read_fd(fd, name, NULL, &known, &along, &err);
            bool other = strstr(name, "sha384") != NULL || strstr(name, "sha512") != NULL;
            ck_assert_msg(rc == (other ? 0 : PIW_EREFUSED), "%s", name);
            if (rc == 0)
                piw_wheel_fini(&along);
        }
        free(seen);
    }
    compare_in_memory(bytes, (size_t)info.st_size, name, plain_rc, &plain_err);
    free(bytes);
    if (plain_rc == 0)
        piw_wheel_fini(&plain);
}

START_TEST(what_was_read_while_it_came_changes_no_verdict)
{
    static const char *const folders[] = {"test/wheels/take", "test/wheels/refuse"};
    for (size_t i = 0; i < PIW_COUNT(folders); i++) {
        DIR *dir = opendir(folders[i]);
        ck_assert_ptr_nonnull(dir);
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            if (entry->d_name[0] == '.')
                continue;
            int fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
            ck_assert_int_ge(fd, 0);
            compare_with_plain(fd, entry->d_name);
            close(fd);
        }
        closedir(dir);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gate");
    TCase *tests = tcase_create("gate");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, each_kind_has_its_verdict);
    tcase_add_test(tests, what_was_read_while_it_came_changes_no_verdict);
    suite_add_tcase(suite, tests);
    return suite;
}
