/* log_line.c — what a line of a build's log tells. */
#include "log_line.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    WEIGHT_FARM = 5,     /* slave or master says why they ended or refused it: nothing else counts then */
    WEIGHT_COMPILER = 4, /* what a compiler or linker stops at */
    WEIGHT_CAUSE = 3,
    WEIGHT_ENDED = LOG_LINE_ERROR, /* a program that ended with an error, which it may have told of before */
    WEIGHT_ECHO = 1,               /* pip's, of what a program has told already */
};

static bool holds(piw_text line, const char *word)
{
    return memmem(line.s, line.len, word, strlen(word)) != NULL;
}

static bool begins(piw_text line, const char *word)
{
    size_t len = strlen(word);
    return line.len >= len && strncasecmp(line.s, word, len) == 0;
}

/* "2024-02-01T10:11:12,345 ", which pip writes before each line of its log; 0: it isn't there. */
static uint32_t stamp_length(piw_text line)
{
    static const char form[] = "0000-00-00T00:00:00,000 ";
    const uint32_t len = sizeof(form) - 1;
    if (line.len + 1 < len) /* the blank of an empty line may be gone */
        return 0;
    for (uint32_t i = 0; i < len && i < line.len; i++) {
        bool good = form[i] == '0' ? isdigit((unsigned char)line.s[i]) != 0 : line.s[i] == form[i];
        if (!good)
            return 0;
    }
    return line.len < len ? line.len : len;
}

/* What a program has printed, without time and indent. */
static piw_text said(piw_text line)
{
    uint32_t from = stamp_length(line);
    while (from < line.len && (line.s[from] == ' ' || line.s[from] == '\t'))
        from++;
    return (piw_text){line.s + from, line.len - from};
}

/* "ValueError: …", "SomeError" as Python ends a traceback with: at the line's start. */
static bool is_exception(piw_text line)
{
    uint32_t i = 0;
    while (i < line.len && (isalnum((unsigned char)line.s[i]) || line.s[i] == '_' || line.s[i] == '.'))
        i++;
    return i > 5 && (i == line.len || line.s[i] == ':') &&
           (memcmp(line.s + i - 5, "Error", 5) == 0 || (i > 9 && memcmp(line.s + i - 9, "Exception", 9) == 0));
}

/* Sentences that the slave (tools/piw-slave/build.c) and the slave driver (actors/slave_driver/build.c, way.c) close a log with. */
static bool is_verdict(piw_text line)
{
    static const char *const begun[] = {"the build was stopped: ", "the build was killed by signal ",
                                        "The slave's report of the build was refused: ", "No wheel of version "};
    for (size_t i = 0; i < PIW_COUNT(begun); i++) {
        if (begins(line, begun[i]))
            return true;
    }
    return begins(line, "The wheel ") &&
           (holds(line, " was refused: ") || holds(line, " could not be transferred in "));
}

static bool holds_any(piw_text line, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (holds(line, words[i]))
            return true;
    }
    return false;
}

int log_line_weight(piw_text line)
{
    static const char *const compiler[] = {"fatal error:", ": error:", ": ERROR:", "undefined reference to",
                                           "cannot find -l"};
    static const char *const cause[] = {"error[E", "CMake Error", "No space left on device", "Cannot allocate memory"};
    static const char *const echo[] = {"subprocess-exited-with-error", "metadata-generation-failed", "[present-rich]",
                                       "Failed building wheel", "Failed to build one or more wheels"};
    /* What pip raises when it ends with an error that it has told. */
    static const char *const pip_raises = "pip._internal.";
    bool pips = stamp_length(line) > 0;
    line = said(line);
    if (line.len == 0)
        return 0;
    if (!pips && is_verdict(line))
        return WEIGHT_FARM;
    if (holds_any(line, compiler, PIW_COUNT(compiler)))
        return WEIGHT_COMPILER;
    if (begins(line, pip_raises))
        return WEIGHT_ECHO;
    if (holds_any(line, cause, PIW_COUNT(cause)) || is_exception(line))
        return WEIGHT_CAUSE;
    if ((line.len > strlen("error:") && begins(line, "error:")) || holds(line, "command not found") ||
        (begins(line, "make") && holds(line, ": *** ")))
        return holds_any(line, echo, PIW_COUNT(echo)) ? WEIGHT_ECHO : WEIGHT_ENDED;
    return 0;
}

const char *log_line_style(piw_text line)
{
    if (log_line_weight(line) >= LOG_LINE_ERROR)
        return "err";
    return holds(line, "warning:") || holds(line, "Warning:") ? "warn" : "";
}

/* The length of a control sequence (ECMA-48 5.4) that begins here; 0: it is none. */
static uint32_t sequence_length(const char *at, uint32_t len)
{
    uint32_t i = 2;
    if (len < 3 || at[0] != '\x1b' || at[1] != '[')
        return 0;
    while (i < len && at[i] >= 0x20 && at[i] <= 0x3f)
        i++;
    return i < len && at[i] >= 0x40 && at[i] <= 0x7e ? i + 1 : 0;
}

uint32_t log_line_plain(char *text, uint32_t len)
{
    char *first = memchr(text, '\x1b', len);
    if (first == NULL)
        return len;
    uint32_t to = (uint32_t)(first - text);
    for (uint32_t from = to; from < len;) {
        uint32_t skipped = sequence_length(text + from, len - from);
        from += skipped;
        if (skipped == 0)
            text[to++] = text[from++];
    }
    return to;
}
