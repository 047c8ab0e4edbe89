/* elf_check.c — a bounded reader of the few parts of an ELF file that tell what it exports and imports, and what loading it needs. */
#include "plugin/elf_check.h"

#include <elf.h>
#include <link.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__arm__)
#define MACHINE EM_ARM
#elif defined(__i386__)
#define MACHINE EM_386
#elif defined(__riscv)
#define MACHINE EM_RISCV
#else
#error "add this machine's ELF number"
#endif

#if __SIZEOF_POINTER__ == 8
#define CLASS             ELFCLASS64
#define SYMBOL_BIND(info) ELF64_ST_BIND(info)
#else
#define CLASS             ELFCLASS32
#define SYMBOL_BIND(info) ELF32_ST_BIND(info)
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_HERE ELFDATA2LSB
#else
#define BYTE_ORDER_HERE ELFDATA2MSB
#endif

static const char manifest_symbol[] = "piw_plugin_manifest";
static const char preparation_symbol[] = "piw_plugin_preparation"; /* may be there */

/* An unmapped image that left one of these behind would crash the process; a plugin's own thread would know no
 * message boundary; a child process would inherit sockets and locks in any state. */
static const char *const forbidden[] = {
    "pthread_create",
    "pthread_key_create",
    "thrd_create",
    "tss_create",
    "atexit",
    "on_exit",
    "at_quick_exit",
    "signal",
    "sigaction",
    "bsd_signal",
    "sysv_signal",
    "__sysv_signal",
    "fork",
    "vfork",
    "_Fork",
    "dlopen",
    "dlmopen",
    "__cxa_thread_atexit",
    "__cxa_thread_atexit_impl",
    "pthread_atfork",
};

/* What some linkers, gold for one, export of every library. */
static const char *const linkers_own[] = {"_edata", "_end", "__bss_start", "_init", "_fini"};

static bool read_at(int fd, void *to, size_t len, uint64_t at)
{
    return pread(fd, to, len, (off_t)at) == (ssize_t)len;
}

static bool within(uint64_t offset, uint64_t len, uint64_t size)
{
    return offset <= size && len <= size - offset;
}

