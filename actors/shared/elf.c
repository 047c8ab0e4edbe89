#include "shared/elf.h"

#include <elf.h>

int piw_elf_machine(const uint8_t *head, size_t len)
{
    if (len < PIW_ELF_HEAD || memcmp(head, ELFMAG, SELFMAG) != 0)
        return -1;
    return head[EI_DATA] == ELFDATA2MSB ? head[18] << 8 | head[19] : head[19] << 8 | head[18];
}

int piw_platform_machine(const char *platform_tag)
{
    static const struct {
        const char *suffix;
        int machine;
    } known[] = {
        {"_armv6l", EM_ARM},    {"_armv7l", EM_ARM}, {"_armhf", EM_ARM},     {"_aarch64", EM_AARCH64},
        {"_x86_64", EM_X86_64}, {"_i686", EM_386},   {"_i386", EM_386},      {"_ppc64le", EM_PPC64},
        {"_ppc64", EM_PPC64},   {"_s390x", EM_S390}, {"_riscv64", EM_RISCV},
    };
    size_t len = strlen(platform_tag);
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        size_t n = strlen(known[i].suffix);
        if (len > n && strcmp(platform_tag + len - n, known[i].suffix) == 0)
            return known[i].machine;
    }
    return -1;
}
