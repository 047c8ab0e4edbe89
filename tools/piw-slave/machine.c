/* machine.c — what the slave says of the machine that it runs on. */
#include "machine.h"

#include "build.h"
#include "process.h"
#include "shared/abi.h"
#include "shared/board.h"
#include "shared/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PYTHON_MS = 60000, /* the first start of an interpreter on a small board */
    FACTS_MAX = 4096,
    FILE_MAX = 65536, /* bytes of a file in /proc or /etc */
    LINE_MAX_CHARS = 200,
};

/* The platform that wheels are for is the interpreter's, which may be of 32 bits under a kernel of 64 (the default of a
 * Raspberry Pi), or of 64 under one that was told to say 32 (setarch); uname only knows the kernel. Printed: version, ABI
 * tag, platform tag, and the tag that the kernel's name would give. */
static const char script[] =
    "import struct, sys, sysconfig\n"
    "kernel = sysconfig.get_platform().replace('-', '_').replace('.', '_')\n"
    "wide = struct.calcsize('P') == 8\n"
    "system, _, machine = kernel.partition('_')\n"
    "for narrow, broad in (('i686', 'x86_64'), ('armv8l', 'aarch64'), ('armv7l', 'aarch64')):\n"
    "    if machine in (narrow, broad):\n"
    "        machine = broad if wide else narrow.replace('armv8l', 'armv7l')\n"
    "        break\n"
    "version = '%d%d' % sys.version_info[:2]\n"
    "print(version, 'cp' + version + sys.abiflags, system + '_' + machine, kernel)\n";

int slave_machine_python(slave_settings *settings, piw_err *err)
{
    const char *argv[] = {settings->python, "-I", "-c", script, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    slave_command command = {.argv = argv, .env = env, .dir = "/"};
    piw_buffer output = {0};
    int status = 0;
    int rc = slave_process_run(&command, PYTHON_MS, FACTS_MAX, &output, &status, err);
    if (rc == 0 && piw_buffer_add(&output, "", 1) != 0)
        rc = piw_err_set(err, PIW_ENOMEM, "no memory");
    if (rc == 0 && (status != 0 || sscanf((const char *)output.data, "%15s %31s %63s %63s", settings->py_version,
                                          settings->abi, settings->platform, settings->kernel) != 4))
        rc = piw_err_set(err, PIW_ESYS, "%s doesn't say its version; is it a Python 3 interpreter?", settings->python);
    if (rc == 0 && !piw_abi_acceptable(piw_text_of(settings->abi)))
        rc = piw_err_set(err, PIW_ESYS, "%s has an unusable ABI tag %s", settings->python, settings->abi);
    piw_buffer_fini(&output);
    return rc;
}

/* The beginning of a small file (those in /proc have no size), NUL-terminated. False: it can't be read. */
static bool read_small(const char *path, char *to, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t used = 0;
    ssize_t n;
    while (used + 1 < size && (n = read(fd, to + used, size - 1 - used)) > 0)
        used += (size_t)n;
    to[used] = '\0';
    close(fd);
    return used > 0;
}

/* The value after `key` and `between` in the first line of a file that begins so, without quotes; else "unknown". */
static piw_text value_in(piw_msg *msg, const char *path, const char *key, const char *between)
{
    char data[FILE_MAX];
    char value[LINE_MAX_CHARS + 1] = "unknown";
    if (read_small(path, data, sizeof(data))) {
        char *rest = data, *line;
        size_t n = strlen(key);
        while ((line = strsep(&rest, "\n")) != NULL) {
            if (strncmp(line, key, n) != 0)
                continue;
            line += n;
            line += strspn(line, between);
            size_t end = strlen(line);
            while (end > 0 && strchr(" \t\r\"'", line[end - 1]) != NULL)
                end--;
            if (end > 0 && piw_utf8_valid(line, end) == end)
                snprintf(value, sizeof(value), "%.*s", (int)end, line);
            break;
        }
    }
    return piw_msg_text(msg, value, piw_utf8_valid(value, strlen(value)));
}

static const slave_claim *claim_of(piw_msg *msg, const slave *s)
{
    slave_claim *claim = piw_msg_alloc(msg, sizeof(*claim));
    *claim = (slave_claim){.slave_id = s->id,
                           .package = piw_msg_textz(msg, slave_build_package(s->build)),
                           .version = piw_msg_textz(msg, slave_build_version(s->build)),
                           .elapsed = slave_build_elapsed(s->build)};
    return claim;
}

piw_msg *slave_machine_hello(const slave *s)
{
    const slave_settings *settings = &s->settings;
    char revision[PIW_BOARD_FACT], serial[PIW_BOARD_FACT];
    piw_board_revision(PIW_BOARD_FOLDER, revision);
    piw_board_serial(PIW_BOARD_FOLDER, serial);
    slave_hello *hello;
    piw_msg *msg = slave_HELLO_new(&hello);
    hello->build_timeout = piw_duration_from_us(settings->build_timeout_ms * 1000);
    hello->busy_timeout = piw_duration_from_us(SLAVE_BUSY_TIMEOUT_MS * INT64_C(1000));
    hello->py_version = piw_msg_textz(msg, settings->py_version);
    hello->abi = piw_msg_textz(msg, settings->abi);
    hello->platform = piw_msg_textz(msg, settings->platform);
    hello->label = piw_msg_textz(msg, settings->label);
    hello->os_name = value_in(msg, "/etc/os-release", "NAME=", "\"'");
    hello->os_version = value_in(msg, "/etc/os-release", "VERSION=", "\"'");
    hello->board_revision = piw_msg_textz(msg, revision);
    hello->board_serial = piw_msg_textz(msg, serial);
    if (settings->codec == PIW_MSGPACK) {
        hello->version = piw_msg_textz(msg, PIW_VERSION);
        hello->claim = s->build != NULL ? claim_of(msg, s) : NULL;
    }
    return msg;
}

/* Kilobytes after a key of /proc/meminfo, as bytes. */
static int64_t memory_of(const char *meminfo, const char *key)
{
    const char *at = strstr(meminfo, key);
    return at != NULL ? strtoll(at + strlen(key), NULL, 10) * 1024 : 0;
}

static void read_memory(slave_stats *stats)
{
    char data[FILE_MAX];
    if (!read_small("/proc/meminfo", data, sizeof(data)))
        return;
    stats->mem_size = memory_of(data, "MemTotal:");
    stats->mem_free = memory_of(data, "MemAvailable:");
    stats->swap_size = memory_of(data, "SwapTotal:");
    stats->swap_free = memory_of(data, "SwapFree:");
}

void slave_machine_stats(const char *dir, slave_stats *stats)
{
    *stats = (slave_stats){.timestamp = piw_time_now()};
    (void)piw_disk_room(dir, &stats->disk_size, &stats->disk_free); /* 0 when it can't be told */
    read_memory(stats);
    double load;
    if (getloadavg(&load, 1) == 1)
        stats->load_average = load;
    char degrees[32];
    if (read_small("/sys/class/thermal/thermal_zone0/temp", degrees, sizeof(degrees)))
        stats->cpu_temp = (double)strtol(degrees, NULL, 10) / 1000;
}
