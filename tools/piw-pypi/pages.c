/* pages.c — the documents that PyPI answers with. */
#include "pages.h"

#include "shared/text.h"
#include "shared/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    EVENTS_MAX = 50000, /* as many as PyPI gives at a time */
    PIECE_EVENTS = 200, /* some 48 KB */
};

static piw_text text(const char *s)
{
    return piw_text_of(s);
}

/* There, offered or not. */
static bool known(const pypi_site *site, const pypi_file *file)
{
    return file->present && file->canonical[0] != '\0' && !pypi_changelog_removed(&site->log, file);
}

static bool listed(const pypi_site *site, const pypi_file *file)
{
    return known(site, file) && !pypi_changelog_quarantined(&site->log, file->canonical, NULL) &&
           !pypi_changelog_quarantined(&site->log, file->canonical, file->version);
}

static bool listed_of(const pypi_site *site, const pypi_file *file, const char *canonical)
{
    return strcmp(file->canonical, canonical) == 0 && listed(site, file);
}

/* The first file of each project that isn't quarantined stands for the project. */
static bool first_of_project(const pypi_site *site, size_t index)
{
    const pypi_file *files = site->catalogue.files;
    if (!known(site, &files[index]) || pypi_changelog_quarantined(&site->log, files[index].canonical, NULL))
        return false;
    for (size_t i = 0; i < index; i++)
        if (strcmp(files[i].canonical, files[index].canonical) == 0 && known(site, &files[i]))
            return false;
    return true;
}

static void head(piw_buffer *to, const char *title)
{
    piw_put(to, "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.0\"><title>");
    piw_put_html(to, text(title));
    piw_put(to, "</title></head><body>\n");
}

static void root_json(const pypi_site *site, piw_buffer *to)
{
    piw_putf(to, "{\"meta\": {\"_last-serial\": %lld, \"api-version\": \"1.0\"}, \"projects\": [",
             (long long)pypi_changelog_last(&site->log));
    const char *comma = "";
    for (size_t i = 0; i < site->catalogue.count; i++) {
        if (!first_of_project(site, i))
            continue;
        const pypi_file *file = &site->catalogue.files[i];
        piw_putf(to, "%s{\"_last-serial\": %lld, \"name\": ", comma,
                 (long long)pypi_changelog_serial_of(&site->log, file->canonical));
        piw_put_json(to, text(file->name));
        piw_put(to, "}");
        comma = ", ";
    }
    piw_put(to, "]}\n");
}

void pypi_page_root(const pypi_site *site, bool json, piw_buffer *to)
{
    if (json) {
        root_json(site, to);
        return;
    }
    head(to, "Simple index");
    for (size_t i = 0; i < site->catalogue.count; i++) {
        if (!first_of_project(site, i))
            continue;
        piw_putf(to, "<a href=\"/simple/%s/\">", site->catalogue.files[i].canonical);
        piw_put_html(to, text(site->catalogue.files[i].name));
        piw_put(to, "</a><br>\n");
    }
    piw_put(to, "</body></html>\n");
}

static void file_html(const pypi_site *site, const pypi_file *file, piw_buffer *to)
{
    piw_put(to, "<a href=\"/files/");
    piw_put_url(to, text(file->filename));
    piw_putf(to, "#sha256=%s\"", file->hash);
    if (file->requires_python != NULL) {
        piw_put(to, " data-requires-python=\"");
        piw_put_html(to, text(file->requires_python));
        piw_put(to, "\"");
    }
    const char *yanked = pypi_changelog_yanked(&site->log, file);
    if (yanked != NULL) {
        piw_put(to, " data-yanked=\"");
        piw_put_html(to, text(yanked));
        piw_put(to, "\"");
    }
    piw_put(to, ">");
    piw_put_html(to, text(file->filename));
    piw_put(to, "</a><br>\n");
}

