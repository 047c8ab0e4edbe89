/* mend.c — what can be mended without harm, one kind after the other. Pages are the master's to write, and are asked of it; nothing
 * is deleted. */
#include "audit.h"

#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/text.h"
#include "shared/wheel.h"
#include "shared/wheel_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { ANSWER_S = 120, TRIES_MAX = 1000, NOTE_MAX = 1024, GZIP_WINDOW = 15 + 16 };

/* 0: mended, and *done says how. */
typedef int mend_fn(audit *self, const finding *one, char **done, piw_err *err);

static char *whole_path(const audit *self, const finding *one)
{
    return piw_sprintf("%s/%s", self->root, one->path);
}

/* --- Asked of the master --- */

static int ask(audit *self, piw_msg *request, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = clerk_ask(&self->clerk, request, ANSWER_S, &answer, err);
    if (rc == 0 && piw_msg_type_of(answer) == import_ERROR_type())
        rc = piw_err_set(err, PIW_EREFUSED, "the master refuses: %s", import_ERROR_of(answer)->message.s);
    else if (rc == 0 && piw_msg_type_of(answer) != import_DONE_type())
        rc = piw_err_set(err, PIW_ESHAPE, "the master answered %s, which is no answer to this request",
                         piw_msg_type_of(answer)->name);
    piw_msg_free(&answer);
    return rc;
}

static int rebuild(audit *self, int which, char **done, piw_err *err)
{
    import_REBUILD *body;
    piw_msg *request = import_REBUILD_new(&body);
    body->which = which;
    int rc = ask(self, request, err);
    if (rc == 0)
        *done = piw_strdup("the master was asked to write it anew");
    return rc;
}

static int rebuild_pages(audit *self, const finding *one, char **done, piw_err *err)
{
    if (self->rebuilt == NULL || strcmp(self->rebuilt, one->package) != 0) {
        import_REBUILD *body;
        piw_msg *request = import_REBUILD_new(&body);
        body->which = IMPORT_REBUILD_BOTH;
        body->BOTH.package = piw_msg_textz(request, one->package);
        int rc = ask(self, request, err);
        if (rc != 0)
            return rc;
        free(self->rebuilt);
        self->rebuilt = piw_strdup(one->package);
    }
    *done = piw_sprintf("the master was asked to write the pages of %s anew", one->package);
    return 0;
}

static int rebuild_home(audit *self, const finding *one, char **done, piw_err *err)
{
    (void)one;
    return rebuild(self, IMPORT_REBUILD_HOME, done, err);
}

/* With the home page the master looks at the root list, too. */
static int rebuild_root(audit *self, const finding *one, char **done, piw_err *err)
{
    int rc = one->package != NULL ? rebuild_pages(self, one, done, err) : 0;
    free(*done);
    *done = NULL;
    return rc != 0 ? rc : rebuild_home(self, one, done, err);
}

static int rebuild_search(audit *self, const finding *one, char **done, piw_err *err)
{
    (void)one;
    return rebuild(self, IMPORT_REBUILD_SEARCH, done, err);
}

/* --- Put aside --- */

/* ROOT/.audit/aside, where what is taken out of the site lies as it lay there. */
static int move_aside(audit *self, const char *path, char **to, piw_err *err)
{
    char *from = piw_sprintf("%s/%s", self->root, path);
    int rc = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        *to = i == 0 ? piw_sprintf("%s/.audit/aside/%s", self->root, path)
                     : piw_sprintf("%s/.audit/aside/%s.%d", self->root, path, i);
        rc = piw_folder_make_for(*to, err);
        if (rc == 0 && piw_file_rename_keeping(from, *to) == 0)
            break;
        if (rc == 0 && errno != EEXIST)
            rc = piw_err_errno(err, "can't move %s to %s", from, *to);
        free(*to);
        *to = NULL;
        if (rc != 0)
            break;
    }
    free(from);
    return rc == 0 && *to == NULL ? piw_err_set(err, PIW_EEXIST, "too many of this name lie aside") : rc;
}

