/* retag.c — renames wheels that bear the kernel's name to the interpreter's platform. */
#include "retag.h"

#include "folder.h"
#include "repack.h"
#include "shared/atomic_file.h"
#include "shared/elf.h"
#include "shared/text.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MEMBER_MAX = 64 << 20, /* of WHEEL and RECORD: what the gate reads */
    HASH_SIZE = 32,
};

/* --- Names ------------------------------------------------------------------------------------------------------- */

/* "x86_64" of "linux_x86_64". */
static const char *machine_of(const char *platform)
{
    const char *dash = strchr(platform, '_');
    return dash != NULL ? dash + 1 : platform;
}

static bool ends_with_machine(piw_text tag, const char *machine)
{
    size_t n = strlen(machine);
    return tag.len > n + 1 && tag.s[tag.len - n - 1] == '_' && memcmp(tag.s + tag.len - n, machine, n) == 0;
}

static bool is_linux(piw_text tag)
{
    static const char *const systems[] = {"linux_", "manylinux", "musllinux"};
    for (size_t i = 0; i < PIW_COUNT(systems); i++)
        if (tag.len > strlen(systems[i]) && memcmp(tag.s, systems[i], strlen(systems[i])) == 0)
            return true;
    return false;
}

/* Is the tag one that this slave's own is to stand for? The kernel's processor is the interpreter's, misnamed; what a
 * backend says of the C library besides (manylinux) was worked out for the kernel's name too, and nobody has checked it. */
static bool stands_for_own(piw_text tag, const char *platform, const char *kernel, bool *foreign)
{
    if (!is_linux(tag) || piw_text_is(tag, platform))
        return false;
    bool other = ends_with_machine(tag, machine_of(kernel)) ||
                 (strcmp(machine_of(platform), "armv7l") == 0 && ends_with_machine(tag, "armv8l"));
    *foreign = *foreign || other;
    return other || ends_with_machine(tag, machine_of(platform));
}

bool slave_retag_platform(const char *tag, const char *platform, const char *kernel, char *to, size_t size,
                          bool *foreign)
{
    *foreign = false;
    bool changed = false, own = false;
    size_t used = 0;
    for (const char *at = tag; at != NULL;) {
        const char *dot = strchr(at, '.');
        piw_text part = {at, (uint32_t)(dot != NULL ? (size_t)(dot - at) : strlen(at))};
        at = dot != NULL ? dot + 1 : NULL;
        if (stands_for_own(part, platform, kernel, foreign)) {
            changed = true;
            part = piw_text_of(platform);
        }
        if (piw_text_is(part, platform)) {
            if (own)
                continue;
            own = true;
        }
        if (used + part.len + 2 > size)
            return false;
        if (used > 0)
            to[used++] = '.';
        memcpy(to + used, part.s, part.len);
        used += part.len;
    }
    to[used] = '\0';
    return changed;
}

/* --- What is in the wheel ---------------------------------------------------------------------------------------- */

typedef struct retag {
    const slave_settings *settings;
    const char *folder, *filename;
    piw_wheel_name name;
    char platform[PIW_FILENAME_MAX + 1]; /* the new one */
    bool foreign;
    uint8_t *data;
    size_t len;
    piw_zip *zip;
    char info[PIW_ZIP_NAME_MAX + 1]; /* the .dist-info folder, with its '/' */
    const piw_zip_entry *wheel_entry, *record_entry;
    piw_buffer wheel, record; /* as they will be */
} retag;

static const piw_zip_entry *find_member(const retag *r, const char *name)
{
    char path[PIW_ZIP_NAME_MAX + 64];
    int n = snprintf(path, sizeof(path), "%s%s", r->info, name);
    return piw_zip_find(r->zip, path, (size_t)n);
}

static int find_members(retag *r, piw_err *err)
{
    static const char tail[] = ".dist-info/WHEEL";
    size_t n = sizeof(tail) - 1;
    for (size_t i = 0; i < piw_zip_count(r->zip); i++) {
        const piw_zip_entry *entry = piw_zip_at(r->zip, i);
        if (entry->name_len <= n || memcmp(entry->name + entry->name_len - n, tail, n) != 0 ||
            memchr(entry->name, '/', entry->name_len - sizeof("WHEEL")) != NULL)
            continue;
        if (r->wheel_entry != NULL)
            return piw_err_set(err, PIW_EREFUSED, "it has more than one .dist-info folder");
        r->wheel_entry = entry;
        snprintf(r->info, sizeof(r->info), "%.*s", (int)(entry->name_len - (sizeof("WHEEL") - 1)), entry->name);
    }
    if (r->wheel_entry == NULL)
        return piw_err_set(err, PIW_EREFUSED, "it has no .dist-info/WHEEL");
    if ((r->record_entry = find_member(r, "RECORD")) == NULL)
        return piw_err_set(err, PIW_EREFUSED, "its .dist-info holds no RECORD");
    if (find_member(r, "RECORD.jws") != NULL || find_member(r, "RECORD.p7s") != NULL)
        return piw_err_set(err, PIW_EREFUSED, "it is signed, and the signature would no longer fit");
    return 0;
}

