/* atomic_file.c — files of the site appear whole or not at all. */
#include "shared/atomic_file.h"

#include "piw/log.h"
#include "piw/task.h"
#include "shared/process_id.h"
#include "shared/site_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of files of the site. Temporary ones have it from the beginning, if the umask lets them: their folder is 0700, and to look at a mode costs
 * a tenth of setting it. */
enum { MODE = 0644 };

static int set_mode(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && (info.st_mode & 07777) == MODE ? 0 : fchmod(fd, MODE);
}

static int set_mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && (info.st_mode & 07777) == MODE ? 0 : chmod(path, MODE);
}

int piw_write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return PIW_ESYS;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int make_one(const char *path, mode_t mode, piw_err *err)
{
    if (mkdir(path, mode) == 0) {
        /* Against a umask that would hide the site from the web server. */
        return chmod(path, mode) == 0 ? 0 : piw_err_errno(err, "can't set the mode of %s", path);
    }
    return errno == EEXIST ? 0 : piw_err_errno(err, "can't make the folder %s", path);
}

static int make_folders(const char *path, size_t len, mode_t mode, piw_err *err)
{
    char part[PIW_PATH_MAX];
    if (len == 0 || len >= sizeof(part))
        return piw_err_set(err, PIW_EINVAL, "the path \"%s\" is empty or too long", path);
    memcpy(part, path, len);
    part[len] = '\0';
    if (mkdir(part, mode) == 0)
        return chmod(part, mode) == 0 ? 0 : piw_err_errno(err, "can't set the mode of %s", part);
    if (errno != ENOENT)
        return errno == EEXIST ? 0 : piw_err_errno(err, "can't make the folder %s", part);
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        int rc = make_one(part, mode, err);
        if (rc != 0)
            return rc;
        part[i] = '/';
    }
    return make_one(part, mode, err);
}

int piw_folder_make(const char *path, piw_err *err)
{
    return make_folders(path, strlen(path), 0755, err);
}

static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

int piw_folder_make_for(const char *path, piw_err *err)
{
    return make_folders(path, folder_len(path), 0755, err);
}

int piw_folder_sync_of(const char *path, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    size_t len = folder_len(path);
    if (len == 0 || len >= sizeof(folder))
        return piw_err_set(err, PIW_EINVAL, "the path \"%s\" has no folder", path);
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return piw_err_errno(err, "can't open the folder %s", folder);
    int rc = fsync(fd) == 0 ? 0 : piw_err_errno(err, "can't sync the folder %s", folder);
    close(fd);
    return rc;
}

int piw_site_sync(const char *root, piw_err *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return piw_err_errno(err, "can't open the output path %s", root);
    int rc = syncfs(fd) == 0 ? 0 : piw_err_errno(err, "can't sync the file system of %s", root);
    close(fd);
    return rc;
}

enum { OWN = 48 /* bytes of the beginning of a name */ };

/* PID-ID-, with which the names of all that this process makes there begin. Returns its length. */
static size_t own_names(char own[OWN])
{
    return (size_t)snprintf(own, OWN, "%ld-%0*llx-", (long)getpid(), PIW_PROCESS_ID_DIGITS,
                            (unsigned long long)piw_process_id());
}

/* ROOT/.staging/tmp/PID-ID-room-ROOM, or without a room ROOT/.staging/tmp. */
static bool room_path(const char *root, int64_t room, char *folder, size_t size)
{
    char own[OWN];
    own_names(own);
    int n = room == 0 ? snprintf(folder, size, "%s/.staging/tmp", root)
                      : snprintf(folder, size, "%s/.staging/tmp/%sroom-%lld", root, own, (long long)room);
    return n > 0 && (size_t)n < size;
}

/* PID-ID-RANDOM in that folder. */
static int tmp_path(const char *root, int64_t room, char *tmp, piw_err *err)
{
    char folder[PIW_PATH_MAX - 80], own[OWN];
    if (!room_path(root, room, folder, sizeof(folder)))
        return piw_err_set(err, PIW_EINVAL, "the output path \"%s\" is too long", root);
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return piw_err_errno(err, "can't name a temporary file in %s", folder);
    own_names(own);
    snprintf(tmp, PIW_PATH_MAX, "%s/%s%016llx", folder, own, (unsigned long long)random);
    return 0;
}

