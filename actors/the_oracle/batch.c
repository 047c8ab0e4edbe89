/* batch.c — writes of which many are stored in one statement.
 *
 * A group is stored in rounds, and in a round kind after kind. What one slave did stays in its order: a request goes to
 * the round in which its slave's last one was, if its kind comes later there, else to the next. */
#include "oracle.h"

#include "shared/wheel_name.h"

typedef enum { KIND_DESCRIBE, KIND_LOGBUILD, KIND_ATTEMPT_END, KIND_ATTEMPT, KIND_WEB_LOG, KINDS } kind;

static int kind_of(const piw_msg *msg)
{
    switch (piw_msg_type_of(msg)->index) {
    case DB_DESCRIBE:
        return KIND_DESCRIBE;
    case DB_LOGBUILD:
        return KIND_LOGBUILD;
    case DB_ATTEMPT_END:
        return KIND_ATTEMPT_END;
    case DB_ATTEMPT:
        return KIND_ATTEMPT;
    case DB_LOGDOWNLOADS:
    case DB_LOGSEARCHES:
    case DB_LOGPROJECTS:
    case DB_LOGJSONS:
    case DB_LOGPAGES:
        return KIND_WEB_LOG;
    default:
        return -1;
    }
}

bool batch_takes(const piw_msg *msg)
{
    return kind_of(msg) >= 0;
}

