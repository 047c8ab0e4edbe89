/* wheel_code.c — which ELF files of a wheel its platform runs, and whether they are fit for it. */
#include "shared/wheel_code.h"

#include "shared/arm_code.h"
#include "shared/elf_excerpt.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SEARCHES_MAX = 100000, /* folders searched for libraries, in a whole wheel: real ones come to hundreds */
};

/* What a file is by its name and type. */
typedef enum code_role {
    ROLE_DATA,
    ROLE_EXTENSION,     /* named as an interpreter of the tag names extension modules: module.abi3.so */
    ROLE_EXTENSION_FOR, /* named as those of another machine are: module.cpython-311-arm-linux-gnueabihf.so */
    ROLE_LIBRARY,       /* libfoo.so.1, and module.so, which only its symbols tell from an extension module */
    ROLE_SCRIPT,        /* lands on the PATH */
    ROLE_PROGRAM,       /* any other linked file */
} code_role;

typedef struct code {
    const piw_code_file *file;
    const char *path; /* where it is installed, counted */
    size_t path_len;
    code_role role;
    bool linked; /* not an object file */
    bool fits;
    bool soft; /* doesn't fit for its floating point alone */
} code;

typedef struct inspection {
    const piw_zip *zip;
    const char *platform_tag;
    bool native, hard_float, armv6_too;
    code *all; /* by their paths */
    size_t count;
} inspection;

/* --- Names --- */

/* Without the folder of a .data that is installed where everything else is; *scheme is any other's, with its '/'. */
static void strip_scheme(code *c, piw_text *scheme)
{
    static const char suffix[] = ".data";
    const char *slash = memchr(c->path, '/', c->path_len), *end = c->path + c->path_len;
    size_t n = sizeof(suffix) - 1;
    if (slash == NULL || (size_t)(slash - c->path) <= n || memcmp(slash - n, suffix, n) != 0)
        return;
    const char *name = slash + 1, *next = memchr(name, '/', (size_t)(end - name));
    if (next == NULL)
        return;
    *scheme = (piw_text){name, (uint32_t)(next - name)};
    if (piw_text_is(*scheme, "platlib") || piw_text_is(*scheme, "purelib")) {
        c->path_len = (size_t)(end - next - 1);
        c->path = next + 1;
    }
}

static piw_text base_name(const code *c)
{
    const char *slash = memrchr(c->path, '/', c->path_len);
    const char *name = slash == NULL ? c->path : slash + 1;
    return (piw_text){name, (uint32_t)(c->path + c->path_len - name)};
}

static bool is_module_name(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return len > 0;
}

static bool has_suffix(piw_text name, const char *suffix)
{
    size_t n = strlen(suffix);
    return name.len > n && strncasecmp(name.s + name.len - n, suffix, n) == 0;
}

/* "libfoo.so", "libfoo.so.1.2" */
static bool is_library_name(piw_text name)
{
    size_t len = name.len;
    while (len > 0 && (name.s[len - 1] == '.' || (name.s[len - 1] >= '0' && name.s[len - 1] <= '9')))
        len--;
    return len > 3 && memcmp(name.s + len - 3, ".so", 3) == 0 && (len == name.len || name.s[len] == '.');
}

/* "module.TAG.so" with a tag that interpreters use; *tag may be empty. */
static bool is_tagged(piw_text name, piw_text *tag)
{
    /* Since 3.15 CPython names a machine behind its stable ABIs too. */
    static const char *const implementations[] = {"cpython-", "pypy", "graalpy", "abi3-", "abi3t-"};
    const char *dot = memchr(name.s, '.', name.len);
    if (dot == NULL || !has_suffix(name, ".so") || !is_module_name(name.s, (size_t)(dot - name.s)))
        return false;
    const char *end = name.s + name.len - 3;
    *tag = dot + 1 < end ? (piw_text){dot + 1, (uint32_t)(end - dot - 1)} : (piw_text){"", 0};
    if (piw_text_is(*tag, "abi3") || piw_text_is(*tag, "abi3t"))
        return true;
    bool machine = memmem(tag->s, tag->len, "-linux", 6) != NULL;
    for (size_t i = 0; machine && i < PIW_COUNT(implementations); i++) {
        size_t n = strlen(implementations[i]);
        if (tag->len > n && memcmp(tag->s, implementations[i], n) == 0)
            return true;
    }
    return false;
}

