/* depends.c — which Debian packages a wheel's native libraries need. */
#include "depends.h"

#include "depends_parse.h"
#include "process.h"
#include "shared/atomic_file.h"
#include "shared/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LIBRARIES_MAX = 5000, /* in one wheel; the largest known ones hold some hundreds */
    BATCH = 100,          /* libraries a run of ldd, paths a run of dpkg */
    PATHS_MAX = 10000,    /* different libraries that are loaded: the bound of a list in proto/common.piw */
    NAME_BYTES_MAX = 255, /* characters of a dependency: the column's width */
    HELPER_MS = 120000,   /* ldd and dpkg take milliseconds a file */
    HELPER_BYTES = 16 << 20,
};

static const char *const plain_env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

/* A growing list of texts. */
typedef struct names {
    char **at;
    size_t count;
} names;

static void names_add(names *list, piw_text text)
{
    if (list->count >= PATHS_MAX || text.len == 0 || text.len > NAME_BYTES_MAX)
        return;
    for (size_t i = 0; i < list->count; i++)
        if (piw_text_is(text, list->at[i]))
            return;
    list->at = piw_realloc(list->at, (list->count + 1) * sizeof(*list->at));
    list->at[list->count++] = piw_strndup(text.s, text.len);
}

static bool names_has(const names *list, piw_text text)
{
    for (size_t i = 0; i < list->count; i++)
        if (piw_text_is(text, list->at[i]))
            return true;
    return false;
}

