/* jobs.c — what a writer of the site does in the worker pool: making pages and writing them. */
#include "jobs.h"

#include "in_place.h"
#include "log_pages.h"
#include "pages.h"
#include "piw/task.h"
#include "search_index.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The folder of a package's page remembers the links that lead to it, one a line: the database forgets them with the
 * package. */
static const char ALIASES[] = ".aliases";
enum { ALIASES_MAX = 4 << 20 };
/* What plugins may put there (fs.WRITE_FILE) goes with the page. */
static const char FEED[] = "feed.atom";

static int unsafe(piw_err *err, piw_text package)
{
    return piw_err_set(err, PIW_EINVAL, "\"%.*s\" makes no safe path", (int)package.len, package.s);
}

/* FOLDER/NAME; the folder is a path made by site_path.h. */
static bool inside(char *to, const char *folder, const char *name)
{
    int n = snprintf(to, PIW_PATH_MAX, "%s/%s", folder, name);
    return n > 0 && n < PIW_PATH_MAX;
}

/* Write a page and free it. One that is there already in these bytes stays, and with it what web servers call it by (ETag,
 * time). */
static int put(const site_facts *site, const char *folder, const char *name, piw_buffer *page, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int rc = 0;
    if (!inside(path, folder, name))
        rc = piw_err_set(err, PIW_EINVAL, "the path of %s is too long", name);
    else if (!piw_file_holds(path, page->data, page->len))
        rc = piw_file_write(site->root.s, path, page->data, page->len, PIW_FILE_LATER, err);
    piw_buffer_fini(page);
    return rc;
}

/* Is that what stands there already? */
static bool same(const char *path, const void *data, size_t len)
{
    void *old;
    size_t old_len;
    if (piw_file_read(path, len, &old, &old_len, NULL) != 0)
        return false;
    bool is = old_len == len && memcmp(old, data, len) == 0;
    free(old);
    return is;
}

/* The same, unless the file has these bytes already: an untouched file need not be fetched again by those who have
 * it. */
static int put_new(const site_facts *site, const char *name, piw_buffer *page, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!inside(path, site->root.s, name) || !same(path, page->data, page->len))
        return put(site, site->root.s, name, page, err);
    piw_buffer_fini(page);
    return 0;
}

static int drop(const char *folder, const char *name, piw_err *err)
{
    char path[PIW_PATH_MAX];
    return inside(path, folder, name) ? piw_file_remove(path, err) : 0;
}

/* --- The links of other spellings -------------------------------------------------------------------------------- */

static bool leads_to(const char *link, piw_text package)
{
    char target[PIW_NAME_MAX + 2];
    ssize_t n = readlink(link, target, sizeof(target));
    return n == (ssize_t)package.len && memcmp(target, package.s, package.len) == 0;
}

static bool is_current(const project_data *data, piw_text alias)
{
    for (uint32_t i = 0; data != NULL && i < data->aliases.count; i++) {
        if (piw_text_eq(data->aliases.at[i], alias))
            return true;
    }
    return false;
}

/* Remove the links that were made before and aren't of `data` any more (NULL: all). */
static int drop_links(const site_facts *site, const char *folder, piw_text package, const project_data *data,
                      piw_err *err)
{
    char path[PIW_PATH_MAX];
    void *lines;
    size_t len;
    if (!inside(path, folder, ALIASES) || piw_file_read(path, ALIASES_MAX, &lines, &len, NULL) != 0)
        return 0;
    int rc = 0;
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL && rc == 0; line = strtok_r(NULL, "\n", &rest)) {
        char link[PIW_PATH_MAX];
        piw_text alias = piw_text_of(line);
        if (!piw_alias_valid(alias, package) || is_current(data, alias) || !piw_path_project(link, site->root.s, alias))
            continue;
        if (leads_to(link, package))
            rc = piw_file_remove(link, err);
    }
    free(lines);
    return rc;
}

static int make_links(const site_facts *site, const char *folder, const project_data *data, piw_err *err)
{
    int rc = drop_links(site, folder, data->package, data, err);
    piw_buffer lines = {0};
    for (uint32_t i = 0; i < data->aliases.count && rc == 0; i++) {
        char link[PIW_PATH_MAX];
        piw_text alias = data->aliases.at[i];
        if (!piw_alias_valid(alias, data->package) || !piw_path_project(link, site->root.s, alias))
            continue;
        piw_put_text(&lines, alias);
        piw_put(&lines, "\n");
        rc = piw_link_write(site->root.s, link, data->package.s, err);
    }
    if (rc != 0) {
        piw_buffer_fini(&lines);
        return rc;
    }
    return lines.len == 0 ? drop(folder, ALIASES, err) : put(site, folder, ALIASES, &lines, err);
}

/* --- A package's pages ------------------------------------------------------------------------------------------- */