/* What build systems call images for a board and files that are still to be linked. */
static bool is_image_name(piw_text name)
{
    static const char *const suffixes[] = {".elf", ".axf", ".ko", ".o"};
    for (size_t i = 0; i < PIW_COUNT(suffixes); i++) {
        if (has_suffix(name, suffixes[i]))
            return true;
    }
    return false;
}

static code_role role_of(const inspection *in, const code *c, piw_text scheme)
{
    piw_text name = base_name(c), tag = {"", 0};
    if (piw_text_is(scheme, "scripts"))
        return ROLE_SCRIPT;
    if (is_tagged(name, &tag))
        return piw_platform_imports(in->platform_tag, tag) ? ROLE_EXTENSION : ROLE_EXTENSION_FOR;
    if (is_library_name(name))
        return ROLE_LIBRARY;
    return c->linked && !is_image_name(name) ? ROLE_PROGRAM : ROLE_DATA;
}

/* --- Contents --- */

/* "its member NAME is WHAT for another processor than the platform tag says". */
static int refuse(piw_err *err, const code *c, const char *what)
{
    const piw_zip_entry *entry = c->file->entry;
    return piw_err_set(err, PIW_EREFUSED, "its member \"%.*s\" is %s %s", entry->name_len > 200 ? 200 : entry->name_len,
                       entry->name, what,
                       c->soft ? "whose code isn't hard-float, as the platform's machines have it"
                               : "for another processor than the platform tag says");
}

/* The symbol by which an interpreter starts a module is what tells module.so from a library. */
static int is_extension(const inspection *in, const code *c, bool *yes, piw_err *err)
{
    piw_text name = base_name(c);
    const char *dot = memchr(name.s, '.', name.len);
    *yes = c->role == ROLE_EXTENSION || c->role == ROLE_EXTENSION_FOR;
    if (c->role != ROLE_LIBRARY || !c->linked || dot == NULL || dot + 3 != name.s + name.len)
        return 0;
    char symbol[PIW_ZIP_NAME_MAX + 16];
    snprintf(symbol, sizeof(symbol), "PyInit_%.*s", (int)(dot - name.s), name.s);
    uint8_t *data;
    size_t len;
    int rc = piw_elf_excerpt(in->zip, c->file->entry, &data, &len, err);
    /* With tables of symbols as large as that it may be one. */
    *yes = rc == 0 && (data == NULL || piw_elf_exports(data, len, symbol));
    free(data);
    return rc;
}

/* An ARM file for a hard-float platform: is its code fit for it, and for ARMv6 too? */
static int look_at_arm_code(inspection *in, code *c, piw_err *err)
{
    uint8_t *data;
    size_t len;
    int rc = piw_elf_excerpt(in->zip, c->file->entry, &data, &len, err);
    if (rc != 0)
        return rc;
    piw_arm_code found = {.hard_float = (c->file->head.flags & EF_ARM_ABI_FLOAT_SOFT) == 0, .beyond = "its size"};
    if (data != NULL)
        found = piw_arm_code_of(data, len);
    free(data);
    bool loaded = c->role != ROLE_PROGRAM && c->role != ROLE_SCRIPT;
    if (found.firmware && c->role == ROLE_PROGRAM)
        c->role = ROLE_DATA;
    /* A program that brings all it needs may keep its arguments where it likes. */
    c->soft = !found.hard_float && (loaded || c->file->head.type != ET_EXEC || found.interpreted);
    c->fits = !c->soft;
    if (c->role != ROLE_DATA && c->fits && found.beyond != NULL)
        in->armv6_too = false;
    return 0;
}

