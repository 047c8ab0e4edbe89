/* mr_chase as it is, in a runtime, behind its real queue: what importers and administrators are told, and what others hear
 * of it. */
#include "farm.h"
#include "import.piw.h"

#include <poll.h>

enum { SILENCE_MS = 2000 };

/* Builds are numbered from 164: slave_driver has taken those before. */

static farm f;
static const char *const tasks[] = {"fake_farm", "slave_driver", "mr_chase", NULL};
static const char *const queues[] = {"slave", "import", NULL};
static const char *const one_file[] = {"any", NULL};
static const char *const two_files[] = {"b", "a", NULL};

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    f.option[0] = "mr_chase";
    f.option[1] = "silence";
    f.option[2] = "2s";
    piw_protocol_use(&import_protocol_def);
    farm_start(&f, tasks, queues);
}

static void teardown(void)
{
    farm_stop(&f);
}

static piw_client *connect_admin(piw_codec codec)
{
    piw_err err = {0};
    piw_client *admin = NULL;
    char address[64];
    snprintf(address, sizeof(address), "ipc://%s/import", f.dir);
    ck_assert_msg(piw_client_open(&admin, &import_protocol_def, address, codec, &err) == 0, "%s", err.text);
    return admin;
}

/* "SEND file", "DONE word", "ERROR text", or "nothing". */
static const char *hear(piw_client *admin, int timeout_ms)
{
    static char text[1100];
    piw_err err = {0};
    piw_msg *msg = NULL;
    int failed = piw_client_recv(admin, &msg, timeout_ms, &err);
    if (failed == PIW_EAGAIN)
        return "nothing";
    ck_assert_msg(failed == 0, "%s", err.text);
    const piw_msg_type *type = piw_msg_type_of(msg);
    const import_DONE *body = piw_msg_any_body(msg); /* all answers look alike */
    snprintf(text, sizeof(text), "%s %s", type->name, body->action.s);
    piw_msg_free(&msg);
    return text;
}

static const char *say(piw_client *admin, piw_msg *msg)
{
    slave_send(admin, msg);
    return hear(admin, FARM_WAIT_MS);
}

#define SAYS(admin, msg, answer) ck_assert_str_eq(say(admin, msg), answer)
#define HEARS(admin, answer)     ck_assert_str_eq(hear(admin, FARM_WAIT_MS), answer)

/* An import of package p; the files are as built() makes them. */
static piw_msg *import(const char *package, const char *const *files)
{
    build_state *body;
    piw_msg *msg = import_IMPORT_new(&body), *report = built(true, "the log", files);
    const slave_BUILT *from = slave_BUILT_of(report);
    body->package = piw_msg_textz(msg, package);
    body->version = piw_text_of("1.0");
    body->abi_tag = piw_text_of("cp311");
    body->status = true;
    body->duration = from->duration;
    body->output = piw_msg_blob(msg, from->output);
    piw_msg_list(msg, &body->files, from->files.count);
    for (uint32_t i = 0; i < from->files.count; i++)
        piw_value_copy(msg, file_state_type(), &from->files.at[i], &body->files.at[i]);
    piw_msg_free(&report);
    return msg;
}

static build_state *body_of(piw_msg *msg)
{
    return piw_msg_body(msg, import_IMPORT_type());
}

static void refuse(const char *call, int code)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", code);
    farm_set(&f, "code", number);
    farm_set(&f, "refuse", call);
}

static void swap(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(f.runtime, "mr_chase", "mr_chase.so", &err) == 0, "%s", err.text);
}

static void restart(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_restart(f.runtime, "mr_chase", &err) == 0, "%s", err.text);
}

START_TEST(an_import_from_its_files_to_its_pages)
{
    piw_client *admin = connect_admin(_i == 0 ? PIW_CBOR : PIW_MSGPACK);
    SAYS(admin, import("P", two_files), "SEND p-1.0-py3-none-a.whl");
    farm_wait(&f, "EXPECT(build_id=164, slave_id=0, peer_address='local', package='p'", 1);
    SAYS(admin, import_SENT_new(), "SEND p-1.0-py3-none-b.whl");
    SAYS(admin, import_SENT_new(), "DONE IMPORT");
    farm_wait(&f, "LOG the log", 1);
    const char *row = farm_wait(&f, "LOGBUILD(", 1);
    ck_assert_ptr_nonnull(
        strstr(row, "build_id=164, slave_id=0, package='p', version='1.0', abi_tag='cp311', status=true"));
    farm_wait(&f, "PUBLISH(build_id=164", 1);
    farm_wait(&f, "BOTH(package='p', now=true)", 1);
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 0);
    SAYS(admin, import_SENT_new(), "ERROR protocol violation");
    piw_client_close(&admin);
}
END_TEST