static int put_aside(audit *self, const finding *one, char **done, piw_err *err)
{
    char *to;
    int rc = move_aside(self, one->path, &to, err);
    if (rc == 0) {
        char *folder = whole_path(self, one);
        *strrchr(folder, '/') = '\0';
        (void)rmdir(folder); /* if it was the last */
        free(folder);
        *done = piw_sprintf("it was moved to %s", to);
    }
    free(to);
    return rc;
}

/* --- Wheels --- */

static int make_readable(audit *self, const finding *one, char **done, piw_err *err)
{
    char *path = whole_path(self, one);
    int rc = chmod(path, 0644) == 0 ? 0 : piw_err_errno(err, "can't set the mode of %s", path);
    free(path);
    if (rc == 0)
        *done = piw_strdup("its mode is 0644 again");
    return rc;
}

/* The name of a wheel in "simple/PKG/FILE[.metadata]". */
static char *file_of(const finding *one)
{
    static const char suffix[] = ".metadata";
    char *file = piw_strdup(strrchr(one->path, '/') + 1);
    size_t len = strlen(file), n = sizeof(suffix) - 1;
    if (len > n && strcmp(file + len - n, suffix) == 0)
        file[len - n] = '\0';
    return file;
}

/* The view in whose store it lies, "VIEW/simple/…"; "": the common one. To be freed. */
static char *view_of(const finding *one)
{
    const char *slash = strchr(one->path, '/'), *third = slash != NULL ? strstr(slash, "/simple/") : NULL;
    return third != slash || slash == NULL ? piw_strdup("") : piw_strndup(one->path, (size_t)(slash - one->path));
}

/* The root of that store. To be freed. */
static char *home_of(const audit *self, const finding *one)
{
    char *view = view_of(one), *home = piw_sprintf("%s%s%s", self->root, view[0] != '\0' ? "/" : "", view);
    free(view);
    return home;
}

/* The hashes that the database has of a file, and of its metadata ("": none). */
static int hashes_of(audit *self, const finding *one, const char *file, char *wheel, char *metadata, piw_err *err)
{
    char *view = view_of(one);
    PGresult *rows =
        view[0] != '\0'
            ? rows_ask(self,
                       "SELECT f.filehash, coalesce(f.metadata_hash, '') FROM piw.view_files f "
                       "WHERE f.filename = $1 AND f.view = $2",
                       2, (const char *[]){file, view}, err)
            : rows_ask(self,
                       "SELECT f.filehash, coalesce(o.metadata_hash, '') FROM files f LEFT JOIN piw.file_facts o ON "
                       "o.filename = f.filename WHERE f.filename = $1",
                       1, (const char *[]){file}, err);
    free(view);
    if (rows == NULL)
        return PIW_EDB;
    bool there = PQntuples(rows) > 0;
    if (there) {
        snprintf(wheel, 65, "%s", PQgetvalue(rows, 0, 0));
        snprintf(metadata, 65, "%s", PQgetvalue(rows, 0, 1));
    }
    PQclear(rows);
    return there ? 0 : piw_err_set(err, PIW_ENOENT, "it has no row any more");
}

/* A wheel for ARMv7 that is listed for ARMv6 too has its second name as a link. */
static int make_link(audit *self, const finding *one, char **done, piw_err *err)
{
    static const char armv6[] = "-linux_armv6l.whl", armv7[] = "-linux_armv7l.whl";
    char wheel[65], metadata[65], hash[65], *file = file_of(one), *target = piw_strdup(file);
    size_t len = strlen(file), n = sizeof(armv6) - 1;
    int64_t size;
    int rc = len > n && strcmp(file + len - n, armv6) == 0
                 ? 0
                 : piw_err_set(err, PIW_ENOENT, "its bytes are lost: have it built again (piw-remove --builds)");
    if (rc == 0) {
        memcpy(target + len - n, armv7, n);
        char *home = home_of(self, one), *first = piw_sprintf("%s/simple/%s/%s", home, one->package, target);
        free(home);
        rc = hashes_of(self, one, file, wheel, metadata, err);
        if (rc == 0)
            rc = pace_hash(self, first, hash, &size, err);
        if (rc == 0 && strcmp(hash, wheel) != 0)
            rc =
                piw_err_set(err, PIW_EREFUSED, "%s has other bytes: have it built again (piw-remove --builds)", target);
        free(first);
    }
    char *path = whole_path(self, one);
    if (rc == 0)
        rc = piw_link_write(self->root, path, target, err);
    if (rc == 0)
        *done = piw_sprintf("it is a link to %s again", target);
    free(path);
    free(target);
    free(file);
    return rc;
}

