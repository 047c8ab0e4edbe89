/* zip.c — opens a ZIP archive, strictly: end record, central directory and local headers must agree. */
#include "shared/zip.h"

#include "piw/codec.h"
#include "shared/zip_extra.h"

#include <stdlib.h>

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    CENTRAL_SIGNATURE = 0x02014b50,
    END_SIGNATURE = 0x06054b50,
    END64_SIGNATURE = 0x06064b50,
    LOCATOR64_SIGNATURE = 0x07064b50,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR64_SIZE = 20,
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3,
    FLAG_PATCH = 1 << 5,
    FLAG_STRONG = 1 << 6,
    FLAG_UTF8 = 1 << 11,
    FLAG_MASKED = 1 << 13,
    FLAGS_CLOSED = FLAG_ENCRYPTED | FLAG_PATCH | FLAG_STRONG | FLAG_MASKED,
    DOS_FOLDER = 0x10,
    MODE_TYPE = 0170000,
    MODE_FOLDER = 0040000,
    MODE_FILE = 0100000,
    /* What reading a header brings into memory: the system maps pages around the one that is read. */
    HEADER_TOUCHES = 64 << 10,
};

struct piw_zip {
    const uint8_t *data;
    size_t len;
    size_t count;
    piw_zip_entry *entries;        /* in the order of the central directory */
    const piw_zip_entry **by_name; /* sorted, for look-ups and duplicates */
    uint64_t directory, directory_end;
    uint64_t unpacked;
    piw_zip_mapped *mapped; /* NULL: plain memory */
};

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* --- The end of the archive --- */

/* The end record whose comment ends with the file, as far back as a comment can reach. */
static int find_end(const piw_zip *zip, size_t *end, piw_err *err)
{
    if (zip->len < END_SIZE)
        return piw_err_set(err, PIW_EREFUSED, "it is too short for a ZIP archive");
    size_t lowest = zip->len > END_SIZE + 65535 ? zip->len - END_SIZE - 65535 : 0;
    for (size_t at = zip->len - END_SIZE + 1; at-- > lowest;) {
        const uint8_t *p = zip->data + at;
        if (get32(p) != END_SIGNATURE)
            continue;
        if (at + END_SIZE + get16(p + 20) != zip->len)
            return piw_err_set(err, PIW_EREFUSED, "its ZIP end record isn't the end of the file");
        *end = at;
        return 0;
    }
    return piw_err_set(err, PIW_EREFUSED, "it isn't a ZIP archive: there is no end record");
}

/* The 64-bit end record, when there is one: it and its locator must lie directly before the end record. */
static int read_end64(piw_zip *zip, size_t end, uint64_t *count, uint64_t *size, piw_err *err)
{
    const uint8_t *p = zip->data + end;
    zip->directory_end = end;
    bool wanted = get16(p + 10) == 0xffff || get32(p + 12) == 0xffffffff || get32(p + 16) == 0xffffffff;
    bool there = end >= LOCATOR64_SIZE && get32(p - LOCATOR64_SIZE) == LOCATOR64_SIGNATURE;
    if (!there)
        return wanted ? piw_err_set(err, PIW_EREFUSED, "its ZIP64 end record is missing") : 0;
    if (end < LOCATOR64_SIZE + END64_SIZE)
        return piw_err_set(err, PIW_EREFUSED, "its ZIP64 end record is cut");
    size_t at = end - LOCATOR64_SIZE - END64_SIZE;
    const uint8_t *record = zip->data + at, *locator = p - LOCATOR64_SIZE;
    if (get64(locator + 8) != at || get32(locator + 16) != 1 || get32(locator + 4) != 0 ||
        get32(record) != END64_SIGNATURE || get64(record + 4) != END64_SIZE - 12 || get32(record + 16) != 0 ||
        get32(record + 20) != 0 || get64(record + 24) != get64(record + 32))
        return piw_err_set(err, PIW_EREFUSED, "its ZIP64 end record is malformed");
    if ((get16(p + 10) != 0xffff && get16(p + 10) != get64(record + 32)) ||
        (get32(p + 12) != 0xffffffff && get32(p + 12) != get64(record + 40)) ||
        (get32(p + 16) != 0xffffffff && get32(p + 16) != get64(record + 48)))
        return piw_err_set(err, PIW_EREFUSED, "its two ZIP end records disagree");
    *count = get64(record + 32);
    *size = get64(record + 40);
    zip->directory = get64(record + 48);
    zip->directory_end = at;
    return 0;
}