typedef struct head {
    uint8_t data[PIW_ELF_HEAD];
    size_t len;
} head;

static int take_head(void *arg, const uint8_t *data, size_t len)
{
    head *h = arg;
    size_t room = sizeof(h->data) - h->len, n = len < room ? len : room;
    memcpy(h->data + h->len, data, n);
    h->len += n;
    return h->len < sizeof(h->data) ? 0 : PIW_ESTOPPED;
}

/* A wheel that names the kernel's processor may hold what was made for it. Code for the interpreter's shows that it is
 * only the name that is wrong; without any, nobody can tell. */
static int check_code(const retag *r, piw_err *err)
{
    for (size_t i = 0; i < piw_zip_count(r->zip); i++) {
        head h = {.len = 0};
        const piw_zip_entry *entry = piw_zip_at(r->zip, i);
        piw_err found_err = {0};
        int rc = entry->folder ? 0 : piw_zip_read(r->zip, entry, take_head, &h, &found_err);
        if (rc != 0 && rc != PIW_ESTOPPED)
            return piw_err_set(err, rc, "%s", found_err.text);
        piw_elf_head code = piw_elf_head_of(h.data, h.len);
        if (code.elf && piw_platform_fits(r->settings->platform, &code))
            return 0;
    }
    return piw_err_set(err, PIW_EREFUSED, "it holds no code for %s, so that it can't be told what it is for",
                       machine_of(r->settings->platform));
}

/* --- What it will say -------------------------------------------------------------------------------------------- */

/* `line` with its end. */
static void put_tag(retag *r, piw_text line)
{
    char tag[PIW_FILENAME_MAX + 1], to[PIW_FILENAME_MAX + 1];
    const char *dash = memrchr(line.s, '-', line.len);
    size_t begin = dash != NULL ? (size_t)(dash - line.s) + 1 : line.len, end = line.len;
    while (end > begin && strchr(" \t\r\n", line.s[end - 1]) != NULL)
        end--;
    bool foreign;
    int n = snprintf(tag, sizeof(tag), "%.*s", (int)(end - begin), line.s + begin);
    if ((size_t)n < sizeof(tag) &&
        slave_retag_platform(tag, r->settings->platform, r->settings->kernel, to, sizeof(to), &foreign)) {
        piw_put_bytes(&r->wheel, line.s, begin);
        piw_put(&r->wheel, to);
        piw_put_bytes(&r->wheel, line.s + end, line.len - end);
    } else {
        piw_put_text(&r->wheel, line);
    }
}

/* The next line of what is left, with its end. */
static piw_text next_line(const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    stop = stop != NULL ? stop + 1 : end;
    piw_text line = {*at, (uint32_t)(stop - *at)};
    *at = stop;
    return line;
}

static int make_wheel(retag *r, piw_err *err)
{
    uint8_t *text = NULL;
    int rc = piw_zip_extract(r->zip, r->wheel_entry, MEMBER_MAX, &text, err);
    const char *at = (const char *)text;
    for (const char *end = at + (rc == 0 ? r->wheel_entry->size : 0); rc == 0 && at < end;) {
        piw_text line = next_line(&at, end);
        if (line.len > 4 && strncasecmp(line.s, "Tag:", 4) == 0)
            put_tag(r, line);
        else
            piw_put_text(&r->wheel, line);
    }
    free(text);
    return rc;
}

