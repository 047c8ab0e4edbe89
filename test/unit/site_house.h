/* site_house.h — file_juggler, the_secretary and the_scribe as they are, in a runtime with a stand-in for the database
 * (test/plugins/fake_archive.c), and a slave that sends wheels: shared by the tests of what makes the site. One house a
 * process; everything that is waited for is waited for with a bound. */
#ifndef SITE_HOUSE_H
#define SITE_HOUSE_H

#include "file.piw.h"
#include "file_juggler.piw.h"
#include "fs.piw.h"
#include "piw/client.h"
#include "runtime/runtime.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/wheel_name.h"
#include "test/fake_archive.piw.h"
#include "unit.h"
#include "web.piw.h"
#include "wheel_maker.h"

#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 20000 /* for anything that must come */, BUILD = 123456789 };

static piw_runtime *runtime;
static char dir[UNIT_FOLDER], root[64], file_address[64], rewrites_file[64], plugins[2][UNIT_BUILD];
static const char *away_at_start, *builds_held_at_start, *removals_every = "200ms", *hold = "200ms";

/* --- The house --- */

static inline const char *setting(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "output-path") == 0)
        return root;
    if (strcmp(name, "dev-mode") == 0)
        return "yes";
    if (strcmp(name, "site.base-url") == 0)
        return "http://wheels.test/";
    if (strcmp(name, "test-rewrites") == 0)
        return rewrites_file;
    if (strcmp(name, "test-away") == 0)
        return away_at_start;
    if (strcmp(name, "test-builds-held") == 0)
        return builds_held_at_start;
    return NULL;
}

static inline void begin(void)
{
    const struct {
        const char *task, *name, *value;
    } options[] = {{"file_juggler", "removals-every", removals_every}, {"the_secretary", "hold-dev-mode", hold}};
    static const char *const tasks[] = {"fake_archive", "file_juggler", "the_scribe", "the_secretary"};
    const char *dirs[] = {plugins[0], plugins[1]}, *queues[] = {"file"}, *addresses[] = {file_address};
    const piw_runtime_config config = {.plugin_dirs = dirs,
                                       .plugin_dirs_count = 2,
                                       .trust_files = true,
                                       .queue_names = queues,
                                       .queue_addresses = addresses,
                                       .queues_count = 1,
                                       .setting = setting};
    piw_err err = {0};
    ck_assert_msg(piw_runtime_new(&runtime, &config, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < PIW_COUNT(tasks); i++) {
        piw_task_config task = {.name = tasks[i], .enabled = true, .critical = -1};
        for (size_t k = 0; k < PIW_COUNT(options); k++) {
            if (strcmp(tasks[i], options[k].task) == 0) {
                task.option_names = &options[k].name;
                task.option_values = &options[k].value;
                task.options_count = 1;
            }
        }
        ck_assert_msg(piw_runtime_add(runtime, &task, &err) == 0, "%s", err.text);
    }
    ck_assert_msg(piw_runtime_start(runtime, WAIT_MS, &err) == 0, "%s", err.text);
}

static inline void end(void)
{
    piw_runtime_stop(runtime);
    piw_runtime_free(&runtime);
}

static inline void make_folders(void)
{
    unit_folder(dir);
    snprintf(root, sizeof(root), "%s/www", dir);
    snprintf(file_address, sizeof(file_address), "ipc://%s/file", dir);
    snprintf(rewrites_file, sizeof(rewrites_file), "%s/rewrites", dir);
    ck_assert_int_eq(mkdir(root, 0755), 0);
    unit_plugins(plugins);
    away_at_start = builds_held_at_start = NULL;
    piw_protocol_use(&archive_protocol_def);
    piw_protocol_use(&fs_protocol_def);
    piw_protocol_use(&file_protocol_def);
    piw_protocol_use(&scribe_protocol_def);
    piw_protocol_use(&web_protocol_def);
    piw_protocol_use(&file_juggler_protocol_def);
}

static inline void setup(void)
{
    make_folders();
    begin();
}

static inline void teardown(void)
{
    if (runtime != NULL)
        end();
    unit_remove(dir);
}

/* Tell the stand-in for the database that the build has its row. */
static inline piw_msg *known(int64_t build_id)
{
    archive_KNOWN *body;
    piw_msg *msg = archive_KNOWN_new(&body);
    piw_msg_list(msg, &body->build_ids, 1);
    body->build_ids.at[0] = build_id;
    return msg;
}

/* Call a service and wait for its answer, which must be no error. */
static inline piw_msg *call(const char *service, piw_msg *msg)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    const char *word = piw_msg_type_of(msg)->name;
    ck_assert_msg(piw_runtime_call(runtime, service, &msg, WAIT_MS, &answer, &err) == 0, "%s: %s", word, err.text);
    ck_assert_msg(piw_msg_error(answer) == 0, "%s: %s", word, piw_msg_error_text(answer));
    return answer;
}