START_TEST(what_can_not_be_imported)
{
    static const struct {
        const char *there, *answer;
    } cases[] = {
        {"none", "ERROR invalid ABI: cp311"},
        {"abi", "ERROR unknown package version P 1.0"},
        {"version", "ERROR invalid ABI: cp311"},
    };
    piw_client *admin = connect_admin(PIW_CBOR);
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        farm_set(&f, "there", cases[i].there);
        SAYS(admin, import("P", one_file), cases[i].answer);
    }
    /* One of more bytes than a name in a path may have; a text that is cut is cut between its characters. */
    char version[1 + 2 * 199 + 1] = "v", answer[600];
    for (int i = 0; i < 199; i++)
        strcat(version, "\u00e9");
    farm_set(&f, "there", "abi");
    piw_msg *msg = import("p", one_file);
    body_of(msg)->version = piw_msg_textz(msg, version);
    snprintf(answer, sizeof(answer), "ERROR \"%s\" is no version", version);
    SAYS(admin, msg, answer);
    msg = import("p", one_file);
    body_of(msg)->status = false;
    SAYS(admin, msg, "ERROR importing a failed build is not supported");
    SAYS(admin, import("p", NULL), "ERROR no files listed for import");
    msg = import("p", one_file);
    body_of(msg)->files.at[0].filesize = 0;
    ck_assert_ptr_nonnull(strstr(say(admin, msg), "its size of 0 bytes isn't in 1 to 2147483647"));
    SAYS(admin, import("..", one_file), "ERROR \"..\" is no package name");
    SAYS(admin, import_SENT_new(), "ERROR protocol violation");
    ck_assert_int_eq(farm_count(&f, "EXPECT("), 0);
    piw_client_close(&admin);
}
END_TEST

START_TEST(five_bad_transfers_are_the_end)
{
    piw_client *admin = connect_admin(PIW_CBOR);
    farm_set(&f, "verify", "bad");
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    for (int i = 0; i < 4; i++)
        SAYS(admin, import_SENT_new(), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import_SENT_new(),
         "ERROR the wheel p-1.0-py3-none-any.whl could not be transferred in 5 tries: its bytes are not what was "
         "announced");
    farm_wait(&f, "DISCARD(build_id=164, slave_id=0", 1);
    farm_set(&f, "verify", "final");
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import_SENT_new(),
         "ERROR the wheel p-1.0-py3-none-any.whl was refused: its bytes are not what was announced");
    farm_wait(&f, "DISCARD(", 2);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 0);
    piw_client_close(&admin);
}
END_TEST

START_TEST(one_transfers_at_a_time)
{
    piw_client *admins[4];
    for (int i = 0; i < 4; i++)
        admins[i] = connect_admin(i % 2 == 0 ? PIW_CBOR : PIW_MSGPACK);
    SAYS(admins[0], import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    for (int i = 1; i < 4; i++) {
        slave_send(admins[i], import("p", one_file));
        farm_wait(&f, "RESERVE(kind='build', count=1)", i + 1); /* they come in this order */
    }
    ck_assert_str_eq(hear(admins[1], 100), "nothing");
    for (int i = 0; i < 4; i++) {
        SAYS(admins[i], import_SENT_new(), "DONE IMPORT");
        if (i < 3)
            HEARS(admins[i + 1], "SEND p-1.0-py3-none-any.whl");
        piw_client_close(&admins[i]);
    }
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 4);
}
END_TEST

