/* check_logs.c — the logs of builds, a thousand numbers a unit. */
#include "audit.h"

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

static void check_log(audit *self, int64_t build_id, const char *package, findings *found)
{
    char path[PIW_PATH_MAX], staged[PIW_PATH_MAX];
    struct stat info;
    if (!piw_path_log(path, self->root, build_id) || !piw_path_staged(staged, self->root, build_id, (piw_text){0}))
        return;
    pace_take(self, 0);
    self->files++;
    char *wrong = lstat(path, &info) != 0  ? piw_strdup("it isn't there")
                  : !S_ISREG(info.st_mode) ? piw_strdup("it is no file")
                  : (info.st_mode & 0444) != 0444
                      ? piw_sprintf("its mode is %04o: web servers can't read it", (unsigned)(info.st_mode & 07777))
                      : unpack(self, path);
    if (wrong != NULL)
        findings_add(found, "log", access(staged, F_OK) == 0, package, piw_strdup(path + strlen(self->root) + 1),
                     wrong);
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
