/* board.c — which Raspberry Pi this is, and what a revision code stands for. */
#include "shared/board.h"

#include "piw/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- What the firmware tells ------------------------------------------------------------------------------------- */

/* A property of the device tree: one big-endian number of so many bytes, and nothing else. */
static bool read_number(const char *folder, const char *name, size_t size, uint64_t *value)
{
    char path[512];
    uint8_t bytes[sizeof(*value) + 1];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t used = 0;
    ssize_t n;
    while (used < sizeof(bytes) && (n = read(fd, bytes + used, sizeof(bytes) - used)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    *value = 0;
    for (size_t i = 0; i < used && i < size; i++)
        *value = *value << 8 | bytes[i];
    return used == size;
}

static void put_number(const char *folder, const char *name, size_t size, char *to)
{
    uint64_t value;
    if (read_number(folder, name, size, &value))
        snprintf(to, PIW_BOARD_FACT, "%llx", (unsigned long long)value);
    else
        snprintf(to, PIW_BOARD_FACT, "unknown");
}

void piw_board_revision(const char *folder, char *to)
{
    put_number(folder, "linux,revision", 4, to);
}

void piw_board_serial(const char *folder, char *to)
{
    put_number(folder, "linux,serial", 8, to);
}

/* --- What a code stands for: "Raspberry Pi revision codes" in Raspberry Pi's documentation ------------------------ */

enum {
    CODE_DIGITS = 8,
    NEW_STYLE = 1 << 23,
    OLD_STYLE_MASK = 0xffff, /* above it old codes have a bit that tells that the warranty is void */
};

static const char *const new_types[] = {
    [0x00] = "Model A",
    [0x01] = "Model B",
    [0x02] = "Model A+",
    [0x03] = "Model B+",
    [0x04] = "2 Model B",
    [0x06] = "Compute Module 1",
    [0x08] = "3 Model B",
    [0x09] = "Zero",
    [0x0a] = "Compute Module 3",
    [0x0c] = "Zero W",
    [0x0d] = "3 Model B+",
    [0x0e] = "3 Model A+",
    [0x10] = "Compute Module 3+",
    [0x11] = "4 Model B",
    [0x12] = "Zero 2 W",
    [0x13] = "400",
    [0x14] = "Compute Module 4",
    [0x15] = "Compute Module 4S",
    [0x17] = "5 Model B",
    [0x18] = "Compute Module 5",
    [0x19] = "500",
    [0x1a] = "Compute Module 5 Lite",
};

static const char *const new_memories[] = {"256 MB", "512 MB", "1 GB", "2 GB", "4 GB", "8 GB", "16 GB"};

/* Codes from before August 2014 are mere numbers. */
static const struct {
    uint32_t code;
    const char *name;
} old_boards[] = {
    {0x02, "Model B 1.0, 256 MB"},          {0x03, "Model B 1.0, 256 MB"},         {0x04, "Model B 2.0, 256 MB"},
    {0x05, "Model B 2.0, 256 MB"},          {0x06, "Model B 2.0, 256 MB"},         {0x07, "Model A 2.0, 256 MB"},
    {0x08, "Model A 2.0, 256 MB"},          {0x09, "Model A 2.0, 256 MB"},         {0x0d, "Model B 2.0, 512 MB"},
    {0x0e, "Model B 2.0, 512 MB"},          {0x0f, "Model B 2.0, 512 MB"},         {0x10, "Model B+ 1.2, 512 MB"},
    {0x11, "Compute Module 1 1.0, 512 MB"}, {0x12, "Model A+ 1.1, 256 MB"},        {0x13, "Model B+ 1.2, 512 MB"},
    {0x14, "Compute Module 1 1.0, 512 MB"}, {0x15, "Model A+ 1.1, 256 or 512 MB"},
};

static bool name_new(uint32_t code, char *to)
{
    size_t type = code >> 4 & 0xff, memory = code >> 20 & 7;
    if (type >= PIW_COUNT(new_types) || new_types[type] == NULL || memory >= PIW_COUNT(new_memories))
        return false;
    snprintf(to, PIW_BOARD_NAME, "Pi %s 1.%u, %s", new_types[type], code & 0xf, new_memories[memory]);
    return true;
}

static bool name_old(uint32_t code, char *to)
{
    for (size_t i = 0; i < PIW_COUNT(old_boards); i++) {
        if (old_boards[i].code == (code & OLD_STYLE_MASK)) {
            snprintf(to, PIW_BOARD_NAME, "Pi %s", old_boards[i].name);
            return true;
        }
    }
    return false;
}

bool piw_board_name(const char *code, char *to)
{
    size_t len = strlen(code);
    to[0] = '\0';
    if (len == 0 || len > CODE_DIGITS || strspn(code, "0123456789abcdefABCDEF") != len)
        return false;
    uint32_t value = (uint32_t)strtoul(code, NULL, 16);
    return (value & NEW_STYLE) != 0 ? name_new(value, to) : name_old(value, to);
}
