/* config_file.c — reads a configuration file into a flat list of entries. */
#include "config/config_file.h"

#include "piw/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A piece of a line; never NUL-terminated. */
typedef struct span {
    const char *s;
    size_t len;
} span;

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static span trim(span text)
{
    while (text.len > 0 && blank(text.s[0])) {
        text.s++;
        text.len--;
    }
    while (text.len > 0 && blank(text.s[text.len - 1]))
        text.len--;
    return text;
}

/* Does a comment begin here? Only after a blank: values may hold '#' (a URL's fragment) and ';'. */
static bool comment_at(span text, size_t i)
{
    return (text.s[i] == '#' || text.s[i] == ';') && (i == 0 || blank(text.s[i - 1]));
}

/* The value without its comment and quotes. Quotes count only when nothing but a comment follows the second. */
static span clean_value(span text, bool *quoted)
{
    *quoted = false;
    if (text.len >= 2 && (text.s[0] == '"' || text.s[0] == '\'')) {
        const char *end = memchr(text.s + 1, text.s[0], text.len - 1);
        if (end != NULL) {
            span rest = {end + 1, text.len - (size_t)(end + 1 - text.s)};
            size_t i = 0;
            while (i < rest.len && blank(rest.s[i]))
                i++;
            if (i == rest.len || (i > 0 && comment_at(rest, i))) {
                *quoted = true;
                return (span){text.s + 1, (size_t)(end - text.s) - 1};
            }
        }
    }
    for (size_t i = 0; i < text.len; i++) {
        if (comment_at(text, i))
            text.len = i;
    }
    return trim(text);
}

static const char *section_find(piw__entries *entries, span name, const char *where)
{
    for (size_t i = 0; i < entries->sections_count; i++) {
        if (strlen(entries->sections[i]) == name.len && memcmp(entries->sections[i], name.s, name.len) == 0)
            return entries->sections[i];
    }
    size_t count = entries->sections_count++;
    entries->sections = piw_realloc(entries->sections, sizeof(char *) * (count + 1));
    entries->sections[count] = piw_strndup(name.s, name.len);
    entries->origins = piw_realloc(entries->origins, sizeof(char *) * (count + 1));
    entries->origins[count] = piw_strdup(where);
    return entries->sections[count];
}

static piw__entry *entry_add(piw__entries *entries)
{
    if (entries->count == entries->room) {
        entries->room = entries->room == 0 ? 32 : entries->room * 2;
        entries->at = piw_realloc(entries->at, sizeof(piw__entry) * entries->room);
    }
    piw__entry *entry = &entries->at[entries->count++];
    memset(entry, 0, sizeof(*entry));
    return entry;
}

static int parse_section(piw__entries *entries, const char *where, span line, const char **section, piw_err *err)
{
    const char *end = memchr(line.s, ']', line.len);
    span rest = end == NULL ? (span){0} : (span){end + 1, line.len - (size_t)(end + 1 - line.s)};
    bool quoted;
    if (end == NULL || clean_value(rest, &quoted).len > 0 || quoted) {
        return piw_err_set(err, PIW_ECONFIG, "%s: '%.*s' is not a section such as [master]", where,
                           (int)(line.len < 80 ? line.len : 80), line.s);
    }
    span name = trim((span){line.s + 1, (size_t)(end - line.s) - 1});
    if (name.len == 0)
        return piw_err_set(err, PIW_ECONFIG, "%s: the section has no name", where);
    *section = section_find(entries, name, where);
    return 0;
}

static int parse_key(piw__entries *entries, const char *where, span line, const char *section, piw_err *err)
{
    size_t i = 0;
    while (i < line.len && !blank(line.s[i]) && line.s[i] != '=' && line.s[i] != ':')
        i++;
    span key = {line.s, i}, rest = trim((span){line.s + i, line.len - i});
    bool separated = rest.len > 0 && (rest.s[0] == '=' || rest.s[0] == ':');
    if (separated)
        rest = trim((span){rest.s + 1, rest.len - 1});
    if (key.len > 2 && memcmp(key.s, "--", 2) == 0)
        key = (span){key.s + 2, key.len - 2};
    if (key.len == 0)
        return piw_err_set(err, PIW_ECONFIG, "%s: there is no key before '%c'", where, line.s[0]);
    if (entries->count == PIW__CONFIG_FILE_ENTRIES)
        return piw_err_set(err, PIW_ECONFIG, "%s: more than %d keys", where, PIW__CONFIG_FILE_ENTRIES);
    piw__entry *entry = entry_add(entries);
    span value = clean_value(rest, &entry->quoted);
    entry->section = section;
    entry->key = piw_strndup(key.s, key.len);
    entry->bare = !separated && !entry->quoted && value.len == 0;
    entry->value = entry->bare ? piw_strdup("true") : piw_strndup(value.s, value.len);
    entry->origin = piw_strdup(where);
    entry->file = entries->files;
    return 0;
}

