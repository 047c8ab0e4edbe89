/* kinds.c — the kinds of good builds, as they are given on the command line. */
#include "kinds.h"

/* Digits, and K or M; *end is what follows. -1: no number, or too large a one. */
static int64_t read_number(const char *text, int64_t most, const char **end)
{
    int64_t value = 0;
    *end = text;
    for (; **end >= '0' && **end <= '9'; ++*end) {
        value = value * 10 + (**end - '0');
        if (value > most)
            return -1;
    }
    if (*end == text)
        return -1;
    int shift = **end == 'K' ? 10 : **end == 'M' ? 20 : 0;
    *end += shift > 0 ? 1 : 0;
    return value <= most >> shift ? value << shift : -1;
}

static void add(load_kinds *kinds, int64_t files, int64_t file_size)
{
    kinds->at[kinds->count++] = (load_kind){.files = files, .file_size = file_size, .filling = {.fd = -1}};
    kinds->files_max = files > kinds->files_max ? files : kinds->files_max;
}

static int read_item(load_kinds *kinds, const char *item, piw_err *err)
{
    const char *end, *size = strchr(item, 'x');
    int64_t files = size != NULL ? read_number(item, LOAD_FILES_MAX, &end) : -1;
    bool whole = files > 0 && end == size;
    int64_t file_size = whole ? read_number(size + 1, LOAD_FILE_MAX, &end) : -1;
    if (file_size <= 0 || *end != '\0')
        return piw_err_set(err, PIW_EUSAGE, "--also %s: write NxSIZE, 2x4K say", item);
    add(kinds, files, file_size);
    return 0;
}

int load_kinds_read(load_kinds *kinds, int64_t files, int64_t file_size, const char *const *items, size_t count,
                    piw_err *err)
{
    add(kinds, files, file_size);
    if (count >= LOAD_KINDS_MAX)
        return piw_err_set(err, PIW_EUSAGE, "--also can be given %d times", LOAD_KINDS_MAX - 1);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_item(kinds, items[i], err);
    return rc;
}

int load_kinds_fill(load_kinds *kinds, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < kinds->count; i++)
        rc = load_filling_init(&kinds->at[i].filling, (size_t)kinds->at[i].file_size, err);
    return rc;
}

void load_kinds_fini(load_kinds *kinds)
{
    for (size_t i = 0; i < kinds->count; i++)
        load_filling_fini(&kinds->at[i].filling);
}
