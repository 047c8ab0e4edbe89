/* batch.c — writes of which many are stored in one statement.
 *
 * A group is stored in rounds, and in a round kind after kind. What one slave did stays in its order: a request goes to
 * the round in which its slave's last one was, if its kind comes later there, else to the next. The statements of a group
 * are sent one after the other without waiting, then their answers are taken. */
#include "oracle.h"

#include "shared/text.h"
#include "shared/wheel_name.h"

typedef enum { KIND_DESCRIBE, KIND_FAILURE, KIND_LOGBUILD, KIND_ATTEMPT_END, KIND_ATTEMPT, KIND_WEB_LOG, KINDS } kind;

static int kind_of(const piw_msg *msg)
{
    switch (piw_msg_type_of(msg)->index) {
    case DB_DESCRIBE:
        return KIND_DESCRIBE;
    case DB_LOGBUILD:
        return db_LOGBUILD_of(msg)->status || db_LOGBUILD_of(msg)->files.count > 0 ? KIND_LOGBUILD : KIND_FAILURE;
    case DB_ATTEMPT_END:
        return KIND_ATTEMPT_END;
    case DB_ATTEMPT:
        return KIND_ATTEMPT;
    default:
        return web_log_kind_of(msg) != NULL ? KIND_WEB_LOG : -1;
    }
}

bool batch_takes(const piw_msg *msg)
{
    return kind_of(msg) >= 0;
}

bool batch_can_wait(const piw_msg *msg)
{
    return kind_of(msg) == KIND_ATTEMPT || kind_of(msg) == KIND_ATTEMPT_END;
}

static int64_t slave_of(const piw_msg *msg)
{
    switch (kind_of(msg)) {
    case KIND_FAILURE:
    case KIND_LOGBUILD:
        return db_LOGBUILD_of(msg)->slave_id;
    case KIND_ATTEMPT_END:
        return db_ATTEMPT_END_of(msg)->slave_id;
    case KIND_ATTEMPT:
        return db_ATTEMPT_of(msg)->slave_id;
    default:
        return -1;
    }
}

/* --- One kind of one round: `entries` are of it ----------------------------------------------------------------- */

static void put_descriptions(params *p, entry *const *entries, uint32_t count)
{
    int packages = params_array(p), texts = params_array(p);
    for (uint32_t i = 0; i < count; i++) {
        const db_DESCRIBE *body = db_DESCRIBE_of(entries[i]->msg);
        params_add_text(p, packages, body->package);
        params_add_text(p, texts, body->description);
    }
}

static void put_attempts(params *p, entry *const *entries, uint32_t count)
{
    int slaves = params_array(p), packages = params_array(p), versions = params_array(p), abis = params_array(p);
    int addresses = params_array(p);
    for (uint32_t i = 0; i < count; i++) {
        const db_ATTEMPT *body = db_ATTEMPT_of(entries[i]->msg);
        params_add_int(p, slaves, body->slave_id);
        params_add_text(p, packages, body->package);
        params_add_text(p, versions, body->version);
        params_add_text(p, abis, body->abi_tag);
        params_add_text(p, addresses, body->address);
    }
}

static void put_attempt_ends(params *p, entry *const *entries, uint32_t count)
{
    int slaves = params_array(p), packages = params_array(p), versions = params_array(p), abis = params_array(p);
    int causes = params_array(p);
    for (uint32_t i = 0; i < count; i++) {
        const db_ATTEMPT_END *body = db_ATTEMPT_END_of(entries[i]->msg);
        params_add_int(p, slaves, body->slave_id);
        params_add_text(p, packages, body->package);
        params_add_text(p, versions, body->version);
        params_add_text(p, abis, body->abi_tag);
        params_add_text(p, causes, body->cause);
    }
}

/* Where a build's slave was, if its attempt is stored with it; else NULL. */
static piw_text begun_at(const entry *build)
{
    if (build->attempt == NULL)
        return (piw_text){0};
    piw_text address = db_ATTEMPT_of(build->attempt->msg)->address;
    return address.s != NULL ? address : piw_text_of("");
}

