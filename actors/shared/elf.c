/* elf.c — reads ELF files, and tells which machine a wheel's platform tag names. */
#include "shared/elf.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>

enum {
    VERSIONS_SIZE_MAX = 64 << 10, /* bytes of all versions that a file needs: real ones come to some 2,000 */
    /* As many as lie side by side there: lists that share their entries would be gone through for each of them. */
    VERSIONS_MAX = VERSIONS_SIZE_MAX / sizeof(Elf64_Vernaux),
};

/* --- The file header --- */

static uint32_t number_at(const uint8_t *at, size_t size, bool big_endian)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[big_endian ? i : size - 1 - i];
    return value;
}

piw_elf_head piw_elf_head_of(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    piw_elf_head head = {0};
    if (len < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return head;
    head.elf = true;
    bool wide = len > EI_DATA && bytes[EI_CLASS] == ELFCLASS64;
    if (len < (wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
        return head;
    bool big = bytes[EI_DATA] == ELFDATA2MSB;
    head.wide = wide;
    head.big_endian = big;
    head.type = (uint16_t)number_at(bytes + offsetof(Elf32_Ehdr, e_type), 2, big);
    head.machine = (uint16_t)number_at(bytes + offsetof(Elf32_Ehdr, e_machine), 2, big);
    head.flags = number_at(bytes + (wide ? offsetof(Elf64_Ehdr, e_flags) : offsetof(Elf32_Ehdr, e_flags)), 4, big);
    return head;
}

/* --- Machines --- */

typedef struct machine {
    const char *suffix; /* of platform tags */
    const char *cpu;    /* in the names of extension modules: CPU-linux-… */
    uint16_t number;
    bool wide, big_endian, hard_float;
} machine;

static const machine machines[] = {
    {"_aarch64", "aarch64", EM_AARCH64, .wide = true},
    {"_x86_64", "x86_64", EM_X86_64, .wide = true},
    {"_i686", "i386", EM_386},
    {"_i586", "i386", EM_386},
    {"_i486", "i386", EM_386},
    {"_i386", "i386", EM_386},
    {"_armv6l", "arm", EM_ARM, .hard_float = true},
    {"_armv7l", "arm", EM_ARM, .hard_float = true},
    {"_armv8l", "arm", EM_ARM, .hard_float = true},
    {"_armhf", "arm", EM_ARM, .hard_float = true},
    {"_armv5tel", "arm", EM_ARM},
    {"_ppc64le", "powerpc64le", EM_PPC64, .wide = true},
    {"_ppc64", "powerpc64", EM_PPC64, .wide = true, .big_endian = true},
    {"_s390x", "s390x", EM_S390, .wide = true, .big_endian = true},
    {"_riscv64", "riscv64", EM_RISCV, .wide = true},
    {"_loongarch64", "loongarch64", EM_LOONGARCH, .wide = true},
    {"_mips64el", "mips64el", EM_MIPS, .wide = true},
    {"_mips64", "mips64", EM_MIPS, .wide = true, .big_endian = true},
    {"_mipsel", "mipsel", EM_MIPS},
    {"_mips", "mips", EM_MIPS, .big_endian = true},
};

static bool begins(piw_text text, const char *with)
{
    size_t n = strlen(with);
    return text.len >= n && memcmp(text.s, with, n) == 0;
}

static bool ends(piw_text text, const char *with)
{
    size_t n = strlen(with);
    return text.len > n && memcmp(text.s + text.len - n, with, n) == 0;
}

/* The machine that one tag names, or NULL. */
static const machine *machine_of(piw_text tag)
{
    if (!begins(tag, "linux_") && !begins(tag, "manylinux") && !begins(tag, "musllinux_"))
        return NULL;
    for (size_t i = 0; i < PIW_COUNT(machines); i++) {
        if (ends(tag, machines[i].suffix))
            return &machines[i];
    }
    return NULL;
}

/* The next tag of a set, with its machine. False at the end. */
static bool next_machine(const char **at, const machine **found)
{
    if (**at == '\0')
        return false;
    size_t n = strcspn(*at, ".");
    *found = machine_of((piw_text){*at, (uint32_t)n});
    *at += n + ((*at)[n] == '.');
    return true;
}

bool piw_platform_native(const char *platform_tag)
{
    const machine *m;
    while (next_machine(&platform_tag, &m)) {
        if (m != NULL)
            return true;
    }
    return false;
}

bool piw_platform_fits(const char *platform_tag, const piw_elf_head *head)
{
    const machine *m;
    while (next_machine(&platform_tag, &m)) {
        if (m == NULL || m->number != head->machine || m->wide != head->wide || m->big_endian != head->big_endian)
            return false;
    }
    return head->elf;
}

/* The 32-bit machine that a 64-bit kernel runs too: an interpreter of that size may still call itself after the kernel. */
static bool runs_under(const machine *m, const machine *kernel)
{
    return (kernel->number == EM_X86_64 && m->number == EM_386) ||
           (kernel->number == EM_AARCH64 && m->number == EM_ARM && m->hard_float);
}

static bool makes(piw_text own, const machine *mine, piw_text tag)
{
    if (piw_text_is(tag, "any") || piw_text_eq(tag, own))
        return true;
    const machine *m = machine_of(tag);
    if (m == NULL || mine == NULL)
        return false;
    return runs_under(m, mine) || (m->number == mine->number && m->wide == mine->wide &&
                                   m->big_endian == mine->big_endian && m->hard_float == mine->hard_float);
}

bool piw_platform_makes(piw_text own, piw_text platform_tag)
{
    const machine *mine = machine_of(own);
    const char *at = platform_tag.s, *end = at + platform_tag.len;
    while (at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at)), *next = dot == NULL ? end : dot;
        if (!makes(own, mine, (piw_text){at, (uint32_t)(next - at)}))
            return false;
        at = next + (dot != NULL);
    }
    return true;
}

bool piw_platform_hard_float(const char *platform_tag)
{
    const machine *m;
    while (next_machine(&platform_tag, &m)) {
        if (m == NULL || !m->hard_float)
            return false;
    }
    return true;
}

/* "…-CPU-linux-gnu": is it the machine's own? Hard-float ARM is told from the other by the end of its name. */
static bool imports(const machine *m, piw_text suffix_tag)
{
    const char *end = suffix_tag.s + suffix_tag.len;
    const char *system = memmem(suffix_tag.s, suffix_tag.len, "-linux", 6);
    if (system == NULL)
        return true;
    const char *cpu = system;
    while (cpu > suffix_tag.s && cpu[-1] != '-')
        cpu--;
    if (!piw_text_is((piw_text){cpu, (uint32_t)(system - cpu)}, m->cpu))
        return false;
    return m->number != EM_ARM || m->hard_float == ends((piw_text){system, (uint32_t)(end - system)}, "eabihf");
}

bool piw_platform_imports(const char *platform_tag, piw_text suffix_tag)
{
    const machine *m;
    while (next_machine(&platform_tag, &m)) {
        if (m != NULL && !imports(m, suffix_tag))
            return false;
    }
    return true;
}

/* --- What the dynamic linker reads --- */

static Elf *open_elf(const void *data, size_t len)
{
    return elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_memory((char *)(uintptr_t)data, len);
}

static Elf_Scn *find_header(Elf *elf, uint32_t type, GElf_Shdr *header)
{
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF)
        return NULL;
    for (Elf_Scn *section = elf_nextscn(elf, NULL); section != NULL; section = elf_nextscn(elf, section)) {
        if (gelf_getshdr(section, header) != NULL && header->sh_type == type)
            return section;
    }
    return NULL;
}

