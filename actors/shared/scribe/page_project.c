/* page_project.c — the page of a project that people read. */
#include "pages.h"

#include "plain_system.h"
#include "shared/abi.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/version.h"
#include "site_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MISSING_MAX = 60 /* sentences of what isn't there; the newest versions' */ };

/* --- How to install it ------------------------------------------------------------------------------------------ */

/* The release that pip would take: the newest in the index that is neither yanked nor a pre-release, else the newest
 * there. */
static const project_release *installable(const project_data *data, const project_release *const *order)
{
    const project_release *any = NULL;
    for (uint32_t i = 0; i < data->releases.count; i++) {
        const project_release *release = order[i];
        if (!pages_offered(data, release))
            continue;
        if (!release->yanked && !piw_version_prerelease(release->version))
            return release;
        if (any == NULL)
            any = release;
    }
    return any;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(((const piw_text *)a)->s, ((const piw_text *)b)->s);
}

/* The apt packages that any file of the release needs, each once, in a line that people paste into a root shell: what is no name
 * of a Debian package, which an older master or another program may have left in the database, stays out; so does what every
 * system has. */
static void put_apt(piw_view *view, const project_release *release)
{
    size_t most = 0, n = 0;
    for (uint32_t i = 0; i < release->files.count; i++)
        most += release->files.at[i].apt_dependencies.count;
    piw_text *all = piw_alloc((most + 1) * sizeof(*all));
    for (uint32_t i = 0; i < release->files.count; i++) {
        for (uint32_t k = 0; k < release->files.at[i].apt_dependencies.count; k++) {
            piw_text name = release->files.at[i].apt_dependencies.at[k];
            if (piw_name_is_debian(name) && !plain_system_has(name))
                all[n++] = name;
        }
    }
    qsort(all, n, sizeof(*all), compare_texts);
    piw_buffer line = {0};
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && piw_text_eq(all[i], all[i - 1]))
            continue;
        piw_put(&line, i > 0 ? " " : "");
        piw_put_text(&line, all[i]);
    }
    piw_view_print(view, "apt", "%.*s", (int)line.len, n > 0 ? (const char *)line.data : "");
    piw_buffer_fini(&line);
    free(all);
}

/* --- Versions and ABIs ------------------------------------------------------------------------------------------ */

typedef struct columns {
    piw_text *abis;
    size_t count;
} columns;

static int compare_abis(const void *a, const void *b)
{
    return piw_abi_compare(*(const piw_text *)a, *(const piw_text *)b);
}

/* Every ABI that any release names, oldest interpreter first. */
static columns find_columns(const project_data *data)
{
    size_t most = 0;
    for (uint32_t i = 0; i < data->releases.count; i++)
        most += data->releases.at[i].abis.count;
    columns c = {.abis = piw_alloc((most + 1) * sizeof(*c.abis))};
    for (uint32_t i = 0; i < data->releases.count; i++) {
        for (uint32_t k = 0; k < data->releases.at[i].abis.count; k++)
            c.abis[c.count++] = data->releases.at[i].abis.at[k].key;
    }
    qsort(c.abis, c.count, sizeof(*c.abis), compare_abis);
    size_t kept = 0;
    for (size_t i = 0; i < c.count; i++) {
        if (kept == 0 || !piw_text_eq(c.abis[i], c.abis[kept - 1]))
            c.abis[kept++] = c.abis[i];
    }
    c.count = kept;
    return c;
}

static const project_abi *find_abi(const project_release *release, piw_text abi)
{
    for (uint32_t i = 0; i < release->abis.count; i++) {
        if (piw_text_eq(release->abis.at[i].key, abi))
            return &release->abis.at[i].value;
    }
    return NULL;
}

typedef struct project_page {
    const site_facts *site;
    const project_data *data;
    const project_release **order;
    columns columns;
    piw_view *view;
    uint32_t missing; /* how many there are */
    bool failed;
    int64_t *linked; /* the builds whose logs the table of versions leads to */
    size_t linked_count;
    piw_buffer waiting;             /* ABIs of the release, whose turn hasn't come */
    piw_buffer idle;                /* ABIs for which nothing is built, of whatever package */
    const project_release *skipped; /* the last one whose reason has been said */
} project_page;

