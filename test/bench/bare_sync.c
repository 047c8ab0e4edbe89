/* What keeping wheels costs where nothing is around it: files of one size, written and synced in groups, then renamed.
 *
 *     bare_sync FOLDER SECONDS GROUP BYTES
 *
 * All of a group are written first, their data's writing is begun, then each is synced: what the file system has to write
 * for the first it need not for the others. Prints files a second. */
#include "bench.h"

#include <fcntl.h>
#include <unistd.h>

enum { GROUP_MAX = 1000 };

static void path_of(char *path, size_t size, const char *folder, const char *kind, int64_t number)
{
    if (snprintf(path, size, "%s/%s%lld", folder, kind, (long long)number) >= (int)size)
        bench_die("a path that is too long");
}

static void keep_group(const char *folder, int64_t first, int group, const void *data, size_t len)
{
    int fds[GROUP_MAX];
    char from[4096], to[4096];
    for (int i = 0; i < group; i++) {
        path_of(from, sizeof(from), folder, "part", first + i);
        fds[i] = open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fds[i] < 0 || write(fds[i], data, len) != (ssize_t)len ||
            (group > 1 && sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE) != 0))
            bench_die("a file can't be written");
    }
    for (int i = 0; i < group; i++)
        if (fdatasync(fds[i]) != 0 || close(fds[i]) != 0)
            bench_die("a file can't be synced");
    for (int i = 0; i < group; i++) {
        path_of(from, sizeof(from), folder, "part", first + i);
        path_of(to, sizeof(to), folder, "file", first + i);
        if (rename(from, to) != 0)
            bench_die("a file can't be renamed");
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        bench_die("bare_sync FOLDER SECONDS GROUP BYTES; the benches run it");
    double seconds = atof(argv[2]);
    int group = atoi(argv[3]);
    size_t len = strtoul(argv[4], NULL, 10);
    if (group < 1 || group > GROUP_MAX)
        bench_die("GROUP is 1 to 1000");
    void *data = piw_zalloc(len);
    int64_t began = piw_monotonic_ns(), files = 0;
    while ((double)(piw_monotonic_ns() - began) < seconds * 1e9) {
        keep_group(argv[1], files, group, data, len);
        files += group;
    }
    printf("%.1f\n", (double)files * 1e9 / (double)(piw_monotonic_ns() - began));
    free(data);
    return 0;
}
