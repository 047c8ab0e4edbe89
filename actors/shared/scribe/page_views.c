/* page_views.c — what pages for people say of the farm's views, its kinds of machine. Without views they say nothing. */
#include "pages.h"

#include "shared/text.h"

#include <stdlib.h>

const char *pages_state_words(piw_text status, const char **style)
{
    static const struct {
        const char *status, *words;
    } known[] = {
        {"success", "built"}, {"fail", "failed"}, {"pending", "waiting"}, {"skip", "skipped"}, {"error", "no files"}};
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        if (piw_text_is(status, known[i].status)) {
            *style = known[i].status;
            return known[i].words;
        }
    }
    *style = "note";
    return "unknown";
}

void pages_put_views(const site_facts *site, piw_view *view)
{
    const site_views *views = site->views;
    uint32_t count = views != NULL ? views->at.count : 0;
    piw_view_flag(view, "has_views", count > 0);
    piw_view_list(view, "views");
    for (uint32_t i = 0; i < count; i++) {
        const view_facts *facts = &views->at.at[i];
        piw_view *item = piw_view_add(view, "views");
        piw_view_text(item, "view", facts->name);
        piw_view_text(item, "abi", facts->abi);
        piw_view_text(item, "platforms", facts->platforms);
        piw_view_text(item, "system", facts->system);
        piw_view_flag(item, "common", facts->common);
        piw_view_print(item, "index", "%s/%s/simple", site->base_url.s, facts->name.s);
    }
}

static const project_abi *find_state(const project_release *release, piw_text view)
{
    for (uint32_t i = 0; release->views != NULL && i < release->views->states.count; i++) {
        if (piw_text_eq(release->views->states.at[i].key, view))
            return &release->views->states.at[i].value;
    }
    return NULL;
}

static void put_cell(const site_facts *site, const project_release *release, piw_text view, piw_view *row)
{
    const project_abi *state = find_state(release, view);
    const char *style = "", *words = state == NULL ? "" : pages_state_words(state->status, &style);
    char log[64] = "";
    if (state != NULL && state->build_id != NULL)
        page_log_link(log, sizeof(log), site->root.s, *state->build_id);
    piw_view *cell = piw_view_add(row, "cells");
    piw_view_text(cell, "words", piw_text_of(words));
    piw_view_text(cell, "style", piw_text_of(style));
    piw_view_print(cell, "log", "%s", log);
}

/* The files of a release that are in the stores of views. */
static void put_files(const project_data *data, const project_release *release, piw_view *view, bool *any)
{
    char size[32], when[32];
    for (uint32_t i = 0; release->views != NULL && i < release->views->files.count; i++) {
        const view_file *f = &release->views->files.at[i];
        if (!pages_indexed(data, release, &f->file))
            continue;
        piw_buffer url = {0};
        piw_put_url(&url, f->file.filename);
        piw_view *row = piw_view_add(view, "view_files");
        piw_view_text(row, "view", f->view);
        piw_view_print(row, "href", "../../%s/simple/%s/%.*s", f->view.s, data->package.s, (int)url.len,
                       (const char *)url.data);
        piw_view_text(row, "filename", f->file.filename);
        piw_view_print(row, "size", "%s", piw_size_print(f->file.filesize, size, sizeof(size)));
        piw_view_print(row, "when", "%.10s", piw_time_print(f->file.uploaded, when, sizeof(when)));
        piw_buffer_fini(&url);
        *any = true;
    }
}

void pages_put_project_views(const site_facts *site, const project_data *data, const project_release *const *order,
                             piw_view *view)
{
    const site_views *views = site->views;
    uint32_t count = views != NULL ? views->at.count : 0;
    bool files = false;
    pages_put_views(site, view);
    piw_view_list(view, "view_releases");
    piw_view_list(view, "view_files");
    for (uint32_t i = 0; count > 0 && i < data->releases.count; i++) {
        if (!pages_live(data, order[i]))
            continue;
        piw_view *row = piw_view_add(view, "view_releases");
        piw_view_text(row, "version", order[i]->version);
        piw_view_list(row, "cells");
        for (uint32_t k = 0; k < count; k++)
            put_cell(site, order[i], views->at.at[k].name, row);
        put_files(data, order[i], view, &files);
    }
    piw_view_flag(view, "has_view_files", files);
}