/* Where a link stands in the way of a package's own folder it goes. */
static int clear_way(const char *folder, piw_err *err)
{
    struct stat info;
    return lstat(folder, &info) == 0 && S_ISLNK(info.st_mode) ? piw_file_remove(folder, err) : 0;
}

/* Write a page of the simple index in its forms. Without a JSON form, the one that another writer made is removed
 * first, since it would become out of date. */
static int put_forms(const site_facts *site, const char *folder, piw_buffer *html, piw_buffer *json, piw_err *err)
{
    int rc = json == NULL ? drop(folder, "index.v1.json", err) : 0;
    if (rc == 0)
        rc = put(site, folder, "index.html", html, err);
    if (rc == 0 && json != NULL)
        rc = put(site, folder, "index.v1.json", json, err);
    piw_buffer_fini(html);
    if (json != NULL)
        piw_buffer_fini(json);
    return rc;
}

/* The folder of a package in the index of a view (null: the common one). */
static bool index_folder(char *to, const site_facts *site, piw_text view, piw_text package)
{
    char home[PIW_PATH_MAX];
    return piw_path_view(home, site->root.s, view) && piw_path_simple(to, home, package, (piw_text){0});
}

static bool is_listed(const project_data *data, piw_text view)
{
    bool any = pages_quarantined(data); /* which its page says */
    for (uint32_t i = 0; i < data->releases.count && !any; i++) {
        size_t count;
        free(pages_entries(data, &data->releases.at[i], view, &count));
        any = count > 0;
    }
    return any;
}

static int write_index(const site_facts *site, const project_data *data, piw_text view, const simple_json *json,
                       piw_err *err)
{
    char folder[PIW_PATH_MAX];
    if (!index_folder(folder, site, view, data->package))
        return unsafe(err, data->package);
    int rc = clear_way(folder, err);
    if (rc != 0)
        return rc;
    piw_buffer page = {0}, form = {0};
    page_index(data, view, &page);
    if (json != NULL)
        json->index(data, view, &form);
    return put_forms(site, folder, &page, json != NULL ? &form : NULL, err);
}

static int drop_index(const site_facts *site, piw_text view, piw_text package, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    if (!index_folder(folder, site, view, package))
        return unsafe(err, package);
    int rc = drop(folder, "index.v1.json", err);
    return rc == 0 ? drop(folder, "index.html", err) : rc;
}

/* Does nothing while wheels are in it. */
static void drop_folder(const site_facts *site, piw_text view, piw_text package)
{
    char folder[PIW_PATH_MAX];
    if (index_folder(folder, site, view, package))
        rmdir(folder);
}

/* A view has a page of a package only where it has something for the view. */
static int write_view_index(const site_facts *site, const project_data *data, piw_text view, const simple_json *json,
                            piw_err *err)
{
    if (is_listed(data, view))
        return write_index(site, data, view, json, err);
    int rc = drop_index(site, view, data->package, err);
    drop_folder(site, view, data->package);
    return rc;
}

/* Of the common index, and of each view's; views that have gone lose theirs. */
static int write_indexes(const site_facts *site, const project_data *data, const simple_json *json, piw_err *err)
{
    const site_views *views = site->views;
    int rc = write_index(site, data, (piw_text){0}, json, err);
    for (uint32_t i = 0; views != NULL && i < views->at.count && rc == 0; i++)
        rc = write_view_index(site, data, views->at.at[i].name, json, err);
    for (uint32_t i = 0; views != NULL && i < views->former.count && rc == 0; i++) {
        rc = drop_index(site, views->former.at[i], data->package, err);
        drop_folder(site, views->former.at[i], data->package);
    }
    return rc;
}

static int drop_indexes(const site_facts *site, piw_text package, piw_err *err)
{
    const site_views *views = site->views;
    int rc = drop_index(site, (piw_text){0}, package, err);
    for (uint32_t i = 0; views != NULL && i < views->at.count && rc == 0; i++)
        rc = drop_index(site, views->at.at[i].name, package, err);
    for (uint32_t i = 0; views != NULL && i < views->former.count && rc == 0; i++)
        rc = drop_index(site, views->former.at[i], package, err);
    return rc;
}

static void drop_folders(const site_facts *site, piw_text package)
{
    const site_views *views = site->views;
    drop_folder(site, (piw_text){0}, package);
    for (uint32_t i = 0; views != NULL && i < views->at.count; i++)
        drop_folder(site, views->at.at[i].name, package);
    for (uint32_t i = 0; views != NULL && i < views->former.count; i++)
        drop_folder(site, views->former.at[i], package);
}

