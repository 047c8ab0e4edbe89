/* check_site.c — the site as a whole: folders of packages that the database doesn't know, the root list, the site's own pages. */
#include "audit.h"

#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/page_end.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { AT_ONCE = 1000, PAGE_MAX = 512 << 20 };

typedef struct names {
    char **at;
    size_t count, room;
} names;

static void names_fini(names *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->at[i]);
    free(self->at);
    *self = (names){0};
}

static void names_add(names *self, const char *name, size_t len)
{
    if (self->count == self->room) {
        self->room = self->room == 0 ? 64 : 2 * self->room;
        self->at = piw_realloc(self->at, self->room * sizeof(*self->at));
    }
    self->at[self->count++] = piw_strndup(name, len);
}

static int names_read(names *self, const char *path, piw_err *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT ? 0 : piw_err_errno(err, "can't list %s", path);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            names_add(self, entry->d_name, strlen(entry->d_name));
    closedir(folder);
    return 0;
}

static bool is_known(const PGresult *rows, const char *name)
{
    int low = 0, high = PQntuples(rows);
    while (low < high) {
        int middle = low + (high - low) / 2, order = strcmp(PQgetvalue(rows, middle, 0), name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Give each name that the statement doesn't return to `fn`. The statement's answer is sorted as bytes are. */
static int each_unknown(audit *self, const names *all, const char *sql,
                        int (*fn)(audit *self, const char *name, findings *found, piw_err *err), findings *found,
                        piw_err *err)
{
    int rc = 0;
    for (size_t from = 0; rc == 0 && from < all->count && !audit_stopped(); from += AT_ONCE) {
        size_t count = all->count - from < AT_ONCE ? all->count - from : AT_ONCE;
        PGresult *known = rows_known(self, sql, all->at + from, count, err);
        if (known == NULL)
            return PIW_EDB;
        for (size_t i = from; rc == 0 && i < from + count; i++)
            rc = is_known(known, all->at[i]) ? 0 : fn(self, all->at[i], found, err);
        PQclear(known);
        pace_take(self, (int64_t)count * 100);
    }
    return rc;
}

/* Names that aren't UTF-8 can't be asked for, nor be anybody's. */
static void split_odd(names *all, names *odd)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        char room[PIW_NAME_MAX + 1];
        bool plain = piw_name_canonical(piw_text_of(all->at[i]), room);
        if (plain)
            all->at[kept++] = all->at[i];
        else {
            names_add(odd, all->at[i], strlen(all->at[i]));
            free(all->at[i]);
        }
    }
    all->count = kept;
}

/* --- simple/ --- */

/* A folder lingers with its wheels for a while after its package has gone; what isn't one of those is nobody's. */
static int check_gone(audit *self, const char *name, findings *found, piw_err *err)
{
    char path[PIW_PATH_MAX];
    names files = {0};
    PGresult *removals =
        self->store[0] == '\0'
            ? rows_ask(self, "SELECT filename FROM piw.removals WHERE package = $1 ORDER BY filename COLLATE \"C\"", 1,
                       (const char *[]){name}, err)
            : rows_ask(self,
                       "SELECT filename FROM piw.view_removals WHERE package = $1 AND view || '/' = $2 "
                       "ORDER BY filename COLLATE \"C\"",
                       2, (const char *[]){name, self->store}, err);
    if (removals == NULL)
        return PIW_EDB;
    int n = snprintf(path, sizeof(path), "%s/%ssimple/%s", self->root, self->store, name);
    bool holds = n > 0 && n < PIW_PATH_MAX && names_read(&files, path, NULL) == 0 && files.count > 0;
    for (size_t i = 0; i < files.count; i++) {
        char *file = files.at[i], *suffix = strstr(file, ".metadata");
        if (suffix != NULL && suffix[9] == '\0')
            *suffix = '\0';
        if (!is_known(removals, file))
            findings_add(found, "orphan", false, NULL,
                         piw_sprintf("%ssimple/%s/%s%s", self->store, name, file,
                                     suffix != NULL && *suffix == '\0' ? ".metadata" : ""),
                         piw_strdup("the database doesn't know the package"));
    }
    if (!holds)
        findings_add(found, "orphan", false, NULL, piw_sprintf("%ssimple/%s", self->store, name),
                     piw_strdup("the database doesn't know the package"));
    names_fini(&files);
    PQclear(removals);
    return 0;
}

static int check_simple(audit *self, findings *found, piw_err *err)
{
    char *path = piw_sprintf("%s/%ssimple", self->root, self->store);
    names all = {0}, odd = {0};
    int rc = names_read(&all, path, err);
    free(path);
    split_odd(&all, &odd);
    for (size_t i = 0; i < odd.count; i++)
        findings_add(found, "orphan", false, NULL, piw_sprintf("%ssimple/%s", self->store, odd.at[i]),
                     piw_strdup("this is no package's name"));
    /* The root list lies there, too: no package can have its names. */
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.at[i], "index.html") == 0 || strcmp(all.at[i], "index.v1.json") == 0) {
            free(all.at[i]);
            all.at[i--] = all.at[--all.count];
        }
    }
    if (rc == 0)
        rc = each_unknown(
            self, &all,
            "SELECT package FROM packages WHERE package = ANY ($1::varchar[]) ORDER BY package COLLATE \"C\"",
            check_gone, found, err);
    names_fini(&all);
    names_fini(&odd);
    return rc;
}

