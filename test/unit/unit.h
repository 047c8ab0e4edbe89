/* unit.h — what a unit program provides: its suite; and what many of them need. main.c prints a TAP line a test for
 * test/run; a test that must be left out prints a line `skip NAME - why`. CK_FORK=no in the environment runs without forks
 * (sanitizers, gdb). */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    UNIT_FOLDER = 32, /* room for the name of a test's folder: short, since sockets lie in it */
    UNIT_BUILD = 512, /* and for that of the build */
};

/* Each test_*.c defines this. */
Suite *unit_suite(void);

/* How often a long run goes round: `usual` times, or PIW_TIMES (environment; `make soak`) times as often. */
static inline int unit_times(int usual)
{
    const char *times = getenv("PIW_TIMES");
    int factor = times != NULL ? atoi(times) : 1;
    return usual * (factor >= 1 && factor <= 1000 ? factor : 1);
}

/* `file` of the build that this program is of (plugins, test/plugins, bin/piw-idl): it is B/test/unit/PROGRAM. */
static inline void unit_built(char to[UNIT_BUILD], const char *file)
{
    char self[UNIT_BUILD - 64];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    ck_assert_int_gt(len, 0);
    self[len] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(self, '/') = '\0';
    snprintf(to, UNIT_BUILD, "%s/%.60s", self, file);
}

/* Where the farm's plugins are, and the tests'. */
static inline void unit_plugins(char folders[2][UNIT_BUILD])
{
    unit_built(folders[0], "plugins");
    unit_built(folders[1], "test/plugins");
}

/* A new folder; its name. */
static inline void unit_folder(char to[UNIT_FOLDER])
{
    strcpy(to, "/tmp/piw-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(to));
}

static inline int unit_remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

/* Remove a folder with what is in it. */
static inline void unit_remove(const char *folder)
{
    nftw(folder, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int unit_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

/* The bytes of hexadecimal digits; returns how many. */
static inline size_t unit_from_hex(const char *hex, uint8_t *to)
{
    size_t n = 0;
    for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        to[n] = (uint8_t)byte;
    return n;
}

#endif
