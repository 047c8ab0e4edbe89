/* project.c — all that the pages of one package show, of one moment: five short statements under one snapshot.
 *
 * Versions, files and dependencies come in the same order, so that one pass over each puts them together. */
#include "oracle.h"
#include "shared/text.h"

enum {
    FILES_MAX = 200000, /* of a package; more would burst the answer's arena */
    DEPENDENCIES_MAX = 1000000,
};

typedef struct project_rows {
    PGresult *package, *aliases, *versions, *abis, *files, *dependencies;
} project_rows;

static void rows_fini(project_rows *rows)
{
    PGresult *const all[] = {rows->package, rows->aliases, rows->versions, rows->abis, rows->files, rows->dependencies};
    for (size_t i = 0; i < PIW_COUNT(all); i++)
        PQclear(all[i]);
}

static int query_rows(database *db, piw_text package, project_rows *rows, piw_err *err)
{
    const struct {
        PGresult **result;
        const char *sql;
    } queries[] = {
        {&rows->package, "SELECT coalesce((SELECT n.name FROM package_names n WHERE n.package = p.package "
                         "ORDER BY n.seen DESC, n.name LIMIT 1), p.package), p.description, p.skip "
                         "FROM packages p WHERE p.package = $1"},
        {&rows->aliases,
         "SELECT name FROM package_names WHERE package = $1 AND name <> package ORDER BY name LIMIT 10000"},
        {&rows->versions,
         "SELECT version, (extract(epoch FROM released) * 1000000)::bigint, yanked, skip FROM versions "
         "WHERE package = $1 ORDER BY version LIMIT 100000"},
        {&rows->abis, "SELECT version, abi_tag, status, build_id FROM piw.project_abis($1)"},
        {&rows->files,
         "SELECT b.version, f.filename, f.location, f.filehash, f.filesize, b.abi_tag, f.abi_tag, f.platform_tag, "
         "f.requires_python, o.metadata_hash, "
         "(extract(epoch FROM coalesce(o.uploaded, b.built_at)) * 1000000)::bigint FROM builds b JOIN files f "
         "ON f.build_id = b.build_id LEFT JOIN piw.file_facts o ON o.filename = f.filename WHERE b.package = $1 "
         "AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = f.filename) "
         "ORDER BY b.version, f.filename LIMIT 200001"},
        {&rows->dependencies,
         "SELECT f.filename, d.tool, d.dependency FROM builds b JOIN files f ON f.build_id = b.build_id "
         "JOIN dependencies d ON d.filename = f.filename WHERE b.package = $1 "
         "AND NOT EXISTS (SELECT FROM piw.withheld w WHERE w.filename = f.filename) AND (d.tool = 'pip' OR d.tool = "
         "'apt' "
         "AND "
         "NOT EXISTS (SELECT FROM preinstalled_apt_packages i WHERE i.abi_tag = b.abi_tag AND i.apt_package = "
         "d.dependency)) ORDER BY b.version, f.filename, d.tool, d.dependency LIMIT 1000001"},
    };
    int rc = database_run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);
    for (size_t i = 0; rc == 0 && i < PIW_COUNT(queries); i++) {
        params p = {0};
        params_text(&p, package);
        rc = database_query(db, queries[i].sql, &p, queries[i].result, err);
        /* Nothing else to ask about a package that isn't there. */
        if (rc == 0 && i == 0 && PQntuples(rows->package) == 0)
            break;
    }
    piw_err ignored_err = {0};
    if (PQstatus(db->conn) == CONNECTION_OK && database_run(db, "ROLLBACK", &ignored_err) != 0)
        database_close(db);
    return rc;
}

/* Fill one list with the rows from `begin` on that have this file name and tool; returns the first row behind. */
static int fill_dependencies(piw_msg *msg, const PGresult *r, int begin, piw_text filename, const char *tool,
                             uint32_t *count, piw_text **at)
{
    int end = begin;
    while (end < PQntuples(r) && piw_text_eq(row_text(r, end, 0), filename) && piw_text_is(row_text(r, end, 1), tool))
        end++;
    *count = (uint32_t)(end - begin);
    *at = piw_msg_alloc(msg, sizeof(piw_text) * (size_t)(end - begin));
    for (int i = begin; i < end; i++)
        (*at)[i - begin] = row_copy(msg, r, i, 2);
    return end;
}

