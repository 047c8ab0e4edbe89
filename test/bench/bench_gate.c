/* bench_gate.c — the wheel gate, beside the least that reading a wheel can cost: its members inflated and hashed with SHA-256 by
 * the same libraries. The wheel is made of this machine's Python modules and libraries. Processor time, the best of some
 * rounds, in megabytes of members a second. */
#include "bench.h"
#include "shared/text.h"
#include "shared/wheel.h"

#include <fts.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
    MEMBERS_MAX = 20000,
    FULL = 200 << 20, /* bytes of members */
    TINY = 8 << 20,
    FILE_MAX = 64 << 20,
    ROUNDS = 7,
};

typedef struct member {
    char name[512];
    uint8_t *packed;
    size_t packed_len, len;
    uint32_t crc;
} member;

static member *members;
static size_t count, total;
static piw_buffer record;

/* --- The wheel --- */

static void put16(piw_buffer *to, uint32_t value)
{
    piw_put_bytes(to, (uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)}, 2);
}

static void put32(piw_buffer *to, uint32_t value)
{
    put16(to, value & 0xffff);
    put16(to, value >> 16);
}

static void put_hash(const char *name, const uint8_t *data, size_t len)
{
    uint8_t hash[32];
    unsigned char text[64];
    if (EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL) != 1)
        bench_die("SHA-256 can't be computed");
    EVP_EncodeBlock(text, hash, sizeof(hash));
    for (unsigned char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    piw_putf(&record, "%s,sha256=%s,%zu\n", name, (char *)text, len);
}

static void add(const char *name, const uint8_t *data, size_t len)
{
    member *m = &members[count++];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        bench_die("zlib doesn't begin");
    size_t room = deflateBound(&stream, len);
    m->packed = piw_alloc(room);
    stream.next_out = m->packed;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        bench_die("zlib doesn't pack");
    m->packed_len = stream.total_out;
    deflateEnd(&stream);
    m->len = len;
    m->crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, len);
    snprintf(m->name, sizeof(m->name), "%s", name);
    total += len;
}

static void add_listed(const char *name, const uint8_t *data, size_t len)
{
    put_hash(name, data, len);
    add(name, data, len);
}

static void add_file(const char *path, size_t size)
{
    uint8_t *data = piw_alloc(size + 1);
    FILE *file = fopen(path, "rb");
    if (file != NULL && fread(data, 1, size, file) == size && strpbrk(path, ",\"") == NULL)
        add_listed(path + 1, data, size);
    if (file != NULL)
        fclose(file);
    free(data);
}

/* Files below a folder, as they come, until there are enough. */
static void add_folder(const char *folder, size_t enough)
{
    char *const folders[] = {(char *)(uintptr_t)folder, NULL};
    FTS *walk = fts_open(folders, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (walk == NULL)
        bench_die("this machine's libraries can't be listed");
    for (FTSENT *entry; total < enough && count < MEMBERS_MAX - 3 && (entry = fts_read(walk)) != NULL;) {
        if (entry->fts_info == FTS_F && entry->fts_statp->st_size > 0 && entry->fts_statp->st_size < FILE_MAX &&
            strlen(entry->fts_path) < sizeof(members->name))
            add_file(entry->fts_path, (size_t)entry->fts_statp->st_size);
    }
    fts_close(walk);
}

static void add_papers(const char *platform)
{
    char text[512];
    static const char metadata[] = "Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n\n";
    add_listed("bench-1.0.dist-info/METADATA", (const uint8_t *)metadata, sizeof(metadata) - 1);
    int n = snprintf(text, sizeof(text), "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-%s\n", platform);
    add_listed("bench-1.0.dist-info/WHEEL", (const uint8_t *)text, (size_t)n);
    add("bench-1.0.dist-info/RECORD", record.data, record.len);
}

static void put_facts(piw_buffer *to, const member *m)
{
    put16(to, 20);
    put16(to, 0);
    put16(to, Z_DEFLATED);
    put32(to, 0x00210000);
    put32(to, m->crc);
    put32(to, (uint32_t)m->packed_len);
    put32(to, (uint32_t)m->len);
    put16(to, (uint32_t)strlen(m->name));
    put16(to, 0);
}

static void save(FILE *file)
{
    piw_buffer all = {0}, directory = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)all.len;
        put32(&all, 0x04034b50);
        put_facts(&all, &members[i]);
        piw_put(&all, members[i].name);
        piw_put_bytes(&all, members[i].packed, members[i].packed_len);
        put32(&directory, 0x02014b50);
        put16(&directory, 3 << 8 | 20);
        put_facts(&directory, &members[i]);
        put32(&directory, 0);
        put16(&directory, 0);
        put32(&directory, 0100644u << 16);
        put32(&directory, at);
        piw_put(&directory, members[i].name);
    }
    uint32_t begin = (uint32_t)all.len;
    piw_put_bytes(&all, directory.data, directory.len);
    put32(&all, 0x06054b50);
    put32(&all, 0);
    put16(&all, (uint32_t)count);
    put16(&all, (uint32_t)count);
    put32(&all, (uint32_t)directory.len);
    put32(&all, begin);
    put16(&all, 0);
    if (fwrite(all.data, 1, all.len, file) != all.len || fflush(file) != 0)
        bench_die("the wheel can't be written");
    piw_buffer_fini(&all);
    piw_buffer_fini(&directory);
}