/* The folders that `tmp` lies in, below ROOT, and nothing above them: an output folder that has gone isn't made anew. */
static int make_tmp_folder(const char *root, const char *tmp, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    size_t len = folder_len(tmp) + 1;
    memcpy(folder, tmp, len);
    folder[len] = '\0';
    int rc = 0;
    for (char *slash = folder + strlen(root); rc == 0 && (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        rc = make_one(folder, 0700, err);
    }
    return rc;
}

static int64_t processor_ns(void)
{
    struct timespec spent;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0 ? spent.tv_sec * INT64_C(1000000000) + spent.tv_nsec : 0;
}

static int make_file(const char *tmp, piw_room *room)
{
    int64_t began_ns = room == NULL ? 0 : processor_ns();
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (fd >= 0 && room != NULL) {
        room->files++;
        room->ns += processor_ns() - began_ns;
    }
    return fd;
}

int piw_file_begin(const char *root, piw_room *room, char *tmp, int *fd, piw_err *err)
{
    int rc = tmp_path(root, room == NULL ? 0 : room->number, tmp, err);
    for (int tries = 0; rc == 0 && tries < 2; tries++) {
        *fd = make_file(tmp, room);
        if (*fd >= 0)
            return 0;
        if (errno != ENOENT || tries > 0)
            break;
        rc = make_tmp_folder(root, tmp, err);
    }
    *fd = -1;
    return rc != 0 ? rc : piw_err_errno(err, "can't make the temporary file %s", tmp);
}

int piw_folder_begin(const char *root, char *tmp, piw_err *err)
{
    int rc = tmp_path(root, 0, tmp, err);
    if (rc == 0)
        rc = make_tmp_folder(root, tmp, err);
    return rc != 0 || mkdir(tmp, 0700) == 0 ? rc : piw_err_errno(err, "can't make the temporary folder %s", tmp);
}

/* A file or a folder, if there is one. */
static int remove_any(const char *path)
{
    piw_err ignored_err = {0};
    return unlink(path) == 0 || errno == ENOENT || (errno == EISDIR && piw_folder_remove(path, &ignored_err) == 0) ? 0
                                                                                                                   : -1;
}

/* In one step, where the file system can do that. */
static int exchange(const char *from, const char *path)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
        return remove_any(from);
    if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
        return -1;
    return remove_any(path) == 0 ? rename(from, path) : -1;
}

int piw_folder_commit(const char *tmp, const char *path, piw_err *err)
{
    if (exchange(tmp, path) == 0)
        return 0;
    int rc = piw_err_errno(err, "can't put the folder %s in place", path);
    piw_err ignored_err = {0};
    (void)piw_folder_remove(tmp, &ignored_err);
    return rc;
}

/* Some file systems can't do it in one step, those in user space above all: there a link is made first. */
int piw_file_rename_keeping(const char *from, const char *path)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return link(from, path) == 0 ? unlink(from) : -1;
}

static int put_in_place(const char *from, const char *path, unsigned flags, piw_err *err)
{
    int rc = 0;
    for (int tries = 0; tries < 2; tries++) {
        int done = (flags & PIW_FILE_KEEP) != 0 ? piw_file_rename_keeping(from, path) : rename(from, path);
        if (done == 0) {
            piw_file_was_written(path);
            return (flags & PIW_FILE_SYNC_DIR) != 0 ? piw_folder_sync_of(path, err) : 0;
        }
        if (errno == EEXIST)
            return piw_err_set(err, PIW_EEXIST, "%s is there already and stays", path);
        if (errno != ENOENT || tries > 0)
            break;
        rc = piw_folder_make_for(path, err);
        if (rc != 0)
            return rc;
    }
    return piw_err_errno(err, "can't put %s in place", path);
}

static int set_later(int fd, const char *path, piw_err *err)
{
    struct stat now, old;
    if (lstat(path, &old) != 0 || !S_ISREG(old.st_mode))
        return 0;
    if (fstat(fd, &now) != 0)
        return piw_err_errno(err, "can't read the time of what is written as %s", path);
    if (now.st_size != old.st_size || now.st_mtim.tv_sec > old.st_mtim.tv_sec)
        return 0;
    struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = old.st_mtim.tv_sec + 1}};
    return futimens(fd, times) == 0 ? 0 : piw_err_errno(err, "can't set the time of %s", path);
}