static int compare_builds(const void *key, const void *build)
{
    int64_t id = *(const int64_t *)key, other = ((const project_build *)build)->build_id;
    return id < other ? -1 : id > other;
}

static const project_build *find_build(const project_data *data, int64_t build_id)
{
    const project_history *h = data->history;
    return h == NULL || h->builds.count == 0
               ? NULL
               : bsearch(&build_id, h->builds.at, h->builds.count, sizeof(*h->builds.at), compare_builds);
}

static const project_try *find_try(const project_data *data, piw_text version, piw_text abi)
{
    for (uint32_t i = 0; data->history != NULL && i < data->history->tries.count; i++) {
        const project_try *t = &data->history->tries.at[i];
        if (piw_text_eq(t->version, version) && piw_text_eq(t->abi_tag, abi))
            return t;
    }
    return NULL;
}

/* A reason to skip, in words. */
static piw_text skip_words(piw_text skip)
{
    static const char *const known[][2] = {
        {"binary only", "PyPI has wheels of it but no source archive, so there is nothing to build"},
        {"development mode", "the farm is in development mode and builds only what it is told to"},
        {"deleted", "it was deleted from PyPI"},
    };
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        if (piw_text_is(skip, known[i][0]))
            return piw_text_of(known[i][1]);
    }
    return skip;
}

/* "once", "3 times". */
static const char *times(int64_t count, char *to, size_t size)
{
    if (count == 1)
        return "once";
    snprintf(to, size, "%lld times", (long long)count);
    return to;
}

static void put_wait(const project_try *t, piw_view *item)
{
    char next[32], count[32];
    if (t->next_try != NULL)
        piw_view_print(
            item, "words",
            "was tried %s, and failed because of the machine, not of the package (%.*s). The next try is after %.16s "
            "UTC.",
            times(t->tries, count, sizeof(count)), (int)t->cause.len, t->cause.s,
            piw_time_print(*t->next_try, next, sizeof(next)));
    else
        piw_view_print(
            item, "words",
            "was tried %s, and failed because of the machine, not of the package (%.*s). It is tried again as soon "
            "as a builder is free.",
            times(t->tries, count, sizeof(count)), (int)t->cause.len, t->cause.s);
}

/* One more name in a list of them, once. They come in the order of the columns, for each release anew. */
static void add_name(piw_buffer *list, piw_text name)
{
    size_t from = 0;
    while (from < list->len) {
        piw_text rest = {(const char *)list->data + from, (uint32_t)(list->len - from)};
        const char *end = memmem(rest.s, rest.len, ", ", 2);
        rest.len = end == NULL ? rest.len : (uint32_t)(end - rest.s);
        if (piw_text_eq(rest, name))
            return;
        from += rest.len + 2;
    }
    piw_put(list, list->len > 0 ? ", " : "");
    piw_put_text(list, name);
}

/* Why there is no wheel, and what becomes of it. What is so for all versions is said once: of the package above all, of an ABI below
 * the list. */
static void put_missing(project_page *page, const project_release *release, piw_text abi, const project_abi *status,
                        const char *log)
{
    piw_text skip = release->skip;
    bool skipped = piw_text_is(status->status, "skip");
    bool pending = piw_text_is(status->status, "pending");
    const project_try *tried = pending ? find_try(page->data, release->version, abi) : NULL;
    if (piw_text_is(status->status, "success") || (skipped && skip.len > 0 && page->skipped == release))
        return;
    if (pending && tried == NULL) {
        piw_put(&page->waiting, page->waiting.len > 0 ? ", " : "");
        piw_put_text(&page->waiting, abi);
        return;
    }
    if (skipped && skip.len == 0) {
        if (page->data->skip.len == 0)
            add_name(&page->idle, abi);
        return;
    }
    if (page->missing++ >= MISSING_MAX)
        return;
    piw_view *item = piw_view_add(page->view, "missing");
    piw_view_text(item, "version", release->version);
    /* A reason of the whole version is said once. */
    piw_view_text(item, "abi", skipped ? piw_text_of("") : abi);
    piw_view_print(item, "log", "%s", log);
    char when[32], took[48];
    const project_build *build = status->build_id == NULL ? NULL : find_build(page->data, *status->build_id);
    if (pending) {
        put_wait(tried, item);
    } else if (skipped) {
        page->skipped = release;
        piw_text words = skip_words(skip);
        piw_view_print(item, "words", "isn't built: %.*s.", (int)words.len, words.s);
    } else if (piw_text_is(status->status, "error")) {
        piw_view_print(item, "words", "%s", "was built, but no wheel came of it.");
    } else if (build != NULL) {
        piw_view_print(item, "words", "failed on %.10s after %s.", piw_time_print(build->built_at, when, sizeof(when)),
                       piw_duration_print(build->duration, took, sizeof(took)));
    } else {
        piw_view_print(item, "words", "%s", "failed.");
    }
}