/* --- What is measured --- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Inflate and hash, in the pieces in which the gate does it. */
static double bare(void)
{
    static uint8_t piece[256 << 10];
    uint8_t hash[32];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    double begun = now_s();
    for (size_t i = 0; i < count; i++) {
        z_stream stream = {.next_in = members[i].packed, .avail_in = (uInt)members[i].packed_len};
        if (digest == NULL || inflateInit2(&stream, -MAX_WBITS) != Z_OK ||
            EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
            bench_die("zlib or SHA-256 don't begin");
        for (int state = Z_OK; state != Z_STREAM_END;) {
            stream.next_out = piece;
            stream.avail_out = sizeof(piece);
            state = inflate(&stream, Z_NO_FLUSH);
            if ((state != Z_OK && state != Z_STREAM_END) ||
                EVP_DigestUpdate(digest, piece, sizeof(piece) - stream.avail_out) != 1)
                bench_die("a member can't be read");
        }
        inflateEnd(&stream);
        EVP_DigestFinal_ex(digest, hash, NULL);
    }
    double took = now_s() - begun;
    EVP_MD_CTX_free(digest);
    return took;
}

static double gate(FILE *file, const char *filename)
{
    piw_wheel wheel;
    piw_err err = {0};
    double begun = now_s();
    if (piw_wheel_read_fd(fileno(file), filename, NULL, NULL, &wheel, &err) != 0)
        bench_die(err.text);
    double took = now_s() - begun;
    piw_wheel_fini(&wheel);
    return took;
}

int main(int argc, char **argv)
{
    size_t enough = bench_tiny(argc, argv) ? TINY : FULL;
    struct utsname machine;
    char platform[128], filename[256];
    members = piw_alloc(MEMBERS_MAX * sizeof(*members));
    FILE *file = tmpfile();
    if (file == NULL || uname(&machine) != 0)
        bench_die("no temporary file");
    snprintf(platform, sizeof(platform), "linux_%.64s", machine.machine);
    snprintf(filename, sizeof(filename), "bench-1.0-cp311-cp311-%s.whl", platform);
    add_folder("/usr/lib/python3/dist-packages", enough / 2);
    add_folder("/usr/lib", enough);
    add_papers(platform);
    save(file);
    double best_bare = 1e9, best_gate = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double took = bare();
        best_bare = took < best_bare ? took : best_bare;
        took = gate(file, filename);
        best_gate = took < best_gate ? took : best_gate;
    }
    double megabytes = (double)total / 1e6;
    bench_line("inflate_hash", megabytes / best_bare, "MB/s", 0);
    bench_line("gate", megabytes / best_gate, "MB/s", megabytes / best_bare);
    for (size_t i = 0; i < count; i++)
        free(members[i].packed);
    free(members);
    piw_buffer_fini(&record);
    fclose(file);
    return 0;
}