/* The page for people, and of its builds' logs. When a template fails the old page stays, and the others are written. */
static int write_people(const site_facts *site, const project_data *data, const char *folder, piw_err *err)
{
    /* The logs' pages first: the project's page leads to those that are there. */
    int logs = log_pages_write(site, data, err);
    piw_buffer page = {0};
    int rc = page_project(site, data, &page, err);
    if (rc == 0)
        rc = put(site, folder, "index.html", &page, err);
    piw_buffer_fini(&page);
    return rc != 0 ? rc : logs;
}

/* All of it, also when an operator's template fails. */
static int write_project(const site_facts *site, const project_data *data, piw_err *err)
{
    char folder[PIW_PATH_MAX];
    if (!piw_path_project(folder, site->root.s, data->package))
        return unsafe(err, data->package);
    int rc = clear_way(folder, err);
    if (rc != 0)
        return rc;
    int people = write_people(site, data, folder, err);
    piw_buffer page = {0};
    page_json(site, data, &page);
    rc = put(site, folder, "json/index.json", &page, err);
    if (rc == 0)
        rc = make_links(site, folder, data, err);
    return people != 0 ? people : rc;
}

int job_write_pages(piw_msg *job, const simple_json *json, piw_msg **result, piw_err *err)
{
    const write_pages *body = write_pages_of(job);
    if (!piw_name_is_canonical(body->data.package))
        return unsafe(err, body->data.package);
    /* PIW_EAGAIN is for a file that isn't in its place. */
    int rc =
        piw_site_there(body->site.root.s, err) == 0 ? in_place_check(body->site.root.s, &body->data, err) : PIW_EIO;
    if (rc == 0 && body->index)
        rc = write_indexes(&body->site, &body->data, json, err);
    if (rc == 0)
        rc = write_project(&body->site, &body->data, err);
    if (rc == 0)
        *result = write_pages_reply_new();
    return rc;
}

int job_remove_pages(piw_msg *job, piw_msg **result, piw_err *err)
{
    const remove_pages *body = remove_pages_of(job);
    char project[PIW_PATH_MAX], json[PIW_PATH_MAX];
    if (!piw_name_is_canonical(body->package) || !piw_path_project(project, body->site.root.s, body->package) ||
        !inside(json, project, "json"))
        return unsafe(err, body->package);
    int rc = piw_site_there(body->site.root.s, err);
    if (rc == 0)
        rc = drop_links(&body->site, project, body->package, NULL, err);
    if (rc == 0)
        rc = drop_indexes(&body->site, body->package, err);
    if (rc == 0)
        rc = drop(json, "index.json", err);
    if (rc == 0)
        rc = drop(project, "index.html", err);
    if (rc == 0)
        rc = drop(project, ALIASES, err);
    if (rc == 0)
        rc = drop(project, FEED, err);
    if (rc != 0)
        return rc;
    /* Folders that still hold something, as wheels that linger, stay. */
    rmdir(json);
    rmdir(project);
    drop_folders(&body->site, body->package);
    *result = remove_pages_reply_new();
    return 0;
}

/* --- The site's own pages ---------------------------------------------------------------------------------------- */

/* All of a blob, NUL-terminated; NULL when there is no memory for it. The caller frees. */
static char *read_blob(const piw_blob *blob, size_t *len)
{
    *len = piw_blob_size(blob);
    char *data = malloc(*len + 1);
    if (data != NULL) {
        piw_blob_read(blob, 0, data, *len);
        data[*len] = '\0';
    }
    return data;
}

/* Of these names the ones that have a page in the folder. */
static void put_paged(const char *folder, const char *names, size_t len, piw_buffer *to)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char page[PIW_PATH_MAX];
    for (const char *end = names + len; dir >= 0 && names < end; names += strlen(names) + 1) {
        int n = snprintf(page, sizeof(page), "%s/index.html", names);
        if (n > 0 && (size_t)n < sizeof(page) && faccessat(dir, page, F_OK, 0) == 0)
            piw_put_bytes(to, names, strlen(names) + 1);
    }
    if (dir >= 0)
        close(dir);
}

/* Of the common index, or of a view's, which names what it has a page of. */
static int put_root(const site_facts *site, piw_text view, const char *names, size_t len, const simple_json *json,
                    piw_err *err)
{
    char home[PIW_PATH_MAX], folder[PIW_PATH_MAX];
    if (!piw_path_view(home, site->root.s, view) || !inside(folder, home, "simple"))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    piw_buffer page = {0}, form = {0}, paged = {0};
    if (view.len > 0) {
        put_paged(folder, names, len, &paged);
        names = (const char *)paged.data;
        len = paged.len;
    }
    page_root(names, len, &page);
    if (json != NULL)
        json->root(names, len, &form);
    piw_buffer_fini(&paged);
    return put_forms(site, folder, &page, json != NULL ? &form : NULL, err);
}

