/* needs.c — what the wheels of an import need beside themselves. */
#include "needs.h"

#include "files.h"
#include "piw/codec.h"
#include "shared/names.h"
#include "shared/text.h"

#include <stdlib.h>

enum {
    FILE_MAX = 1 << 20, /* bytes: more than 10,000 lines */
    LIST_MAX = 10000,   /* the bound of the list in a message */
    TEXT_MAX = 255,     /* characters: the width of dependencies.dependency */
};

const char *const needs_keys[NEEDS_KINDS] = {"apt", "pip", ""};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static piw_text trim(piw_text text)
{
    while (text.len > 0 && is_blank(text.s[0]))
        text = (piw_text){text.s + 1, text.len - 1};
    while (text.len > 0 && is_blank(text.s[text.len - 1]))
        text.len--;
    return text;
}

/* Without its comment. */
static piw_text content_of(piw_text line)
{
    for (uint32_t i = 0; i < line.len; i++)
        if (line.s[i] == '#' && (i == 0 || is_blank(line.s[i - 1])))
            line.len = i;
    return trim(line);
}

/* "tool: name" taken apart. Names of apt packages may hold a colon themselves (libc6:armhf), which no blank follows. */
static int split(piw_text line, needs_kind *kind, piw_text *text, piw_err *err)
{
    *kind = NEEDS_APT;
    *text = line;
    const char *colon = memchr(line.s, ':', line.len);
    if (colon == NULL)
        return 0;
    piw_text word = trim((piw_text){line.s, (uint32_t)(colon - line.s)});
    piw_text rest = {colon + 1, line.len - (uint32_t)(colon - line.s) - 1};
    for (int i = 0; i < NEEDS_KINDS; i++) {
        if (piw_text_is(word, needs_keys[i])) {
            *kind = (needs_kind)i;
            *text = trim(rest);
            return 0;
        }
    }
    if (rest.len > 0 && !is_blank(rest.s[0]))
        return 0;
    return piw_err_set(err, PIW_EREFUSED, "'%.*s' is neither apt nor pip", word.len > 50 ? 50 : (int)word.len, word.s);
}

static int check(needs_kind kind, piw_text text, piw_err *err)
{
    int shown = text.len > 100 ? 100 : (int)text.len;
    if (text.len == 0)
        return piw_err_set(err, PIW_EREFUSED, "a name is missing");
    if (piw_utf8_valid(text.s, text.len) != text.len || piw_text_has_control(text) ||
        piw_utf8_chars(text.s, text.len) > TEXT_MAX)
        return piw_err_set(err, PIW_EREFUSED, "'%.*s' is not UTF-8 of at most %d characters", shown, text.s, TEXT_MAX);
    char canonical[PIW_NAME_MAX + 1];
    if (kind == NEEDS_PIP && !piw_name_canonical(text, canonical))
        return piw_err_set(err, PIW_EREFUSED, "'%.*s' is no name of a Python package", shown, text.s);
    if (kind == NEEDS_APT && !piw_name_is_debian(text))
        return piw_err_set(err, PIW_EREFUSED, "'%.*s' is no name of an apt package; put blanks between names", shown,
                           text.s);
    return 0;
}

static int take_name(needs_kind kind, piw_text text, needs *list, piw_err *err)
{
    char canonical[PIW_NAME_MAX + 1];
    int rc = check(kind, text, err);
    if (rc == 0 && list->lists[kind].count >= LIST_MAX)
        rc = piw_err_set(err, PIW_EREFUSED, "there are more than %d", LIST_MAX);
    if (rc != 0)
        return rc;
    if (kind == NEEDS_PIP && piw_name_canonical(text, canonical))
        text = piw_text_of(canonical); /* as those from METADATA */
    needs_add(list, kind, text);
    return 0;
}

/* Up to the next blank. */
static piw_text first_word(piw_text text)
{
    uint32_t len = 0;
    while (len < text.len && !is_blank(text.s[len]))
        len++;
    return (piw_text){text.s, len};
}

static int take_line(piw_text line, needs *list, piw_err *err)
{
    needs_kind kind;
    piw_text text;
    line = content_of(line);
    if (line.len == 0)
        return 0;
    int rc = split(line, &kind, &text, err);
    /* A library is a path, which may hold blanks; names of packages can't. */
    if (rc != 0 || kind == NEEDS_OTHER || text.len == 0)
        return rc != 0 ? rc : take_name(kind, text, list, err);
    while (rc == 0 && text.len > 0) {
        piw_text word = first_word(text);
        rc = take_name(kind, word, list, err);
        text = trim((piw_text){text.s + word.len, text.len - word.len});
    }
    return rc;
}

int needs_parse(const char *data, size_t len, needs *list, piw_err *err)
{
    const char *end = data + len;
    for (int number = 1; data < end; number++) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        stop = stop != NULL ? stop : end;
        int rc = take_line((piw_text){data, (uint32_t)(stop - data)}, list, err);
        if (rc != 0) {
            piw_err_prefix(err, "line %d", number);
            return rc;
        }
        data = stop + 1;
    }
    return 0;
}

int needs_read(const char *path, needs *list, piw_err *err)
{
    piw_buffer content = {0};
    int rc = files_read(path, FILE_MAX, &content, err);
    if (rc == 0) {
        rc = needs_parse((const char *)content.data, content.len, list, err);
        if (rc != 0)
            piw_err_prefix(err, "%.200s", path);
    }
    piw_buffer_fini(&content);
    return rc;
}

void needs_add(needs *list, needs_kind kind, piw_text text)
{
    needs_list *to = &list->lists[kind];
    for (size_t i = 0; i < to->count; i++)
        if (piw_text_is(text, to->at[i]))
            return;
    to->at = piw_realloc(to->at, (to->count + 1) * sizeof(*to->at));
    to->at[to->count++] = piw_strndup(text.s, text.len);
}

void needs_fini(needs *list)
{
    for (int kind = 0; kind < NEEDS_KINDS; kind++) {
        for (size_t i = 0; i < list->lists[kind].count; i++)
            free(list->lists[kind].at[i]);
        free(list->lists[kind].at);
    }
    *list = (needs){0};
}
