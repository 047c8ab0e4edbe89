/* ELF files in wheels: for which machine they are, what ARM code says it needs, and which of them a platform runs. And
 * wheels for linux_armv7l that are listed for linux_armv6l too: how they are put in place. */
#include "site_house.h"

#include "arm_attributes.h"
#include "elf_maker.h"

#include "shared/arm_code.h"
#include "shared/elf.h"
#include "shared/wheel.h"
#include "shared/wheel_code.h"

#include <elf.h>

enum { V6KZ = 7, V6T2 = 8, V6K = 9, V7 = 10 };
static const char ARMV7[] = "gold-1.0-cp311-cp311-linux_armv7l.whl", ARMV6[] = "gold-1.0-cp311-cp311-linux_armv6l.whl";

/* --- What ARM code says --- */

/* A .ARM.attributes section: CPU name, architecture, a text, arguments in VFP registers, and one attribute more. */
static piw_buffer attributes(uint8_t arch, uint8_t tag, uint8_t value)
{
    const uint8_t tags[] = {5, 'c', 'p', 'u', 0, 6, arch, 67, '2', 0, 28, 1, tag, value};
    piw_buffer section = {0};
    maker_put(&section, "A", 1);
    maker_put32(&section, 4 + 6 + 5 + sizeof(tags));
    maker_put(&section, "aeabi", 6);
    maker_put(&section, "\1", 1);
    maker_put32(&section, 5 + sizeof(tags));
    maker_put(&section, tags, sizeof(tags));
    return section;
}

static piw_buffer from_hex(const char *hex)
{
    uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
    piw_buffer made = {0};
    maker_put(&made, bytes, unit_from_hex(hex, bytes));
    free(bytes);
    return made;
}

/* An ARM library of code with this section, or with none. */
static piw_buffer library(const piw_buffer *section)
{
    return elf_make(&(elf_wish){.machine = EM_ARM, .code = true, .attributes = section});
}

static piw_buffer library_for(uint8_t arch)
{
    piw_buffer section = attributes(arch, 8, 1), file = library(&section);
    piw_buffer_fini(&section);
    return file;
}

static piw_arm_code code_of(piw_buffer file)
{
    piw_arm_code found = piw_arm_code_of(file.data, file.len);
    piw_buffer_fini(&file);
    return found;
}

START_TEST(real_files_say_what_they_need)
{
    for (size_t i = 0; i < PIW_COUNT(arm_files); i++) {
        piw_buffer section = from_hex(arm_files[i].hex);
        piw_arm_code found = code_of(elf_make(
            &(elf_wish){.machine = EM_ARM, .code = true, .flags = arm_files[i].flags, .attributes = &section}));
        const char *name = arm_files[i].file, *origin = arm_files[i].origin, *beyond = arm_files[i].beyond;
        ck_assert_msg(found.hard_float == arm_files[i].hard_float, "%s of %s", name, origin);
        ck_assert_msg(found.firmware == arm_files[i].firmware, "%s of %s", name, origin);
        ck_assert_msg((found.beyond == NULL) == (beyond == NULL), "%s of %s: %s", name, origin,
                      found.beyond != NULL ? found.beyond : "nothing");
        ck_assert_msg(beyond == NULL || strcmp(found.beyond, beyond) == 0, "%s of %s: %s", name, origin, found.beyond);
        piw_buffer_fini(&section);
    }
}
END_TEST

