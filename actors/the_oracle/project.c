/* project.c — all that the pages of packages show, of one moment: a few statements for all of them, under one snapshot.
 *
 * Versions, builds with their files, and dependencies come in the same order, so that one pass over each puts them together:
 * what a package's pages cost grows as what it has does. */
#include "project.h"
#include "shared/text.h"
#include "shared/version.h"

#include <stdlib.h>

enum {
    ROWS_MAX = 200000, /* versions, aliases or files of all packages of a call; more would burst the answer's arena */
    DEPENDENCIES_MAX = 1000000,
    PROJECTS_MAX = 100, /* of a call, as proto/db.piw has it */
};

static const statement statements[VIEWS] = {
    [PACKAGES] = {"project_packages",
                  "SELECT p.package, coalesce((SELECT n.name FROM package_names n WHERE n.package = p.package "
                  "ORDER BY n.seen DESC, n.name LIMIT 1), p.package), p.description, p.skip, s.status, s.reason "
                  "FROM packages p LEFT JOIN piw.project_states s ON s.package = p.package "
                  "WHERE p.package = ANY ($1) ORDER BY p.package"},
    [ALIASES] = {"project_aliases", "SELECT package, name FROM package_names WHERE package = ANY ($1) "
                                    "AND name <> package ORDER BY package, name LIMIT 200001"},
    [VERSIONS] = {"project_versions",
                  "SELECT package, version, (extract(epoch FROM released) * 1000000)::bigint, yanked, skip "
                  "FROM versions WHERE package = ANY ($1) ORDER BY package, version LIMIT 200001"},
    [ABIS] = {"project_abis",
              "SELECT abi_tag, skip FROM piw.farm_abis() ORDER BY piw.abi_rank(abi_tag), abi_tag LIMIT 1000"},
    [BUILDS] = {"project_builds",
                "WITH abis AS MATERIALIZED (SELECT a.abi_tag, piw.abi_takes(a.abi_tag) AS takes FROM build_abis a) "
                "SELECT b.package, b.version, b.build_id, b.abi_tag, b.status, g.serves, f.filename, f.location, "
                "f.filehash, f.filesize, f.abi_tag, f.platform_tag, f.requires_python, o.metadata_hash, "
                "(extract(epoch FROM coalesce(o.uploaded, b.built_at)) * 1000000)::bigint, w.filename IS NOT NULL, "
                "n.recent, n.ever FROM builds b LEFT JOIN files f ON f.build_id = b.build_id "
                "LEFT JOIN piw.file_facts o ON o.filename = f.filename "
                "LEFT JOIN piw.withheld w ON w.filename = f.filename "
                "LEFT JOIN piw.file_downloads n ON n.filename = f.filename "
                "LEFT JOIN LATERAL (SELECT string_agg(a.abi_tag, chr(31)) AS serves FROM (SELECT "
                "piw.build_offers(b.abi_tag, f.py_version_tag, f.abi_tag) AS offers OFFSET 0) t "
                "JOIN abis a ON t.offers && a.takes) g ON f.filename IS NOT NULL "
                "WHERE b.package = ANY ($1) ORDER BY b.package, b.version, f.filename LIMIT 200001"},
    [DEPENDENCIES] = {"project_dependencies",
                      "SELECT f.filename, d.tool, d.dependency FROM builds b JOIN files f ON f.build_id = b.build_id "
                      "JOIN dependencies d ON d.filename = f.filename WHERE b.package = ANY ($1) "
                      "AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = f.filename) AND (d.tool = 'pip' "
                      "OR d.tool = 'apt' AND NOT EXISTS (SELECT FROM preinstalled_apt_packages i "
                      "WHERE i.abi_tag = b.abi_tag AND i.apt_package = d.dependency)) "
                      "ORDER BY b.package, b.version, f.filename, d.tool, d.dependency LIMIT 1000001"},
    [YANKS] = {"project_yanks",
               "SELECT y.package, y.version, y.reason FROM piw.yank_reasons y JOIN packages p ON p.package = y.package "
               "WHERE y.package = ANY ($1) ORDER BY y.package, y.version LIMIT 200001"},
};

/* What came of a version for one ABI. */
typedef struct outcome {
    int64_t good, own;         /* build ids; 0: none */
    bool good_own, own_status; /* the good one was made for this ABI */
} outcome;

static void reader_fini(reader *self)
{
    for (size_t i = 0; i < RESULTS; i++)
        PQclear(self->rows[i]);
}

/* --- Asking ------------------------------------------------------------------------------------------------------ */

