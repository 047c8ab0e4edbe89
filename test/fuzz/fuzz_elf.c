/* ELF files: header, dynamic section, symbols, and the build attributes of 32-bit ARM. */
#include "fuzz.h"

#include "shared/arm_code.h"
#include "shared/elf.h"

static int need(void *arg, const char *library, const char *search_path)
{
    size_t *count = arg;
    ++*count;
    return strlen(library) + strlen(search_path) > (1U << 20); /* read to their ends */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_elf_head head = piw_elf_head_of(data, len);
    FUZZ_HOLDS(head.elf || (head.machine == 0 && head.type == 0));
    static const char *const tags[] = {"any", "linux_armv7l", "linux_aarch64.linux_x86_64", "manylinux_2_17_ppc64le"};
    for (size_t i = 0; i < PIW_COUNT(tags); i++)
        piw_platform_fits(tags[i], &head);
    piw_elf_exports(data, len, "PyInit_demo");
    size_t count = 0;
    piw_elf_needs(data, len, need, &count);
    piw_arm_code_of(data, len);
    return 0;
}