int job_write_root(piw_msg *job, const simple_json *json, piw_msg **result, piw_err *err)
{
    const write_root *body = write_root_of(job);
    int rc = piw_site_there(body->site.root.s, err);
    if (rc != 0)
        return rc;
    size_t len;
    char *names = read_blob(body->names, &len);
    if (names == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for the root list");
    const site_views *views = body->site.views;
    rc = put_root(&body->site, (piw_text){0}, names, len, json, err);
    for (uint32_t i = 0; views != NULL && i < views->at.count && rc == 0; i++)
        rc = put_root(&body->site, views->at.at[i].name, names, len, json, err);
    free(names);
    if (rc == 0)
        *result = write_root_reply_new();
    return rc;
}

static int put_downloads(const write_search *body, piw_err *err)
{
    char path[PIW_PATH_MAX];
    size_t len;
    char *downloads = read_blob(body->downloads, &len);
    if (downloads == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for the search index");
    int rc = search_index_write(&body->site, downloads, len, err);
    if (rc == 0 && !inside(path, body->site.root.s, "packages.json"))
        rc = piw_err_set(err, PIW_EINVAL, "the output path is too long");
    else if (rc == 0 && !same(path, downloads, len))
        rc = piw_file_write(body->site.root.s, path, downloads, len, PIW_FILE_LATER, err);
    free(downloads);
    return rc;
}

/* Write a sitemap, and name it in their list. */
static int put_sitemap(const site_facts *site, uint32_t number, piw_buffer *page, piw_buffer *list, piw_err *err)
{
    char name[32], path[PIW_PATH_MAX], date[16];
    snprintf(name, sizeof(name), "sitemap%u.xml", number);
    int rc = put_new(site, name, page, err);
    if (rc != 0)
        return rc;
    struct stat info;
    struct tm day;
    if (!inside(path, site->root.s, name) || stat(path, &info) != 0)
        return piw_err_errno(err, "%s can't be looked at", path);
    gmtime_r(&info.st_mtim.tv_sec, &day);
    strftime(date, sizeof(date), "%Y-%m-%d", &day);
    page_sitemap_add(site, name, date, list);
    return 0;
}

/* There were more projects once. */
static void drop_sitemaps(const site_facts *site, uint32_t from)
{
    char path[PIW_PATH_MAX], name[32];
    for (;; from++) {
        snprintf(name, sizeof(name), "sitemap%u.xml", from);
        if (!inside(path, site->root.s, name) || !piw_file_there(path) || unlink(path) != 0)
            return;
        piw_file_was_removed(path);
    }
}

static int put_sitemaps(const site_facts *site, const char *names, size_t len, piw_err *err)
{
    piw_buffer page = {0}, list = {0};
    uint32_t count = 0;
    page_sitemap_begin(&list);
    page_sitemap_own(site, &page);
    int rc = put_sitemap(site, count++, &page, &list, err);
    while (rc == 0 && len > 0) {
        page_sitemap_projects(site, &names, &len, &page);
        rc = put_sitemap(site, count++, &page, &list, err);
    }
    page_sitemap_end(&list);
    if (rc == 0)
        rc = put_new(site, "sitemap.xml", &list, err);
    if (rc == 0)
        drop_sitemaps(site, count);
    piw_buffer_fini(&list);
    return rc;
}

int job_write_search(piw_msg *job, piw_msg **result, piw_err *err)
{
    const write_search *body = write_search_of(job);
    int rc = piw_site_there(body->site.root.s, err);
    if (rc != 0)
        return rc;
    size_t len;
    char *names = read_blob(body->names, &len);
    if (names == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for the sitemaps");
    rc = put_downloads(body, err);
    if (rc == 0)
        rc = put_sitemaps(&body->site, names, len, err);
    free(names);
    if (rc == 0)
        *result = write_search_reply_new();
    return rc;
}

/* A page that its template doesn't make stays as it is; the others are written. */
int job_write_site(piw_msg *job, piw_msg **result, piw_err *err)
{
    const write_site *body = write_site_of(job);
    const char *root = body->site.root.s;
    char path[PIW_PATH_MAX];
    int rc = piw_site_there(root, err), failed = 0;
    for (size_t i = 0; i < site_pages_count && rc == 0; i++) {
        const site_page *wanted = &site_pages[i];
        if (wanted->figures && body->figures == NULL && inside(path, root, wanted->name) && piw_file_there(path))
            continue;
        piw_buffer page = {0};
        int made = page_site(&body->site, wanted->name, body->figures, body->packages, &page, err);
        if (made == 0)
            rc = put(&body->site, root, wanted->name, &page, err);
        else if (failed == 0)
            failed = made;
        piw_buffer_fini(&page);
    }
    if (rc == 0)
        rc = failed;
    if (rc == 0)
        *result = write_site_reply_new();
    return rc;
}
