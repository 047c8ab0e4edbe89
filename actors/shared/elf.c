#include "shared/elf.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

int piw_elf_machine(const uint8_t *head, size_t len)
{
    if (len < PIW_ELF_HEAD || memcmp(head, ELFMAG, SELFMAG) != 0)
        return -1;
    return head[EI_DATA] == ELFDATA2MSB ? head[18] << 8 | head[19] : head[19] << 8 | head[18];
}

int piw_platform_machine(const char *platform_tag)
{
    static const struct {
        const char *suffix;
        int machine;
    } known[] = {
        {"_armv6l", EM_ARM},    {"_armv7l", EM_ARM}, {"_armhf", EM_ARM},     {"_aarch64", EM_AARCH64},
        {"_x86_64", EM_X86_64}, {"_i686", EM_386},   {"_i386", EM_386},      {"_ppc64le", EM_PPC64},
        {"_ppc64", EM_PPC64},   {"_s390x", EM_S390}, {"_riscv64", EM_RISCV},
    };
    size_t len = strlen(platform_tag);
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        size_t n = strlen(known[i].suffix);
        if (len > n && strcmp(platform_tag + len - n, known[i].suffix) == 0)
            return known[i].machine;
    }
    return -1;
}

/* --- Build attributes of ARM files ("Addenda to, and Errata in, the ABI for the Arm Architecture", 3.2) --- */

enum {
    FORMAT_VERSION = 'A',
    TAG_FILE = 1,
    TAG_CPU_RAW_NAME = 4,
    TAG_CPU_NAME = 5,
    TAG_CPU_ARCH = 6,
    TAG_COMPATIBILITY = 32, /* a number and a text; above it odd tags have texts and even ones numbers */
    ARCH_V6KZ = 7,          /* the ARM1176 of the first boards */
    ARCH_V6K = 9,
};

/* Attributes that are still to be read. `bad` once they have turned out to be damaged. */
typedef struct attributes {
    const uint8_t *at, *end;
    bool swapped; /* big-endian */
    bool bad;
} attributes;

static uint64_t take_number(attributes *a)
{
    uint64_t value = 0;
    for (unsigned shift = 0; a->at < a->end && shift < 63; shift += 7) {
        uint8_t byte = *a->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    a->bad = true;
    return 0;
}

static void skip_text(attributes *a)
{
    const uint8_t *end = memchr(a->at, 0, (size_t)(a->end - a->at));
    if (end == NULL)
        a->bad = true;
    else
        a->at = end + 1;
}

/* The rest of what begins at `begin` and says its own length in the next four bytes; *a goes on behind it. */
static attributes take_part(attributes *a, const uint8_t *begin)
{
    attributes part = *a;
    if (a->end - a->at < 4) {
        a->bad = part.bad = true;
        return part;
    }
    const uint8_t *b = a->at;
    uint32_t len = a->swapped ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]
                              : (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
    part.at += 4;
    if (len < (size_t)(part.at - begin) || len > (size_t)(a->end - begin)) {
        a->bad = part.bad = true;
        return part;
    }
    part.end = a->at = begin + len;
    return part;
}

static bool arch_beyond(attributes *a)
{
    bool beyond = false;
    while (a->at < a->end && !a->bad) {
        uint64_t tag = take_number(a);
        bool has_text = tag == TAG_CPU_RAW_NAME || tag == TAG_CPU_NAME || (tag > TAG_COMPATIBILITY && tag % 2 == 1);
        if (has_text) {
            skip_text(a);
            continue;
        }
        uint64_t value = take_number(a);
        if (tag == TAG_COMPATIBILITY)
            skip_text(a);
        if (tag == TAG_CPU_ARCH && value > ARCH_V6KZ && value != ARCH_V6K)
            beyond = true;
    }
    return beyond || a->bad;
}

static bool attributes_beyond(const uint8_t *data, size_t len, bool swapped)
{
    attributes all = {data, data + len, swapped, false};
    if (len == 0 || *all.at++ != FORMAT_VERSION)
        return true;
    while (all.at < all.end && !all.bad) {
        attributes vendor = take_part(&all, all.at);
        const uint8_t *name = vendor.at;
        if (!vendor.bad)
            skip_text(&vendor);
        if (vendor.bad)
            return true;
        if (strcmp((const char *)name, "aeabi") != 0)
            continue;
        while (vendor.at < vendor.end && !vendor.bad) {
            const uint8_t *begin = vendor.at;
            uint64_t tag = take_number(&vendor);
            attributes scope = take_part(&vendor, begin);
            if (scope.bad || (tag == TAG_FILE && arch_beyond(&scope)))
                return true;
        }
    }
    return all.bad;
}

static bool sections_beyond(Elf *elf, bool swapped)
{
    if (elf_kind(elf) != ELF_K_ELF)
        return true;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL)
            return true;
        if (header.sh_type != SHT_ARM_ATTRIBUTES)
            continue;
        const Elf_Data *data = elf_rawdata(section, NULL);
        if (data == NULL || data->d_buf == NULL || attributes_beyond(data->d_buf, data->d_size, swapped))
            return true;
    }
    return false;
}

bool piw_elf_beyond_armv6(const void *data, size_t len)
{
    if (piw_elf_machine(data, len) != EM_ARM || elf_version(EV_CURRENT) == EV_NONE)
        return true;
    Elf *elf = elf_memory((char *)(uintptr_t)data, len);
    if (elf == NULL)
        return true;
    bool beyond = sections_beyond(elf, ((const uint8_t *)data)[EI_DATA] == ELFDATA2MSB);
    elf_end(elf);
    return beyond;
}