/* What waits is said in one sentence for all ABIs. */
static void put_waiting(project_page *page, const project_release *release)
{
    if (page->waiting.len > 0 && page->missing++ < MISSING_MAX) {
        piw_view *item = piw_view_add(page->view, "missing");
        piw_view_text(item, "version", release->version);
        piw_view_print(item, "abi", "%.*s", (int)page->waiting.len, (const char *)page->waiting.data);
        piw_view_text(item, "log", piw_text_of(""));
        piw_view_text(item, "words", piw_text_of("waits for a builder to be free."));
    }
    page->waiting.len = 0;
}

static void put_cell(project_page *page, const project_release *release, piw_text abi, piw_view *row)
{
    piw_view *cell = piw_view_add(row, "cells");
    const project_abi *status = find_abi(release, abi);
    const char *style = "", *words = status == NULL ? "" : pages_state_words(status->status, &style);
    char log[64] = "", took[48] = "", when[32] = "";
    if (status != NULL && status->build_id != NULL) {
        page_log_link(log, sizeof(log), page->site->root.s, *status->build_id);
        page->linked[page->linked_count++] = *status->build_id;
        const project_build *build = find_build(page->data, *status->build_id);
        if (build != NULL) {
            piw_duration_print(build->duration, took, sizeof(took));
            piw_time_print(build->built_at, when, sizeof(when));
        }
    }
    piw_view_text(cell, "words", piw_text_of(words));
    piw_view_text(cell, "style", piw_text_of(style));
    piw_view_print(cell, "log", "%s", log);
    piw_view_print(cell, "took", "%s", took);
    piw_view_print(cell, "when", "%.10s", when);
    if (status != NULL)
        page->failed |= piw_text_is(status->status, "fail");
    if (status != NULL)
        put_missing(page, release, abi, status, log);
}

/* A file of which nothing is counted was never fetched. A recount may find less than was taken off meanwhile. */
static int64_t downloads(const int64_t *counted)
{
    return counted == NULL || *counted < 0 ? 0 : *counted;
}

static int64_t recent_downloads(const project_release *release)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < release->files.count; i++)
        sum += downloads(release->files.at[i].recent);
    return sum;
}

static void put_release(project_page *page, const project_release *release)
{
    char released[32];
    piw_view *row = piw_view_add(page->view, "releases");
    piw_view_text(row, "version", release->version);
    piw_view_print(row, "released", "%.10s", piw_time_print(release->released, released, sizeof(released)));
    piw_view_number(row, "recent", recent_downloads(release));
    piw_view_flag(row, "prerelease", piw_version_prerelease(release->version));
    piw_view_flag(row, "yanked", release->yanked);
    if (release->yank_reason.len > 0)
        piw_view_print(row, "yanked_words", "by its authors: %.*s", (int)release->yank_reason.len,
                       release->yank_reason.s);
    else
        piw_view_text(row, "yanked_words", piw_text_of("by its authors: installers avoid it"));
    piw_view_text(row, "note", skip_words(release->skip));
    piw_view_list(row, "cells");
    for (size_t k = 0; k < page->columns.count; k++)
        put_cell(page, release, page->columns.abis[k], row);
    put_waiting(page, release);
}

static void put_releases(project_page *page)
{
    bool any = false;
    piw_view_list(page->view, "abis");
    piw_view_list(page->view, "releases");
    piw_view_list(page->view, "missing");
    for (size_t i = 0; i < page->columns.count; i++)
        piw_view_text(piw_view_add(page->view, "abis"), "abi", page->columns.abis[i]);
    for (uint32_t i = 0; i < page->data->releases.count; i++) {
        if (!pages_live(page->data, page->order[i]))
            continue;
        put_release(page, page->order[i]);
        any = true;
    }
    piw_view_flag(page->view, "has_releases", any);
    piw_view_flag(page->view, "has_missing", page->missing > 0 || page->idle.len > 0);
    piw_view_print(page->view, "idle_abis", "%.*s", (int)page->idle.len,
                   page->idle.len > 0 ? (char *)page->idle.data : "");
    piw_view_flag(page->view, "has_failed", page->failed);
    if (page->missing > MISSING_MAX)
        piw_view_number(page->view, "missing_more", page->missing - MISSING_MAX);
    else
        piw_view_text(page->view, "missing_more", piw_text_of(""));
}