START_TEST(who_is_silent_loses_the_turn)
{
    piw_client *silent = connect_admin(PIW_CBOR), *next = connect_admin(PIW_CBOR);
    SAYS(silent, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    slave_send(next, import("p", one_file));
    for (int i = 0; i < 4; i++) {
        farm_order(&f, "PIECES", 0);
        ck_assert_str_eq(hear(next, SILENCE_MS / 2), "nothing");
    }
    HEARS(next, "SEND p-1.0-py3-none-any.whl");
    farm_wait(&f, "DISCARD(build_id=164", 1);
    SAYS(silent, import_SENT_new(), "ERROR the import of p 1.0 was given up: nothing was heard of it for 2 s");
    SAYS(silent, import_SENT_new(), "ERROR protocol violation");
    SAYS(next, import_SENT_new(), "DONE IMPORT");
    piw_client_close(&silent);
    piw_client_close(&next);
}
END_TEST

/* file_juggler has forgotten what the importer sends: it is expected again, and the importer isn't told. */
START_TEST(a_transfer_that_is_forgotten_is_expected_again)
{
    piw_client *admin = connect_admin(PIW_CBOR);
    farm_order(&f, "UNKNOWN", 0); /* nobody's turn */
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    refuse("EXPECT", PIW_EAGAIN);
    farm_order(&f, "UNKNOWN", 0);
    farm_wait(&f, "EXPECT(build_id=164", 2);
    farm_set(&f, "refuse", "");
    /* Another HELLO. It may come before the refusal has been heard. */
    for (int i = 0; farm_count(&f, "EXPECT(build_id=164") < 3; i++) {
        ck_assert_int_lt(i, FARM_WAIT_MS / 10);
        farm_order(&f, "PIECES", 0);
        farm_order(&f, "UNKNOWN", 0);
        poll(NULL, 0, 10);
    }
    swap();
    ck_assert_str_eq(hear(admin, 100), "nothing");
    /* In the middle of another it says that it has sent all: its file is told to be bad, and asked for again. */
    farm_set(&f, "files", "slow");
    farm_order(&f, "PIECES", 0);
    int64_t expected = farm_count(&f, "EXPECT(build_id=164");
    farm_order(&f, "UNKNOWN", 0);
    farm_wait(&f, "EXPECT(build_id=164", (int)expected + 1);
    farm_order(&f, "UNKNOWN", 0);
    farm_set(&f, "verify", "bad");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "VERIFY(", 1);
    ck_assert_int_eq(farm_count(&f, "EXPECT(build_id=164"), expected + 1);
    farm_set(&f, "files", "quick");
    HEARS(admin, "SEND p-1.0-py3-none-any.whl");
    farm_set(&f, "verify", "good");
    farm_set(&f, "files", "slow");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "VERIFY(", 2);
    farm_order(&f, "UNKNOWN", 0); /* its file is being checked */
    farm_set(&f, "files", "quick");
    HEARS(admin, "DONE IMPORT");
    ck_assert_int_eq(farm_count(&f, "EXPECT(build_id=164"), expected + 2);
    piw_client_close(&admin);
}
END_TEST

START_TEST(a_new_import_ends_the_last_of_its_connection)
{
    piw_client *admin = connect_admin(PIW_CBOR);
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import("q", one_file), "SEND p-1.0-py3-none-any.whl");
    farm_wait(&f, "DISCARD(build_id=164", 1);
    SAYS(admin, import_SENT_new(), "DONE IMPORT");
    farm_wait(&f, "BOTH(package='q', now=true)", 1);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 1);
    piw_client_close(&admin);
}
END_TEST

START_TEST(answers_wait_for_the_database)
{
    piw_client *admin = connect_admin(PIW_CBOR), *other = connect_admin(PIW_MSGPACK);
    farm_set(&f, "db", "away");
    farm_set(&f, "word", "DELPKG");
    slave_send(admin, import("p", one_file));
    slave_send(other, import_REMPKG_make(piw_text_of("p"), false, piw_text_of("")));
    ck_assert_str_eq(hear(other, 300), "nothing");
    farm_set(&f, "db", "here");
    HEARS(admin, "SEND p-1.0-py3-none-any.whl");
    HEARS(other, "DONE DELPKG");
    farm_set(&f, "db", "away");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "LOGBUILD(", 1);
    ck_assert_str_eq(hear(admin, SILENCE_MS * 2), "nothing"); /* who waits for our answer is not silent */
    farm_set(&f, "db", "here");
    HEARS(admin, "DONE IMPORT");
    piw_client_close(&admin);
    piw_client_close(&other);
}
END_TEST