/* Failed builds: numbers, slaves, packages, versions, ABIs, durations, addresses. */
static void put_failures(params *p, entry *const *entries, uint32_t count)
{
    int ids = params_array(p), slaves = params_array(p), packages = params_array(p), versions = params_array(p);
    int abis = params_array(p), durations = params_array(p), addresses = params_array(p);
    for (uint32_t i = 0; i < count; i++) {
        const build_row *body = db_LOGBUILD_of(entries[i]->msg);
        params_add_int(p, ids, body->build_id);
        params_add_int(p, slaves, body->slave_id);
        params_add_text(p, packages, body->package);
        params_add_text(p, versions, body->version);
        params_add_text(p, abis, body->abi_tag);
        params_add_int(p, durations, piw_duration_us(body->duration));
        params_add_text(p, addresses, begun_at(entries[i]));
    }
}

/* The parameters of piw.record_builds, in its order: of builds, then of files, then of dependencies. */
typedef struct build_params {
    params *p;
    int id, slave, package, version, abi, status, duration, address;
    int of_build, filename, size, hash, package_tag, version_tag, py_tag, file_abi, platform, requires, location,
        metadata;
    int of_file, tool, dependency, needs, queue;
    int64_t builds, files; /* how many there are: positions in SQL count from 1 */
} build_params;

static void begin_builds(build_params *b, params *p)
{
    int *const arrays[] = {&b->id,       &b->slave,       &b->package,     &b->version,  &b->abi,
                           &b->status,   &b->duration,    &b->of_build,    &b->filename, &b->size,
                           &b->hash,     &b->package_tag, &b->version_tag, &b->py_tag,   &b->file_abi,
                           &b->platform, &b->requires,    &b->location,    &b->metadata, &b->of_file,
                           &b->tool,     &b->dependency,  &b->needs,       &b->queue,    &b->address};
    *b = (build_params){.p = p};
    for (size_t i = 0; i < PIW_COUNT(arrays); i++)
        *arrays[i] = params_array(p);
}

static void add_file(build_params *b, const file_state *state, piw_text metadata_hash, const wheel_needs *needs)
{
    params *p = b->p;
    add_needs(p, b->needs, needs);
    params_add_int(p, b->of_build, b->builds);
    params_add_text(p, b->filename, state->filename);
    params_add_int(p, b->size, state->filesize);
    params_add_text(p, b->hash, state->filehash);
    params_add_text(p, b->package_tag, state->package_tag);
    params_add_text(p, b->version_tag, state->package_version_tag);
    params_add_text(p, b->py_tag, state->py_version_tag);
    params_add_text(p, b->file_abi, state->abi_tag);
    params_add_text(p, b->platform, state->platform_tag);
    params_add_text(p, b->requires, state->requires_python);
    params_add_text(p, b->location, state->location);
    params_add_text(p, b->metadata, metadata_hash);
    b->files++;
    for (uint32_t i = 0; i < state->dependencies.count; i++)
        for (uint32_t j = 0; j < state->dependencies.at[i].value.count; j++) {
            params_add_int(p, b->of_file, b->files);
            params_add_text(p, b->tool, state->dependencies.at[i].key);
            params_add_text(p, b->dependency, state->dependencies.at[i].value.at[j]);
        }
}

/* The name under which a linux_armv7l wheel is listed for linux_armv6l, unless the build has a wheel of that name. */
static bool has_armv6l(const build_row *body, const built_file *file, char name[PIW_FILENAME_MAX + 1])
{
    if (!file->armv6_too || !piw_wheel_name_armv6l(file->state.filename, name))
        return false;
    for (uint32_t i = 0; i < body->files.count; i++)
        if (piw_text_is(body->files.at[i].state.filename, name))
            return false;
    return true;
}

