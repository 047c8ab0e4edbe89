/* The strict ZIP reader and the wheel gate, over sound and hostile archives. */
#include "shared/wheel.h"
#include "shared/zip.h"

#include "unit.h"
#include "wheel_maker.h"

#include <unistd.h>

/* --- Archives --- */

/* Open the bytes; what it says when it refuses them. Frees them. */
static const char *refusal(piw_buffer bytes)
{
    static piw_err err;
    err = (piw_err){0};
    piw_zip *zip;
    int rc = piw_zip_open(&zip, bytes.data, bytes.len, &err);
    piw_zip_close(&zip);
    piw_buffer_fini(&bytes);
    ck_assert_int_eq(rc == 0, err.code == 0);
    return rc == 0 ? NULL : err.text;
}

static void ck_refused(piw_buffer bytes, const char *word)
{
    const char *text = refusal(bytes);
    ck_assert_msg(text != NULL, "it was taken, \"%s\" was awaited", word);
    ck_assert_msg(strstr(text, word) != NULL, "\"%s\" says nothing of \"%s\"", text, word);
}

static piw_buffer with(const char *name, const maker_odd *odd)
{
    maker m = {0};
    maker_add(&m, "first.py", "1", 1, NULL);
    maker_add(&m, name, "some words", 10, odd);
    maker_add(&m, "last.py", "2", 1, NULL);
    return maker_end(&m);
}