START_TEST(what_the_database_says)
{
    piw_client *admin = connect_admin(PIW_CBOR);
    /* Its answer was lost: the row may be there, and is. */
    refuse("LOGBUILD", PIW_EDBAWAY);
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "LOGBUILD(", 1);
    farm_set(&f, "refuse", "");
    farm_set(&f, "recorded", "no");
    HEARS(admin, "DONE IMPORT");
    farm_wait(&f, "BUILDS_KNOWN(", 1);
    /* The version has gone meanwhile. */
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import_SENT_new(), "ERROR unknown package version p 1.0");
    /* It can't be stored. */
    refuse("LOGBUILD", PIW_EDB);
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import_SENT_new(), "ERROR the test wants LOGBUILD refused");
    farm_wait(&f, "DISCARD(", 2);
    /* It is stored, but its files can't be put in place: they stay staged. */
    refuse("PUBLISH", PIW_EINVAL);
    farm_set(&f, "recorded", "yes");
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    ck_assert_ptr_nonnull(
        strstr(say(admin, import_SENT_new()), "is recorded, but its files could not be put in place"));
    ck_assert_int_eq(farm_count(&f, "DISCARD("), 2);
    piw_client_close(&admin);
}
END_TEST

START_TEST(administrators_words)
{
    static const struct {
        const char *word, *pages;
    } cases[] = {
        {"DELPKG", "DELPKG(package='p')"},
        {"DELPKGBLD", "BOTH(package='p', now=true)"},
        {"SKIPPKG", "BOTH(package='p', now=false)"},
    };
    piw_client *admin = connect_admin(PIW_MSGPACK);
    farm_set(&f, "word", "NEWPKG");
    import_ADDPKG *add;
    piw_msg *msg = import_ADDPKG_new(&add);
    add->name = piw_text_of("Gold.Pkg");
    add->description = add->skip = piw_text_of("");
    piw_msg_list(msg, &add->aliases, 1);
    add->aliases.at[0] = piw_text_of("gold_pkg");
    SAYS(admin, msg, "DONE NEWPKG");
    farm_wait(&f, "ADDPKG(package='gold-pkg', name='Gold.Pkg'", 1);
    farm_wait(&f, "BOTH(package='gold-pkg', now=false)", 1);
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char answer[32];
        farm_set(&f, "word", cases[i].word);
        snprintf(answer, sizeof(answer), "DONE %s", cases[i].word);
        SAYS(admin, import_REMPKG_make(piw_text_of("P"), false, piw_text_of("why")), answer);
        farm_wait(&f, cases[i].pages, 1);
    }
    farm_set(&f, "word", "DELVER");
    SAYS(admin, import_REMVER_make(piw_text_of("P"), piw_text_of("1"), false, piw_text_of(""), false), "DONE DELVER");
    farm_wait(&f, "DELVER(package='p', version='1')", 1);
    farm_clear(&f);
    farm_set(&f, "error", "NOVER");
    SAYS(admin, import_REMVER_make(piw_text_of("P"), piw_text_of("1"), false, piw_text_of(""), false), "ERROR NOVER");
    ck_assert_int_eq(farm_count(&f, "BOTH("), 0);
    refuse("REMVER", PIW_EDB);
    SAYS(admin, import_REMVER_make(piw_text_of("P"), piw_text_of("1"), false, piw_text_of(""), false),
         "ERROR the test wants REMVER refused");
    piw_client_close(&admin);
}
END_TEST

static piw_msg *rebuild(int which, const char *package)
{
    import_REBUILD *body;
    piw_msg *msg = import_REBUILD_new(&body);
    body->which = which;
    if (which == IMPORT_REBUILD_BOTH)
        body->BOTH.package = piw_text_of(package);
    else if (which == IMPORT_REBUILD_PROJECT)
        body->PROJECT.package = piw_text_of(package);
    return msg;
}

START_TEST(rebuilds)
{
    piw_client *admin = connect_admin(PIW_CBOR);
    SAYS(admin, rebuild(IMPORT_REBUILD_HOME, NULL), "DONE REBUILD");
    farm_wait(&f, "HOME", 1);
    SAYS(admin, rebuild(IMPORT_REBUILD_SEARCH, NULL), "DONE REBUILD");
    farm_wait(&f, "SEARCH", 1);
    SAYS(admin, rebuild(IMPORT_REBUILD_PROJECT, "Gold.Pure"), "DONE REBUILD");
    farm_wait(&f, "WRITE(package='gold-pure', index=false)", 1);
    SAYS(admin, rebuild(IMPORT_REBUILD_BOTH, "p"), "DONE REBUILD");
    farm_wait(&f, "WRITE(package='p', index=true)", 1);
    refuse("WRITE", PIW_ESYS);
    SAYS(admin, rebuild(IMPORT_REBUILD_BOTH, "p"), "ERROR the test wants WRITE refused");
    SAYS(admin, rebuild(IMPORT_REBUILD_BOTH, NULL), "DONE REBUILD");
    farm_wait(&f, "ALL(part='BOTH')", 1);
    SAYS(admin, rebuild(IMPORT_REBUILD_PROJECT, NULL), "DONE REBUILD");
    farm_wait(&f, "ALL(part='PROJECT')", 1);
    farm_set(&f, "there", "none");
    SAYS(admin, rebuild(IMPORT_REBUILD_BOTH, "nopackage"), "ERROR unknown package nopackage");
    piw_client_close(&admin);
}
END_TEST

