/* What a client of the embedded web server sends, a line each: target, Accept, Accept-Encoding, If-Match, If-None-Match, If-Range,
 * Range, dates. */
#include "fuzz.h"

#include "../../plugins/web_server/conditions.h"
#include "../../plugins/web_server/negotiate.h"
#include "../../plugins/web_server/target.h"

enum { HEADERS = 8 };

static char *line_of(const uint8_t **data, size_t *len)
{
    piw_text line = fuzz_line(data, len);
    char *text = malloc((size_t)line.len + 1);
    if (text == NULL)
        abort();
    memcpy(text, line.s, line.len);
    text[line.len] = '\0';
    return text;
}

/* No path leaves the site or leads to what is hidden there, and no redirect to another host. */
static void check_target(const char *raw)
{
    web_target target;
    web_target_read(raw, &target);
    size_t len = strlen(target.path);
    FUZZ_HOLDS(len <= WEB_PATH_MAX);
    if (target.kind == WEB_MISSING)
        return;
    for (const char *part = target.path; *part != '\0';) {
        size_t size = strcspn(part, "/");
        FUZZ_HOLDS(size > 0 && *part != '.');
        part += size + (part[size] == '/' ? 1 : 0);
    }
    FUZZ_HOLDS(len == 0 || target.path[len - 1] != '/');
    for (size_t i = 0; i < len; i++)
        FUZZ_HOLDS((unsigned char)target.path[i] >= ' ' && target.path[i] != 0x7f);
    /* Who follows a redirect within an index comes to no other one. */
    if (target.kind == WEB_REDIRECT && strncmp(target.path, "simple/", 7) == 0 && strchr(target.path, '%') == NULL) {
        char next[WEB_PATH_MAX + 3];
        web_target again;
        snprintf(next, sizeof(next), "/%s%s", target.path, target.slash ? "/" : "");
        web_target_read(next, &again);
        FUZZ_HOLDS(again.kind != WEB_REDIRECT);
    }
}

static void check_conditions(const web_conditions *conditions, uint64_t size)
{
    web_copy copy = {.etag = "\"a-b-c\"", .modified = 784111777, .size = size};
    uint64_t first, count;
    unsigned status = web_decide(conditions, &copy, &first, &count);
    FUZZ_HOLDS(status == 200 || status == 206 || status == 304 || status == 412 || status == 416);
    if (status == 200)
        FUZZ_HOLDS(first == 0 && count == size);
    if (status == 206)
        FUZZ_HOLDS(count > 0 && first < size && count <= size - first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *lines[HEADERS];
    for (int i = 0; i < HEADERS; i++)
        lines[i] = line_of(&data, &len);
    check_target(lines[0]);
    web_forms forms;
    web_forms_of(lines[1], &forms);
    FUZZ_HOLDS(forms.html_type != NULL && (forms.json || !forms.json_first || !forms.html));
    web_takes_gzip(lines[2]);
    web_conditions conditions = {
        .if_match = *lines[3] != '\0' ? lines[3] : NULL,
        .if_none_match = *lines[4] != '\0' ? lines[4] : NULL,
        .if_range = *lines[5] != '\0' ? lines[5] : NULL,
        .range = *lines[6] != '\0' ? lines[6] : NULL,
        .if_modified_since = *lines[7] != '\0' ? lines[7] : NULL,
        .if_unmodified_since = *lines[7] != '\0' ? lines[7] : NULL,
    };
    check_conditions(&conditions, 0);
    check_conditions(&conditions, 1000);
    time_t when;
    char date[WEB_DATE_SIZE];
    if (web_date_read(lines[7], &when)) {
        time_t again;
        FUZZ_HOLDS(web_date_read(web_date_print(when, date), &again) && again == when);
    }
    for (int i = 0; i < HEADERS; i++)
        free(lines[i]);
    return 0;
}