static inline void tell(const char *service, piw_msg *msg)
{
    piw_msg *answer = call(service, msg);
    piw_msg_free(&answer);
}

static inline void set(const char *name, const char *value)
{
    tell("archive", archive_SET_make(piw_text_of(name), piw_text_of(value)));
}

static inline void wait_for(const char *text, int count)
{
    tell("archive", archive_WAIT_make(piw_text_of(text), count));
}

/* A start that asks which of the builds that it finds have a row, and waits for the answer: what that is to be can be told now. */
static inline void begin_asking(void)
{
    builds_held_at_start = "yes";
    begin();
    wait_for("BUILDS_KNOWN(", 1);
}

static inline void answer_builds(void)
{
    set("builds-held", "no");
}

static inline int64_t count_of(const char *text)
{
    piw_msg *answer = call("archive", archive_COUNT_make(piw_text_of(text)));
    int64_t count = archive_COUNT_reply_of(answer)->count;
    piw_msg_free(&answer);
    return count;
}

static inline void web(const char *word, const char *package, bool now)
{
    tell("archive", archive_WEB_make(piw_text_of(word), piw_text_of(package), now));
}

/* The package with one version 1.0, and a file in it unless filename is NULL. */
static inline void store(const char *package, const char *filename, const char *hash)
{
    archive_STORE *body;
    piw_msg *msg = archive_STORE_new(&body);
    project_data *data = &body->data;
    data->package = data->name = piw_msg_textz(msg, package);
    data->description = data->skip = piw_text_of("");
    piw_msg_list(msg, &data->releases, 1);
    project_release *release = &data->releases.at[0];
    release->version = piw_text_of("1.0");
    release->skip = piw_text_of("");
    if (filename != NULL) {
        piw_msg_list(msg, &release->files, 1);
        project_file *file = &release->files.at[0];
        file->filename = piw_msg_textz(msg, filename);
        file->location = piw_text_of("/simple");
        file->filehash = piw_msg_textz(msg, hash);
        file->builder_abi = piw_text_of("cp311");
        file->file_abi = piw_text_of("none");
        file->platform = piw_text_of("any");
    }
    tell("archive", msg);
}

