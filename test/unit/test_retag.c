/* test_retag.c — wheels that bear the kernel's name, made anew under the interpreter's, and those that promise too old an
 * interpreter: which tags, what is refused, and that the result is a sound wheel with everything else as it was. */
#include "../../tools/piw-slave/folder.c"
#include "../../tools/piw-slave/repack.c"
#include "../../tools/piw-slave/retag.c"

#include "shared/elf.h"
#include "shared/text.h"
#include "shared/wheel.h"
#include "shared/wheel_record.h"
#include "shared/zip.h"
#include "unit.h"

#include <dirent.h>
#include <elf.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char folder[UNIT_FOLDER];

static void setup(void)
{
    unit_folder(folder);
}

/* --- Tags -------------------------------------------------------------------------------------------------------- */

START_TEST(tags_of_the_kernel)
{
    static const struct {
        const char *tag, *platform, *kernel, *wanted; /* NULL: stays */
        bool foreign;
    } cases[] = {
        {"linux_aarch64", "linux_armv7l", "linux_aarch64", "linux_armv7l", true},
        {"linux_armv8l", "linux_armv7l", "linux_armv8l", "linux_armv7l", true},
        {"linux_armv8l", "linux_armv7l", "linux_aarch64", "linux_armv7l", true},
        {"manylinux_2_36_aarch64", "linux_armv7l", "linux_aarch64", "linux_armv7l", true},
        {"manylinux_2_36_armv7l", "linux_armv7l", "linux_aarch64", "linux_armv7l", false},
        {"musllinux_1_2_armv7l", "linux_armv7l", "linux_aarch64", "linux_armv7l", false},
        {"manylinux_2_17_aarch64.manylinux2014_aarch64", "linux_armv7l", "linux_aarch64", "linux_armv7l", true},
        {"linux_armv7l.linux_aarch64", "linux_armv7l", "linux_aarch64", "linux_armv7l", true},
        {"linux_armv6l.linux_aarch64", "linux_armv7l", "linux_aarch64", "linux_armv6l.linux_armv7l", true},
        {"linux_x86_64", "linux_i686", "linux_x86_64", "linux_i686", true},
        {"manylinux1_x86_64", "linux_i686", "linux_x86_64", "linux_i686", true},
        {"linux_i686", "linux_x86_64", "linux_i686", "linux_x86_64", true},
        {"linux_armv7l", "linux_armv7l", "linux_aarch64", NULL, false},
        {"any", "linux_armv7l", "linux_aarch64", NULL, false},
        {"linux_armv6l", "linux_armv7l", "linux_aarch64", NULL, false},
        {"linux_ppc64le", "linux_armv7l", "linux_aarch64", NULL, false},
        {"macosx_11_0_aarch64", "linux_armv7l", "linux_aarch64", NULL, false},
        {"win_aarch64", "linux_armv7l", "linux_aarch64", NULL, false},
        {"linuxaarch64", "linux_armv7l", "linux_aarch64", NULL, false},
        {"linux_", "linux_armv7l", "linux_aarch64", NULL, false},
        {"", "linux_armv7l", "linux_aarch64", NULL, false},
        {"manylinux_2_5_armv7l", "linux_armv7l", "linux_armv7l", "linux_armv7l", false},
        {"manylinux_2_16_aarch64", "linux_aarch64", "linux_aarch64", "linux_aarch64", false},
        {"manylinux1_aarch64.manylinux2010_aarch64", "linux_aarch64", "linux_aarch64", "linux_aarch64", false},
        {"manylinux_2_4_x86_64", "linux_x86_64", "linux_x86_64", "linux_x86_64", false},
        {"manylinux_2_17_armv7l", "linux_armv7l", "linux_armv7l", NULL, false},
        {"manylinux_2_5_aarch64.manylinux_2_17_aarch64", "linux_aarch64", "linux_aarch64", NULL, false},
        {"manylinux2014_aarch64", "linux_aarch64", "linux_aarch64", NULL, false},
        {"manylinux_2_5_x86_64", "linux_x86_64", "linux_x86_64", NULL, false},
        {"manylinux1_i686", "linux_i686", "linux_i686", NULL, false},
        {"manylinux_2_5_x86_64", "linux_armv7l", "linux_armv7l", NULL, false},
        {"manylinux_3_0_armv7l", "linux_armv7l", "linux_armv7l", NULL, false},
        {"musllinux_1_1_armv7l", "linux_armv7l", "linux_armv7l", NULL, false},
    };
    char to[256];
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        bool foreign = true;
        bool changed = slave_retag_platform(cases[i].tag, cases[i].platform, cases[i].kernel, to, sizeof(to), &foreign);
        ck_assert_msg(changed == (cases[i].wanted != NULL), "%s", cases[i].tag);
        ck_assert_msg(foreign == cases[i].foreign, "%s", cases[i].tag);
        if (changed)
            ck_assert_str_eq(to, cases[i].wanted);
    }
    bool foreign;
    ck_assert(!slave_retag_platform("linux_aarch64", "linux_armv7l", "linux_aarch64", to, 12, &foreign));
    ck_assert(slave_retag_platform("linux_aarch64", "linux_armv7l", "linux_aarch64", to, 14, &foreign));
}
END_TEST

