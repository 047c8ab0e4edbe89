/* summary.c — finds `info.summary` in a project's JSON as it comes in. */
#include "shared/summary.h"

#include "shared/text.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static bool text_is(const piw_summary *self, const char *word)
{
    return self->len == strlen(word) && memcmp(self->text, word, self->len) == 0;
}

/* A string has ended: a key, or the value looked for. */
static void end_string(piw_summary *self)
{
    self->in_string = false;
    if (self->summary_next) {
        self->found = true;
        return;
    }
    if (self->key_next) {
        self->key_next = false;
        self->info_next = self->depth == 1 && text_is(self, "info");
        self->summary_next = self->depth == 2 && self->info && text_is(self, "summary");
    } else {
        self->info_next = false;
    }
}

static void in_string(piw_summary *self, char c)
{
    if (!self->escaped && c == '"') {
        end_string(self);
        return;
    }
    self->escaped = !self->escaped && c == '\\';
    if (self->len < PIW_SUMMARY_MAX)
        self->text[self->len++] = c;
}

static bool open_one(piw_summary *self, bool list)
{
    if (self->summary_next) { /* a list or object isn't a summary */
        self->found = self->null = true;
        return false;
    }
    if (self->depth == PIW_COUNT(self->lists))
        return false;
    self->lists[self->depth++] = list;
    self->info = self->info || (self->depth == 2 && self->info_next && !list);
    self->info_next = false;
    self->key_next = !list;
    return true;
}

static bool between(piw_summary *self, char c)
{
    switch (c) {
    case '"':
        self->in_string = true;
        self->escaped = false;
        self->len = 0;
        return true;
    case '{':
    case '[':
        return open_one(self, c == '[');
    case '}':
    case ']':
        if (self->depth == 0)
            return false;
        self->depth--;
        self->info = self->info && self->depth >= 2;
        self->key_next = false;
        return true;
    case ',':
        self->key_next = self->depth > 0 && !self->lists[self->depth - 1];
        self->info_next = false;
        return true;
    case ' ':
    case '\t':
    case '\n':
    case '\r':
    case ':':
        return true;
    default: /* a number or a bare word */
        if (self->summary_next) {
            self->found = self->null = true;
            return false;
        }
        return true;
    }
}

bool piw_summary_feed(piw_summary *summary, const void *data, size_t len)
{
    const char *bytes = data;
    for (size_t i = 0; i < len && !summary->found; i++) {
        if (summary->in_string)
            in_string(summary, bytes[i]);
        else if (!between(summary, bytes[i]))
            return false;
    }
    return !summary->found;
}

/* A cut may have split an escape or a character: shorten until what is left can be read. */
static cJSON *read_string(piw_summary *self)
{
    enum { TRIES = 16 }; /* more than an escaped pair of surrogates has bytes */
    for (int i = 0; i < TRIES && self->len > 0; i++) {
        char quoted[PIW_SUMMARY_MAX + 3];
        quoted[0] = '"';
        memcpy(quoted + 1, self->text, self->len);
        quoted[self->len + 1] = '"';
        cJSON *string = cJSON_ParseWithLength(quoted, self->len + 2);
        if (string != NULL && cJSON_IsString(string) &&
            piw_utf8_valid(string->valuestring, strlen(string->valuestring)) == strlen(string->valuestring))
            return string;
        cJSON_Delete(string);
        self->len--;
    }
    return NULL;
}

bool piw_summary_text(piw_summary *summary, piw_msg *msg, uint32_t chars, piw_text *text)
{
    if (!summary->found || summary->null)
        return false;
    cJSON *string = read_string(summary);
    piw_text whole = piw_msg_textz(msg, string != NULL ? string->valuestring : "");
    cJSON_Delete(string);
    *text = piw_text_cut(msg, piw_text_clean(msg, whole), chars);
    return true;
}