START_TEST(each_attribute_counts)
{
    static const struct {
        uint8_t arch, tag, value;
        bool beyond;
    } cases[] = {
        {4, 8, 1, false},     {6, 8, 1, false},    {V6KZ, 8, 1, false},  {V6T2, 8, 1, true},   {V6K, 8, 1, false},
        {V7, 8, 1, true},     {11, 8, 1, true},    {14, 8, 1, true},     {100, 8, 1, true},    {V6KZ, 9, 0, false},
        {V6KZ, 9, 1, false},  {V6KZ, 9, 2, true},  {V6KZ, 9, 3, false},  {V6KZ, 10, 2, false}, {V6KZ, 10, 3, true},
        {V6KZ, 10, 8, true},  {V6KZ, 11, 1, true}, {V6KZ, 12, 0, false}, {V6KZ, 12, 1, true},  {V6KZ, 7, 'M', true},
        {V6KZ, 36, 1, true},  {V6KZ, 42, 1, true}, {V6KZ, 44, 1, false}, {V6KZ, 44, 2, true},  {V6KZ, 66, 1, true},
        {V6KZ, 68, 1, false}, {V6KZ, 68, 3, true}, {V6KZ, 34, 1, false}, {V6KZ, 70, 1, true},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_buffer section = attributes(cases[i].arch, cases[i].tag, cases[i].value);
        piw_arm_code found = code_of(library(&section));
        ck_assert_msg((found.beyond != NULL) == cases[i].beyond, "architecture %d, tag %d is %d", cases[i].arch,
                      cases[i].tag, cases[i].value);
        ck_assert(found.hard_float);
        piw_buffer_fini(&section);
    }
}
END_TEST

/* Go's own linker writes none: the architecture's default, the oldest, would be a guess. */
START_TEST(code_without_attributes_is_not_for_armv6)
{
    const uint8_t other[] = "A\x0e\0\0\0gnu\0\1\6\0\0\0";
    piw_buffer foreign = {(uint8_t *)(uintptr_t)other, 15, 0};
    ck_assert_str_eq(code_of(library(NULL)).beyond, "no attributes");
    ck_assert_str_eq(code_of(library(&foreign)).beyond, "no attributes");
    ck_assert_str_eq(code_of(elf_make(&(elf_wish){.machine = EM_ARM, .code = true, .no_sections = true})).beyond,
                     "no attributes");
    /* Nothing that runs needs nothing. */
    ck_assert_ptr_null(code_of(elf_make(&(elf_wish){.machine = EM_ARM})).beyond);
    ck_assert_ptr_null(code_of(elf_make(&(elf_wish){.machine = EM_ARM, .no_sections = true})).beyond);
}
END_TEST

START_TEST(floats_travel_in_registers)
{
    const elf_wish data = {.machine = EM_ARM}, soft = {.machine = EM_ARM, .code = true, .flags = 0x5000200},
                   hard = {.machine = EM_ARM, .code = true, .flags = 0x5000400};
    piw_buffer either = attributes(V6KZ, 28, 3);
    const elf_wish fits_both = {.machine = EM_ARM, .code = true, .flags = 0x5000200, .attributes = &either};
    ck_assert(code_of(elf_make(&data)).hard_float);
    ck_assert(!code_of(elf_make(&soft)).hard_float);
    ck_assert(code_of(elf_make(&hard)).hard_float);
    ck_assert(code_of(elf_make(&fits_both)).hard_float);
    piw_buffer_fini(&either);
}
END_TEST

/* Attributes cut short or with any byte changed, in a buffer of their exact size: read to their end and no further. */
START_TEST(damaged_attributes_are_not_trusted)
{
    piw_buffer whole = attributes(V6KZ, 8, 1);
    for (size_t len = 1; len < whole.len; len++) {
        piw_buffer part = {.data = whole.data, .len = len};
        ck_assert_msg(code_of(library(&part)).beyond != NULL, "%zu bytes of attributes", len);
    }
    for (size_t i = 0; i < whole.len; i++) {
        for (int byte = 0; byte < 256; byte += 15) {
            uint8_t before = whole.data[i];
            whole.data[i] = (uint8_t)byte;
            code_of(library(&whole));
            whole.data[i] = before;
        }
    }
    piw_buffer file = library(&whole);
    for (size_t len = 0; len < file.len; len++) {
        uint8_t *part = malloc(len + 1);
        memcpy(part, file.data, len);
        piw_arm_code_of(part, len);
        free(part);
    }
    piw_buffer_fini(&file);
    piw_buffer_fini(&whole);
}
END_TEST

static int no_library(void *arg, const char *name, const char *path)
{
    (void)arg;
    return strlen(name) + strlen(path) > 1000;
}

