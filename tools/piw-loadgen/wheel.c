/* wheel.c — makes sound wheels of a given size. */
#include "wheel.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { SHA_BYTES = 32, LOCAL_LEN = 30, CENTRAL_LEN = 46, MEMBERS = 5, PATH_MAX_LEN = 512 };

static const char filling_path[] = "filling/filling.bin";

/* One archive on its way: members are written at once, their directory is kept for the end. */
typedef struct archive {
    const load_filling *filling;
    piw_buffer *to;
    uint8_t directory[MEMBERS * (CENTRAL_LEN + PATH_MAX_LEN)];
    size_t directory_len;
    unsigned count;
    char record[MEMBERS * (PATH_MAX_LEN + 80)];
    size_t record_len;
    int rc;
} archive;

static int sha256(const load_filling *filling, const void *data, size_t len, uint8_t *digest)
{
    return EVP_DigestInit_ex(filling->work, filling->sha256, NULL) == 1 &&
                   EVP_DigestUpdate(filling->work, data, len) == 1 &&
                   EVP_DigestFinal_ex(filling->work, digest, NULL) == 1
               ? 0
               : PIW_ESYS;
}

/* URL-safe base64 without padding, as RECORD wants it; `to` has 48 bytes. */
static void spell_digest(const uint8_t *digest, char *to)
{
    uint8_t text[48];
    int len = EVP_EncodeBlock(text, digest, SHA_BYTES);
    for (int i = 0; i < len; i++)
        to[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    while (len > 0 && to[len - 1] == '=')
        len--;
    to[len] = '\0';
}

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value & 0xffff), value >> 16);
}

static void add_bytes(archive *a, const void *data, size_t len)
{
    if (a->rc == 0)
        a->rc = piw_buffer_add(a->to, data, len);
}

/* What local and central header have in common, from "version needed" to the name's length. */
static uint8_t *put_common(uint8_t *at, uint32_t crc, size_t len, size_t path_len)
{
    at = put16(at, 20); /* version needed */
    at = put32(at, 0);  /* no flags, stored */
    at = put16(at, 0);
    at = put16(at, 0x21); /* 1980-01-01 */
    at = put32(at, crc);
    at = put32(at, (uint32_t)len);
    at = put32(at, (uint32_t)len);
    return put16(at, (uint32_t)path_len);
}

static size_t put_local(uint8_t *local, const char *path, size_t len, uint32_t crc)
{
    size_t path_len = strlen(path);
    uint8_t *at = put_common(put32(local, 0x04034b50), crc, len, path_len);
    at = put16(at, 0);
    memcpy(at, path, path_len);
    return LOCAL_LEN + path_len;
}

static void add_entry(archive *a, const char *path, size_t len, uint32_t crc, size_t offset)
{
    size_t path_len = strlen(path);
    uint8_t *entry = a->directory + a->directory_len;
    uint8_t *at = put16(put32(entry, 0x02014b50), 0x0314); /* made on Unix */
    at = put_common(at, crc, len, path_len);
    memset(at, 0, 8); /* no extra field, no comment, disk 0, no internal attributes */
    at = put32(put32(at + 8, 0100644u << 16), (uint32_t)offset);
    memcpy(at, path, path_len);
    a->directory_len += CENTRAL_LEN + path_len;
    a->count++;
}

static void add_member(archive *a, const char *path, const void *data, size_t len, uint32_t crc)
{
    uint8_t local[LOCAL_LEN + PATH_MAX_LEN];
    add_entry(a, path, len, crc, a->filling->len + a->to->len);
    add_bytes(a, local, put_local(local, path, len, crc));
    add_bytes(a, data, len);
}

static void add_record(archive *a, const char *path, const char *digest, size_t len)
{
    a->record_len += (size_t)snprintf(a->record + a->record_len, sizeof(a->record) - a->record_len,
                                      "%s,sha256=%s,%zu\n", path, digest, len);
}

