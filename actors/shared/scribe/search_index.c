/* search_index.c — what site/search.js searches: every package's name, in pieces. */
#include "search_index.h"

#include "pages.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

enum {
    PIECE_BEGINS = 8192, /* one name of so many begins a piece, … */
    PIECE_MIN = 2048,    /* … but for those after so few, … */
    PIECE_MAX = 32768,   /* … and after so many the next one does */
    POPULAR_MAX = 20000, /* names that are sent before all others */
    OLD_S = 86400,       /* pieces of before stay so long, for pages that were opened before */
    HASH_HEX = 20,
};

typedef struct entry {
    piw_text name;
    int64_t recent;
} entry;

typedef struct entries {
    entry *at;
    size_t count, room;
} entries;

/* ["name",recent,ever] after ["name",recent,ever]. */
static int read_entries(const char *json, size_t len, entries *to, piw_err *err)
{
    const char *end = json + len;
    for (const char *at = memchr(json, '"', len); at != NULL; at = memchr(at, '"', (size_t)(end - at))) {
        const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
        if (close == NULL || close + 1 == end || close[1] != ',')
            return piw_err_set(err, PIW_EINVAL, "packages.json isn't what it should be");
        if (to->count == to->room) {
            to->room = to->room == 0 ? 1024 : 2 * to->room;
            to->at = piw_realloc(to->at, to->room * sizeof(*to->at));
        }
        entry *e = &to->at[to->count];
        *e = (entry){{at + 1, (uint32_t)(close - at - 1)}, strtoll(close + 2, NULL, 10)};
        to->count += piw_name_is_canonical(e->name);
        at = close + 1;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const piw_text *left = &((const entry *)a)->name, *right = &((const entry *)b)->name;
    size_t n = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->s, right->s, n);
    return order != 0 ? order : (int)left->len - (int)right->len;
}

static int by_downloads(const void *a, const void *b)
{
    int64_t left = ((const entry *)a)->recent, right = ((const entry *)b)->recent;
    return left != right ? (left < right ? 1 : -1) : by_name(a, b);
}

static unsigned char rank_of(int64_t recent)
{
    unsigned char rank = 0;
    for (; recent > 0; recent >>= 1)
        rank++;
    return rank;
}

static void put_name(piw_buffer *to, const entry *e, const entry *before, bool ranked)
{
    uint32_t shared = 0;
    while (before != NULL && shared < before->name.len && shared < e->name.len &&
           e->name.s[shared] == before->name.s[shared])
        shared++;
    unsigned char head = (unsigned char)shared, tail = 0x80 | (ranked ? rank_of(e->recent) : 0);
    piw_put_bytes(to, &head, 1);
    piw_put_bytes(to, e->name.s + shared, e->name.len - shared);
    piw_put_bytes(to, &tail, 1);
}

