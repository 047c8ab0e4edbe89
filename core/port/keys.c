/* keys.c — the folder of keys, in memory. What it holds changes as files come and go: inotify tells. */
#include "port/keys.h"

#include "piw/log.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

typedef struct known {
    piw_key *at;
    size_t count;
} known;

/* All but the generation is under the lock. */
static struct {
    pthread_mutex_t lock;
    char *folder; /* NULL: none is open */
    int watch_fd;
    piw_key own;
    known keys;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .watch_fd = -1};

/* Released after the table has changed; who acquires a new number asks under the lock. */
static _Atomic unsigned generation;

static void known_free(known *keys)
{
    free(keys->at);
    *keys = (known){0};
}

/* The files that a crash of piw-keys leaves behind begin with a dot. */
static bool is_public(const char *file)
{
    size_t len = strlen(file);
    return file[0] != '.' && len > 4 && strcmp(file + len - 4, ".pub") == 0;
}

/* One that is refused lets nobody in; one that has just gone is gone. Anything else may be the machine's fault. */
static int add(known *keys, const char *folder, const char *file, piw_err *err)
{
    piw_key key;
    piw_err own_err = {0};
    char *path = piw_sprintf("%s/%s", folder, file);
    errno = 0;
    int rc = piw_key_read(&key, path, &own_err);
    bool gone = rc == PIW_ESYS && access(path, F_OK) != 0 && errno == ENOENT;
    free(path);
    if (rc == PIW_ESYS && !gone)
        return piw_err_set(err, rc, "%s", own_err.text);
    if (rc != 0) {
        if (!gone)
            piw_warning("a key is not let in: %s", own_err.text);
        return 0;
    }
    keys->at = piw_realloc(keys->at, (keys->count + 1) * sizeof(*keys->at));
    keys->at[keys->count++] = key;
    return 0;
}

static int read_folder(known *keys, const char *folder, piw_err *err)
{
    *keys = (known){0};
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return piw_err_errno(err, "the folder of keys %s can't be read", folder);
    int rc = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0)
            rc = piw_err_errno(err, "the folder of keys %s can't be read", folder);
        if (entry == NULL || rc != 0)
            break;
        if (is_public(entry->d_name))
            rc = add(keys, folder, entry->d_name, err);
        if (rc != 0)
            break;
    }
    closedir(dir);
    if (rc != 0)
        known_free(keys);
    return rc;
}

static int read_own(piw_key *own, const char *folder, piw_err *err)
{
    char *path = piw_sprintf("%s/master.key", folder);
    int rc = access(path, F_OK) != 0 && errno == ENOENT
                 ? piw_err_set(err, PIW_ENOENT,
                               "the master has no key in %s yet: piw-keys make makes it with the first", folder)
                 : piw_key_read(own, path, err);
    if (rc == 0 && !own->has_secret)
        rc = piw_err_set(err, PIW_ESHAPE, "%s is not the master's key: it has no secret half", path);
    free(path);
    return rc;
}

static int watch(const char *folder, piw_err *err)
{
    const uint32_t changes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB |
                             IN_DELETE_SELF | IN_MOVE_SELF;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd >= 0 && inotify_add_watch(fd, folder, changes | IN_ONLYDIR) >= 0)
        return fd;
    int rc = piw_err_errno(err, "changes in the folder of keys %s can't be followed", folder);
    if (fd >= 0)
        close(fd);
    return rc;
}

int piw__keys_open(const char *folder, piw_err *err)
{
    piw_key own = {0};
    known keys = {0};
    int rc = piw_key_check_folder(folder, err), fd = rc == 0 ? watch(folder, err) : -1;
    rc = rc != 0 ? rc : fd < 0 ? fd : read_own(&own, folder, err);
    rc = rc != 0 ? rc : read_folder(&keys, folder, err);
    if (rc == 0) {
        pthread_mutex_lock(&table.lock);
        if (table.folder != NULL) {
            rc = piw_err_set(err, PIW_EEXIST, "a folder of keys is in use already");
        } else {
            table.folder = piw_strdup(folder);
            table.watch_fd = fd;
            table.own = own;
            table.keys = keys;
            atomic_fetch_add_explicit(&generation, 1, memory_order_release);
            fd = -1;
        }
        pthread_mutex_unlock(&table.lock);
    }
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        known_free(&keys);
    piw_key_wipe(&own);
    return rc;
}

void piw__keys_close(void)
{
    pthread_mutex_lock(&table.lock);
    if (table.watch_fd >= 0)
        close(table.watch_fd);
    free(table.folder);
    table.folder = NULL;
    table.watch_fd = -1;
    piw_key_wipe(&table.own);
    known_free(&table.keys);
    atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    pthread_mutex_unlock(&table.lock);
}

int piw__keys_fd(void)
{
    pthread_mutex_lock(&table.lock);
    int fd = table.watch_fd;
    pthread_mutex_unlock(&table.lock);
    return fd;
}

int piw__keys_reload(piw_err *err)
{
    char events[4096];
    known keys;
    pthread_mutex_lock(&table.lock);
    while (read(table.watch_fd, events, sizeof(events)) > 0)
        continue;
    int rc = read_folder(&keys, table.folder, err);
    if (rc == 0) {
        known_free(&table.keys);
        table.keys = keys;
        atomic_fetch_add_explicit(&generation, 1, memory_order_release);
    }
    pthread_mutex_unlock(&table.lock);
    return rc;
}

bool piw__keys_own(piw_key *key)
{
    pthread_mutex_lock(&table.lock);
    *key = table.own;
    bool there = table.folder != NULL;
    pthread_mutex_unlock(&table.lock);
    return there;
}

bool piw__keys_find(const uint8_t own[PIW_KEY_BYTES], const char *queue, char name[PIW_KEY_NAME + 1])
{
    bool found = false;
    pthread_mutex_lock(&table.lock);
    for (size_t i = 0; i < table.keys.count && !found; i++) {
        const piw_key *key = &table.keys.at[i];
        found = memcmp(key->own, own, PIW_KEY_BYTES) == 0 && piw_key_opens(key, queue);
        if (found)
            memcpy(name, key->name, PIW_KEY_NAME + 1);
    }
    pthread_mutex_unlock(&table.lock);
    return found;
}

unsigned piw__keys_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_acquire);
}