/* From the wheel, if that is what the database says. */
static int write_metadata(audit *self, const finding *one, char **done, piw_err *err)
{
    char wheel[65], metadata[65], *file = file_of(one);
    piw_wheel read = {0};
    int rc = hashes_of(self, one, file, wheel, metadata, err);
    char *home = home_of(self, one), *path = piw_sprintf("%s/simple/%s/%s", home, one->package, file);
    char *to = whole_path(self, one);
    free(home);
    if (rc == 0)
        rc = piw_wheel_read(path, file, &read, err);
    if (rc == 0) {
        if (strcmp(read.filehash, wheel) != 0 || strcmp(read.metadata_hash, metadata) != 0)
            rc = piw_err_set(err, PIW_EREFUSED, "the wheel isn't the one that the database says");
        else
            rc = piw_file_write(self->root, to, read.metadata_bytes, read.metadata_len,
                                PIW_FILE_SYNC | PIW_FILE_SYNC_DIR, err);
        piw_wheel_fini(&read);
    }
    if (rc == 0)
        *done = piw_strdup("it was made again from the wheel");
    free(to);
    free(path);
    free(file);
    return rc;
}

/* What the master would have done. */
static int withhold(audit *self, const finding *one, char **done, piw_err *err)
{
    char folder[PIW_PATH_MAX], to[PIW_PATH_MAX], to_metadata[PIW_PATH_MAX], from_metadata[PIW_PATH_MAX];
    char *file = file_of(one), *from = whole_path(self, one), *home = home_of(self, one);
    piw_text package = piw_text_of(one->package), name = piw_text_of(file);
    int rc = 0;
    (void)piw_path_withheld_metadata(to_metadata, home, package, name); /* empty for too long a name, which has none */
    (void)piw_path_metadata(from_metadata, home, package, name);
    if (!piw_path_quarantine(folder, home) || !piw_path_withheld(to, home, package, name))
        rc = piw_err_set(err, PIW_EINVAL, "it makes no safe path");
    if (rc == 0 && mkdir(folder, 0700) != 0 && errno != EEXIST)
        rc = piw_err_errno(err, "can't make the folder %s", folder);
    if (rc == 0)
        rc = piw_folder_make_for(to, err);
    if (rc == 0 && rename(from, to) != 0)
        rc = piw_err_errno(err, "can't move %s to %s", from, to);
    if (rc == 0 && rename(from_metadata, to_metadata) != 0 && errno != ENOENT)
        rc = piw_err_errno(err, "can't move %s to %s", from_metadata, to_metadata);
    if (rc == 0)
        *done = piw_sprintf("it was moved to %s", to);
    free(home);
    free(from);
    free(file);
    return rc;
}

/* --- Logs --- */

static int write_note(audit *self, const char *path, const char *text, piw_err *err)
{
    unsigned char packed[NOTE_MAX + 64];
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a log");
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)strlen(text);
    stream.next_out = packed;
    stream.avail_out = sizeof(packed);
    bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    size_t len = sizeof(packed) - stream.avail_out;
    deflateEnd(&stream);
    if (!whole)
        return piw_err_set(err, PIW_ELIMIT, "a note is too long");
    return piw_file_write(self->root, path, packed, len, PIW_FILE_KEEP, err);
}

/* The page of a log is written with a page of its package, where there is none. */
static int renew_log_page(audit *self, const char *path, const finding *one, char **done, piw_err *err)
{
    char *aside, *asked = NULL;
    int rc = move_aside(self, path, &aside, err);
    /* Pages that were asked for before this one went are no help. */
    free(self->rebuilt);
    self->rebuilt = NULL;
    if (rc == 0)
        rc = rebuild_pages(self, one, &asked, err);
    if (rc == 0)
        *done = piw_sprintf("it was moved to %s, and %s", aside, asked);
    free(asked);
    free(aside);
    return rc;
}