/* --- project/ --- */

static int add_project(audit *self, const char *name, findings *found, piw_err *err)
{
    (void)self, (void)err;
    findings_add(found, "orphan", false, NULL, piw_sprintf("project/%s", name),
                 piw_strdup("the database knows no package of this name"));
    return 0;
}

static int check_project(audit *self, findings *found, piw_err *err)
{
    char *path = piw_sprintf("%s/project", self->root);
    names all = {0}, odd = {0};
    int rc = names_read(&all, path, err);
    free(path);
    split_odd(&all, &odd);
    for (size_t i = 0; i < odd.count; i++)
        add_project(self, odd.at[i], found, err);
    if (rc == 0)
        rc = each_unknown(self, &all,
                          "SELECT n FROM (SELECT package AS n FROM packages WHERE package = ANY ($1::varchar[]) UNION "
                          "SELECT name FROM package_names WHERE name = ANY ($1::varchar[])) k ORDER BY n COLLATE \"C\"",
                          add_project, found, err);
    names_fini(&all);
    names_fini(&odd);
    return rc;
}

/* --- The root list --- */

static int add_listed(audit *self, const char *name, findings *found, piw_err *err)
{
    (void)self, (void)err;
    findings_add(found, "root", false, NULL, piw_sprintf("%ssimple/index.html", self->store),
                 piw_sprintf("it lists %s, which the database doesn't know", name));
    return 0;
}