START_TEST(importers_notice_nothing_of_a_swap)
{
    piw_client *admin = connect_admin(PIW_CBOR), *next = connect_admin(PIW_MSGPACK), *other = connect_admin(PIW_CBOR);
    SAYS(admin, import("p", two_files), "SEND p-1.0-py3-none-a.whl");
    slave_send(next, import("q", one_file));
    farm_set(&f, "db", "away");
    farm_set(&f, "word", "DELPKG");
    slave_send(other, import_REMPKG_make(piw_text_of("x"), false, piw_text_of("")));
    farm_wait(&f, "REMPKG(", 1);
    swap();
    farm_set(&f, "db", "here");
    HEARS(other, "DONE DELPKG");
    SAYS(admin, import_SENT_new(), "SEND p-1.0-py3-none-b.whl");
    swap();
    farm_set(&f, "db", "away");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "LOGBUILD(", 1);
    swap();
    HEARS(next, "SEND p-1.0-py3-none-any.whl");
    farm_set(&f, "db", "here");
    HEARS(admin, "DONE IMPORT");
    farm_wait(&f, "BOTH(package='p', now=true)", 1);
    SAYS(next, import_SENT_new(), "DONE IMPORT");
    farm_wait(&f, "BOTH(package='q', now=true)", 1);
    farm_wait(&f, "LOG the log", 2);
    ck_assert_int_eq(farm_count(&f, "LOGBUILD("), 2);
    piw_client_close(&admin);
    piw_client_close(&next);
    piw_client_close(&other);
}
END_TEST

START_TEST(a_restart_loses_no_build)
{
    piw_client *admin = connect_admin(PIW_CBOR), *next = connect_admin(PIW_CBOR);
    SAYS(admin, import("p", two_files), "SEND p-1.0-py3-none-a.whl");
    slave_send(next, import("q", one_file));
    farm_wait(&f, "RESERVE(kind='build', count=1)", 2);
    restart();
    ck_assert_ptr_nonnull(strstr(hear(next, FARM_WAIT_MS), "ERROR "));
    SAYS(admin, import_SENT_new(), "SEND p-1.0-py3-none-b.whl");
    farm_set(&f, "db", "away");
    slave_send(admin, import_SENT_new());
    farm_wait(&f, "LOGBUILD(", 1);
    restart();
    ck_assert_ptr_nonnull(strstr(hear(admin, FARM_WAIT_MS), "ERROR "));
    farm_set(&f, "db", "here");
    /* Nobody waits for it any more, but its row is there: so its files are put in place. */
    farm_wait(&f, "BUILDS_KNOWN(", 1);
    farm_wait(&f, "PUBLISH(", 1);
    farm_wait(&f, "BOTH(package='p', now=true)", 1);
    SAYS(admin, import("p", one_file), "SEND p-1.0-py3-none-any.whl");
    SAYS(admin, import_SENT_new(), "DONE IMPORT");
    piw_client_close(&admin);
    piw_client_close(&next);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("mr_chase");
    TCase *tests = tcase_create("mr_chase");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, an_import_from_its_files_to_its_pages, 0, 2);
    tcase_add_test(tests, what_can_not_be_imported);
    tcase_add_test(tests, five_bad_transfers_are_the_end);
    tcase_add_test(tests, one_transfers_at_a_time);
    tcase_add_test(tests, who_is_silent_loses_the_turn);
    tcase_add_test(tests, a_transfer_that_is_forgotten_is_expected_again);
    tcase_add_test(tests, a_new_import_ends_the_last_of_its_connection);
    tcase_add_test(tests, answers_wait_for_the_database);
    tcase_add_test(tests, what_the_database_says);
    tcase_add_test(tests, administrators_words);
    tcase_add_test(tests, rebuilds);
    tcase_add_test(tests, importers_notice_nothing_of_a_swap);
    tcase_add_test(tests, a_restart_loses_no_build);
    suite_add_tcase(suite, tests);
    return suite;
}