static void add_armv6l(build_params *b, const build_row *body, const built_file *file)
{
    char name[PIW_FILENAME_MAX + 1];
    if (!has_armv6l(body, file, name))
        return;
    file_state twin = file->state;
    twin.filename = piw_text_of(name);
    twin.platform_tag = piw_text_of("linux_armv6l");
    add_file(b, &twin, file->metadata_hash, file->needs);
}

static void add_build(build_params *b, const entry *build)
{
    const build_row *body = db_LOGBUILD_of(build->msg);
    params_add_int(b->p, b->id, body->build_id);
    params_add_int(b->p, b->slave, body->slave_id);
    params_add_text(b->p, b->package, body->package);
    params_add_text(b->p, b->version, body->version);
    params_add_text(b->p, b->abi, body->abi_tag);
    params_add_text(b->p, b->queue, body->queue);
    params_add_bool(b->p, b->status, body->status);
    params_add_int(b->p, b->duration, piw_duration_us(body->duration));
    params_add_text(b->p, b->address, begun_at(build));
    b->builds++;
    for (uint32_t i = 0; i < body->files.count; i++) {
        add_file(b, &body->files.at[i].state, body->files.at[i].metadata_hash, body->files.at[i].needs);
        add_armv6l(b, body, &body->files.at[i]);
    }
}

/* A row for each, in their order: position, recorded, why, kept. */
static int build_replies(const PGresult *r, entry *const *entries, uint32_t count, piw_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (PQntuples(r) <= (int)i || row_int(r, (int)i, 0) != i + 1)
            return piw_err_set(err, PIW_EDB, "the database gave no answer for build %lld",
                               (long long)db_LOGBUILD_of(entries[i]->msg)->build_id);
        db_LOGBUILD_reply *body = NULL;
        piw_msg *reply = db_LOGBUILD_reply_new(&body);
        body->recorded = row_bool(r, (int)i, 1);
        body->why = row_copy(reply, r, (int)i, 2);
        row_split(reply, r, (int)i, 3, &body->kept.count, &body->kept.at);
        entries[i]->reply = reply;
    }
    return 0;
}

static void put_builds(params *p, entry *const *entries, uint32_t count)
{
    build_params b;
    begin_builds(&b, p);
    for (uint32_t i = 0; i < count; i++)
        add_build(&b, entries[i]);
}

static void put_web_log(params *p, entry *const *entries, uint32_t count)
{
    (void)count;
    web_log_kind_of(entries[0]->msg)->put(p, entries[0]->msg);
}

static int web_log_reply(const PGresult *r, entry *const *entries, uint32_t count, piw_err *err)
{
    (void)r;
    (void)count;
    (void)err;
    entries[0]->reply = web_log_kind_of(entries[0]->msg)->reply();
    return 0;
}

static const struct {
    statement statement; /* of web logs: each has its own */
    void (*put)(params *p, entry *const *entries, uint32_t count);
    int (*replies)(const PGresult *r, entry *const *entries, uint32_t count, piw_err *err); /* NULL: casts */
    uint32_t most;                                                                          /* entries a statement */
} kinds[KINDS] = {
    [KIND_DESCRIBE] = {{"describe", "SELECT piw.describe($1, $2)"}, put_descriptions, NULL, GROUP_MAX},
    [KIND_FAILURE] = {{"record_failures",
                       "SELECT r.ord, r.recorded, r.why, '' FROM piw.record_failures($1, $2, $3, $4, $5, $6, $7) r"},
                      put_failures,
                      build_replies,
                      GROUP_MAX},
    [KIND_LOGBUILD] = {{"record_builds",
                        "SELECT r.ord, r.recorded, r.why, array_to_string(r.kept, chr(31)) FROM piw.record_builds($1, "
                        "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, "
                        "$22, $23, $24, $25) r"},
                       put_builds,
                       build_replies,
                       GROUP_MAX},
    [KIND_ATTEMPT_END] = {{"end_attempts", "SELECT piw.end_attempts($1, $2, $3, $4, $5)"},
                          put_attempt_ends,
                          NULL,
                          GROUP_MAX},
    [KIND_ATTEMPT] = {{"begin_attempts", "SELECT piw.begin_attempts($1, $2, $3, $4, $5)"},
                      put_attempts,
                      NULL,
                      GROUP_MAX},
    [KIND_WEB_LOG] = {{0}, put_web_log, web_log_reply, 1},
};