int piw_file_commit(int *fd, const char *tmp, const char *path, unsigned flags, piw_err *err)
{
    int rc = 0;
    if (set_mode(*fd) != 0)
        rc = piw_err_errno(err, "can't set the mode of %s", tmp);
    if (rc == 0 && (flags & PIW_FILE_LATER) != 0)
        rc = set_later(*fd, path, err);
    if (rc == 0 && (flags & PIW_FILE_SYNC) != 0 && fsync(*fd) != 0)
        rc = piw_err_errno(err, "can't sync %s", path);
    /* Some file systems say only now that there was no room. */
    if (close(*fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "can't write %s", path);
    *fd = -1;
    if (rc == 0)
        rc = put_in_place(tmp, path, flags, err);
    if (rc != 0)
        unlink(tmp);
    return rc;
}

int piw_file_write(const char *root, const char *path, const void *data, size_t len, unsigned flags, piw_err *err)
{
    return piw_file_write_in(root, NULL, path, data, len, flags, err);
}

int piw_file_write_in(const char *root, piw_room *room, const char *path, const void *data, size_t len, unsigned flags,
                      piw_err *err)
{
    char tmp[PIW_PATH_MAX];
    int fd;
    int rc = piw_file_begin(root, room, tmp, &fd, err);
    if (rc != 0)
        return rc;
    if (piw_write_all(fd, data, len) != 0) {
        rc = piw_err_errno(err, "can't write %s", path);
        close(fd);
        unlink(tmp);
        return rc;
    }
    return piw_file_commit(&fd, tmp, path, flags, err);
}

/* The rest of the file is these bytes, and no more. */
static bool reads_as(int fd, const unsigned char *data, size_t len)
{
    unsigned char piece[65536];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 && len == 0;
        if ((size_t)n > len || memcmp(piece, data, (size_t)n) != 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
}

bool piw_file_holds(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct stat info;
    bool same = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 07777) == MODE &&
                (uint64_t)info.st_size == len && reads_as(fd, data, len);
    close(fd);
    if (same)
        piw_file_was_written(path); /* by whoever asks, had it not been there */
    return same;
}

bool piw_file_there(const char *path)
{
    if (access(path, F_OK) != 0)
        return false;
    piw_file_was_read(path);
    return true;
}

int piw_file_place(const char *from, const char *path, unsigned flags, piw_err *err)
{
    if (set_mode_of(from) != 0)
        return errno == ENOENT ? piw_err_set(err, PIW_ENOENT, "%s isn't there", from)
                               : piw_err_errno(err, "can't set the mode of %s", from);
    return put_in_place(from, path, flags, err);
}

int piw_link_write(const char *root, const char *path, const char *target, piw_err *err)
{
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISLNK(there.st_mode))
        return piw_err_set(err, PIW_EEXIST, "%s is not a link and stays", path);
    char old[PIW_PATH_MAX];
    ssize_t n = readlink(path, old, sizeof(old) - 1);
    if (n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0) {
        piw_file_was_written(path);
        return 0;
    }
    char tmp[PIW_PATH_MAX];
    int rc = tmp_path(root, 0, tmp, err);
    if (rc == 0)
        rc = make_tmp_folder(root, tmp, err);
    if (rc != 0)
        return rc;
    if (symlink(target, tmp) != 0)
        return piw_err_errno(err, "can't make the link %s", tmp);
    rc = put_in_place(tmp, path, 0, err);
    if (rc != 0)
        unlink(tmp);
    return rc;
}

int piw_file_remove(const char *path, piw_err *err)
{
    piw_file_was_read(path); /* so that it is there to be removed when this is played */
    bool gone = unlink(path) == 0;
    if (gone)
        piw_file_was_removed(path);
    return gone || errno == ENOENT || errno == ENOTDIR ? 0 : piw_err_errno(err, "can't remove %s", path);
}

static int remove_entries(int fd, const char *path, int depth, piw_err *err);

static int remove_entry(int folder, const char *name, const char *path, int depth, piw_err *err)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return piw_err_errno(err, "can't remove %s in %s", name, path);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return piw_err_errno(err, "can't open %s in %s", name, path);
    int rc = remove_entries(fd, path, depth + 1, err);
    if (rc == 0 && unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        rc = piw_err_errno(err, "can't remove the folder %s in %s", name, path);
    return rc;
}

/* Takes the descriptor. */
static int remove_entries(int fd, const char *path, int depth, piw_err *err)
{
    enum { DEPTH_MAX = 32 };
    DIR *folder = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        close(fd);
        return piw_err_set(err, PIW_ESYS, "can't list %s", path);
    }
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = remove_entry(dirfd(folder), entry->d_name, path, depth, err);
    }
    closedir(folder);
    return rc;
}

int piw_folder_remove(const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't open the folder %s", path);
    int rc = remove_entries(fd, path, 0, err);
    if (rc == 0 && rmdir(path) != 0 && errno != ENOENT)
        rc = piw_err_errno(err, "can't remove the folder %s", path);
    return rc;
}

/* ROOT/.staging/tmp/PID-ID-spare-NUMBER, which piw_tmp_clear of a later process removes. */
static bool spare_path(const char *root, int64_t number, char *spare)
{
    enum { SPARES = 64 };
    char own[OWN];
    own_names(own);
    int n = snprintf(spare, PIW_PATH_MAX, "%s/.staging/tmp/%sspare-%d", root, own, (int)(number % SPARES));
    return n > 0 && n < PIW_PATH_MAX;
}