static bool find_parts(int fd, size_t size, piw__elf_parts *parts)
{
    ElfW(Ehdr) header;
    if (!read_at(fd, &header, sizeof(header), 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != CLASS || header.e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    parts->sections = header.e_shoff;
    parts->sections_size = (size_t)header.e_shnum * header.e_shentsize;
    parts->loaded = header.e_phoff + (size_t)header.e_phnum * header.e_phentsize;
    bool sound = within(header.e_shoff, parts->sections_size, size) &&
                 within(header.e_phoff, (uint64_t)header.e_phnum * header.e_phentsize, size);
    for (unsigned i = 0; sound && i < header.e_phnum; i++) {
        ElfW(Phdr) segment;
        sound = read_at(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment)) &&
                within(segment.p_offset, segment.p_filesz, size);
        if (sound && segment.p_offset + segment.p_filesz > parts->loaded)
            parts->loaded = segment.p_offset + segment.p_filesz;
    }
    return sound;
}

void piw__elf_find_parts(int fd, size_t size, piw__elf_parts *parts)
{
    if (SANITIZED || !find_parts(fd, size, parts))
        *parts = (piw__elf_parts){.loaded = size, .sections = size};
}

struct reader {
    const uint8_t *data;
    size_t size;
    const char *file;
    piw_err *err;
};

static int refuse(const struct reader *reader, const char *why)
{
    return piw_err_set(reader->err, PIW_EPLUGIN, "%s is not a task plugin: %s", reader->file, why);
}

static bool inside(const struct reader *reader, uint64_t offset, uint64_t len)
{
    return within(offset, len, reader->size);
}

static int check_header(const struct reader *reader, ElfW(Ehdr) * header)
{
    if (reader->size < sizeof(*header) || memcmp(reader->data, ELFMAG, SELFMAG) != 0)
        return refuse(reader, "it is no ELF file");
    memcpy(header, reader->data, sizeof(*header));
    if (header->e_ident[EI_CLASS] != CLASS || header->e_ident[EI_DATA] != BYTE_ORDER_HERE ||
        header->e_machine != MACHINE)
        return refuse(reader, "it was built for another kind of machine");
    if (header->e_type != ET_DYN)
        return refuse(reader, "it is no shared object");
    if (header->e_shnum == 0)
        return refuse(reader, "it has no section table, which tells what it exports: strip it with strip alone");
    if (header->e_shentsize != sizeof(ElfW(Shdr)) ||
        !inside(reader, header->e_shoff, (uint64_t)header->e_shnum * sizeof(ElfW(Shdr))))
        return refuse(reader, "its section table is damaged");
    return 0;
}

/* One symbol's name, NUL-terminated inside the string table; NULL when it isn't. */
static const char *name_of(const struct reader *reader, const ElfW(Shdr) * strings, uint32_t at)
{
    if (at >= strings->sh_size)
        return NULL;
    const char *name = (const char *)reader->data + strings->sh_offset + at;
    return memchr(name, 0, strings->sh_size - at) != NULL ? name : NULL;
}

static int check_import(const struct reader *reader, const char *name)
{
    for (size_t i = 0; !SANITIZED && i < PIW_COUNT(forbidden); i++)
        if (strcmp(name, forbidden[i]) == 0)
            return piw_err_set(
                reader->err, PIW_EPLUGIN,
                "%s is refused: it uses %s, which task plugins may not (the runtime owns threads, signals, "
                "processes and exit)",
                reader->file, name);
    return 0;
}

static bool is_linkers_own(const char *name)
{
    bool own = false;
    for (size_t i = 0; i < PIW_COUNT(linkers_own); i++)
        own = own || strcmp(name, linkers_own[i]) == 0;
    return own;
}

static int check_symbols(const struct reader *reader, const ElfW(Shdr) * table, const ElfW(Shdr) * strings)
{
    bool manifest = false;
    for (uint64_t i = 1; i < table->sh_size / sizeof(ElfW(Sym)); i++) {
        ElfW(Sym) symbol;
        memcpy(&symbol, reader->data + table->sh_offset + i * sizeof(symbol), sizeof(symbol));
        const char *name = name_of(reader, strings, symbol.st_name);
        if (name == NULL)
            return refuse(reader, "its symbol table is damaged");
        if (symbol.st_shndx == SHN_UNDEF) {
            int rc = check_import(reader, name);
            if (rc != 0)
                return rc;
        } else if (strcmp(name, manifest_symbol) == 0) {
            manifest = true;
        } else if (!SANITIZED && SYMBOL_BIND(symbol.st_info) != STB_LOCAL && strcmp(name, preparation_symbol) != 0 &&
                   !is_linkers_own(name)) {
            return piw_err_set(reader->err, PIW_EPLUGIN,
                               "%s is refused: it exports %s beside its manifest (build with -fvisibility=hidden)",
                               reader->file, name);
        }
    }
    if (!manifest)
        return refuse(reader, "it does not export piw_plugin_manifest");
    return 0;
}

int piw__elf_check(const void *data, size_t size, const char *file, piw_err *err)
{
    struct reader reader = {data, size, file, err};
    ElfW(Ehdr) header;
    int rc = check_header(&reader, &header);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < header.e_shnum; i++) {
        ElfW(Shdr) table, strings;
        memcpy(&table, reader.data + header.e_shoff + i * sizeof(table), sizeof(table));
        if (table.sh_type != SHT_DYNSYM)
            continue;
        if (table.sh_entsize != sizeof(ElfW(Sym)) || table.sh_link >= header.e_shnum ||
            !inside(&reader, table.sh_offset, table.sh_size))
            return refuse(&reader, "its symbol table is damaged");
        memcpy(&strings, reader.data + header.e_shoff + table.sh_link * sizeof(strings), sizeof(strings));
        if (strings.sh_type != SHT_STRTAB || !inside(&reader, strings.sh_offset, strings.sh_size))
            return refuse(&reader, "its symbol table is damaged");
        return check_symbols(&reader, &table, &strings);
    }
    return refuse(&reader, "it has no table of dynamic symbols");
}