/* Write these names as a piece; its file's name is put into `file`. */
static int put_piece(const site_facts *site, const entry *from, size_t count, bool ranked, char *file, size_t file_size,
                     piw_err *err)
{
    piw_buffer plain = {0}, packed = {0};
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned hash_len = 0;
    char hex[HASH_HEX + 1], path[PIW_PATH_MAX];
    for (size_t i = 0; i < count; i++)
        put_name(&plain, &from[i], i == 0 ? NULL : &from[i - 1], ranked);
    int rc = page_pack(&plain, &packed, err);
    if (rc == 0 && EVP_Digest(packed.data, packed.len, hash, &hash_len, EVP_sha256(), NULL) != 1)
        rc = piw_err_set(err, PIW_ESYS, "libcrypto makes no SHA-256");
    for (int i = 0; i < HASH_HEX / 2 && rc == 0; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    if (rc == 0) {
        snprintf(file, file_size, "%s.gz", hex);
        int n = snprintf(path, sizeof(path), "%s/search/%s", site->root.s, file);
        if (n < 0 || n >= PIW_PATH_MAX)
            rc = piw_err_set(err, PIW_EINVAL, "the output path is too long");
        else if (!piw_file_holds(path, packed.data, packed.len))
            rc = piw_file_write(site->root.s, path, packed.data, packed.len, 0, err);
    }
    piw_buffer_fini(&plain);
    piw_buffer_fini(&packed);
    return rc;
}

static size_t piece_end(const entries *all, size_t from)
{
    size_t to = from + 1;
    while (to < all->count && to - from < PIECE_MAX) {
        const piw_text *name = &all->at[to].name;
        if (to - from >= PIECE_MIN && crc32(0, (const Bytef *)name->s, name->len) % PIECE_BEGINS == 0)
            break;
        to++;
    }
    return to;
}

static int put_pieces(const site_facts *site, const entries *all, piw_buffer *list, piw_err *err)
{
    char file[HASH_HEX + 8];
    int rc = 0;
    piw_put(list, "{\"pieces\":[");
    for (size_t from = 0, to; from < all->count && rc == 0; from = to) {
        to = piece_end(all, from);
        rc = put_piece(site, all->at + from, to - from, false, file, sizeof(file), err);
        if (rc == 0)
            piw_putf(list, "%s[\"%.*s\",\"%s\",%zu]", from == 0 ? "" : ",", (int)all->at[from].name.len,
                     all->at[from].name.s, file, to - from);
    }
    piw_put(list, "]");
    return rc;
}

/* Of those that were downloaded at all. Ends the list. */
static int put_popular(const site_facts *site, entries *all, piw_buffer *list, piw_err *err)
{
    char file[HASH_HEX + 8];
    if (all->count > 0)
        qsort(all->at, all->count, sizeof(*all->at), by_downloads);
    size_t count = 0;
    while (count < all->count && count < POPULAR_MAX && all->at[count].recent > 0)
        count++;
    if (count > 0)
        qsort(all->at, count, sizeof(*all->at), by_name);
    int rc = put_piece(site, all->at, count, true, file, sizeof(file), err);
    if (rc == 0)
        piw_putf(list, ",\"popular\":\"%s\",\"count\":%zu}\n", file, all->count);
    return rc;
}

/* What the list doesn't name any more, once it is old. */
static void drop_old(const char *folder, const piw_buffer *list)
{
    DIR *dir = opendir(folder);
    struct dirent *found;
    time_t now = time(NULL);
    while (dir != NULL && (found = readdir(dir)) != NULL) {
        char path[PIW_PATH_MAX];
        struct stat info;
        size_t len = strlen(found->d_name);
        int n = snprintf(path, sizeof(path), "%s/%s", folder, found->d_name);
        if (len == HASH_HEX + 3 && n < PIW_PATH_MAX && memmem(list->data, list->len, found->d_name, len) == NULL &&
            stat(path, &info) == 0 && now - info.st_mtime > OLD_S)
            piw_file_remove(path, NULL);
    }
    if (dir != NULL)
        closedir(dir);
}

int search_index_write(const site_facts *site, const char *packages, size_t len, piw_err *err)
{
    char folder[PIW_PATH_MAX - 64], path[PIW_PATH_MAX];
    entries all = {0};
    piw_buffer list = {0};
    int n = snprintf(folder, sizeof(folder), "%s/search", site->root.s);
    if (n < 0 || (size_t)n >= sizeof(folder))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    int rc = read_entries(packages, len, &all, err);
    if (all.count > 0)
        qsort(all.at, all.count, sizeof(*all.at), by_name);
    if (rc == 0)
        rc = put_pieces(site, &all, &list, err);
    if (rc == 0)
        rc = put_popular(site, &all, &list, err);
    snprintf(path, sizeof(path), "%s/index.json", folder);
    if (rc == 0 && !piw_file_holds(path, list.data, list.len))
        rc = piw_file_write(site->root.s, path, list.data, list.len, PIW_FILE_LATER, err);
    if (rc == 0)
        drop_old(folder, &list);
    piw_buffer_fini(&list);
    free(all.at);
    return rc;
}