static int classify(inspection *in, code *c, const piw_code_file *file, piw_err *err)
{
    *c = (code){.file = file, .path = file->entry->name, .path_len = file->entry->name_len};
    piw_text scheme = {"", 0};
    strip_scheme(c, &scheme);
    c->linked = file->head.type != ET_REL;
    c->role = role_of(in, c, scheme);
    c->fits = piw_platform_fits(in->platform_tag, &file->head);
    if (c->fits && in->hard_float && c->linked && c->role != ROLE_DATA)
        return look_at_arm_code(in, c, err);
    return 0;
}

/* --- Rules --- */

/* What is surely run is fit for the platform. */
static int check_each(const inspection *in, piw_err *err)
{
    for (size_t i = 0; i < in->count; i++) {
        const code *c = &in->all[i];
        bool extension = false;
        if (c->fits || (c->role == ROLE_SCRIPT && !in->native))
            continue;
        int rc = is_extension(in, c, &extension, err);
        if (rc != 0)
            return rc;
        if (c->role != ROLE_SCRIPT && (!extension || c->role == ROLE_EXTENSION_FOR))
            continue;
        return refuse(err, c, extension ? "an extension module" : "a program");
    }
    return 0;
}

/* Code for other machines may lie beside the platform's own, not in its place. */
static int check_own(const inspection *in, piw_err *err)
{
    const code *foreign = NULL, *foreign_module = NULL;
    bool own = false, own_module = false;
    for (size_t i = 0; i < in->count; i++) {
        const code *c = &in->all[i];
        bool named = c->role == ROLE_EXTENSION_FOR || c->role == ROLE_LIBRARY;
        own = own || (c->fits && c->linked && c->role != ROLE_DATA);
        if (named && !c->fits && foreign == NULL)
            foreign = c;
        if (c->role == ROLE_EXTENSION_FOR && foreign_module == NULL)
            foreign_module = c;
    }
    for (size_t i = 0; i < in->count && foreign_module != NULL && !own_module; i++) {
        const code *c = &in->all[i];
        int rc = c->fits && c->role != ROLE_EXTENSION_FOR ? is_extension(in, c, &own_module, err) : 0;
        if (rc != 0)
            return rc;
    }
    if (foreign_module != NULL && !own_module)
        return refuse(err, foreign_module, "an extension module, of which there is none for the platform,");
    if (foreign != NULL && !own)
        return refuse(err, foreign, "a library, of which there is none for the platform,");
    return 0;
}

/* --- Libraries that are needed --- */

typedef struct search {
    const inspection *in;
    const code *by;
    size_t *searches; /* of the whole wheel */
    piw_err *err;
    piw_needs *needs; /* of others; NULL: not asked for */
} search;

/* FOLDER/PATH/NAME with '.' and '..' worked out; false when it leads out of what is installed. */
static bool join_path(const code *by, const char *path, size_t path_len, const char *name, char *to, size_t room)
{
    char joined[2 * PIW_ZIP_NAME_MAX];
    const char *slash = memrchr(by->path, '/', by->path_len);
    int n = snprintf(joined, sizeof(joined), "%.*s/%.*s/%s", (int)(slash == NULL ? 0 : slash - by->path), by->path,
                     (int)path_len, path, name);
    if (n < 0 || (size_t)n >= sizeof(joined) || (size_t)n >= room)
        return false;
    char *save, *out = to;
    *out = '\0';
    for (char *part = strtok_r(joined, "/", &save); part != NULL; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0)
            continue;
        if (strcmp(part, "..") == 0) {
            char *last = strrchr(to, '/');
            if (out == to)
                return false;
            out = last == NULL ? to : last;
            *out = '\0';
            continue;
        }
        if (out != to)
            *out++ = '/';
        out = stpcpy(out, part);
    }
    return true;
}

