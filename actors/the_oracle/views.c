/* views.c — views: which ones the configuration has, for the database's functions (schema/views.sql), and what an operator asks
 * of them. */
#include "oracle.h"

#include "shared/text.h"
#include "shared/views.h"

#include <stdio.h>
#include <stdlib.h>

static void add_words(params *p, int array, const piw_view_words *words)
{
    size_t size = 1;
    for (size_t i = 0; i < words->count; i++)
        size += strlen(words->at[i]) + 1;
    char *joined = piw_zalloc(size), *to = joined;
    for (size_t i = 0; i < words->count; i++)
        to += sprintf(to, "%s%s", i > 0 ? " " : "", words->at[i]);
    params_add_text(p, array, piw_text_of(joined));
    free(joined);
}

static void put_views(params *p, const piw_views *views)
{
    int names = params_array(p), abis = params_array(p), platforms = params_array(p), libraries = params_array(p);
    int commons = params_array(p), skips = params_array(p), stables = params_array(p), newest = params_array(p);
    int popular = params_array(p), pures = params_array(p), os_names = params_array(p), os_versions = params_array(p);
    int machines = params_array(p);
    for (size_t i = 0; i < views->count; i++) {
        const piw_farm_view *view = &views->at[i];
        params_add_text(p, names, piw_text_of(view->name));
        params_add_text(p, abis, piw_text_of(view->abi));
        add_words(p, platforms, &view->platforms);
        add_words(p, libraries, &view->libraries);
        params_add_bool(p, commons, view->common);
        params_add_bool(p, skips, view->skip_pypi_wheels);
        params_add_bool(p, stables, view->stable_only);
        params_add_int(p, newest, view->newest);
        params_add_int(p, popular, view->popular);
        params_add_bool(p, pures, view->pure_from_pypi);
        add_words(p, os_names, &view->os_names);
        params_add_text(p, os_versions, piw_text_of(view->os_version));
        add_words(p, machines, &view->machines);
    }
}

static int has_views(database *db, bool *any, piw_err *err)
{
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT EXISTS (SELECT FROM piw.views)", NULL, &r, err);
    *any = rc == 0 && row_bool(r, 0, 0);
    PQclear(r);
    return rc;
}

int views_tell(oracle *self, piw_err *err)
{
    if (piw_task_instance(self->task) != INSTANCE_WRITE)
        return 0;
    /* Most farms have none, and the function's first call in a session takes as long as its connection. */
    bool any = self->db.views;
    int rc = any ? 0 : has_views(&self->db, &any, err);
    if (rc != 0 || !any)
        return rc;
    piw_views views;
    rc = piw_views_of_task(&views, self->task, err);
    if (rc != 0)
        return PIW_EREFUSED;
    params p = {0};
    put_views(&p, &views);
    piw_views_fini(&views);
    rc = database_query(&self->db, "SELECT piw.set_views($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", &p,
                        NULL, err);
    return rc == PIW_EDB ? PIW_EREFUSED : rc;
}

int read_view_list(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    (void)msg;
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT view, abi_tag, left(platforms, 10000), common, configured, pending, builds, files, "
                            "unread, held "
                            "FROM piw.list_views() LIMIT 1000",
                            NULL, &r, err);
    if (rc != 0)
        return rc;
    db_VIEW_LIST_reply *answer = NULL;
    *reply = db_VIEW_LIST_reply_new(&answer);
    piw_msg_list(*reply, &answer->views, PQntuples(r));
    for (uint32_t i = 0; i < answer->views.count; i++) {
        int row = (int)i;
        int64_t *unread = piw_msg_alloc(*reply, sizeof(*unread));
        bool *held = piw_msg_alloc(*reply, sizeof(*held));
        *unread = row_int(r, row, 8);
        *held = row_bool(r, row, 9);
        answer->views.at[i] = (view_row){.view = row_copy(*reply, r, row, 0),
                                         .abi_tag = row_copy(*reply, r, row, 1),
                                         .platforms = row_copy(*reply, r, row, 2),
                                         .common = row_bool(r, row, 3),
                                         .configured = row_bool(r, row, 4),
                                         .pending = row_int(r, row, 5),
                                         .builds = row_int(r, row, 6),
                                         .files = row_int(r, row, 7),
                                         .unread = unread,
                                         .held = held};
    }
    PQclear(r);
    return 0;
}

int write_view_change(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_VIEW_CHANGE *body = db_VIEW_CHANGE_of(msg);
    params p = {0};
    params_text(&p, body->view);
    PGresult *r = NULL;
    int rc = database_query(db,
                            piw_text_is(body->action, "drop") ? "SELECT outcome, builds FROM piw.drop_view($1)"
                                                              : "SELECT outcome, builds FROM piw.fill_view($1)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_VIEW_CHANGE_reply *answer = NULL;
    *reply = db_VIEW_CHANGE_reply_new(&answer);
    answer->view = piw_text_copy(*reply, body->view);
    answer->outcome = row_copy(*reply, r, 0, 0);
    answer->builds = row_int(r, 0, 1);
    PQclear(r);
    return 0;
}
