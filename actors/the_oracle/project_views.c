/* project_views.c — what views have of a package's releases, for its pages: files in their own stores, and which of other stores run
 * on their machines (schema/views.sql). */
#include "project.h"

#include "shared/text.h"

const statement view_statements[RESULTS - VIEWS] = {
    [0] = {"project_views", "SELECT view, abi_tag, common, ruled FROM piw.view_list() LIMIT 100"},
    [VIEW_BUILDS -
        VIEWS] = {"project_view_builds",
                  "SELECT b.package, b.version, b.view, b.build_id, b.status, f.filename, f.filehash, f.filesize, "
                  "coalesce(o.abi_tag, ''), f.abi_tag, f.platform_tag, f.requires_python, f.metadata_hash, "
                  "(extract(epoch FROM f.uploaded) * 1000000)::bigint, w.filename IS NOT NULL, d.apt, d.pip "
                  "FROM piw.view_builds b LEFT JOIN piw.view_files f ON f.build_id = b.build_id "
                  "LEFT JOIN piw.views o ON o.view = b.view "
                  "LEFT JOIN piw.view_withheld w ON w.view = f.view AND w.filename = f.filename "
                  "LEFT JOIN LATERAL (SELECT string_agg(d.dependency, chr(31) ORDER BY d.dependency) "
                  "FILTER (WHERE d.tool = 'apt' AND NOT EXISTS (SELECT FROM preinstalled_apt_packages i "
                  "WHERE i.abi_tag = o.abi_tag AND i.apt_package = d.dependency)) AS apt, "
                  "string_agg(d.dependency, chr(31) ORDER BY d.dependency) FILTER (WHERE d.tool = 'pip') AS pip "
                  "FROM piw.view_dependencies d WHERE d.view = f.view AND d.filename = f.filename) d ON true "
                  "WHERE b.package = ANY ($1) ORDER BY b.package, b.version, o.place, b.view, f.filename, b.build_id "
                  "LIMIT 200001"},
    [VIEW_LINKS - VIEWS] = {"project_view_links", "SELECT package, version, view, home, filename "
                                                  "FROM piw.view_links($1) LIMIT 200001"},
    [VIEW_QUEUE - VIEWS] = {"project_view_queue", "SELECT q.package, q.version, q.abi_tag FROM piw.queue q "
                                                  "WHERE q.package = ANY ($1) AND q.abi_tag IN (SELECT v.view FROM "
                                                  "piw.views v) ORDER BY q.package, q.version LIMIT 200001"},
};

static void fill_file(const reader *self, int row, view_file *to)
{
    const PGresult *r = self->rows[VIEW_BUILDS];
    to->view = row_copy(self->msg, r, row, 2);
    to->file = (project_file){
        .filename = row_copy(self->msg, r, row, 5),
        .location = piw_msg_printf(self->msg, "/%s/simple", to->view.s),
        .filehash = row_copy(self->msg, r, row, 6),
        .filesize = row_int(r, row, 7),
        .builder_abi = row_copy(self->msg, r, row, 8),
        .file_abi = row_copy(self->msg, r, row, 9),
        .platform = row_copy(self->msg, r, row, 10),
        .requires_python = row_copy(self->msg, r, row, 11),
        .metadata_hash = row_copy(self->msg, r, row, 12),
        .uploaded = {.us = row_int(r, row, 13)},
    };
    row_split(self->msg, r, row, 15, &to->file.apt_dependencies.count, &to->file.apt_dependencies.at);
    row_split(self->msg, r, row, 16, &to->file.pip_dependencies.count, &to->file.pip_dependencies.at);
}

/* Is there a file in this row that pages may show? */
static bool is_shown(const reader *self, int row)
{
    return !row_null(self->rows[VIEW_BUILDS], row, 5) && !row_bool(self->rows[VIEW_BUILDS], row, 14);
}

static void fill_files(reader *self, int count, release_views *to)
{
    int begin = self->at[VIEW_BUILDS];
    uint32_t files = 0;
    for (int row = begin; row < begin + count; row++)
        files += is_shown(self, row);
    piw_msg_list(self->msg, &to->files, files);
    files = 0;
    for (int row = begin; row < begin + count; row++)
        if (is_shown(self, row))
            fill_file(self, row, &to->files.at[files++]);
}

