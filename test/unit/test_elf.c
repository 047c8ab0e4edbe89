/* Wheels for linux_armv7l that are listed for linux_armv6l too: what their code says it needs, and how they are put in
 * place. */
#include "site_house.h"

#include "shared/elf.h"
#include "shared/wheel.h"

#include <elf.h>

enum { V6KZ = 7, V6T2 = 8, V6K = 9, V7 = 10 };
static const char ARMV7[] = "gold-1.0-cp311-cp311-linux_armv7l.whl", ARMV6[] = "gold-1.0-cp311-cp311-linux_armv6l.whl";

/* A .ARM.attributes section: CPU name, architecture, and an attribute with a text after it. */
static piw_buffer attributes(uint8_t arch)
{
    const uint8_t tags[] = {5, 'c', 'p', 'u', 0, 6, arch, 67, '2', 0, 8, 1};
    piw_buffer section = {0};
    maker_put(&section, "A", 1);
    maker_put32(&section, 4 + 6 + 5 + sizeof tags);
    maker_put(&section, "aeabi", 6);
    maker_put(&section, "\1", 1);
    maker_put32(&section, 5 + sizeof tags);
    maker_put(&section, tags, sizeof tags);
    return section;
}

/* An ARM library of no code with this section, or with none. */
static piw_buffer library(const piw_buffer *section)
{
    size_t at = sizeof(Elf32_Ehdr), len = section != NULL ? section->len : 0;
    static const char names[] = "\0.ARM.attributes\0.shstrtab";
    Elf32_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_DYN,
                       .e_machine = EM_ARM,
                       .e_version = EV_CURRENT,
                       .e_shoff = (Elf32_Off)(at + len + sizeof names),
                       .e_ehsize = sizeof head,
                       .e_shentsize = sizeof(Elf32_Shdr),
                       .e_shnum = 3,
                       .e_shstrndx = 2};
    Elf32_Shdr sections[3] = {
        {0},
        {.sh_name = 1, .sh_type = SHT_ARM_ATTRIBUTES, .sh_offset = (Elf32_Off)at, .sh_size = (Elf32_Word)len},
        {.sh_name = 17, .sh_type = SHT_STRTAB, .sh_offset = (Elf32_Off)(at + len), .sh_size = sizeof names},
    };
    if (section == NULL)
        sections[1].sh_type = SHT_PROGBITS;
    piw_buffer file = {0};
    maker_put(&file, &head, sizeof head);
    if (section != NULL)
        maker_put(&file, section->data, len);
    maker_put(&file, names, sizeof names);
    maker_put(&file, sections, sizeof sections);
    return file;
}

static piw_buffer library_for(uint8_t arch)
{
    piw_buffer section = attributes(arch), file = library(&section);
    piw_buffer_fini(&section);
    return file;
}

START_TEST(an_elf_file_says_what_it_needs)
{
    static const struct {
        uint8_t arch;
        bool beyond;
    } cases[] = {{4, false},   {6, false}, {V6KZ, false}, {V6T2, true},
                 {V6K, false}, {V7, true}, {14, true},    {100, true}};
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_buffer file = library_for(cases[i].arch);
        ck_assert_msg(piw_elf_beyond_armv6(file.data, file.len) == cases[i].beyond, "architecture %d", cases[i].arch);
        piw_buffer_fini(&file);
    }
    piw_buffer none = library(NULL);
    ck_assert(!piw_elf_beyond_armv6(none.data, none.len));
    piw_buffer_fini(&none);
}
END_TEST

/* Attributes cut short or with any byte changed, in a buffer of their exact size: read to their end and no further. */
START_TEST(damaged_attributes_are_not_trusted)
{
    piw_buffer whole = attributes(V6KZ);
    for (size_t len = 0; len < whole.len; len++) {
        if (len == 1)
            continue; /* the version of the format alone: no attributes, in order */
        piw_buffer part = {.data = whole.data, .len = len}, file = library(&part);
        ck_assert_msg(piw_elf_beyond_armv6(file.data, file.len), "%zu bytes of attributes", len);
        piw_buffer_fini(&file);
    }
    for (size_t i = 0; i < whole.len; i++) {
        for (int byte = 0; byte < 256; byte += 15) {
            uint8_t before = whole.data[i];
            whole.data[i] = (uint8_t)byte;
            piw_buffer file = library(&whole);
            piw_elf_beyond_armv6(file.data, file.len);
            piw_buffer_fini(&file);
            whole.data[i] = before;
        }
    }
    piw_buffer file = library(&whole);
    for (size_t len = 0; len < file.len; len++) {
        uint8_t *part = malloc(len + 1);
        memcpy(part, file.data, len);
        piw_elf_beyond_armv6(part, len);
        free(part);
    }
    piw_buffer_fini(&file);
    piw_buffer_fini(&whole);
}
END_TEST

/* A wheel of this name with a library for `arch`; 0: without. */
static parcel wheel_of(const char *filename, uint8_t arch)
{
    parcel p = {0};
    maker m = {0};
    maker_file(&m, "gold/__init__.py", "", 0, NULL);
    if (arch != 0) {
        piw_buffer file = library_for(arch);
        maker_file(&m, "gold/fast.so", file.data, file.len, &(maker_odd){.deflate = true});
        piw_buffer_fini(&file);
    }
    maker_dist_info(&m, "gold", "1.0", "");
    p.bytes = maker_end(&m);
    snprintf(p.name, sizeof p.name, "%s", filename);
    maker_hash(&p.bytes, p.hash);
    return p;
}

