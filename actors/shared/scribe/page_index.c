/* page_index.c — the pages that installers read. */
#include "pages.h"

#include "shared/text.h"
#include "shared/version.h"
#include "shared/wheel_name.h"

#include <stdlib.h>

typedef struct keyed {
    piw_version version;
    const project_release *release;
} keyed;

static int newest_first(const void *a, const void *b)
{
    const keyed *left = a, *right = b;
    int order = piw_version_compare(&right->version, &left->version);
    return order != 0 ? order : strcmp(right->release->version.s, left->release->version.s);
}

const project_release **pages_order(const project_data *data)
{
    size_t count = data->releases.count;
    keyed *all = piw_alloc((count + 1) * sizeof(*all));
    const project_release **ordered = piw_alloc((count + 1) * sizeof(*ordered));
    for (size_t i = 0; i < count; i++) {
        all[i].release = &data->releases.at[i];
        piw_version_parse(all[i].release->version, &all[i].version);
    }
    qsort(all, count, sizeof(*all), newest_first);
    for (size_t i = 0; i < count; i++)
        ordered[i] = all[i].release;
    free(all);
    return ordered;
}

bool pages_quarantined(const project_data *data)
{
    return piw_text_is(data->skip, "quarantined");
}

const char *pages_status(const project_data *data, piw_text *why)
{
    static const char *const known[] = {"archived", "deprecated"};
    *why = piw_text_of("");
    if (pages_quarantined(data))
        return "quarantined";
    for (size_t i = 0; i < PIW_COUNT(known) && data->status.s != NULL; i++) {
        if (!piw_text_is(data->status, known[i]))
            continue;
        if (data->status_reason.s != NULL)
            *why = data->status_reason;
        return known[i];
    }
    return NULL;
}

bool pages_live(const project_data *data, const project_release *release)
{
    return !pages_quarantined(data) && !piw_text_is(release->skip, "deleted") &&
           !piw_text_is(release->skip, "quarantined") && piw_version_acceptable(release->version);
}

bool pages_indexed(const project_data *data, const project_release *release, const project_file *file)
{
    return pages_live(data, release) && piw_wheel_name_readable(file->filename);
}

bool pages_offered(const project_data *data, const project_release *release)
{
    for (uint32_t i = 0; i < release->files.count; i++) {
        if (pages_indexed(data, release, &release->files.at[i]))
            return true;
    }
    return false;
}

/* Relative to the page when the file lies beside it. */
static void put_href(const project_data *data, const project_file *file, piw_buffer *to)
{
    if (!piw_text_is(file->location, "/simple")) {
        piw_put_html(to, file->location);
        piw_put(to, "/");
        piw_put_url(to, data->package);
        piw_put(to, "/");
    }
    piw_put_url(to, file->filename);
    piw_put(to, "#sha256=");
    piw_put_html(to, file->filehash);
}

static void put_anchor(const project_data *data, const project_release *release, const project_file *file,
                       piw_buffer *to)
{
    piw_put(to, "<a href=\"");
    put_href(data, file, to);
    piw_put(to, "\"");
    if (file->requires_python.s != NULL && file->requires_python.len > 0) {
        piw_put(to, " data-requires-python=\"");
        piw_put_html(to, file->requires_python);
        piw_put(to, "\"");
    }
    if (release->yanked) {
        piw_put(to, " data-yanked=\"");
        if (release->yank_reason.s != NULL)
            piw_put_html(to, release->yank_reason);
        piw_put(to, "\"");
    }
    if (file->metadata_hash.s != NULL && file->metadata_hash.len > 0) {
        /* Never under its older name as a twin: pip 22.3 to 23.1, so Debian 12's, takes the metadata then, and compares
         * the spelling that was asked for with its Name letter by letter. */
        piw_put(to, " data-core-metadata=\"sha256=");
        piw_put_html(to, file->metadata_hash);
        piw_put(to, "\"");
    }
    piw_put(to, ">");
    piw_put_html(to, file->filename);
    piw_put(to, "</a><br>\n");
}

static void put_head(piw_buffer *to)
{
    piw_put(to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"pypi:repository-version\" content=\"1.4\">\n");
}

static void put_status(const project_data *data, piw_buffer *to)
{
    piw_text why;
    const char *status = pages_status(data, &why);
    if (status == NULL)
        return;
    piw_putf(to, "<meta name=\"pypi:project-status\" content=\"%s\">\n", status);
    if (why.len == 0)
        return;
    piw_put(to, "<meta name=\"pypi:project-status-reason\" content=\"");
    piw_put_html(to, why);
    piw_put(to, "\">\n");
}

void page_index(const project_data *data, piw_buffer *to)
{
    put_head(to);
    put_status(data, to);
    /* The page that people read. */
    piw_put(to, "<link rel=\"alternate\" type=\"text/html\" href=\"../../project/");
    piw_put_url(to, data->package);
    piw_put(to, "/\">\n<title>Links for ");
    piw_put_html(to, data->package);
    piw_put(to, "</title>\n</head>\n<body>\n<h1>Links for ");
    piw_put_html(to, data->package);
    piw_put(to, "</h1>\n");
    const project_release **order = pages_order(data);
    for (uint32_t i = 0; i < data->releases.count; i++) {
        for (uint32_t k = 0; k < order[i]->files.count; k++) {
            if (pages_indexed(data, order[i], &order[i]->files.at[k]))
                put_anchor(data, order[i], &order[i]->files.at[k], to);
        }
    }
    free(order);
    piw_put(to, "</body>\n</html>\n");
}

void page_root(const char *names, size_t len, piw_buffer *to)
{
    put_head(to);
    piw_put(to, PAGES_GENERATOR "\n<title>Simple index</title>\n</head>\n<body>\n");
    const char *end = names + len;
    while (names < end) {
        size_t n = strnlen(names, (size_t)(end - names));
        /* Canonical names need no escaping. */
        piw_put(to, "<a href=\"");
        piw_put_bytes(to, names, n);
        piw_put(to, "/\">");
        piw_put_bytes(to, names, n);
        piw_put(to, "</a><br>\n");
        names += n + 1;
    }
    piw_put(to, "</body>\n</html>\n");
}
