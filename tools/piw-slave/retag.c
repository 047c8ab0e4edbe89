/* retag.c — renames wheels whose tags say what their code isn't for: the kernel's processor, interpreters too old. */
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

/* A tag of this machine for a C library of a time before it: installers ask for none before 2.17, on x86 before 2.5. Some backends
 * say 2.5 everywhere, without a look at the code. */
static bool is_for_nobody(piw_text tag, const char *machine)
{
    char text[PIW_FILENAME_MAX + 1];
    unsigned major = 0, minor = 0;
    int n = snprintf(text, sizeof(text), "%.*s", (int)tag.len, tag.s);
    if (n < 0 || (size_t)n >= sizeof(text) || !ends_with_machine(tag, machine))
        return false;
    bool x86 = strcmp(machine, "x86_64") == 0 || strcmp(machine, "i686") == 0;
    if (strncmp(text, "manylinux1_", 11) == 0 || strncmp(text, "manylinux2010_", 14) == 0)
        return !x86;
    return sscanf(text, "manylinux_%3u_%3u_", &major, &minor) == 2 && major == 2 && minor < (x86 ? 5 : 17);
}

static bool all_for_nobody(const char *tags, const char *machine)
{
    for (const char *at = tags; at != NULL;) {
        const char *dot = strchr(at, '.');
        if (!is_for_nobody((piw_text){at, (uint32_t)(dot != NULL ? (size_t)(dot - at) : strlen(at))}, machine))
            return false;
        at = dot != NULL ? dot + 1 : NULL;
    }
    return true;
}

/* Is the tag one that this slave's own is to stand for? The kernel's processor is the interpreter's, misnamed; what a
 * backend says of the C library besides (manylinux) was worked out for the kernel's name too, and nobody has checked it. */
static bool stands_for_own(piw_text tag, const char *platform, const char *kernel, bool *foreign)
{
    if (!is_linux(tag) || piw_text_is(tag, platform))
        return false;
    bool other = strcmp(platform, kernel) != 0 &&
                 (ends_with_machine(tag, machine_of(kernel)) ||
                  (strcmp(machine_of(platform), "armv7l") == 0 && ends_with_machine(tag, "armv8l")));
    *foreign = *foreign || other;
    return other || ends_with_machine(tag, machine_of(platform));
}

