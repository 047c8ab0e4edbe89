/* check_package.c — a package: its wheels by name, hash and place, their metadata, its pages, the links of its other names, and whatever else
 * lies in its folder. */
#include "audit.h"

#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/text.h"
#include "shared/version.h"
#include "shared/wheel_name.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Columns of the rows of files. */
enum { F_NAME, F_HASH, F_SIZE, F_LOCATION, F_BUILD, F_METADATA, F_HELD, F_AWAY, F_SKIP, F_VERSION };

typedef struct package {
    audit *audit;
    const char *name;
    const char *view;        /* in whose store; "": the common one */
    char home[PIW_PATH_MAX]; /* the root of that store */
    findings *found;
    PGresult *files, *removals, *aliases;
    bool hidden; /* the whole package is quarantined */
    bool due;    /* its pages are to be written */
} package;

int next_package(audit *self, const char *after, char **key, piw_err *err)
{
    *key = NULL;
    if (self->page == NULL || self->page_row == PQntuples(self->page)) {
        PQclear(self->page);
        self->page =
            rows_ask(self, "SELECT package FROM packages WHERE package > $1::varchar ORDER BY package LIMIT 500", 1,
                     (const char *[]){after != NULL ? after : ""}, err);
        self->page_row = 0;
        if (self->page == NULL)
            return PIW_EDB;
    }
    if (self->page_row < PQntuples(self->page))
        *key = piw_strdup(PQgetvalue(self->page, self->page_row++, 0));
    return 0;
}

/* A path in the store, as findings have it. */
static char *in_store(const package *self, const char *folder, piw_text file, const char *more)
{
    return piw_sprintf("%s%s%s/%s/%.*s%s", self->view, self->view[0] == '\0' ? "" : "/", folder, self->name,
                       (int)file.len, file.s, more);
}

static char *in_simple(const package *self, piw_text file, const char *more)
{
    return in_store(self, "simple", file, more);
}

/* --- Wheels --- */

static bool is_staged(const package *self, int64_t build_id)
{
    char path[PIW_PATH_MAX];
    return piw_path_staged(path, self->audit->root, build_id, (piw_text){0}) && access(path, F_OK) == 0;
}

/* A wheel under a second name is a link to the first. */
static char *wrong_link(const char *path, const struct stat *info)
{
    char target[PIW_FILENAME_MAX + 2];
    if (!S_ISLNK(info->st_mode))
        return S_ISREG(info->st_mode) ? NULL : piw_strdup("it is neither a file nor a link");
    ssize_t n = readlink(path, target, sizeof(target));
    struct stat there;
    if (n <= 0 || !piw_path_component((piw_text){target, (uint32_t)n}))
        return piw_strdup("the link leads out of its folder");
    return stat(path, &there) == 0 && S_ISREG(there.st_mode) ? NULL : piw_strdup("the link leads to nothing");
}

static int check_bytes(const package *self, int row, const char *path, bool moving, piw_err *err)
{
    char hash[65];
    int64_t size;
    piw_err own_err = {0};
    piw_text file = rows_text(self->files, row, F_NAME);
    int rc = pace_hash(self->audit, path, hash, &size, &own_err);
    if (rc == PIW_ENOENT)
        return 0; /* it has just gone: the next look shows */
    if (rc != 0)
        return piw_err_set(err, rc, "%s", own_err.text);
    if (size != strtoll(PQgetvalue(self->files, row, F_SIZE), NULL, 10))
        findings_add(
            self->found, "wheel", moving, self->name, in_simple(self, file, ""),
            piw_sprintf("it has %lld bytes, its row says %s", (long long)size, PQgetvalue(self->files, row, F_SIZE)));
    else if (!piw_text_is(rows_text(self->files, row, F_HASH), hash))
        findings_add(self->found, "hash", moving, self->name, in_simple(self, file, ""),
                     piw_sprintf("its SHA-256 is %s, its row says %s", hash, PQgetvalue(self->files, row, F_HASH)));
    return 0;
}

static int check_metadata(const package *self, int row, bool moving, piw_err *err)
{
    char path[PIW_PATH_MAX], hash[65];
    int64_t size;
    piw_err own_err = {0};
    piw_text file = rows_text(self->files, row, F_NAME);
    if (PQgetisnull(self->files, row, F_METADATA) ||
        !piw_path_metadata(path, self->home, piw_text_of(self->name), file))
        return 0;
    int rc = pace_hash(self->audit, path, hash, &size, &own_err);
    if (rc != 0 && rc != PIW_ENOENT)
        return piw_err_set(err, rc, "%s", own_err.text);
    const char *wrong = rc != 0 ? "it isn't there, and pages lead to it"
                        : piw_text_is(rows_text(self->files, row, F_METADATA), hash)
                            ? NULL
                            : "its SHA-256 isn't the one that pages say";
    if (wrong != NULL)
        findings_add(self->found, "metadata", moving, self->name, in_simple(self, file, ".metadata"),
                     piw_strdup(wrong));
    return 0;
}

