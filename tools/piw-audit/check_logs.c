/* check_logs.c — the logs of builds and their pages, a thousand numbers a unit; then pages that are of no build. */
#include "audit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { UNIT = 1000, PIECE = 64 << 10 };

int next_logs(audit *self, const char *after, char **key, piw_err *err)
{
    char from[24];
    *key = NULL;
    snprintf(from, sizeof(from), "%lld", after != NULL ? strtoll(after, NULL, 10) + UNIT : 0);
    PGresult *rows = rows_ask(self,
                              "SELECT min(k.first) / 1000 * 1000 FROM (SELECT min(build_id) AS first FROM builds WHERE "
                              "build_id >= $1::bigint "
                              "UNION ALL SELECT min(build_id) FROM piw.view_builds WHERE build_id >= $1::bigint) k "
                              "HAVING min(k.first) IS NOT NULL",
                              1, (const char *[]){from}, err);
    if (rows == NULL)
        return PIW_EDB;
    if (PQntuples(rows) > 0)
        *key = piw_strdup(PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return 0;
}

/* Does it unpack to its end? What is wrong, or NULL. */
static char *unpack(audit *self, const char *path)
{
    static unsigned char piece[PIECE];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    gzFile log =
        fd >= 0 ? gzdopen(fd, "rb") : NULL; /* gzopen's name has another width of files in it on some machines */
    if (log == NULL) {
        if (fd >= 0)
            close(fd);
        return piw_strdup("it can't be read");
    }
    int n;
    while ((n = gzread(log, piece, sizeof(piece))) > 0)
        pace_take(self, n / 4);
    int code = Z_OK;
    const char *text = n < 0 ? gzerror(log, &code) : "";
    bool direct = gzdirect(log) == 1;
    char *wrong = n < 0    ? piw_sprintf("it can't be unpacked: %s", text)
                  : direct ? piw_strdup("it isn't packed by gzip")
                           : NULL;
    code = gzclose(log);
    return wrong != NULL || code == Z_OK ? wrong : piw_strdup("it ends too early");
}

/* What is wrong with a file that is to be served, or NULL. */
static char *wrong_file(audit *self, const char *path, struct stat *info)
{
    return lstat(path, info) != 0    ? piw_strdup("it isn't there")
           : !S_ISREG(info->st_mode) ? piw_strdup("it is no file")
           : (info->st_mode & 0444) != 0444
               ? piw_sprintf("its mode is %04o: web servers can't read it", (unsigned)(info->st_mode & 07777))
               : unpack(self, path);
}

static bool is_older(const struct stat *one, const struct stat *other)
{
    return one->st_mtim.tv_sec < other->st_mtim.tv_sec ||
           (one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec < other->st_mtim.tv_nsec);
}

/* The page of a log that is as it should be. There may be none yet. */
static void check_page(audit *self, int64_t build_id, const char *package, const struct stat *log, findings *found)
{
    char path[PIW_PATH_MAX];
    struct stat info;
    if (!piw_path_log_page(path, self->root, build_id) || access(path, F_OK) != 0)
        return;
    self->files++;
    char *wrong = wrong_file(self, path, &info);
    if (wrong == NULL && is_older(&info, log))
        wrong = piw_strdup("it is older than the log that it shows");
    if (wrong != NULL)
        findings_add(found, "log page", false, package, piw_strdup(path + strlen(self->root) + 1), wrong);
}

static void check_log(audit *self, int64_t build_id, const char *package, findings *found)
{
    char path[PIW_PATH_MAX], staged[PIW_PATH_MAX];
    struct stat info;
    if (!piw_path_log(path, self->root, build_id) || !piw_path_staged(staged, self->root, build_id, (piw_text){0}))
        return;
    pace_take(self, 0);
    self->files++;
    char *wrong = wrong_file(self, path, &info);
    if (wrong != NULL)
        findings_add(found, "log", access(staged, F_OK) == 0, package, piw_strdup(path + strlen(self->root) + 1),
                     wrong);
    else
        check_page(self, build_id, package, &info, found);
}

int check_logs(audit *self, const char *key, findings *found, piw_err *err)
{
    PGresult *rows = rows_ask(
        self,
        "SELECT build_id, package FROM builds WHERE build_id >= $1::bigint AND build_id < $1::bigint + 1000 UNION ALL "
        "SELECT build_id, package FROM piw.view_builds WHERE build_id >= $1::bigint AND build_id < $1::bigint + 1000",
        1, (const char *[]){key}, err);
    if (rows == NULL)
        return PIW_EDB;
    for (int i = 0; i < PQntuples(rows) && !audit_stopped(); i++)
        check_log(self, strtoll(PQgetvalue(rows, i, 0), NULL, 10), PQgetvalue(rows, i, 1), found);
    PQclear(rows);
    return 0;
}

/* --- Pages that are nobody's --- */

/* The build of logs/AAAA/BBBB/CCCC.html.gz; 0: it is no such name. */
static int64_t build_of(const char *first, const char *second, const char *name)
{
    static const char digits[] = "0123456789", page[] = ".html.gz";
    enum { DIGITS = 4 };
    if (strspn(first, digits) != DIGITS || first[DIGITS] != '\0' || strspn(second, digits) != DIGITS ||
        second[DIGITS] != '\0' || strspn(name, digits) != DIGITS || strcmp(name + DIGITS, page) != 0)
        return 0;
    return (strtoll(first, NULL, 10) * 10000 + strtoll(second, NULL, 10)) * 10000 + strtoll(name, NULL, 10);
}

/* A build that was removed keeps its log, and that its page. A page without a log is of a build, whose log is missed then, or of
 * none. */
static int look_at_page(audit *self, int64_t build_id, const char *path, findings *found, piw_err *err)
{
    char log[PIW_PATH_MAX], number[24];
    if (!piw_path_log(log, self->root, build_id) || access(log, F_OK) == 0)
        return 0;
    snprintf(number, sizeof(number), "%lld", (long long)build_id);
    PGresult *rows = rows_ask(self, "SELECT FROM builds WHERE build_id = $1::bigint", 1, (const char *[]){number}, err);
    if (rows == NULL)
        return PIW_EDB;
    if (PQntuples(rows) == 0)
        findings_add(found, "orphan", false, NULL, piw_strdup(path),
                     piw_strdup("there is neither such a build nor its log"));
    PQclear(rows);
    return 0;
}

typedef int entry_fn(audit *self, const char *path, const char *above, const char *name, findings *found, piw_err *err);

/* Give each name of a folder below the site to `fn`. */
static int each_entry(audit *self, const char *path, const char *above, entry_fn *fn, findings *found, piw_err *err)
{
    char *whole = piw_sprintf("%s/%s", self->root, path);
    DIR *folder = opendir(whole);
    int rc = folder != NULL || errno == ENOENT || errno == ENOTDIR ? 0 : piw_err_errno(err, "can't list %s", whole);
    struct dirent *entry;
    while (rc == 0 && folder != NULL && !audit_stopped() && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char *below = piw_sprintf("%s/%s", path, entry->d_name);
        rc = fn(self, below, above, entry->d_name, found, err);
        free(below);
    }
    if (folder != NULL)
        closedir(folder);
    free(whole);
    return rc;
}

static int check_entry(audit *self, const char *path, const char *above, const char *name, findings *found,
                       piw_err *err)
{
    enum { FIRST = 5 /* "AAAA/BBBB" */ };
    pace_take(self, 100);
    char *first = piw_strndup(above, strcspn(above, "/"));
    int64_t build_id = strlen(above) > FIRST ? build_of(first, above + FIRST, name) : 0;
    free(first);
    return build_id == 0 ? 0 : look_at_page(self, build_id, path, found, err);
}

static int check_second(audit *self, const char *path, const char *above, const char *name, findings *found,
                        piw_err *err)
{
    char *both = piw_sprintf("%s/%s", above, name);
    int rc = each_entry(self, path, both, check_entry, found, err);
    free(both);
    return rc;
}

static int check_first(audit *self, const char *path, const char *above, const char *name, findings *found,
                       piw_err *err)
{
    (void)above;
    return each_entry(self, path, name, check_second, found, err);
}

int check_log_folders(audit *self, findings *found, piw_err *err)
{
    return each_entry(self, "logs", "", check_first, found, err);
}
