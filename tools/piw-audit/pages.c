/* pages.c — what the pages of a package say: the wheels that they name, with their hashes, against those that they have to name. */
#include "audit.h"

#include "shared/atomic_file.h"
#include "shared/page_end.h"
#include "shared/text.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

enum { PAGE_MAX = 512 << 20, HASH_DIGITS = 64, FORM_MAX = 4096 };

/* --- Lists of wheels --- */

void listing_add(listing *self, piw_text name, piw_text hash)
{
    if (self->count == self->room) {
        self->room = self->room == 0 ? 16 : 2 * self->room;
        self->at = piw_realloc(self->at, self->room * sizeof(*self->at));
    }
    listed *one = &self->at[self->count++];
    one->name = piw_strndup(name.s, name.len);
    snprintf(one->hash, sizeof(one->hash), "%.*s", (int)hash.len, hash.s);
}

void listing_fini(listing *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->at[i].name);
    free(self->at);
    *self = (listing){0};
}

static int compare(const void *a, const void *b)
{
    const listed *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : strcmp(left->hash, right->hash);
}

static void sort(listing *self)
{
    if (self->count > 0)
        qsort(self->at, self->count, sizeof(*self->at), compare);
}

/* The first difference as a sentence, NULL when there is none. Sorts both. */
static char *difference(listing *wanted, listing *got)
{
    sort(wanted);
    sort(got);
    size_t i = 0, k = 0;
    while (i < wanted->count || k < got->count) {
        int order = i == wanted->count ? 1 : k == got->count ? -1 : strcmp(wanted->at[i].name, got->at[k].name);
        if (order < 0)
            return piw_sprintf("it doesn't name %s", wanted->at[i].name);
        if (order > 0)
            return piw_sprintf("it names %s, which it shouldn't", got->at[k].name);
        if (strcmp(wanted->at[i].hash, got->at[k].hash) != 0)
            return piw_sprintf("it names %s with another hash", got->at[k].name);
        i++, k++;
    }
    return NULL;
}

/* --- The forms --- */

/* The text of an anchor, as pages escape it, taken back. */
static void add_unescaped(listing *to, const char *text, size_t len, piw_text hash)
{
    static const struct {
        const char *entity;
        char c;
    } table[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&#x27;", '\''}};
    char *name = piw_alloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t step = 1;
        name[n] = text[i];
        for (size_t k = 0; text[i] == '&' && k < PIW_COUNT(table); k++) {
            size_t m = strlen(table[k].entity);
            if (m <= len - i && memcmp(text + i, table[k].entity, m) == 0) {
                name[n] = table[k].c;
                step = m;
                break;
            }
        }
        n++;
        i += step;
    }
    listing_add(to, (piw_text){name, (uint32_t)n}, hash);
    free(name);
}

/* simple/PKG/index.html. False: it isn't whole. */
static bool read_index(const char *page, size_t len, listing *got)
{
    (void)len;
    static const char mark[] = "#sha256=";
    const char *at = page;
    while ((at = strstr(at, mark)) != NULL) {
        at += sizeof(mark) - 1;
        if (strnlen(at, HASH_DIGITS) < HASH_DIGITS)
            return false;
        const char *text = strchr(at, '>'), *end = text != NULL ? strstr(text, "</a>") : NULL;
        if (end == NULL)
            return false;
        add_unescaped(got, text + 1, (size_t)(end - text - 1), (piw_text){at, HASH_DIGITS});
        at = end;
    }
    return strstr(page, "</html>") != NULL;
}

static piw_text text_of(const cJSON *item)
{
    return piw_text_of(cJSON_IsString(item) ? item->valuestring : "");
}

/* simple/PKG/index.v1.json */
static bool read_json_index(const char *page, size_t len, listing *got)
{
    (void)len;
    cJSON *all = cJSON_Parse(page);
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(all, "files"), *file;
    bool good = cJSON_IsArray(files);
    cJSON_ArrayForEach(file, files)
    {
        const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(file, "hashes");
        listing_add(got, text_of(cJSON_GetObjectItemCaseSensitive(file, "filename")),
                    text_of(cJSON_GetObjectItemCaseSensitive(hashes, "sha256")));
    }
    cJSON_Delete(all);
    return good;
}