static int parse_line(piw__entries *entries, const char *where, span line, const char **section, piw_err *err)
{
    if (memchr(line.s, '\0', line.len) != NULL || piw_utf8_valid(line.s, line.len) != line.len)
        return piw_err_set(err, PIW_ECONFIG, "%s: the line is not UTF-8 text", where);
    line = trim(line);
    if (line.len == 0 || line.s[0] == '#' || line.s[0] == ';' || (line.len >= 3 && memcmp(line.s, "---", 3) == 0))
        return 0;
    if (line.s[0] == '[')
        return parse_section(entries, where, line, section, err);
    return parse_key(entries, where, line, *section, err);
}

int piw__config_file_parse(piw__entries *entries, const char *name, const char *text, size_t len, piw_err *err)
{
    const char *section = section_find(entries, (span){"", 0}, name);
    size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    int rc = 0;
    for (unsigned line = 1; at < len && rc == 0; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        char *where = piw_sprintf("%s:%u", name, line);
        rc = parse_line(entries, where, (span){text + at, n}, &section, err);
        free(where);
        at += n + 1;
    }
    entries->files++;
    return rc;
}

static int read_all(int fd, const char *path, char *text, size_t *len, piw_err *err)
{
    *len = 0;
    for (;;) {
        ssize_t n = read(fd, text + *len, PIW__CONFIG_FILE_BYTES + 1 - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "can't read the configuration file %s", path);
        *len += (size_t)n;
        if (n == 0)
            return 0;
        if (*len > PIW__CONFIG_FILE_BYTES) {
            return piw_err_set(err, PIW_ECONFIG, "the configuration file %s is larger than %d bytes", path,
                               PIW__CONFIG_FILE_BYTES);
        }
    }
}

int piw__config_file_read(piw__entries *entries, const char *path, piw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        piw_err_errno(err, "can't read the configuration file %s", path);
        return missing ? PIW_ENOENT : PIW_ESYS;
    }
    char *text = piw_alloc(PIW__CONFIG_FILE_BYTES + 1);
    size_t len;
    int rc = read_all(fd, path, text, &len, err);
    close(fd);
    if (rc == 0)
        rc = piw__config_file_parse(entries, path, text, len, err);
    free(text);
    return rc;
}

void piw__entries_fini(piw__entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->at[i].key);
        free(entries->at[i].value);
        free(entries->at[i].origin);
    }
    for (size_t i = 0; i < entries->sections_count; i++) {
        free(entries->sections[i]);
        free(entries->origins[i]);
    }
    free(entries->at);
    free(entries->sections);
    free(entries->origins);
    memset(entries, 0, sizeof(*entries));
}

/* Where the next comma outside quotes is, or the end. */
static size_t item_end(span text)
{
    char quote = '\0';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.s[i];
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == ',')
            return i;
        else if ((c == '"' || c == '\'') && trim((span){text.s, i}).len == 0)
            quote = c;
    }
    return text.len;
}

size_t piw__config_items(const char *value, char ***items)
{
    span text = trim((span){value, strlen(value)});
    size_t count = 0;
    *items = NULL;
    if (text.len < 2 || text.s[0] != '[' || text.s[text.len - 1] != ']') {
        *items = piw_alloc(sizeof(char *));
        (*items)[0] = piw_strdup(value);
        return 1;
    }
    text = (span){text.s + 1, text.len - 2};
    while (text.len > 0) {
        size_t end = item_end(text);
        span item = trim((span){text.s, end});
        if (item.len >= 2 && (item.s[0] == '"' || item.s[0] == '\'') && item.s[item.len - 1] == item.s[0])
            item = (span){item.s + 1, item.len - 2};
        if (item.len > 0) { /* a comma at the end makes no empty item */
            *items = piw_realloc(*items, sizeof(char *) * (count + 1));
            (*items)[count++] = piw_strndup(item.s, item.len);
        }
        size_t step = end < text.len ? end + 1 : end;
        text = (span){text.s + step, text.len - step};
    }
    return count;
}