/* --- Wheels ------------------------------------------------------------------------------------------------------ */

typedef struct member {
    const char *name;
    const void *data;
    size_t len;
    bool packed; /* deflated */
} member;

static void add16(piw_buffer *to, unsigned value)
{
    uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};
    piw_put_bytes(to, bytes, 2);
}

static void add32(piw_buffer *to, uint32_t value)
{
    add16(to, value & 0xffff);
    add16(to, value >> 16);
}

/* What the local header and the central directory have in common, from the version that is needed on. */
static void put_common(piw_buffer *to, const member *m, uint32_t crc, size_t packed)
{
    add16(to, 20);
    add16(to, 0);
    add16(to, m->packed ? 8 : 0);
    add16(to, 0x6000);
    add16(to, 0x5861);
    add32(to, crc);
    add32(to, (uint32_t)packed);
    add32(to, (uint32_t)m->len);
    add16(to, (unsigned)strlen(m->name));
}

static void write_archive(const char *filename, const member *members, size_t count, const char *comment)
{
    piw_buffer out = {0}, directory = {0};
    for (size_t i = 0; i < count; i++) {
        const member *m = &members[i];
        static uint8_t packed[1 << 16];
        z_stream stream = {.next_in = (Bytef *)(uintptr_t)m->data,
                           .avail_in = (uInt)m->len,
                           .next_out = packed,
                           .avail_out = sizeof(packed)};
        deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
        ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
        deflateEnd(&stream);
        size_t size = m->packed ? stream.total_out : m->len, offset = out.len;
        uint32_t crc = (uint32_t)crc32_z(0, m->data, m->len);
        add32(&out, 0x04034b50);
        put_common(&out, m, crc, size);
        add16(&out, 4);
        piw_put(&out, m->name);
        add32(&out, 0x0000cafe); /* an extra field without contents */
        piw_put_bytes(&out, m->packed ? packed : m->data, size);
        add32(&directory, 0x02014b50);
        add16(&directory, 3 << 8 | 20);
        put_common(&directory, m, crc, size);
        add16(&directory, 0);
        add16(&directory, 2);
        add32(&directory, 0);
        add32(&directory, 0100755u << 16);
        add32(&directory, (uint32_t)offset);
        piw_put(&directory, m->name);
        piw_put(&directory, "hi");
    }
    size_t begin = out.len;
    piw_put_bytes(&out, directory.data, directory.len);
    add32(&out, 0x06054b50);
    add32(&out, 0);
    add16(&out, (unsigned)count);
    add16(&out, (unsigned)count);
    add32(&out, (uint32_t)directory.len);
    add32(&out, (uint32_t)begin);
    add16(&out, (unsigned)strlen(comment));
    piw_put(&out, comment);
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, filename);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(out.data, 1, out.len, file), out.len);
    fclose(file);
    piw_buffer_fini(&out);
    piw_buffer_fini(&directory);
}

#define INFO "demo-1.0.dist-info/"

static const char metadata[] = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";

static void put_line(piw_buffer *record, const member *m, bool quoted)
{
    uint8_t hash[32];
    char text[45];
    EVP_Digest(m->data, m->len, hash, NULL, EVP_sha256(), NULL);
    EVP_EncodeBlock((unsigned char *)text, hash, sizeof(hash));
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    piw_putf(record, "%s%s%s,sha256=%s,%zu\r\n", quoted ? "\"" : "", m->name, quoted ? "\"" : "", text, m->len);
}

typedef struct kind {
    const char *filename, *wheel;
    int machine; /* of its one library; -1: none */
    bool signed_, unlisted, quoted;
    const char *library; /* its name; NULL: demo.so */
} kind;