/* The section of this type with its data, or NULL. */
static Elf_Data *find_section(Elf *elf, uint32_t type, GElf_Shdr *header)
{
    Elf_Scn *section = find_header(elf, type, header);
    return section == NULL ? NULL : elf_getdata(section, NULL);
}

bool piw_elf_exports(const void *data, size_t len, const char *symbol)
{
    Elf *elf = open_elf(data, len);
    GElf_Shdr header;
    GElf_Sym entry;
    bool found = false;
    Elf_Data *symbols = find_section(elf, SHT_DYNSYM, &header);
    for (int i = 0; symbols != NULL && !found && gelf_getsym(symbols, i, &entry) != NULL; i++) {
        const char *name = entry.st_shndx == SHN_UNDEF ? NULL : elf_strptr(elf, header.sh_link, entry.st_name);
        found = name != NULL && strcmp(name, symbol) == 0;
    }
    elf_end(elf);
    return found;
}

static const char *search_path(Elf *elf, Elf_Data *entries, size_t strings)
{
    const char *found = "";
    GElf_Dyn entry;
    for (int i = 0; gelf_getdyn(entries, i, &entry) != NULL && entry.d_tag != DT_NULL; i++) {
        const char *text = elf_strptr(elf, strings, entry.d_un.d_val);
        if (text != NULL && entry.d_tag == DT_RUNPATH)
            return text;
        if (text != NULL && entry.d_tag == DT_RPATH)
            found = text;
    }
    return found;
}