/* A wheel that is quarantined lies out of reach, and nowhere else. */
static bool check_withheld(const package *self, piw_text file, const char *path)
{
    char away[PIW_PATH_MAX];
    struct stat info;
    if (lstat(path, &info) == 0)
        findings_add(self->found, "exposed", false, self->name, in_simple(self, file, ""),
                     piw_strdup("PyPI has it quarantined, but it can be fetched"));
    else if (piw_path_withheld(away, self->home, piw_text_of(self->name), file) && lstat(away, &info) != 0)
        findings_add(self->found, "wheel", false, self->name, in_store(self, ".quarantine", file, ""),
                     piw_strdup("it isn't there"));
    return true;
}

static int check_wheel(const package *self, int row, piw_err *err)
{
    char path[PIW_PATH_MAX];
    struct stat info;
    piw_text file = rows_text(self->files, row, F_NAME);
    bool held = rows_bool(self->files, row, F_HELD);
    if (self->view[0] == '\0' && !piw_text_is(rows_text(self->files, row, F_LOCATION), "/simple"))
        return 0; /* another site's */
    if (!piw_path_simple(path, self->home, piw_text_of(self->name), file)) {
        findings_add(self->found, "name", false, self->name, piw_sprintf("files: %.*s", (int)file.len, file.s),
                     piw_strdup("this is no name of a file"));
        return 0;
    }
    self->audit->files++;
    pace_take(self->audit, 0);
    if (held && rows_bool(self->files, row, F_AWAY))
        return check_withheld(self, file, path) ? 0 : PIW_ESYS;
    bool moving = held || is_staged(self, strtoll(PQgetvalue(self->files, row, F_BUILD), NULL, 10));
    if (lstat(path, &info) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return piw_err_errno(err, "can't look at %s", path);
        findings_add(self->found, "wheel", moving, self->name, in_simple(self, file, ""), piw_strdup("it isn't there"));
        return 0;
    }
    char *wrong = wrong_link(path, &info);
    if (wrong != NULL) {
        findings_add(self->found, "link", moving, self->name, in_simple(self, file, ""), wrong);
        return 0;
    }
    if (S_ISREG(info.st_mode) && (info.st_mode & 0444) != 0444)
        findings_add(self->found, "mode", moving, self->name, in_simple(self, file, ""),
                     piw_sprintf("its mode is %04o: web servers can't read it", (unsigned)(info.st_mode & 07777)));
    int rc = check_bytes(self, row, path, moving, err);
    return rc == 0 ? check_metadata(self, row, moving, err) : rc;
}

/* --- What else lies there --- */

static bool has_name(const PGresult *rows, const char *name, size_t len)
{
    for (int i = 0; i < PQntuples(rows); i++)
        if ((size_t)PQgetlength(rows, i, 0) == len && memcmp(PQgetvalue(rows, i, 0), name, len) == 0)
            return true;
    return false;
}

static bool belongs(const package *self, const char *name)
{
    static const char suffix[] = ".metadata";
    size_t len = strlen(name), n = sizeof(suffix) - 1;
    if (strcmp(name, "index.html") == 0 || strcmp(name, "index.v1.json") == 0)
        return true;
    if (len > n && strcmp(name + len - n, suffix) == 0)
        len -= n;
    return has_name(self->files, name, len) || has_name(self->removals, name, len);
}

static int check_folder(const package *self, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_simple(path, self->home, piw_text_of(self->name), (piw_text){0}))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno == ENOENT || errno == ENOTDIR ? 0 : piw_err_errno(err, "can't list %s", path);
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || belongs(self, name))
            continue;
        findings_add(self->found, "orphan", self->due, self->name, in_simple(self, piw_text_of(name), ""),
                     piw_strdup("no row of the database names it"));
    }
    closedir(folder);
    return 0;
}

/* --- Pages and the links of other names --- */

static void list(const package *self, listing *wanted, listing *shown)
{
    for (int i = 0; i < PQntuples(self->files) && !self->hidden; i++) {
        piw_text skip = rows_text(self->files, i, F_SKIP), file = rows_text(self->files, i, F_NAME);
        if (rows_bool(self->files, i, F_HELD) || piw_text_is(skip, "deleted") || piw_text_is(skip, "quarantined") ||
            !piw_version_acceptable(rows_text(self->files, i, F_VERSION)))
            continue;
        listing_add(shown, file, rows_text(self->files, i, F_HASH));
        if (piw_wheel_name_readable(file))
            listing_add(wanted, file, rows_text(self->files, i, F_HASH));
    }
}

