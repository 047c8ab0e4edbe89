/* machine.c — this machine: memory, load, temperature, and what it is. Everything is read from small files of the
 * kernel; what isn't there is 0 or "unknown". */
#include "big_brother/brother.h"
#include "shared/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 65536, FACT_MAX = 200 };

/* The file's text, NUL-terminated; false when it can't be read. */
static bool slurp(const char *path, char *to, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t len = fread(to, 1, size - 1, file);
    bool good = ferror(file) == 0;
    fclose(file);
    to[len] = '\0';
    return good;
}

/* The value of a line `KEY<separators>VALUE`, without quotes. */
static bool find_line(const char *text, const char *key, const char *separators, char *to, size_t size)
{
    size_t key_len = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *next = strchr(line, '\n');
        if (strncmp(line, key, key_len) == 0 && strchr(separators, line[key_len]) != NULL && line[key_len] != '\0') {
            const char *value = line + key_len + strspn(line + key_len, separators);
            value += *value == '"';
            size_t len = strcspn(value, "\"\n");
            len = len < size ? len : size - 1;
            memcpy(to, value, len);
            to[len] = '\0';
            return len > 0;
        }
        line = next != NULL ? next + 1 : NULL;
    }
    return false;
}

static int64_t find_kib(const char *text, const char *key)
{
    char value[64];
    return find_line(text, key, ": \t", value, sizeof(value)) ? strtoll(value, NULL, 10) * 1024 : 0;
}

void brother_machine(master_stats *stats)
{
    static const char thermal[] = "/sys/class/thermal/thermal_zone0/temp";
    char *text = piw_alloc(FILE_MAX);
    if (slurp("/proc/meminfo", text, FILE_MAX)) {
        stats->mem_size = find_kib(text, "MemTotal");
        stats->mem_free = find_kib(text, "MemAvailable");
        stats->swap_size = find_kib(text, "SwapTotal");
        stats->swap_free = find_kib(text, "SwapFree");
    }
    double load;
    stats->load_average = getloadavg(&load, 1) == 1 ? load : 0.0;
    stats->cpu_temp = slurp(thermal, text, FILE_MAX) ? (double)strtol(text, NULL, 10) / 1000.0 : 0.0;
    free(text);
}

piw_msg *brother_master_hello(piw_time started)
{
    char label[256] = "", name[FACT_MAX] = "unknown", version[FACT_MAX] = "unknown";
    char revision[PIW_BOARD_FACT], serial[PIW_BOARD_FACT];
    char *release = piw_alloc(FILE_MAX);
    if (slurp("/etc/os-release", release, FILE_MAX) || slurp("/usr/lib/os-release", release, FILE_MAX)) {
        find_line(release, "NAME", "=", name, sizeof(name));
        find_line(release, "VERSION", "=", version, sizeof(version));
    }
    free(release);
    if (gethostname(label, sizeof(label) - 1) != 0)
        snprintf(label, sizeof(label), "unknown");
    piw_board_revision(PIW_BOARD_FOLDER, revision);
    piw_board_serial(PIW_BOARD_FOLDER, serial);
    return status_HELLO_make(started, piw_text_of(label), piw_text_of(name), piw_text_of(version),
                             piw_text_of(revision), piw_text_of(serial));
}
