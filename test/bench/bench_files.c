/* bench_files.c — files of good builds alone, in the ways that a master could have them: how many builds a second. Runs in the
 * present folder's file system, in a folder that it makes and removes; `tiny` in short windows. */
#include "shared/atomic_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TOGETHER_MAX = 25, WHEEL = 4096, PATH = 128 };

typedef struct way {
    const char *name;
    bool again, begin, each, all; /* folders used again; write-out begun for all; each file synced; one syncfs */
} way;

static const way ways[] = {
    {"made_and_removed", false, false, false, false},
    {"used_again", true, false, false, false},
    {"synced_each", true, false, true, false},
    {"begun_then_synced", true, true, true, false},
    {"syncfs", true, false, false, true},
};
static char bytes[WHEEL];

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void put(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && close(fd) == 0, path);
}

static void sync_path(const char *path, bool begin_only)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0, path);
    must((begin_only ? sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) : fsync(fd)) == 0, path);
    close(fd);
}

static void stage(const way *how, int i, bool spare)
{
    static const struct {
        const char *name;
        size_t size;
    } files[] = {{"wheel", WHEEL}, {"metadata", 200}, {"log", 300}, {"record", 80}};
    char path[PATH], from[PATH];
    snprintf(path, sizeof(path), "staging/%d", i);
    snprintf(from, sizeof(from), "spare/%d", i);
    must((how->again && spare ? rename(from, path) : mkdir(path, 0700)) == 0, path);
    for (size_t k = 0; k < (how->again ? 3 : 4); k++) {
        snprintf(path, sizeof(path), "staging/%d/%s", i, files[k].name);
        put(path, files[k].size);
    }
}

static void sync_staged(const way *how, int together)
{
    char path[PATH];
    for (int i = 0; how->begin && i < together; i++) {
        snprintf(path, sizeof(path), "staging/%d/wheel", i);
        sync_path(path, true);
    }
    for (int i = 0; how->each && i < together; i++) {
        snprintf(path, sizeof(path), "staging/%d/wheel", i);
        sync_path(path, false);
        snprintf(path, sizeof(path), "staging/%d", i);
        sync_path(path, false);
    }
    if (how->each)
        sync_path("staging", false);
    int fd = how->all ? open("staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        must(syncfs(fd) == 0 && close(fd) == 0, "syncfs");
}

static void publish(const way *how, int i, long number)
{
    static const char *const names[] = {"wheel", "metadata", "log"};
    char from[PATH], to[PATH];
    for (size_t k = 0; k < 3; k++) {
        snprintf(from, sizeof(from), "staging/%d/%s", i, names[k]);
        snprintf(to, sizeof(to), "site/%ld.%s", number, names[k]);
        must(rename(from, to) == 0, from);
    }
    snprintf(from, sizeof(from), "staging/%d/record", i);
    must(how->again || unlink(from) == 0, from);
    snprintf(from, sizeof(from), "staging/%d", i);
    snprintf(to, sizeof(to), "spare/%d", i);
    must((how->again ? rename(from, to) : rmdir(from)) == 0, from);
}

static double run(const way *how, int together, double seconds)
{
    char folder[] = "bench-files-XXXXXX";
    must(mkdtemp(folder) != NULL && chdir(folder) == 0, folder);
    must(mkdir("staging", 0700) == 0 && mkdir("site", 0700) == 0 && mkdir("spare", 0700) == 0, "mkdir");
    long number = 0;
    double begin = now(), passed = 0;
    do {
        for (int i = 0; i < together; i++)
            stage(how, i, number > 0);
        sync_staged(how, together);
        for (int i = 0; i < together; i++)
            publish(how, i, number + i);
        number += together;
        passed = now() - begin;
    } while (passed < seconds);
    must(chdir("..") == 0, folder);
    must(piw_folder_remove(folder, NULL) == 0, folder);
    return (double)number / passed;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 && strcmp(argv[1], "tiny") == 0 ? 0.2 : 2;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        printf("files_%s_1\t%.0f\tbuilds/s\t\t\n", ways[i].name, run(&ways[i], 1, seconds));
        printf("files_%s_%d\t%.0f\tbuilds/s\t\t\n", ways[i].name, TOGETHER_MAX, run(&ways[i], TOGETHER_MAX, seconds));
        fflush(stdout);
    }
    return 0;
}