static int64_t slave_of(const piw_msg *msg)
{
    switch (kind_of(msg)) {
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

static int store_descriptions(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    params p = {0};
    int packages = params_array(&p), texts = params_array(&p);
    for (uint32_t i = 0; i < count; i++) {
        const db_DESCRIBE *body = db_DESCRIBE_of(entries[i]->msg);
        params_add_text(&p, packages, body->package);
        params_add_text(&p, texts, body->description);
    }
    return database_query(db, "SELECT piw.describe($1, $2)", &p, NULL, err);
}

static int store_attempts(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    params p = {0};
    int slaves = params_array(&p), packages = params_array(&p), versions = params_array(&p), abis = params_array(&p);
    for (uint32_t i = 0; i < count; i++) {
        const db_ATTEMPT *body = db_ATTEMPT_of(entries[i]->msg);
        params_add_int(&p, slaves, body->slave_id);
        params_add_text(&p, packages, body->package);
        params_add_text(&p, versions, body->version);
        params_add_text(&p, abis, body->abi_tag);
    }
    return database_query(db, "SELECT piw.begin_attempts($1, $2, $3, $4)", &p, NULL, err);
}

static int store_attempt_ends(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    params p = {0};
    int slaves = params_array(&p), packages = params_array(&p), versions = params_array(&p), abis = params_array(&p);
    int causes = params_array(&p);
    for (uint32_t i = 0; i < count; i++) {
        const db_ATTEMPT_END *body = db_ATTEMPT_END_of(entries[i]->msg);
        params_add_int(&p, slaves, body->slave_id);
        params_add_text(&p, packages, body->package);
        params_add_text(&p, versions, body->version);
        params_add_text(&p, abis, body->abi_tag);
        params_add_text(&p, causes, body->cause);
    }
    return database_query(db, "SELECT piw.end_attempts($1, $2, $3, $4, $5)", &p, NULL, err);
}

/* The parameters of piw.record_builds, in its order: of builds, then of files, then of dependencies. */
typedef struct build_params {
    params p;
    int id, slave, package, version, abi, status, duration;
    int of_build, filename, size, hash, package_tag, version_tag, py_tag, file_abi, platform, requires, location,
        metadata;
    int of_file, tool, dependency;
    int64_t builds, files; /* how many there are: positions in SQL count from 1 */
} build_params;

static void begin_builds(build_params *b)
{
    int *const arrays[] = {&b->id,          &b->slave,    &b->package,  &b->version,   &b->abi,      &b->status,
                           &b->duration,    &b->of_build, &b->filename, &b->size,      &b->hash,     &b->package_tag,
                           &b->version_tag, &b->py_tag,   &b->file_abi, &b->platform,  &b->requires, &b->location,
                           &b->metadata,    &b->of_file,  &b->tool,     &b->dependency};
    *b = (build_params){0};
    for (size_t i = 0; i < PIW_COUNT(arrays); i++)
        *arrays[i] = params_array(&b->p);
}

static void add_file(build_params *b, const file_state *state, piw_text metadata_hash)
{
    params *p = &b->p;
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

/* The row under which a linux_armv7l wheel is listed for linux_armv6l, unless the build has a wheel of that name. */
static void add_armv6l(build_params *b, const db_LOGBUILD *body, const built_file *file)
{
    char name[PIW_FILENAME_MAX + 1];
    if (!file->armv6_too || !piw_wheel_name_armv6l(file->state.filename, name))
        return;
    for (uint32_t i = 0; i < body->files.count; i++)
        if (piw_text_is(body->files.at[i].state.filename, name))
            return;
    file_state twin = file->state;
    twin.filename = piw_text_of(name);
    twin.platform_tag = piw_text_of("linux_armv6l");
    add_file(b, &twin, file->metadata_hash);
}

static void add_build(build_params *b, const db_LOGBUILD *body)
{
    params_add_int(&b->p, b->id, body->build_id);
    params_add_int(&b->p, b->slave, body->slave_id);
    params_add_text(&b->p, b->package, body->package);
    params_add_text(&b->p, b->version, body->version);
    params_add_text(&b->p, b->abi, body->abi_tag);
    params_add_bool(&b->p, b->status, body->status);
    params_add_int(&b->p, b->duration, piw_duration_us(body->duration));
    b->builds++;
    for (uint32_t i = 0; i < body->files.count; i++) {
        add_file(b, &body->files.at[i].state, body->files.at[i].metadata_hash);
        add_armv6l(b, body, &body->files.at[i]);
    }
}

/* Rows of (position, recorded, why, kept): the last is one row a name, or NULL. */
static int build_replies(const PGresult *r, entry *const *entries, uint32_t count, piw_err *err)
{
    int row = 0, rows = PQntuples(r);
    for (uint32_t i = 0; i < count; i++) {
        int begin = row;
        while (row < rows && row_int(r, row, 0) == i + 1)
            row++;
        if (row == begin)
            return piw_err_set(err, PIW_EDB, "the database gave no answer for build %lld",
                               (long long)db_LOGBUILD_of(entries[i]->msg)->build_id);
        db_LOGBUILD_reply *body = NULL;
        piw_msg *reply = db_LOGBUILD_reply_new(&body);
        body->recorded = row_bool(r, begin, 1);
        body->why = row_copy(reply, r, begin, 2);
        if (!row_null(r, begin, 3)) {
            piw_msg_list(reply, &body->kept, row - begin);
            for (int k = begin; k < row; k++)
                body->kept.at[k - begin] = row_copy(reply, r, k, 3);
        }
        entries[i]->reply = reply;
    }
    return 0;
}

static int store_builds(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    build_params b;
    begin_builds(&b);
    for (uint32_t i = 0; i < count; i++)
        add_build(&b, db_LOGBUILD_of(entries[i]->msg));
    PGresult *r = NULL;
    int rc =
        database_query(db,
                       "SELECT r.ord, r.recorded, r.why, k.name FROM piw.record_builds($1, $2, $3, $4, $5, $6, $7, "
                       "$8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) r "
                       "LEFT JOIN LATERAL unnest(r.kept) AS k (name) ON true ORDER BY r.ord, k.name",
                       &b.p, &r, err);
    if (rc != 0)
        return rc;
    rc = build_replies(r, entries, count, err);
    PQclear(r);
    return rc;
}

/* --- Rounds ------------------------------------------------------------------------------------------------------ */

typedef struct place {
    uint32_t round;
    int kind;
} place;

/* Where each entry is stored; returns how many rounds there are. Groups are small: a look back over all is cheap. */
static uint32_t place_all(entry *const *entries, uint32_t count, place *places)
{
    uint32_t rounds = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t slave = slave_of(entries[i]->msg);
        places[i] = (place){0, kind_of(entries[i]->msg)};
        for (uint32_t j = i; slave >= 0 && j-- > 0;) {
            if (slave_of(entries[j]->msg) != slave)
                continue;
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

int batch_store(database *db, entry *const *entries, uint32_t count, piw_err *err)
{
    static int (*const stores[KINDS])(database *, entry *const *, uint32_t, piw_err *) = {
        [KIND_DESCRIBE] = store_descriptions, [KIND_LOGBUILD] = store_builds, [KIND_ATTEMPT_END] = store_attempt_ends,
        [KIND_ATTEMPT] = store_attempts,      [KIND_WEB_LOG] = web_log_store,
    };
    place places[GROUP_MAX];
    entry *some[GROUP_MAX];
    uint32_t rounds = place_all(entries, count, places);
    int rc = 0;
    for (uint32_t round = 0; rc == 0 && round < rounds; round++)
        for (int k = 0; rc == 0 && k < KINDS; k++) {
            uint32_t n = 0;
            for (uint32_t i = 0; i < count; i++)
                if (places[i].round == round && places[i].kind == k)
                    some[n++] = entries[i];
            if (n > 0)
                rc = stores[k](db, some, n, err);
        }
    return rc;
}
