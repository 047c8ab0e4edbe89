/* Builds recorded by the_oracle's writer on a durable database: calls LOGBUILD, a fixed number of them under way, each with the
 * ATTEMPT before it. bench_record.py makes the database, and asks it what it has done:
 *
 *     bench_record DSN PLUGINS FIRST COUNT WINDOW fail|wheels */
#include "bench.h"

#include "builds.piw.h"
#include "db.piw.h"
#include "piw/plugin.h"
#include "runtime/inner.h"
#include "test/bench_record.piw.h"

enum { START_MS = 30000, RUN_MS = 600000, VERSIONS = 10 /* of each package */ };

static struct {
    const char *dsn;
    piw_token run;
    int64_t next, end, open, began_ns;
    bool wheels;
} the_run;

static const char *setting(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "dsn") == 0 ? the_run.dsn : NULL;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

/* The version of a build: bench_record.py has filled the tables so. */
static void name_version(int64_t number, char package[40], char version[40])
{
    snprintf(package, 40, "package-%lld", (long long)(number / VERSIONS + 1));
    snprintf(version, 40, "%lld.0", (long long)(number % VERSIONS + 1));
}

static int begin_next(piw_task *task)
{
    char package[40], version[40];
    int64_t number = the_run.next++;
    name_version(number, package, version);
    piw_msg *attempt =
        db_ATTEMPT_make(number, piw_text_of(package), piw_text_of(version), piw_text_of("cp39"), (piw_text){0});
    int rc = piw_cast(task, &attempt);
    if (rc != 0)
        return rc;
    piw_msg *next = bench_record_NEXT_make(number);
    return piw_cast_to(task, "bench_record", 0, &next);
}

static int on_run(piw_task *task, piw_msg *msg)
{
    const bench_record_RUN *body = bench_record_RUN_of(msg);
    the_run.next = body->first;
    the_run.end = body->first + body->count;
    the_run.wheels = body->wheels;
    the_run.open = body->count;
    the_run.began_ns = piw_monotonic_ns();
    int rc = piw_defer(task, msg, &the_run.run);
    for (int64_t i = 0; rc == 0 && i < body->window && the_run.next < the_run.end; i++)
        rc = begin_next(task);
    return rc;
}

static void add_wheel(piw_msg *build, build_row *body)
{
    piw_msg_list(build, &body->files, 1);
    file_state *file = &body->files.at[0].state;
    file->filename =
        piw_msg_printf(build, "%s-%s-%lld.whl", body->package.s, body->version.s, (long long)body->build_id);
    file->filesize = 10000;
    file->filehash = piw_msg_printf(build, "%064lld", (long long)body->build_id);
    file->package_tag = body->package;
    file->package_version_tag = body->version;
    file->py_version_tag = file->abi_tag = piw_msg_textz(build, "cp39");
    file->platform_tag = piw_msg_textz(build, "linux_armv7l");
    file->location = piw_msg_textz(build, "/simple");
}

static int on_next(piw_task *task, piw_msg *msg)
{
    char package[40], version[40];
    int64_t number = bench_record_NEXT_of(msg)->number;
    name_version(number, package, version);
    build_row *body = NULL;
    piw_msg *build = db_LOGBUILD_new(&body);
    body->build_id = body->slave_id = number;
    body->package = piw_msg_textz(build, package);
    body->version = piw_msg_textz(build, version);
    body->abi_tag = piw_msg_textz(build, "cp39");
    body->status = the_run.wheels;
    body->duration = piw_duration_from_us(1000000);
    if (the_run.wheels)
        add_wheel(build, body);
    return piw_call(task, &build, "recorded", (uint64_t)number, -1);
}

static int on_recorded(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    if (piw_msg_error(reply) != 0 || !db_LOGBUILD_reply_of(reply)->recorded)
        bench_die(piw_msg_error(reply) != 0 ? piw_msg_error_text(reply) : db_LOGBUILD_reply_of(reply)->why.s);
    if (--the_run.open == 0) {
        piw_msg *answer = bench_record_RUN_reply_make(piw_monotonic_ns() - the_run.began_ns);
        return piw_answer(task, the_run.run, &answer);
    }
    return the_run.next < the_run.end ? begin_next(task) : 0;
}

/* In slave_driver's place. */
static int on_ignore(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    return 0;
}

static const piw_service serves[] = {
    {"bench_record", &bench_record_protocol_def}, {"builds", &builds_protocol_def}, PIW_SERVICES_END};
static const piw_service uses[] = {{"db", &db_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&bench_record_protocol_def, BENCH_RECORD_RUN, on_run},
                                       {&bench_record_protocol_def, BENCH_RECORD_NEXT, on_next},
                                       {&builds_protocol_def, BUILDS_QUEUE, on_ignore},
                                       {&builds_protocol_def, BUILDS_ABIS, on_ignore},
                                       PIW_HANDLERS_END};
static const piw_continuation continuations[] = {{"recorded", on_recorded}, PIW_CONTINUATIONS_END};
static const piw_plugin recorder = {.size = sizeof(piw_plugin),
                                    .abi = PIW_ABI,
                                    .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},
                                    .build = PIW_BUILD,
                                    .sizes = PIW_SIZES,
                                    .name = "recorder",
                                    .version = "1",
                                    .start = start,
                                    .serves = serves,
                                    .uses = uses,
                                    .handlers = handlers,
                                    .continuations = continuations};

static piw_runtime *start_runtime(const char *plugins)
{
    piw_err err = {0};
    piw_runtime *runtime;
    const piw_runtime_config config = {
        .plugin_dirs = &plugins, .plugin_dirs_count = 1, .trust_files = true, .setting = setting};
    static const char *const tasks[] = {"the_oracle", "seraph", "the_architect"};
    const piw_task_config recorder_task = {.name = "recorder", .enabled = true};
    piw_protocol_use(&bench_record_protocol_def);
    piw_protocol_use(&db_protocol_def);
    if (piw_runtime_new(&runtime, &config, &err) != 0)
        bench_die(err.text);
    for (size_t i = 0; i < PIW_COUNT(tasks); i++) {
        const piw_task_config task = {.name = tasks[i], .enabled = true, .critical = -1};
        if (piw_runtime_add(runtime, &task, &err) != 0)
            bench_die(err.text);
    }
    if (piw__runtime_add_builtin(runtime, &recorder_task, &recorder, &err) != 0 ||
        piw_runtime_start(runtime, START_MS, &err) != 0)
        bench_die(err.text);
    return runtime;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        bench_die("bench_record.py runs this: make bench BENCH=record");
    the_run.dsn = argv[1];
    int64_t count = atoll(argv[4]);
    piw_err err = {0};
    piw_runtime *runtime = start_runtime(argv[2]);
    piw_msg *call = bench_record_RUN_make(atoll(argv[3]), count, atoll(argv[5]), strcmp(argv[6], "wheels") == 0),
            *answer;
    if (piw_runtime_call(runtime, "bench_record", &call, RUN_MS, &answer, &err) != 0)
        bench_die(err.text);
    if (piw_msg_error(answer) != 0)
        bench_die(piw_msg_error_text(answer));
    printf("%.6f\n", (double)bench_record_RUN_reply_of(answer)->elapsed_ns / 1e9);
    piw_msg_free(&answer);
    piw_runtime_stop(runtime);
    piw_runtime_free(&runtime);
    return 0;
}