static int read_end(piw_zip *zip, uint64_t *count, piw_err *err)
{
    size_t end = 0;
    int rc = find_end(zip, &end, err);
    if (rc != 0)
        return rc;
    const uint8_t *p = zip->data + end;
    if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != get16(p + 10))
        return piw_err_set(err, PIW_EREFUSED, "it is one part of a ZIP archive of several");
    *count = get16(p + 10);
    uint64_t size = get32(p + 12);
    zip->directory = get32(p + 16);
    rc = read_end64(zip, end, count, &size, err);
    if (rc != 0)
        return rc;
    if (zip->directory > zip->directory_end || zip->directory_end - zip->directory != size)
        return piw_err_set(err, PIW_EREFUSED, "its central directory doesn't lie directly before its end record");
    if (*count > PIW_ZIP_ENTRIES_MAX || *count > size / CENTRAL_SIZE)
        return piw_err_set(err, PIW_EREFUSED, "its central directory says %llu members, which can't be",
                           (unsigned long long)*count);
    return 0;
}

/* --- Names --- */

static int refuse(piw_err *err, const piw_zip_entry *entry, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its member \"%.*s\" %s", entry->name_len > 200 ? 200 : entry->name_len,
                       entry->name, why);
}

/* U+202A to 202E, U+2066 to 2069: they turn around what people see of a name. */
static bool turns_text(const char *at, size_t left)
{
    const unsigned char *c = (const unsigned char *)at;
    return left >= 3 && c[0] == 0xe2 &&
           ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

static int check_name(const piw_zip_entry *entry, uint32_t flags, piw_err *err)
{
    const char *name = entry->name;
    size_t len = entry->name_len;
    if (len == 0 || len > PIW_ZIP_NAME_MAX)
        return piw_err_set(err, PIW_EREFUSED, "it has a member with an empty name or one over %d bytes",
                           PIW_ZIP_NAME_MAX);
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        unsigned char c = i < len ? (unsigned char)name[i] : '/';
        if (c < 0x20 || c == 0x7f || c == '\\' || (c >= 0x80 && (flags & FLAG_UTF8) == 0))
            return refuse(err, entry, "has a control, backslash or undeclared non-ASCII character in its name");
        if (turns_text(name + i, len - i))
            return refuse(err, entry, "has a character in its name that changes the direction of text");
        if (c != '/')
            continue;
        size_t part = i - start;
        if (part == 0 && i < len)
            return refuse(err, entry, "has an absolute name or an empty part in it");
        if ((part == 1 && name[start] == '.') || (part == 2 && name[start] == '.' && name[start + 1] == '.'))
            return refuse(err, entry, "has \".\" or \"..\" in its name");
        start = i + 1;
    }
    if (len >= 2 && name[1] == ':')
        return refuse(err, entry, "names a drive");
    if (piw_utf8_valid(name, len) != len)
        return refuse(err, entry, "has a name that isn't UTF-8");
    return 0;
}

/* --- Members --- */

static piw_text name_of(const piw_zip_entry *entry)
{
    return (piw_text){entry->name, entry->name_len};
}