/* Every reader over a file with one byte changed, and over its beginnings. */
START_TEST(damaged_files_do_no_harm)
{
    piw_buffer file = elf_make(&(elf_wish){.machine = EM_X86_64,
                                           .wide = true,
                                           .code = true,
                                           .exports = "PyInit_x",
                                           .needs = "liby.so",
                                           .runpath = "$ORIGIN/../z"});
    ck_assert(piw_elf_exports(file.data, file.len, "PyInit_x"));
    ck_assert(!piw_elf_exports(file.data, file.len, "PyInit_"));
    for (size_t i = 0; i < file.len; i++) {
        uint8_t before = file.data[i], *part = malloc(i + 1);
        memcpy(part, file.data, i);
        piw_elf_exports(part, i, "PyInit_x");
        piw_elf_needs(part, i, no_library, NULL);
        piw_elf_head_of(part, i);
        free(part);
        for (int byte = 1; byte < 256; byte += 50) {
            uint8_t *copy = malloc(file.len);
            file.data[i] = (uint8_t)(before ^ byte);
            memcpy(copy, file.data, file.len);
            piw_elf_exports(copy, file.len, "PyInit_x");
            piw_elf_needs(copy, file.len, no_library, NULL);
            free(copy);
        }
        file.data[i] = before;
    }
    piw_buffer_fini(&file);
}
END_TEST

/* --- Platforms --- */

START_TEST(every_tag_of_a_set_must_fit)
{
    static const struct {
        const char *platform;
        uint16_t machine;
        bool wide, big_endian, fits;
    } cases[] = {
        {"linux_x86_64", EM_X86_64, true, false, true},
        {"manylinux_2_17_x86_64.manylinux2014_x86_64", EM_X86_64, true, false, true},
        {"linux_x86_64", EM_X86_64, false, false, false}, /* x32 */
        {"linux_x86_64", EM_386, false, false, false},
        {"linux_i686", EM_386, false, false, true},
        {"linux_aarch64.linux_x86_64", EM_X86_64, true, false, false},
        {"linux_aarch64.any", EM_AARCH64, true, false, false},
        {"any", EM_X86_64, true, false, false},
        {"win_amd64", EM_X86_64, true, false, false},
        {"macosx_10_9_x86_64", EM_X86_64, true, false, false},
        {"linux_armv6l.linux_armv7l", EM_ARM, false, false, true},
        {"linux_armv7l", EM_ARM, false, true, false},
        {"linux_ppc64le", EM_PPC64, true, false, true},
        {"linux_ppc64le", EM_PPC64, true, true, false},
        {"linux_ppc64", EM_PPC64, true, true, true},
        {"musllinux_1_2_s390x", EM_S390, true, true, true},
        {"linux_riscv64", EM_RISCV, true, false, true},
        {"linux_riscv64", 999, true, false, false},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        piw_buffer file = elf_make(
            &(elf_wish){.machine = cases[i].machine, .wide = cases[i].wide, .big_endian = cases[i].big_endian});
        piw_elf_head head = piw_elf_head_of(file.data, file.len);
        ck_assert_int_eq(head.machine, cases[i].machine);
        ck_assert_int_eq(head.type, ET_DYN);
        ck_assert_msg(piw_platform_fits(cases[i].platform, &head) == cases[i].fits, "%s, case %zu", cases[i].platform,
                      i);
        piw_buffer_fini(&file);
    }
    ck_assert(piw_platform_hard_float("linux_armv6l.linux_armv7l") && !piw_platform_hard_float("linux_aarch64"));
    ck_assert(piw_platform_native("any.linux_armv7l") && !piw_platform_native("any.win32"));
}
END_TEST