static void check_aliases(const package *self)
{
    char path[PIW_PATH_MAX], target[PIW_NAME_MAX + 2];
    for (int i = 0; i < PQntuples(self->aliases); i++) {
        piw_text alias = rows_text(self->aliases, i, 0);
        if (!piw_alias_valid(alias, piw_text_of(self->name)) || !piw_path_project(path, self->audit->root, alias))
            continue;
        ssize_t n = readlink(path, target, sizeof(target));
        bool right = n == (ssize_t)strlen(self->name) && memcmp(target, self->name, (size_t)n) == 0;
        if (!right)
            findings_add(self->found, "alias", self->due, self->name,
                         piw_sprintf("project/%.*s", (int)alias.len, alias.s),
                         piw_sprintf("it isn't a link to %s", self->name));
    }
}

static int check_pages(const package *self, piw_err *err)
{
    listing wanted = {0}, shown = {0};
    list(self, &wanted, &shown);
    bool built = shown.count > 0;
    int rc = pages_settled(self->audit)
                 ? pages_check(self->audit, self->name, &wanted, &shown, self->due, self->found, err)
                 : 0;
    listing_fini(&wanted);
    listing_fini(&shown);
    if (rc == 0 && built)
        check_aliases(self);
    return rc;
}

/* --- The rows --- */

static void check_versions(const package *self, const PGresult *versions)
{
    for (int i = 0; i < PQntuples(versions); i++) {
        piw_text version = rows_text(versions, i, 0);
        if (!piw_version_acceptable(version))
            findings_add(self->found, "name", false, self->name,
                         piw_sprintf("versions: %s %.*s", self->name, (int)version.len, version.s),
                         piw_strdup("this is no name in a path: it is neither built nor shown"));
    }
}

static int read_rows(package *self, piw_err *err)
{
    const char *values[] = {self->name};
    PGresult *state =
        rows_ask(self->audit,
                 "SELECT skip = 'quarantined', EXISTS (SELECT FROM rewrites_pending r WHERE r.package = $1) OR "
                 "EXISTS (SELECT FROM piw.pages_due d WHERE d.package = $1 AND d.noted > piw.utc_now() - interval '2 "
                 "minutes') FROM packages WHERE package = $1",
                 1, values, err);
    if (state == NULL)
        return PIW_EDB;
    bool there = PQntuples(state) > 0;
    self->hidden = there && rows_bool(state, 0, 0);
    self->due = !there || rows_bool(state, 0, 1);
    PQclear(state);
    self->files =
        rows_ask(self->audit,
                 "SELECT f.filename, f.filehash, f.filesize, f.location, f.build_id, o.metadata_hash, "
                 "w.filename IS NOT NULL, coalesce(w.away, false), v.skip, b.version FROM builds b "
                 "JOIN files f ON f.build_id = b.build_id "
                 "JOIN versions v ON v.package = b.package AND v.version = b.version "
                 "LEFT JOIN piw.file_facts o ON o.filename = f.filename "
                 "LEFT JOIN piw.withheld w ON w.filename = f.filename WHERE b.package = $1 ORDER BY f.filename",
                 1, values, err);
    self->removals = rows_ask(self->audit, "SELECT filename FROM piw.removals WHERE package = $1", 1, values, err);
    self->aliases =
        rows_ask(self->audit, "SELECT name FROM package_names WHERE package = $1 AND name <> package", 1, values, err);
    PGresult *versions = rows_ask(self->audit,
                                  "SELECT version FROM versions WHERE package = $1 AND (version ~ '^[.]' OR version ~ "
                                  "'[/[:cntrl:]]' OR version = '' OR octet_length(version) > 255)",
                                  1, values, err);
    bool good = self->files != NULL && self->removals != NULL && self->aliases != NULL && versions != NULL;
    if (good)
        check_versions(self, versions);
    PQclear(versions);
    return good ? 0 : PIW_EDB;
}

/* --- Views' stores --- */

static int read_view_rows(package *self, piw_err *err)
{
    const char *values[] = {self->name, self->view};
    self->files = rows_ask(
        self->audit,
        "SELECT f.filename, f.filehash, f.filesize, f.location, f.build_id, f.metadata_hash, w.filename IS NOT NULL, "
        "coalesce(w.away, false), v.skip, b.version FROM piw.view_builds b "
        "JOIN piw.view_files f ON f.build_id = b.build_id "
        "JOIN versions v ON v.package = b.package AND v.version = b.version "
        "LEFT JOIN piw.view_withheld w ON w.view = f.view AND w.filename = f.filename "
        "WHERE b.package = $1 AND b.view = $2 ORDER BY f.filename",
        2, values, err);
    self->removals = rows_ask(self->audit, "SELECT filename FROM piw.view_removals WHERE package = $1 AND view = $2", 2,
                              values, err);
    return self->files != NULL && self->removals != NULL ? 0 : PIW_EDB;
}

