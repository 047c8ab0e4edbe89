/* elf_maker.h — makes small ELF files of any machine with libelf, for the tests of what reads them. */
#ifndef ELF_MAKER_H
#define ELF_MAKER_H

#include "wheel_maker.h"

#include <gelf.h>
#include <libelf.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is to be in the file; zero is a shared object's absence of it. */
typedef struct elf_wish {
    uint16_t machine, type; /* EM_…, ET_… (0: ET_DYN) */
    bool wide, big_endian, no_sections;
    uint32_t flags;
    bool code, interpreted;
    const piw_buffer *attributes; /* of ARM */
    const char *exports;          /* a symbol */
    const char *needs, *runpath;
    const char *version; /* of the symbols of what it needs */
    bool weak;           /* that version */
    uint32_t tangled;    /* so many records of versions instead, each the beginning of a list of all that follow it */
} elf_wish;

/* Texts of one string table: offset 0 is the empty one. */
typedef struct elf_texts {
    char s[512];
    size_t len;
} elf_texts;

static inline size_t elf_text(elf_texts *t, const char *text)
{
    size_t at = t->len == 0 ? 1 : t->len, n = strlen(text) + 1;
    ck_assert_uint_lt(at + n, sizeof(t->s));
    memcpy(t->s + at, text, n);
    t->len = at + n;
    return at;
}

/* A section over `data`, which must live until the file is written. */
static inline Elf_Data *elf_section(Elf *elf, GElf_Word type, GElf_Xword flags, GElf_Word link, void *data, size_t len,
                                    Elf_Type kind)
{
    Elf_Scn *section = elf_newscn(elf);
    Elf_Data *d = elf_newdata(section);
    ck_assert_ptr_nonnull(d);
    *d = (Elf_Data){.d_buf = data, .d_size = len, .d_type = kind, .d_align = 4, .d_version = EV_CURRENT};
    GElf_Shdr header;
    ck_assert_ptr_nonnull(gelf_getshdr(section, &header));
    header.sh_type = type;
    header.sh_flags = flags;
    header.sh_link = link;
    if (kind != ELF_T_BYTE)
        header.sh_entsize = gelf_fsize(elf, kind, 1, EV_CURRENT);
    ck_assert_int_ne(gelf_update_shdr(section, &header), 0);
    return d;
}

static inline void elf_segments(Elf *elf, const elf_wish *w)
{
    ck_assert_ptr_nonnull(gelf_newphdr(elf, 2));
    GElf_Phdr load = {.p_type = PT_LOAD, .p_flags = PF_R | (w->code ? PF_X : 0), .p_memsz = 16, .p_align = 4096};
    GElf_Phdr interpreter = {.p_type = w->interpreted ? PT_INTERP : PT_NULL};
    ck_assert_int_ne(gelf_update_phdr(elf, 0, &load), 0);
    ck_assert_int_ne(gelf_update_phdr(elf, 1, &interpreter), 0);
}

static inline piw_buffer elf_read_back(int fd)
{
    piw_buffer file = {0};
    uint8_t bytes[4096];
    ssize_t n;
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        maker_put(&file, bytes, (size_t)n);
    close(fd);
    return file;
}

