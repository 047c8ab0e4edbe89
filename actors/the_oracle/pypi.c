/* pypi.c — what follows PyPI: events of its log, or its projects as they are. Each is one transaction. */
#include "oracle.h"

static pypi_change row_change(piw_msg *msg, const PGresult *r, int row)
{
    return (pypi_change){row_copy(msg, r, row, 0), row_copy(msg, r, row, 1), row_copy(msg, r, row, 2)};
}

int write_pypi_apply(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PYPI_APPLY *body = db_PYPI_APPLY_of(msg);
    params p = {0};
    int packages = params_packed(&p, PACKED_TEXT), names = params_packed(&p, PACKED_TEXT);
    int versions = params_packed(&p, PACKED_TEXT), times = params_packed(&p, PACKED_TIMESTAMP);
    int actions = params_packed(&p, PACKED_TEXT), serials = params_packed(&p, PACKED_BIGINT);
    for (uint32_t i = 0; i < body->events.count; i++) {
        const pypi_event *event = &body->events.at[i];
        params_add_text(&p, packages, event->package);
        params_add_text(&p, names, event->name);
        params_add_text(&p, versions, event->version);
        params_add_time(&p, times, event->timestamp);
        params_add_text(&p, actions, event->action);
        params_add_int(&p, serials, event->serial);
    }
    params_int(&p, body->serial);
    params_bool(&p, body->development);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT package, version, change FROM piw.apply_pypi_events($1, $2, $3, $4, $5, $6, $7, "
                            "$8)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_PYPI_APPLY_reply *answer = NULL;
    *reply = db_PYPI_APPLY_reply_new(&answer);
    piw_msg_list(*reply, &answer->changes, PQntuples(r));
    for (uint32_t i = 0; i < answer->changes.count; i++)
        answer->changes.at[i] = row_change(*reply, r, (int)i);
    PQclear(r);
    return 0;
}

int write_pypi_projects(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PYPI_PROJECTS *body = db_PYPI_PROJECTS_of(msg);
    params p = {0};
    int packages = params_array(&p), names = params_array(&p), owners = params_array(&p);
    int versions = params_array(&p), times = params_array(&p), sources = params_array(&p), yanks = params_array(&p);
    for (uint32_t i = 0; i < body->projects.count; i++) {
        const pypi_project *project = &body->projects.at[i];
        params_add_text(&p, packages, project->package);
        params_add_text(&p, names, project->name);
        for (uint32_t j = 0; j < project->releases.count; j++) {
            const pypi_release *release = &project->releases.at[j];
            params_add_int(&p, owners, (int64_t)i + 1);
            params_add_text(&p, versions, release->version);
            if (release->timestamp != NULL)
                params_add_time(&p, times, *release->timestamp);
            else
                params_add_text(&p, times, (piw_text){0});
            params_add_bool(&p, sources, release->source);
            params_add_bool(&p, yanks, release->yanked);
        }
    }
    params_int(&p, body->serial);
    params_bool(&p, body->additions_only);
    params_bool(&p, body->development);
    PGresult *r = NULL;
    int rc = database_query(db,
                            "SELECT package, version, change FROM piw.apply_projects($1, $2, $3, $4, $5, $6, $7, $8, "
                            "$9, $10)",
                            &p, &r, err);
    if (rc != 0)
        return rc;
    db_PYPI_PROJECTS_reply *answer = NULL;
    *reply = db_PYPI_PROJECTS_reply_new(&answer);
    piw_msg_list(*reply, &answer->changes, PQntuples(r));
    for (uint32_t i = 0; i < answer->changes.count; i++)
        answer->changes.at[i] = row_change(*reply, r, (int)i);
    PQclear(r);
    return 0;
}

int write_pypi_compare(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PYPI_COMPARE *body = db_PYPI_COMPARE_of(msg);
    params p = {0};
    int names = params_array(&p), serials = params_array(&p);
    for (uint32_t i = 0; i < body->names.count; i++) {
        params_add_text(&p, names, body->names.at[i]);
        params_add_int(&p, serials,
                       body->serials != NULL && i < body->serials->serials.count ? body->serials->serials.at[i] : 0);
    }
    params_text(&p, body->after);
    params_text(&p, body->upto);
    params_int(&p, body->total);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT package, version, change FROM piw.compare_projects($1, $2, $3, $4, $5)", &p, &r,
                            err);
    if (rc != 0)
        return rc;
    db_PYPI_COMPARE_reply *answer = NULL;
    *reply = db_PYPI_COMPARE_reply_new(&answer);
    piw_msg_list(*reply, &answer->changes, PQntuples(r));
    for (uint32_t i = 0; i < answer->changes.count; i++)
        answer->changes.at[i] = row_change(*reply, r, (int)i);
    PQclear(r);
    return 0;
}

int write_pypi_pages(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PYPI_PAGES *body = db_PYPI_PAGES_of(msg);
    params p = {0};
    int gone = params_array(&p), back = params_array(&p);
    for (uint32_t i = 0; i < body->gone.count; i++)
        params_add_text(&p, gone, body->gone.at[i]);
    for (uint32_t i = 0; i < body->back.count; i++)
        params_add_text(&p, back, body->back.at[i]);
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT package, version, change FROM piw.apply_project_pages($1, $2)", &p, &r, err);
    if (rc != 0)
        return rc;
    db_PYPI_PAGES_reply *answer = NULL;
    *reply = db_PYPI_PAGES_reply_new(&answer);
    piw_msg_list(*reply, &answer->changes, PQntuples(r));
    for (uint32_t i = 0; i < answer->changes.count; i++)
        answer->changes.at[i] = row_change(*reply, r, (int)i);
    PQclear(r);
    return 0;
}

static int keep_wheels(database *db, const db_PYPI_FACTS *body, piw_err *err)
{
    params p = {0};
    params_text(&p, body->package);
    int versions = params_array(&p), tags = params_array(&p), pythons = params_array(&p);
    for (uint32_t i = 0; i < body->wheels->wheels.count; i++) {
        const pypi_wheel *wheel = &body->wheels->wheels.at[i];
        params_add_text(&p, versions, wheel->version);
        params_add_text(&p, tags, wheel->tags);
        if (wheel->pythons != NULL)
            params_add_int(&p, pythons, *wheel->pythons);
        else
            params_add_text(&p, pythons, (piw_text){0});
    }
    params_int(&p, body->age_ms != NULL ? *body->age_ms : 0);
    return database_query(db, "SELECT piw.keep_pypi_wheels($1, $2, $3, $4, $5)", &p, NULL, err);
}

int write_pypi_facts(database *db, const piw_msg *msg, piw_msg **reply, piw_err *err)
{
    const db_PYPI_FACTS *body = db_PYPI_FACTS_of(msg);
    params p = {0};
    params_text(&p, body->package);
    params_text(&p, body->status);
    params_text(&p, body->reason);
    int versions = params_array(&p), reasons = params_array(&p);
    for (uint32_t i = 0; i < body->yanks.count; i++) {
        params_add_text(&p, versions, body->yanks.at[i].version);
        params_add_text(&p, reasons, body->yanks.at[i].reason);
    }
    PGresult *r = NULL;
    int rc = database_query(db, "SELECT piw.keep_facts($1, $2, $3, $4, $5)", &p, &r, err);
    if (rc != 0)
        return rc;
    bool changed = row_bool(r, 0, 0);
    PQclear(r);
    if (body->wheels != NULL)
        rc = keep_wheels(db, body, err);
    if (rc == 0)
        *reply = db_PYPI_FACTS_reply_make(body->package, changed);
    return rc;
}