START_TEST(a_sound_archive_is_read)
{
    maker m = {.comment = "made by hand"};
    char large[300000];
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * i % 251);
    maker_add(&m, "a/", "", 0, &(maker_odd){.mode = 040755});
    maker_add(&m, "a/large", large, sizeof(large), &(maker_odd){.deflate = true, .descriptor = true});
    maker_add(&m, "b", "stored", 6, NULL);
    maker_add(&m, "c", "", 0, &(maker_odd){.deflate = true});
    maker_add(&m, "\xc3\xa4", "umlaut", 6, &(maker_odd){.flags = 1 << 11});
    piw_buffer bytes = maker_end(&m);
    piw_zip *zip;
    piw_err err = {0};
    ck_assert_msg(piw_zip_open(&zip, bytes.data, bytes.len, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(piw_zip_count(zip), 5);
    const piw_zip_entry *entry = piw_zip_find(zip, "a/large", 7);
    ck_assert_ptr_nonnull(entry);
    uint8_t *data;
    ck_assert_int_eq(piw_zip_extract(zip, entry, sizeof(large), &data, &err), 0);
    ck_assert_mem_eq(data, large, sizeof(large));
    free(data);
    ck_assert_int_eq(piw_zip_extract(zip, entry, sizeof(large) - 1, &data, &err), PIW_ELIMIT);
    err = (piw_err){0};
    ck_assert_int_eq(piw_zip_extract(zip, piw_zip_find(zip, "c", 1), 0, &data, &err), 0);
    free(data);
    ck_assert_ptr_null(piw_zip_find(zip, "a/larg", 6));
    piw_zip_close(&zip);
    piw_buffer_fini(&bytes);
}
END_TEST

START_TEST(names_that_leave_the_folder_are_refused)
{
    static const char *const bad[] = {"/etc/x", "../x", "a/../x", "a/..", "./x",  "a//b",
                                      "a\\b",   "c:x",  "a\nb",   "..",   "a/./b"};
    ck_assert_ptr_null(refusal(with("fine", NULL)));
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_refused(with(bad[i], NULL), "name");
    ck_refused(with("", NULL), "empty name");
    ck_refused(with("\xc3\xa4", NULL), "non-ASCII");
    ck_refused(with("\xff\xfe", &(maker_odd){.flags = 1 << 11}), "UTF-8");
}
END_TEST

START_TEST(what_two_readers_would_see_differently_is_refused)
{
    ck_refused(with("first.py", NULL), "twice");
    ck_refused(with("first.py/x", NULL), "a file");
    ck_refused(with("x", &(maker_odd){.local_name = "y"}), "differs");
    ck_refused(with("x", &(maker_odd){.behind = "hidden"}), "directly");
    ck_refused(with("x", &(maker_odd){.size_add = 1}), "sizes");
    ck_refused(with("x", &(maker_odd){.flags = 1}), "encrypted");
    ck_refused(with("x", &(maker_odd){.method = 12}), "method");
    ck_refused(with("x", &(maker_odd){.mode = 0120777}), "symbolic link");
    ck_refused(with("x", &(maker_odd){.mode = 020666}), "special file");
    ck_refused(with("x", &(maker_odd){.mode = 040755}), "folder");
    ck_refused(with("x/", NULL), "folder");
}
END_TEST

START_TEST(what_surrounds_an_archive_is_refused)
{
    piw_buffer bytes = with("x", NULL), more = {0};
    maker_put(&more, "#!/bin/sh\n", 10);
    maker_put(&more, bytes.data, bytes.len);
    ck_refused(more, "central directory");
    maker_put(&bytes, "trailing", 8);
    ck_refused(bytes, "end of the file");
    maker m = {0};
    maker_add(&m, "x", "1", 1, &(maker_odd){.behind = "tail"});
    ck_refused(maker_end(&m), "no member");
    ck_refused(maker_end(&(maker){0}), "empty");
    piw_buffer none = {0};
    maker_put(&none, "PK", 2);
    ck_refused(none, "too short");
    piw_buffer text = {0};
    for (int i = 0; i < 10000; i++)
        maker_put(&text, "no archive", 10);
    ck_refused(text, "isn't a ZIP");
}
END_TEST

static int count_bytes(void *arg, const uint8_t *data, size_t len)
{
    (void)data;
    *(size_t *)arg += len;
    return 0;
}

START_TEST(contents_are_checked)
{
    maker m = {0};
    maker_add(&m, "x", "some words", 10, &(maker_odd){.crc_xor = 1});
    maker_add(&m, "short", "some words", 10, &(maker_odd){.deflate = true, .size_add = 1});
    maker_add(&m, "long", "some words", 10, &(maker_odd){.deflate = true, .size_add = -1});
    piw_buffer bytes = maker_end(&m);
    piw_zip *zip;
    ck_assert_int_eq(piw_zip_open(&zip, bytes.data, bytes.len, NULL), 0);
    static const char *const words[] = {"checksum", "smaller", "larger"};
    for (size_t i = 0; i < PIW_COUNT(words); i++) {
        piw_err err = {0};
        size_t n = 0;
        ck_assert_int_eq(piw_zip_read(zip, piw_zip_at(zip, i), count_bytes, &n, &err), PIW_EREFUSED);
        ck_assert_msg(strstr(err.text, words[i]) != NULL, "%s", err.text);
    }
    piw_zip_close(&zip);
    piw_buffer_fini(&bytes);
}
END_TEST

START_TEST(bombs_are_refused_before_they_are_unpacked)
{
    maker m = {0};
    size_t size = 100 << 20;
    char *zeros = calloc(1, size);
    maker_add(&m, "zeros", zeros, size, &(maker_odd){.deflate = true});
    ck_refused(maker_end(&m), "too many for its size");
    free(zeros);
}
END_TEST

/* Every archive cut short or with a byte changed gives an answer; sanitizers watch. */
START_TEST(damaged_archives_do_no_harm)
{
    piw_buffer bytes = maker_wheel("gold", "1.0", "");
    for (size_t len = 0; len < bytes.len; len += 3) {
        piw_zip *zip;
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, bytes.data, len);
        ck_assert_int_ne(piw_zip_open(&zip, copy, len, NULL), 0);
        free(copy);
    }
    for (size_t at = 0; at < bytes.len; at++) {
        piw_zip *zip;
        bytes.data[at] ^= 0x5a;
        if (piw_zip_open(&zip, bytes.data, bytes.len, NULL) == 0) {
            size_t n = 0;
            for (size_t i = 0; i < piw_zip_count(zip); i++)
                piw_zip_read(zip, piw_zip_at(zip, i), count_bytes, &n, NULL);
            piw_zip_close(&zip);
        }
        bytes.data[at] ^= 0x5a;
    }
    piw_buffer_fini(&bytes);
}
END_TEST

/* --- The gate --- */

static char path[64];