static void make(const kind *k)
{
    uint8_t elf[64] = {0x7f, 'E', 'L', 'F', 1, 1, 1, [16] = 3, [18] = (uint8_t)k->machine};
    member members[6] = {{INFO "WHEEL", k->wheel, strlen(k->wheel), true},
                         {"demo.py", "x = 1\n", 6, false},
                         {INFO "METADATA", metadata, sizeof(metadata) - 1, true}};
    size_t count = 3;
    if (k->machine >= 0)
        members[count++] = (member){k->library != NULL ? k->library : "demo.so", elf, sizeof(elf), true};
    piw_buffer record = {0};
    for (size_t i = k->unlisted; i < count; i++)
        put_line(&record, &members[i], k->quoted);
    if (k->signed_)
        members[count++] = (member){INFO "RECORD.jws", "{}", 2, false};
    piw_put(&record, INFO "RECORD,,\r\n");
    members[count++] = (member){INFO "RECORD", record.data, record.len, true};
    write_archive(k->filename, members, count, "as built");
    piw_buffer_fini(&record);
}

static bool is_there(const char *filename)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, filename);
    return access(path, F_OK) == 0;
}

static int rename_for(const char *abi, const char *platform, const char *kernel, piw_buffer *notes, piw_err *err)
{
    slave_settings settings = {0};
    snprintf(settings.abi, sizeof(settings.abi), "%s", abi);
    snprintf(settings.platform, sizeof(settings.platform), "%s", platform);
    snprintf(settings.kernel, sizeof(settings.kernel), "%s", kernel);
    int rc = slave_retag(folder, &settings, notes, err);
    piw_put_bytes(notes, "", 1);
    return rc;
}

static int rename_all(const char *platform, const char *kernel, piw_buffer *notes, piw_err *err)
{
    return rename_for("cp311", platform, kernel, notes, err);
}

static void check_renamed(const char *filename, const char *wheel)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, filename);
    piw_wheel read = {0};
    piw_err err = {0};
    ck_assert_msg(piw_wheel_read(path, filename, &read, &err) == 0, "%s", err.text);
    piw_wheel_fini(&read);
    FILE *file = fopen(path, "r");
    static char data[1 << 16];
    size_t len = fread(data, 1, sizeof(data), file);
    fclose(file);
    ck_assert_int_eq(memcmp(data + len - 8, "as built", 8), 0);
    piw_zip *zip = NULL;
    uint8_t *text = NULL;
    ck_assert_int_eq(piw_zip_open(&zip, data, len, &err), 0);
    ck_assert_int_eq(piw_zip_extract(zip, piw_zip_find(zip, INFO "WHEEL", sizeof(INFO "WHEEL") - 1), 4096, &text, &err),
                     0);
    ck_assert_str_eq((const char *)text, wheel);
    free(text);
    ck_assert_int_eq(piw_zip_extract(zip, piw_zip_find(zip, "demo.py", 7), 4096, &text, &err), 0);
    ck_assert_str_eq((const char *)text, "x = 1\n");
    free(text);
    piw_zip_close(&zip);
}

START_TEST(renamed_as_a_whole)
{
    static const char old[] = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_aarch64\r\n"
                              "tag: cp311-cp311-linux_armv7l\nX: linux_aarch64\n"
                              "Tag: cp311-cp311-manylinux_2_36_aarch64";
    static const char new[] = "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_armv7l\r\n"
                              "tag: cp311-cp311-linux_armv7l\nX: linux_aarch64\n"
                              "Tag: cp311-cp311-linux_armv7l";
    for (int round = 0; round < 2; round++) {
        const kind k = {.filename = "demo-1.0-1x-cp311-cp311-linux_aarch64.whl",
                        .wheel = old,
                        .machine = EM_ARM,
                        .quoted = round & 1};
        make(&k);
        piw_buffer notes = {0};
        piw_err err = {0};
        ck_assert_msg(rename_all("linux_armv7l", "linux_aarch64", &notes, &err) == 0, "%s", err.text);
        ck_assert_str_eq(
            (const char *)notes.data,
            "demo-1.0-1x-cp311-cp311-linux_aarch64.whl was renamed demo-1.0-1x-cp311-cp311-linux_armv7l.whl: "
            "linux_aarch64 is the kernel's name here, the interpreter's platform is linux_armv7l\n");
        piw_buffer_fini(&notes);
        ck_assert(!is_there(k.filename));
        check_renamed("demo-1.0-1x-cp311-cp311-linux_armv7l.whl", new);
        char path[400];
        snprintf(path, sizeof(path), "%s/demo-1.0-1x-cp311-cp311-linux_armv7l.whl", folder);
        unlink(path);
    }
}
END_TEST