/* --- Other builds ------------------------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static int compare_versions(const void *a, const void *b)
{
    return strcmp((*(const project_release *const *)a)->version.s, (*(const project_release *const *)b)->version.s);
}

/* The releases that are shown, by the bytes of their versions. The caller frees the array. */
static const project_release **shown_releases(const project_data *data, size_t *count)
{
    const project_release **shown = piw_alloc((data->releases.count + 1) * sizeof(*shown));
    *count = 0;
    for (uint32_t i = 0; i < data->releases.count; i++) {
        if (pages_live(data, &data->releases.at[i]))
            shown[(*count)++] = &data->releases.at[i];
    }
    qsort(shown, *count, sizeof(const project_release *), compare_versions);
    return shown;
}

static bool has_log(const site_facts *site, int64_t build_id)
{
    char path[PIW_PATH_MAX];
    return piw_path_log(path, site->root.s, build_id) && access(path, F_OK) == 0;
}

static void put_other(project_page *page, const project_build *build)
{
    char log[64], took[48], when[32];
    piw_view *row = piw_view_add(page->view, "others");
    page_log_link(log, sizeof(log), page->site->root.s, build->build_id);
    piw_view_print(row, "log", "%s", log);
    piw_view_text(row, "version", build->version);
    piw_view_text(row, "abi", build->abi_tag);
    piw_view_text(row, "style", piw_text_of(build->status ? "success" : "fail"));
    piw_view_text(row, "words", piw_text_of(build->status ? "built" : "failed"));
    piw_view_print(row, "took", "%s", piw_duration_print(build->duration, took, sizeof(took)));
    piw_view_print(row, "when", "%.16s", piw_time_print(build->built_at, when, sizeof(when)));
}

/* Builds in whose place others have come, of versions that are shown: their logs can be read, too. The newest first. */
static void put_others(project_page *page)
{
    size_t releases_count, others = 0;
    const project_release **releases = shown_releases(page->data, &releases_count);
    const project_history *history = page->data->history;
    qsort(page->linked, page->linked_count, sizeof(*page->linked), compare_ids);
    piw_view_list(page->view, "others");
    for (uint32_t i = history == NULL ? 0 : history->builds.count; i > 0; i--) {
        const project_build *build = &history->builds.at[i - 1];
        const project_release wanted = {.version = build->version}, *key = &wanted;
        if (bsearch(&build->build_id, page->linked, page->linked_count, sizeof(*page->linked), compare_ids) != NULL ||
            bsearch(&key, releases, releases_count, sizeof(const project_release *), compare_versions) == NULL ||
            !has_log(page->site, build->build_id))
            continue;
        put_other(page, build);
        others++;
    }
    piw_view_flag(page->view, "has_others", others > 0);
    piw_view_number(page->view, "others_count", (int64_t)others);
    free(releases);
}

/* --- Files -------------------------------------------------------------------------------------------------------- */

static uint32_t put_names(piw_view *row, const char *list, const piw_text *texts, uint32_t count, bool debian)
{
    uint32_t shown = 0;
    piw_view_list(row, list);
    for (uint32_t i = 0; i < count; i++) {
        if (debian && plain_system_has(texts[i]))
            continue;
        piw_view_text(piw_view_add(row, list), ".", texts[i]);
        shown++;
    }
    return shown;
}

static void put_href(piw_view *row, const project_data *data, const project_file *file)
{
    piw_buffer href = {0};
    if (piw_text_is(file->location, "/simple"))
        piw_put(&href, "../../simple");
    else
        piw_put_text(&href, file->location);
    piw_put(&href, "/");
    piw_put_url(&href, data->package);
    piw_put(&href, "/");
    piw_put_url(&href, file->filename);
    piw_view_print(row, "href", "%.*s", (int)href.len, (const char *)href.data);
    piw_buffer_fini(&href);
}

