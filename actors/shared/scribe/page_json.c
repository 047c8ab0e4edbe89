/* page_json.c — the machine form of a project's page. */
#include "pages.h"

#include "shared/text.h"
#include "shared/version.h"

#include <stdlib.h>

static void put_key(piw_buffer *to, const char *key)
{
    piw_putf(to, "\"%s\": ", key);
}

static void put_member(piw_buffer *to, const char *key, piw_text value)
{
    put_key(to, key);
    piw_put_json(to, value);
    piw_put(to, ", ");
}

static void put_texts(piw_buffer *to, const char *key, const piw_text *texts, uint32_t count)
{
    put_key(to, key);
    piw_put(to, "[");
    for (uint32_t i = 0; i < count; i++) {
        piw_put(to, i == 0 ? "" : ", ");
        piw_put_json(to, texts[i]);
    }
    piw_put(to, "]");
}

static void put_wheel(const project_data *data, const project_file *file, piw_buffer *to)
{
    piw_put_json(to, file->filename);
    piw_put(to, ": {");
    put_key(to, "file_url");
    piw_buffer url = {0};
    piw_put_text(&url, file->location);
    piw_put(&url, "/");
    piw_put_text(&url, data->package);
    piw_put(&url, "/");
    piw_put_url(&url, file->filename);
    piw_put_json(to, (piw_text){(const char *)url.data, (uint32_t)url.len});
    piw_buffer_fini(&url);
    piw_put(to, ", ");
    put_member(to, "filehash", file->filehash);
    piw_putf(to, "\"filesize\": %lld, ", (long long)file->filesize);
    put_member(to, "builder_abi", file->builder_abi);
    put_member(to, "file_abi_tag", file->file_abi);
    put_member(to, "platform", file->platform);
    put_member(to, "requires_python", file->requires_python);
    put_texts(to, "apt_dependencies", file->apt_dependencies.at, file->apt_dependencies.count);
    piw_put(to, ", ");
    put_texts(to, "pip_dependencies", file->pip_dependencies.at, file->pip_dependencies.count);
    piw_put(to, "}");
}

/* Of each view: what came of the release for it, and the files that its index lists, wherever they lie. */
static void put_views(const project_data *data, const project_release *release, piw_buffer *to)
{
    put_key(to, "views");
    piw_put(to, "{");
    for (uint32_t i = 0; i < release->views->states.count; i++) {
        piw_text view = release->views->states.at[i].key;
        piw_put(to, i == 0 ? "" : ", ");
        piw_put_json(to, view);
        piw_put(to, ": {");
        put_member(to, "status", release->views->states.at[i].value.status);
        put_key(to, "files");
        piw_put(to, "{");
        size_t count;
        page_entry *entries = pages_entries(data, release, view, &count);
        for (size_t k = 0; k < count; k++) {
            piw_put(to, k == 0 ? "" : ", ");
            put_wheel(data, entries[k].file, to);
        }
        free(entries);
        piw_put(to, "}}");
    }
    piw_put(to, "}");
}

static void put_release(const site_facts *site, const project_data *data, const project_release *release,
                        piw_buffer *to)
{
    char released[32];
    piw_put_json(to, release->version);
    piw_putf(to, ": {\"released\": \"%s\", \"prerelease\": %s, \"yanked\": %s, ",
             piw_time_print(release->released, released, sizeof(released)),
             piw_version_prerelease(release->version) ? "true" : "false", release->yanked ? "true" : "false");
    put_member(to, "skip_reason", release->skip);
    put_key(to, "files");
    piw_put(to, "{");
    for (uint32_t i = 0; i < release->files.count; i++) {
        piw_put(to, i == 0 ? "" : ", ");
        put_wheel(data, &release->files.at[i], to);
    }
    piw_put(to, "}");
    if (site->views != NULL && site->views->at.count > 0 && release->views != NULL) {
        piw_put(to, ", ");
        put_views(data, release, to);
    }
    piw_put(to, "}");
}

static void put_address(piw_buffer *to, const char *key, const char *base, piw_text package)
{
    piw_buffer url = {0};
    piw_putf(&url, "%s/project/", base);
    piw_put_text(&url, package);
    put_member(to, key, (piw_text){(const char *)url.data, (uint32_t)url.len});
    piw_buffer_fini(&url);
}

void page_json(const site_facts *site, const project_data *data, piw_buffer *to)
{
    piw_put(to, "{");
    put_member(to, "package", data->package);
    put_member(to, "summary", data->description);
    put_address(to, "pypi_url", "https://pypi.org", data->package);
    put_address(to, "piwheels_url", site->base_url.s, data->package);
    put_key(to, "releases");
    piw_put(to, "{");
    const project_release **order = pages_order(data);
    bool first = true;
    for (uint32_t i = 0; i < data->releases.count; i++) {
        if (!pages_live(data, order[i]))
            continue;
        piw_put(to, first ? "" : ", ");
        put_release(site, data, order[i], to);
        first = false;
    }
    free(order);
    piw_put(to, "}}\n");
}