/* project/PKG/json/index.json */
static bool read_project_json(const char *page, size_t len, listing *got)
{
    (void)len;
    cJSON *all = cJSON_Parse(page);
    const cJSON *releases = cJSON_GetObjectItemCaseSensitive(all, "releases"), *release, *file;
    bool good = cJSON_IsObject(releases);
    cJSON_ArrayForEach(release, releases)
    {
        cJSON_ArrayForEach(file, cJSON_GetObjectItemCaseSensitive(release, "files"))
            listing_add(got, piw_text_of(file->string), text_of(cJSON_GetObjectItemCaseSensitive(file, "filehash")));
    }
    cJSON_Delete(all);
    return good;
}

/* project/PKG/index.html is for people: that it is whole is enough. */
static bool read_project(const char *page, size_t len, listing *got)
{
    (void)got;
    return piw_page_ended("index.html", page, len);
}

typedef struct form {
    const char *path; /* of a package; "%s" is its name */
    bool index;       /* it names what the index has to */
    bool optional;    /* some writers don't make it */
    bool names;       /* it is compared by the wheels it names */
    bool (*read)(const char *page, size_t len, listing *got);
} form;

static const form forms[] = {
    {"simple/%s/index.html", true, false, true, read_index},
    {"simple/%s/index.v1.json", true, true, true, read_json_index},
    {"project/%s/index.html", false, false, false, read_project},
    {"project/%s/json/index.json", false, false, true, read_project_json},
};

static char *path_of(const form *one, const char *package)
{
    const char *gap = strstr(one->path, "%s");
    return piw_sprintf("%.*s%s%s", (int)(gap - one->path), one->path, package, gap + 2);
}

/* What is wrong with the page, or NULL. */
static int look(audit *self, const form *one, const char *path, listing *wanted, char **wrong, piw_err *err)
{
    char *whole = piw_sprintf("%s/%s", self->root, path);
    void *page;
    size_t len;
    piw_err own_err = {0};
    int rc = piw_file_read(whole, PAGE_MAX, &page, &len, &own_err);
    free(whole);
    pace_take(self, (int64_t)len);
    *wrong = NULL;
    if (rc == PIW_ENOENT) {
        /* Nothing is to be said of a package of which nothing was built. */
        *wrong = one->optional || wanted->count == 0 ? NULL : piw_strdup("the page isn't there");
        return 0;
    }
    if (rc == PIW_ENOMEM)
        return piw_err_set(err, rc, "%s", own_err.text);
    if (rc != 0) {
        *wrong = piw_strdup(own_err.text);
        return 0;
    }
    listing got = {0};
    if (!one->read(page, len, &got))
        *wrong = piw_strdup("the page isn't whole");
    else if (one->names)
        *wrong = difference(wanted, &got);
    listing_fini(&got);
    free(page);
    return 0;
}

/* `path` is taken over. */
static int check_form(audit *self, const form *one, const char *package, char *path, listing *wanted, bool moving,
                      findings *found, piw_err *err)
{
    char *wrong;
    int rc = look(self, one, path, wanted, &wrong, err);
    if (rc == 0 && wrong != NULL)
        findings_add(found, "page", moving, package, path, wrong);
    else
        free(path);
    return rc;
}

int pages_check(audit *self, const char *package, listing *wanted, listing *shown, bool moving, findings *found,
                piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < PIW_COUNT(forms) && rc == 0; i++)
        rc = check_form(self, &forms[i], package, path_of(&forms[i], package), forms[i].index ? wanted : shown, moving,
                        found, err);
    return rc;
}

int pages_check_view(audit *self, const char *view, const char *package, listing *wanted, bool moving, findings *found,
                     piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < PIW_COUNT(forms) && rc == 0; i++) {
        if (!forms[i].index)
            continue;
        char *path = path_of(&forms[i], package);
        rc = check_form(self, &forms[i], package, piw_sprintf("%s/%s", view, path), wanted, moving, found, err);
        free(path);
    }
    return rc;
}

bool pages_settled(const audit *self)
{
    char path[PIW_PATH_MAX];
    void *text;
    size_t len;
    if (!piw_path_form(path, self->root) || piw_file_read(path, FORM_MAX, &text, &len, NULL) != 0)
        return false;
    const char *second = strchr(text, '\n');
    bool all = second != NULL && strncmp(second + 1, "all", 3) == 0;
    free(text);
    return all;
}
