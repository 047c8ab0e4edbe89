/* wheel_maker.h — makes ZIP archives and wheels byte by byte, good and bad ones, for the tests of what reads them. */
#ifndef WHEEL_MAKER_H
#define WHEEL_MAKER_H

#include "piw/codec.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* What is to be odd about a member; zero is all in order. */
typedef struct maker_odd {
    const char *local_name; /* another name in the local header */
    uint32_t mode;          /* Unix mode; 0: a plain file */
    uint32_t crc_xor;       /* wrong checksum */
    int32_t size_add;       /* the central directory says another size */
    uint16_t flags;         /* general purpose flags */
    uint16_t method;        /* 0 or another one, unless deflate is set */
    bool deflate;
    bool descriptor;    /* sizes follow the data */
    const char *behind; /* bytes after the member that belong to nobody */
} maker_odd;

typedef struct maker {
    piw_buffer members, directory;
    uint16_t count;
    const char *comment;
    piw_buffer record; /* RECORD as it grows */
    const char *hash;  /* its algorithm; NULL: sha256 */
} maker;

static inline void maker_put(piw_buffer *to, const void *data, size_t len)
{
    ck_assert_int_eq(piw_buffer_add(to, data, len), 0);
}

static inline void maker_put16(piw_buffer *to, uint32_t value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    maker_put(to, bytes, 2);
}

static inline void maker_put32(piw_buffer *to, uint32_t value)
{
    maker_put16(to, value & 0xffff);
    maker_put16(to, value >> 16);
}

static inline void maker_pack(const void *data, size_t len, bool deflated, piw_buffer *to)
{
    if (!deflated) {
        maker_put(to, data, len);
        return;
    }
    uLong room = compressBound(len) + 64;
    uint8_t *packed = malloc(room);
    z_stream stream = {
        .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = packed, .avail_out = (uInt)room};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    maker_put(to, packed, stream.total_out);
    deflateEnd(&stream);
    free(packed);
}

/* Add a member. `odd` may be NULL. */
static inline void maker_add(maker *m, const char *name, const void *data, size_t len, const maker_odd *odd)
{
    static const maker_odd plain;
    if (odd == NULL)
        odd = &plain;
    const char *local_name = odd->local_name != NULL ? odd->local_name : name;
    piw_buffer packed = {0};
    maker_pack(data, len, odd->deflate, &packed);
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)len) ^ odd->crc_xor;
    uint32_t size = (uint32_t)((int64_t)len + odd->size_add), packed_len = (uint32_t)packed.len;
    uint32_t flags = odd->flags | (odd->descriptor ? 8u : 0u);
    uint32_t method = odd->deflate ? 8 : odd->method;
    uint32_t at = (uint32_t)m->members.len;

    maker_put32(&m->members, 0x04034b50);
    maker_put16(&m->members, 20);
    maker_put16(&m->members, flags);
    maker_put16(&m->members, method);
    maker_put32(&m->members, 0x00210000);
    maker_put32(&m->members, odd->descriptor ? 0 : crc);
    maker_put32(&m->members, odd->descriptor ? 0 : packed_len);
    maker_put32(&m->members, odd->descriptor ? 0 : size);
    maker_put16(&m->members, (uint32_t)strlen(local_name));
    maker_put16(&m->members, 0);
    maker_put(&m->members, local_name, strlen(local_name));
    maker_put(&m->members, packed.data, packed.len);
    if (odd->descriptor) {
        maker_put32(&m->members, 0x08074b50);
        maker_put32(&m->members, crc);
        maker_put32(&m->members, packed_len);
        maker_put32(&m->members, size);
    }
    if (odd->behind != NULL)
        maker_put(&m->members, odd->behind, strlen(odd->behind));

    maker_put32(&m->directory, 0x02014b50);
    maker_put16(&m->directory, 3 << 8 | 20);
    maker_put16(&m->directory, 20);
    maker_put16(&m->directory, flags);
    maker_put16(&m->directory, method);
    maker_put32(&m->directory, 0x00210000);
    maker_put32(&m->directory, crc);
    maker_put32(&m->directory, packed_len);
    maker_put32(&m->directory, size);
    maker_put16(&m->directory, (uint32_t)strlen(name));
    maker_put16(&m->directory, 0);
    maker_put16(&m->directory, 0);
    maker_put16(&m->directory, 0);
    maker_put16(&m->directory, 0);
    maker_put32(&m->directory, (odd->mode != 0 ? odd->mode : 0100644) << 16);
    maker_put32(&m->directory, at);
    maker_put(&m->directory, name, strlen(name));
    m->count++;
    piw_buffer_fini(&packed);
}