/* "sha256=…,SIZE" of the new WHEEL. */
static int put_hash(retag *r, piw_err *err)
{
    uint8_t hash[HASH_SIZE];
    unsigned char text[4 * ((HASH_SIZE + 2) / 3) + 1];
    if (EVP_Digest(r->wheel.data, r->wheel.len, hash, NULL, EVP_sha256(), NULL) != 1)
        return piw_err_set(err, PIW_ESYS, "the cryptography library refuses to compute a SHA-256");
    EVP_EncodeBlock(text, hash, HASH_SIZE);
    for (unsigned char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    piw_putf(&r->record, "sha256=%s,%zu", (const char *)text, r->wheel.len);
    return 0;
}

/* RECORD with another line for WHEEL, and all others as they are. */
static int make_record(retag *r, piw_err *err)
{
    char plain[PIW_ZIP_NAME_MAX + 16], quoted[PIW_ZIP_NAME_MAX + 16];
    snprintf(plain, sizeof(plain), "%sWHEEL,", r->info);
    snprintf(quoted, sizeof(quoted), "\"%sWHEEL\",", r->info);
    uint8_t *text = NULL;
    int rc = piw_zip_extract(r->zip, r->record_entry, MEMBER_MAX, &text, err);
    const char *at = (const char *)text;
    bool found = false;
    for (const char *end = at + (rc == 0 ? r->record_entry->size : 0); rc == 0 && at < end;) {
        piw_text line = next_line(&at, end);
        const char *begins = strncmp(line.s, quoted, strlen(quoted)) == 0 ? quoted : plain;
        if (strncmp(line.s, begins, strlen(begins)) != 0) {
            piw_put_text(&r->record, line);
            continue;
        }
        found = true;
        piw_put(&r->record, begins);
        rc = put_hash(r, err);
        piw_put(&r->record, line.len >= 2 && line.s[line.len - 2] == '\r' ? "\r\n" : "\n");
    }
    free(text);
    return rc == 0 && !found ? piw_err_set(err, PIW_EREFUSED, "its RECORD doesn't list its WHEEL") : rc;
}

/* --- One wheel --------------------------------------------------------------------------------------------------- */

static int map_wheel(retag *r, piw_err *err)
{
    char *path = piw_sprintf("%s/%s", r->folder, r->filename);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    int rc = 0;
    if (fd < 0 || fstat(fd, &status) != 0) {
        rc = piw_err_errno(err, "it can't be read");
    } else if (!S_ISREG(status.st_mode) || status.st_size == 0) {
        rc = piw_err_set(err, PIW_EREFUSED, "it is empty or no plain file");
    } else {
        r->len = (size_t)status.st_size;
        void *data = mmap(NULL, r->len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            rc = piw_err_errno(err, "it can't be mapped");
        else
            r->data = data;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int write_renamed(const retag *r, const char *renamed, piw_err *err)
{
    const slave_change changes[] = {{r->wheel_entry, r->wheel.data, r->wheel.len},
                                    {r->record_entry, r->record.data, r->record.len}};
    char *path = piw_sprintf("%s/%s", r->folder, renamed), *old = piw_sprintf("%s/%s", r->folder, r->filename);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int rc = 0;
    if (fd < 0)
        rc = errno == EEXIST ? piw_err_set(err, PIW_EREFUSED, "there is a wheel %s already", renamed)
                             : piw_err_errno(err, "%s can't be made", renamed);
    rc = rc != 0 ? rc : slave_repack(r->zip, changes, PIW_COUNT(changes), fd, err);
    if (fd >= 0 && close(fd) != 0 && rc == 0)
        rc = piw_err_errno(err, "%s can't be written", renamed);
    if (rc == 0 && unlink(old) != 0)
        rc = piw_err_errno(err, "it can't be removed");
    free(path);
    free(old);
    return rc;
}

static int rename_wheel(retag *r, const char *renamed, piw_err *err)
{
    int rc = map_wheel(r, err);
    rc = rc != 0 ? rc : piw_zip_open(&r->zip, r->data, r->len, err);
    rc = rc != 0 ? rc : find_members(r, err);
    rc = rc != 0 || !r->foreign ? rc : check_code(r, err);
    rc = rc != 0 ? rc : make_wheel(r, err);
    rc = rc != 0 ? rc : make_record(r, err);
    rc = rc != 0 ? rc : write_renamed(r, renamed, err);
    piw_zip_close(&r->zip);
    piw_buffer_fini(&r->wheel);
    piw_buffer_fini(&r->record);
    if (r->data != NULL)
        munmap(r->data, r->len);
    return rc;
}

static int retag_one(retag *r, piw_buffer *notes, piw_err *err)
{
    piw_err found_err = {0};
    if (piw_wheel_name_parse(piw_text_of(r->filename), &r->name, &found_err) != 0 ||
        !slave_retag_platform(r->name.platform, r->settings->platform, r->settings->kernel, r->platform,
                              sizeof(r->platform), &r->foreign))
        return 0; /* what has no wheel's name is refused for that, later */
    int stem = (int)(strlen(r->filename) - strlen(r->name.platform) - strlen(".whl"));
    char *renamed = piw_sprintf("%.*s%s.whl", stem, r->filename, r->platform);
    int rc = rename_wheel(r, renamed, &found_err);
    if (rc == 0)
        piw_putf(notes, "%s was renamed %s: %s is the kernel's name here, the interpreter's platform is %s\n",
                 r->filename, renamed, r->settings->kernel, r->settings->platform);
    else
        piw_err_set(err, rc, "%s isn't published: it should be called %s, but %s", r->filename, renamed,
                    found_err.text);
    free(renamed);
    return rc;
}

int slave_retag(const char *folder, const slave_settings *settings, piw_buffer *notes, piw_err *err)
{
    if (strcmp(settings->platform, settings->kernel) == 0)
        return 0;
    struct dirent **found;
    int n = slave_folder_wheels(folder, &found, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; i < n; i++) {
        retag r = {.settings = settings, .folder = folder, .filename = found[i]->d_name};
        rc = rc != 0 ? rc : retag_one(&r, notes, err);
        free(found[i]);
    }
    if (n >= 0)
        free(found);
    return rc;
}