static inline const char *at(const char *name)
{
    static char path[PIW_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static inline bool is_there(const char *name)
{
    return unit_exists(at(name));
}

static inline void wait_there(const char *name)
{
    for (int i = 0; i < WAIT_MS / 20 && !is_there(name); i++)
        usleep(20000);
    ck_assert_msg(is_there(name), "%s doesn't come", name);
}

static inline void wait_gone(const char *name)
{
    for (int i = 0; i < WAIT_MS / 20 && is_there(name); i++)
        usleep(20000);
    ck_assert_msg(!is_there(name), "%s is there still", name);
}

static inline char *content(const char *name)
{
    void *data;
    size_t len;
    piw_err err = {0};
    ck_assert_msg(piw_file_read(at(name), 1 << 24, &data, &len, &err) == 0, "%s", err.text);
    return data;
}

/* --- A wheel and the slave that sends it --- */

typedef struct parcel {
    piw_buffer bytes;
    char name[256], hash[65];
} parcel;

/* `size` bytes of noise are in the wheel, so that it takes several chunks. */
static inline parcel pack(const char *package, size_t size)
{
    parcel p = {0};
    maker m = {0};
    uint8_t *noise = malloc(size + 1);
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        noise[i] = (uint8_t)(state >> 24);
    }
    maker_file(&m, "noise.bin", noise, size, NULL);
    free(noise);
    maker_dist_info(&m, package, "1.0", "Requires-Python: >=3.5\n");
    p.bytes = maker_end(&m);
    snprintf(p.name, sizeof(p.name), "%s-1.0-py3-none-any.whl", package);
    maker_hash(&p.bytes, p.hash);
    return p;
}

/* `token`: NULL as for a stock slave. */
static inline piw_msg *make_expect(const parcel *p, int64_t build_id, int64_t slave_id, const char *address,
                                   const char *package, fs_EXPECT **made)
{
    fs_EXPECT *body;
    piw_msg *msg = fs_EXPECT_new(&body);
    *made = body;
    piw_wheel_name tags;
    ck_assert_int_eq(piw_wheel_name_parse(piw_text_of(p->name), &tags, NULL), 0);
    body->build_id = build_id;
    body->slave_id = slave_id;
    body->peer_address = piw_msg_textz(msg, address);
    body->package = piw_msg_textz(msg, package);
    body->file = (file_state){
        .filename = piw_msg_textz(msg, p->name),
        .filesize = (int64_t)p->bytes.len,
        .filehash = piw_msg_textz(msg, p->hash),
        .package_tag = piw_msg_textz(msg, package),
        .package_version_tag = piw_text_of("1.0"),
        .py_version_tag = piw_msg_textz(msg, tags.py),
        .abi_tag = piw_msg_textz(msg, tags.abi),
        .platform_tag = piw_msg_textz(msg, tags.platform),
        .location = piw_text_of("/simple"),
    };
    return msg;
}

static inline void expect_with(const parcel *p, int64_t build_id, int64_t slave_id, const char *address,
                               const char *package, const char *token)
{
    fs_EXPECT *body;
    piw_msg *msg = make_expect(p, build_id, slave_id, address, package, &body);
    body->token = piw_msg_textz(msg, token);
    tell("fs", msg);
}

/* As the only file of its build, whose log it brings. */
static inline void expect_last(const parcel *p, int64_t build_id, int64_t slave_id, const char *package,
                               const char *output)
{
    fs_EXPECT *body;
    piw_msg *msg = make_expect(p, build_id, slave_id, "local", package, &body);
    piw_blob *blob = piw_blob_new(output, strlen(output));
    last_file *last = piw_msg_alloc(msg, sizeof(*last));
    last->output = piw_msg_blob(msg, blob);
    piw_blob_unref(&blob);
    piw_msg_list(msg, &last->wheels, 1);
    last->wheels.at[0] = piw_msg_textz(msg, p->name);
    body->last = last;
    tell("fs", msg);
}

static inline bool is_staged_too(const piw_msg *verdict)
{
    const fs_VERIFY_reply *found = fs_VERIFY_reply_of(verdict);
    ck_assert_msg(found->good, "%s", found->why.s);
    return found->staged != NULL && *found->staged;
}

static inline void expect(const parcel *p, int64_t build_id, int64_t slave_id, const char *address, const char *package)
{
    expect_with(p, build_id, slave_id, address, package, NULL);
}

static inline piw_client *connect_file(void)
{
    piw_client *client = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_client_open(&client, &file_protocol_def, file_address, PIW_CBOR, &err) == 0, "%s", err.text);
    return client;
}

static inline void send_file(piw_client *client, piw_msg *msg)
{
    piw_err err = {0};
    ck_assert_msg(piw_client_send(client, &msg, WAIT_MS, &err) == 0, "%s", err.text);
}

static inline void hello(piw_client *client, int64_t slave_id)
{
    send_file(client, file_HELLO_make(slave_id, (piw_text){0}));
}

static inline void hello_with(piw_client *client, int64_t slave_id, const char *token)
{
    send_file(client, file_HELLO_make(slave_id, piw_text_of(token)));
}

static inline void chunk(piw_client *client, int64_t offset, const void *data, size_t len)
{
    file_CHUNK *body;
    piw_msg *msg = file_CHUNK_new(&body);
    body->offset = offset;
    body->data = piw_msg_bytes(msg, data, len);
    send_file(client, msg);
}

