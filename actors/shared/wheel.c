/* wheel.c — the wheel gate: is this file a sound wheel that may be published? */
#include "shared/wheel.h"

#include "shared/names.h"
#include "shared/version.h"
#include "shared/wheel_code.h"
#include "shared/wheel_file.h"
#include "shared/wheel_layout.h"
#include "shared/wheel_name.h"
#include "shared/wheel_record.h"
#include "shared/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RECORD_MAX = 64 << 20,
    HASH_SIZE = 32,
    HELD_MAX = 16 << 20, /* bytes of the mapped file that stay in memory */
};

/* What the checks share about the wheel that they look at. */
typedef struct gate {
    const uint8_t *data;
    size_t len;
    bool plain; /* memory of somebody's, not a mapped file */
    const char *filename, *expected;
    piw_wheel_known known;
    piw_wheel_name name;
    piw_zip_mapped mapped;
    piw_zip *zip;
    piw_text folder; /* of the .dist-info, with the '/', in the archive's bytes */
    piw_wheel *wheel;
    piw_wheel_record record;
    EVP_MD_CTX *digest;
    size_t read; /* bytes since the mapping was last left */
    piw_code_files code;
} gate;

typedef int gate_check(gate *g, piw_err *err);

void piw_hash_hex(const void *hash, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = hash;
    for (size_t i = 0; i < HASH_SIZE; i++) {
        hex[2 * i] = digits[from[i] >> 4];
        hex[2 * i + 1] = digits[from[i] & 15];
    }
    hex[2 * HASH_SIZE] = '\0';
}

static int no_digest(piw_err *err)
{
    return piw_err_set(err, PIW_ESYS, "the cryptography library refuses to compute a hash");
}

/* Pages of a mapped file, which can be had again. */
static void forget(const uint8_t *data, size_t len)
{
    madvise((void *)(uintptr_t)data, len, MADV_DONTNEED);
}

static int hash_bytes(const void *data, size_t len, char *hex, piw_err *err)
{
    uint8_t hash[HASH_SIZE];
    if (EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) != 1)
        return no_digest(err);
    piw_hash_hex(hash, hex);
    return 0;
}

/* The pages that were read leave our memory, not the system's; those that are read again come back. */
static void let_go(void *arg)
{
    const gate *g = arg;
    forget(g->data, g->len);
}