START_TEST(for_a_library_before_the_machine)
{
    make(&(kind){"demo-1.0-cp311-cp311-manylinux_2_5_armv7l.whl",
                 "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_5_armv7l\n", EM_ARM});
    piw_buffer notes = {0};
    piw_err err = {0};
    ck_assert_msg(rename_all("linux_armv7l", "linux_armv7l", &notes, &err) == 0, "%s", err.text);
    ck_assert_str_eq((const char *)notes.data,
                     "demo-1.0-cp311-cp311-manylinux_2_5_armv7l.whl was renamed "
                     "demo-1.0-cp311-cp311-linux_armv7l.whl: no installer asks for manylinux_2_5_armv7l\n");
    piw_buffer_fini(&notes);
    ck_assert(!is_there("demo-1.0-cp311-cp311-manylinux_2_5_armv7l.whl"));
    check_renamed("demo-1.0-cp311-cp311-linux_armv7l.whl",
                  "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_armv7l\n");
}
END_TEST

START_TEST(left_as_they_are)
{
    static const kind kinds[] = {
        {"demo-1.0-cp311-cp311-linux_armv7l.whl", "Tag: cp311-cp311-linux_armv7l\n", EM_ARM},
        {"demo-1.0-py3-none-any.whl", "Tag: py3-none-any\n", -1},
        {"demo-1.0-cp311-cp311-linux_ppc64le.whl", "Tag: cp311-cp311-linux_ppc64le\n", EM_PPC64},
        {"nonsense.whl", "", -1},
    };
    for (size_t i = 0; i < PIW_COUNT(kinds); i++)
        make(&kinds[i]);
    piw_buffer notes = {0};
    piw_err err = {0};
    ck_assert_int_eq(rename_all("linux_armv7l", "linux_aarch64", &notes, &err), 0);
    ck_assert_uint_eq(notes.len, 1);
    for (size_t i = 0; i < PIW_COUNT(kinds); i++)
        ck_assert(is_there(kinds[i].filename));
    /* Where kernel and interpreter agree nothing is looked at. */
    make(&(kind){"demo-1.0-cp311-cp311-linux_aarch64.whl", "Tag: cp311-cp311-linux_aarch64\n", EM_AARCH64});
    ck_assert_int_eq(rename_all("linux_aarch64", "linux_aarch64", &notes, &err), 0);
    ck_assert(is_there("demo-1.0-cp311-cp311-linux_aarch64.whl"));
    piw_buffer_fini(&notes);
}
END_TEST

#define ARM_MODULE "pkg/demo.abi3-arm-linux-gnueabihf.so"

START_TEST(stable_modules_of_too_new_a_name)
{
    static const struct {
        kind k;
        const char *abi, *kernel, *renamed, *wheel, *note;
    } cases[] = {
        {{"demo-1.0-cp39-abi3-linux_armv7l.whl",
          "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp39-abi3-linux_armv7l\n", EM_ARM, .library = ARM_MODULE},
         "cp315",
         "linux_armv7l",
         "demo-1.0-cp315-abi3-linux_armv7l.whl",
         "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp315-abi3-linux_armv7l\n",
         "demo-1.0-cp39-abi3-linux_armv7l.whl was renamed demo-1.0-cp315-abi3-linux_armv7l.whl: it holds modules under "
         "names "
         "that cp315 looks for and older interpreters don't\n"},
        {{"demo-1.0-2-cp314-abi3.abi3t-linux_aarch64.whl",
          "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp314-abi3-linux_aarch64\nTag:cp314-abi3t-linux_aarch64",
          EM_ARM, .library = "demo.abi3t-arm-linux-gnueabihf.so"},
         "cp316t",
         "linux_aarch64",
         "demo-1.0-2-cp316-abi3.abi3t-linux_armv7l.whl",
         "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp316-abi3-linux_armv7l\nTag:cp316-abi3t-linux_armv7l",
         "demo-1.0-2-cp314-abi3.abi3t-linux_aarch64.whl was renamed demo-1.0-2-cp316-abi3.abi3t-linux_armv7l.whl: "
         "linux_aarch64 is the kernel's name here, the interpreter's platform is linux_armv7l\n"},
    };
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        make(&cases[i].k);
        piw_buffer notes = {0};
        piw_err err = {0};
        ck_assert_msg(rename_for(cases[i].abi, "linux_armv7l", cases[i].kernel, &notes, &err) == 0, "%s", err.text);
        ck_assert_str_eq((const char *)notes.data, cases[i].note);
        piw_buffer_fini(&notes);
        ck_assert(!is_there(cases[i].k.filename));
        check_renamed(cases[i].renamed, cases[i].wheel);
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", folder, cases[i].renamed);
        unlink(path);
    }
}
END_TEST

