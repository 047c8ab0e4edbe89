/* simple_json.c — the simple index as JSON (PEP 691). */
#include "simple_json.h"

#include "pages.h"
#include "shared/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What the form promises: "versions", "size" and "upload-time" came with 1.1. */
static const char META[] = "\"meta\":{\"api-version\":\"1.4\"}";

/* The form wants a fraction and Z always, where the wire leaves a fraction of zero out. */
static void put_upload_time(piw_time uploaded, piw_buffer *to)
{
    int64_t seconds = uploaded.us / 1000000, micros = uploaded.us % 1000000;
    if (micros < 0) {
        seconds--;
        micros += 1000000;
    }
    time_t moment = (time_t)seconds;
    struct tm utc;
    char text[32];
    if (gmtime_r(&moment, &utc) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        return;
    piw_putf(to, ",\"upload-time\":\"%s.%06lldZ\"", text, (long long)micros);
}

static void put_file_url(const project_data *data, piw_text view, const page_entry *entry, piw_buffer *to)
{
    piw_buffer url = {0};
    pages_put_url(data, view, entry, &url);
    piw_put_json(to, (piw_text){(const char *)url.data, (uint32_t)url.len});
    piw_buffer_fini(&url);
}

static void put_file(const project_data *data, piw_text view, const project_release *release, const page_entry *entry,
                     piw_buffer *to)
{
    const project_file *file = entry->file;
    piw_put(to, "{\"filename\":");
    piw_put_json(to, file->filename);
    piw_put(to, ",\"url\":");
    put_file_url(data, view, entry, to);
    piw_put(to, ",\"hashes\":{\"sha256\":");
    piw_put_json(to, file->filehash);
    piw_putf(to, "},\"size\":%lld", (long long)file->filesize);
    put_upload_time(file->uploaded, to);
    if (file->requires_python.s != NULL && file->requires_python.len > 0) {
        piw_put(to, ",\"requires-python\":");
        piw_put_json(to, file->requires_python);
    }
    piw_put(to, ",\"yanked\":");
    if (release->yanked && release->yank_reason.s != NULL && release->yank_reason.len > 0)
        piw_put_json(to, release->yank_reason);
    else
        piw_put(to, release->yanked ? "true" : "false");
    /* Never with its older name as a twin: pip 22.3 to 23.1 take that for HTML's and crash. */
    if (file->metadata_hash.s != NULL && file->metadata_hash.len > 0) {
        piw_put(to, ",\"core-metadata\":{\"sha256\":");
        piw_put_json(to, file->metadata_hash);
        piw_put(to, "}");
    }
    piw_put(to, "}");
}

static void put_json_status(const project_data *data, piw_buffer *to)
{
    piw_text why;
    const char *status = pages_status(data, &why);
    if (status == NULL)
        return;
    piw_putf(to, "\"project-status\":{\"status\":\"%s\"", status);
    if (why.len > 0) {
        piw_put(to, ",\"reason\":");
        piw_put_json(to, why);
    }
    piw_put(to, "},");
}

/* The versions, then their files; entries[i], of counts[i], are order[i]'s. */
static void put_lists(const project_data *data, piw_text view, const project_release *const *order,
                      page_entry *const *entries, const size_t *counts, piw_buffer *to)
{
    const char *comma = "";
    piw_put(to, ",\"versions\":[");
    for (uint32_t i = 0; i < data->releases.count; i++) {
        if (counts[i] == 0)
            continue;
        piw_put(to, comma);
        piw_put_json(to, order[i]->version);
        comma = ",";
    }
    piw_put(to, "],\"files\":[");
    comma = "";
    for (uint32_t i = 0; i < data->releases.count; i++) {
        for (size_t k = 0; k < counts[i]; k++) {
            piw_put(to, comma);
            put_file(data, view, order[i], &entries[i][k], to);
            comma = ",";
        }
    }
}

void simple_json_index(const project_data *data, piw_text view, piw_buffer *to)
{
    piw_putf(to, "{%s,", META);
    put_json_status(data, to);
    piw_put(to, "\"name\":");
    piw_put_json(to, data->package);
    const project_release **order = pages_order(data);
    size_t *counts = piw_alloc((data->releases.count + 1) * sizeof(*counts));
    page_entry **entries = piw_alloc((data->releases.count + 1) * sizeof(*entries));
    for (uint32_t i = 0; i < data->releases.count; i++)
        entries[i] = pages_entries(data, order[i], view, &counts[i]);
    put_lists(data, view, order, entries, counts, to);
    for (uint32_t i = 0; i < data->releases.count; i++)
        free(entries[i]);
    free(entries);
    free(counts);
    free(order);
    piw_put(to, "]}\n");
}

void simple_json_root(const char *names, size_t len, piw_buffer *to)
{
    const char *end = names + len, *comma = "";
    piw_putf(to, "{%s,\"projects\":[", META);
    while (names < end) {
        size_t n = strnlen(names, (size_t)(end - names));
        /* Canonical names need no escaping. */
        piw_putf(to, "%s{\"name\":\"%.*s\"}", comma, (int)n, names);
        comma = ",";
        names += n + 1;
    }
    piw_put(to, "]}\n");
}

const simple_json simple_json_forms = {.index = simple_json_index, .root = simple_json_root};