static void add_text(archive *a, const char *path, const char *text)
{
    uint8_t digest[SHA_BYTES];
    char spelt[48] = "";
    size_t len = strlen(text);
    if (a->rc == 0)
        a->rc = sha256(a->filling, text, len, digest);
    if (a->rc == 0)
        spell_digest(digest, spelt);
    add_record(a, path, spelt, len);
    add_member(a, path, text, len, (uint32_t)crc32(0, (const Bytef *)text, (uInt)len));
}

static void add_end(archive *a)
{
    uint8_t end[22], *at = put32(put32(end, 0x06054b50), 0);
    uint32_t offset = (uint32_t)(a->filling->len + a->to->len);
    at = put16(put16(at, a->count), a->count);
    at = put32(put32(at, (uint32_t)a->directory_len), offset);
    put16(at, 0);
    add_bytes(a, a->directory, a->directory_len);
    add_bytes(a, end, sizeof(end));
}

/* Spells a part of a file name: '-' separates parts, so that it can't be inside one. */
static void spell_part(const char *part, char *to, size_t size)
{
    snprintf(to, size, "%s", part);
    for (char *c = to; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
}

static void add_members(archive *a, const load_wheel *wheel, const char *package, const char *version, const char *abi,
                        unsigned build)
{
    const load_filling *filling = a->filling;
    char path[PATH_MAX_LEN], info[PATH_MAX_LEN - 16], text[1024];
    snprintf(info, sizeof(info), "%s-%s.dist-info", wheel->name, wheel->version);
    add_record(a, filling_path, filling->digest, filling->data_len);
    add_entry(a, filling_path, filling->data_len, filling->crc, 0);
    snprintf(path, sizeof(path), "%s/METADATA", info);
    snprintf(text, sizeof(text), "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: made to be sent\n", package,
             version);
    add_text(a, path, text);
    snprintf(path, sizeof(path), "%s/WHEEL", info);
    snprintf(text, sizeof(text),
             "Wheel-Version: 1.0\nGenerator: piw-loadgen %s\nRoot-Is-Purelib: false\nBuild: %03u\n"
             "Tag: %s-%s-linux_x86_64\n",
             PIW_VERSION, build, abi, abi);
    add_text(a, path, text);
    snprintf(path, sizeof(path), "%s/RECORD", info);
    a->record_len += (size_t)snprintf(a->record + a->record_len, sizeof(a->record) - a->record_len, "%s,,\n", path);
    add_member(a, path, a->record, a->record_len, (uint32_t)crc32(0, (const Bytef *)a->record, (uInt)a->record_len));
    add_end(a);
}

/* xorshift: bytes that don't pack well, as in wheels. */
static void fill(uint8_t *data, size_t len)
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < len; i += sizeof(seed)) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(data + i, &seed, len - i < sizeof(seed) ? len - i : sizeof(seed));
    }
}

static int make_room(load_filling *filling, piw_err *err)
{
    filling->fd = memfd_create("piw-loadgen", MFD_CLOEXEC);
    if (filling->fd < 0 || ftruncate(filling->fd, (off_t)filling->len) != 0)
        return piw_err_errno(err, "--file-size: no room for %zu bytes", filling->len);
    void *at = mmap(NULL, filling->len, PROT_READ | PROT_WRITE, MAP_SHARED, filling->fd, 0);
    if (at == MAP_FAILED)
        return piw_err_errno(err, "--file-size: no memory for %zu bytes", filling->len);
    filling->bytes = at;
    return 0;
}

int load_filling_init(load_filling *filling, size_t data_len, piw_err *err)
{
    uint8_t digest[SHA_BYTES];
    size_t head = LOCAL_LEN + strlen(filling_path);
    filling->data_len = data_len;
    filling->len = head + data_len;
    int rc = make_room(filling, err);
    if (rc != 0)
        return rc;
    fill(filling->bytes + head, data_len);
    filling->crc = (uint32_t)crc32_z(0, filling->bytes + head, data_len);
    put_local(filling->bytes, filling_path, data_len, filling->crc);
    filling->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    filling->begun = EVP_MD_CTX_new();
    filling->work = EVP_MD_CTX_new();
    if (filling->sha256 == NULL || filling->begun == NULL || filling->work == NULL ||
        sha256(filling, filling->bytes + head, data_len, digest) != 0 ||
        EVP_DigestInit_ex(filling->begun, filling->sha256, NULL) != 1 ||
        EVP_DigestUpdate(filling->begun, filling->bytes, filling->len) != 1)
        return piw_err_set(err, PIW_ESYS, "SHA-256 can't be computed here");
    spell_digest(digest, filling->digest);
    return 0;
}

