/* elf_excerpt.c — an ELF file in little, made while the file is read. */
#include "shared/elf_excerpt.h"

#include <elf.h>
#include <stdlib.h>

enum {
    SECTIONS_MAX = 32,        /* that are kept: real files have five, and their sections' strings */
    OUTSIDE = INT32_MAX - 63, /* an offset where no excerpt has anything */
};

/* Where the fields of a class lie, and how wide its offsets are. */
typedef struct form {
    size_t header, word, phoff, shoff, counts; /* counts: phentsize, phnum, shentsize, shnum */
    size_t segment, section, type, offset, size, link;
} form;

static const form narrow = {.header = sizeof(Elf32_Ehdr),
                            .word = 4,
                            .phoff = offsetof(Elf32_Ehdr, e_phoff),
                            .shoff = offsetof(Elf32_Ehdr, e_shoff),
                            .counts = offsetof(Elf32_Ehdr, e_phentsize),
                            .segment = sizeof(Elf32_Phdr),
                            .section = sizeof(Elf32_Shdr),
                            .type = offsetof(Elf32_Shdr, sh_type),
                            .offset = offsetof(Elf32_Shdr, sh_offset),
                            .size = offsetof(Elf32_Shdr, sh_size),
                            .link = offsetof(Elf32_Shdr, sh_link)};
static const form wide = {.header = sizeof(Elf64_Ehdr),
                          .word = 8,
                          .phoff = offsetof(Elf64_Ehdr, e_phoff),
                          .shoff = offsetof(Elf64_Ehdr, e_shoff),
                          .counts = offsetof(Elf64_Ehdr, e_phentsize),
                          .segment = sizeof(Elf64_Phdr),
                          .section = sizeof(Elf64_Shdr),
                          .type = offsetof(Elf64_Shdr, sh_type),
                          .offset = offsetof(Elf64_Shdr, sh_offset),
                          .size = offsetof(Elf64_Shdr, sh_size),
                          .link = offsetof(Elf64_Shdr, sh_link)};

/* A part of the file: where it lies there and in the excerpt. */
typedef struct part {
    uint64_t from, len;
    size_t to;
} part;

typedef struct excerpt {
    const piw_zip *zip;
    const piw_zip_entry *entry;
    const form *form;
    bool big;
    uint8_t *data;
    size_t len;
    size_t sections; /* entries in the table, 0: none that can be read */
    part parts[SECTIONS_MAX];
    size_t count;
} excerpt;

static uint64_t get(const excerpt *x, const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[x->big ? i : bytes - 1 - i];
    return value;
}

static void put(const excerpt *x, uint8_t *at, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++, value >>= 8)
        at[x->big ? bytes - 1 - i : i] = (uint8_t)value;
}

/* --- Parts of a member --- */

typedef struct gatherer {
    excerpt *x;
    uint64_t at, end; /* end: of the last part */
} gatherer;

static int gather_piece(void *arg, const uint8_t *data, size_t len)
{
    gatherer *g = arg;
    for (size_t i = 0; i < g->x->count; i++) {
        const part *p = &g->x->parts[i];
        uint64_t from = p->from > g->at ? p->from : g->at;
        uint64_t end = p->from + p->len < g->at + len ? p->from + p->len : g->at + len;
        if (from < end)
            memcpy(g->x->data + p->to + (from - p->from), data + (from - g->at), (size_t)(end - from));
    }
    g->at += len;
    return g->at >= g->end ? PIW_EAGAIN : 0;
}

/* A stored member lies there as it is. */
static int gather_stored(excerpt *x)
{
    const uint8_t *from = piw_zip_bytes(x->zip) + x->entry->data;
    for (size_t i = 0; i < x->count; i++)
        memcpy(x->data + x->parts[i].to, from + x->parts[i].from, (size_t)x->parts[i].len);
    return 0;
}