/* What its index lists from other stores. */
static int add_links(const package *self, listing *wanted, piw_err *err)
{
    const char *values[] = {self->name, self->view};
    PGresult *links = rows_ask(self->audit,
                               "SELECT l.filename, coalesce(f.filehash, o.filehash), v.skip, v.version "
                               "FROM piw.view_links(ARRAY[$1]) l "
                               "JOIN versions v ON v.package = l.package AND v.version = l.version "
                               "LEFT JOIN files f ON l.home = '' AND f.filename = l.filename "
                               "LEFT JOIN piw.view_files o ON o.view = l.home AND o.filename = l.filename "
                               "WHERE l.view = $2 ORDER BY l.filename",
                               2, values, err);
    if (links == NULL)
        return PIW_EDB;
    for (int i = 0; i < PQntuples(links) && !self->hidden; i++) {
        piw_text file = rows_text(links, i, 0), skip = rows_text(links, i, 2);
        if (!piw_text_is(skip, "deleted") && !piw_text_is(skip, "quarantined") &&
            piw_version_acceptable(rows_text(links, i, 3)) && piw_wheel_name_readable(file))
            listing_add(wanted, file, rows_text(links, i, 1));
    }
    PQclear(links);
    return 0;
}

static int check_view_pages(const package *self, piw_err *err)
{
    listing wanted = {0}, shown = {0};
    list(self, &wanted, &shown);
    int rc = add_links(self, &wanted, err);
    if (rc == 0 && pages_settled(self->audit))
        rc = pages_check_view(self->audit, self->view, self->name, &wanted, self->due, self->found, err);
    listing_fini(&wanted);
    listing_fini(&shown);
    return rc;
}

static int check_store(package *self, bool has_index, piw_err *err)
{
    int rc = piw_path_view(self->home, self->audit->root, piw_text_of(self->view)) ? read_view_rows(self, err) : 0;
    for (int i = 0; rc == 0 && i < PQntuples(self->files); i++)
        rc = check_wheel(self, i, err);
    if (rc == 0)
        rc = check_folder(self, err);
    if (rc == 0 && has_index)
        rc = check_view_pages(self, err);
    PQclear(self->files);
    PQclear(self->removals);
    return rc;
}

/* Of the farm's views, and of those that have gone and left files. */
static int check_stores(const package *common, piw_err *err)
{
    PGresult *views = rows_ask(common->audit,
                               "SELECT v.view, true FROM piw.views v UNION ALL SELECT DISTINCT b.view, false "
                               "FROM piw.view_builds b WHERE b.package = $1 AND b.view NOT IN (SELECT v.view FROM "
                               "piw.views v) ORDER BY 1",
                               1, (const char *[]){common->name}, err);
    if (views == NULL)
        return PIW_EDB;
    int rc = 0;
    for (int i = 0; rc == 0 && i < PQntuples(views); i++) {
        package one = {.audit = common->audit,
                       .name = common->name,
                       .view = PQgetvalue(views, i, 0),
                       .found = common->found,
                       .hidden = common->hidden,
                       .due = common->due};
        rc = check_store(&one, rows_bool(views, i, 1), err);
    }
    PQclear(views);
    return rc;
}

int check_package(audit *self, const char *key, findings *found, piw_err *err)
{
    package one = {.audit = self, .name = key, .view = "", .found = found};
    if (!piw_name_is_canonical(piw_text_of(key))) {
        findings_add(found, "name", false, NULL, piw_sprintf("packages: %s", key),
                     piw_strdup("this is no canonical name: nothing of it is built or shown"));
        return 0;
    }
    snprintf(one.home, sizeof(one.home), "%s", self->root);
    int rc = read_rows(&one, err);
    for (int i = 0; rc == 0 && i < PQntuples(one.files); i++)
        rc = check_wheel(&one, i, err);
    if (rc == 0)
        rc = check_folder(&one, err);
    if (rc == 0)
        rc = check_pages(&one, err);
    if (rc == 0)
        rc = check_package_feed(self, key, found, err);
    if (rc == 0)
        rc = check_stores(&one, err);
    PQclear(one.files);
    PQclear(one.removals);
    PQclear(one.aliases);
    return rc;
}