/* The next thing asked for: true with its place, false for DONE. */
static inline bool asked(piw_client *client, int64_t *offset, int64_t *length)
{
    piw_err err = {0};
    piw_msg *msg = NULL;
    ck_assert_msg(piw_client_recv(client, &msg, WAIT_MS, &err) == 0, "nothing is asked for: %s", err.text);
    bool fetch = piw_msg_type_of(msg) == file_FETCH_type();
    if (fetch) {
        *offset = file_FETCH_of(msg)->offset;
        *length = file_FETCH_of(msg)->length;
    }
    piw_msg_free(&msg);
    return fetch;
}

/* Answer what is asked for until DONE comes. */
static inline void serve(piw_client *client, const parcel *p)
{
    int64_t offset, length;
    while (asked(client, &offset, &length)) {
        ck_assert_int_le(length, 1 << 20);
        ck_assert_int_le(offset + length, (int64_t)p->bytes.len);
        chunk(client, offset, p->bytes.data + offset, (size_t)length);
    }
}

static inline void transfer(const parcel *p, int64_t slave_id)
{
    piw_client *client = connect_file();
    hello(client, slave_id);
    serve(client, p);
    piw_client_close(&client);
}

static inline piw_msg *verify(int64_t build_id, int64_t slave_id)
{
    return call("fs", fs_VERIFY_make(build_id, slave_id));
}

static inline void ck_good(int64_t build_id, int64_t slave_id)
{
    piw_msg *answer = verify(build_id, slave_id);
    ck_assert_msg(fs_VERIFY_reply_of(answer)->good, "%s", fs_VERIFY_reply_of(answer)->why.s);
    piw_msg_free(&answer);
}

static inline void ck_bad(int64_t build_id, int64_t slave_id, bool final, const char *word)
{
    piw_msg *answer = verify(build_id, slave_id);
    const fs_VERIFY_reply *body = fs_VERIFY_reply_of(answer);
    ck_assert(!body->good);
    ck_assert_int_eq(body->final, final);
    ck_assert_msg(strstr(body->why.s, word) != NULL, "\"%s\" says nothing of \"%s\"", body->why.s, word);
    piw_msg_free(&answer);
}

static inline void stage(int64_t build_id, const char *package, const char *output)
{
    fs_STAGE *body;
    piw_msg *msg = fs_STAGE_new(&body);
    piw_blob *blob = piw_blob_new(output, strlen(output));
    body->build_id = build_id;
    body->package = piw_msg_textz(msg, package);
    piw_value_copy(msg, fs_STAGE_type()->body->fields[2].type, &blob, &body->output);
    piw_blob_unref(&blob);
    tell("fs", msg);
}

/* An error, or 0. */
static inline int try_publish(int64_t build_id, const char *package)
{
    fs_PUBLISH *body;
    piw_err err = {0};
    piw_msg *msg = fs_PUBLISH_new(&body), *answer = NULL;
    body->build_id = build_id;
    body->package = piw_msg_textz(msg, package);
    int rc = piw_runtime_call(runtime, "fs", &msg, WAIT_MS, &answer, &err);
    if (rc == 0)
        rc = piw_msg_error(answer);
    piw_msg_free(&answer);
    return rc;
}

static inline void publish(int64_t build_id, const char *package, const char *kept)
{
    fs_PUBLISH *body;
    piw_msg *msg = fs_PUBLISH_new(&body);
    body->build_id = build_id;
    body->package = piw_msg_textz(msg, package);
    piw_msg_list(msg, &body->kept, kept == NULL ? 0 : 1);
    if (kept != NULL)
        body->kept.at[0] = piw_msg_textz(msg, kept);
    tell("fs", msg);
}

static inline void ck_bytes(const char *name, const piw_buffer *bytes)
{
    struct stat info;
    ck_assert_int_eq(stat(at(name), &info), 0);
    ck_assert_uint_eq((size_t)info.st_size, bytes->len);
    char *found = content(name);
    ck_assert_int_eq(memcmp(found, bytes->data, bytes->len), 0);
    free(found);
}

static inline void ck_log(const char *name, const char *text)
{
    char found[256] = "";
    gzFile file = gzopen(at(name), "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(gzread(file, found, sizeof(found) - 1), 0);
    gzclose(file);
    ck_assert_str_eq(found, text);
}

#endif
