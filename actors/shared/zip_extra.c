/* zip_extra.c — the extra fields of ZIP headers. */
#include "shared/zip_extra.h"

#include <zlib.h>

enum {
    WIDE = 1,              /* ZIP64 */
    UNICODE_NAME = 0x7075, /* Info-ZIP's: the same name again, in UTF-8 */
    UNICODE_NAME_HEAD = 5, /* version and CRC before it */
    FIELDS_MAX = 16,
};

/* What says nothing of a member's name, kind or bytes: times, owners, padding. Others may hold a second name or the target of
 * a link, which some readers follow (APPNOTE.TXT 4.5.2; Info-ZIP's proginfo/extrafld.txt). */
static const uint32_t harmless[] = {
    0x000a, /* NTFS times */
    0x5455, /* times */
    0x5855, /* times and owner, old */
    0x6375, /* Unicode comment */
    0x7855, /* owner, old */
    0x7875, /* owner */
    0xa220, /* padding */
    0xcafe, /* Java's mark of an archive */
};

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* As long as the header needs it, to the byte: readers differ on what more would mean. */
static const char *read_wide(const uint8_t *field, size_t size, uint64_t *const values[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (*values[i] != UINT32_MAX)
            continue;
        if (size < 8)
            return "has a ZIP64 field that is shorter than its header needs";
        *values[i] = get(field, 8);
        field += 8;
        size -= 8;
    }
    return size == 0 ? NULL : "has a ZIP64 field that says what its header says otherwise";
}

static const char *check_name(const uint8_t *field, size_t size, piw_text name)
{
    uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const Bytef *)name.s, name.len);
    if (size != UNICODE_NAME_HEAD + name.len || field[0] != 1 || get(field + 1, 4) != crc ||
        memcmp(field + UNICODE_NAME_HEAD, name.s, name.len) != 0)
        return "has a second, different name in an extra field";
    return NULL;
}

static bool is_harmless(uint32_t id)
{
    for (size_t i = 0; i < PIW_COUNT(harmless); i++) {
        if (harmless[i] == id)
            return true;
    }
    return false;
}

const char *piw_zip_extra_read(const uint8_t *extra, size_t len, piw_text name, uint64_t *const values[], size_t count)
{
    uint32_t seen[FIELDS_MAX];
    size_t fields = 0;
    bool wanted = false;
    for (size_t i = 0; i < count; i++)
        wanted = wanted || *values[i] == UINT32_MAX;
    while (len > 0) {
        size_t size = len < 4 ? len : get16(extra + 2);
        if (len < 4 || size > len - 4)
            return "has extra fields that don't end with the last of them";
        uint32_t id = get16(extra);
        for (size_t i = 0; i < fields; i++) {
            if (seen[i] == id)
                return "has the same extra field twice";
        }
        if (fields == FIELDS_MAX)
            return "has more extra fields than are known";
        seen[fields++] = id;
        const char *why = id == WIDE           ? read_wide(extra + 4, size, values, count)
                          : id == UNICODE_NAME ? check_name(extra + 4, size, name)
                          : is_harmless(id)    ? NULL
                                               : "has an extra field that readers take differently";
        if (why != NULL)
            return why;
        wanted = wanted && id != WIDE;
        extra += size + 4;
        len -= size + 4;
    }
    return wanted ? "has no ZIP64 field, which its header needs" : NULL;
}