/* Plans look up key after key: one that was made while a table was small would read the whole of it later. */
static const char BEGIN[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = off; "
                            "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";

static const statement *statement_for(size_t result)
{
    return result < VIEWS ? &statements[result] : &view_statements[result - VIEWS];
}

static int send_all(database *db, size_t results, const piw_text *packages, uint32_t count, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < results && rc == 0; i++) {
        params p = {0};
        bool named = i != ABIS && i != VIEWS;
        int names = named ? params_array(&p) : 0;
        for (uint32_t k = 0; named && k < count; k++)
            params_add_text(&p, names, packages[k]);
        rc = database_send(db, statement_for(i), &p, err);
    }
    return rc == 0 ? database_flush(db, err) : rc;
}

static int query(database *db, const piw_text *packages, uint32_t count, reader *self, piw_err *err)
{
    int rc = 0;
    size_t results = db->views ? RESULTS : VIEWS;
    for (size_t i = 0; i < results && rc == 0; i++)
        rc = database_prepare(db, statement_for(i), err);
    if (rc == 0)
        rc = database_run(db, BEGIN, err);
    if (rc != 0)
        return rc;
    rc = database_many(db, err);
    if (rc == 0)
        rc = send_all(db, results, packages, count, err);
    for (size_t i = 0; i < results && rc == 0; i++)
        rc = database_take(db, &self->rows[i], err);
    database_done(db);
    piw_err ignored_err = {0};
    if (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK && database_run(db, "ROLLBACK", &ignored_err) != 0)
        database_close(db);
    return rc;
}

/* --- Putting together -------------------------------------------------------------------------------------------- */

/* Fill one list with the next rows if they have this file name and tool. */
static void fill_dependencies(reader *self, piw_text filename, const char *tool, uint32_t *count, piw_text **list)
{
    const PGresult *r = self->rows[DEPENDENCIES];
    int begin = self->at[DEPENDENCIES], end = begin;
    while (end < PQntuples(r) && piw_text_eq(row_text(r, end, 0), filename) && piw_text_is(row_text(r, end, 1), tool))
        end++;
    *count = (uint32_t)(end - begin);
    *list = piw_msg_alloc(self->msg, sizeof(piw_text) * (size_t)(end - begin));
    for (int i = begin; i < end; i++)
        (*list)[i - begin] = row_copy(self->msg, r, i, 2);
    self->at[DEPENDENCIES] = end;
}

/* A number that may not be there. */
static int64_t *number_of(reader *self, int row, int column)
{
    const PGresult *r = self->rows[BUILDS];
    if (row_null(r, row, column))
        return NULL;
    int64_t *number = piw_msg_alloc(self->msg, sizeof(*number));
    *number = row_int(r, row, column);
    return number;
}

static void fill_file(reader *self, int row, project_file *file)
{
    const PGresult *r = self->rows[BUILDS];
    *file = (project_file){
        .filename = row_copy(self->msg, r, row, 6),
        .location = row_copy(self->msg, r, row, 7),
        .filehash = row_copy(self->msg, r, row, 8),
        .filesize = row_int(r, row, 9),
        .builder_abi = row_copy(self->msg, r, row, 3),
        .file_abi = row_copy(self->msg, r, row, 10),
        .platform = row_copy(self->msg, r, row, 11),
        .requires_python = row_copy(self->msg, r, row, 12),
        .metadata_hash = row_copy(self->msg, r, row, 13),
        .uploaded = {.us = row_int(r, row, 14)},
        .recent = number_of(self, row, 16),
        .ever = number_of(self, row, 17),
    };
    fill_dependencies(self, file->filename, "apt", &file->apt_dependencies.count, &file->apt_dependencies.at);
    fill_dependencies(self, file->filename, "pip", &file->pip_dependencies.count, &file->pip_dependencies.at);
}

/* Is the tag among those that `list` has, parted by U+001F? */
static bool has_tag(piw_text list, piw_text tag)
{
    for (const char *at = list.s, *end = list.s + list.len; at != NULL && at < end;) {
        const char *part = memchr(at, '\x1f', (size_t)(end - at));
        size_t len = (size_t)((part != NULL ? part : end) - at);
        if (len == tag.len && memcmp(at, tag.s, len) == 0)
            return true;
        at = part != NULL ? part + 1 : end;
    }
    return false;
}

/* A build that is made for the ABI beats one for another, a newer one an older. */
static void note_build(const reader *self, int row, piw_text abi, outcome *to)
{
    const PGresult *r = self->rows[BUILDS];
    int64_t id = row_int(r, row, 2);
    bool own = piw_text_eq(row_text(r, row, 3), abi);
    if (own && id > to->own) {
        to->own = id;
        to->own_status = row_bool(r, row, 4);
    }
    if (!row_null(r, row, 5) && has_tag(row_text(r, row, 5), abi) &&
        (to->good == 0 || own > to->good_own || (own == to->good_own && id > to->good))) {
        to->good = id;
        to->good_own = own;
    }
}