int piw_elf_needs(const void *data, size_t len, piw_elf_needs_fn *fn, void *arg)
{
    Elf *elf = open_elf(data, len);
    GElf_Shdr header;
    GElf_Dyn entry;
    int rc = 0;
    Elf_Data *entries = find_section(elf, SHT_DYNAMIC, &header);
    const char *path = entries != NULL ? search_path(elf, entries, header.sh_link) : "";
    for (int i = 0; rc == 0 && entries != NULL && gelf_getdyn(entries, i, &entry) != NULL; i++) {
        if (entry.d_tag == DT_NULL)
            break;
        const char *name = entry.d_tag == DT_NEEDED ? elf_strptr(elf, header.sh_link, entry.d_un.d_val) : NULL;
        if (name != NULL)
            rc = fn(arg, name, path);
    }
    elf_end(elf);
    return rc;
}

typedef struct versions {
    Elf *elf;
    size_t strings;
    Elf_Data *entries;
    unsigned count; /* looked at so far */
    piw_elf_versions_fn *fn;
    void *arg;
} versions;

/* Those of one library, whose first entry is at `at`. */
static int list_versions(versions *all, const GElf_Verneed *of, int at)
{
    const char *library = elf_strptr(all->elf, all->strings, of->vn_file);
    GElf_Vernaux entry;
    int rc = 0;
    for (int i = 0; rc == 0 && i < of->vn_cnt; i++) {
        if (++all->count > VERSIONS_MAX || gelf_getvernaux(all->entries, at, &entry) == NULL)
            return PIW_ELIMIT;
        const char *version = elf_strptr(all->elf, all->strings, entry.vna_name);
        /* Without a weak one the dynamic linker only warns. */
        if (library != NULL && version != NULL && (entry.vna_flags & VER_FLG_WEAK) == 0)
            rc = all->fn(all->arg, library, version);
        if (entry.vna_next == 0)
            break;
        if (entry.vna_next > VERSIONS_SIZE_MAX)
            return PIW_ELIMIT;
        at += (int)entry.vna_next;
    }
    return rc;
}

int piw_elf_versions(const void *data, size_t len, piw_elf_versions_fn *fn, void *arg)
{
    Elf *elf = open_elf(data, len);
    GElf_Shdr header;
    GElf_Verneed of;
    Elf_Scn *section = find_header(elf, SHT_GNU_verneed, &header);
    int rc = section != NULL && header.sh_size > VERSIONS_SIZE_MAX ? PIW_ELIMIT : 0, at = 0;
    Elf_Data *entries = section == NULL || rc != 0 ? NULL : elf_getdata(section, NULL);
    versions all = {
        .elf = elf, .strings = section != NULL ? header.sh_link : 0, .entries = entries, .fn = fn, .arg = arg};
    while (rc == 0 && entries != NULL && gelf_getverneed(entries, at, &of) != NULL) {
        rc = of.vn_aux > VERSIONS_SIZE_MAX || of.vn_next > VERSIONS_SIZE_MAX
                 ? PIW_ELIMIT
                 : list_versions(&all, &of, at + (int)of.vn_aux);
        if (of.vn_next == 0)
            break;
        at += (int)of.vn_next;
    }
    elf_end(elf);
    return rc;
}