static inline piw_buffer elf_make(const elf_wish *w)
{
    static uint8_t code[16];
    elf_texts texts = {0};
    uint8_t symbols[2 * sizeof(Elf64_Sym)] = {0}, entries[4 * sizeof(Elf64_Dyn)] = {0};
    struct {
        GElf_Verneed of;
        GElf_Vernaux one;
    } versions = {{0}, {0}};
    int fd = memfd_create("elf", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_ne(elf_version(EV_CURRENT), EV_NONE);
    Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
    ck_assert_ptr_nonnull(gelf_newehdr(elf, w->wide ? ELFCLASS64 : ELFCLASS32));
    GElf_Ehdr head;
    gelf_getehdr(elf, &head);
    head.e_ident[EI_DATA] = w->big_endian ? ELFDATA2MSB : ELFDATA2LSB;
    head.e_type = w->type != 0 ? w->type : ET_DYN;
    head.e_machine = w->machine;
    head.e_version = EV_CURRENT;
    head.e_flags = w->flags;
    ck_assert_int_ne(gelf_update_ehdr(elf, &head), 0);
    elf_segments(elf, w);
    if (!w->no_sections) {
        size_t symbol = w->exports != NULL ? elf_text(&texts, w->exports) : 0;
        size_t needs = w->needs != NULL ? elf_text(&texts, w->needs) : 0;
        size_t runpath = w->runpath != NULL ? elf_text(&texts, w->runpath) : 0;
        size_t version = w->version != NULL ? elf_text(&texts, w->version) : 0;
        elf_section(elf, SHT_STRTAB, SHF_ALLOC, 0, texts.s, texts.len + 1, ELF_T_BYTE);
        if (w->version != NULL) {
            versions.of = (GElf_Verneed){
                .vn_version = 1, .vn_cnt = 1, .vn_file = (GElf_Word)needs, .vn_aux = sizeof(versions.of)};
            versions.one = (GElf_Vernaux){.vna_flags = w->weak ? VER_FLG_WEAK : 0, .vna_name = (GElf_Word)version};
            elf_section(elf, SHT_GNU_verneed, SHF_ALLOC, 1, &versions, sizeof(versions), ELF_T_VNEED);
        }
        static Elf64_Verneed tangle[2000];
        ck_assert_uint_le(w->tangled, PIW_COUNT(tangle));
        for (uint32_t i = 0; i < w->tangled; i++)
            tangle[i] = (Elf64_Verneed){1, UINT16_MAX, (Elf64_Word)needs, sizeof(tangle[0]), sizeof(tangle[0])};
        if (w->tangled > 0) {
            tangle[w->tangled - 1].vn_next = 0; /* each list comes to its end there */
            elf_section(elf, SHT_GNU_verneed, SHF_ALLOC, 1, tangle, w->tangled * sizeof(tangle[0]), ELF_T_BYTE);
        }
        if (w->code)
            elf_section(elf, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, code, sizeof(code), ELF_T_BYTE);
        if (w->attributes != NULL)
            elf_section(elf, SHT_ARM_ATTRIBUTES, 0, 0, w->attributes->data, w->attributes->len, ELF_T_BYTE);
        if (w->exports != NULL) {
            size_t len = gelf_fsize(elf, ELF_T_SYM, 2, EV_CURRENT);
            Elf_Data *d = elf_section(elf, SHT_DYNSYM, SHF_ALLOC, 1, symbols, len, ELF_T_SYM);
            GElf_Sym entry = {
                .st_name = (GElf_Word)symbol, .st_info = GELF_ST_INFO(STB_GLOBAL, STT_FUNC), .st_shndx = 1};
            ck_assert_int_ne(gelf_update_sym(d, 1, &entry), 0);
        }
        if (w->needs != NULL) {
            size_t len = gelf_fsize(elf, ELF_T_DYN, 3, EV_CURRENT);
            Elf_Data *d = elf_section(elf, SHT_DYNAMIC, SHF_ALLOC, 1, entries, len, ELF_T_DYN);
            GElf_Dyn need = {.d_tag = DT_NEEDED, .d_un.d_val = needs},
                     path = {.d_tag = DT_RUNPATH, .d_un.d_val = runpath};
            ck_assert_int_ne(gelf_update_dyn(d, 0, &need), 0);
            ck_assert(w->runpath == NULL || gelf_update_dyn(d, 1, &path) != 0);
        }
    }
    ck_assert_msg(elf_update(elf, ELF_C_WRITE) > 0, "%s", elf_errmsg(-1));
    elf_end(elf);
    return elf_read_back(fd);
}

#endif