static const char *status_of(const outcome *came, bool skipped)
{
    if (came->good != 0)
        return "success";
    if (came->own != 0)
        return came->own_status ? "error" : "fail";
    return skipped ? "skip" : "pending";
}

static void fill_abis(const reader *self, int begin, int count, piw_text package_skip, project_release *release)
{
    const PGresult *abis = self->rows[ABIS];
    piw_msg_list(self->msg, &release->abis, PQntuples(abis));
    for (uint32_t i = 0; i < release->abis.count; i++) {
        piw_text abi = row_text(abis, (int)i, 0);
        outcome came = {0};
        for (int row = begin; row < begin + count; row++)
            note_build(self, row, abi, &came);
        bool skipped = package_skip.len > 0 || release->skip.len > 0 || PQgetlength(abis, (int)i, 1) > 0;
        int64_t id = came.good != 0 ? came.good : came.own, *build_id = NULL;
        if (id != 0) {
            build_id = piw_msg_alloc(self->msg, sizeof(*build_id));
            *build_id = id;
        }
        release->abis.at[i].key = row_copy(self->msg, abis, (int)i, 0);
        release->abis.at[i].value =
            (project_abi){.status = piw_text_of(status_of(&came, skipped)), .build_id = build_id};
    }
}

/* Is there a file in this row of BUILDS that pages may show? */
static bool is_shown(const reader *self, int row)
{
    return !row_null(self->rows[BUILDS], row, 6) && !row_bool(self->rows[BUILDS], row, 15);
}

static void fill_builds(reader *self, const project_data *data, project_release *release)
{
    int begin = self->at[BUILDS], count = reader_run(self, BUILDS, data->package, release->version);
    uint32_t files = 0;
    for (int row = begin; row < begin + count; row++)
        files += is_shown(self, row);
    piw_msg_list(self->msg, &release->files, files);
    files = 0;
    for (int row = begin; row < begin + count; row++)
        if (is_shown(self, row))
            fill_file(self, row, &release->files.at[files++]);
    fill_abis(self, begin, count, data->skip, release);
    self->at[BUILDS] = begin + count;
    fill_views(self, data, release);
}

/* Reasons name versions as files do, so that the spelling may be another. */
static piw_text yank_reason(const reader *self, int begin, int end, piw_text version)
{
    const PGresult *r = self->rows[YANKS];
    for (int row = begin; row < end; row++)
        if (piw_version_matches_tag(version, row_text(r, row, 1)))
            return row_copy(self->msg, r, row, 2);
    return (piw_text){0};
}

static void fill_releases(reader *self, project_data *data)
{
    const PGresult *r = self->rows[VERSIONS];
    int begin = self->at[VERSIONS], yanks = self->at[YANKS];
    int yanks_end = yanks + reader_run(self, YANKS, data->package, (piw_text){0});
    piw_msg_list(self->msg, &data->releases, reader_run(self, VERSIONS, data->package, (piw_text){0}));
    for (uint32_t i = 0; i < data->releases.count; i++) {
        project_release *release = &data->releases.at[i];
        int row = begin + (int)i;
        release->version = row_copy(self->msg, r, row, 1);
        release->released.us = row_int(r, row, 2);
        release->yanked = row_bool(r, row, 3);
        release->skip = row_copy(self->msg, r, row, 4);
        if (release->yanked)
            release->yank_reason = yank_reason(self, yanks, yanks_end, release->version);
        fill_builds(self, data, release);
    }
    self->at[VERSIONS] = begin + (int)data->releases.count;
    self->at[YANKS] = yanks_end;
}

/* The package of the next row. */
static void fill_project(reader *self, project_data *data)
{
    const PGresult *r = self->rows[PACKAGES];
    int row = self->at[PACKAGES]++, alias = self->at[ALIASES];
    data->name = row_copy(self->msg, r, row, 1);
    data->description = row_copy(self->msg, r, row, 2);
    data->skip = row_copy(self->msg, r, row, 3);
    data->status = row_copy(self->msg, r, row, 4);
    data->status_reason = row_copy(self->msg, r, row, 5);
    int aliases = reader_run(self, ALIASES, data->package, (piw_text){0});
    piw_msg_list(self->msg, &data->aliases, aliases < 10000 ? aliases : 10000);
    for (uint32_t i = 0; i < data->aliases.count; i++)
        data->aliases.at[i] = row_copy(self->msg, self->rows[ALIASES], alias + (int)i, 1);
    self->at[ALIASES] = alias + aliases;
    fill_releases(self, data);
}

static void clear_data(piw_msg *msg, piw_text package, project_data *data)
{
    *data = (project_data){.package = piw_text_copy(msg, package)};
    data->name = data->description = data->skip = piw_text_of("");
}