START_TEST(extension_modules_have_a_machine_in_their_name)
{
    static const struct {
        const char *platform, *tag;
        bool imports;
    } cases[] = {
        {"linux_x86_64", "cpython-311-x86_64-linux-gnu", true},
        {"linux_x86_64", "cpython-311-arm-linux-gnueabihf", false},
        {"linux_x86_64", "abi3", true},
        {"linux_x86_64", "abi3-x86_64-linux-gnu", true},
        {"linux_x86_64", "abi3t-aarch64-linux-gnu", false},
        {"linux_armv7l", "abi3-arm-linux-gnueabihf", true},
        {"linux_armv7l", "cpython-311-arm-linux-gnueabihf", true},
        {"linux_armv7l", "cpython-311-arm-linux-gnueabi", false},
        {"musllinux_1_2_armv7l", "cpython-311-arm-linux-musleabihf", true},
        {"linux_i686", "pypy39-pp73-i386-linux-gnu", true},
        {"any", "cpython-311-arm-linux-gnueabi", true},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++)
        ck_assert_msg(piw_platform_imports(cases[i].platform, piw_text_of(cases[i].tag)) == cases[i].imports,
                      "case %zu", i);
}
END_TEST

/* --- Wheels --- */

static const elf_wish X86 = {.machine = EM_X86_64, .wide = true, .code = true},
                      X86_NEEDS = {.machine = EM_X86_64,
                                   .wide = true,
                                   .code = true,
                                   .needs = "liby.so.1",
                                   .runpath = "/usr/lib:$ORIGIN/../gold.libs"},
                      I386 = {.machine = EM_386, .code = true},
                      I386_MODULE = {.machine = EM_386, .code = true, .exports = "PyInit_other"},
                      I386_OBJECT = {.machine = EM_386, .type = ET_REL},
                      I386_PROGRAM = {.machine = EM_386, .type = ET_EXEC, .code = true},
                      X86_PROGRAM = {.machine = EM_X86_64, .wide = true, .type = ET_EXEC, .code = true},
                      BPF = {.machine = EM_BPF, .wide = true, .type = ET_REL},
                      AVR = {.machine = EM_AVR, .type = ET_EXEC, .code = true},
                      XTENSA = {.machine = EM_XTENSA, .type = ET_EXEC, .code = true},
                      SOFT = {.machine = EM_ARM, .code = true, .flags = 0x5000200},
                      HARD = {.machine = EM_ARM, .code = true, .flags = 0x5000400},
                      STATIC = {.machine = EM_ARM, .type = ET_EXEC, .code = true},
                      LINKED = {.machine = EM_ARM, .type = ET_EXEC, .code = true, .interpreted = true};

typedef struct member {
    const char *name;
    const elf_wish *wish;
} member;

/* Check what is in the archive, which is freed; the sentence when it is refused, else NULL. */
static const char *judge_archive(const char *platform, piw_buffer bytes, bool *armv6_too)
{
    static piw_err err;
    err = (piw_err){0};
    piw_zip *zip;
    ck_assert_int_eq(piw_zip_open(&zip, bytes.data, bytes.len, &err), 0);
    piw_code_files files = {0};
    for (size_t i = 0; i < piw_zip_count(zip); i++) {
        const piw_zip_entry *entry = piw_zip_at(zip, i);
        uint8_t *data;
        ck_assert_int_eq(piw_zip_extract(zip, entry, 1 << 30, &data, &err), 0);
        ck_assert_int_eq(piw_code_add(&files, entry, data, entry->size, &err), 0);
        free(data);
    }
    int rc = piw_code_check(zip, &files, platform, armv6_too, &err);
    ck_assert(rc == 0 || rc == PIW_EREFUSED);
    piw_code_fini(&files);
    piw_zip_close(&zip);
    piw_buffer_fini(&bytes);
    return rc == 0 ? NULL : err.text;
}

/* The same for a wheel of these files. */
static const char *judge(const char *platform, const member *members, size_t count, bool *armv6_too)
{
    maker m = {0};
    for (size_t i = 0; i < count && members[i].name != NULL; i++) {
        piw_buffer file = elf_make(members[i].wish);
        maker_add(&m, members[i].name, file.data, file.len, NULL);
        piw_buffer_fini(&file);
    }
    return judge_archive(platform, maker_end(&m), armv6_too);
}

