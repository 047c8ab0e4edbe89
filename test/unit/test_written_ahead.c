/* The files of a build with one small wheel are written before they are asked for, in a room of temporary files: PUBLISH renames them. What
 * comes of that in whatever moment, nothing is left of it, and nothing depends on it. What is noted a second time can't be staged here.
 *
 * TEST-TIMEOUT: 240 */
#include "site_house.h"

#include "piw/fault.h"
#include "shared/process_id.h"

#include <dirent.h>
#include <stdlib.h>

#define MARK  ".staging/000123456789"
#define WHEEL "simple/gold/gold-1.0-py3-none-any.whl"
#define LOG   "logs/0001/2345/6789.txt.gz"

enum { PATHS_MAX = 16, FILES = 3 /* wheel, METADATA and log */ };

static parcel p;

/* Fault points are read when a program begins. */
__attribute__((constructor)) static void arm(int argc, char **argv)
{
    (void)argc;
    if (getenv("PIW_FAULTS") == NULL && setenv("PIW_FAULTS", "juggler.staged=error:2,juggler.staged=error:3", 1) == 0)
        execv("/proc/self/exe", argv);
}

typedef struct found {
    char paths[PATHS_MAX][600]; /* below the site */
    int count, rooms;
} found;

static void look_into(const char *room, found *to)
{
    DIR *folder = opendir(at(room));
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL && to->count < PATHS_MAX)
        if (entry->d_name[0] != '.')
            snprintf(to->paths[to->count++], sizeof(to->paths[0]), "%s/%s", room, entry->d_name);
    if (folder != NULL)
        closedir(folder);
}

/* What lies in rooms. */
static found look(void)
{
    found all = {0};
    DIR *folder = opendir(at(".staging/tmp"));
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char room[300];
        if (strstr(entry->d_name, "-room-") == NULL)
            continue;
        all.rooms++;
        snprintf(room, sizeof(room), ".staging/tmp/%s", entry->d_name);
        look_into(room, &all);
    }
    if (folder != NULL)
        closedir(folder);
    return all;
}

static found wait_for_files(int count)
{
    found all = look();
    for (int i = 0; i < WAIT_MS / 20 && all.count != count; i++) {
        usleep(20000);
        all = look();
    }
    ck_assert_msg(all.count == count, "%d files lie in rooms, not %d", all.count, count);
    return all;
}

static ino_t number_of(const char *name)
{
    struct stat info;
    ck_assert_msg(stat(at(name), &info) == 0, "%s isn't there", name);
    return info.st_ino;
}

static void receive(int64_t build_id)
{
    expect_last(&p, build_id, build_id, "gold", "all is well");
    transfer(&p, build_id);
    piw_msg *verdict = verify(build_id, build_id);
    ck_assert(is_staged_too(verdict));
    piw_msg_free(&verdict);
}

