/* What of a plugin's file is copied when it is loaded: not what is there for debuggers; and all where its headers aren't sound. */
#include "bus.h"

#include "plugin/elf_check.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *bytes;
static size_t size;

static void setup(void)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/echo_v1.so", bus_plugins());
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &info), 0);
    size = (size_t)info.st_size;
    bytes = malloc(size);
    ck_assert_int_eq(read(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void teardown(void)
{
    free(bytes);
}

/* Of the first `len` bytes. */
static piw__elf_parts parts_of(size_t len)
{
    piw__elf_parts parts = {0};
    int fd = memfd_create("plugin", MFD_CLOEXEC);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    piw__elf_find_parts(fd, len, &parts);
    close(fd);
    ck_assert(parts.loaded <= len && parts.sections <= len && parts.sections_size <= len - parts.sections);
    return parts;
}

static void assert_whole(size_t len)
{
    piw__elf_parts parts = parts_of(len);
    ck_assert_uint_eq(parts.loaded, len);
    ck_assert_uint_eq(parts.sections_size, 0);
}

/* Loading it from these parts alone is what every other test does. */
START_TEST(a_sound_file_is_more_than_what_is_loaded)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    assert_whole(size);
#else
    piw__elf_parts parts = parts_of(size);
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    ck_assert_uint_lt(parts.loaded, size / 2);
    ck_assert_uint_eq(parts.sections, header.e_shoff);
    ck_assert_uint_eq(parts.sections_size, (size_t)header.e_shnum * sizeof(ElfW(Shdr)));
    memset(bytes + parts.loaded, 0, parts.sections - parts.loaded);
    piw_err err = {0};
    ck_assert_msg(piw__elf_check(bytes, size, "echo_v1.so", &err) == 0, "%s", err.text);
#endif
}
END_TEST

START_TEST(a_file_that_was_cut_off_is_copied_whole)
{
    for (size_t len = 0; len < size; len += len < 4096 ? 7 : 4001)
        assert_whole(len);
}
END_TEST

START_TEST(a_file_with_other_headers_is_copied_whole)
{
    for (size_t at = 0; at < sizeof(ElfW(Ehdr)); at++) {
        uint8_t before = bytes[at];
        bytes[at] = 0xff;
        parts_of(size); /* within the file, whatever it says */
        bytes[at] = before;
    }
    memcpy(bytes, "#!/bin/sh", 9);
    assert_whole(size);
}
END_TEST

/* One of the symbols that every library asks for, and may do without, becomes one that it exports under that name. */
static void export_as(const char *name)
{
    static const char before[] = "_ITM_deregisterTMCloneTable";
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    for (unsigned i = 0; i < header.e_shnum; i++) {
        ElfW(Shdr) table, strings;
        memcpy(&table, bytes + header.e_shoff + i * sizeof(table), sizeof(table));
        if (table.sh_type != SHT_DYNSYM)
            continue;
        memcpy(&strings, bytes + header.e_shoff + table.sh_link * sizeof(strings), sizeof(strings));
        for (size_t at = table.sh_offset; at < table.sh_offset + table.sh_size; at += sizeof(ElfW(Sym))) {
            ElfW(Sym) symbol;
            memcpy(&symbol, bytes + at, sizeof(symbol));
            char *text = (char *)bytes + strings.sh_offset + symbol.st_name;
            if (strcmp(text, before) != 0)
                continue;
            strcpy(text, name);
            symbol.st_shndx = 1;
            memcpy(bytes + at, &symbol, sizeof(symbol));
            return;
        }
    }
    ck_abort_msg("echo_v1.so doesn't know %s", before);
}

static void assert_exports(const char *name, bool good)
{
    piw_err err = {0};
    export_as(name);
    int rc = piw__elf_check(bytes, size, "echo_v1.so", &err);
    ck_assert_msg((rc == 0) == good, "%s: %s", name, err.text);
    teardown();
    setup();
}

/* As gold leaves them in each library. */
START_TEST(what_the_linker_exports_is_no_offence)
{
    assert_exports("_end", true);
    assert_exports("_edata", true);
    assert_exports("__bss_start", true);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* sanitizers export of their own */
    assert_exports("_ends", false);
#endif
}
END_TEST

START_TEST(a_file_without_a_section_table_is_told_so)
{
    piw_err err = {0};
    ElfW(Ehdr) header;
    memcpy(&header, bytes, sizeof(header));
    header.e_shoff = header.e_shnum = header.e_shentsize = 0;
    memcpy(bytes, &header, sizeof(header));
    parts_of(size);
    ck_assert_int_eq(piw__elf_check(bytes, size, "echo_v1.so", &err), PIW_EPLUGIN);
    ck_assert_ptr_nonnull(strstr(err.text, "it has no section table"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("plugin_parts");
    TCase *cases = tcase_create("plugin_parts");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, a_sound_file_is_more_than_what_is_loaded);
    tcase_add_test(cases, a_file_that_was_cut_off_is_copied_whole);
    tcase_add_test(cases, a_file_with_other_headers_is_copied_whole);
    tcase_add_test(cases, what_the_linker_exports_is_no_offence);
    tcase_add_test(cases, a_file_without_a_section_table_is_told_so);
    suite_add_tcase(suite, cases);
    return suite;
}
