/* recorder.c — preloaded into a master by a test (test/system/crash.py): notes what it does to the files below a folder, so that
 * the tree can be made as a crash of the machine could have left it. It writes a line for each step, in their order:
 *
 *   create INODE PATH      mkdir PATH         rename FROM TO         link FROM TO         symlink TARGET PATH
 *   exchange FROM TO
 *   unlink PATH            rmdir PATH         write INODE OFFSET LENGTH                   truncate INODE LENGTH
 *   file INODE STEP        folder STEP PATH   all STEP
 *
 * The last three are syncs that have succeeded: of a file, of a folder, of everything, with the number of steps that there
 * were when they began. What is removed or replaced is kept under another name, so that its bytes can be had again and no
 * inode comes twice. A step and its line are one, under a lock; programs that do much at once are slowed by that, no more.
 *
 * PIW_RECORD_ROOT is the folder, PIW_RECORD_LOG the file with the lines, PIW_RECORD_KEEP a folder of the same file system. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX], keep[PATH_MAX];
static int lines = -1;
static unsigned long steps, kept;

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("PIW_RECORD_ROOT"), *log = getenv("PIW_RECORD_LOG"),
               *keeping = getenv("PIW_RECORD_KEEP");
    if (folder == NULL || log == NULL || keeping == NULL)
        return;
    snprintf(root, sizeof(root), "%s/", folder);
    snprintf(keep, sizeof(keep), "%s", keeping);
    lines = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static bool is_ours(const char *path)
{
    return lines >= 0 && strncmp(path, root, strlen(root)) == 0;
}

/* Where a name in an open folder is; false when it isn't below the root. */
static bool path_at(int folder, const char *name, char *path)
{
    if (lines < 0)
        return false;
    if (name[0] == '/' || folder == AT_FDCWD) {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        char link[64], at[PATH_MAX];
        snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, at, sizeof(at) - 1);
        if (n < 0)
            return false;
        at[n] = '\0';
        if (snprintf(path, PATH_MAX, "%s/%s", at, name) >= PATH_MAX)
            return false;
    }
    return is_ours(path);
}

static bool path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = lines < 0 ? -1 : readlink(link, path, PATH_MAX - 2);
    if (n < 0)
        return false;
    path[n] = '\0';
    return is_ours(path) || strncmp(path, root, strlen(root) - 1) == 0;
}

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
    char line[3 * PATH_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n <= 0 || syscall(SYS_write, lines, line, (size_t)n) != n)
        abort();
    steps++;
}

/* Another name for what is about to lose this one. */
static void keep_file(const char *path)
{
    char name[PATH_MAX + 32];
    struct stat there;
    if (lstat(path, &there) != 0 || S_ISDIR(there.st_mode))
        return;
    snprintf(name, sizeof(name), "%s/%lu", keep, kept++);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, name, 0) != 0)
        abort();
}