static void put_yanked(const pypi_site *site, const pypi_file *file, piw_buffer *to)
{
    const char *yanked = pypi_changelog_yanked(&site->log, file);
    if (yanked == NULL)
        piw_put(to, "false");
    else if (*yanked == '\0')
        piw_put(to, "true");
    else
        piw_put_json(to, text(yanked));
}

static void file_json(const pypi_site *site, const pypi_file *file, piw_buffer *to)
{
    piw_put(to, "{\"filename\": ");
    piw_put_json(to, text(file->filename));
    piw_put(to, ", \"url\": \"/files/");
    piw_put_url(to, text(file->filename));
    piw_putf(to, "\", \"hashes\": {\"sha256\": \"%s\"}, \"size\": %lld, \"requires-python\": ", file->hash,
             (long long)file->size);
    piw_put_json(to, text(file->requires_python));
    piw_put(to, ", \"yanked\": ");
    put_yanked(site, file, to);
    piw_put(to, "}");
}

/* Up to the list of files. */
static void project_head(const pypi_site *site, const pypi_file *file, bool json, piw_buffer *to)
{
    const char *status = pypi_changelog_quarantined(&site->log, file->canonical, NULL)
                             ? "quarantined"
                             : pypi_changelog_status(&site->log, file->canonical);
    piw_text word = {status, (uint32_t)strcspn(status, ":")};
    if (!json) {
        piw_put(to, "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.4\">"
                    "<meta name=\"pypi:project-status\" content=\"");
        piw_put_html(to, word);
        piw_put(to, "\"><title>");
        piw_put_html(to, text(file->name));
        piw_put(to, "</title></head><body>\n");
        return;
    }
    piw_putf(to,
             "{\"meta\": {\"_last-serial\": %lld, \"api-version\": \"1.4\"}, \"name\": \"%s\", "
             "\"project-status\": {\"status\": ",
             (long long)pypi_changelog_serial_of(&site->log, file->canonical), file->canonical);
    piw_put_json(to, word);
    if (status[word.len] == ':') {
        piw_put(to, ", \"reason\": ");
        piw_put_json(to, text(status + word.len + 2));
    }
    piw_put(to, "}, \"files\": [");
}

/* Of a version, is this the first listed file? */
static bool first_of_version(const pypi_site *site, size_t index)
{
    const pypi_file *files = site->catalogue.files;
    for (size_t i = 0; i < index; i++)
        if (listed_of(site, &files[i], files[index].canonical) && strcmp(files[i].version, files[index].version) == 0)
            return false;
    return true;
}

/* As PyPI does: those that have files. */
static void put_versions(const pypi_site *site, const char *canonical, piw_buffer *to)
{
    const char *comma = "";
    for (size_t i = 0; i < site->catalogue.count; i++) {
        const pypi_file *file = &site->catalogue.files[i];
        if (!listed_of(site, file, canonical) || !first_of_version(site, i))
            continue;
        piw_put(to, comma);
        piw_put_json(to, text(file->version));
        comma = ", ";
    }
}

bool pypi_page_project(const pypi_site *site, const char *canonical, bool json, piw_buffer *to)
{
    const pypi_catalogue *catalogue = &site->catalogue;
    const char *comma = "";
    bool found = false;
    for (size_t i = 0; i < catalogue->count; i++) {
        const pypi_file *file = &catalogue->files[i];
        if (strcmp(file->canonical, canonical) != 0 || !known(site, file))
            continue;
        if (!found)
            project_head(site, file, json, to);
        found = true;
        if (!listed(site, file))
            continue;
        piw_put(to, json ? comma : "");
        (json ? file_json : file_html)(site, file, to);
        comma = ", ";
    }
    if (found && json) {
        piw_put(to, "], \"versions\": [");
        put_versions(site, canonical, to);
        piw_put(to, "]}\n");
    } else if (found) {
        piw_put(to, "</body></html>\n");
    }
    return found;
}