START_TEST(stable_modules_that_keep_their_promise)
{
    static const struct {
        kind k;
        const char *abi;
    } cases[] = {
        {{"demo-1.0-cp39-abi3-linux_armv7l.whl", "", EM_ARM, .library = "demo.abi3.so"}, "cp315"},
        {{"demo-1.1-cp39-abi3-linux_armv7l.whl", "", EM_ARM, .library = "demo.abi3-arm-linux-gnueabihf.txt"}, "cp315"},
        {{"demo-1.2-cp315-abi3-linux_armv7l.whl", "", EM_ARM, .library = ARM_MODULE}, "cp315"},
        {{"demo-1.3-cp316-abi3-linux_armv7l.whl", "", EM_ARM, .library = ARM_MODULE}, "cp315"},
        {{"demo-1.4-cp39-cp39-linux_armv7l.whl", "", EM_ARM, .library = ARM_MODULE}, "cp315"},
        {{"demo-1.5-py3-abi3-linux_armv7l.whl", "", EM_ARM, .library = ARM_MODULE}, "cp315"},
        {{"demo-1.6-cp39-abi3-linux_armv7l.whl", "", EM_ARM, .library = ARM_MODULE}, "pypy311_pp73"},
    };
    piw_err err = {0};
    piw_buffer notes = {0};
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        make(&cases[i].k);
        ck_assert_int_eq(rename_for(cases[i].abi, "linux_armv7l", "linux_armv7l", &notes, &err), 0);
        ck_assert_msg(is_there(cases[i].k.filename), "%s", cases[i].k.filename);
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", folder, cases[i].k.filename);
        unlink(path);
    }
    /* What can't be read is refused later. */
    char path[400];
    snprintf(path, sizeof(path), "%s/demo-1.7-cp39-abi3-linux_armv7l.whl", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("no archive", file);
    fclose(file);
    ck_assert_int_eq(rename_for("cp315", "linux_armv7l", "linux_armv7l", &notes, &err), 0);
    ck_assert(is_there("demo-1.7-cp39-abi3-linux_armv7l.whl"));
    piw_buffer_fini(&notes);
}
END_TEST

static void refused(const kind *k, const char *why)
{
    make(k);
    piw_buffer notes = {0};
    piw_err err = {0};
    ck_assert_msg(rename_all("linux_armv7l", "linux_aarch64", &notes, &err) == PIW_EREFUSED, "%s", why);
    ck_assert_msg(strstr(err.text, why) != NULL && strstr(err.text, k->filename) == err.text, "%s", err.text);
    ck_assert(is_there(k->filename));
    piw_buffer_fini(&notes);
}

START_TEST(what_cant_be_renamed_safely)
{
    static const char name[] = "demo-1.0-cp311-cp311-linux_aarch64.whl", tag[] = "Tag: cp311-cp311-linux_aarch64\n";
    refused(&(kind){name, tag, -1}, "it holds no code for armv7l");
    refused(&(kind){name, tag, EM_AARCH64}, "it holds no code for armv7l");
    refused(&(kind){name, tag, EM_ARM, .signed_ = true}, "it is signed");
    refused(&(kind){name, tag, EM_ARM, .unlisted = true}, "its RECORD doesn't list its WHEEL");
    make(&(kind){"demo-1.0-cp311-cp311-linux_armv7l.whl", tag, EM_ARM});
    refused(&(kind){name, tag, EM_ARM}, "there is a wheel demo-1.0-cp311-cp311-linux_armv7l.whl already");
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    ck_assert_int_eq(truncate(path, 100), 0);
    piw_buffer notes = {0};
    piw_err err = {0};
    ck_assert_int_eq(rename_all("linux_armv7l", "linux_aarch64", &notes, &err), PIW_EREFUSED);
    piw_buffer_fini(&notes);
}
END_TEST

static void teardown(void)
{
    unit_remove(folder);
}

Suite *unit_suite(void)
{
    Suite *suite = suite_create("retag");
    TCase *tests = tcase_create("retag");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, tags_of_the_kernel);
    tcase_add_test(tests, renamed_as_a_whole);
    tcase_add_test(tests, for_a_library_before_the_machine);
    tcase_add_test(tests, left_as_they_are);
    tcase_add_test(tests, what_cant_be_renamed_safely);
    tcase_add_test(tests, stable_modules_of_too_new_a_name);
    tcase_add_test(tests, stable_modules_that_keep_their_promise);
    suite_add_tcase(suite, tests);
    return suite;
}