/* --- Rounds ------------------------------------------------------------------------------------------------------ */

typedef struct place {
    uint32_t round;
    int kind;
} place;

enum { STORED_WITH_ITS_BUILD = KINDS };

/* Is this the attempt that the build ends? */
static bool is_its_attempt(const entry *attempt, const entry *build)
{
    if (kind_of(attempt->msg) != KIND_ATTEMPT || piw_msg_type_of(build->msg)->index != DB_LOGBUILD)
        return false;
    const db_ATTEMPT *begun = db_ATTEMPT_of(attempt->msg);
    const build_row *body = db_LOGBUILD_of(build->msg);
    return piw_text_eq(begun->package, body->package) && piw_text_eq(begun->version, body->version) &&
           piw_text_eq(begun->abi_tag, body->queue.s != NULL ? body->queue : body->abi_tag);
}

/* Where each entry is stored; returns how many rounds there are. Groups are small: a look back over all is cheap. */
static uint32_t place_all(entry *const *entries, uint32_t count, place *places)
{
    uint32_t rounds = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t slave = slave_of(entries[i]->msg);
        places[i] = (place){0, kind_of(entries[i]->msg)};
        entries[i]->attempt = NULL;
        for (uint32_t j = i; slave >= 0 && j-- > 0;) {
            if (slave_of(entries[j]->msg) != slave || places[j].kind == STORED_WITH_ITS_BUILD)
                continue;
            if (is_its_attempt(entries[j], entries[i])) {
                entries[i]->attempt = entries[j];
                places[j].kind = STORED_WITH_ITS_BUILD;
                continue;
            }
            /* Two builds that one slave begins can't stand in one statement: the second ends the first. */
            bool later =
                places[i].kind < places[j].kind || (places[i].kind == places[j].kind && places[i].kind == KIND_ATTEMPT);
            places[i].round = places[j].round + (later ? 1 : 0);
            break;
        }
        rounds = places[i].round + 1 > rounds ? places[i].round + 1 : rounds;
    }
    return rounds;
}

void batch_arrange(batch *group, entry *const *entries, uint32_t count)
{
    place places[GROUP_MAX];
    uint32_t rounds = place_all(entries, count, places), stored = 0;
    group->steps_count = 0;
    for (uint32_t round = 0; round < rounds; round++)
        for (int k = 0; k < KINDS; k++) {
            batch_step *step = NULL;
            for (uint32_t i = 0; i < count; i++) {
                if (places[i].round != round || places[i].kind != k)
                    continue;
                if (step == NULL || step->count == kinds[k].most) {
                    step = &group->steps[group->steps_count++];
                    *step = (batch_step){.kind = k, .first = stored};
                }
                group->entries[stored++] = entries[i];
                step->count++;
            }
        }
}

static const statement *statement_of(const batch *group, const batch_step *step)
{
    const web_log_kind *web_log = web_log_kind_of(group->entries[step->first]->msg);
    return web_log != NULL ? &web_log->statement : &kinds[step->kind].statement;
}

int batch_prepare(database *db, const batch *group, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < group->steps_count; i++)
        rc = database_prepare(db, statement_of(group, &group->steps[i]), err);
    return rc;
}

int batch_send(database *db, const batch *group, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < group->steps_count; i++) {
        const batch_step *step = &group->steps[i];
        params p = {0};
        kinds[step->kind].put(&p, group->entries + step->first, step->count);
        rc = database_send(db, statement_of(group, step), &p, err);
    }
    return rc;
}