static void fill_file(piw_msg *msg, const project_rows *rows, int row, int *dependency, project_file *file)
{
    const PGresult *r = rows->files;
    *file = (project_file){
        .filename = row_copy(msg, r, row, 1),
        .location = row_copy(msg, r, row, 2),
        .filehash = row_copy(msg, r, row, 3),
        .filesize = row_int(r, row, 4),
        .builder_abi = row_copy(msg, r, row, 5),
        .file_abi = row_copy(msg, r, row, 6),
        .platform = row_copy(msg, r, row, 7),
        .requires_python = row_copy(msg, r, row, 8),
        .metadata_hash = row_copy(msg, r, row, 9),
        .uploaded = {.us = row_int(r, row, 10)},
    };
    *dependency = fill_dependencies(msg, rows->dependencies, *dependency, file->filename, "apt",
                                    &file->apt_dependencies.count, &file->apt_dependencies.at);
    *dependency = fill_dependencies(msg, rows->dependencies, *dependency, file->filename, "pip",
                                    &file->pip_dependencies.count, &file->pip_dependencies.at);
}

/* How many rows from `begin` on have this version in their first column. */
static int run_length(const PGresult *r, int begin, piw_text version)
{
    int end = begin;
    while (end < PQntuples(r) && piw_text_eq(row_text(r, end, 0), version))
        end++;
    return end - begin;
}

static void fill_abis(piw_msg *msg, const PGresult *r, int begin, int count, project_release *release)
{
    piw_msg_list(msg, &release->abis, count);
    for (int i = 0; i < count; i++) {
        release->abis.at[i].key = row_copy(msg, r, begin + i, 1);
        release->abis.at[i].value.status = row_copy(msg, r, begin + i, 2);
        if (row_null(r, begin + i, 3))
            continue;
        int64_t *id = piw_msg_alloc(msg, sizeof(*id));
        *id = row_int(r, begin + i, 3);
        release->abis.at[i].value.build_id = id;
    }
}

static void fill_releases(piw_msg *msg, const project_rows *rows, project_data *data)
{
    int file = 0, dependency = 0, abi = 0;
    piw_msg_list(msg, &data->releases, PQntuples(rows->versions));
    for (uint32_t i = 0; i < data->releases.count; i++) {
        project_release *release = &data->releases.at[i];
        release->version = row_copy(msg, rows->versions, (int)i, 0);
        release->released.us = row_int(rows->versions, (int)i, 1);
        release->yanked = row_bool(rows->versions, (int)i, 2);
        release->skip = row_copy(msg, rows->versions, (int)i, 3);
        int count = run_length(rows->files, file, release->version);
        piw_msg_list(msg, &release->files, count);
        for (int k = 0; k < count; k++)
            fill_file(msg, rows, file++, &dependency, &release->files.at[k]);
        count = run_length(rows->abis, abi, release->version);
        fill_abis(msg, rows->abis, abi, count, release);
        abi += count;
    }
}

int read_project(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    piw_text package = db_PROJECT_of(msg)->package;
    project_rows rows = {0};
    int rc = query_rows(db, package, &rows, err);
    if (rc == 0 && PQntuples(rows.package) > 0 &&
        (PQntuples(rows.files) > FILES_MAX || PQntuples(rows.dependencies) > DEPENDENCIES_MAX))
        rc = piw_err_set(err, PIW_ELIMIT, "package %.*s has too many files for a page", (int)package.len, package.s);
    if (rc == 0) {
        db_PROJECT_reply *answer = NULL;
        *reply = db_PROJECT_reply_new(&answer);
        project_data *data = &answer->data;
        data->package = piw_text_copy(*reply, package);
        data->name = data->description = data->skip = piw_text_of("");
        answer->found = PQntuples(rows.package) > 0;
        if (answer->found) {
            data->name = row_copy(*reply, rows.package, 0, 0);
            data->description = row_copy(*reply, rows.package, 0, 1);
            data->skip = row_copy(*reply, rows.package, 0, 2);
            piw_msg_list(*reply, &data->aliases, PQntuples(rows.aliases));
            for (uint32_t i = 0; i < data->aliases.count; i++)
                data->aliases.at[i] = row_copy(*reply, rows.aliases, (int)i, 0);
            fill_releases(*reply, &rows, data);
            rc = read_histories(db, *reply, &data, 1, err);
        }
    }
    if (rc != 0)
        piw_msg_free(reply);
    rows_fini(&rows);
    return rc;
}