static int check_kind(const piw_zip_entry *entry, const uint8_t *header, uint32_t flags, piw_err *err)
{
    /* Readers that begin at the front can't tell where such a member ends; PyPI takes none either. */
    if ((flags & FLAG_DESCRIPTOR) != 0)
        return refuse(
            err, entry,
            "has its size and checksum behind its bytes (a data descriptor, as archives have that are "
            "written into a pipe, and all of bsdtar): pack the wheel into a file, with zip or Python's zipfile");
    if ((flags & FLAGS_CLOSED) != 0)
        return refuse(err, entry, "is encrypted or a patch");
    if (entry->method != PIW_ZIP_STORED && entry->method != PIW_ZIP_DEFLATED)
        return refuse(err, entry, "is packed by a method other than stored or deflated");
    if (entry->method == PIW_ZIP_STORED && entry->packed_size != entry->size)
        return refuse(err, entry, "is stored with two different sizes");
    /* Unpackers look at these bits whatever system the header names. */
    uint32_t mode = get32(header + 38) >> 16;
    uint32_t type = mode & MODE_TYPE;
    if (type != 0 && type != MODE_FILE && type != MODE_FOLDER)
        return refuse(err, entry, "is a symbolic link or special file");
    if ((type == MODE_FOLDER) != entry->folder && type != 0)
        return refuse(err, entry, "is a folder by its name or by its mode, but not by both");
    if (!entry->folder && (get32(header + 38) & DOS_FOLDER) != 0)
        return refuse(err, entry, "is a file by its name and a folder by its attributes");
    if (entry->folder && entry->size != 0)
        return refuse(err, entry, "is a folder with contents");
    return 0;
}

/* One record of the central directory at *at. */
static int read_central(piw_zip *zip, uint64_t *at, piw_zip_entry *entry, uint32_t *flags, piw_err *err)
{
    uint64_t left = zip->directory_end - *at;
    const uint8_t *p = zip->data + *at;
    if (left < CENTRAL_SIZE || get32(p) != CENTRAL_SIGNATURE)
        return piw_err_set(err, PIW_EREFUSED, "its central directory is malformed");
    uint64_t name_len = get16(p + 28), extra_len = get16(p + 30), comment_len = get16(p + 32);
    if (left - CENTRAL_SIZE < name_len + extra_len + comment_len || get16(p + 34) != 0)
        return piw_err_set(err, PIW_EREFUSED, "its central directory is cut");
    *flags = get16(p + 8);
    *entry = (piw_zip_entry){
        .name = (const char *)p + CENTRAL_SIZE,
        .name_len = (uint16_t)name_len,
        .method = (uint16_t)get16(p + 10),
        .crc = get32(p + 16),
        .packed_size = get32(p + 20),
        .size = get32(p + 24),
        .header = get32(p + 42),
    };
    uint64_t *wide[] = {&entry->size, &entry->packed_size, &entry->header};
    *at += CENTRAL_SIZE + name_len + extra_len + comment_len;
    int rc = check_name(entry, *flags, err);
    if (rc != 0)
        return rc;
    const char *why = piw_zip_extra_read(p + CENTRAL_SIZE + name_len, extra_len, name_of(entry), wide, PIW_COUNT(wide));
    if (why != NULL)
        return refuse(err, entry, why);
    entry->folder = entry->name[entry->name_len - 1] == '/';
    return check_kind(entry, p, *flags, err);
}

/* The local header of an entry must say the same; *end becomes the byte behind the member. */
static int check_local(const piw_zip *zip, piw_zip_entry *entry, uint32_t flags, uint64_t *end, piw_err *err)
{
    uint64_t limit = zip->directory;
    const uint8_t *p = zip->data + entry->header;
    if (entry->header > limit || limit - entry->header < PIW_ZIP_LOCAL_SIZE || get32(p) != LOCAL_SIGNATURE)
        return refuse(err, entry, "has no local header");
    uint64_t name_len = get16(p + 26), extra_len = get16(p + 28);
    if (limit - entry->header - PIW_ZIP_LOCAL_SIZE < name_len + extra_len)
        return refuse(err, entry, "has a local header that is cut");
    piw_zip_touch(zip, HEADER_TOUCHES);
    if (name_len != entry->name_len || memcmp(p + PIW_ZIP_LOCAL_SIZE, entry->name, name_len) != 0 ||
        get16(p + 6) != flags || get16(p + 8) != entry->method)
        return refuse(err, entry, "differs between its local header and the central directory");
    uint64_t size = get32(p + 22), packed = get32(p + 18);
    uint64_t *wide[] = {&size, &packed};
    const char *why =
        piw_zip_extra_read(p + PIW_ZIP_LOCAL_SIZE + name_len, extra_len, name_of(entry), wide, PIW_COUNT(wide));
    if (why != NULL)
        return refuse(err, entry, why);
    if (get32(p + 14) != entry->crc || size != entry->size || packed != entry->packed_size)
        return refuse(err, entry, "differs between its local header and the central directory");
    entry->data = entry->header + PIW_ZIP_LOCAL_SIZE + name_len + extra_len;
    if (entry->packed_size > limit - entry->data)
        return refuse(err, entry, "reaches beyond the archive's members");
    *end = entry->data + entry->packed_size;
    return 0;
}