static void make_path(void)
{
    snprintf(path, sizeof(path), "/tmp/piw-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_path(void)
{
    unlink(path);
}

/* Read the bytes as a wheel of this name; the sentence when it is refused, else NULL. Frees them. */
static const char *gate(piw_buffer bytes, const char *filename)
{
    static piw_err err;
    err = (piw_err){0};
    maker_save(&bytes, path);
    piw_buffer_fini(&bytes);
    piw_wheel wheel;
    int rc = piw_wheel_read(path, filename, &wheel, &err);
    if (rc == 0)
        piw_wheel_fini(&wheel);
    return rc == 0 ? NULL : err.text;
}

static void ck_gate(piw_buffer bytes, const char *filename, const char *word)
{
    const char *text = gate(bytes, filename);
    ck_assert_msg(text != NULL, "it was taken, \"%s\" was awaited", word);
    ck_assert_msg(strstr(text, word) != NULL, "\"%s\" says nothing of \"%s\"", text, word);
    ck_assert_msg(strstr(text, filename) != NULL, "\"%s\" doesn't name the file", text);
}

START_TEST(a_sound_wheel_passes)
{
    piw_buffer bytes = maker_wheel("Gold.Pure", "1.2", "Requires-Python: >=3.6\nRequires-Dist: tomli\n");
    char hash[65], other[65];
    maker_hash(&bytes, hash);
    maker_save(&bytes, path);
    piw_wheel wheel;
    piw_err err = {0};
    ck_assert_msg(piw_wheel_read(path, "gold_pure-1.2.0-py3-none-any.whl", &wheel, &err) == 0, "%s", err.text);
    ck_assert_str_eq(wheel.filehash, hash);
    ck_assert_int_eq(wheel.filesize, (int64_t)bytes.len);
    ck_assert_str_eq(wheel.metadata.requires_python, ">=3.6");
    ck_assert_uint_eq(wheel.metadata.requires_count, 1);
    piw_buffer metadata = {wheel.metadata_bytes, wheel.metadata_len, wheel.metadata_len};
    maker_hash(&metadata, other);
    ck_assert_str_eq(wheel.metadata_hash, other);
    ck_assert_mem_eq(wheel.metadata_bytes, "Metadata-Version: 2.1\nName: Gold.Pure\n", 38);
    piw_wheel_fini(&wheel);
    int64_t size;
    ck_assert_int_eq(piw_file_hash(path, other, &size, &err), 0);
    ck_assert_str_eq(other, hash);
    piw_buffer_fini(&bytes);
}
END_TEST

START_TEST(wheels_of_other_names_are_refused)
{
    ck_gate(maker_wheel("gold", "1.0", ""), "silver-1.0-py3-none-any.whl", "another package or version");
    ck_gate(maker_wheel("gold", "1.0", ""), "gold-1.1-py3-none-any.whl", "another package or version");
    ck_gate(maker_wheel("gold", "1.0", "Name: silver\n"), "gold-1.0-py3-none-any.whl", "two fields Name");
    ck_gate(maker_wheel("gold", "1.0", ""), "gold.whl", "form");
    maker m = {0};
    static const char text[] = "Metadata-Version: 2.1\nName: silver\nVersion: 1.0\n\n";
    maker_file(&m, "gold-1.0.dist-info/METADATA", text, sizeof(text) - 1, NULL);
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "silver");
}
END_TEST

START_TEST(wheels_without_their_papers_are_refused)
{
    maker m = {0};
    maker_file(&m, "gold/__init__.py", "", 0, NULL);
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "no .dist-info");
    maker_add(&m, "gold-1.0.dist-info/RECORD", "", 0, NULL);
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "no METADATA");
    maker_dist_info(&m, "gold", "1.0", "");
    maker_add(&m, "gold-1.1.dist-info/METADATA", "", 0, NULL);
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "more than one");
}
END_TEST

START_TEST(the_record_must_be_right)
{
    maker m = {0};
    maker_dist_info(&m, "gold", "1.0", "");
    maker_add(&m, "gold/unlisted.py", "1", 1, NULL);
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "isn't listed");
    maker_add(&m, "gold/changed.py", "1", 1, NULL);
    maker_record(&m, "gold/changed.py", "2", 1);
    maker_dist_info(&m, "gold", "1.0", "");
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "another hash");
    maker_record(&m, "gold/absent.py", "2", 1);
    maker_dist_info(&m, "gold", "1.0", "");
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "isn't there");
    maker_add(&m, "gold/x.py", "1", 1, NULL);
    maker_put(&m.record, "gold/x.py,,\n", 12);
    maker_dist_info(&m, "gold", "1.0", "");
    ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "no hash");
}
END_TEST

START_TEST(longer_hashes_are_verified)
{
    static const char *const algorithms[] = {"sha384", "sha512"};
    for (size_t i = 0; i < PIW_COUNT(algorithms); i++) {
        maker m = {.hash = algorithms[i]};
        maker_file(&m, "gold/x.py", "1", 1, NULL);
        maker_dist_info(&m, "gold", "1.0", "");
        const char *why = gate(maker_end(&m), "gold-1.0-py3-none-any.whl");
        ck_assert_msg(why == NULL, "%s", why);
        m.hash = algorithms[i];
        maker_add(&m, "gold/changed.py", "1", 1, NULL);
        maker_record(&m, "gold/changed.py", "2", 1);
        maker_dist_info(&m, "gold", "1.0", "");
        ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "another hash");
    }
    static const char *const weak[] = {"md5", "sha1"};
    for (size_t i = 0; i < PIW_COUNT(weak); i++) {
        maker m = {.hash = weak[i]};
        maker_dist_info(&m, "gold", "1.0", "");
        ck_gate(maker_end(&m), "gold-1.0-py3-none-any.whl", "isn't a SHA-256, SHA-384 or SHA-512");
    }
}
END_TEST

