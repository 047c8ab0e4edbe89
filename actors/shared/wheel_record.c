/* wheel_record.c — reads the RECORD of a wheel (PEP 376, PEP 427). */
#include "shared/wheel_record.h"

#include "shared/zip.h"

#include <stdlib.h>

enum {
    FIELDS = 3,
    LINES_MAX = PIW_ZIP_ENTRIES_MAX + 3, /* of more, some would be of files that aren't there */
};

/* PEP 427 wants SHA-256 or better of what hashlib always has; longer ones of its family do. */
static const struct {
    const char *prefix;
    size_t len;
} algorithms[] = {
    {"sha256=", PIW_WHEEL_RECORD_SHA256},
    {"sha384=", PIW_WHEEL_RECORD_SHA384},
    {"sha512=", PIW_WHEEL_RECORD_SHA512},
};

typedef struct field {
    char *s;
    size_t len;
} field;

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Unpadded base64url of exactly `size` bytes. */
static bool decode_hash(const char *s, size_t len, uint8_t *to, size_t size)
{
    if (len != (size * 8 + 5) / 6)
        return false;
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64url_value(s[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[n++] = (uint8_t)(bits >> have);
        }
    }
    return n == size && (bits & ((1u << have) - 1)) == 0;
}

/* One CSV field at *at, unquoted in place; *at then stands on the separator, the line's end or the end. */
static bool take_field(char **at, char *end, field *f)
{
    char *from = *at, *to = from;
    f->s = from;
    if (from < end && *from == '"') {
        for (from++;; from++) {
            if (from >= end)
                return false;
            if (*from == '"') {
                if (from + 1 < end && from[1] == '"')
                    from++;
                else
                    break;
            }
            *to++ = *from;
        }
        from++;
    } else {
        while (from < end && *from != ',' && *from != '\n' && *from != '\r') {
            if (*from == '"')
                return false;
            *to++ = *from++;
        }
    }
    f->len = (size_t)(to - f->s);
    *at = from;
    return from == end || *from == ',' || *from == '\n' || *from == '\r';
}

static int refuse(piw_err *err, size_t number, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "line %zu of its RECORD %s", number, why);
}

static bool take_hash(const field *f, piw_wheel_record_line *line)
{
    for (size_t i = 0; i < PIW_COUNT(algorithms); i++) {
        size_t n = strlen(algorithms[i].prefix);
        if (f->len < n || memcmp(f->s, algorithms[i].prefix, n) != 0)
            continue;
        line->hash_len = algorithms[i].len;
        return decode_hash(f->s + n, f->len - n, line->hash, line->hash_len);
    }
    return false;
}

static int read_line(piw_wheel_record_line *line, const field *fields, size_t number, piw_err *err)
{
    fields[0].s[fields[0].len] = '\0'; /* over the quote or comma behind it, which has been read */
    line->path = fields[0].s;
    line->path_len = fields[0].len;
    if (line->path_len == 0)
        return refuse(err, number, "has no path");
    if (fields[1].len > 0 && !take_hash(&fields[1], line))
        return refuse(err, number, "has a hash that isn't a SHA-256, SHA-384 or SHA-512 (sha256=, in unpadded base64)");
    for (size_t i = 0; i < fields[2].len; i++) {
        char c = fields[2].s[i];
        if (c < '0' || c > '9' || i >= 18)
            return refuse(err, number, "has a size that isn't a number");
        line->size = line->size * 10 + (uint64_t)(c - '0');
        line->has_size = true;
    }
    return 0;
}

/* One line's fields; *at moves to the next line. */
static bool take_line(char **at, char *end, field *fields)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!take_field(at, end, &fields[i]))
            return false;
        bool more = *at < end && **at == ',';
        if (more != (i + 1 < FIELDS))
            return false;
        if (more)
            ++*at;
    }
    if (*at < end && **at == '\r')
        ++*at;
    /* Lines are counted by their LF beforehand: one that ends in a CR alone isn't taken. */
    if (*at < end && **at != '\n')
        return false;
    if (*at < end)
        ++*at;
    return true;
}

static int compare_paths(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_lines(const void *a, const void *b)
{
    const piw_wheel_record_line *left = a, *right = b;
    return compare_paths(left->path, left->path_len, right->path, right->path_len);
}

static int read_lines(piw_wheel_record *record, size_t len, piw_err *err)
{
    char *at = record->text, *end = at + len;
    for (size_t number = 1; at < end; number++) {
        if (*at == '\n' || *at == '\r') {
            at++;
            continue;
        }
        if (record->count == LINES_MAX)
            return refuse(err, number, "is one more than a wheel may have files");
        field fields[FIELDS] = {0};
        if (!take_line(&at, end, fields))
            return refuse(err, number, "isn't of the form PATH,HASH,SIZE");
        int rc = read_line(&record->lines[record->count], fields, number, err);
        if (rc != 0)
            return rc;
        record->count++;
    }
    return 0;
}

int piw_wheel_record_parse(const void *data, size_t len, piw_wheel_record *record, piw_err *err)
{
    *record = (piw_wheel_record){0};
    size_t lines = 1;
    for (const char *at = data, *end = at + len; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        lines++;
    lines = lines < LINES_MAX ? lines : LINES_MAX;
    record->text = malloc(len + 1);
    record->lines = calloc(lines, sizeof(*record->lines));
    int rc = 0;
    if (record->text == NULL || record->lines == NULL) {
        rc = piw_err_set(err, PIW_ENOMEM, "no memory to read its RECORD");
    } else {
        memcpy(record->text, data, len);
        record->text[len] = '\0';
        rc = read_lines(record, len, err);
    }
    if (rc == 0)
        qsort(record->lines, record->count, sizeof(*record->lines), compare_lines);
    for (size_t i = 1; i < record->count && rc == 0; i++) {
        const piw_wheel_record_line *line = &record->lines[i];
        if (compare_lines(line - 1, line) == 0)
            rc = piw_err_set(err, PIW_EREFUSED, "its RECORD lists \"%.*s\" twice",
                             (int)(line->path_len > 200 ? 200 : line->path_len), line->path);
    }
    if (rc != 0)
        piw_wheel_record_fini(record);
    return rc;
}

void piw_wheel_record_fini(piw_wheel_record *record)
{
    free(record->text);
    free(record->lines);
    *record = (piw_wheel_record){0};
}

const piw_wheel_record_line *piw_wheel_record_find(const piw_wheel_record *record, const char *path, size_t len)
{
    size_t low = 0, high = record->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const piw_wheel_record_line *line = &record->lines[middle];
        int order = compare_paths(path, len, line->path, line->path_len);
        if (order == 0)
            return line;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