piw_zip_local piw_zip_read_local(const void *data, size_t len, uint64_t at, piw_zip_entry *entry, size_t *took)
{
    const uint8_t *p = data;
    if (len < PIW_ZIP_LOCAL_SIZE)
        return PIW_ZIP_CUT;
    if (get32(p) != LOCAL_SIGNATURE)
        return PIW_ZIP_OTHER;
    size_t name_len = get16(p + 26), extra_len = get16(p + 28);
    if (len - PIW_ZIP_LOCAL_SIZE < name_len + extra_len)
        return PIW_ZIP_CUT;
    *took = PIW_ZIP_LOCAL_SIZE + name_len + extra_len;
    *entry = (piw_zip_entry){
        .name = (const char *)p + PIW_ZIP_LOCAL_SIZE,
        .name_len = (uint16_t)name_len,
        .method = (uint16_t)get16(p + 8),
        .crc = get32(p + 14),
        .packed_size = get32(p + 18),
        .size = get32(p + 22),
        .header = at,
        .data = at + *took,
    };
    uint64_t *wide[] = {&entry->size, &entry->packed_size};
    bool sound =
        piw_zip_extra_read(p + PIW_ZIP_LOCAL_SIZE + name_len, extra_len, name_of(entry), wide, PIW_COUNT(wide)) == NULL;
    sound = sound && (get16(p + 6) & (FLAG_DESCRIPTOR | FLAGS_CLOSED)) == 0;
    return sound && (entry->method == PIW_ZIP_STORED || entry->method == PIW_ZIP_DEFLATED) ? PIW_ZIP_LOCAL
                                                                                           : PIW_ZIP_OTHER;
}

static int compare_headers(const void *a, const void *b)
{
    uint64_t left = (*(const piw_zip_entry *const *)a)->header, right = (*(const piw_zip_entry *const *)b)->header;
    return (left > right) - (left < right);
}

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_names(const void *a, const void *b)
{
    const piw_zip_entry *left = *(const piw_zip_entry *const *)a, *right = *(const piw_zip_entry *const *)b;
    return compare_text(left->name, left->name_len, right->name, right->name_len);
}

/* No name twice, and no file that another member's name uses as a folder. */
static int check_distinct(const piw_zip *zip, piw_err *err)
{
    for (size_t i = 0; i < zip->count; i++) {
        const piw_zip_entry *entry = zip->by_name[i];
        if (i > 0 && compare_names(&zip->by_name[i - 1], &zip->by_name[i]) == 0)
            return refuse(err, entry, "is there twice");
        for (size_t n = 1; n < entry->name_len; n++) {
            if (entry->name[n] == '/' && piw_zip_find(zip, entry->name, n) != NULL)
                return refuse(err, entry, "lies in a folder that is a file");
        }
    }
    return 0;
}

static int read_directory(piw_zip *zip, uint32_t *flags, piw_err *err)
{
    uint64_t at = zip->directory;
    for (size_t i = 0; i < zip->count; i++) {
        int rc = read_central(zip, &at, &zip->entries[i], &flags[i], err);
        if (rc != 0)
            return rc;
        zip->by_name[i] = &zip->entries[i];
        if (zip->entries[i].size > UINT64_MAX / 2 - zip->unpacked)
            return refuse(err, &zip->entries[i], "says an impossible size");
        zip->unpacked += zip->entries[i].size;
    }
    if (at != zip->directory_end)
        return piw_err_set(err, PIW_EREFUSED, "its central directory holds more than its members");
    if (zip->unpacked > PIW_ZIP_RATIO_FREE + (uint64_t)PIW_ZIP_RATIO_MAX * zip->len)
        return piw_err_set(err, PIW_EREFUSED, "it unpacks to %llu bytes, too many for its size",
                           (unsigned long long)zip->unpacked);
    return 0;
}