START_TEST(foreign_files_are_data_beside_the_platforms_own)
{
    static const struct {
        const char *platform;
        member members[4];
        const char *refused; /* a word of why; NULL: it is published */
    } cases[] = {
        {"linux_x86_64", {{"e.so", &X86}}, NULL},
        {"linux_x86_64", {{"e.so", &I386}}, "another processor"},
        {"linux_x86_64", {{"e.so", &I386_OBJECT}}, "another processor"},
        {"linux_x86_64", {{"e.cpython-311-x86_64-linux-gnu.so", &X86}, {"p/attach_linux_x86.so", &I386}}, NULL},
        {"linux_x86_64", {{"e.abi3.so", &X86}, {"p/libhelper.so.1", &I386}}, NULL},
        {"linux_x86_64", {{"e.so", &X86}, {"p/firmware.elf", &STATIC}}, NULL},
        {"linux_x86_64", {{"e.so", &X86}, {"p/probe.bpf.o", &BPF}}, NULL},
        {"linux_x86_64", {{"e.so", &X86}, {"p/boot.elf", &AVR}, {"p/stub.elf", &XTENSA}}, NULL},
        /* A platform's tag for firmware alone is odd, but nothing in it is loaded. */
        {"linux_x86_64", {{"p/boot.elf", &AVR}}, NULL},
        {"linux_x86_64", {{"p/boot.elf", &AVR}, {"e.so", &I386}}, "another processor"},
        {"linux_x86_64", {{"p/agent.so", &SOFT}, {"p/tool", &X86_PROGRAM}}, NULL},
        {"linux_x86_64", {{"libx.so", &I386}}, "library"},
        /* Beside an extension module of the platform, another is still imported. */
        {"linux_x86_64", {{"e.so", &X86}, {"f.abi3.so", &I386}}, "extension module"},
        {"linux_x86_64", {{"e.so", &X86}, {"f.cpython-311-x86_64-linux-gnu.so", &I386}}, "extension module"},
        {"linux_x86_64", {{"e.so", &X86}, {"other.so", &I386_MODULE}}, "extension module"},
        {"linux_x86_64", {{"e.so", &X86}, {"another.so", &I386_MODULE}}, NULL},
        {"linux_x86_64", {{"e.so", &X86}, {"f.abi3-x86_64-linux-gnu.so", &I386}}, "extension module"},
        {"linux_x86_64", {{"e.so", &X86}, {"f.abi3t-x86_64-linux-gnu.so", &I386}}, "extension module"},
        /* No interpreter of the tag looks for the other machine's name, */
        {"linux_x86_64", {{"e.abi3.so", &X86}, {"e.cpython-311-arm-linux-gnueabihf.so", &HARD}}, NULL},
        {"linux_x86_64", {{"e.abi3-x86_64-linux-gnu.so", &X86}, {"e.abi3-arm-linux-gnueabihf.so", &HARD}}, NULL},
        /* but a wheel of such alone is another machine's. */
        {"linux_x86_64", {{"e.abi3-arm-linux-gnueabihf.so", &HARD}, {"libx.so", &X86}}, "another processor"},
        {"linux_x86_64", {{"e.cpython-311-arm-linux-gnueabihf.so", &HARD}}, "another processor"},
        {"linux_x86_64", {{"e.cpython-311-arm-linux-gnueabihf.so", &HARD}, {"libx.so", &X86}}, "another processor"},
        /* What the dynamic linker finds beside the module. */
        {"linux_x86_64", {{"p/e.abi3.so", &X86_NEEDS}, {"gold.libs/liby.so.1", &I386}}, "its own code loads"},
        {"linux_x86_64", {{"p/e.abi3.so", &X86_NEEDS}, {"gold.libs/liby.so.1", &X86}, {"x/liby.so.1", &I386}}, NULL},
        {"linux_x86_64", {{"p/e.abi3.so", &X86_NEEDS}, {"x/liby.so.1", &I386}}, NULL},
        {"linux_x86_64",
         {{"p/e.abi3.so", &X86_NEEDS}, {"gold-1.0.data/platlib/gold.libs/liby.so.1", &I386}},
         "its own code loads"},
        /* What lands on the PATH. */
        {"linux_x86_64", {{"gold-1.0.data/scripts/gold", &X86_PROGRAM}}, NULL},
        {"linux_x86_64", {{"e.so", &X86}, {"gold-1.0.data/scripts/gold", &I386_PROGRAM}}, "a program"},
        {"linux_x86_64", {{"e.so", &X86}, {"p/bin/gold32", &I386_PROGRAM}}, NULL},
        /* Sets, and tags that name no machine. */
        {"linux_aarch64.linux_x86_64", {{"e.so", &X86}}, "another processor"},
        {"linux_aarch64.any", {{"e.so", &X86}}, "another processor"},
        {"any", {{"e.abi3.so", &X86}}, "extension module"},
        {"any", {{"e.abi3-x86_64-linux-gnu.so", &X86}}, "extension module"},
        {"any", {{"p/attach_linux_amd64.so", &X86}, {"p/boot.elf", &AVR}}, NULL},
        {"win_amd64", {{"e.cpython-311-x86_64-linux-gnu.so", &X86}}, "extension module"},
        /* Floating point. */
        {"linux_armv7l", {{"e.so", &HARD}}, NULL},
        {"linux_armv7l", {{"e.so", &SOFT}}, "hard-float"},
        {"linux_armv6l", {{"e.abi3.so", &SOFT}}, "hard-float"},
        {"linux_armv7l", {{"e.so", &HARD}, {"p/libother.so", &SOFT}}, NULL},
        {"linux_armv7l", {{"gold-1.0.data/scripts/gold", &STATIC}}, NULL},
        {"linux_armv7l", {{"gold-1.0.data/scripts/gold", &LINKED}}, "hard-float"},
        {"linux_armv5tel", {{"e.so", &SOFT}}, NULL},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        bool armv6_too;
        const char *why = judge(cases[i].platform, cases[i].members, PIW_COUNT(cases[i].members), &armv6_too);
        ck_assert_msg((why == NULL) == (cases[i].refused == NULL), "case %zu: %s", i, why != NULL ? why : "taken");
        ck_assert_msg(why == NULL || strstr(why, cases[i].refused) != NULL, "case %zu: %s", i, why);
    }
}
END_TEST