static int mend_log_page(audit *self, const finding *one, char **done, piw_err *err)
{
    return renew_log_page(self, one->path, one, done, err);
}

/* What the page says is of the log that was there before. */
static int drop_log_page(audit *self, const finding *one, piw_err *err)
{
    static const char log[] = ".txt.gz";
    char *page = piw_sprintf("%.*s.html.gz", (int)(strlen(one->path) - (sizeof(log) - 1)), one->path);
    char *whole = piw_sprintf("%s/%s", self->root, page), *done = NULL;
    int rc = access(whole, F_OK) == 0 ? renew_log_page(self, page, one, &done, err) : 0;
    free(done);
    free(whole);
    free(page);
    return rc;
}

/* A log that is lost stays lost: whoever follows its link is told. */
static int note_log(audit *self, const finding *one, char **done, piw_err *err)
{
    char *path = whole_path(self, one), *aside = NULL, when[32];
    struct stat info;
    int rc = lstat(path, &info) == 0 ? move_aside(self, one->path, &aside, err) : 0;
    char *text = piw_sprintf("The log of this build of %s is lost (%s). Noted by piw-audit, %s UTC.\n", one->package,
                             one->what, piw_time_print(piw_time_now(), when, sizeof(when)));
    if (rc == 0)
        rc = write_note(self, path, text, err);
    if (rc == 0)
        rc = drop_log_page(self, one, err);
    if (rc == 0)
        *done = aside == NULL ? piw_strdup("a log that says so lies there now")
                              : piw_sprintf("it was moved to %s, and a log that says so lies there now", aside);
    free(text);
    free(aside);
    free(path);
    return rc;
}

/* --- Feeds --- */

/* A package's follows its pages. */
static int mend_feed(audit *self, const finding *one, char **done, piw_err *err)
{
    if (one->package == NULL)
        return piw_err_set(err, PIW_EREFUSED, "piw-ctl reload feed has it written anew");
    char *asked = NULL;
    int rc = rebuild_pages(self, one, &asked, err);
    if (rc == 0)
        *done = piw_sprintf("%s: the task feed follows", asked);
    free(asked);
    return rc;
}

/* --- The kinds --- */

static const struct kind {
    const char *name;
    mend_fn *mend;
    const char *advice; /* where nothing can be done here */
    bool asked;         /* the master answers before it is done */
} kinds[] = {
    {"wheel", make_link, NULL},
    {"hash", NULL, "its bytes are lost: have it built again (piw-remove --builds)"},
    {"link", make_link, NULL},
    {"mode", make_readable, NULL},
    {"metadata", write_metadata, NULL},
    {"exposed", withhold, NULL},
    {"orphan", put_aside, NULL},
    {"page", rebuild_pages, NULL},
    {"alias", rebuild_pages, NULL},
    {"root", rebuild_root, NULL, true},
    {"home", rebuild_home, NULL, true},
    {"search", rebuild_search, NULL, true},
    {"log", note_log, NULL},
    {"log page", mend_log_page, NULL},
    {"feed", mend_feed, NULL, true},
    {"name", NULL, "somebody put it into the database by hand: take it out so"},
    {"queue", NULL, "piw-initdb --check-queue --repair makes it right"},
    {"totals", NULL, "they are figures for monitors alone"},
};

const char *mend_kind(const char *name)
{
    for (size_t i = 0; i < PIW_COUNT(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].name;
    return NULL;
}

void mend(audit *self, finding *one)
{
    const struct kind *kind = kinds;
    while (kind->name != one->kind)
        kind++;
    piw_err err = {0};
    if (kind->mend == NULL)
        one->done = piw_strdup(kind->advice);
    else if (kind->mend(self, one, &one->done, &err) == 0)
        *(kind->asked ? &one->asked : &one->mended) = true;
    else
        one->done = piw_strdup(err.text);
}