static int compare_paths(const void *a, const void *b)
{
    const code *left = a, *right = b;
    size_t n = left->path_len < right->path_len ? left->path_len : right->path_len;
    int order = memcmp(left->path, right->path, n);
    return order != 0 ? order : (left->path_len > right->path_len) - (left->path_len < right->path_len);
}

static const code *find_installed(const inspection *in, const char *path)
{
    code key = {.path = path, .path_len = strlen(path)};
    return bsearch(&key, in->all, in->count, sizeof(*in->all), compare_paths);
}

/* The wheel's file of this name in one folder of a search path that begins with the file's own place, or NULL. */
static const code *look_in(const search *s, const char *folder, size_t len, const char *library)
{
    static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
    char path[2 * PIW_ZIP_NAME_MAX];
    for (size_t i = 0; i < PIW_COUNT(origins); i++) {
        size_t skip = strlen(origins[i]);
        if (len >= skip && memcmp(folder, origins[i], skip) == 0 &&
            join_path(s->by, folder + skip, len - skip, library, path, sizeof(path)))
            return find_installed(s->in, path);
    }
    return NULL;
}

/* The wheel's own library of this name along the search path: the first that fits, else one that doesn't; NULL: none. */
static int find_along(const search *s, const char *library, const char *search_path, const code **own)
{
    *own = NULL;
    for (const char *at = search_path; *at != '\0';) {
        if (++*s->searches > SEARCHES_MAX)
            return piw_err_set(s->err, PIW_EREFUSED, "its libraries are to be searched in more than %d folders",
                               SEARCHES_MAX);
        size_t n = strcspn(at, ":");
        const code *found = look_in(s, at, n, library);
        *own = found != NULL ? found : *own;
        if (found != NULL && found->fits)
            return 0;
        at += n + (at[n] == ':');
    }
    return 0;
}

/* One library that a file of the wheel needs, along the file's search path. */
static int check_needed(void *arg, const char *library, const char *search_path)
{
    search *s = arg;
    const code *own;
    int rc = find_along(s, library, search_path, &own);
    return rc != 0 || own == NULL || own->fits ? rc : refuse(s->err, own, "a library that its own code loads");
}

/* The dynamic linker finds libraries of the wheel for its modules: those are loaded, whatever else is data. */
static int check_libraries(const inspection *in, piw_err *err)
{
    bool foreign = false;
    for (size_t i = 0; i < in->count; i++)
        foreign = foreign || (!in->all[i].fits && in->all[i].role == ROLE_LIBRARY);
    int rc = 0;
    size_t searches = 0;
    for (size_t i = 0; i < in->count && foreign && rc == 0; i++) {
        const code *c = &in->all[i];
        if (!c->fits || !c->linked || c->role == ROLE_DATA)
            continue;
        uint8_t *data;
        size_t len;
        search s = {.in = in, .by = c, .searches = &searches, .err = err};
        rc = piw_elf_excerpt(in->zip, c->file->entry, &data, &len, err);
        if (rc == 0 && data != NULL)
            rc = piw_elf_needs(data, len, check_needed, &s);
        free(data);
    }
    return rc;
}

/* --- What others must have --- */

/* Debian 13 gave 32-bit ARM a time_t of 64 bits. The libraries kept their sonames and the versions of their symbols, so that
 * nothing tells which of both a file was built for: it may run where it was built, and nobody knows where else. */
static bool may_hand_over_time(const code *c, const char *library)
{
    return c->file->head.machine == EM_ARM && !piw_needs_is_basic(library);
}

static int note_library(void *arg, const char *library, const char *search_path)
{
    search *s = arg;
    const code *own;
    int rc = find_along(s, library, search_path, &own);
    s->needs->unknown = s->needs->unknown || (rc == 0 && own == NULL && may_hand_over_time(s->by, library));
    return rc != 0 || own != NULL ? rc : piw_needs_library(s->needs, library, s->err);
}