/* The build that its builder's ABI shows. */
static const project_build *build_of(const project_data *data, const project_release *release, const project_file *file)
{
    const project_abi *abi = find_abi(release, file->builder_abi);
    return abi == NULL || abi->build_id == NULL ? NULL : find_build(data, *abi->build_id);
}

static void put_file(project_page *page, const project_release *release, const project_file *file)
{
    char size[32], when[32], took[48] = "";
    piw_view *row = piw_view_add(page->view, "files");
    const project_build *build = build_of(page->data, release, file);
    if (build != NULL)
        piw_duration_print(build->duration, took, sizeof(took));
    put_href(row, page->data, file);
    piw_view_text(row, "filename", file->filename);
    piw_view_print(row, "size", "%s", piw_size_print(file->filesize, size, sizeof(size)));
    piw_view_print(row, "when", "%.10s", piw_time_print(file->uploaded, when, sizeof(when)));
    piw_view_print(row, "took", "%s", took);
    piw_view_text(row, "python", file->requires_python);
    piw_view_number(row, "recent", downloads(file->recent));
    piw_view_number(row, "ever", downloads(file->ever));
    uint32_t shown = put_names(row, "apt_names", file->apt_dependencies.at, file->apt_dependencies.count, true);
    piw_view_flag(row, "has_apt", shown > 0);
    shown = put_names(row, "pip_names", file->pip_dependencies.at, file->pip_dependencies.count, false);
    piw_view_flag(row, "has_pip", shown > 0);
}

static void put_files(project_page *page)
{
    bool any = false;
    piw_view_list(page->view, "files");
    for (uint32_t i = 0; i < page->data->releases.count; i++) {
        if (!pages_live(page->data, page->order[i]))
            continue;
        for (uint32_t k = 0; k < page->order[i]->files.count; k++) {
            put_file(page, page->order[i], &page->order[i]->files.at[k]);
            any = true;
        }
    }
    piw_view_flag(page->view, "has_files", any);
}

static void put_head(project_page *page)
{
    const project_data *data = page->data;
    const project_release *best = installable(data, page->order);
    bool quarantined = pages_quarantined(data);
    piw_view_text(page->view, "package", data->package);
    piw_view_text(page->view, "name", data->name);
    piw_view_text(page->view, "description", data->description);
    piw_view_flag(page->view, "quarantined", quarantined);
    piw_view_text(page->view, "skip", quarantined ? piw_text_of("") : skip_words(data->skip));
    piw_view_text(page->view, "latest", best == NULL ? piw_text_of("") : best->version);
    piw_view_flag(page->view, "installable", best != NULL);
    if (best != NULL)
        put_apt(page->view, best);
    else
        piw_view_text(page->view, "apt", piw_text_of(""));
    piw_view_flag(page->view, "has_history", data->history != NULL);
    piw_view_number(page->view, "recent", data->history == NULL ? 0 : data->history->recent);
    piw_view_number(page->view, "ever", data->history == NULL ? 0 : data->history->ever);
}

int page_project(const site_facts *site, const project_data *data, piw_buffer *to, piw_err *err)
{
    char *title = piw_sprintf("%s - %s", data->name.s, site->name.s);
    char *feed = piw_sprintf("project/%s/feed.atom", data->package.s),
         *feed_title = piw_sprintf("Builds of %s", data->name.s);
    project_page page = {.site = site,
                         .data = data,
                         .order = pages_order(data),
                         .columns = find_columns(data),
                         .view = site_view(site, "../../", piw_text_of(title), "")};
    page.linked = piw_alloc(((size_t)data->releases.count * page.columns.count + 1) * sizeof(*page.linked));
    piw_view_text(page.view, "feed", piw_text_of(feed));
    piw_view_text(page.view, "feed_title", piw_text_of(feed_title));
    put_head(&page);
    put_releases(&page);
    put_others(&page);
    put_files(&page);
    pages_put_project_views(site, data, page.order, page.view);
    int rc = site_render(site, "project.html", page.view, to, err);
    piw_view_free(&page.view);
    piw_buffer_fini(&page.waiting);
    piw_buffer_fini(&page.idle);
    free(page.linked);
    free(page.columns.abis);
    free(page.order);
    free(feed_title);
    free(feed);
    free(title);
    return rc;
}