/* Copy all parts; the member is unpacked no further than to the end of the last. */
static int gather(excerpt *x, piw_err *err)
{
    gatherer g = {.x = x};
    piw_err own_err = {0};
    if (x->entry->method == 0)
        return gather_stored(x);
    for (size_t i = 0; i < x->count; i++) {
        uint64_t end = x->parts[i].from + x->parts[i].len;
        g.end = end > g.end ? end : g.end;
    }
    int rc = g.end == 0 ? 0 : piw_zip_read(x->zip, x->entry, gather_piece, &g, &own_err);
    return rc == 0 || rc == PIW_EAGAIN ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

/* Room for a part, which begins at a multiple of eight. PIW_ELIMIT, without a sentence: it would be too much. */
static int add_part(excerpt *x, uint64_t from, uint64_t len, size_t *to, piw_err *err)
{
    size_t at = (x->len + 7) & ~(size_t)7;
    if (x->count == SECTIONS_MAX || len > PIW_ELF_EXCERPT_MAX - at)
        return PIW_ELIMIT;
    uint8_t *grown = realloc(x->data, at + (size_t)len);
    if (grown == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to check the wheel's libraries");
    memset(grown + x->len, 0, at + (size_t)len - x->len);
    x->data = grown;
    x->len = at + (size_t)len;
    x->parts[x->count++] = (part){from, len, *to = at};
    return 0;
}

static bool is_inside(const excerpt *x, uint64_t from, uint64_t len)
{
    return from <= x->entry->size && len <= x->entry->size - from;
}

/* --- The headers --- */

/* One of the two tables that the file header names: kept, or left outside. */
static int add_table(excerpt *x, size_t offset, size_t counts, size_t entry_size, size_t *found, piw_err *err)
{
    uint64_t from = get(x, x->data + offset, x->form->word);
    uint64_t each = get(x, x->data + counts, 2), count = get(x, x->data + counts + 2, 2);
    size_t to = OUTSIDE;
    int rc = 0;
    *found = 0;
    if (from == 0)
        to = 0;
    else if (count > 0 && each == entry_size && is_inside(x, from, count * each)) {
        rc = add_part(x, from, count * each, &to, err);
        *found = (size_t)count;
    }
    put(x, x->data + offset, x->form->word, to);
    return rc;
}

static int read_header(excerpt *x, piw_err *err)
{
    size_t to, segments;
    int rc = add_part(x, 0, x->entry->size < sizeof(Elf64_Ehdr) ? x->entry->size : sizeof(Elf64_Ehdr), &to, err);
    rc = rc != 0 ? rc : gather(x, err);
    if (rc != 0 || x->len < EI_NIDENT)
        return rc;
    x->form = x->data[EI_CLASS] == ELFCLASS64 ? &wide : &narrow;
    x->big = x->data[EI_DATA] == ELFDATA2MSB;
    x->count = 0;
    if (x->len < x->form->header)
        return 0;
    rc = add_table(x, x->form->phoff, x->form->counts, x->form->segment, &segments, err);
    rc = rc != 0 ? rc : add_table(x, x->form->shoff, x->form->counts + 4, x->form->section, &x->sections, err);
    return rc != 0 ? rc : gather(x, err);
}

/* --- The sections --- */

static uint8_t *section_at(const excerpt *x, size_t i)
{
    return x->data + get(x, x->data + x->form->shoff, x->form->word) + i * x->form->section;
}

static bool is_read(uint64_t type)
{
    return type == SHT_DYNSYM || type == SHT_DYNAMIC || type == SHT_GNU_verneed || type == SHT_ARM_ATTRIBUTES;
}

/* Those that are read, and those in which they have their texts. */
static int mark_kept(const excerpt *x, bool *kept)
{
    size_t count = 0;
    for (size_t i = 0; i < x->sections; i++) {
        const uint8_t *header = section_at(x, i);
        uint64_t type = get(x, header + x->form->type, 4), link = get(x, header + x->form->link, 4);
        if (!is_read(type))
            continue;
        count += !kept[i];
        kept[i] = true;
        if (type != SHT_ARM_ATTRIBUTES && link < x->sections && !kept[link]) {
            kept[link] = true;
            count++;
        }
    }
    return count <= SECTIONS_MAX ? 0 : PIW_ELIMIT;
}

static int keep_section(excerpt *x, size_t i, piw_err *err)
{
    const form *f = x->form;
    uint64_t from = get(x, section_at(x, i) + f->offset, f->word), len = get(x, section_at(x, i) + f->size, f->word);
    size_t to = OUTSIDE;
    int rc = is_inside(x, from, len) ? add_part(x, from, len, &to, err) : 0;
    put(x, section_at(x, i) + f->offset, f->word, to);
    return rc;
}

/* All others say that the file holds nothing of them. */
static void empty_section(const excerpt *x, size_t i)
{
    uint8_t *header = section_at(x, i);
    if (get(x, header + x->form->type, 4) != SHT_NULL)
        put(x, header + x->form->type, 4, SHT_NOBITS);
}

static int read_sections(excerpt *x, piw_err *err)
{
    bool *kept = calloc(x->sections + 1, sizeof(*kept));
    if (kept == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory to check the wheel's libraries");
    x->count = 0;
    int rc = mark_kept(x, kept);
    for (size_t i = 0; i < x->sections && rc == 0; i++) {
        if (kept[i])
            rc = keep_section(x, i, err);
        else
            empty_section(x, i);
    }
    free(kept);
    return rc != 0 ? rc : gather(x, err);
}

int piw_elf_excerpt(const piw_zip *zip, const piw_zip_entry *entry, uint8_t **data, size_t *len, piw_err *err)
{
    excerpt x = {.zip = zip, .entry = entry};
    int rc = read_header(&x, err);
    if (rc == 0 && x.sections > 0)
        rc = read_sections(&x, err);
    if (rc != 0) {
        free(x.data);
        x.data = NULL;
        x.len = 0;
    }
    *data = x.data;
    *len = x.len;
    return rc == PIW_ELIMIT ? 0 : rc;
}