/* Of the wheel's own libraries versions don't matter: they come with it. */
static int note_version(void *arg, const char *library, const char *version)
{
    search *s = arg;
    return piw_needs_has_library(s->needs, library) ? piw_needs_version(s->needs, version, s->err) : 0;
}

static int note_needs(search *s)
{
    uint8_t *data;
    size_t len;
    int rc = piw_elf_excerpt(s->in->zip, s->by->file->entry, &data, &len, s->err);
    if (rc == 0 && data != NULL)
        rc = piw_elf_needs(data, len, note_library, s);
    if (rc == 0 && data != NULL)
        rc = piw_elf_versions(data, len, note_version, s);
    if (data == NULL || rc == PIW_ELIMIT) {
        s->needs->unknown = true;
        rc = rc == PIW_ELIMIT ? 0 : rc;
    }
    free(data);
    return rc;
}

/* --- The whole --- */

int piw_code_add(piw_code_files *files, const piw_zip_entry *entry, const void *head, size_t len, piw_err *err)
{
    piw_elf_head read = piw_elf_head_of(head, len);
    if (!read.elf)
        return 0;
    if (files->count == files->room) {
        size_t room = files->room == 0 ? 16 : 2 * files->room;
        piw_code_file *grown = realloc(files->at, room * sizeof(*grown));
        if (grown == NULL)
            return piw_err_set(err, PIW_ENOMEM, "no memory to check the wheel's libraries");
        files->at = grown;
        files->room = room;
    }
    files->at[files->count++] = (piw_code_file){entry, read};
    return 0;
}

void piw_code_fini(piw_code_files *files)
{
    free(files->at);
    *files = (piw_code_files){0};
}

/* All that is known of the files, by their paths. `in` is to be freed by the caller, whatever is returned. */
static int inspect(inspection *in, const piw_zip *zip, const piw_code_files *files, const char *platform_tag,
                   piw_err *err)
{
    *in = (inspection){.zip = zip,
                       .platform_tag = platform_tag,
                       .native = piw_platform_native(platform_tag),
                       .hard_float = piw_platform_hard_float(platform_tag),
                       .armv6_too = strcmp(platform_tag, "linux_armv7l") == 0};
    in->all = calloc(files->count + 1, sizeof(*in->all));
    if (in->all == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to check the wheel's libraries");
    int rc = 0;
    for (; in->count < files->count && rc == 0; in->count++)
        rc = classify(in, &in->all[in->count], &files->at[in->count], err);
    qsort(in->all, in->count, sizeof(*in->all), compare_paths);
    return rc;
}

int piw_code_check(const piw_zip *zip, const piw_code_files *files, const char *platform_tag, bool *armv6_too,
                   piw_err *err)
{
    inspection in;
    int rc = inspect(&in, zip, files, platform_tag, err);
    rc = rc != 0 ? rc : check_each(&in, err);
    if (rc == 0 && in.native)
        rc = check_own(&in, err);
    if (rc == 0 && in.native)
        rc = check_libraries(&in, err);
    *armv6_too = rc == 0 && in.armv6_too;
    free(in.all);
    return rc;
}

int piw_code_needs(const piw_zip *zip, const piw_code_files *files, const char *platform_tag, piw_needs *needs,
                   piw_err *err)
{
    inspection in;
    size_t searches = 0;
    int rc = inspect(&in, zip, files, platform_tag, err);
    for (size_t i = 0; i < in.count && rc == 0; i++) {
        const code *c = &in.all[i];
        search s = {.in = &in, .by = c, .searches = &searches, .err = err, .needs = needs};
        if (c->fits && c->linked && c->role != ROLE_DATA)
            rc = note_needs(&s);
    }
    piw_needs_sort(needs);
    free(in.all);
    return rc;
}