int piw_folder_spare(const char *root, const char *path, int64_t number, piw_err *err)
{
    char spare[PIW_PATH_MAX];
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't open the folder %s", path);
    int rc = remove_entries(fd, path, 0, err);
    if (rc != 0 || (spare_path(root, number, spare) && rename(path, spare) == 0))
        return rc;
    return rmdir(path) == 0 || errno == ENOENT ? 0 : piw_err_errno(err, "can't remove the folder %s", path);
}

bool piw_folder_reuse(const char *root, const char *path, int64_t number)
{
    char spare[PIW_PATH_MAX];
    return spare_path(root, number, spare) && renameat2(AT_FDCWD, spare, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
}

int piw_trash(const char *root, const char *path, char *trash, piw_err *err)
{
    int rc = tmp_path(root, 0, trash, err);
    for (int tries = 0; rc == 0 && tries < 2; tries++) {
        if (rename(path, trash) == 0)
            return 0;
        if (errno != ENOENT)
            return piw_err_errno(err, "can't move %s away", path);
        /* The file or the folder for temporary files is missing: which one shows the second try. */
        rc = tries == 0 ? make_tmp_folder(root, trash, err) : piw_err_set(err, PIW_ENOENT, "%s isn't there", path);
    }
    return rc;
}

int piw_tmp_clear(const char *root, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_tmp(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path \"%s\" is too long", root);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    char own[OWN];
    size_t len = own_names(own);
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, own, len) == 0)
            continue;
        rc = remove_entry(dirfd(folder), entry->d_name, path, 0, err);
    }
    closedir(folder);
    return rc;
}

/* The number of a room of this process; 0: it is none. */
static int64_t room_number(const char *name)
{
    static const char ROOM[] = "room-";
    char own[OWN];
    size_t len = own_names(own);
    return strncmp(name, own, len) == 0 && strncmp(name + len, ROOM, sizeof(ROOM) - 1) == 0
               ? strtoll(name + len + sizeof(ROOM) - 1, NULL, 10)
               : 0;
}

int64_t piw_room_last(const char *root)
{
    char path[PIW_PATH_MAX];
    int64_t last = 0;
    DIR *folder = piw_path_tmp(path, root) ? opendir(path) : NULL;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (room_number(entry->d_name) > last)
            last = room_number(entry->d_name);
    if (folder != NULL)
        closedir(folder);
    return last;
}

/* `full`: with all that is in them. */
static void remove_rooms(const char *root, int64_t last, bool full)
{
    char path[PIW_PATH_MAX];
    DIR *folder = piw_path_tmp(path, root) ? opendir(path) : NULL;
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        int64_t number = room_number(entry->d_name);
        piw_err err = {0};
        if (number <= 0 || number > last)
            continue;
        if (!full)
            (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
        else if (remove_entry(dirfd(folder), entry->d_name, path, 0, &err) != 0)
            piw_debug("what is left in a room of temporary files stays for now: %s", err.text);
    }
    if (folder != NULL)
        closedir(folder);
}

void piw_rooms_end(const char *root, int64_t last)
{
    remove_rooms(root, last, false);
}

void piw_rooms_clear(const char *root, int64_t last)
{
    remove_rooms(root, last, true);
}

int piw_file_read(const char *path, size_t max, void **data, size_t *len, piw_err *err)
{
    *data = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? piw_err_set(err, PIW_ENOENT, "%s isn't there", path)
                               : piw_err_errno(err, "can't open %s", path);
    struct stat info;
    int rc = 0;
    if (fstat(fd, &info) != 0)
        rc = piw_err_errno(err, "can't read %s", path);
    else if ((uint64_t)info.st_size > max)
        rc = piw_err_set(err, PIW_ELIMIT, "%s is larger than %zu bytes", path, max);
    char *bytes = rc == 0 ? malloc((size_t)info.st_size + 1) : NULL;
    if (rc == 0 && bytes == NULL)
        rc = piw_err_set(err, PIW_ENOMEM, "no memory to read %s", path);
    size_t got = 0;
    while (rc == 0 && got < (size_t)info.st_size) {
        ssize_t n = read(fd, bytes + got, (size_t)info.st_size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = piw_err_errno(err, "can't read %s", path);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (rc != 0) {
        free(bytes);
        return rc;
    }
    bytes[got] = '\0';
    *data = bytes;
    *len = got;
    piw_file_was_read(path);
    return 0;
}
