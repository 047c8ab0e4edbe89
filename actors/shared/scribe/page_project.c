/* page_project.c — the page of a project that people read. */
#include "pages.h"

#include "shared/abi.h"
#include "shared/names.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/version.h"

#include <stdlib.h>

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

/* The apt packages that any file of the release needs, each once. People paste this line into a root shell: what is no name
 * of a Debian package, which an older master or another program may have left in the database, stays out. */
static void put_apt(const project_release *release, piw_buffer *to)
{
    size_t most = 0, n = 0;
    for (uint32_t i = 0; i < release->files.count; i++)
        most += release->files.at[i].apt_dependencies.count;
    piw_text *all = piw_alloc((most + 1) * sizeof(*all));
    for (uint32_t i = 0; i < release->files.count; i++) {
        for (uint32_t k = 0; k < release->files.at[i].apt_dependencies.count; k++) {
            if (piw_name_is_debian(release->files.at[i].apt_dependencies.at[k]))
                all[n++] = release->files.at[i].apt_dependencies.at[k];
        }
    }
    qsort(all, n, sizeof(*all), compare_texts);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && piw_text_eq(all[i], all[i - 1]))
            continue;
        piw_put(to, i == 0 ? "sudo apt install " : " ");
        piw_put_html(to, all[i]);
    }
    piw_put(to, n > 0 ? "\n" : "");
    free(all);
}