/* A mapped file's, a part of it in memory at a time. */
static int hash_mapped(const uint8_t *data, size_t len, char *hex, piw_err *err)
{
    uint8_t hash[HASH_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;
    for (size_t at = 0; good && at < len; at += PIW_ZIP_STRIDE) {
        size_t n = len - at < PIW_ZIP_STRIDE ? len - at : PIW_ZIP_STRIDE;
        good = EVP_DigestUpdate(digest, data + at, n) == 1;
        forget(data + at, n);
    }
    good = good && EVP_DigestFinal_ex(digest, hash, NULL) == 1;
    EVP_MD_CTX_free(digest);
    if (!good)
        return no_digest(err);
    piw_hash_hex(hash, hex);
    return 0;
}

/* --- The checks --- */

static int check_name(gate *g, piw_err *err)
{
    return piw_wheel_name_parse(piw_text_of(g->filename), &g->name, err);
}

static int check_archive(gate *g, piw_err *err)
{
    g->mapped = (piw_zip_mapped){.let_go = let_go, .arg = g};
    return piw_zip_open_mapped(&g->zip, g->data, g->len, g->plain ? NULL : &g->mapped, err);
}

static int check_layout(gate *g, piw_err *err)
{
    return piw_wheel_layout_check(g->zip, &g->name, &g->folder, err);
}

static const piw_zip_entry *find_member(const gate *g, const char *name)
{
    char path[PIW_ZIP_NAME_MAX + 64];
    size_t n = strlen(name);
    memcpy(path, g->folder.s, g->folder.len);
    memcpy(path + g->folder.len, name, n);
    return piw_zip_find(g->zip, path, g->folder.len + n);
}

static int need_member(const gate *g, const char *name, const piw_zip_entry **entry, piw_err *err)
{
    *entry = find_member(g, name);
    if (*entry == NULL)
        return piw_err_set(err, PIW_EREFUSED, "its .dist-info holds no %s", name);
    return 0;
}

/* Installers take any minor version of the formats they know. */
static bool known_metadata(const char *version)
{
    return version != NULL && (version[0] == '1' || version[0] == '2') && version[1] == '.' && version[2] != '\0' &&
           strspn(version + 2, "0123456789") == strlen(version + 2);
}

static int check_metadata(gate *g, piw_err *err)
{
    const piw_zip_entry *entry = NULL;
    int rc = need_member(g, "METADATA", &entry, err);
    if (rc == 0)
        rc = piw_zip_extract(g->zip, entry, PIW_METADATA_MAX, &g->wheel->metadata_bytes, err);
    if (rc != 0)
        return rc;
    g->wheel->metadata_len = (size_t)entry->size;
    rc = piw_metadata_parse(g->wheel->metadata_bytes, g->wheel->metadata_len, &g->wheel->metadata, err);
    if (rc != 0)
        return rc;
    const piw_metadata *m = &g->wheel->metadata;
    if (!known_metadata(m->metadata_version))
        return piw_err_set(err, PIW_EREFUSED, "its METADATA is of the version \"%.100s\" of the format, not 1 or 2",
                           m->metadata_version != NULL ? m->metadata_version : "");
    if (!piw_name_same(piw_text_of(m->name), piw_text_of(g->name.package)))
        return piw_err_set(err, PIW_EREFUSED, "its METADATA is of the package \"%.100s\"", m->name);
    if (!piw_version_matches_tag(piw_text_of(m->version), piw_text_of(g->name.version)))
        return piw_err_set(err, PIW_EREFUSED, "its METADATA is of the version \"%.100s\"", m->version);
    return hash_bytes(g->wheel->metadata_bytes, g->wheel->metadata_len, g->wheel->metadata_hash, err);
}

static int check_wheel_file(gate *g, piw_err *err)
{
    const piw_zip_entry *entry = NULL;
    uint8_t *data = NULL;
    int rc = need_member(g, "WHEEL", &entry, err);
    if (rc == 0)
        rc = piw_zip_extract(g->zip, entry, PIW_WHEEL_FILE_MAX, &data, err);
    if (rc == 0)
        rc = piw_wheel_file_check(data, (size_t)entry->size, &g->name, err);
    free(data);
    return rc;
}

static int read_record(gate *g, piw_err *err)
{
    const piw_zip_entry *entry = NULL;
    int rc = need_member(g, "RECORD", &entry, err);
    uint8_t *data = NULL;
    if (rc == 0)
        rc = piw_zip_extract(g->zip, entry, RECORD_MAX, &data, err);
    if (rc == 0)
        rc = piw_wheel_record_parse(data, (size_t)entry->size, &g->record, err);
    free(data);
    return rc;
}

static bool is_exempt(const gate *g, const char *path, size_t len)
{
    static const char *const names[] = {"RECORD", "RECORD.jws", "RECORD.p7s"};
    if (len < g->folder.len || memcmp(path, g->folder.s, g->folder.len) != 0)
        return false;
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        size_t n = strlen(names[i]);
        if (len - g->folder.len == n && memcmp(path + g->folder.len, names[i], n) == 0)
            return true;
    }
    return false;
}

/* RECORD lists nothing that isn't there. */
static int check_listed(gate *g, piw_err *err)
{
    for (size_t i = 0; i < g->record.count; i++) {
        const piw_wheel_record_line *line = &g->record.lines[i];
        if (piw_zip_find(g->zip, line->path, line->path_len) == NULL && !is_exempt(g, line->path, line->path_len))
            return piw_err_set(err, PIW_EREFUSED, "its RECORD lists \"%.200s\", which isn't there", line->path);
    }
    return 0;
}

typedef struct member {
    gate *gate;
    uint8_t head[PIW_ELF_HEAD]; /* its first bytes */
    size_t head_len;
} member;

/* So many bytes of members have been read. */
static void forget_read(gate *g, size_t len)
{
    g->read += len;
    if (g->read >= HELD_MAX && !g->plain) {
        forget(g->data, g->len);
        g->read = 0;
    }
}

static int take_piece(void *arg, const uint8_t *data, size_t len)
{
    member *m = arg;
    if (m->head_len < sizeof(m->head)) {
        size_t room = sizeof(m->head) - m->head_len, n = len < room ? len : room;
        memcpy(m->head + m->head_len, data, n);
        m->head_len += n;
    }
    int rc = EVP_DigestUpdate(m->gate->digest, data, len) == 1 ? 0 : PIW_ESYS;
    forget_read(m->gate, len);
    return rc;
}

static int refuse(piw_err *err, const piw_zip_entry *entry, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its member \"%.*s\" %s", entry->name_len > 200 ? 200 : entry->name_len,
                       entry->name, why);
}

