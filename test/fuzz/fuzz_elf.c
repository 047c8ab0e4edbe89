/* ELF files: header, dynamic section, symbols, and the build attributes of 32-bit ARM; the whole, and the excerpt of it. */
#include "fuzz.h"

#include "shared/arm_code.h"
#include "shared/elf_excerpt.h"

#include <zlib.h>

static int need(void *arg, const char *library, const char *search_path)
{
    size_t *count = arg;
    ++*count;
    return strlen(library) + strlen(search_path) > (1U << 20); /* read to their ends */
}

static void look_into(const uint8_t *data, size_t len)
{
    size_t count = 0;
    piw_elf_exports(data, len, "PyInit_demo");
    piw_elf_needs(data, len, need, &count);
    piw_elf_versions(data, len, need, &count);
    piw_arm_code_of(data, len);
}

static uint8_t *put(uint8_t *at, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, value >>= 8)
        *at++ = (uint8_t)value;
    return at;
}

/* What stands in both headers of the one member "x", which is stored. */
static uint8_t *put_facts(uint8_t *at, const uint8_t *data, size_t len)
{
    at = put(put(put(put(at, 20, 2), 0, 2), 0, 2), 0, 4);
    at = put(at, (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, len), 4);
    return put(put(put(put(at, (uint32_t)len, 4), (uint32_t)len, 4), 1, 2), 0, 2);
}

/* The same file as a wheel's only member. */
static void look_at_excerpt(const uint8_t *data, size_t len)
{
    uint8_t *archive = malloc(len + 128), *at = put(archive, 0x04034b50, 4), *excerpt;
    FUZZ_HOLDS(archive != NULL);
    at = put(put_facts(at, data, len), 'x', 1);
    memcpy(at, data, len);
    at += len;
    size_t directory = (size_t)(at - archive), size;
    at = put_facts(put(put(at, 0x02014b50, 4), 3 << 8 | 20, 2), data, len);
    at = put(put(put(put(at, 0, 4), 0, 2), 0100644u << 16, 4), 0, 4);
    at = put(at, 'x', 1);
    size_t end = (size_t)(at - archive);
    at = put(put(put(put(at, 0x06054b50, 4), 0, 4), 1, 2), 1, 2);
    at = put(put(put(at, (uint32_t)(end - directory), 4), (uint32_t)directory, 4), 0, 2);
    piw_zip *zip;
    piw_err err = {0};
    FUZZ_HOLDS(piw_zip_open(&zip, archive, (size_t)(at - archive), &err) == 0);
    FUZZ_HOLDS(piw_elf_excerpt(zip, piw_zip_at(zip, 0), &excerpt, &size, &err) == 0);
    FUZZ_HOLDS(size <= PIW_ELF_EXCERPT_MAX && (excerpt != NULL || size == 0));
    if (excerpt != NULL)
        look_into(excerpt, size);
    free(excerpt);
    piw_zip_close(&zip);
    free(archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_elf_head head = piw_elf_head_of(data, len);
    FUZZ_HOLDS(head.elf || (head.machine == 0 && head.type == 0));
    static const char *const tags[] = {"any", "linux_armv7l", "linux_aarch64.linux_x86_64", "manylinux_2_17_ppc64le"};
    for (size_t i = 0; i < PIW_COUNT(tags); i++)
        piw_platform_fits(tags[i], &head);
    look_into(data, len);
    if (head.elf)
        look_at_excerpt(data, len);
    return 0;
}