static void names_fini(names *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i]);
    free(list->at);
    *list = (names){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* --- Unpacking ------------------------------------------------------------------------------------------------- */

typedef struct unpacking {
    const char *scratch;
    names files;   /* where the libraries lie */
    names brought; /* the base names of all libraries in the wheel */
} unpacking;

static bool is_library(const piw_zip_entry *entry)
{
    piw_text name = {entry->name, entry->name_len};
    const char *so = memmem(name.s, name.len, ".so", 3);
    return so != NULL && (so + 3 == name.s + name.len || memmem(name.s, name.len, ".so.", 4) != NULL);
}

static int write_piece(void *arg, const uint8_t *data, size_t len)
{
    return piw_write_all(*(int *)arg, data, len);
}

static int unpack(unpacking *u, const piw_zip *zip, const piw_zip_entry *entry, piw_err *err)
{
    piw_text name = {entry->name, entry->name_len};
    const char *slash = memrchr(name.s, '/', name.len);
    const char *base = slash != NULL ? slash + 1 : name.s;
    names_add(&u->brought, (piw_text){base, (uint32_t)(name.s + name.len - base)});
    char *path = piw_sprintf("%s/%zu.so", u->scratch, u->files.count);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    int rc = fd < 0 ? piw_err_errno(err, "%s", path) : 0;
    if (rc == 0)
        rc = piw_zip_read(zip, entry, write_piece, &fd, err);
    if (rc == PIW_ESYS)
        piw_err_errno(err, "%s", path);
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        names_add(&u->files, piw_text_of(path));
    free(path);
    return rc;
}

static int unpack_all(unpacking *u, const uint8_t *data, size_t len, piw_err *err)
{
    piw_zip *zip = NULL;
    int rc = piw_zip_open(&zip, data, len, err);
    for (size_t i = 0; rc == 0 && i < piw_zip_count(zip) && u->files.count < LIBRARIES_MAX; i++)
        if (is_library(piw_zip_at(zip, i)))
            rc = unpack(u, zip, piw_zip_at(zip, i), err);
    piw_zip_close(&zip);
    return rc;
}

static int open_wheel(unpacking *u, const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        int rc = piw_err_errno(err, "%s", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    size_t len = (size_t)status.st_size;
    if ((off_t)len != status.st_size) {
        close(fd);
        return piw_err_set(err, PIW_ELIMIT, "%s is larger than this machine's address space", path);
    }
    void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        return piw_err_errno(err, "%s", path);
    int rc = unpack_all(u, data, len, err);
    munmap(data, len);
    return rc;
}

/* --- Asking ldd and dpkg --------------------------------------------------------------------------------------- */

typedef void line_fn(void *arg, piw_text line);

/* Runs PROGRAM NAMES… in batches, in the sandbox if one is given, and hands on each line of output. The exit status doesn't count: ldd fails
 * for what isn't dynamic, dpkg for what nobody owns. */
static int ask(const slave_sandbox *sandbox, const char *const *program, const names *about, const char *dir,
               line_fn *fn, void *arg, piw_err *err)
{
    for (size_t from = 0; from < about->count; from += BATCH) {
        slave_words words = {0};
        if (sandbox != NULL)
            slave_sandbox_alone(sandbox, dir, &words);
        slave_words_add(&words, program);
        for (size_t i = from; i < about->count && i < from + BATCH; i++)
            slave_words_add(&words, (const char *const[]){about->at[i], NULL});
        piw_buffer output = {0};
        slave_command command = {.argv = (const char *const *)words.at, .env = plain_env, .dir = dir};
        int status, rc = slave_process_run(&command, HELPER_MS, HELPER_BYTES, &output, &status, err);
        const char *at = (const char *)output.data, *end = at + output.len, *stop;
        while (rc == 0 && at < end && (stop = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            fn(arg, (piw_text){at, (uint32_t)(stop - at)});
            at = stop + 1;
        }
        piw_buffer_fini(&output);
        slave_words_fini(&words);
        if (rc != 0)
            return rc;
    }
    return 0;
}

typedef struct loaded {
    const unpacking *unpacked;
    names paths;   /* libraries of the system */
    names missing; /* names of libraries that aren't there */
} loaded;

static void on_ldd_line(void *arg, piw_text line)
{
    loaded *l = arg;
    piw_text text;
    slave_ldd_kind kind = slave_ldd_line(line, &text);
    if (kind == SLAVE_LDD_PATH)
        names_add(&l->paths, text);
    else if (kind == SLAVE_LDD_MISSING && !names_has(&l->unpacked->brought, text))
        names_add(&l->missing, text);
}

/* The spellings under which dpkg may know a library, and what it said. */
typedef struct owners {
    names spellings;
    char **owner; /* beside spellings.at; NULL: nobody yet */
} owners;

static void on_dpkg_line(void *arg, piw_text line)
{
    owners *o = arg;
    piw_text package, path;
    if (!slave_dpkg_line(line, &package, &path))
        return;
    for (size_t i = 0; i < o->spellings.count; i++)
        if (o->owner[i] == NULL && piw_text_is(path, o->spellings.at[i]))
            o->owner[i] = piw_strndup(package.s, package.len);
}

/* The path as it is and where it really lies, each also in the other spelling. */
static void spellings_of(const char *path, names *to)
{
    char real[PATH_MAX], other[PATH_MAX];
    names_add(to, piw_text_of(path));
    if (slave_other_spelling(path, other, sizeof(other)))
        names_add(to, piw_text_of(other));
    if (realpath(path, real) == NULL)
        return;
    names_add(to, piw_text_of(real));
    if (slave_other_spelling(real, other, sizeof(other)))
        names_add(to, piw_text_of(other));
}

static const char *owner_of(const owners *o, const char *path)
{
    names spellings = {0};
    spellings_of(path, &spellings);
    const char *found = NULL;
    for (size_t i = 0; i < o->spellings.count && found == NULL; i++)
        if (names_has(&spellings, piw_text_of(o->spellings.at[i])))
            found = o->owner[i];
    names_fini(&spellings);
    return found;
}

static int name_owners(const loaded *l, const char *dir, slave_depends *found, piw_err *err)
{
    owners o = {0};
    for (size_t i = 0; i < l->paths.count; i++)
        spellings_of(l->paths.at[i], &o.spellings);
    o.owner = piw_zalloc((o.spellings.count + 1) * sizeof(*o.owner));
    /* A system without dpkg: nobody owns anything. */
    int rc = 0;
    if (access("/usr/bin/dpkg", X_OK) == 0)
        rc = ask(NULL, (const char *const[]){"/usr/bin/dpkg", "-S", NULL}, &o.spellings, dir, on_dpkg_line, &o, err);
    names apt = {0}, others = {0};
    for (size_t i = 0; rc == 0 && i < l->paths.count; i++) {
        const char *owner = owner_of(&o, l->paths.at[i]);
        names_add(owner != NULL ? &apt : &others, piw_text_of(owner != NULL ? owner : l->paths.at[i]));
    }
    for (size_t i = 0; rc == 0 && i < l->missing.count; i++)
        names_add(&others, piw_text_of(l->missing.at[i]));
    for (size_t i = 0; i < o.spellings.count; i++)
        free(o.owner[i]);
    free(o.owner);
    names_fini(&o.spellings);
    *found = (slave_depends){apt.at, apt.count, others.at, others.count};
    return rc;
}

int slave_depends_find(const char *path, const char *scratch, const slave_sandbox *sandbox, slave_depends *found,
                       piw_err *err)
{
    *found = (slave_depends){0};
    unpacking u = {.scratch = scratch};
    loaded l = {.unpacked = &u};
    int rc = open_wheel(&u, path, err);
    if (rc == 0 && u.files.count > 0)
        rc = ask(sandbox, (const char *const[]){"/usr/bin/ldd", NULL}, &u.files, scratch, on_ldd_line, &l, err);
    if (rc == 0 && l.paths.count + l.missing.count > 0)
        rc = name_owners(&l, scratch, found, err);
    for (size_t i = 0; i < u.files.count; i++)
        unlink(u.files.at[i]);
    if (found->apt_count > 0)
        qsort(found->apt, found->apt_count, sizeof(*found->apt), by_text);
    if (found->others_count > 0)
        qsort(found->others, found->others_count, sizeof(*found->others), by_text);
    names_fini(&u.files);
    names_fini(&u.brought);
    names_fini(&l.paths);
    names_fini(&l.missing);
    if (rc != 0)
        slave_depends_fini(found);
    return rc;
}

void slave_depends_fini(slave_depends *found)
{
    names apt = {found->apt, found->apt_count}, others = {found->others, found->others_count};
    names_fini(&apt);
    names_fini(&others);
    *found = (slave_depends){0};
}