int batch_take(database *db, const batch *group, piw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < group->steps_count; i++) {
        const batch_step *step = &group->steps[i];
        PGresult *r = NULL;
        rc = database_take(db, &r, err);
        if (rc == 0 && kinds[step->kind].replies != NULL)
            rc = kinds[step->kind].replies(r, group->entries + step->first, step->count, err);
        PQclear(r);
    }
    return rc;
}

bool batch_answers_last(const batch *group)
{
    for (uint32_t i = 0; i < group->steps_count; i++)
        for (uint32_t j = 0; group->steps[i].kind == KIND_LOGBUILD && j < group->steps[i].count; j++)
            /* What an operator imports takes the place of others' files, perhaps of some that are stored just before. */
            if (db_LOGBUILD_of(group->entries[group->steps[i].first + j]->msg)->slave_id == 0)
                return false;
    return true;
}

/* Is a build there, and of its files (names and hashes, by its position), where another one has the name in the store in which
 * its row is? */
static const char look_again[] =
    "SELECT b.ord, r.stock OR r.view IS NOT NULL, "
    "CASE WHEN r.stock OR r.view IS NOT NULL THEN '' ELSE 'the version is unknown or has been removed' END, "
    "(SELECT string_agg(f.name, chr(31) ORDER BY f.name) "
    "FROM unnest($2::bigint[], $3::text[], $4::text[]) AS f (build, name, hash) "
    "WHERE f.build = b.ord AND NOT CASE WHEN r.stock "
    "THEN EXISTS (SELECT FROM public.files o WHERE o.filename = f.name AND o.filehash = f.hash) "
    "ELSE EXISTS (SELECT FROM piw.view_files o WHERE o.view = r.view AND o.filename = f.name AND o.filehash = f.hash) "
    "END AND (r.stock OR r.view IS NOT NULL)) "
    "FROM unnest($1::bigint[]) WITH ORDINALITY AS b (id, ord) CROSS JOIN LATERAL ("
    "SELECT EXISTS (SELECT FROM public.builds o WHERE o.build_id = b.id) AS stock, "
    "(SELECT o.view FROM piw.view_builds o WHERE o.build_id = b.id) AS view) r ORDER BY b.ord";

static void put_again(params *p, entry *const *entries, uint32_t count)
{
    int ids = params_array(p), builds = params_array(p), names = params_array(p), hashes = params_array(p);
    for (uint32_t i = 0; i < count; i++) {
        const build_row *body = db_LOGBUILD_of(entries[i]->msg);
        params_add_int(p, ids, body->build_id);
        for (uint32_t j = 0; body->status && j < body->files.count; j++) {
            char second[PIW_FILENAME_MAX + 1];
            const built_file *file = &body->files.at[j];
            for (int k = 0; k < (has_armv6l(body, file, second) ? 2 : 1); k++) {
                params_add_int(p, builds, i + 1);
                params_add_text(p, names, k == 0 ? file->state.filename : piw_text_of(second));
                params_add_text(p, hashes, file->state.filehash);
            }
        }
    }
}

int batch_answer_again(database *db, entry *first, uint32_t count, piw_err *err)
{
    entry *builds[GROUP_MAX];
    uint32_t asked = 0, i = 0;
    for (entry *e = first; e != NULL && i < count; e = e->next, i++)
        if (e->reply == NULL && kind_of(e->msg) == KIND_WEB_LOG)
            web_log_reply(NULL, &e, 1, err);
        else if (e->reply == NULL && (kind_of(e->msg) == KIND_FAILURE || kind_of(e->msg) == KIND_LOGBUILD))
            builds[asked++] = e;
    if (asked == 0)
        return 0;
    params p = {0};
    PGresult *r = NULL;
    put_again(&p, builds, asked);
    int rc = database_query(db, look_again, &p, &r, err);
    if (rc == 0)
        rc = build_replies(r, builds, asked, err);
    PQclear(r);
    return rc;
}