static void ck_placed(void)
{
    struct stat info;
    ck_bytes(WHEEL, &p.bytes);
    ck_assert(is_there(WHEEL ".metadata"));
    ck_log(LOG, "all is well");
    ck_assert(!is_there(MARK));
    ck_assert_int_eq(stat(at(WHEEL), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0644);
    ck_assert_int_eq(info.st_nlink, 1);
}

/* Is VERIFY, by an error that says this? What it says instead is in `said`. */
static bool is_refused(const char *why, char *said, size_t size)
{
    piw_msg *msg = fs_VERIFY_make(BUILD, BUILD), *answer = NULL;
    piw_err err = {0};
    int rc = piw_runtime_call(runtime, "fs", &msg, WAIT_MS, &answer, &err);
    snprintf(said, size, "%s", rc != 0 ? err.text : piw_msg_error_text(answer));
    piw_msg_free(&answer);
    piw_msg_free(&msg);
    return strstr(said, why) != NULL;
}

static void begin_gold(void)
{
    setup();
    p = pack("gold", 3000);
}

static void end_gold(void)
{
    teardown();
    piw_buffer_fini(&p.bytes);
}

/* The job that wrote them tells of its end in a moment: what others are asked meanwhile comes behind that. */
static void wait_for_its_answer(void)
{
    for (int i = 0; i < 20; i++) {
        fs_WRITE_FILE *body;
        piw_msg *msg = fs_WRITE_FILE_new(&body);
        piw_blob *data = piw_blob_new(&i, sizeof(i));
        body->path = piw_text_of("feeds/wait");
        body->data = piw_msg_blob(msg, data);
        piw_blob_unref(&data);
        tell("fs", msg);
    }
}

START_TEST(they_are_renamed)
{
    static const char *const names[FILES] = {WHEEL, WHEEL ".metadata", LOG};
    ino_t numbers[FILES];
    receive(BUILD);
    found before = wait_for_files(FILES);
    ck_assert(!is_there("simple/gold"));
    ck_assert(!is_there("logs"));
    for (int i = 0; i < FILES; i++)
        numbers[i] = number_of(before.paths[i]);
    wait_for_its_answer();
    publish(BUILD, "gold", NULL);
    ck_placed();
    wait_for_files(0);
    for (int i = 0; i < FILES; i++) {
        bool same = false;
        for (int k = 0; k < FILES; k++)
            same = same || number_of(names[i]) == numbers[k];
        ck_assert_msg(same, "%s was written anew", names[i]);
    }
}
END_TEST

/* Whichever of them. */
START_TEST(what_has_gone_is_written_again)
{
    receive(BUILD);
    found before = wait_for_files(FILES);
    for (int i = 0; i < FILES; i++)
        if (_i == FILES || _i == i)
            ck_assert_int_eq(unlink(at(before.paths[i])), 0);
    publish(BUILD, "gold", NULL);
    ck_placed();
    wait_for_files(0);
}
END_TEST

START_TEST(what_is_not_asked_for_goes)
{
    receive(BUILD);
    wait_for_files(FILES);
    if (_i == 0) {
        tell("archive", archive_DISCARD_make(BUILD, BUILD));
    } else {
        publish(BUILD, "gold", p.name);
        ck_assert(!is_there(WHEEL));
        ck_assert(is_there(LOG));
    }
    wait_for_files(0);
}
END_TEST

/* Another master's log of that number stays. */
START_TEST(a_log_that_is_there_stays)
{
    receive(BUILD);
    wait_for_files(FILES);
    piw_err err = {0};
    ck_assert_msg(piw_file_write(root, at(LOG), "old", 3, 0, &err) == 0, "%s", err.text);
    publish(BUILD, "gold", NULL);
    ck_bytes(WHEEL, &p.bytes);
    char *log = content(LOG);
    ck_assert_str_eq(log, "old");
    free(log);
    wait_for_files(0);
}
END_TEST

static void begin_anew(bool swapped)
{
    piw_err err = {0};
    int rc = swapped ? piw_runtime_replace(runtime, "file_juggler", "file_juggler.so", &err)
                     : piw_runtime_restart(runtime, "file_juggler", &err);
    ck_assert_msg(rc == 0, "%s", err.text);
}

/* Over a swap they aren't kept, and nobody keeps count of them when the task begins anew: then they go after a while. */
START_TEST(nothing_is_left_of_a_soul_before)
{
    receive(BUILD);
    wait_for_files(FILES);
    begin_anew(_i == 0);
    publish(BUILD, "gold", NULL);
    ck_placed();
    wait_for_files(0);
}
END_TEST

/* As of a job whose end nobody heard of, or a version before that didn't know what it was. */
START_TEST(what_nobody_knows_goes_when_the_task_begins_anew)
{
    char stray[PIW_PATH_MAX], name[64];
    piw_err err = {0};
    receive(BUILD);
    wait_for_files(FILES);
    snprintf(name, sizeof(name), ".staging/tmp/%ld-%010llx-room-1/stray", (long)getpid(),
             (unsigned long long)piw_process_id());
    snprintf(stray, sizeof(stray), "%s", at(name));
    ck_assert_msg(piw_file_write(root, stray, "x", 1, 0, &err) == 0, "%s", err.text);
    begin_anew(_i == 0);
    publish(BUILD, "gold", NULL);
    ck_placed();
    wait_for_files(0);
}
END_TEST

/* As in a container, where each master has the same one; or a master of an earlier version. */
START_TEST(what_a_process_of_this_number_left_goes)
{
    char stray[PIW_PATH_MAX];
    piw_err err = {0};
    end();
    snprintf(stray, sizeof(stray), "%s/.staging/tmp/%ld-room-7/stray", root, (long)getpid());
    ck_assert_msg(piw_file_write(root, stray, "x", 1, 0, &err) == 0, "%s", err.text);
    begin();
    wait_for_files(0);
}
END_TEST

/* What is staged of a build is what was noted last, though that could not be answered. */
START_TEST(other_bytes_take_the_place_of_those_before)
{
    char said[PIW_ERR_TEXT];
    receive(BUILD);
    wait_for_files(FILES);
    piw_buffer_fini(&p.bytes);
    p = pack("gold", 5000);
    expect_last(&p, BUILD, BUILD, "gold", "all is well");
    transfer(&p, BUILD);
    ck_assert_msg(is_refused("juggler.staged", said, sizeof(said)), "VERIFY comes to \"%s\"", said);
    publish(BUILD, "gold", NULL);
    ck_placed();
    wait_for_files(0);
}
END_TEST

/* Of a wheel that has no METADATA beside it. */
START_TEST(nothing_is_left_of_a_long_name)
{
    char package[201], path[600];
    memset(package, 'g', sizeof(package) - 1);
    package[sizeof(package) - 1] = '\0';
    piw_buffer_fini(&p.bytes);
    p = pack(package, 3000);
    snprintf(p.name, sizeof(p.name), "%s-1.0-1%030d-py3-none-any.whl", package, 0);
    expect_last(&p, BUILD, BUILD, package, "all is well");
    transfer(&p, BUILD);
    piw_msg *verdict = verify(BUILD, BUILD);
    ck_assert(is_staged_too(verdict));
    piw_msg_free(&verdict);
    wait_for_files(FILES);
    publish(BUILD, package, NULL);
    snprintf(path, sizeof(path), "simple/%s/%s", package, p.name);
    ck_bytes(path, &p.bytes);
    wait_for_files(0);
}
END_TEST

/* Until the site's own watch has seen that it isn't there. */
static void wait_until_away(void)
{
    char said[PIW_ERR_TEXT];
    bool away = false;
    for (int i = 0; i < WAIT_MS / 20 && !away; i++) {
        usleep(20000);
        away = is_refused("isn't the farm's site now", said, sizeof(said));
    }
    ck_assert(away);
}

/* As on a file system that isn't mounted for a while. */
START_TEST(nothing_is_left_while_the_site_was_away)
{
    char away[PIW_PATH_MAX];
    snprintf(away, sizeof(away), "%s/away", dir);
    receive(BUILD);
    wait_for_files(FILES);
    ck_assert_int_eq(rename(root, away), 0);
    ck_assert_int_eq(mkdir(root, 0755), 0);
    wait_until_away();
    tell("archive", archive_DISCARD_make(BUILD, BUILD));
    ck_assert(!is_there(".staging"));
    ck_assert_int_eq(rmdir(root), 0);
    ck_assert_int_eq(rename(away, root), 0);
    wait_for_files(0);
}
END_TEST

static void name_left(char path[PIW_PATH_MAX], int room)
{
    snprintf(path, PIW_PATH_MAX, "%s/.staging/tmp/%ld-%010llx-room-%d/left", root, (long)getpid(),
             (unsigned long long)piw_process_id(), room);
}

/* Each room takes some thousands of files. */
START_TEST(rooms_follow_each_other)
{
    piw_err err = {0};
    char path[PIW_PATH_MAX];
    ck_assert_int_eq(piw_room_last(root), 0);
    for (int room = 1; room <= 3; room++) {
        snprintf(path, sizeof(path), "%s", at("index.html"));
        ck_assert_msg(piw_file_write_in(root, &(piw_room){.number = room}, path, "x", 1, 0, &err) == 0, "%s", err.text);
        ck_assert_int_eq(piw_room_last(root), room);
    }
    ck_assert_int_eq(look().rooms, 3);
    name_left(path, 1);
    ck_assert_msg(piw_file_write(root, path, "x", 1, 0, &err) == 0, "%s", err.text);
    piw_rooms_end(root, 1); /* something is in it */
    ck_assert_int_eq(look().rooms, 3);
    ck_assert_int_eq(unlink(path), 0);
    piw_rooms_end(root, 2); /* the first one is looked at again */
    ck_assert_int_eq(look().rooms, 1);
    for (int room = 1; room <= 3; room++) {
        name_left(path, room);
        ck_assert_msg(piw_file_write(root, path, "x", 1, 0, &err) == 0, "%s", err.text);
    }
    piw_rooms_clear(root, 2);
    ck_assert_int_eq(look().rooms, 1);
    ck_assert_int_eq(piw_room_last(root), 3);
    piw_rooms_clear(root, 3);
    ck_assert_int_eq(look().rooms, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("written_ahead");
    TCase *cases = tcase_create("written_ahead");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, begin_gold, end_gold);
    tcase_add_test(cases, they_are_renamed);
    tcase_add_loop_test(cases, what_has_gone_is_written_again, 0, FILES + 1);
    tcase_add_loop_test(cases, what_is_not_asked_for_goes, 0, 2);
    tcase_add_test(cases, a_log_that_is_there_stays);
    tcase_add_loop_test(cases, nothing_is_left_of_a_soul_before, 0, 2);
    tcase_add_loop_test(cases, what_nobody_knows_goes_when_the_task_begins_anew, 0, 2);
    tcase_add_test(cases, what_a_process_of_this_number_left_goes);
    if (piw_faults_armed) /* an emulated program doesn't begin anew with them */
        tcase_add_test(cases, other_bytes_take_the_place_of_those_before);
    tcase_add_test(cases, nothing_is_left_of_a_long_name);
    tcase_add_test(cases, nothing_is_left_while_the_site_was_away);
    tcase_add_test(cases, rooms_follow_each_other);
    suite_add_tcase(suite, cases);
    return suite;
}