static void put_install(const site_facts *site, const project_data *data, const project_release *release,
                        piw_buffer *to)
{
    if (release == NULL) {
        piw_put(to, "<p class=\"note\">No wheel has been built yet.</p>\n");
        return;
    }
    piw_put(to, "<h2>Install</h2>\n<pre>");
    put_apt(release, to);
    piw_put(to, "pip3 install --extra-index-url ");
    piw_put_html(to, site->base_url);
    piw_put(to, "/simple ");
    piw_put_html(to, data->package);
    piw_put(to, "</pre>\n");
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

static const char *words_for(const project_abi *abi, const char **style)
{
    static const struct {
        const char *status, *words;
    } known[] = {
        {"success", "built"}, {"fail", "failed"}, {"pending", "waiting"}, {"skip", "skipped"}, {"error", "error"}};
    for (size_t i = 0; i < PIW_COUNT(known); i++) {
        if (piw_text_is(abi->status, known[i].status)) {
            *style = known[i].status;
            return known[i].words;
        }
    }
    *style = "note";
    return "unknown";
}

static void put_cell(const project_abi *abi, piw_buffer *to)
{
    if (abi == NULL) {
        piw_put(to, "<td></td>");
        return;
    }
    const char *style, *words = words_for(abi, &style);
    char link[64];
    if (abi->build_id != NULL && piw_link_log(link, sizeof(link), *abi->build_id))
        piw_putf(to, "<td class=\"%s\"><a href=\"%s\">%s</a></td>", style, link, words);
    else
        piw_putf(to, "<td class=\"%s\">%s</td>", style, words);
}

static void put_note(const project_release *release, piw_buffer *to)
{
    piw_put(to, "<td>");
    if (release->yanked)
        piw_put(to, "yanked");
    if (release->yanked && release->skip.len > 0)
        piw_put(to, ", ");
    piw_put_html(to, release->skip);
    piw_put(to, "</td></tr>\n");
}

static void put_versions(const project_data *data, const project_release *const *order, piw_buffer *to)
{
    columns c = find_columns(data);
    piw_put(to, "<h2>Versions</h2>\n<div class=\"scroll\"><table>\n<tr><th>Version</th><th>Released</th>");
    for (size_t i = 0; i < c.count; i++) {
        piw_put(to, "<th>");
        piw_put_html(to, c.abis[i]);
        piw_put(to, "</th>");
    }
    piw_put(to, "<th>Note</th></tr>\n");
    for (uint32_t i = 0; i < data->releases.count; i++) {
        if (!pages_live(data, order[i]))
            continue;
        char released[32];
        piw_put(to, "<tr><td>");
        piw_put_html(to, order[i]->version);
        piw_putf(to, "</td><td>%.10s</td>", piw_time_print(order[i]->released, released, sizeof(released)));
        for (size_t k = 0; k < c.count; k++)
            put_cell(find_abi(order[i], c.abis[k]), to);
        put_note(order[i], to);
    }
    piw_put(to, "</table></div>\n");
    free(c.abis);
}

/* --- Files -------------------------------------------------------------------------------------------------------- */

static void put_list(const piw_text *texts, uint32_t count, const char *before, piw_buffer *to)
{
    for (uint32_t i = 0; i < count; i++) {
        piw_put(to, i == 0 ? before : ", ");
        piw_put_html(to, texts[i]);
    }
    if (count > 0)
        piw_put(to, " ");
}

static void put_row(const project_data *data, const project_file *file, piw_buffer *to)
{
    char size[32];
    piw_put(to, "<tr><td class=\"file\"><a href=\"");
    if (piw_text_is(file->location, "/simple"))
        piw_put(to, "../../simple");
    else
        piw_put_html(to, file->location);
    piw_put(to, "/");
    piw_put_url(to, data->package);
    piw_put(to, "/");
    piw_put_url(to, file->filename);
    piw_put(to, "\">");
    piw_put_html(to, file->filename);
    piw_putf(to, "</a></td><td>%s</td><td>", piw_size_print(file->filesize, size, sizeof(size)));
    if (file->requires_python.s != NULL)
        piw_put_html(to, file->requires_python);
    piw_put(to, "</td><td>");
    put_list(file->apt_dependencies.at, file->apt_dependencies.count, "apt: ", to);
    put_list(file->pip_dependencies.at, file->pip_dependencies.count, "pip: ", to);
    piw_put(to, "</td></tr>\n");
}

static void put_files(const project_data *data, const project_release *const *order, piw_buffer *to)
{
    bool any = false;
    for (uint32_t i = 0; i < data->releases.count; i++) {
        if (!pages_live(data, order[i]))
            continue;
        for (uint32_t k = 0; k < order[i]->files.count; k++) {
            if (!any)
                piw_put(to,
                        "<h2>Files</h2>\n<div class=\"scroll\"><table>\n<tr><th>File</th><th>Size</th><th>Python</th>"
                        "<th>Needs</th></tr>\n");
            any = true;
            put_row(data, &order[i]->files.at[k], to);
        }
    }
    if (any)
        piw_put(to, "</table></div>\n");
}

void page_project(const site_facts *site, const project_data *data, piw_buffer *to)
{
    piw_buffer title = {0};
    piw_put_text(&title, data->name);
    piw_put(&title, " - ");
    piw_put_text(&title, site->name);
    page_begin(site, "../../", (piw_text){(const char *)title.data, (uint32_t)title.len}, to);
    piw_buffer_fini(&title);

    const project_release **order = pages_order(data);
    piw_put(to, "<h1>");
    piw_put_html(to, data->name);
    piw_put(to, "</h1>\n<p>");
    piw_put_html(to, data->description);
    piw_put(to, "</p>\n<p><a href=\"https://pypi.org/project/");
    piw_put_url(to, data->package);
    piw_put(to, "/\">On PyPI</a> · <a href=\"json/index.json\">As JSON</a></p>\n");
    if (pages_quarantined(data)) {
        piw_put(
            to,
            "<p class=\"note\">PyPI has put this project under quarantine. Until that ends nothing of it is built or "
            "offered here.</p>\n");
    } else if (data->skip.len > 0) {
        piw_put(to, "<p class=\"note\">This package isn't built: ");
        piw_put_html(to, data->skip);
        piw_put(to, "</p>\n");
    }
    if (!pages_quarantined(data)) {
        put_install(site, data, installable(data, order), to);
        put_versions(data, order, to);
        put_files(data, order, to);
    }
    free(order);
    page_end(site, "../../", to);
}
