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

/* --- What an index lists --- */

static const project_file *find_common(const project_release *release, piw_text filename)
{
    for (uint32_t i = 0; i < release->files.count; i++) {
        if (piw_text_eq(release->files.at[i].filename, filename))
            return &release->files.at[i];
    }
    return NULL;
}

static const project_file *find_file(const project_release *release, piw_text home, piw_text filename)
{
    for (uint32_t i = 0; home.len > 0 && i < release->views->files.count; i++) {
        const view_file *f = &release->views->files.at[i];
        if (piw_text_eq(f->view, home) && piw_text_eq(f->file.filename, filename))
            return &f->file;
    }
    return home.len > 0 ? NULL : find_common(release, filename);
}

static void add_entry(const project_data *data, const project_release *release, const project_file *file, piw_text home,
                      page_entry *entries, size_t *count)
{
    if (file != NULL && pages_indexed(data, release, file))
        entries[(*count)++] = (page_entry){file, home};
}

page_entry *pages_entries(const project_data *data, const project_release *release, piw_text view, size_t *count)
{
    const release_views *views = release->views;
    size_t most = view.len == 0 ? release->files.count : views == NULL ? 0 : views->files.count + views->links.count;
    page_entry *entries = piw_alloc((most + 1) * sizeof(*entries));
    *count = 0;
    for (uint32_t i = 0; view.len == 0 && i < release->files.count; i++)
        add_entry(data, release, &release->files.at[i], piw_text_of(""), entries, count);
    if (view.len == 0 || views == NULL)
        return entries;
    for (uint32_t i = 0; i < views->files.count; i++) {
        if (piw_text_eq(views->files.at[i].view, view))
            add_entry(data, release, &views->files.at[i].file, view, entries, count);
    }
    for (uint32_t i = 0; i < views->links.count; i++) {
        const view_link *link = &views->links.at[i];
        if (piw_text_eq(link->view, view))
            add_entry(data, release, find_file(release, link->home, link->filename), link->home, entries, count);
    }
    return entries;
}

/* Relative to the page; an adopted database may say that a file of the common index lies elsewhere. */
void pages_put_url(const project_data *data, piw_text view, const page_entry *entry, piw_buffer *to)
{
    bool elsewhere = entry->home.len == 0 && !piw_text_is(entry->file->location, "/simple");
    bool beside = !elsewhere && (view.len == 0 || piw_text_eq(view, entry->home));
    if (elsewhere) {
        piw_put_text(to, entry->file->location);
    } else if (!beside) {
        piw_put(to, "../../../");
        piw_put_text(to, entry->home);
        piw_put(to, entry->home.len > 0 ? "/simple" : "simple");
    }
    if (!beside) {
        piw_put(to, "/");
        piw_put_url(to, data->package);
        piw_put(to, "/");
    }
    piw_put_url(to, entry->file->filename);
}

/* --- The pages --- */

static void put_href(const project_data *data, piw_text view, const page_entry *entry, piw_buffer *to)
{
    piw_buffer url = {0};
    pages_put_url(data, view, entry, &url);
    piw_put_html(to, (piw_text){(const char *)url.data, (uint32_t)url.len});
    piw_buffer_fini(&url);
    piw_put(to, "#sha256=");
    piw_put_html(to, entry->file->filehash);
}

static void put_anchor(const project_data *data, piw_text view, const project_release *release, const page_entry *entry,
                       piw_buffer *to)
{
    const project_file *file = entry->file;
    piw_put(to, "<a href=\"");
    put_href(data, view, entry, to);
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

void page_index(const project_data *data, piw_text view, piw_buffer *to)
{
    put_head(to);
    put_status(data, to);
    /* The page that people read. */
    piw_put(to, "<link rel=\"alternate\" type=\"text/html\" href=\"../../");
    piw_put(to, view.len > 0 ? "../project/" : "project/");
    piw_put_url(to, data->package);
    piw_put(to, "/\">\n<title>Links for ");
    piw_put_html(to, data->package);
    piw_put(to, "</title>\n</head>\n<body>\n<h1>Links for ");
    piw_put_html(to, data->package);
    piw_put(to, "</h1>\n");
    const project_release **order = pages_order(data);
    for (uint32_t i = 0; i < data->releases.count; i++) {
        size_t count;
        page_entry *entries = pages_entries(data, order[i], view, &count);
        for (size_t k = 0; k < count; k++)
            put_anchor(data, view, order[i], &entries[k], to);
        free(entries);
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
