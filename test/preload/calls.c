/* calls.c — preloaded to a master by a test: lists its calls that change or open what lies below the site, or lets one of them fail.
 *
 * The file that PIW_CALLS names is shared with the test, which says what is to be done (struct control). A call is known by its
 * name and its path in the site, with every number in it as "#" and temporary names as "*": the same in each build. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OFF, LIST, FAIL, PATH = 4096, KEY = 512 };

struct control {
    _Atomic int32_t mode;
    int32_t error;          /* with which it fails */
    _Atomic int32_t passes; /* calls of this key that are let through before */
    _Atomic int32_t failed; /* how many have failed: one */
    char key[KEY];
    char site[KEY];
};

static struct control off, *control = &off;
static int list = -1;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PIW_CALLS");
    int fd = path != NULL ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char name[PATH];
    snprintf(name, sizeof(name), "%s.list", path);
    list = REAL(open)(name, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (shared != MAP_FAILED)
        control = shared;
}

/* "call path", the path in the site; false when it lies elsewhere. */
static bool key_of(char *key, const char *call, const char *path)
{
    size_t len = strlen(control->site), n;
    if (strncmp(path, control->site, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return false;
    n = (size_t)snprintf(key, KEY / 2, "%s ", call);
    path += len;
    if (strncmp(path, "/.staging/tmp/", 14) == 0)
        path = "/.staging/tmp/*";
    for (; *path != '\0' && n < KEY - 2; path++) {
        bool digit = *path >= '0' && *path <= '9';
        if (!digit || key[n - 1] != '#')
            key[n++] = digit ? '#' : *path;
    }
    key[n] = '\0';
    return true;
}

/* Shall this call fail? */
static bool fails(const char *call, const char *path)
{
    char key[KEY];
    int mode = atomic_load(&control->mode);
    int before = errno;
    if (mode == OFF || !key_of(key, call, path))
        return false;
    if (mode == LIST) {
        strcat(key, "\n");
        if (list >= 0 && REAL(write)(list, key, strlen(key)) < 0)
            abort();
    } else if (strcmp(key, control->key) == 0 && atomic_fetch_sub(&control->passes, 1) == 0) {
        atomic_fetch_add(&control->failed, 1);
        errno = control->error;
        return true;
    }
    errno = before;
    return false;
}

static bool fails_at(const char *call, int folder, const char *name)
{
    char link[64], path[PATH];
    if (atomic_load(&control->mode) == OFF)
        return false;
    if (name != NULL && (name[0] == '/' || folder == AT_FDCWD))
        return fails(call, name);
    int before = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    errno = before;
    if (n < 0)
        return false;
    path[n] = '\0';
    if (name != NULL)
        snprintf(path + n, sizeof(path) - (size_t)n, "/%s", name);
    return fails(call, path);
}

static bool fails_fd(const char *call, int fd)
{
    return fails_at(call, fd, NULL);
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                                      \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        MODE(flags, mode)                                                                                              \
        return fails("open", path) ? -1 : REAL(name)(path, flags, mode);                                               \
    }
#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...)                                                             \
    {                                                                                                                  \
        MODE(flags, mode)                                                                                              \
        return fails_at("open", folder, path) ? -1 : REAL(name)(folder, path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* A disk that becomes full takes a part first. */
static bool takes_half(size_t len)
{
    if (control->error != ENOSPC || len < 2 || atomic_load(&control->mode) != FAIL)
        return false;
    atomic_store(&control->passes, 0); /* the rest fails */
    return true;
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (!fails_fd("write", fd))
        return REAL(write)(fd, data, len);
    return takes_half(len) ? REAL(write)(fd, data, len / 2) : -1;
}

#define PWRITE(name, offset_type)                                                                                      \
    ssize_t name(int fd, const void *data, size_t len, offset_type offset)                                             \
    {                                                                                                                  \
        if (!fails_fd("pwrite", fd))                                                                                   \
            return REAL(name)(fd, data, len, offset);                                                                  \
        return takes_half(len) ? REAL(name)(fd, data, len / 2, offset) : -1;                                           \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name)                                                                                                     \
    int name(int fd)                                                                                                   \
    {                                                                                                                  \
        return fails_fd(#name, fd) ? -1 : REAL(name)(fd);                                                              \
    }
SYNC(fsync)
SYNC(fdatasync)
SYNC(syncfs)

int rename(const char *from, const char *to)
{
    return fails("rename", to) ? -1 : REAL(rename)(from, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return fails_at("rename", to_folder, to) ? -1 : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    return fails("mkdir", path) ? -1 : REAL(mkdir)(path, mode);
}

int link(const char *from, const char *to)
{
    return fails("link", to) ? -1 : REAL(link)(from, to);
}

int unlink(const char *path)
{
    return fails("unlink", path) ? -1 : REAL(unlink)(path);
}

int symlink(const char *target, const char *path)
{
    return fails("symlink", path) ? -1 : REAL(symlink)(target, path);
}

int symlinkat(const char *target, int folder, const char *path)
{
    return fails_at("symlink", folder, path) ? -1 : REAL(symlinkat)(target, folder, path);
}

int chmod(const char *path, mode_t mode)
{
    return fails("chmod", path) ? -1 : REAL(chmod)(path, mode);
}

int fchmod(int fd, mode_t mode)
{
    return fails_fd("chmod", fd) ? -1 : REAL(fchmod)(fd, mode);
}