START_TEST(names_that_no_installer_reads_are_refused)
{
    ck_gate(maker_wheel("gold", "latest", ""), "gold-latest-py3-none-any.whl", "PEP 440");
    ck_gate(maker_wheel("gold", "1.0_1", ""), "gold-1.0_1-py3-none-any.whl", "PEP 440");
}
END_TEST

START_TEST(metadata_of_an_unknown_form_is_refused)
{
    static const struct {
        const char *version;
        bool known;
    } cases[] = {{"Metadata-Version: 1.0\n", true},  {"Metadata-Version: 2.9\n", true},
                 {"Metadata-Version: 3.0\n", false}, {"Metadata-Version: 2\n", false},
                 {"Metadata-Version: 2.x\n", false}, {"", false}};
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char text[128];
        int n = snprintf(text, sizeof(text), "%sName: gold\nVersion: 1.0\n\n", cases[i].version);
        maker m = {0};
        maker_file(&m, "gold-1.0.dist-info/METADATA", text, (size_t)n, NULL);
        const char *why = gate(maker_end(&m), "gold-1.0-py3-none-any.whl");
        /* Of those that are known, the next thing is missing. */
        ck_assert_msg(strstr(why, cases[i].known ? "no WHEEL" : "of the format") != NULL, "%s", why);
    }
}
END_TEST

START_TEST(libraries_for_another_processor_are_refused)
{
    static const uint8_t elf[64] = {0x7f, 'E', 'L', 'F', 1, 1, 1, [18] = 40};
    maker m = {0};
    maker_file(&m, "gold/x.so", elf, sizeof(elf), NULL);
    maker_dist_info(&m, "gold", "1.0", "");
    piw_buffer bytes = maker_end(&m), again = {0};
    maker_put(&again, bytes.data, bytes.len);
    ck_assert_ptr_null(gate(bytes, "gold-1.0-cp311-cp311-linux_armv7l.whl"));
    ck_gate(again, "gold-1.0-cp311-cp311-linux_x86_64.whl", "another processor");
}
END_TEST

START_TEST(a_wrong_hash_is_told_from_a_bad_wheel)
{
    piw_buffer bytes = maker_wheel("gold", "1.0", "");
    bytes.data[60] ^= 1;
    maker_save(&bytes, path);
    piw_buffer_fini(&bytes);
    FILE *file = fopen(path, "rb");
    piw_wheel wheel;
    piw_err err = {0};
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    ck_assert_int_eq(piw_wheel_read_fd(fileno(file), "gold-1.0-py3-none-any.whl", zeros, NULL, &wheel, &err),
                     PIW_EAGAIN);
    err = (piw_err){0};
    ck_assert_int_eq(piw_wheel_read_fd(fileno(file), "gold-1.0-py3-none-any.whl", NULL, NULL, &wheel, &err),
                     PIW_EREFUSED);
    fclose(file);
    err = (piw_err){0};
    ck_assert_int_eq(piw_wheel_read("/tmp/piw-is-not-there", "gold-1.0-py3-none-any.whl", &wheel, &err), PIW_ENOENT);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("zip");
    TCase *archives = tcase_create("archives");
    tcase_set_timeout(archives, 60);
    tcase_add_test(archives, a_sound_archive_is_read);
    tcase_add_test(archives, names_that_leave_the_folder_are_refused);
    tcase_add_test(archives, what_two_readers_would_see_differently_is_refused);
    tcase_add_test(archives, what_surrounds_an_archive_is_refused);
    tcase_add_test(archives, contents_are_checked);
    tcase_add_test(archives, bombs_are_refused_before_they_are_unpacked);
    tcase_add_test(archives, damaged_archives_do_no_harm);
    suite_add_tcase(suite, archives);
    TCase *wheels = tcase_create("wheels");
    tcase_add_checked_fixture(wheels, make_path, remove_path);
    tcase_add_test(wheels, a_sound_wheel_passes);
    tcase_add_test(wheels, wheels_of_other_names_are_refused);
    tcase_add_test(wheels, wheels_without_their_papers_are_refused);
    tcase_add_test(wheels, the_record_must_be_right);
    tcase_add_test(wheels, longer_hashes_are_verified);
    tcase_add_test(wheels, names_that_no_installer_reads_are_refused);
    tcase_add_test(wheels, metadata_of_an_unknown_form_is_refused);
    tcase_add_test(wheels, libraries_for_another_processor_are_refused);
    tcase_add_test(wheels, a_wrong_hash_is_told_from_a_bad_wheel);
    suite_add_tcase(suite, wheels);
    return suite;
}