START_TEST(only_code_that_is_run_denies_armv6)
{
    piw_buffer v6 = attributes(V6KZ, 8, 1), v7 = attributes(V7, 8, 1), m = attributes(12, 7, 'M');
    const elf_wish v6_module = {.machine = EM_ARM, .code = true, .flags = 0x5000400, .attributes = &v6},
                   v7_module = {.machine = EM_ARM, .code = true, .flags = 0x5000400, .attributes = &v7},
                   v7_object = {.machine = EM_ARM, .type = ET_REL, .code = true, .attributes = &v7},
                   v7_program = {.machine = EM_ARM, .type = ET_EXEC, .code = true, .attributes = &v7},
                   m_program = {.machine = EM_ARM, .type = ET_EXEC, .code = true, .attributes = &m};
    const struct {
        const char *platform;
        member members[2];
        bool armv6_too;
    } cases[] = {
        {"linux_armv7l", {{"e.so", &v6_module}}, true},
        {"linux_armv7l", {{"e.so", &v7_module}}, false},
        {"linux_armv6l", {{"e.so", &v6_module}}, false},
        {"linux_armv7l", {{"e.so", &v6_module}, {"libx.so.2", &v7_module}}, false},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/firmware.elf", &STATIC}}, true},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/firmware.elf", &v7_program}}, true},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/firmware", &m_program}}, true},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/x.o", &v7_object}}, true},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/boot.elf", &AVR}}, true},
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/libother.so", &SOFT}}, true},
        /* Go's programs. */
        {"linux_armv7l", {{"e.so", &v6_module}, {"p/bin/tool", &STATIC}}, false},
        {"linux_armv7l", {{"gold-1.0.data/scripts/gold", &STATIC}}, false},
        {"linux_armv7l", {{"e.so", &HARD}}, false},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        bool armv6_too;
        const char *why = judge(cases[i].platform, cases[i].members, PIW_COUNT(cases[i].members), &armv6_too);
        ck_assert_msg(why == NULL, "case %zu: %s", i, why);
        ck_assert_msg(armv6_too == cases[i].armv6_too, "case %zu", i);
    }
    piw_buffer_fini(&v6);
    piw_buffer_fini(&v7);
    piw_buffer_fini(&m);
}
END_TEST

