/* key_file.c — one key pair in a file. */
#include "piw/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4096 };

void piw_key_wipe(piw_key *key)
{
    explicit_bzero(key, sizeof(*key));
}

void piw_key_text(const uint8_t bytes[PIW_KEY_BYTES], char to[PIW_KEY_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < PIW_KEY_BYTES; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    to[PIW_KEY_HEX - 1] = '\0';
}

static int nibble(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool parse(const char *text, uint8_t bytes[PIW_KEY_BYTES])
{
    if (strlen(text) != PIW_KEY_HEX - 1)
        return false;
    for (unsigned i = 0; i < PIW_KEY_BYTES; i++) {
        int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool piw_key_name_good(const char *name)
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strspn(name, signs);
    return len > 0 && len <= PIW_KEY_NAME && name[len] == '\0' && strchr("._-", name[0]) == NULL;
}

bool piw_key_opens(const piw_key *key, const char *queue)
{
    size_t len = strlen(queue);
    for (const char *at = key->queues; *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word == len && memcmp(at, queue, len) == 0)
            return true;
        at += word;
        at += strspn(at, " ");
    }
    return false;
}

int piw_key_check_folder(const char *path, piw_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return piw_err_errno(err, "the folder of keys %s can't be used", path);
    if (!S_ISDIR(st.st_mode))
        return piw_err_set(err, PIW_EREFUSED, "%s is no folder, and keys are in one", path);
    if ((st.st_mode & 022) != 0)
        return piw_err_set(err, PIW_EREFUSED, "others may write in the folder of keys %s (mode %04o): chmod 700 it",
                           path, (unsigned)(st.st_mode & 07777));
    return 0;
}

/* --- Reading ---------------------------------------------------------------------------------------------------- */

static int check_file(int fd, const char *path, piw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return piw_err_errno(err, "the key file %s can't be looked at", path);
    if (!S_ISREG(st.st_mode))
        return piw_err_set(err, PIW_EREFUSED, "%s is no file, and so no key", path);
    /* root makes keys in the folder of the master's user. */
    if (st.st_uid != 0 && geteuid() != 0 && st.st_uid != geteuid())
        return piw_err_set(err, PIW_EREFUSED,
                           "the key file %s belongs to another user: chown it to the one that uses it", path);
    if ((st.st_mode & 07177) != 0)
        return piw_err_set(
            err, PIW_EREFUSED,
            "the key file %s has mode %04o, so that others may use it; chmod 600 it, and have a new key made "
            "if somebody may have read it",
            path, (unsigned)(st.st_mode & 07777));
    return 0;
}

static bool take(piw_key *key, const char *word, const char *value, bool *has_own)
{
    if (strcmp(word, "name") == 0)
        return piw_key_name_good(value) && snprintf(key->name, sizeof(key->name), "%s", value) > 0;
    if (strcmp(word, "queues") == 0)
        return snprintf(key->queues, sizeof(key->queues), "%s", value) < (int)sizeof(key->queues);
    if (strcmp(word, "public") == 0)
        return *has_own = parse(value, key->own);
    if (strcmp(word, "secret") == 0)
        return key->has_secret = parse(value, key->secret);
    if (strcmp(word, "master") == 0)
        return key->has_master = parse(value, key->master);
    return false;
}

/* The text is changed. */
static int take_lines(piw_key *key, char *text, const char *path, piw_err *err)
{
    bool has_own = false;
    unsigned number = 0;
    for (char *line = text, *next; line != NULL; line = next) {
        number++;
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        char *value = strstr(line, " = ");
        if (value != NULL)
            *value = '\0';
        if (value == NULL || !take(key, line, value + 3, &has_own))
            return piw_err_set(err, PIW_ESHAPE, "%s, line %u: not what piw-keys writes into a key file", path, number);
    }
    if (!has_own || key->name[0] == '\0')
        return piw_err_set(err, PIW_ESHAPE, "%s is no key file: it lacks a name or a public key; piw-keys makes one",
                           path);
    return 0;
}

int piw_key_read(piw_key *key, const char *path, piw_err *err)
{
    char text[FILE_MAX + 1];
    *key = (piw_key){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return piw_err_errno(err, "the key file %s can't be read", path);
    int rc = check_file(fd, path, err);
    ssize_t len = rc == 0 ? read(fd, text, FILE_MAX) : 0;
    if (len < 0)
        rc = piw_err_errno(err, "the key file %s can't be read", path);
    close(fd);
    if (rc == 0) {
        text[len] = '\0';
        rc = take_lines(key, text, path, err);
    }
    explicit_bzero(text, sizeof(text));
    if (rc != 0)
        piw_key_wipe(key);
    return rc;
}

int piw_key_read_client(piw_key *key, const char *path, piw_err *err)
{
    int rc = piw_key_read(key, path, err);
    if (rc == 0 && (!key->has_secret || !key->has_master)) {
        rc = piw_err_set(
            err, PIW_ESHAPE,
            "%s is not the file that piw-keys made for who connects: it lacks the secret key or the master's", path);
        piw_key_wipe(key);
    }
    return rc;
}

/* --- Writing ---------------------------------------------------------------------------------------------------- */

static int print(const piw_key *key, int fd)
{
    char own[PIW_KEY_HEX], secret[PIW_KEY_HEX], master[PIW_KEY_HEX];
    piw_key_text(key->own, own);
    piw_key_text(key->secret, secret);
    piw_key_text(key->master, master);
    int rc = dprintf(fd, "name = %s\nqueues = %s\npublic = %s\n", key->name, key->queues, own);
    if (rc > 0 && key->has_secret)
        rc = dprintf(fd, "secret = %s\n", secret);
    if (rc > 0 && key->has_master)
        rc = dprintf(fd, "master = %s\n", master);
    explicit_bzero(secret, sizeof(secret));
    return rc > 0 ? 0 : -1;
}

/* What root makes in somebody's folder is for that user. */
static int give(int fd, int folder_fd)
{
    struct stat st;
    if (geteuid() != 0)
        return 0;
    return fstat(folder_fd, &st) != 0 ? -1 : fchown(fd, st.st_uid, st.st_gid);
}

int piw_key_write(const piw_key *key, int folder_fd, const char *name, piw_err *err)
{
    /* No process number: in a container all have the same, also the one that was killed while it was at this. */
    char fresh[PIW_KEY_NAME + 32];
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return piw_err_errno(err, "the key file %s can't be named", name);
    snprintf(fresh, sizeof(fresh), ".%.*s.%016llx", PIW_KEY_NAME, name, (unsigned long long)random);
    int fd = openat(folder_fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return piw_err_errno(err, "the key file %s can't be made", name);
    int rc = 0;
    if (print(key, fd) != 0 || fchmod(fd, 0600) != 0 || give(fd, folder_fd) != 0 || fsync(fd) != 0)
        rc = piw_err_errno(err, "the key file %s can't be written", name);
    close(fd);
    if (rc == 0 && linkat(folder_fd, fresh, folder_fd, name, 0) != 0)
        rc = errno == EEXIST ? piw_err_set(err, PIW_EEXIST, "there is a file %s already", name)
                             : piw_err_errno(err, "the key file %s can't be made", name);
    if (unlinkat(folder_fd, fresh, 0) != 0 && rc == 0)
        rc = piw_err_errno(err, "the temporary file %s can't be removed", fresh);
    if (rc == 0 && fsync(folder_fd) != 0)
        rc = piw_err_errno(err, "the folder of %s can't be written out", name);
    return rc;
}