/* Receive it as a part of a build; is it to be listed for linux_armv6l too? */
static bool receive(const parcel *p, int64_t build_id)
{
    expect(p, build_id, 7, "local", "gold");
    transfer(p, 7);
    piw_msg *answer = verify(build_id, 7);
    const fs_VERIFY_reply *found = fs_VERIFY_reply_of(answer);
    ck_assert_msg(found->good, "%s", found->why.s);
    bool too = found->file.armv6_too;
    piw_msg_free(&answer);
    return too;
}

static char *link_of(const char *filename)
{
    static char to[256];
    char name[512];
    snprintf(name, sizeof name, "simple/gold/%s", filename);
    ssize_t n = readlink(at(name), to, sizeof to - 1);
    if (n < 0)
        return NULL;
    to[n] = '\0';
    return to;
}

START_TEST(a_wheel_without_armv7_code_gets_a_link)
{
    static const uint8_t archs[] = {0, V6KZ};
    for (size_t i = 0; i < PIW_COUNT(archs); i++) {
        parcel p = wheel_of(ARMV7, archs[i]);
        ck_assert(receive(&p, BUILD));
        stage(BUILD, "gold", "log");
        publish(BUILD, "gold", NULL);
        ck_assert_str_eq(link_of(ARMV6), ARMV7);
        ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl", &p.bytes);
        char *metadata = content("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl.metadata");
        ck_assert_ptr_nonnull(strstr(metadata, "Name: gold\n"));
        free(metadata);
        ck_assert(!is_there(".staging/000123456789"));
        piw_buffer_fini(&p.bytes);
    }
}
END_TEST

START_TEST(armv7_code_and_other_platforms_get_none)
{
    parcel p = wheel_of(ARMV7, V7), other = wheel_of("gold-1.0-cp311-cp311-linux_aarch64.whl", 0);
    ck_assert(!receive(&p, BUILD));
    ck_assert(!receive(&other, BUILD));
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv7l.whl", &p.bytes);
    ck_assert(!is_there("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl"));
    piw_buffer_fini(&p.bytes);
    piw_buffer_fini(&other.bytes);
}
END_TEST

START_TEST(a_real_armv6_wheel_is_never_replaced)
{
    parcel real = wheel_of(ARMV6, V6KZ), p = wheel_of(ARMV7, 0);
    /* In the same build … */
    ck_assert(!receive(&real, BUILD));
    ck_assert(!receive(&p, BUILD));
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl", &real.bytes);
    ck_assert_ptr_null(link_of(ARMV6));
    /* … and in place already. */
    ck_assert(receive(&p, BUILD + 1));
    stage(BUILD + 1, "gold", "log");
    publish(BUILD + 1, "gold", NULL);
    ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl", &real.bytes);
    ck_assert_ptr_null(link_of(ARMV6));
    piw_buffer_fini(&real.bytes);
    piw_buffer_fini(&p.bytes);
}
END_TEST

START_TEST(published_bytes_stay_and_the_new_name_gets_its_own)
{
    parcel old = wheel_of(ARMV7, V7), p = wheel_of(ARMV7, V6K);
    ck_assert(!receive(&old, BUILD));
    stage(BUILD, "gold", "log");
    publish(BUILD, "gold", NULL);
    ck_assert(receive(&p, BUILD + 1));
    stage(BUILD + 1, "gold", "log");
    publish(BUILD + 1, "gold", ARMV7);
    ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv7l.whl", &old.bytes);
    ck_bytes("simple/gold/gold-1.0-cp311-cp311-linux_armv6l.whl", &p.bytes);
    ck_assert_ptr_null(link_of(ARMV6));
    piw_buffer_fini(&old.bytes);
    piw_buffer_fini(&p.bytes);
}
END_TEST

static piw_msg *known(int64_t build_id)
{
    archive_KNOWN *body;
    piw_msg *msg = archive_KNOWN_new(&body);
    piw_msg_list(msg, &body->build_ids, 1);
    body->build_ids.at[0] = build_id;
    return msg;
}

/* Killed between the wheel's rename and the link's: the link follows at the next start. */
START_TEST(a_start_finishes_the_link)
{
    make_folders();
    parcel p = wheel_of(ARMV7, V6KZ);
    begin();
    ck_assert(receive(&p, BUILD));
    stage(BUILD, "gold", "left behind");
    end();
    char *staged = piw_strdup(at(".staging/000123456789/gold-1.0-cp311-cp311-linux_armv7l.whl"));
    ck_assert_int_eq(piw_file_place(staged, at("simple/gold/gold-1.0-cp311-cp311-linux_armv7l.whl"), 0, NULL), 0);
    free(staged);
    away_at_start = "yes";
    begin();
    wait_for("BUILDS_KNOWN(", 1);
    store("gold", ARMV6, p.hash);
    tell("archive", known(BUILD));
    set("away", "no");
    wait_for("PROJECT(package='gold')", 2);
    ck_assert_str_eq(link_of(ARMV6), ARMV7);
    ck_assert(!is_there(".staging/000123456789"));
    piw_buffer_fini(&p.bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("armv6");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, an_elf_file_says_what_it_needs);
    tcase_add_test(reading, damaged_attributes_are_not_trusted);
    suite_add_tcase(suite, reading);
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, a_wheel_without_armv7_code_gets_a_link);
    tcase_add_test(files, armv7_code_and_other_platforms_get_none);
    tcase_add_test(files, a_real_armv6_wheel_is_never_replaced);
    tcase_add_test(files, published_bytes_stay_and_the_new_name_gets_its_own);
    suite_add_tcase(suite, files);
    TCase *restart = tcase_create("restart");
    tcase_set_timeout(restart, 60);
    tcase_add_checked_fixture(restart, NULL, teardown);
    tcase_add_test(restart, a_start_finishes_the_link);
    suite_add_tcase(suite, restart);
    return suite;
}