static void fill_links(reader *self, int count, release_views *to)
{
    const PGresult *r = self->rows[VIEW_LINKS];
    piw_msg_list(self->msg, &to->links, count);
    for (uint32_t i = 0; i < to->links.count; i++) {
        int row = self->at[VIEW_LINKS] + (int)i;
        to->links.at[i] =
            (view_link){row_copy(self->msg, r, row, 2), row_copy(self->msg, r, row, 3), row_copy(self->msg, r, row, 4)};
    }
}

/* --- What came of the release for each view --- */

static bool lists_any(const release_views *views, piw_text view)
{
    for (uint32_t i = 0; i < views->files.count; i++)
        if (piw_text_eq(views->files.at[i].view, view))
            return true;
    for (uint32_t i = 0; i < views->links.count; i++)
        if (piw_text_eq(views->links.at[i].view, view))
            return true;
    return false;
}

/* The newest build that was made for the view, or -1. */
static int newest_row(const reader *self, int builds, piw_text view)
{
    const PGresult *r = self->rows[VIEW_BUILDS];
    int found = -1;
    for (int row = self->at[VIEW_BUILDS]; row < self->at[VIEW_BUILDS] + builds; row++)
        if (piw_text_eq(row_text(r, row, 2), view) && (found < 0 || row_int(r, row, 3) > row_int(r, found, 3)))
            found = row;
    return found;
}

static bool is_queued(const reader *self, int queued, piw_text view)
{
    for (int row = self->at[VIEW_QUEUE]; row < self->at[VIEW_QUEUE] + queued; row++)
        if (piw_text_eq(row_text(self->rows[VIEW_QUEUE], row, 2), view))
            return true;
    return false;
}

static const project_abi *find_abi(const project_release *release, piw_text abi)
{
    for (uint32_t i = 0; i < release->abis.count; i++)
        if (piw_text_eq(release->abis.at[i].key, abi))
            return &release->abis.at[i].value;
    return NULL;
}

static project_abi state_of(const reader *self, int place, int builds, int queued, const project_data *data,
                            const project_release *release)
{
    const PGresult *views = self->rows[VIEWS];
    piw_text view = row_text(views, place, 0);
    const project_abi *common = row_bool(views, place, 2) ? find_abi(release, row_text(views, place, 1)) : NULL;
    int row = newest_row(self, builds, view);
    project_abi state = {.status = piw_text_of("pending")};
    if (row >= 0) {
        int64_t *id = piw_msg_alloc(self->msg, sizeof(*id));
        *id = row_int(self->rows[VIEW_BUILDS], row, 3);
        state.build_id = id;
    }
    if (common != NULL)
        state = *common;
    if (lists_any(release->views, view))
        state.status = piw_text_of("success");
    else if (row >= 0)
        state.status = piw_text_of(row_bool(self->rows[VIEW_BUILDS], row, 4) ? "error" : "fail");
    else if (common == NULL && !is_queued(self, queued, view) &&
             (release->skip.len > 0 || data->skip.len > 0 || row_bool(views, place, 3)))
        state.status = piw_text_of("skip");
    return state;
}

void fill_views(reader *self, const project_data *data, project_release *release)
{
    if (self->rows[VIEWS] == NULL)
        return;
    release_views *to = piw_msg_alloc(self->msg, sizeof(*to));
    *to = (release_views){.files = {0}};
    int builds = reader_run(self, VIEW_BUILDS, data->package, release->version),
        links = reader_run(self, VIEW_LINKS, data->package, release->version),
        queued = reader_run(self, VIEW_QUEUE, data->package, release->version);
    fill_files(self, builds, to);
    fill_links(self, links, to);
    release->views = to;
    piw_msg_list(self->msg, &to->states, PQntuples(self->rows[VIEWS]));
    for (uint32_t i = 0; i < to->states.count; i++) {
        to->states.at[i].key = row_copy(self->msg, self->rows[VIEWS], (int)i, 0);
        to->states.at[i].value = state_of(self, (int)i, builds, queued, data, release);
    }
    self->at[VIEW_BUILDS] += builds;
    self->at[VIEW_LINKS] += links;
    self->at[VIEW_QUEUE] += queued;
}