static int open_noted(int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    if ((flags & O_CREAT) == 0 || !path_at(folder, name, path))
        return (int)syscall(SYS_openat, folder, name, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat there;
    bool fresh = lstat(path, &there) != 0;
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    int error = errno;
    if (fd >= 0 && fstat(fd, &there) == 0) {
        if (fresh)
            say("create\t%lu\t%s\n", (unsigned long)there.st_ino, path);
        else if ((flags & O_TRUNC) != 0)
            say("truncate\t%lu\t0\n", (unsigned long)there.st_ino);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode_t mode = mode_of(flags, args);                                                                            \
        va_end(args);                                                                                                  \
        return open_noted(AT_FDCWD, path, flags, mode);                                                                \
    }
#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode_t mode = mode_of(flags, args);                                                                            \
        va_end(args);                                                                                                  \
        return open_noted(folder, path, flags, mode);                                                                  \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* A change of names: done and noted at once. */
#define NOTED(call, ...)                                                                                               \
    do {                                                                                                               \
        int result = (call), error = errno;                                                                            \
        if (result == 0)                                                                                               \
            say(__VA_ARGS__);                                                                                          \
        pthread_mutex_unlock(&lock);                                                                                   \
        errno = error;                                                                                                 \
        return result;                                                                                                 \
    } while (0)

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    char old[PATH_MAX], new[PATH_MAX];
    if (!path_at(from_folder, from, old) || !path_at(to_folder, to, new))
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    pthread_mutex_lock(&lock);
    if ((flags & (RENAME_NOREPLACE | RENAME_EXCHANGE)) == 0)
        keep_file(new);
    const char *word = (flags & RENAME_EXCHANGE) != 0 ? "exchange" : "rename";
    NOTED((int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags), "%s\t%s\t%s\n", word, old, new);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int link(const char *from, const char *to)
{
    if (!is_ours(from) || !is_ours(to))
        return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    pthread_mutex_lock(&lock);
    NOTED((int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0), "link\t%s\t%s\n", from, to);
}

int symlinkat(const char *target, int folder, const char *name)
{
    char path[PATH_MAX];
    if (!path_at(folder, name, path))
        return (int)syscall(SYS_symlinkat, target, folder, name);
    pthread_mutex_lock(&lock);
    NOTED((int)syscall(SYS_symlinkat, target, folder, name), "symlink\t%s\t%s\n", target, path);
}

int symlink(const char *target, const char *path)
{
    return symlinkat(target, AT_FDCWD, path);
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[PATH_MAX];
    if (!path_at(folder, name, path))
        return (int)syscall(SYS_unlinkat, folder, name, flags);
    pthread_mutex_lock(&lock);
    if ((flags & AT_REMOVEDIR) == 0)
        keep_file(path);
    NOTED((int)syscall(SYS_unlinkat, folder, name, flags), "%s\t%s\n", (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink",
          path);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    if (!is_ours(path))
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    pthread_mutex_lock(&lock);
    NOTED((int)syscall(SYS_mkdirat, AT_FDCWD, path, mode), "mkdir\t%s\n", path);
}

/* A write below the root; with a negative offset at the descriptor's own place. */
static ssize_t write_noted(int fd, const void *data, size_t size, off_t offset)
{
    char path[PATH_MAX];
    bool ours = path_of(fd, path);
    if (!ours)
        return offset < 0 ? syscall(SYS_write, fd, data, size) : syscall(SYS_pwrite64, fd, data, size, offset);
    pthread_mutex_lock(&lock);
    struct stat there;
    bool known = fstat(fd, &there) == 0;
    bool at_end = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    off_t at = offset >= 0 ? offset : known && at_end ? there.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t n = offset < 0 ? syscall(SYS_write, fd, data, size) : syscall(SYS_pwrite64, fd, data, size, offset);
    int error = errno;
    if (n > 0 && known)
        say("write\t%lu\t%lld\t%zd\n", (unsigned long)there.st_ino, (long long)at, n);
    pthread_mutex_unlock(&lock);
    errno = error;
    return n;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_noted(fd, data, size, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_noted(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_noted(fd, data, size, offset);
}

static int truncate_noted(int fd, off_t size)
{
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    struct stat there = {0};
    fstat(fd, &there);
    NOTED((int)syscall(SYS_ftruncate, fd, size), "truncate\t%lu\t%lld\n", (unsigned long)there.st_ino, (long long)size);
}

int ftruncate(int fd, off_t size)
{
    return truncate_noted(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return truncate_noted(fd, size);
}

/* What is waited for outside of the lock, so that others go on as they would. */
static int sync_noted(long number, int fd)
{
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return (int)syscall(number, fd);
    struct stat there = {0};
    pthread_mutex_lock(&lock);
    unsigned long step = steps;
    bool known = fstat(fd, &there) == 0;
    pthread_mutex_unlock(&lock);
    int rc = (int)syscall(number, fd), error = errno;
    if (rc == 0 && known) {
        pthread_mutex_lock(&lock);
        if (number == SYS_syncfs)
            say("all\t%lu\n", step);
        else if (S_ISDIR(there.st_mode))
            say("folder\t%lu\t%s\n", step, path);
        else
            say("file\t%lu\t%lu\n", (unsigned long)there.st_ino, step);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return rc;
}

int fsync(int fd)
{
    return sync_noted(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_noted(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
    return sync_noted(SYS_syncfs, fd);
}
