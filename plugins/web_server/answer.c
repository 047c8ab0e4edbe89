/* answer.c — the answer to one request. */
#include "answer.h"

#include "hits.piw.h"
#include "negotiate.h"
#include "shared/text.h"
#include "shared/web_entry.h"
#include "target.h"
#include "unpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SMALL = 32768 /* bytes of a file that leave in one call with the head, from memory */ };

/* What is said besides the file's own. */
typedef struct web_manner {
    const char *type, *cache, *vary, *encoding;
} web_manner;

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return value == NULL || MHD_add_response_header(response, name, value) == MHD_YES;
}

static enum MHD_Result queue(const web_visit *visit, unsigned status, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result done = MHD_NO;
    if (add(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, "*") &&
        add(response, MHD_HTTP_HEADER_CONNECTION, visit->last ? "close" : NULL))
        done = MHD_queue_response(visit->connection, status, response);
    MHD_destroy_response(response);
    return done;
}

static struct MHD_Response *of_text(const char *text)
{
    return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
}

/* `text` is a constant. */
static enum MHD_Result send_text(const web_visit *visit, unsigned status, const char *text, const char *header,
                                 const char *value)
{
    struct MHD_Response *response = of_text(text);
    if (response != NULL &&
        (!add(response, MHD_HTTP_HEADER_CONTENT_TYPE, *text != '\0' ? "text/plain; charset=utf-8" : NULL) ||
         (header != NULL && !add(response, header, value)))) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    return queue(visit, status, response);
}

static enum MHD_Result redirect(const web_visit *visit, const char *path, bool slash)
{
    piw_buffer location = {0};
    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, "/");
        piw_put(&location, "/");
        piw_put_url(&location, (piw_text){part, (uint32_t)len});
        part += len + (part[len] == '/' ? 1 : 0);
    }
    piw_put_bytes(&location, slash || location.len == 0 ? "/" : "", (slash || location.len == 0 ? 2 : 1));
    enum MHD_Result done =
        send_text(visit, MHD_HTTP_MOVED_PERMANENTLY, "", MHD_HTTP_HEADER_LOCATION, (char *)location.data);
    piw_buffer_fini(&location);
    return done;
}

