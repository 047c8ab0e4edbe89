/* page_log.c — the page of a build's log: lines with numbers to link to, and the error first. */
#include "log_line.h"
#include "pages.h"

#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "site_files.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LINES_FIRST = 1000, /* of a long log, and as many as LINES_LAST of its end */
    LINES_LAST = 3000,
    LINE_MAX_BYTES = 2000,
    ERROR_BEFORE = 2, /* lines around the error */
    ERROR_AFTER = 8,
};

void page_log_link(char *to, size_t size, const char *root, int64_t build_id)
{
    char path[PIW_PATH_MAX], link[64];
    if (!piw_link_log(link, sizeof(link), build_id)) {
        snprintf(to, size, "%s", "");
        return;
    }
    bool there = piw_path_log_page(path, root, build_id) && piw_file_there(path);
    snprintf(to, size, "%.*s.%s", (int)strlen(link + 1) - 4, link + 1, there ? "html" : "txt");
}

static piw_text line_at(const char *at, const char *end, const char **next)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    *next = stop == NULL ? end : stop + 1;
    piw_text line = {at, (uint32_t)((stop == NULL ? end : stop) - at)};
    while (line.len > 0 && line.s[line.len - 1] == '\r')
        line.len--;
    /* What a progress bar wrote over isn't seen on a terminal either. */
    for (uint32_t i = line.len; i > 0; i--) {
        if (line.s[i - 1] == '\r')
            return (piw_text){line.s + i, line.len - i};
    }
    return line;
}

static piw_text shown(piw_text line)
{
    uint32_t len = line.len > LINE_MAX_BYTES ? LINE_MAX_BYTES : line.len;
    /* No half of a character. */
    while (len < line.len && len > 0 && ((unsigned char)line.s[len] & 0xc0) == 0x80)
        len--;
    return (piw_text){line.s, len};
}

static void add_line(piw_view *view, const char *list, uint32_t number, piw_text line)
{
    piw_view *item = piw_view_add(view, list);
    piw_view_print(item, "n", "%u", number);
    piw_view_text(item, "text", shown(line));
    piw_view_text(item, "style", piw_text_of(log_line_style(line)));
    piw_view_text(item, "gap", piw_text_of(""));
}

static void add_gap(piw_view *view, uint32_t lines)
{
    piw_view *item = piw_view_add(view, "lines");
    piw_view_number(item, "gap", lines);
}

/* The next line of both parts, and its number; false: there is none. */
typedef struct walk {
    const page_log_lines *log;
    const char *at, *end;
    uint32_t number;
    bool in_last;
} walk;

static bool next_line(walk *self, piw_text *line)
{
    if (self->at == self->end && !self->in_last) {
        self->in_last = true;
        self->at = self->log->last.s;
        self->end = self->at + self->log->last.len;
        self->number = self->log->last_number - 1;
    }
    if (self->at == self->end)
        return false;
    *line = line_at(self->at, self->end, &self->at);
    self->number++;
    return true;
}

static walk walk_of(const page_log_lines *log)
{
    return (walk){.log = log, .at = log->first.s, .end = log->first.s + log->first.len};
}

static bool says_nothing(piw_text line)
{
    for (uint32_t i = 0; i < line.len; i++) {
        if (line.s[i] != ' ' && line.s[i] != '\t')
            return false;
    }
    return true;
}

/* The number of the first of the weightiest lines. Where nothing looks like an error it is the last that says anything, for who gives
 * up says so at the end; 0: none does. */
static uint32_t find_error(const page_log_lines *log)
{
    uint32_t found = 0;
    int most = 0;
    piw_text line;
    for (walk w = walk_of(log); next_line(&w, &line);) {
        int heavy = log_line_weight(line);
        if (heavy > most || (most == 0 && !says_nothing(line))) {
            most = heavy;
            found = w.number;
        }
    }
    return found;
}

static void put_lines(piw_view *view, const page_log_lines *log, uint32_t error)
{
    uint32_t shown = 0; /* the last line so far */
    piw_text line;
    for (walk w = walk_of(log); next_line(&w, &line);) {
        bool near = error != 0 && w.number + ERROR_BEFORE >= error && w.number <= error + ERROR_AFTER;
        if (near)
            add_line(view, "error", w.number, line);
        /* What the first part links to is always there. */
        if (w.number > LINES_FIRST && w.number + LINES_LAST <= log->count && !near)
            continue;
        if (w.number > shown + 1)
            add_gap(view, w.number - shown - 1);
        shown = w.number;
        add_line(view, "lines", w.number, line);
    }
    if (log->count > shown)
        add_gap(view, log->count - shown);
}

int page_log(const site_facts *site, piw_text package, const project_build *build, const page_log_lines *log,
             piw_buffer *to, piw_err *err)
{
    char when[32], took[48], link[64];
    uint32_t error = build->status ? 0 : find_error(log);
    char *title = piw_sprintf("%s %s for %s, build %lld", package.s, build->version.s, build->abi_tag.s,
                              (long long)build->build_id);
    piw_view *view = site_view(site, "../../../", piw_text_of(title), "");
    piw_view_text(view, "feed", piw_text_of(""));
    piw_view_text(view, "feed_title", piw_text_of(""));
    piw_view_text(view, "package", package);
    piw_view_text(view, "version", build->version);
    piw_view_text(view, "abi", build->abi_tag);
    piw_view_print(view, "number", "%lld", (long long)build->build_id);
    piw_view_text(view, "style", piw_text_of(build->status ? "success" : "fail"));
    piw_view_text(view, "words", piw_text_of(build->status ? "built" : "failed"));
    piw_view_print(view, "when", "%.16s", piw_time_print(build->built_at, when, sizeof(when)));
    piw_view_print(view, "took", "%s", piw_duration_print(build->duration, took, sizeof(took)));
    piw_view_number(view, "lines_count", log->count);
    piw_link_log(link, sizeof(link), build->build_id);
    piw_view_print(view, "raw", "%s", strrchr(link, '/') == NULL ? "" : strrchr(link, '/') + 1);
    piw_view_flag(view, "has_error", error != 0);
    piw_view_list(view, "lines");
    piw_view_list(view, "error");
    put_lines(view, log, error);
    int rc = site_render(site, "log.html", view, to, err);
    piw_view_free(&view);
    free(title);
    return rc;
}