static const pypi_file *newest(const pypi_site *site, const char *canonical)
{
    const pypi_file *best = NULL;
    for (size_t i = 0; i < site->catalogue.count; i++) {
        const pypi_file *file = &site->catalogue.files[i];
        if (listed_of(site, file, canonical) &&
            (best == NULL || piw_version_compare_text(text(file->version), text(best->version)) > 0))
            best = file;
    }
    return best;
}

static void about_file(const pypi_site *site, const pypi_file *file, const char *base, piw_buffer *to)
{
    char time[40];
    piw_time_format((piw_time){pypi_changelog_uploaded(&site->log, file) * 1000000, 0}, time, sizeof(time));
    piw_put(to, "{\"filename\": ");
    piw_put_json(to, text(file->filename));
    piw_putf(to, ", \"packagetype\": \"%s\", \"size\": %lld, \"url\": \"%s/files/",
             file->sdist ? "sdist" : "bdist_wheel", (long long)file->size, base);
    piw_put_url(to, text(file->filename));
    piw_putf(to,
             "\", \"digests\": {\"sha256\": \"%s\"}, \"upload_time_iso_8601\": \"%s\", \"yanked\": %s, "
             "\"requires_python\": ",
             file->hash, time, pypi_changelog_yanked(&site->log, file) != NULL ? "true" : "false");
    piw_put_json(to, text(file->requires_python));
    piw_put(to, "}");
}

static void releases(const pypi_site *site, const char *canonical, const char *base, piw_buffer *to)
{
    const pypi_catalogue *catalogue = &site->catalogue;
    const char *comma = "";
    for (size_t i = 0; i < catalogue->count; i++) {
        const pypi_file *file = &catalogue->files[i];
        if (!listed_of(site, file, canonical) || !first_of_version(site, i))
            continue;
        piw_put(to, comma);
        piw_put_json(to, text(file->version));
        piw_put(to, ": [");
        const char *inner = "";
        for (size_t j = i; j < catalogue->count; j++) {
            const pypi_file *other = &catalogue->files[j];
            if (!listed_of(site, other, canonical) || strcmp(other->version, file->version) != 0)
                continue;
            piw_put(to, inner);
            about_file(site, other, base, to);
            inner = ", ";
        }
        piw_put(to, "]");
        comma = ", ";
    }
}

bool pypi_page_about(const pypi_site *site, const char *canonical, const char *base, piw_buffer *to)
{
    const pypi_file *file = newest(site, canonical);
    if (file == NULL)
        return false;
    piw_put(to, "{\"info\": {\"name\": ");
    piw_put_json(to, text(file->name));
    piw_put(to, ", \"version\": ");
    piw_put_json(to, text(file->version));
    piw_put(to, ", \"summary\": ");
    piw_put_json(to, text(file->summary));
    piw_put(to, ", \"requires_python\": ");
    piw_put_json(to, text(file->requires_python));
    piw_putf(to, "}, \"last_serial\": %lld, \"releases\": {",
             (long long)pypi_changelog_serial_of(&site->log, canonical));
    releases(site, canonical, base, to);
    piw_put(to, "}}\n");
    return true;
}

static void fault(piw_buffer *to, int code, const char *words)
{
    piw_putf(to,
             "<?xml version='1.0'?>\n<methodResponse><fault><value><struct>\n<member><name>faultCode</name>"
             "<value><int>%d</int></value></member>\n<member><name>faultString</name><value><string>",
             code);
    piw_put_html(to, text(words));
    piw_put(to, "</string></value></member>\n</struct></value></fault></methodResponse>\n");
}

/* The text between the first `<tag>` at or after `from` and what closes it; false when it isn't there. */
static bool between(const char *from, const char *tag, const char **start, size_t *len)
{
    char open[32], close[32];
    snprintf(open, sizeof(open), "<%s>", tag);
    snprintf(close, sizeof(close), "</%s>", tag);
    const char *begin = strstr(from, open);
    if (begin == NULL)
        return false;
    begin += strlen(open);
    const char *end = strstr(begin, close);
    *start = begin;
    *len = end != NULL ? (size_t)(end - begin) : 0;
    return end != NULL;
}