static int check_size(const reader *self, piw_err *err)
{
    for (size_t i = 0; i < RESULTS; i++)
        if (self->rows[i] != NULL && PQntuples(self->rows[i]) > (i == DEPENDENCIES ? DEPENDENCIES_MAX : ROWS_MAX))
            return piw_err_set(err, PIW_ELIMIT, "they have too many versions, files or dependencies for a page");
    return 0;
}

/* --- The calls --------------------------------------------------------------------------------------------------- */

/* Which of those that were asked for is the package of the next row? */
static uint32_t place_of(const reader *self, const db_PROJECTS_reply *answer)
{
    piw_text package = row_text(self->rows[PACKAGES], self->at[PACKAGES], 0);
    uint32_t i = 0;
    while (i < answer->projects.count && !piw_text_eq(answer->projects.at[i].package, package))
        i++;
    return i;
}

int read_projects(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PROJECTS *body = db_PROJECTS_of(msg);
    reader self = {0};
    int rc = query(db, body->packages.at, body->packages.count, &self, err);
    if (rc == 0)
        rc = check_size(&self, err);
    if (rc == 0) {
        db_PROJECTS_reply *answer = NULL;
        *reply = self.msg = db_PROJECTS_reply_new(&answer);
        piw_msg_list(self.msg, &answer->projects, body->packages.count);
        for (uint32_t i = 0; i < answer->projects.count; i++) {
            answer->projects.at[i].package = piw_text_copy(self.msg, body->packages.at[i]);
            clear_data(self.msg, body->packages.at[i], &answer->projects.at[i].data);
        }
        project_data *found[PROJECTS_MAX];
        size_t count = 0;
        while (self.at[PACKAGES] < PQntuples(self.rows[PACKAGES]) && count < PROJECTS_MAX) {
            project_found *to = &answer->projects.at[place_of(&self, answer)];
            to->found = true;
            fill_project(&self, &to->data);
            found[count++] = &to->data;
        }
        rc = read_histories(db, self.msg, found, count, err);
    }
    if (rc != 0)
        piw_msg_free(reply);
    reader_fini(&self);
    return rc;
}

/* Of the rows of a result: what pages don't show, behind what is in the list already. `view`: the column of whose store. */
static void add_withheld(reader *self, size_t result, int filename, int filehash, int view, int withheld,
                         const project_data *data, withheld_files *to)
{
    const PGresult *r = self->rows[result];
    for (int row = 0; r != NULL && row < PQntuples(r); row++) {
        if (row_null(r, row, filename) || !row_bool(r, row, withheld))
            continue;
        withheld_files_at *file = &to->at.at[to->at.count++];
        *file = (withheld_files_at){.filename = row_copy(self->msg, r, row, filename),
                                    .filehash = row_copy(self->msg, r, row, filehash),
                                    .hidden = piw_text_is(data->skip, "quarantined")};
        if (view >= 0)
            file->view = row_copy(self->msg, r, row, view);
        for (uint32_t i = 0; i < data->releases.count && !file->hidden; i++)
            file->hidden = piw_text_eq(data->releases.at[i].version, row_text(r, row, 1)) &&
                           piw_text_is(data->releases.at[i].skip, "quarantined");
    }
}

static const withheld_files *find_withheld(reader *self, const project_data *data)
{
    int builds = PQntuples(self->rows[BUILDS]);
    int of_views = self->rows[VIEW_BUILDS] != NULL ? PQntuples(self->rows[VIEW_BUILDS]) : 0;
    withheld_files *found = piw_msg_alloc(self->msg, sizeof(*found));
    piw_msg_list(self->msg, &found->at, builds + of_views);
    found->at.count = 0;
    add_withheld(self, BUILDS, 6, 8, -1, 15, data, found);
    add_withheld(self, VIEW_BUILDS, 5, 6, 2, 14, data, found);
    return found->at.count > 0 ? found : NULL;
}

int read_project(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    piw_text package = db_PROJECT_of(msg)->package;
    reader self = {0};
    int rc = query(db, &package, 1, &self, err);
    if (rc == 0)
        rc = check_size(&self, err);
    if (rc == 0) {
        db_PROJECT_reply *answer = NULL;
        *reply = self.msg = db_PROJECT_reply_new(&answer);
        clear_data(self.msg, package, &answer->data);
        answer->found = PQntuples(self.rows[PACKAGES]) > 0;
        project_data *data = &answer->data;
        if (answer->found) {
            fill_project(&self, data);
            answer->withheld = find_withheld(&self, data);
            rc = read_histories(db, self.msg, &data, 1, err);
        }
    }
    if (rc != 0)
        piw_msg_free(reply);
    reader_fini(&self);
    return rc;
}