/* RECORD and its signatures may do without. */
static const EVP_MD *digest_of(const piw_wheel_record_line *line)
{
    switch (line != NULL ? line->hash_len : 0) {
    case PIW_WHEEL_RECORD_SHA512:
        return EVP_sha512();
    case PIW_WHEEL_RECORD_SHA384:
        return EVP_sha384();
    default:
        return EVP_sha256();
    }
}

static int compare_seen(const void *key, const void *element)
{
    uint64_t data = *(const uint64_t *)key, other = ((const piw_wheel_seen *)element)->data;
    return (data > other) - (data < other);
}

/* What was read of it while the wheel came; NULL: nothing. */
static const piw_wheel_seen *find_seen(const gate *g, const piw_zip_entry *entry)
{
    if (g->known.count == 0)
        return NULL;
    const piw_wheel_seen *seen = bsearch(&entry->data, g->known.seen, g->known.count, sizeof(*seen), compare_seen);
    bool same = seen != NULL && seen->packed_size == entry->packed_size && seen->size == entry->size &&
                seen->crc == entry->crc && seen->method == entry->method;
    return same ? seen : NULL;
}

/* The hash of a member by `algorithm`, and its first bytes. */
static int read_member(gate *g, const piw_zip_entry *entry, const EVP_MD *algorithm, member *m, uint8_t *hash,
                       piw_err *err)
{
    const piw_wheel_seen *seen = algorithm == EVP_sha256() ? find_seen(g, entry) : NULL;
    if (seen != NULL) {
        memcpy(hash, seen->hash, sizeof(seen->hash));
        memcpy(m->head, seen->head, sizeof(m->head));
        m->head_len = seen->head_len;
        return 0;
    }
    if (EVP_DigestInit_ex(g->digest, algorithm, NULL) != 1)
        return no_digest(err);
    int rc = piw_zip_read(g->zip, entry, take_piece, m, err);
    if (rc == 0 && EVP_DigestFinal_ex(g->digest, hash, NULL) != 1)
        rc = no_digest(err);
    return rc;
}

/* One member's bytes: as RECORD says. */
static int check_content(gate *g, const piw_zip_entry *entry, piw_err *err)
{
    bool exempt = is_exempt(g, entry->name, entry->name_len);
    const piw_wheel_record_line *line = piw_wheel_record_find(&g->record, entry->name, entry->name_len);
    if (line == NULL && !exempt)
        return refuse(err, entry, "isn't listed in its RECORD");
    if (!exempt && line->hash_len == 0)
        return refuse(err, entry, "has no hash in its RECORD");
    member m = {.gate = g};
    uint8_t hash[EVP_MAX_MD_SIZE];
    int rc = read_member(g, entry, digest_of(line), &m, hash, err);
    if (rc != 0)
        return rc;
    if (line != NULL && line->hash_len > 0 && memcmp(hash, line->hash, line->hash_len) != 0)
        return refuse(err, entry, "has another hash than its RECORD says");
    if (line != NULL && line->has_size && line->size != entry->size)
        return refuse(err, entry, "has another size than its RECORD says");
    return piw_code_add(&g->code, entry, m.head, m.head_len, err);
}

static int check_contents(gate *g, piw_err *err)
{
    g->digest = EVP_MD_CTX_new();
    if (g->digest == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to check the wheel");
    int rc = 0;
    for (size_t i = 0; i < piw_zip_count(g->zip) && rc == 0; i++) {
        const piw_zip_entry *entry = piw_zip_at(g->zip, i);
        if (!entry->folder)
            rc = check_content(g, entry, err);
    }
    return rc;
}

static int check_code(gate *g, piw_err *err)
{
    return piw_code_check(g->zip, &g->code, g->name.platform, &g->wheel->armv6_too, err);
}

/* First, so that a transfer that went wrong is not taken for an unsound wheel. */
static int check_hash(gate *g, piw_err *err)
{
    int rc = 0;
    if (g->known.hash != NULL)
        memcpy(g->wheel->filehash, g->known.hash, sizeof(g->wheel->filehash));
    else
        rc = g->plain ? hash_bytes(g->data, g->len, g->wheel->filehash, err)
                      : hash_mapped(g->data, g->len, g->wheel->filehash, err);
    if (rc == 0 && g->expected != NULL && strcmp(g->expected, g->wheel->filehash) != 0)
        return piw_err_set(err, PIW_EAGAIN, "its SHA-256 is %s, not %s as was said", g->wheel->filehash, g->expected);
    return rc;
}

/* In this order: later ones rely on what earlier ones found. */
static const struct {
    const char *word;
    gate_check *passes;
} gate_checks[] = {
    {"hash", check_hash},         {"name", check_name},        {"archive", check_archive}, {"layout", check_layout},
    {"metadata", check_metadata}, {"wheel", check_wheel_file}, {"record", read_record},    {"listed", check_listed},
    {"contents", check_contents}, {"code", check_code},
};

/* --- Files --- */

typedef struct mapping {
    uint8_t *data;
    size_t len;
} mapping;

static int open_file(const char *path, int *fd, piw_err *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd >= 0)
        return 0;
    return errno == ENOENT ? piw_err_set(err, PIW_ENOENT, "%s isn't there", path)
                           : piw_err_errno(err, "can't open %s", path);
}