/* A part of a file; takes its descriptor. */
static struct MHD_Response *of_part(web_file *file, uint64_t first, uint64_t count)
{
    if (count > SMALL) {
        struct MHD_Response *large = MHD_create_response_from_fd_at_offset64(count, file->fd, first);
        if (large == NULL)
            close(file->fd);
        return large;
    }
    char *data = malloc(count > 0 ? count : 1);
    uint64_t got = 0;
    ssize_t n = 1;
    while (data != NULL && got < count && n > 0) {
        n = pread(file->fd, data + got, count - got, (off_t)(first + got));
        got += n > 0 ? (uint64_t)n : 0;
    }
    close(file->fd);
    struct MHD_Response *response = NULL;
    if (data != NULL && got == count)
        response = MHD_create_response_from_buffer(count, data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(data);
    return response;
}

static bool add_manner(struct MHD_Response *response, const web_manner *manner, const web_file *file)
{
    char date[WEB_DATE_SIZE];
    return add(response, MHD_HTTP_HEADER_CACHE_CONTROL, manner->cache) &&
           add(response, MHD_HTTP_HEADER_VARY, manner->vary) &&
           (file == NULL ||
            (add(response, MHD_HTTP_HEADER_ETAG, file->etag) &&
             add(response, MHD_HTTP_HEADER_LAST_MODIFIED, web_date_print(file->status.st_mtime, date))));
}

static bool add_body(struct MHD_Response *response, const web_manner *manner, const char *range)
{
    return add(response, MHD_HTTP_HEADER_CONTENT_TYPE, manner->type) &&
           add(response, MHD_HTTP_HEADER_CONTENT_ENCODING, manner->encoding) &&
           add(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes") &&
           add(response, MHD_HTTP_HEADER_CONTENT_RANGE, range) &&
           /* What a package or a build has written is never taken for something else than it is called. */
           add(response, "X-Content-Type-Options", "nosniff");
}

static web_conditions conditions_of(const web_visit *visit)
{
    return (web_conditions){
        .if_match = visit->head.fields[WEB_IF_MATCH],
        .if_none_match = visit->head.fields[WEB_IF_NONE_MATCH],
        .if_modified_since = visit->head.fields[WEB_IF_MODIFIED_SINCE],
        .if_unmodified_since = visit->head.fields[WEB_IF_UNMODIFIED_SINCE],
        .if_range = visit->head.fields[WEB_IF_RANGE],
        .range = strcmp(visit->method, MHD_HTTP_METHOD_GET) == 0 ? visit->head.fields[WEB_RANGE] : NULL,
    };
}

/* A file that is there, as a whole, a part, or not at all because its reader has it; takes its descriptor. `status` is what
 * is said when it is sent whole: 200, or 404 with the page that says so. */
static enum MHD_Result send_file(const web_visit *visit, web_file *file, const web_manner *manner, unsigned *status)
{
    uint64_t first = 0, size = (uint64_t)file->status.st_size, count = size;
    unsigned decided = 200;
    if (*status == 200) {
        web_conditions conditions = conditions_of(visit);
        web_copy copy = {.etag = file->etag, .modified = file->status.st_mtime, .size = size};
        decided = web_decide(&conditions, &copy, &first, &count);
        *status = decided;
    }
    char range[80];
    snprintf(range, sizeof(range), "bytes %llu-%llu/%llu", (unsigned long long)first,
             (unsigned long long)(first + count - 1), (unsigned long long)size);
    if (decided == 416)
        snprintf(range, sizeof(range), "bytes */%llu", (unsigned long long)size);
    bool body = decided == 200 || decided == 206;
    struct MHD_Response *response;
    if (body) {
        response = of_part(file, first, count);
    } else {
        close(file->fd);
        response = of_text("");
    }
    bool good = response != NULL && add_manner(response, manner, *status == 404 ? NULL : file);
    if (good && body)
        good = add_body(response, manner, decided == 206 ? range : NULL);
    else if (good && decided == 416)
        good = add(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    if (good)
        return queue(visit, *status, response);
    if (response != NULL)
        MHD_destroy_response(response);
    return MHD_NO;
}

/* A regular file below the site, or not. */
static bool open_file(const web_site *site, const char *path, web_file *file)
{
    if (!web_file_open(site, path, file))
        return false;
    if (S_ISREG(file->status.st_mode))
        return true;
    close(file->fd);
    return false;
}

static enum MHD_Result send_missing(const web_site *site, const web_visit *visit)
{
    web_file page;
    unsigned status = MHD_HTTP_NOT_FOUND;
    return open_file(site, "404.html", &page) ? send_file(visit, &page, &(web_manner){.type = WEB_TYPE_HTML}, &status)
                                              : send_text(visit, status, "404 not found\n", NULL, NULL);
}

static bool open_in(const web_site *site, const char *folder, const char *name, web_file *file)
{
    char path[WEB_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s%s%s", folder, *folder != '\0' ? "/" : "", name);
    return open_file(site, path, file);
}

/* An index page in the form that is wanted, of those that have been written. */
static enum MHD_Result send_index(const web_site *site, const web_visit *visit, const char *folder, unsigned *status)
{
    web_manner manner = {.cache = "no-cache", .vary = "Accept"};
    web_forms forms;
    web_file file;
    web_forms_of(visit->head.fields[WEB_ACCEPT], &forms);
    bool json = forms.json && (forms.json_first || !forms.html);
    if (json && open_in(site, folder, "index.v1.json", &file)) {
        manner.type = WEB_TYPE_V1_JSON;
        return send_file(visit, &file, &manner, status);
    }
    bool there = open_in(site, folder, "index.html", &file);
    if (there && forms.html) {
        manner.type = forms.html_type;
        return send_file(visit, &file, &manner, status);
    }
    if (there)
        close(file.fd);
    *status = there ? MHD_HTTP_NOT_ACCEPTABLE : MHD_HTTP_NOT_FOUND;
    return there ? send_text(visit, *status, "406 this page is " WEB_TYPE_V1_JSON " (if it was written) or text/html\n",
                             MHD_HTTP_HEADER_VARY, "Accept")
                 : send_missing(site, visit);
}

static enum MHD_Result send_folder(const web_site *site, const web_visit *visit, const char *folder, unsigned *status)
{
    static const char *const pages[] = {"index.json", "index.html"};
    web_file file;
    for (size_t i = 0; i < PIW_COUNT(pages); i++)
        if (open_in(site, folder, pages[i], &file))
            return send_file(visit, &file, &(web_manner){.type = web_type_of(pages[i])}, status);
    *status = MHD_HTTP_NOT_FOUND;
    return send_missing(site, visit);
}

/* A build's log, or its page, which lies there packed: sent so to who takes that, else unpacked, without an ETag or ranges: those of the file
 * are of other bytes. */
static enum MHD_Result send_log(const web_site *site, const web_visit *visit, const char *path, unsigned *status)
{
    char packed[WEB_PATH_MAX + 4];
    web_file file;
    snprintf(packed, sizeof(packed), "%s.gz", path);
    if (!open_file(site, packed, &file)) {
        *status = MHD_HTTP_NOT_FOUND;
        return send_missing(site, visit);
    }
    web_manner manner = {.type = web_type_of(path), .vary = MHD_HTTP_HEADER_ACCEPT_ENCODING, .encoding = "gzip"};
    if (web_takes_gzip(visit->head.fields[WEB_ACCEPT_ENCODING]))
        return send_file(visit, &file, &manner, status);
    struct MHD_Response *response = web_unpack(file.fd);
    if (response == NULL)
        return MHD_NO;
    if (add_manner(response, &manner, NULL) && add(response, MHD_HTTP_HEADER_CONTENT_TYPE, manner.type) &&
        add(response, "X-Content-Type-Options", "nosniff"))
        return queue(visit, *status, response);
    MHD_destroy_response(response);
    return MHD_NO;
}

/* What caches are told (docs/web-logs.md). */
static const char *cache_of(web_place place)
{
    return place == WEB_WHEEL || place == WEB_INDEX_PAGE ? "no-cache"
           : place == WEB_NAMES                          ? "max-age=31536000, immutable"
                                                         : NULL;
}

static enum MHD_Result send_path(const web_site *site, const web_visit *visit, const web_target *target,
                                 unsigned *status)
{
    web_file file;
    if (target->place == WEB_INDEX)
        return send_index(site, visit, target->path, status);
    if (target->kind == WEB_FOLDER)
        return send_folder(site, visit, target->path, status);
    if (web_file_open(site, target->path, &file)) {
        if (S_ISDIR(file.status.st_mode)) {
            close(file.fd);
            *status = MHD_HTTP_MOVED_PERMANENTLY;
            return redirect(visit, target->path, true);
        }
        return send_file(visit, &file,
                         &(web_manner){.type = web_type_of(target->path), .cache = cache_of(target->place)}, status);
    }
    if (target->place == WEB_LOG)
        return send_log(site, visit, target->path, status);
    *status = MHD_HTTP_NOT_FOUND;
    return send_missing(site, visit);
}

static piw_msg *entry_of(const web_visit *visit)
{
    static const piw_web_words words = {
        .download = hits_DOWNLOAD_new,
        .search = hits_SEARCH_new,
        .project = hits_PROJECT_new,
        .json = hits_JSON_new,
        .page = hits_PAGE_new,
    };
    const char *agent = visit->head.fields[WEB_USER_AGENT];
    piw_web_request request = {
        .target = piw_text_of(visit->target),
        .host = piw_text_of(visit->address),
        .agent = piw_text_of(agent),
        .time = piw_time_now(),
    };
    return piw_web_entry(&words, &request);
}

static enum MHD_Result refuse_method(const web_visit *visit)
{
    return send_text(visit, MHD_HTTP_METHOD_NOT_ALLOWED, "405 only GET and HEAD\n", MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
}

static bool reads(const web_visit *visit)
{
    return strcmp(visit->method, MHD_HTTP_METHOD_GET) == 0 || strcmp(visit->method, MHD_HTTP_METHOD_HEAD) == 0;
}

enum MHD_Result web_refuse(const web_visit *visit, web_head_kind why)
{
    web_visit last = *visit;
    last.last = true;
    if (why == WEB_HEAD_BAD)
        return send_text(&last, MHD_HTTP_BAD_REQUEST, "400 this is no head of a request by RFC 9112\n", NULL, NULL);
    return reads(visit) ? send_text(&last, MHD_HTTP_BAD_REQUEST, "400 a GET has no body here\n", NULL, NULL)
                        : refuse_method(&last);
}

enum MHD_Result web_answer(const web_site *site, const web_visit *visit, piw_msg **entry)
{
    web_target target;
    *entry = NULL;
    if (!reads(visit))
        return refuse_method(visit);
    if (site->fd < 0)
        return send_text(visit, MHD_HTTP_SERVICE_UNAVAILABLE, "503 the site isn't there just now\n",
                         MHD_HTTP_HEADER_RETRY_AFTER, "10");
    web_target_read(visit->target, &target);
    if (target.kind == WEB_MISSING)
        return send_missing(site, visit);
    if (target.kind == WEB_REDIRECT)
        return redirect(visit, target.path, target.slash);
    unsigned status = MHD_HTTP_OK;
    enum MHD_Result done = send_path(site, visit, &target, &status);
    if (done == MHD_YES && status == MHD_HTTP_OK && strcmp(visit->method, MHD_HTTP_METHOD_GET) == 0)
        *entry = entry_of(visit);
    return done;
}
