/* wheel_needs.c — what the code in a wheel needs of the machine. */
#include "shared/wheel_needs.h"

#include "shared/wheel_code.h"
#include "shared/wheel_name.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef struct mapped {
    uint8_t *data;
    size_t len;
} mapped;

/* The pages that were read leave our memory, not the system's. */
static void let_go(void *arg)
{
    const mapped *map = arg;
    madvise(map->data, map->len, MADV_DONTNEED);
}

typedef struct beginning {
    uint8_t bytes[PIW_ELF_HEAD];
    size_t len;
} beginning;

static int take_beginning(void *arg, const uint8_t *data, size_t len)
{
    beginning *to = arg;
    size_t room = sizeof(to->bytes) - to->len, n = len < room ? len : room;
    memcpy(to->bytes + to->len, data, n);
    to->len += n;
    return to->len == sizeof(to->bytes) ? PIW_EAGAIN : 0;
}

/* The members that are ELF files. */
static int find_code(const piw_zip *zip, piw_code_files *files, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < piw_zip_count(zip) && rc == 0; i++) {
        const piw_zip_entry *entry = piw_zip_at(zip, i);
        beginning head = {.len = 0};
        piw_err enough_err = {0};
        if (entry->folder)
            continue;
        rc = piw_zip_read(zip, entry, take_beginning, &head, &enough_err);
        if (rc != 0 && rc != PIW_EAGAIN)
            return piw_err_set(err, rc, "%s", enough_err.text);
        rc = piw_code_add(files, entry, head.bytes, head.len, err);
    }
    return rc;
}

static int read_code(const void *data, size_t len, piw_zip_mapped *reading, const char *platform_tag, piw_needs *needs,
                     piw_err *err)
{
    piw_zip *zip = NULL;
    piw_code_files files = {0};
    piw_err own_err = {0};
    int rc = piw_zip_open_mapped(&zip, data, len, reading, &own_err);
    rc = rc != 0 ? rc : find_code(zip, &files, &own_err);
    rc = rc != 0 ? rc : piw_code_needs(zip, &files, platform_tag, needs, &own_err);
    piw_code_fini(&files);
    piw_zip_close(&zip);
    needs->unknown = needs->unknown || rc == PIW_EREFUSED;
    return rc == 0 || rc == PIW_EREFUSED ? 0 : piw_err_set(err, rc, "%s", own_err.text);
}

/* Into an empty list. False: there is no code of whose needs anything could be known. */
static bool has_code(const char *filename, piw_wheel_name *name, piw_needs *needs)
{
    *needs = (piw_needs){.count = 0};
    if (piw_wheel_name_split(piw_text_of(filename), name, NULL) != 0)
        needs->unknown = true;
    else if (strcmp(name->platform, "any") != 0)
        needs->unknown = !piw_platform_native(name->platform);
    else
        return false;
    return !needs->unknown;
}

int piw_wheel_needs(int fd, const char *filename, piw_needs *needs, piw_err *err)
{
    piw_wheel_name name;
    struct stat info;
    if (!has_code(filename, &name, needs))
        return 0;
    if (fstat(fd, &info) != 0)
        return piw_err_errno(err, "can't read %s", filename);
    if (!S_ISREG(info.st_mode) || info.st_size == 0) {
        needs->unknown = true;
        return 0;
    }
    mapped map = {.len = (size_t)info.st_size};
    map.data = mmap(NULL, map.len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map.data == MAP_FAILED)
        return piw_err_errno(err, "can't map %s", filename);
    piw_zip_mapped reading = {.let_go = let_go, .arg = &map};
    piw_err own_err = {0};
    int rc = read_code(map.data, map.len, &reading, name.platform, needs, &own_err);
    munmap(map.data, map.len);
    return rc == 0 ? 0 : piw_err_set(err, rc, "%s: %s", filename, own_err.text);
}

int piw_wheel_needs_of(const void *data, size_t len, const char *filename, piw_needs *needs, piw_err *err)
{
    piw_wheel_name name;
    piw_err own_err = {0};
    int rc = has_code(filename, &name, needs) ? read_code(data, len, NULL, name.platform, needs, &own_err) : 0;
    return rc == 0 ? 0 : piw_err_set(err, rc, "%s: %s", filename, own_err.text);
}
