/* arm_code.c — reads the build attributes of a 32-bit ARM ELF file: what its code asks of the machine. */
#include "shared/arm_code.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

/* Build attributes: "Addenda to, and Errata in, the ABI for the Arm Architecture", chapter 3. */
enum {
    FORMAT_VERSION = 'A',
    SCOPE_FILE = 1,
    SCOPE_SECTION = 2,
    SCOPE_SYMBOL = 3,
    TAG_CPU_RAW_NAME = 4,
    TAG_CPU_NAME = 5,
    TAG_CPU_ARCH = 6,
    TAG_CPU_ARCH_PROFILE = 7,
    TAG_THUMB_ISA_USE = 9,
    TAG_FP_ARCH = 10,
    TAG_WMMX_ARCH = 11,
    TAG_ADVANCED_SIMD_ARCH = 12,
    TAG_ABI_VFP_ARGS = 28,
    TAG_COMPATIBILITY = 32, /* a number and a text; above it odd tags have texts and even ones numbers */
    TAG_FP_HP_EXTENSION = 36,
    TAG_MPEXTENSION_USE = 42,
    TAG_DIV_USE = 44,
    TAG_DSP_EXTENSION = 46,
    TAG_MVE_ARCH = 48,
    TAG_T2EE_USE = 66,
    TAG_VIRTUALIZATION_USE = 68,
    TAG_MPEXTENSION_USE_OLD = 70,
    ARCH_V6KZ = 7, /* the ARM1176 of the first boards; 8 is ARMv6T2, which it isn't */
    ARCH_V6K = 9,
    THUMB_2 = 2,
    FP_VFPV2 = 2,
    DIV_IN_V7A = 2,
    VIRTUALIZATION_TRUSTZONE = 1, /* the ARM1176 has it */
    VFP_ARGS_HARD = 1,
    VFP_ARGS_EITHER = 3,
};

/* Numbers that are zero, or at most `most`, in code for an ARM1176. */
static const struct {
    uint64_t tag, most;
    const char *name;
} limits[] = {
    {TAG_THUMB_ISA_USE, 3, "Tag_THUMB_ISA_use"}, /* 3: as the architecture has it; 2 is refused below */
    {TAG_FP_ARCH, FP_VFPV2, "Tag_FP_arch"},
    {TAG_WMMX_ARCH, 0, "Tag_WMMX_arch"},
    {TAG_ADVANCED_SIMD_ARCH, 0, "Tag_Advanced_SIMD_arch"},
    {TAG_FP_HP_EXTENSION, 0, "Tag_FP_HP_extension"},
    {TAG_MPEXTENSION_USE, 0, "Tag_MPextension_use"},
    {TAG_DIV_USE, DIV_IN_V7A - 1, "Tag_DIV_use"},
    {TAG_DSP_EXTENSION, 0, "Tag_DSP_extension"},
    {TAG_MVE_ARCH, 0, "Tag_MVE_arch"},
    {TAG_T2EE_USE, 0, "Tag_T2EE_use"},
    {TAG_VIRTUALIZATION_USE, VIRTUALIZATION_TRUSTZONE, "Tag_Virtualization_use"},
    {TAG_MPEXTENSION_USE_OLD, 0, "Tag_MPextension_use"},
};

/* Attributes that are still to be read, and what has been found. `bad` once they have turned out to be damaged. */
typedef struct attributes {
    const uint8_t *at, *end;
    bool swapped; /* big-endian */
    bool bad;
} attributes;

typedef struct findings {
    const char *beyond;
    bool arch_named, hard_float, firmware;
} findings;

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

static void set_beyond(findings *f, const char *what)
{
    if (f->beyond == NULL)
        f->beyond = what;
}

static void judge(findings *f, uint64_t tag, uint64_t value)
{
    if (tag == TAG_CPU_ARCH) {
        f->arch_named = true;
        if (value > ARCH_V6KZ && value != ARCH_V6K)
            set_beyond(f, "Tag_CPU_arch");
    } else if (tag == TAG_CPU_ARCH_PROFILE && (value == 'M' || value == 'R')) {
        f->firmware = true;
        set_beyond(f, "Tag_CPU_arch_profile");
    } else if (tag == TAG_THUMB_ISA_USE && value == THUMB_2) {
        set_beyond(f, "Tag_THUMB_ISA_use");
    } else if (tag == TAG_ABI_VFP_ARGS && (value == VFP_ARGS_HARD || value == VFP_ARGS_EITHER)) {
        f->hard_float = true;
    }
    for (size_t i = 0; i < PIW_COUNT(limits); i++) {
        if (limits[i].tag == tag && value > limits[i].most)
            set_beyond(f, limits[i].name);
    }
}