static int map_file(int fd, const char *path, mapping *map, piw_err *err)
{
    struct stat info;
    int rc = 0;
    if (fstat(fd, &info) != 0) {
        rc = piw_err_errno(err, "can't read %s", path);
    } else if (!S_ISREG(info.st_mode) || info.st_size == 0) {
        rc = piw_err_set(err, PIW_EREFUSED, "%s is empty or not a regular file", path);
    } else if (info.st_size != (off_t)(size_t)info.st_size) {
        rc = piw_err_set(err, PIW_ELIMIT, "%s is larger than this machine's address space", path);
    } else {
        map->len = (size_t)info.st_size;
        map->data = mmap(NULL, map->len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map->data == MAP_FAILED)
            rc = piw_err_errno(err, "can't map %s", path);
        else
            madvise(map->data, map->len, MADV_SEQUENTIAL);
    }
    return rc;
}

static int pass(gate *g, piw_err *err)
{
    piw_err own_err = {0};
    const char *refused_by = NULL;
    int rc = 0;
    g->wheel->filesize = (int64_t)g->len;
    for (size_t i = 0; i < PIW_COUNT(gate_checks) && rc == 0; i++) {
        refused_by = gate_checks[i].word;
        rc = gate_checks[i].passes(g, &own_err);
    }
    piw_zip_close(&g->zip);
    piw_wheel_record_fini(&g->record);
    piw_code_fini(&g->code);
    EVP_MD_CTX_free(g->digest);
    if (rc == 0)
        return 0;
    piw_wheel_fini(g->wheel);
    g->wheel->refused_by = refused_by;
    bool theirs = rc != PIW_ENOMEM && rc != PIW_ESYS && rc != PIW_EAGAIN;
    return piw_err_set(err, theirs ? PIW_EREFUSED : rc, theirs ? "%s is no sound wheel: %s" : "%s: %s", g->filename,
                       own_err.text);
}

int piw_wheel_read_fd(int fd, const char *filename, const char *expected_hash, const piw_wheel_known *known,
                      piw_wheel *wheel, piw_err *err)
{
    *wheel = (piw_wheel){0};
    mapping map;
    int rc = map_file(fd, filename, &map, err);
    if (rc != 0)
        return rc;
    gate g = {.data = map.data, .len = map.len, .filename = filename, .expected = expected_hash, .wheel = wheel};
    if (known != NULL)
        g.known = *known;
    rc = pass(&g, err);
    munmap(map.data, map.len);
    return rc;
}

int piw_wheel_read_bytes(const void *data, size_t len, const char *filename, const char *expected_hash,
                         const piw_wheel_known *known, piw_wheel *wheel, piw_err *err)
{
    *wheel = (piw_wheel){0};
    gate g = {.data = data, .len = len, .plain = true, .filename = filename, .expected = expected_hash, .wheel = wheel};
    if (known != NULL)
        g.known = *known;
    return pass(&g, err);
}

int piw_wheel_read(const char *path, const char *filename, piw_wheel *wheel, piw_err *err)
{
    int fd;
    int rc = open_file(path, &fd, err);
    if (rc != 0)
        return rc;
    rc = piw_wheel_read_fd(fd, filename, NULL, NULL, wheel, err);
    close(fd);
    return rc;
}

int piw_file_hash(const char *path, char *hash, int64_t *size, piw_err *err)
{
    int fd;
    mapping map;
    int rc = open_file(path, &fd, err);
    if (rc != 0)
        return rc;
    rc = map_file(fd, path, &map, err);
    close(fd);
    if (rc != 0)
        return rc;
    *size = (int64_t)map.len;
    rc = hash_mapped(map.data, map.len, hash, err);
    munmap(map.data, map.len);
    return rc;
}

void piw_wheel_fini(piw_wheel *wheel)
{
    free(wheel->metadata_bytes);
    piw_metadata_fini(&wheel->metadata);
    wheel->metadata_bytes = NULL;
    wheel->metadata_len = 0;
}