/* test/elf-corpus names files in a list, and compares what is printed of each with what it knows: would a linux_armv7l
 * wheel of this file alone be taken, would it be linux_armv6l's too, and what is beyond ARMv6. */
START_TEST(files_of_a_list_are_judged)
{
    FILE *list = fopen(getenv("PIW_ELF_FILES"), "r");
    ck_assert_ptr_nonnull(list);
    char path[4096];
    while (fgets(path, sizeof(path), list) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        void *data;
        size_t len;
        ck_assert_int_eq(piw_file_read(path, 1 << 30, &data, &len, NULL), 0);
        bool is_library = strstr(path, ".so") != NULL, armv6_too;
        char *name = piw_sprintf("%s/%s", is_library ? "gold.libs" : "gold-1.0.data/scripts", strrchr(path, '/') + 1);
        maker m = {0};
        maker_add(&m, name, data, len, NULL);
        const char *why = judge_archive("linux_armv7l", maker_end(&m), &armv6_too);
        const char *beyond = piw_arm_code_of(data, len).beyond;
        printf("%s\t%s\t%s\t%s\n", path, why == NULL ? "taken" : "refused", armv6_too ? "too" : "not",
               beyond != NULL ? beyond : "-");
        free(name);
        free(data);
    }
    fclose(list);
    fflush(stdout);
}
END_TEST

/* --- Receiving --- */

/* A wheel of this name with a library for `arch`; 0: without. */
static parcel wheel_of(const char *filename, uint8_t arch)
{
    parcel p = {0};
    char tags[256];
    maker m = {.tags = maker_tags(filename, tags, sizeof(tags))};
    maker_file(&m, "gold/__init__.py", "", 0, NULL);
    if (arch != 0) {
        piw_buffer file = library_for(arch);
        maker_file(&m, "gold/fast.so", file.data, file.len, &(maker_odd){.deflate = true});
        piw_buffer_fini(&file);
    }
    maker_dist_info(&m, "gold", "1.0", "");
    p.bytes = maker_end(&m);
    snprintf(p.name, sizeof(p.name), "%s", filename);
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
    snprintf(name, sizeof(name), "simple/gold/%s", filename);
    ssize_t n = readlink(at(name), to, sizeof(to) - 1);
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
    begin_asking();
    store("gold", ARMV6, p.hash);
    tell("archive", known(BUILD));
    answer_builds();
    wait_for("PROJECT(package='gold')", 2);
    ck_assert_str_eq(link_of(ARMV6), ARMV7);
    ck_assert(!is_there(".staging/000123456789"));
    piw_buffer_fini(&p.bytes);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("elf");
    TCase *reading = tcase_create("reading");
    tcase_add_test(reading, real_files_say_what_they_need);
    tcase_add_test(reading, each_attribute_counts);
    tcase_add_test(reading, code_without_attributes_is_not_for_armv6);
    tcase_add_test(reading, floats_travel_in_registers);
    tcase_add_test(reading, damaged_attributes_are_not_trusted);
    tcase_add_test(reading, damaged_files_do_no_harm);
    tcase_add_test(reading, every_tag_of_a_set_must_fit);
    tcase_add_test(reading, extension_modules_have_a_machine_in_their_name);
    tcase_add_test(reading, foreign_files_are_data_beside_the_platforms_own);
    tcase_add_test(reading, only_code_that_is_run_denies_armv6);
    if (getenv("PIW_ELF_FILES") != NULL) {
        TCase *corpus = tcase_create("corpus");
        tcase_set_timeout(corpus, 300);
        tcase_add_test(corpus, files_of_a_list_are_judged);
        suite_add_tcase(suite, corpus);
    }
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