static void read_scope(attributes *a, findings *f)
{
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
        if (!a->bad)
            judge(f, tag, value);
    }
}

/* The attributes of a vendor: for the file, and for single sections or symbols, whose numbers come first. */
static void read_vendor(attributes *vendor, findings *f)
{
    while (vendor->at < vendor->end && !vendor->bad) {
        const uint8_t *begin = vendor->at;
        uint64_t kind = take_number(vendor);
        attributes scope = take_part(vendor, begin);
        if (kind == SCOPE_SECTION || kind == SCOPE_SYMBOL) {
            while (!scope.bad && take_number(&scope) != 0)
                continue;
        }
        if (kind >= SCOPE_FILE && kind <= SCOPE_SYMBOL)
            read_scope(&scope, f);
        vendor->bad = vendor->bad || scope.bad;
    }
}

static void read_attributes(const uint8_t *data, size_t len, bool swapped, findings *f)
{
    attributes all = {data, data + len, swapped, len == 0 || *data != FORMAT_VERSION};
    all.at += !all.bad;
    while (all.at < all.end && !all.bad) {
        attributes vendor = take_part(&all, all.at);
        const char *name = (const char *)vendor.at;
        if (!vendor.bad)
            skip_text(&vendor);
        if (!vendor.bad && strcmp(name, "aeabi") == 0)
            read_vendor(&vendor, f);
        all.bad = all.bad || vendor.bad;
    }
    if (all.bad)
        set_beyond(f, "damaged attributes");
}

/* Does it hold instructions? By its sections; without any, by what is mapped to be run. */
static bool has_code(Elf *elf, const GElf_Ehdr *header, bool *interpreted)
{
    bool run = false;
    for (int i = 0; i < header->e_phnum; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, i, &segment) == NULL)
            return true;
        *interpreted = *interpreted || segment.p_type == PT_INTERP;
        run = run || (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && segment.p_memsz > 0);
    }
    if (elf_nextscn(elf, NULL) == NULL)
        return run;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr info;
        if (gelf_getshdr(section, &info) == NULL)
            return true;
        if ((info.sh_flags & SHF_EXECINSTR) != 0 && info.sh_size > 0)
            return true;
    }
    return false;
}

static void read_sections(Elf *elf, bool swapped, findings *f)
{
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL) {
            set_beyond(f, "damaged sections");
            return;
        }
        if (header.sh_type != SHT_ARM_ATTRIBUTES)
            continue;
        const Elf_Data *data = elf_rawdata(section, NULL);
        if (data == NULL || data->d_buf == NULL)
            set_beyond(f, "damaged attributes");
        else
            read_attributes(data->d_buf, data->d_size, swapped, f);
    }
}

static piw_arm_code read_elf(Elf *elf)
{
    GElf_Ehdr header;
    if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == NULL || header.e_machine != EM_ARM)
        return (piw_arm_code){.beyond = "damaged header"};
    piw_arm_code found = {0};
    findings f = {0};
    bool code = has_code(elf, &header, &found.interpreted);
    read_sections(elf, header.e_ident[EI_DATA] == ELFDATA2MSB, &f);
    /* The architecture's default is the oldest one, but a linker that writes no attributes (Go's) doesn't mean that. */
    if (code && !f.arch_named)
        set_beyond(&f, "no attributes");
    found.beyond = f.beyond;
    found.firmware = f.firmware;
    found.hard_float = !code || f.hard_float || (header.e_flags & EF_ARM_ABI_FLOAT_HARD) != 0;
    return found;
}

piw_arm_code piw_arm_code_of(const void *data, size_t len)
{
    Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_memory((char *)(uintptr_t)data, len);
    if (elf == NULL)
        return (piw_arm_code){.beyond = "damaged header"};
    piw_arm_code found = read_elf(elf);
    elf_end(elf);
    return found;
}
