/* check_feeds.c — the Atom feeds that the task feed writes, where there are any: whole, of builds that are there, and with the newest.
 * How soon a feed follows is that task's to say (`every`), so that one which lacks something has the time of what is on its way. */
#include "audit.h"

#include "shared/atomic_file.h"
#include "shared/text.h"

#include <stdlib.h>
#include <unistd.h>

enum { FEED_MAX = 16 << 20 };

/* Entries are called after their builds: …/#build-N. */
static const char mark[] = "/#build-", entry_end[] = "</id>";

/* The feed as a text, or what is wrong with it in *wrong. Neither: it isn't there. */
static char *read_feed(audit *self, const char *path, char **wrong)
{
    static const char end[] = "</feed>\n";
    char *whole = piw_sprintf("%s/%s", self->root, path);
    void *text;
    size_t len;
    piw_err own_err = {0};
    int rc = piw_file_read(whole, FEED_MAX, &text, &len, &own_err);
    free(whole);
    *wrong = NULL;
    if (rc == 0) {
        self->files++;
        pace_take(self, (int64_t)len);
        if (len >= sizeof(end) - 1 && memcmp((char *)text + len - (sizeof(end) - 1), end, sizeof(end) - 1) == 0)
            return text;
        free(text);
        *wrong = piw_strdup("it isn't whole");
    } else if (rc != PIW_ENOENT) {
        *wrong = piw_strdup(own_err.text);
    }
    return NULL;
}

static bool has_entry(const char *feed, const char *number)
{
    char *wanted = piw_sprintf("%s%s%s", mark, number, entry_end);
    bool is = strstr(feed, wanted) != NULL;
    free(wanted);
    return is;
}

/* The first of its entries that no row names, as a sentence. */
static char *strange_entry(const char *feed, const PGresult *rows)
{
    for (const char *at = strstr(feed, mark); at != NULL; at = strstr(at, mark)) {
        at += sizeof(mark) - 1;
        size_t len = strcspn(at, "<");
        bool known = false;
        for (int i = 0; i < PQntuples(rows) && !known; i++)
            known = (size_t)PQgetlength(rows, i, 0) == len && memcmp(PQgetvalue(rows, i, 0), at, len) == 0;
        if (!known)
            return piw_sprintf("it has build %.*s, which isn't there", (int)(len > 20 ? 20 : len), at);
    }
    return NULL;
}

static bool has_page(const audit *self, const char *package)
{
    char folder[PIW_PATH_MAX];
    if (!piw_path_project(folder, self->root, piw_text_of(package)))
        return false;
    char *page = piw_sprintf("%s/index.html", folder);
    bool is = access(page, F_OK) == 0;
    free(page);
    return is;
}

/* What is wrong with a package's feed that is whole, or NULL. `rows`: the package's builds, the newest first. */
static char *wrong_entries(const char *feed, const PGresult *rows)
{
    if (PQntuples(rows) > 0 && !has_entry(feed, PQgetvalue(rows, 0, 0)))
        return piw_sprintf("it doesn't have build %s, the newest: does the task feed run?", PQgetvalue(rows, 0, 0));
    return strange_entry(feed, rows);
}

int check_package_feed(audit *self, const char *package, findings *found, piw_err *err)
{
    char *path = piw_sprintf("project/%s/feed.atom", package), *wrong, *feed = read_feed(self, path, &wrong);
    bool moving = wrong == NULL;
    const char *kind = "feed";
    PGresult *rows = NULL;
    int rc = 0;
    if (feed != NULL || wrong != NULL) {
        rows = rows_ask(self, "SELECT build_id FROM builds WHERE package = $1 ORDER BY build_id DESC", 1,
                        (const char *[]){package}, err);
        rc = rows == NULL ? PIW_EDB : 0;
    }
    /* A page that is missing though there are builds is a finding of its own, and the feed follows it. */
    if (rows != NULL && PQntuples(rows) == 0 && !has_page(self, package)) {
        free(wrong);
        wrong = piw_strdup("its project has neither builds nor a page");
        kind = "orphan";
        moving = true;
    } else if (rows != NULL && feed != NULL && has_page(self, package)) {
        wrong = wrong_entries(feed, rows);
    }
    if (rc == 0 && wrong != NULL)
        findings_add(found, kind, moving, package, piw_strdup(path), piw_strdup(wrong));
    PQclear(rows);
    free(wrong);
    free(feed);
    free(path);
    return rc;
}

/* A feed of the farm against the newest build that belongs into it. */
static int check_farm_feed(audit *self, const char *path, const char *sql, findings *found, piw_err *err)
{
    char *wrong, *feed = read_feed(self, path, &wrong);
    bool torn = wrong != NULL;
    PGresult *rows = feed != NULL ? rows_ask(self, sql, 0, NULL, err) : NULL;
    int rc = feed != NULL && rows == NULL ? PIW_EDB : 0;
    if (rows != NULL && PQntuples(rows) > 0 && !has_entry(feed, PQgetvalue(rows, 0, 0)))
        wrong = piw_sprintf("it doesn't have build %s, the newest of its kind: does the task feed run?",
                            PQgetvalue(rows, 0, 0));
    if (wrong != NULL)
        findings_add(found, "feed", !torn, NULL, piw_strdup(path), wrong);
    PQclear(rows);
    free(feed);
    return rc;
}

/* Of the newest thousand builds, as the task knows them after its start. */
#define NEWEST "SELECT b.build_id FROM (SELECT build_id, status FROM builds ORDER BY build_id DESC LIMIT 1000) b WHERE "

int check_feeds(audit *self, findings *found, piw_err *err)
{
    int rc = check_farm_feed(self, "feeds/new.atom",
                             NEWEST "b.status AND EXISTS (SELECT FROM files f WHERE f.build_id = b.build_id) "
                                    "ORDER BY b.build_id DESC LIMIT 1",
                             found, err);
    return rc != 0 ? rc
                   : check_farm_feed(self, "feeds/failures.atom",
                                     NEWEST "NOT b.status ORDER BY b.build_id DESC LIMIT 1", found, err);
}