void load_filling_fini(load_filling *filling)
{
    if (filling->bytes != NULL)
        munmap(filling->bytes, filling->len);
    if (filling->fd >= 0)
        close(filling->fd);
    EVP_MD_CTX_free(filling->begun);
    EVP_MD_CTX_free(filling->work);
    EVP_MD_free(filling->sha256);
    *filling = (load_filling){.fd = -1};
}

static int hash_all(load_wheel *wheel, const load_filling *filling)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA_BYTES];
    if (EVP_MD_CTX_copy_ex(filling->work, filling->begun) != 1 ||
        EVP_DigestUpdate(filling->work, wheel->tail.data, wheel->tail.len) != 1 ||
        EVP_DigestFinal_ex(filling->work, digest, NULL) != 1)
        return PIW_ESYS;
    for (int i = 0; i < SHA_BYTES; i++) {
        wheel->hash[2 * i] = digits[digest[i] >> 4];
        wheel->hash[2 * i + 1] = digits[digest[i] & 15];
    }
    return 0;
}

int load_wheel_make(load_wheel *wheel, const load_filling *filling, const char *package, const char *version,
                    const char *abi, unsigned build, piw_err *err)
{
    archive a = {.filling = filling, .to = &wheel->tail};
    wheel->tail.len = 0;
    spell_part(package, wheel->name, sizeof(wheel->name));
    spell_part(version, wheel->version, sizeof(wheel->version));
    int n = snprintf(wheel->filename, sizeof(wheel->filename), "%s-%s-%03u-%s-%s-linux_x86_64.whl", wheel->name,
                     wheel->version, build, abi, abi);
    if (n < 0 || (size_t)n >= sizeof(wheel->filename))
        return piw_err_set(err, PIW_ELIMIT, "the file name of %s %s would be too long", package, version);
    add_members(&a, wheel, package, version, abi, build);
    wheel->len = filling->len + wheel->tail.len;
    if (a.rc == 0)
        a.rc = hash_all(wheel, filling);
    if (a.rc != 0)
        return piw_err_set(err, a.rc, "a wheel of %s %s can't be made: %s", package, version, piw_err_name(a.rc));
    return 0;
}

void load_wheel_fini(load_wheel *wheel)
{
    piw_buffer_fini(&wheel->tail);
}

void load_wheel_piece(const load_wheel *wheel, const load_filling *filling, size_t offset, size_t len, load_rest *piece)
{
    size_t first = offset >= filling->len ? 0 : filling->len - offset < len ? filling->len - offset : len;
    size_t in_tail = offset > filling->len ? offset - filling->len : 0;
    *piece = (load_rest){.fd = filling->fd,
                         .bytes = filling->bytes,
                         .at = (off_t)offset,
                         .len = first,
                         .tail = {wheel->tail.data + in_tail, len - first}};
}

void load_wheel_state(const load_wheel *wheel, const char *abi, piw_msg *msg, file_state *state)
{
    state->filename = piw_msg_textz(msg, wheel->filename);
    state->filesize = (int64_t)wheel->len;
    state->filehash = piw_msg_textz(msg, wheel->hash);
    state->package_tag = piw_msg_textz(msg, wheel->name);
    state->package_version_tag = piw_msg_textz(msg, wheel->version);
    state->py_version_tag = state->abi_tag = piw_msg_textz(msg, abi);
    state->platform_tag = piw_text_of("linux_x86_64");
    state->location = piw_text_of("/simple");
}