bool slave_retag_platform(const char *tag, const char *platform, const char *kernel, char *to, size_t size,
                          bool *foreign)
{
    *foreign = false;
    if (strcmp(platform, kernel) == 0 && !all_for_nobody(tag, machine_of(platform)))
        return false;
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

/* "cp39": 9; -1: not the tag of one CPython 3. */
static long minor_of(const char *tag)
{
    char *end;
    if (strncmp(tag, "cp3", 3) != 0 || tag[3] < '0' || tag[3] > '9')
        return -1;
    long minor = strtol(tag + 3, &end, 10);
    return *end == '\0' ? minor : -1;
}

/* Is the wheel for the stable ABI, and for interpreters older than this slave's? Into `to`, the tag that isn't. */
static bool says_older(const piw_wheel_name *name, const char *abi, char *to, size_t size)
{
    static const char stable[] = "abi3";
    int n = snprintf(to, size, "%.*s", (int)strcspn(abi, "tdmu"), abi);
    long minor = minor_of(name->py);
    return n > 0 && (size_t)n < size && strncmp(name->abi, stable, sizeof(stable) - 1) == 0 && minor >= 0 &&
           minor < minor_of(to);
}

/* --- What is in the wheel ---------------------------------------------------------------------------------------- */

typedef struct retag {
    const slave_settings *settings;
    const char *folder, *filename;
    piw_wheel_name name;
    char platform[PIW_FILENAME_MAX + 1]; /* the new one */
    char py[32];                         /* the new one */
    bool new_platform, new_py, foreign;
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

static bool ends(const char *s, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);
    return len >= n && memcmp(s + len - n, suffix, n) == 0;
}

/* "MODULE.abi3-x86_64-linux-gnu.so": CPython looks for it since 3.15, and for what was called MODULE.abi3.so all along. */
static bool is_named_for_machine(const piw_zip_entry *entry)
{
    const char *slash = memrchr(entry->name, '/', entry->name_len), *end = entry->name + entry->name_len;
    const char *name = slash == NULL ? entry->name : slash + 1, *dot = memchr(name, '.', (size_t)(end - name));
    if (dot == NULL || !ends(dot, (size_t)(end - dot), ".so"))
        return false;
    size_t len = (size_t)(end - dot);
    return (memmem(dot, len, ".abi3-", 6) == dot || memmem(dot, len, ".abi3t-", 7) == dot) &&
           memmem(dot, len, "-linux", 6) != NULL;
}

static bool has_modules_for_machine(const retag *r)
{
    for (size_t i = 0; i < piw_zip_count(r->zip); i++)
        if (is_named_for_machine(piw_zip_at(r->zip, i)))
            return true;
    return false;
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

/* The interpreter's part of a Tag, then the ABI's, with the dashes around it. */
static void put_interpreter(retag *r, piw_text tag)
{
    const char *dash = memchr(tag.s, '-', tag.len);
    piw_text py = {tag.s, (uint32_t)(dash != NULL ? dash - tag.s : 0)};
    if (r->new_py && piw_text_is(py, r->name.py)) {
        piw_put(&r->wheel, r->py);
        tag = (piw_text){tag.s + py.len, tag.len - py.len};
    }
    piw_put_text(&r->wheel, tag);
}

/* `line` with its end. */
static void put_tag(retag *r, piw_text line)
{
    char tag[PIW_FILENAME_MAX + 1], to[PIW_FILENAME_MAX + 1];
    const char *dash = memrchr(line.s, '-', line.len);
    size_t from = sizeof("Tag:") - 1, begin = dash != NULL ? (size_t)(dash - line.s) + 1 : line.len, end = line.len;
    while (end > begin && strchr(" \t\r\n", line.s[end - 1]) != NULL)
        end--;
    while (from < begin && (line.s[from] == ' ' || line.s[from] == '\t'))
        from++;
    piw_put_bytes(&r->wheel, line.s, from);
    put_interpreter(r, (piw_text){line.s + from, (uint32_t)(begin - from)});
    bool foreign;
    int n = snprintf(tag, sizeof(tag), "%.*s", (int)(end - begin), line.s + begin);
    if (r->new_platform && (size_t)n < sizeof(tag) &&
        slave_retag_platform(tag, r->settings->platform, r->settings->kernel, to, sizeof(to), &foreign))
        piw_put(&r->wheel, to);
    else
        piw_put_bytes(&r->wheel, line.s + begin, end - begin);
    piw_put_bytes(&r->wheel, line.s + end, line.len - end);
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
        rc = piw_err_set(err, PIW_EREFUSED, "it is empty or not a regular file");
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

static void close_wheel(retag *r)
{
    piw_zip_close(&r->zip);
    piw_buffer_fini(&r->wheel);
    piw_buffer_fini(&r->record);
    if (r->data != NULL)
        munmap(r->data, r->len);
}

static int open_wheel(retag *r, piw_err *err)
{
    int rc = map_wheel(r, err);
    return rc != 0 ? rc : piw_zip_open(&r->zip, r->data, r->len, err);
}

static int rename_wheel(retag *r, const char *renamed, piw_err *err)
{
    int rc = find_members(r, err);
    rc = rc != 0 || !r->foreign ? rc : check_code(r, err);
    rc = rc != 0 ? rc : make_wheel(r, err);
    rc = rc != 0 ? rc : make_record(r, err);
    return rc != 0 ? rc : write_renamed(r, renamed, err);
}

static void note_renamed(const retag *r, const char *renamed, piw_buffer *notes)
{
    piw_putf(notes, "%s was renamed %s: ", r->filename, renamed);
    if (r->new_platform && strcmp(r->settings->platform, r->settings->kernel) == 0)
        piw_putf(notes, "no installer asks for %s\n", r->name.platform);
    else if (r->new_platform)
        piw_putf(notes, "%s is the kernel's name here, the interpreter's platform is %s\n", r->settings->kernel,
                 r->settings->platform);
    else
        piw_putf(notes, "it holds modules under names that %s looks for and older interpreters don't\n", r->py);
}

static char *new_name(const retag *r)
{
    const piw_wheel_name *n = &r->name;
    size_t tags = strlen(n->py) + strlen(n->abi) + strlen(n->platform) + sizeof("--.whl") - 1;
    return piw_sprintf("%.*s%s-%s-%s.whl", (int)(strlen(r->filename) - tags), r->filename, r->new_py ? r->py : n->py,
                       n->abi, r->new_platform ? r->platform : n->platform);
}

static int retag_one(retag *r, piw_buffer *notes, piw_err *err)
{
    piw_err found_err = {0};
    if (piw_wheel_name_parse(piw_text_of(r->filename), &r->name, &found_err) != 0)
        return 0; /* what has no wheel's name is refused for that, later */
    const slave_settings *own = r->settings;
    r->new_platform = slave_retag_platform(r->name.platform, own->platform, own->kernel, r->platform,
                                           sizeof(r->platform), &r->foreign);
    bool older = says_older(&r->name, own->abi, r->py, sizeof(r->py));
    if (!r->new_platform && !older)
        return 0;
    int rc = open_wheel(r, &found_err);
    r->new_py = rc == 0 && older && has_modules_for_machine(r);
    if (!r->new_platform && !r->new_py) {
        close_wheel(r);
        return 0; /* as is what can't be read */
    }
    char *renamed = new_name(r);
    rc = rc != 0 ? rc : rename_wheel(r, renamed, &found_err);
    if (rc == 0)
        note_renamed(r, renamed, notes);
    else
        piw_err_set(err, rc, "%s isn't published: it should be called %s, but %s", r->filename, renamed,
                    found_err.text);
    free(renamed);
    close_wheel(r);
    return rc;
}

int slave_retag(const char *folder, const slave_settings *settings, piw_buffer *notes, piw_err *err)
{
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
