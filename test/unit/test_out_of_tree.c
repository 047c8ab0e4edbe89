/* test_out_of_tree.c — a plugin with a protocol of its own, built outside of the tree: its tables and this program's are
 * one object when their shapes are equal, and messages are refused when they are not. */
#include "unit.h"

#include "runtime/runtime.h"
#include "test/moon.piw.h"

#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WAIT_MS = 20000, FILE_MAX = 16384 };

static char folder[UNIT_FOLDER];
static piw_runtime *bus;

static void run(const char *const *arguments)
{
    pid_t pid;
    int status;
    int r = posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
    ck_assert_msg(r == 0, "%s can't be run", arguments[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "%s ended with status %d", arguments[0], status);
}

/* The file into the folder, with `from` replaced by `to`. */
static void copy(const char *path, const char *name, const char *from, const char *to)
{
    char text[FILE_MAX], target[PATH_MAX + 32];
    FILE *source = fopen(path, "rb");
    ck_assert_msg(source != NULL, "%s isn't there: run from the top folder", path);
    size_t len = fread(text, 1, sizeof(text) - 1, source);
    fclose(source);
    text[len] = '\0';
    snprintf(target, sizeof(target), "%s/%s", folder, name);
    FILE *made = fopen(target, "wb");
    ck_assert_ptr_nonnull(made);
    const char *at = strstr(text, from);
    ck_assert_ptr_nonnull(at);
    fprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    ck_assert_int_eq(fclose(made), 0);
}

/* The plugin, from a copy of its sources in a folder of its own. */
static void build_moon(const char *from, const char *to)
{
    char idl[UNIT_BUILD], file[64], include[64], sources[2][64], out[64];
    unit_built(idl, "bin/piw-idl");
    unit_folder(folder);
    copy("test/proto/moon.piw", "moon.piw", from, to);
    copy("test/out_of_tree/moon.c", "moon.c", "moon", "moon");
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* the compilers' */
    snprintf(file, sizeof(file), "%s/moon.piw", folder);
    run((const char *[]){idl, "--out", folder, file, NULL});
    snprintf(include, sizeof(include), "-I%s", folder);
    snprintf(sources[0], sizeof(sources[0]), "%s/moon.c", folder);
    snprintf(sources[1], sizeof(sources[1]), "%s/moon.piw.c", folder);
    snprintf(out, sizeof(out), "%s/moon.so", folder);
    run((const char *[]){"cc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden",
                         "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-shared", "-Icore", include, "-o", out,
                         sources[0], sources[1], NULL});
}

static void begin(void)
{
    piw_err err = {0};
    const char *dir = folder;
    const piw_runtime_config config = {.plugin_dirs = &dir, .plugin_dirs_count = 1, .trust_files = true};
    piw_protocol_use(&moon_protocol_def);
    ck_assert_msg(piw_runtime_new(&bus, &config, &err) == 0, "%s", err.text);
    piw_task_config task = {.name = "moon", .enabled = true};
    ck_assert_msg(piw_runtime_add(bus, &task, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_start(bus, WAIT_MS, &err) == 0, "%s", err.text);
}

static void end(void)
{
    piw_runtime_free(&bus);
    unit_remove(folder);
}

static piw_msg *question(unsigned names)
{
    moon_PHASE *body;
    piw_msg *msg = moon_PHASE_new(&body);
    body->day = 27;
    piw_msg_list(msg, &body->wanted, names);
    for (unsigned i = 0; i < names; i++)
        body->wanted.at[i] = piw_msg_printf(msg, "quarter %u", i);
    return msg;
}

START_TEST(equal_shapes_pass_by_pointer)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    build_moon("# A protocol", "# Another comment, the same protocol");
    begin();
    piw_msg *msg = question(3);
    int r = piw_runtime_call(bus, "moon", &msg, WAIT_MS, &answer, &err);
    ck_assert_msg(r == 0, "%s", err.text);
    /* This program's accessor takes what the plugin's constructor made. */
    const phase *told = moon_PHASE_reply_of(answer);
    ck_assert_int_eq(told->day, 27);
    ck_assert(piw_text_is(told->name, "quarter 2"));
    ck_assert(told->lit == 0.5);
    piw_msg_free(&answer);
    msg = question(0);
    ck_assert_int_eq(piw_runtime_call(bus, "moon", &msg, WAIT_MS, &answer, &err), PIW_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "no name was offered for day 27"));
    piw_msg_free(&answer);
    piw_msg_free(&msg);
    end();
}
END_TEST

START_TEST(other_shapes_are_refused)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    build_moon("call PHASE (day: int", "call PHASE (day: float");
    begin();
    piw_msg *msg = question(1);
    int r = piw_runtime_call(bus, "moon", &msg, WAIT_MS, &answer, &err);
    ck_assert_int_ne(r, 0);
    ck_assert_msg(strstr(err.text, "moon") != NULL, "the reason names nothing: %s", err.text);
    piw_msg_free(&answer);
    piw_msg_free(&msg);
    end();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("out_of_tree");
    TCase *tcase = tcase_create("out_of_tree");
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, equal_shapes_pass_by_pointer);
    tcase_add_test(tcase, other_shapes_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