/* The archive's bytes; the maker is empty afterwards. */
static inline piw_buffer maker_end(maker *m)
{
    piw_buffer all = {0};
    const char *comment = m->comment != NULL ? m->comment : "";
    maker_put(&all, m->members.data, m->members.len);
    maker_put(&all, m->directory.data, m->directory.len);
    maker_put32(&all, 0x06054b50);
    maker_put16(&all, 0);
    maker_put16(&all, 0);
    maker_put16(&all, m->count);
    maker_put16(&all, m->count);
    maker_put32(&all, (uint32_t)m->directory.len);
    maker_put32(&all, (uint32_t)m->members.len);
    maker_put16(&all, (uint32_t)strlen(comment));
    maker_put(&all, comment, strlen(comment));
    piw_buffer_fini(&m->members);
    piw_buffer_fini(&m->directory);
    piw_buffer_fini(&m->record);
    *m = (maker){0};
    return all;
}

/* --- Wheels --- */

static inline void maker_record(maker *m, const char *name, const void *data, size_t len)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    char line[512];
    unsigned char text[128];
    unsigned size;
    const char *algorithm = m->hash != NULL ? m->hash : "sha256";
    ck_assert_int_eq(EVP_Digest(data, len, hash, &size, EVP_get_digestbyname(algorithm), NULL), 1);
    EVP_EncodeBlock(text, hash, (int)size);
    for (unsigned char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    int n = snprintf(line, sizeof(line), "%s,%s=%s,%zu\n", name, algorithm, (char *)text, len);
    maker_put(&m->record, line, (size_t)n);
}

/* A member that RECORD lists. */
static inline void maker_file(maker *m, const char *name, const void *data, size_t len, const maker_odd *odd)
{
    maker_add(m, name, data, len, odd);
    maker_record(m, name, data, len);
}

/* The .dist-info of NAME VERSION with everything in it; `extra` is added to METADATA ("" for nothing). */
static inline void maker_dist_info(maker *m, const char *name, const char *version, const char *extra)
{
    char path[512], text[2048];
    int n = snprintf(text, sizeof(text), "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s\nWords about it.\n", name,
                     version, extra);
    snprintf(path, sizeof(path), "%s-%s.dist-info/METADATA", name, version);
    maker_file(m, path, text, (size_t)n, &(maker_odd){.deflate = true});
    static const char wheel[] = "Wheel-Version: 1.0\nGenerator: maker\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    snprintf(path, sizeof(path), "%s-%s.dist-info/WHEEL", name, version);
    maker_file(m, path, wheel, sizeof(wheel) - 1, NULL);
    snprintf(path, sizeof(path), "%s-%s.dist-info/RECORD", name, version);
    n = snprintf(text, sizeof(text), "%s,,\n", path);
    maker_put(&m->record, text, (size_t)n);
    maker_add(m, path, m->record.data, m->record.len, NULL);
}

/* A whole sound wheel. */
static inline piw_buffer maker_wheel(const char *name, const char *version, const char *extra)
{
    maker m = {0};
    char path[256];
    snprintf(path, sizeof(path), "%s/__init__.py", name);
    maker_file(&m, path, "answer = 42\n", 12, &(maker_odd){.deflate = true});
    maker_dist_info(&m, name, version, extra);
    return maker_end(&m);
}

static inline void maker_hash(const piw_buffer *bytes, char *hex)
{
    uint8_t hash[32];
    ck_assert_int_eq(EVP_Digest(bytes->data, bytes->len, hash, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof(hash); i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

static inline void maker_save(const piw_buffer *bytes, const char *path)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->len, file), bytes->len);
    ck_assert_int_eq(fclose(file), 0);
}

#endif