/* The one integer parameter of a call. */
static bool parameter(const char *call, int64_t *value)
{
    static const char *const tags[] = {"int", "i4", "i8"};
    const char *start;
    size_t len;
    for (size_t i = 0; i < PIW_COUNT(tags); i++) {
        if (!between(call, tags[i], &start, &len))
            continue;
        char *end;
        errno = 0;
        *value = strtoll(start, &end, 10);
        return errno == 0 && len > 0 && (size_t)(end - start) == len;
    }
    return false;
}

static void put_event(const pypi_event *event, piw_buffer *to)
{
    piw_put(to, "<value><array><data><value><string>");
    piw_put_html(to, text(event->name));
    piw_put(to, "</string></value>\n<value>");
    if (event->version == NULL) {
        piw_put(to, "<nil/>");
    } else {
        piw_put(to, "<string>");
        piw_put_html(to, text(event->version));
        piw_put(to, "</string>");
    }
    piw_putf(to, "</value>\n<value><int>%lld</int></value>\n<value><string>", (long long)event->time);
    /* The reason of a yank is in the index only. */
    size_t words = strncmp(event->action, "yank ", 5) == 0 ? strcspn(event->action, ":") : strlen(event->action);
    piw_put_html(to, (piw_text){event->action, (uint32_t)words});
    piw_putf(to, "</string></value>\n<value><int>%lld</int></value>\n</data></array></value>\n",
             (long long)event->serial);
}

void pypi_page_events(const pypi_site *site, pypi_listing *events, piw_buffer *to)
{
    if (!events->begun)
        piw_put(to, "<?xml version='1.0'?>\n<methodResponse><params><param><value><array><data>\n");
    events->begun = true;
    for (int given = 0; events->next < events->end && given < PIECE_EVENTS; given++)
        put_event(&site->log.events[events->next++], to);
    if (events->next < events->end || events->ended)
        return;
    piw_put(to, "</data></array></value></param></params></methodResponse>\n");
    events->ended = true;
}

/* Serials rise. */
static pypi_listing since(const pypi_site *site, int64_t serial)
{
    size_t from = 0;
    while (from < site->log.count && site->log.events[from].serial <= serial)
        from++;
    size_t left = site->log.count - from;
    return (pypi_listing){.next = from, .end = from + (left < EVENTS_MAX ? left : EVENTS_MAX)};
}

bool pypi_page_xmlrpc(const pypi_site *site, const char *request, size_t len, piw_buffer *to, pypi_listing *events)
{
    bool listed = false;
    char *call = piw_strndup(len > 0 ? request : "", len);
    const char *name;
    size_t name_len;
    int64_t serial;
    if (!between(call, "methodName", &name, &name_len)) {
        fault(to, -32700, "ParseError: not an XML-RPC call");
    } else if (piw_text_is((piw_text){name, (uint32_t)name_len}, "changelog_last_serial")) {
        piw_putf(to,
                 "<?xml version='1.0'?>\n<methodResponse><params><param><value><int>%lld</int></value></param></params>"
                 "</methodResponse>\n",
                 (long long)pypi_changelog_last(&site->log));
    } else if (!piw_text_is((piw_text){name, (uint32_t)name_len}, "changelog_since_serial")) {
        fault(to, -32601, "MethodNotFound: this stand-in knows changelog_since_serial and changelog_last_serial");
    } else if (!parameter(name + name_len, &serial)) {
        fault(to, -32602, "InvalidParameters: one integer is wanted");
    } else if (site->log.limited_until > time(NULL)) {
        char *words =
            piw_sprintf("HTTPTooManyRequests: The action could not be performed because there were too many requests "
                        "by the client. Limit may reset in %lld seconds.",
                        (long long)(site->log.limited_until - time(NULL)));
        fault(to, -32500, words);
        free(words);
    } else {
        *events = since(site, serial);
        listed = true;
    }
    free(call);
    return listed;
}
