/* folder.c — the folder of keys as piw-keys changes it. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MASTER "master.key"

static int open_folder(const char *folder, int *fd, piw_err *err)
{
    int rc = piw_key_check_folder(folder, err);
    if (rc != 0)
        return rc;
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? 0 : piw_err_errno(err, "the folder of keys %s can't be used", folder);
}

/* --- make ------------------------------------------------------------------------------------------------------- */

/* Whoever runs the master must be able to read it: root doesn't know who that is. */
static int need_folder(const char *folder, piw_err *err)
{
    struct stat st;
    if (stat(folder, &st) == 0 || errno != ENOENT)
        return 0; /* what is wrong with it is found when it is opened */
    if (geteuid() == 0)
        return piw_err_set(
            err, PIW_ENOENT,
            "there is no folder %s: make it for the user that the master runs as, such as with install -d -m 700 -o "
            "piwheels %s",
            folder, folder);
    return mkdir(folder, 0700) == 0 ? 0 : piw_err_errno(err, "the folder of keys %s can't be made", folder);
}

static int make_pair(piw_key *key, const char *name, const char *queues, piw_err *err)
{
    int rc = piw_key_make(key, err);
    snprintf(key->name, sizeof(key->name), "%s", name);
    snprintf(key->queues, sizeof(key->queues), "%s", queues);
    return rc;
}

/* The master's own: made when there is none. */
static int need_master(const char *folder, int fd, piw_key *master, piw_err *err)
{
    char *path = piw_sprintf("%s/" MASTER, folder);
    int rc = 0;
    if (faccessat(fd, MASTER, F_OK, 0) != 0 && errno == ENOENT) {
        rc = make_pair(master, "master", "", err);
        rc = rc != 0 ? rc : piw_key_write(master, fd, MASTER, err);
    } else {
        rc = piw_key_read(master, path, err);
    }
    free(path);
    return rc;
}

static int write_output(const piw_key *key, const char *output, piw_err *err)
{
    char *for_dir = piw_strdup(output), *for_name = piw_strdup(output);
    const char *dir = dirname(for_dir), *name = basename(for_name);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 ? piw_key_write(key, fd, name, err) : piw_err_errno(err, "the folder %s can't be used", dir);
    if (fd >= 0)
        close(fd);
    free(for_dir);
    free(for_name);
    return rc;
}

/* The client's file first: a key that is let in and that nobody has would only be in the way of the next attempt. */
static int write_both(piw_key *key, int fd, const char *file, const char *output, piw_err *err)
{
    int rc = write_output(key, output, err);
    if (rc != 0)
        return rc;
    piw_key open_half = *key;
    explicit_bzero(open_half.secret, sizeof(open_half.secret));
    open_half.has_secret = open_half.has_master = false;
    rc = piw_key_write(&open_half, fd, file, err);
    if (rc != 0 && unlink(output) != 0)
        fprintf(stderr, "piw-keys: %s can't be removed: %s\n", output, strerror(errno));
    return rc;
}

int keys_make(const char *folder, const char *name, const char *queues, const char *output, piw_err *err)
{
    int fd = -1, rc = need_folder(folder, err);
    char *file = piw_sprintf("%s.pub", name);
    piw_key master, key;
    rc = rc != 0 ? rc : open_folder(folder, &fd, err);
    if (rc == 0 && faccessat(fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        rc = piw_err_set(err, PIW_EEXIST, "there is a key %s already: revoke it, or choose another name", name);
    rc = rc != 0 ? rc : need_master(folder, fd, &master, err);
    rc = rc != 0 ? rc : make_pair(&key, name, queues, err);
    if (rc == 0) {
        memcpy(key.master, master.own, sizeof(key.master));
        key.has_master = true;
        rc = write_both(&key, fd, file, output, err);
    }
    piw_key_wipe(&master);
    piw_key_wipe(&key);
    if (fd >= 0)
        close(fd);
    free(file);
    return rc;
}

/* --- list and revoke --------------------------------------------------------------------------------------------- */

static int is_public(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0;
}

static int list_one(const char *folder, const char *file, piw_err *err)
{
    piw_key key;
    struct stat st;
    struct tm day;
    char text[PIW_KEY_HEX], made[32] = "?";
    char *path = piw_sprintf("%s/%s", folder, file);
    int rc = piw_key_read(&key, path, err);
    if (rc == 0 && stat(path, &st) == 0 && gmtime_r(&st.st_mtime, &day) != NULL)
        strftime(made, sizeof(made), "%Y-%m-%d", &day);
    free(path);
    if (rc != 0)
        return rc;
    piw_key_text(key.own, text);
    printf("%-20s %-14s made %s  %.16s…\n", key.name, key.queues, made, text);
    return 0;
}

int keys_list(const char *folder, piw_err *err)
{
    struct dirent **entries = NULL;
    int rc = piw_key_check_folder(folder, err);
    int count = rc == 0 ? scandir(folder, &entries, is_public, alphasort) : 0;
    if (count < 0)
        rc = piw_err_errno(err, "the folder of keys %s can't be read", folder);
    for (int i = 0; i < count; i++) {
        int one = list_one(folder, entries[i]->d_name, err);
        rc = rc != 0 ? rc : one;
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int keys_revoke(const char *folder, const char *name, piw_err *err)
{
    int fd = -1, rc = open_folder(folder, &fd, err);
    char *file = piw_sprintf("%s.pub", name);
    if (rc == 0 && unlinkat(fd, file, 0) != 0)
        rc = errno == ENOENT ? piw_err_set(err, PIW_ENOENT, "there is no key %s in %s", name, folder)
                             : piw_err_errno(err, "the key %s can't be revoked", name);
    if (rc == 0 && fsync(fd) != 0)
        rc = piw_err_errno(err, "the key %s is gone from %s, but perhaps not for good", name, folder);
    if (fd >= 0)
        close(fd);
    free(file);
    return rc;
}
