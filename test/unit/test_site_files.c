/* Files of the site: whole or not at all, links, trash, temporary files. */
#include "shared/atomic_file.h"
#include "shared/site_path.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool in_one_step = true;

/* Stands for the system's: a file system that can't rename without replacing, as mergerfs and bindfs. */
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (in_one_step)
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    errno = EINVAL;
    return -1;
}

static char root[UNIT_FOLDER];
static char path[PIW_PATH_MAX];

static void make_root(void)
{
    unit_folder(root);
}

static void remove_root(void)
{
    unit_remove(root);
}

static const char *at(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void ck_holds(const char *name, const char *text)
{
    void *data;
    size_t len;
    piw_err err = {0};
    ck_assert_msg(piw_file_read(at(name), 1000, &data, &len, &err) == 0, "%s", err.text);
    ck_assert_str_eq(data, text);
    free(data);
}

static bool is_there(const char *name)
{
    return unit_exists(at(name));
}

START_TEST(a_file_system_that_cannot_keep_in_one_step_keeps_all_the_same)
{
    in_one_step = false;
    int rc = piw_file_write(root, at("page.html"), "one", 3, PIW_FILE_KEEP, NULL);
    int again = piw_file_write(root, at("page.html"), "two", 3, PIW_FILE_KEEP, NULL);
    char from[PIW_PATH_MAX];
    snprintf(from, sizeof(from), "%s", at("page.html"));
    int moved = piw_file_rename_keeping(from, at("aside"));
    in_one_step = true;
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(again, PIW_EEXIST);
    ck_assert_int_eq(moved, 0);
    ck_holds("aside", "one");
    ck_assert(!is_there("page.html"));
}
END_TEST

/* nginx knows a file by its size and the second of its time. */
START_TEST(a_page_of_the_same_length_has_a_later_second)
{
    struct stat old, new;
    ck_assert_int_eq(piw_file_write(root, at("page.html"), "one", 3, PIW_FILE_LATER, NULL), 0);
    ck_assert_int_eq(stat(path, &old), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(piw_file_write(root, at("page.html"), i % 2 ? "one" : "two", 3, PIW_FILE_LATER, NULL), 0);
        ck_assert_int_eq(stat(path, &new), 0);
        ck_assert_int_gt(new.st_mtime, old.st_mtime);
        old = new;
    }
    /* Another length tells them apart: its time is true. */
    ck_assert_int_eq(piw_file_write(root, at("page.html"), "three", 5, PIW_FILE_LATER, NULL), 0);
    ck_assert_int_eq(stat(path, &new), 0);
    ck_assert_int_lt(new.st_mtime, old.st_mtime);
    ck_holds("page.html", "three");
}
END_TEST

START_TEST(a_file_appears_with_its_folders_and_mode)
{
    mode_t before = umask(077);
    ck_assert_int_eq(piw_file_write(root, at("a/b/page.html"), "one", 3, PIW_FILE_SYNC | PIW_FILE_SYNC_DIR, NULL), 0);
    umask(before);
    ck_holds("a/b/page.html", "one");
    struct stat info;
    ck_assert_int_eq(stat(at("a/b/page.html"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0644);
    ck_assert_int_eq(stat(at("a/b"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0755);
    ck_assert_int_eq(stat(at(".staging"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    ck_assert_int_eq(piw_file_write(root, at("a/b/page.html"), "two", 3, 0, NULL), 0);
    ck_holds("a/b/page.html", "two");
    ck_assert_int_eq(piw_file_write(root, at("a/b/page.html"), "three", 5, PIW_FILE_KEEP, NULL), PIW_EEXIST);
    ck_holds("a/b/page.html", "two");
    /* Nothing temporary stays. */
    ck_assert_int_eq(rmdir(at(".staging/tmp")), 0);
}
END_TEST

START_TEST(a_file_holds_its_bytes_in_its_mode_or_is_another)
{
    static char large[200000];
    memset(large, 'x', sizeof(large));
    ck_assert(!piw_file_holds(at("page"), "text", 4));
    ck_assert_int_eq(piw_file_write(root, at("page"), "text", 4, 0, NULL), 0);
    ck_assert(piw_file_holds(at("page"), "text", 4));
    ck_assert(!piw_file_holds(at("page"), "tex", 3));
    ck_assert(!piw_file_holds(at("page"), "texts", 5));
    ck_assert(!piw_file_holds(at("page"), "tost", 4));
    ck_assert_int_eq(chmod(at("page"), 0600), 0);
    ck_assert(!piw_file_holds(at("page"), "text", 4));
    ck_assert_int_eq(piw_file_write(root, at("large"), large, sizeof(large), 0, NULL), 0);
    ck_assert(piw_file_holds(at("large"), large, sizeof(large)));
    large[sizeof(large) - 1] = 'y';
    ck_assert(!piw_file_holds(at("large"), large, sizeof(large)));
    ck_assert_int_eq(symlink("large", at("link")), 0);
    large[sizeof(large) - 1] = 'x';
    ck_assert(!piw_file_holds(at("link"), large, sizeof(large)));
}
END_TEST

START_TEST(what_fails_changes_nothing)
{
    ck_assert_int_eq(piw_file_write(root, at("file"), "old", 3, 0, NULL), 0);
    piw_err err = {0};
    ck_assert_int_ne(piw_file_write(root, at("file/page"), "new", 3, 0, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "file/page"));
    ck_assert_int_eq(mkdir(at("folder"), 0755), 0);
    ck_assert_int_ne(piw_file_write(root, at("folder"), "new", 3, 0, NULL), 0);
    ck_holds("file", "old");
    ck_assert_int_eq(rmdir(at(".staging/tmp")), 0);
}
END_TEST

START_TEST(links_replace_links_only)
{
    char target[64];
    ck_assert_int_eq(piw_link_write(root, at("project/Gold"), "gold", NULL), 0);
    ck_assert_int_eq(piw_link_write(root, at("project/Gold"), "gold", NULL), 0);
    ck_assert_int_eq(piw_link_write(root, at("project/Gold"), "silver", NULL), 0);
    ssize_t n = readlink(at("project/Gold"), target, sizeof(target));
    ck_assert_int_eq(n, 6);
    ck_assert_int_eq(piw_folder_make(at("project/real"), NULL), 0);
    ck_assert_int_eq(piw_link_write(root, at("project/real"), "gold", NULL), PIW_EEXIST);
    ck_assert(is_there("project/real"));
}
END_TEST

START_TEST(trash_is_moved_and_cleared)
{
    char trash[PIW_PATH_MAX];
    ck_assert_int_eq(piw_file_write(root, at("build/a/b"), "x", 1, 0, NULL), 0);
    ck_assert_int_eq(symlink("/etc", at("build/a/link")), 0);
    ck_assert_int_eq(piw_trash(root, at("build"), trash, NULL), 0);
    ck_assert(!is_there("build"));
    ck_assert_int_eq(access(trash, F_OK), 0);
    ck_assert_int_eq(piw_trash(root, at("build"), trash, NULL), PIW_ENOENT);
    /* Our own stays, that of an earlier process goes. */
    ck_assert_int_eq(piw_tmp_clear(root, NULL), 0);
    ck_assert_int_ne(rmdir(at(".staging/tmp")), 0);
    ck_assert_int_eq(piw_file_write(root, at("build/a/b"), "x", 1, 0, NULL), 0);
    char from[PIW_PATH_MAX];
    snprintf(from, sizeof(from), "%s", at("build"));
    ck_assert_int_eq(rename(from, at(".staging/tmp/1-0123456789abcdef")), 0);
    ck_assert_int_eq(piw_tmp_clear(root, NULL), 0);
    ck_assert(!is_there(".staging/tmp/1-0123456789abcdef"));
    ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
}
END_TEST

static void leave_behind(const char *site)
{
    char tmp[PIW_PATH_MAX];
    int fd;
    piw_room room = {.number = 1};
    (void)piw_tmp_clear(site, NULL);
    (void)piw_file_begin(site, NULL, tmp, &fd, NULL);
    (void)piw_file_begin(site, &room, tmp, &fd, NULL);
    (void)piw_folder_begin(site, tmp, NULL);
}

/* This program once more, as a master that begins. It says with a byte on its output when it is done, and waits to be killed. */
__attribute__((constructor)) static void be_contained(void)
{
    const char *site = getenv("PIW_TEST_SITE");
    if (site == NULL)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    leave_behind(site);
    if (write(STDOUT_FILENO, getpid() == 1 ? "+" : "-", 1) == 1)
        for (;;)
            pause();
    _exit(1);
}

/* In a container of its own, where it has number 1. 0: this machine begins no such program. */
static pid_t contained(void)
{
    int done[2];
    char byte = '-';
    ck_assert_int_eq(pipe(done), 0);
    pid_t outer = fork();
    if (outer == 0) {
        pid_t inner = unshare(CLONE_NEWPID) == 0 ? fork() : -1;
        if (inner == 0 && dup2(done[1], STDOUT_FILENO) >= 0 && setenv("PIW_TEST_SITE", root, 1) == 0)
            execl("/proc/self/exe", "contained", NULL);
        if (inner == 0)
            (void)!write(done[1], "?", 1); /* another machine's program, which is interpreted, can't begin itself */
        if (inner <= 0)
            _exit(1);
        close(done[1]);
        for (;;)
            pause();
    }
    ck_assert_int_gt(outer, 0);
    close(done[1]);
    ck_assert_int_eq(read(done[0], &byte, 1), 1);
    close(done[0]);
    if (byte == '?')
        kill(outer, SIGKILL);
    else
        ck_assert_int_eq(byte, '+');
    return byte == '+' ? outer : 0;
}

static int count_tmp(void)
{
    int count = 0;
    DIR *folder = opendir(at(".staging/tmp"));
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder != NULL)
        closedir(folder);
    return count;
}

/* Each has the number that the one before had. */
START_TEST(what_was_left_in_a_container_goes)
{
    if (geteuid() != 0)
        return; /* that is for root */
    pid_t one = contained();
    if (one == 0)
        return;
    ck_assert_int_eq(count_tmp(), 3);
    pid_t other = contained();
    ck_assert_int_eq(count_tmp(), 3);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kill(i == 0 ? one : other, SIGKILL), 0);
        ck_assert_int_gt(waitpid(i == 0 ? one : other, NULL, 0), 0);
    }
}
END_TEST

START_TEST(removing_what_is_not_there_is_fine)
{
    ck_assert_int_eq(piw_file_remove(at("nothing"), NULL), 0);
    ck_assert_int_eq(piw_folder_remove(at("nothing"), NULL), 0);
    ck_assert_int_eq(piw_tmp_clear(root, NULL), 0);
    void *data;
    size_t len;
    ck_assert_int_eq(piw_file_read(at("nothing"), 10, &data, &len, NULL), PIW_ENOENT);
    ck_assert_int_eq(piw_file_write(root, at("some"), "0123456789a", 11, 0, NULL), 0);
    ck_assert_int_eq(piw_file_read(at("some"), 10, &data, &len, NULL), PIW_ELIMIT);
    ck_assert_int_eq(piw_file_place(at("nothing"), "/tmp/piw-nowhere", 0, NULL), PIW_ENOENT);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("site_files");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, a_file_appears_with_its_folders_and_mode);
    tcase_add_test(tests, a_page_of_the_same_length_has_a_later_second);
    tcase_add_test(tests, a_file_holds_its_bytes_in_its_mode_or_is_another);
    tcase_add_test(tests, a_file_system_that_cannot_keep_in_one_step_keeps_all_the_same);
    tcase_add_test(tests, what_fails_changes_nothing);
    tcase_add_test(tests, links_replace_links_only);
    tcase_add_test(tests, trash_is_moved_and_cleared);
    tcase_add_test(tests, what_was_left_in_a_container_goes);
    tcase_add_test(tests, removing_what_is_not_there_is_fine);
    suite_add_tcase(suite, tests);
    return suite;
}