static void read_list(const char *page, names *all)
{
    static const char mark[] = "<a href=\"";
    while ((page = strstr(page, mark)) != NULL) {
        page += sizeof(mark) - 1;
        size_t len = strcspn(page, "/\"");
        names_add(all, page, len);
    }
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every package that has wheels to offer. */
static int check_listed(audit *self, names *all, findings *found, piw_err *err)
{
    if (all->count > 0)
        qsort(all->at, all->count, sizeof(*all->at), by_bytes);
    /* One whose first wheel has just come is listed once its own page is written. A view's list: what is in its own store. */
    const char *query =
        self->store[0] != '\0'
            ? "SELECT p.package, f.first > piw.utc_now() - interval '2 minutes' FROM packages p CROSS JOIN LATERAL "
              "(SELECT min(b.built_at) AS first FROM piw.view_builds b JOIN piw.view_files f ON f.build_id = "
              "b.build_id "
              "JOIN versions v ON v.package = b.package AND v.version = b.version AND v.skip NOT IN ('deleted', "
              "'quarantined') "
              "WHERE b.package = p.package AND b.view || '/' = $1) f "
              "WHERE p.skip NOT IN ('deleted', 'quarantined') AND f.first IS NOT NULL"
            : "SELECT p.package, f.first > piw.utc_now() - interval '2 minutes' FROM packages p CROSS JOIN LATERAL "
              "(SELECT min(b.built_at) AS first FROM builds b JOIN files f ON f.build_id = b.build_id "
              "WHERE b.package = p.package) f WHERE p.skip NOT IN ('deleted', 'quarantined') AND f.first IS NOT NULL";
    PGresult *rows = rows_ask(self, query, self->store[0] != '\0', (const char *[]){self->store}, err);
    if (rows == NULL)
        return PIW_EDB;
    for (int i = 0; i < PQntuples(rows); i++) {
        char *name = PQgetvalue(rows, i, 0);
        if (piw_name_is_canonical(piw_text_of(name)) &&
            (all->count == 0 || bsearch(&name, all->at, all->count, sizeof(*all->at), by_bytes) == NULL))
            findings_add(found, "root", rows_bool(rows, i, 1), name, piw_sprintf("%ssimple/index.html", self->store),
                         piw_sprintf("it doesn't list %s", name));
    }
    PQclear(rows);
    return 0;
}

static int check_root(audit *self, findings *found, piw_err *err)
{
    char *path = piw_sprintf("%s/%ssimple/index.html", self->root, self->store);
    void *page;
    size_t len;
    piw_err own_err = {0};
    int rc = piw_file_read(path, PAGE_MAX, &page, &len, &own_err);
    free(path);
    if (rc != 0 || strstr(page, "</html>") == NULL) {
        findings_add(found, "root", false, NULL, piw_sprintf("%ssimple/index.html", self->store),
                     piw_strdup(rc == PIW_ENOENT ? "it isn't there"
                                : rc != 0        ? own_err.text
                                                 : "it isn't whole"));
        if (rc == 0)
            free(page);
        return 0;
    }
    pace_take(self, (int64_t)len);
    names all = {0};
    read_list(page, &all);
    free(page);
    rc = each_unknown(self, &all,
                      "SELECT package FROM packages WHERE package = ANY ($1::varchar[]) ORDER BY package COLLATE \"C\"",
                      add_listed, found, err);
    if (rc == 0)
        rc = check_listed(self, &all, found, err);
    names_fini(&all);
    return rc;
}

/* --- The site's own pages, and the lists of the search --- */

/* `end`: of a list, which is no page from a template. */
static bool is_whole(const char *name, const char *page, size_t len, const char *end)
{
    if (end == NULL)
        return piw_page_ended(name, page, len);
    size_t n = strlen(end);
    while (len > 0 && page[len - 1] == '\n')
        len--;
    return len >= n && memcmp(page + len - n, end, n) == 0;
}

static int check_own(audit *self, findings *found, piw_err *err)
{
    static const struct {
        const char *name, *kind, *end;
    } pages[] = {{"index.html", "home", NULL},
                 {"packages.html", "home", NULL},
                 {"faq.html", "home", NULL},
                 {"json.html", "home", NULL},
                 {"stats.html", "home", NULL},
                 {"404.html", "home", NULL},
                 {"site.css", "home", NULL},
                 {"search.js", "home", NULL},
                 {"favicon.svg", "home", NULL},
                 {"packages.json", "search", "]"},
                 {"search/index.json", "search", "}"},
                 {"sitemap.xml", "search", "</sitemapindex>"},
                 {"sitemap0.xml", "search", "</urlset>"}};
    (void)err;
    for (size_t i = 0; i < PIW_COUNT(pages); i++) {
        char *path = piw_sprintf("%s/%s", self->root, pages[i].name);
        void *page;
        size_t len;
        int rc = piw_file_read(path, PAGE_MAX, &page, &len, NULL);
        free(path);
        if (rc != 0 || !is_whole(pages[i].name, page, len, pages[i].end))
            findings_add(found, pages[i].kind, false, NULL, piw_strdup(pages[i].name),
                         piw_strdup(rc == PIW_ENOENT ? "it isn't there"
                                    : rc != 0        ? "it can't be read"
                                                     : "it isn't whole"));
        if (rc == 0)
            free(page);
        pace_take(self, (int64_t)len);
    }
    return 0;
}

static void check_piece(audit *self, const cJSON *name, findings *found)
{
    const char *file = cJSON_IsString(name) ? name->valuestring : "";
    struct stat info;
    char *path = piw_sprintf("%s/search/%s", self->root, file);
    pace_take(self, 0);
    if (piw_path_component(piw_text_of(file)) && (lstat(path, &info) != 0 || info.st_size == 0))
        findings_add(found, "search", false, NULL, piw_sprintf("search/%s", file),
                     piw_strdup("search/index.json names it, and it isn't there"));
    free(path);
}

/* The names that the search reads lie in pieces, which search/index.json names; check_own says when that one isn't there. */
static int check_pieces(audit *self, findings *found, piw_err *err)
{
    void *text;
    size_t len;
    (void)err;
    char *path = piw_sprintf("%s/search/index.json", self->root);
    int rc = piw_file_read(path, PAGE_MAX, &text, &len, NULL);
    free(path);
    if (rc != 0)
        return 0;
    cJSON *all = cJSON_Parse(text);
    const cJSON *piece;
    cJSON_ArrayForEach(piece, cJSON_GetObjectItemCaseSensitive(all, "pieces"))
        check_piece(self, cJSON_GetArrayItem(piece, 1), found);
    check_piece(self, cJSON_GetObjectItemCaseSensitive(all, "popular"), found);
    cJSON_Delete(all);
    free(text);
    return 0;
}

/* --- .quarantine/ --- */

/* Is this the wheel, or its metadata? */
static bool is_of_wheel(const char *name, const char *wheel)
{
    size_t n = strlen(wheel);
    return strncmp(name, wheel, n) == 0 && (name[n] == '\0' || strcmp(name + n, ".metadata") == 0);
}

/* A file that neither a quarantine nor a removal names. With a row it is on its way: the wheel was built again, and comes in its
 * place; or it is brought back. */
static void look_at_withheld(const char *folder, const char *name, const PGresult *known, findings *found)
{
    bool named = false, moving = false;
    for (int row = 0; row < PQntuples(known) && !named; row++) {
        bool is = is_of_wheel(name, PQgetvalue(known, row, 0));
        named = is && rows_bool(known, row, 1);
        moving |= is;
    }
    if (!named)
        findings_add(found, "orphan", moving, NULL, piw_sprintf(".quarantine/%s/%s", folder, name),
                     piw_strdup("no quarantine of the database names it"));
}

/* Files by their own names, each one's path found again. */
static int check_withheld(audit *self, findings *found, piw_err *err)
{
    static const char wheels[] = "SELECT filename, true FROM piw.withheld WHERE package = $1 "
                                 "UNION SELECT filename, true FROM piw.removals WHERE package = $1 "
                                 "UNION SELECT f.filename, false FROM files f "
                                 "JOIN builds b ON b.build_id = f.build_id WHERE b.package = $1";
    char root[PIW_PATH_MAX];
    names folders = {0};
    if (!piw_path_quarantine(root, self->root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    int rc = names_read(&folders, root, err);
    for (size_t i = 0; rc == 0 && i < folders.count; i++) {
        char *path = piw_sprintf("%s/%s", root, folders.at[i]);
        names files = {0};
        rc = names_read(&files, path, err);
        PGresult *known = rc == 0 ? rows_ask(self, wheels, 1, (const char *[]){folders.at[i]}, err) : NULL;
        rc = rc == 0 && known == NULL ? PIW_EDB : rc;
        for (size_t k = 0; rc == 0 && k < files.count; k++)
            look_at_withheld(folders.at[i], files.at[k], known, found);
        PQclear(known);
        names_fini(&files);
        free(path);
    }
    names_fini(&folders);
    return rc;
}

/* What a folder of packages and a root list have to be, in the index of each view, too. */
static int check_views(audit *self, findings *found, piw_err *err)
{
    PGresult *views = rows_ask(self, "SELECT view || '/' FROM piw.views ORDER BY place", 0, NULL, err);
    if (views == NULL)
        return PIW_EDB;
    int rc = 0;
    for (int i = 0; rc == 0 && i < PQntuples(views) && pages_settled(self); i++) {
        self->store = PQgetvalue(views, i, 0);
        rc = check_simple(self, found, err);
        rc = rc == 0 ? check_root(self, found, err) : rc;
    }
    self->store = "";
    PQclear(views);
    return rc;
}

static const audit_part parts[] = {
    {"simple", check_simple},       {"views", check_views}, {"project", check_project},
    {"root", check_root},           {"pages", check_own},   {"search", check_pieces},
    {"quarantine", check_withheld}, {"feeds", check_feeds}, {"log pages", check_log_folders}};

int check_site(audit *self, const char *key, findings *found, piw_err *err)
{
    return parts_check(parts, PIW_COUNT(parts), self, key, found, err);
}

int next_site(audit *self, const char *after, char **key, piw_err *err)
{
    (void)self, (void)err;
    *key = parts_next(parts, PIW_COUNT(parts), after);
    return 0;
}