/* Members must follow each other without gaps or overlaps, from the first byte to the central directory. */
static int check_members(piw_zip *zip, const uint32_t *flags, piw_err *err)
{
    qsort(zip->by_name, zip->count, sizeof(*zip->by_name), compare_headers);
    uint64_t expected = 0;
    for (size_t i = 0; i < zip->count; i++) {
        size_t index = (size_t)(zip->by_name[i] - zip->entries);
        if (zip->by_name[i]->header != expected)
            return refuse(err, zip->by_name[i], "doesn't follow directly on the one before it");
        int rc = check_local(zip, &zip->entries[index], flags[index], &expected, err);
        if (rc != 0)
            return rc;
    }
    if (expected != zip->directory)
        return piw_err_set(err, PIW_EREFUSED, "it holds data that belong to no member");
    qsort(zip->by_name, zip->count, sizeof(*zip->by_name), compare_names);
    return check_distinct(zip, err);
}

int piw_zip_open(piw_zip **zip, const void *data, size_t len, piw_err *err)
{
    return piw_zip_open_mapped(zip, data, len, NULL, err);
}

int piw_zip_open_mapped(piw_zip **zip, const void *data, size_t len, piw_zip_mapped *mapped, piw_err *err)
{
    piw_zip *z = calloc(1, sizeof(*z));
    if (z == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to read the archive");
    z->data = data;
    z->len = len;
    z->mapped = mapped;
    uint64_t count = 0;
    uint32_t *flags = NULL;
    int rc = read_end(z, &count, err);
    if (rc == 0 && count == 0)
        rc = piw_err_set(err, PIW_EREFUSED, "it is an empty archive");
    if (rc == 0) {
        z->count = (size_t)count;
        z->entries = calloc(z->count, sizeof(*z->entries));
        z->by_name = calloc(z->count, sizeof(*z->by_name));
        flags = calloc(z->count, sizeof(*flags));
        if (z->entries == NULL || z->by_name == NULL || flags == NULL)
            rc = piw_err_set(err, PIW_ENOMEM, "no memory to read the archive");
    }
    if (rc == 0)
        rc = read_directory(z, flags, err);
    if (rc == 0)
        rc = check_members(z, flags, err);
    free(flags);
    if (rc != 0)
        piw_zip_close(&z);
    *zip = z;
    return rc;
}

void piw_zip_close(piw_zip **zip)
{
    if (*zip == NULL)
        return;
    free((*zip)->entries);
    free((*zip)->by_name);
    free(*zip);
    *zip = NULL;
}

size_t piw_zip_count(const piw_zip *zip)
{
    return zip->count;
}

const piw_zip_entry *piw_zip_at(const piw_zip *zip, size_t index)
{
    return &zip->entries[index];
}

const piw_zip_entry *piw_zip_find(const piw_zip *zip, const char *name, size_t len)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const piw_zip_entry *entry = zip->by_name[middle];
        int order = compare_text(name, len, entry->name, entry->name_len);
        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const uint8_t *piw_zip_bytes(const piw_zip *zip)
{
    return zip->data;
}

void piw_zip_touch(const piw_zip *zip, size_t len)
{
    piw_zip_mapped *mapped = zip->mapped;
    if (mapped == NULL || (mapped->read += len) < PIW_ZIP_STRIDE)
        return;
    mapped->read = 0;
    mapped->let_go(mapped->arg);
}

uint64_t piw_zip_directory(const piw_zip *zip)
{
    return zip->directory;
}

uint64_t piw_zip_unpacked(const piw_zip *zip)
{
    return zip->unpacked;
}
