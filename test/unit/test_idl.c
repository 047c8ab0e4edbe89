/* test_idl.c — the IDL compiler as its users meet it: what it says of bad files, what its lock refuses, that no bytes
 * make it crash; and every form of the language through the engine (test/proto/every.piw). */
#include "unit.h"

#include "test/every.piw.h"
#include "values.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char compiler[UNIT_BUILD], folder[UNIT_FOLDER];

static void begin(void)
{
    unit_built(compiler, "bin/piw-idl");
    unit_folder(folder);
    /* It keeps its trees until it ends. */
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
}

static void end(void)
{
    unit_remove(folder);
}

static const char *in_folder(const char *name)
{
    static char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *text, size_t len)
{
    FILE *file = fopen(in_folder(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 4 << 20);
    ck_assert_uint_lt(fread(text, 1, 4 << 20, file), 4 << 20);
    fclose(file);
    return text;
}

/* Run it on the folder's FILE; the exit code, and what it said in `said`. */
static int run(const char *mode, const char *value, const char *file, char *said, size_t size)
{
    char errors[PATH_MAX + 32], value_path[PATH_MAX + 32], file_path[PATH_MAX + 32];
    snprintf(errors, sizeof(errors), "%s/stderr", folder);
    snprintf(value_path, sizeof(value_path), "%s%s%s", folder, value[0] != '\0' ? "/" : "", value);
    snprintf(file_path, sizeof(file_path), "%s/%s", folder, file);
    const char *arguments[] = {compiler, "--import", "proto", mode, value_path, file_path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid;
    int status;
    ck_assert_int_eq(posix_spawn(&pid, compiler, &actions, NULL, (char *const *)(uintptr_t)arguments, environ), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    posix_spawn_file_actions_destroy(&actions);
    char *text = read_file(errors);
    snprintf(said, size, "%s", text);
    free(text);
    ck_assert_msg(WIFEXITED(status), "it was killed by signal %d: %s", WTERMSIG(status), said);
    return WEXITSTATUS(status);
}

static int compile(const char *text, char *said, size_t size)
{
    write_file("bad.piw", text, strlen(text));
    return run("--out", "", "bad.piw", said, size);
}

#define Q(messages) "queue q router 1M {\n" messages "\n}\n"

START_TEST(bad_files_are_refused_with_their_line)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"queue", "1: the name of the queue is wanted, not the end of the file"},
        {"queue q tcp 1M {}", "1: router, frames, pull or pub is wanted, not 'tcp'"},
        {"queue q pull 5X {}", "1: '5X' isn't a size"},
        {"queue q pull 99999999999 {}", "1: 99999999999 is too large"},
        {"queue q pull 0 {}", "1: 0 is out of range"},
        {"queue q pull 1M {", "1: in, out or '}' is wanted, not the end of the file"},
        {"queue q pull 1M {}", "1: q has no messages"},
        {"hello", "1: import, type, queue, service, event, state, work or peer is wanted, not 'hello'"},
        {"\n\n\x01", "3: byte 0x01 has no meaning here"},
        {"service s { cast A (a: int; b: int) }", "1: ';' has no meaning here"},
        {"service s { cast A (a: int b: int) }", "1: a comma or a new line is wanted between fields, not 'b'"},
        {"service s { cast A (a: integer) }",
         "1: type integer isn't known (a type is declared or imported before it is used)"},
        {Q("in A slave_statz"), "2: type slave_statz isn't known (a type is declared or imported before it is used)"},
        {"service s { cast A (a: text) }", "1: text needs a bound: text(n)"},
        {"service s { cast A (a: [int]) }", "1: [T] needs a bound: [T](n)"},
        {"service s { cast A (a: text(70000)) }", "1: a text has at most 65535 characters; longer ones are blobs"},
        {"service s { cast A (a: int,\n a: int) }", "2: field a is there twice"},
        {"service s { cast A (int: int) }", "1: int is a word of C and can't be a name"},
        {"service s { cast A (_a: int) }", "1: name _a is reserved (no leading or double underscore, no piw_)"},
        {"service s { cast A (a: int optional,\nb: int) }",
         "2: field b follows an optional one and so must be optional"},
        {"service s { cast A (a: int lossy) }", "1: only text and blob can be lossy"},
        {"service s { cast A (a: any?) }", "1: any may be null as it is"},
        {"service s { cast A (a: {float: int}(2)) }", "1: the keys of a map are int or text, never null or lossy"},
        {"service s { cast A (a: [int optional](2)) }", "1: only the last fields of a tuple can be optional"},
        {"service s { cast A (a: ()) }", "1: a tuple inside a type has at least one field"},
        {"service s { call A (a: int) }", "1: '->' and the answer are wanted, not '}'"},
        {"service s { cast A ()\ncast A () }", "2: message A is there twice"},
        {"service s { cast A () noreply }", "1: noreply, malformed and again are for in messages"},
        {"service s { cast A () deadline 5s }", "1: deadlines are for calls"},
        {"service s { call A () -> () deadline 5 }", "1: a time needs its unit: ms, s, m or h"},
        {"service s { cast A (a: int, b: int) bare }", "1: a bare message has exactly one field"},
        {"service s { cast A oneof { \"a\" } }", "1: the literal of an alternative is made of capitals, digits and _"},
        {"service s { cast A oneof { \"A\" | \"A\" } }", "1: alternative \"A\" is there twice"},
        {"service s { cast A oneof { \"A }", "1: the literal has no closing quote"},
        {Q("in A fallback B"), "2: fallback B isn't an out message of queue q"},
        {Q("in A fallback B\nout B (a: int) bare"), "2: fallback B needs its data"},
        {Q("in A fallback B 5\nout B"), "2: fallback B takes no data"},
        {Q("in A fallback B true\nout B (a: int) bare"), "2: true doesn't fit the int of fallback B"},
        {Q("in A noreply fallback B\nout B"), "2: a noreply message has no fallback"},
        {Q("in A lane x"), "2: lanes are for calls and casts"},
        {"queue q pull 1M { in A }", "1: in messages of a pull queue are noreply"},
        {"queue q pull 1M { out A }", "1: a pull queue has no out messages"},
        {"queue q pub 1M { in A noreply }", "1: a pub queue has no in messages"},
        {"type a (b: a)", "1: type a isn't known (a type is declared or imported before it is used)"},
        {"type a (b: int)\n\ntype a (b: int)", "3: type a is declared already, in "},
        {"type text (a: int)", "1: text is a type of the language"},
        {"import nowhere", "1: nowhere.piw isn't found in the folder of this file or an --import folder"},
        {"import bad", "1: bad imports itself, by way of other files or at once"},
        {"type x_A (b: int)\nservice x { cast A (c: int) }", "2: x_A is the name of a type already"},
        {"service s { cast A (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: (a: int",
         "1: types nest more"},
        {"service s { cast A () }\n# \x02", "2: a comment holds a control character or */"},
        {"service s { cast A () }\n# */", "2: a comment holds a control character or */"},
        {"service s { cast A (a: int inline) }",
         "1: only a member of a type that has a name and fields can be inline, without ? and optional"},
        {"type t (b: int)\nservice s { cast A (a: t inline optional) }",
         "2: only a member of a type that has a name and fields can be inline, without ? and optional"},
        {"type t (b: int)\nservice s { cast A (a: [t inline](3)) }", "2: only a member of a tuple can be inline"},
        {"type t (b: int)\ntype u (a: t inline)\nservice s { cast A (c: u inline) }",
         "3: u has an inline member itself and can't be one"},
        {"type t (b: int)\nservice s { cast A (a: t inline,\n b: int) }", "3: field b is there twice"},
        {"type t (b: int)\nservice s { cast A (a: t inline, c: t inline) }", "2: field b is there twice"},
        {"type t (b: int)\nservice s { cast A (a: t inline,\n a: int) }", "2: field a is there twice"},
        {"type t (b: int)\nservice s { cast A (a: t inline (c)) }", "2: t has no field c"},
        {"type t (b: int, c: int)\nservice s { cast A (a: t inline (c)) }",
         "2: the member a brings only 1 of the 2 fields of t"},
        {"type t (b: int, c: int)\nservice s { cast A (a: t inline (c), a: t inline) }", "2: field c is there twice"},
        {"type t (b: int optional)\nservice s { cast A (a: t inline,\n c: int) }",
         "3: field c follows an optional one and so must be optional"},
    };
    begin();
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char said[1024], wanted[PATH_MAX + 1024];
        int code = compile(cases[i].text, said, sizeof(said));
        snprintf(wanted, sizeof(wanted), "%s/bad.piw:%s", folder, cases[i].error);
        ck_assert_msg(code == 1, "%s: exit %d", cases[i].text, code);
        ck_assert_msg(strncmp(said, wanted, strlen(wanted)) == 0, "%s\nsaid   %s\nwanted %s", cases[i].text, said,
                      wanted);
        ck_assert_msg(strchr(said, '\n') == said + strlen(said) - 1, "more than one line: %s", said);
        ck_assert_msg(access(in_folder("bad.piw.h"), F_OK) != 0, "%s left a header", cases[i].text);
    }
    end();
}
END_TEST

/* Each would be compared with each. */
START_TEST(too_many_fields_are_refused)
{
    char said[1024], *text = malloc(70000 * 16), *at = text + sprintf(text, "service s { cast A (");
    for (int i = 0; i < 70000; i++)
        at += sprintf(at, "f%d: int,", i);
    begin();
    int code = compile(text, said, sizeof(said));
    ck_assert_msg(code == 1 && strstr(said, "1: a tuple has at most 1000 fields") != NULL, "exit %d: %s", code, said);
    end();
    free(text);
}
END_TEST

START_TEST(a_good_file_is_compiled)
{
    char said[1024];
    begin();
    int code =
        compile("# Opens the file.\n\n# Of s.\nservice s {\n    cast A (a: int) # goes along\n}\n", said, sizeof(said));
    ck_assert_msg(code == 0, "%s", said);
    char *header = read_file(in_folder("bad.piw.h"));
    ck_assert_ptr_nonnull(strstr(header, "/* Opens the file. */"));
    ck_assert_ptr_nonnull(strstr(header, "/* Of s. */"));
    ck_assert_ptr_nonnull(strstr(header, "/* goes along */"));
    ck_assert_ptr_nonnull(strstr(header, "piw_msg *s_A_make(int64_t a)"));
    free(header);
    end();
}
END_TEST

START_TEST(bad_usage_is_exit_2)
{
    char said[1024];
    begin();
    write_file("bad.piw", "", 0);
    ck_assert_int_eq(run("--nonsense", "", "bad.piw", said, sizeof(said)), 2);
    ck_assert_ptr_nonnull(strstr(said, "unknown option --nonsense"));
    ck_assert_int_eq(run("--out", "", "none.piw", said, sizeof(said)), 1);
    ck_assert_ptr_nonnull(strstr(said, "none.piw does not exist"));
    end();
}
END_TEST

/* --- The lock --- */

static const char locked[] = "queue q router 1M {\n"
                             "    in  A (a: int, b: text(10)?, c: [(d: bool)](5))\n"
                             "    in  B oneof { \"X\" | \"Y\" (y: int) }  fallback C\n"
                             "    out C\n"
                             "}\n"
                             "service s { call D (a: int) -> (b: int) lane read }\n"
                             "event e (a: int)\n";

static int relock(const char *mode, const char *text, char *said, size_t size)
{
    write_file("bad.piw", text, strlen(text));
    return run(mode, "lock", "bad.piw", said, size);
}

/* The locked text with one piece replaced. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(locked, from);
    ck_assert_msg(at != NULL, "%s", from);
    char *text = calloc(1, sizeof(locked) + strlen(to) + 1);
    memcpy(text, locked, (size_t)(at - locked));
    strcat(text, to);
    strcat(text, at + strlen(from));
    return text;
}

START_TEST(the_lock_refuses_what_breaks_peers)
{
    static const struct {
        const char *from, *to, *why; /* why NULL: allowed */
    } cases[] = {
        {"a: int, b", "a: float, b", "q.A.a: it was int and is float"},
        {"a: int, b", "b", "q.A."},
        {"b: text(10)?", "b: text(10)", "q.A.b: ?, lossy or optional has come or gone"},
        {"b: text(10)?", "b: text(9)?", "q.A.b: its bound is smaller"},
        {"d: bool", "d: int", "q.A.c[].d: it was bool and is int"},
        {"c: [(d: bool)](5)", "c: [(d: bool)](5), e: int", "q.A.e: a new field is not optional"},
        {"c: [(d: bool)](5)", "c: [(d: bool, e: int)](5)", "q.A.c[].e: a new field is not optional"},
        {", c: [(d: bool)](5)", "", "q.A.c: the field is gone"},
        {"    in  A (a: int, b: text(10)?, c: [(d: bool)](5))\n", "", "q.A: the message is gone"},
        {"\"X\" | \"Y\" (y: int)", "\"Y\" (y: int) | \"X\"", "q.B.X: the alternative is gone or has another place"},
        {"(y: int)", "(y: text(3))", "q.B.Y.y: it was int and is text"},
        {"queue q router 1M", "queue q router 1K", "q: the kind of the queue has changed, or its bound is smaller"},
        {"out C", "out C (a: int)", NULL}, /* refused by the fallback */
        {"-> (b: int)", "-> (b: bool)", "s.D_reply.b: it was int and is bool"},
        {"call D (a: int) -> (b: int) lane read", "cast D (a: int)", "s.D: it is another kind of message"},
        {"event e (a: int)\n", "", "protocol bad is gone"},
        {"a: int, b", "renamed: int, b", ""},
        {"text(10)", "text(20)", ""},
        {"c: [(d: bool)](5)", "c: [(d: bool)](5), e: int optional", ""},
        {"lane read", "lane write deadline 5s", ""},
        {"\"Y\" (y: int)", "\"Y\" (y: int) | \"Z\"", ""},
        {"out C\n", "out C\n    out D (a: int)\n", ""},
        {"event e (a: int)\n", "event e (a: int)\nevent f ()\nservice new { cast N () }\n", ""},
        {"    in  A", "    # said better now\n    in  A", ""},
    };
    char said[1024];
    begin();
    ck_assert_int_eq(relock("--check-lock", locked, said, sizeof(said)), 1); /* there is none yet */
    ck_assert_msg(relock("--lock", locked, said, sizeof(said)) == 0, "%s", said);
    ck_assert_int_eq(relock("--check-lock", locked, said, sizeof(said)), 0);
    char *before = read_file(in_folder("lock"));
    for (size_t i = 0; i < PIW_COUNT(cases); i++) {
        char *text = changed(cases[i].from, cases[i].to);
        int code = relock("--check-lock", text, said, sizeof(said));
        bool allowed = cases[i].why != NULL && cases[i].why[0] == '\0';
        ck_assert_msg(code == (allowed ? 0 : 1), "%s -> %s: exit %d %s", cases[i].from, cases[i].to, code, said);
        if (!allowed && cases[i].why != NULL)
            ck_assert_msg(strstr(said, cases[i].why) != NULL, "%s -> %s: %s", cases[i].from, cases[i].to, said);
        if (!allowed) { /* --lock doesn't write it either */
            ck_assert_int_eq(relock("--lock", text, said, sizeof(said)), 1);
            char *after = read_file(in_folder("lock"));
            ck_assert_str_eq(before, after);
            free(after);
        }
        free(text);
    }
    free(before);
    end();
}
END_TEST

/* The hash that the lock holds for the first protocol. */
static uint64_t hash_of(const char *text)
{
    char said[1024];
    unlink(in_folder("lock"));
    ck_assert_msg(relock("--lock", text, said, sizeof(said)) == 0, "%s", said);
    char *lock = read_file(in_folder("lock"));
    const char *at = strstr(lock, "\n# q ");
    ck_assert_ptr_nonnull(at);
    uint64_t hash = strtoull(at + 5, NULL, 16);
    free(lock);
    return hash;
}

START_TEST(the_hash_is_of_the_shape_alone)
{
    static const char *const other[][2] = {{"a: int", "a: float"},  {"text(10)", "text(11)"}, {"text(10)?", "text(10)"},
                                           {"d: bool", "dd: bool"}, {"in  A", "in  AA"},      {"router", "frames"},
                                           {"\"X\" |", "\"XX\" |"}, {"](5)", "](6)"}};
    begin();
    uint64_t hash = hash_of(locked);
    ck_assert_uint_ne(hash, 0);
    char *commented = changed("    in  A", "    # a comment\n\n    in  A");
    ck_assert_uint_eq(hash_of(commented), hash);
    free(commented);
    /* A type by name is the same shape as the type in place. */
    char *named = changed("(a: int, b: text(10)?, c: [(d: bool)](5))", "named");
    char *whole = calloc(1, strlen(named) + 200);
    sprintf(whole, "type named (a: int, b: text(10)?\n c: [(d: bool)](5))\n%s", named);
    ck_assert_uint_eq(hash_of(whole), hash);
    free(named);
    free(whole);
    for (size_t i = 0; i < PIW_COUNT(other); i++) {
        if (strcmp(other[i][0], "router") == 0)
            continue; /* fallbacks and plain in messages are for routers only */
        char *text = changed(other[i][0], other[i][1]);
        ck_assert_msg(hash_of(text) != hash, "%s -> %s", other[i][0], other[i][1]);
        free(text);
    }
    end();
}
END_TEST

/* --- No bytes make it crash --- */

START_TEST(spoilt_files_give_an_error_or_code)
{
    static const char *const pieces[] = {"(",
                                         ")",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         "?",
                                         "|",
                                         "->",
                                         ":",
                                         ",",
                                         "\"",
                                         "#",
                                         "\n",
                                         "oneof",
                                         "optional",
                                         "lossy",
                                         "fallback",
                                         "import common",
                                         "text(",
                                         "99999999999",
                                         "\xff"};
    char said[1024];
    dice d = seeded("spoilt_files_give_an_error_or_code");
    begin();
    char *good = read_file("test/proto/every.piw");
    ck_assert_msg(good != NULL, "test/proto/every.piw isn't there: run from the top folder");
    size_t len = strlen(good);
    char *text = malloc(len + 100);
    for (int i = 0; i < 400; i++) {
        memcpy(text, good, len + 1);
        size_t end_at = len;
        for (uint64_t n = 1 + below(&d, 3); n > 0; n--) {
            size_t at = below(&d, len);
            const char *piece = pieces[below(&d, PIW_COUNT(pieces))];
            switch (below(&d, 4)) {
            case 0:
                text[at] = (char)roll(&d);
                break;
            case 1:
                end_at = at;
                break;
            default:
                memcpy(text + at, piece, strlen(piece));
            }
        }
        write_file("bad.piw", text, end_at);
        int code = run("--out", "", "bad.piw", said, sizeof(said));
        ck_assert_msg(code == 0 || code == 1, "exit %d: %s", code, said);
        ck_assert_msg((code == 0) == (said[0] == '\0'), "%s", said);
    }
    free(text);
    free(good);
    end();
}
END_TEST

/* --- What is committed --- */

/* Run it on all of proto/ into `path`. */
static void run_all(const char *mode, const char *path)
{
    char files[64][PATH_MAX];
    const char *arguments[80] = {compiler, "--import", "proto", mode, path};
    size_t count = 5;
    struct dirent **entries;
    int n = scandir("proto", &entries, NULL, alphasort);
    ck_assert_msg(n > 0, "proto isn't there: run from the top folder");
    for (int i = 0; i < n; i++) {
        const char *end_of_name = strrchr(entries[i]->d_name, '.');
        if (strcmp(end_of_name != NULL ? end_of_name : "", ".piw") == 0 && count < 64) {
            snprintf(files[count], sizeof(files[0]), "proto/%s", entries[i]->d_name);
            arguments[count] = files[count];
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    pid_t pid;
    int status;
    ck_assert_int_eq(posix_spawn(&pid, compiler, NULL, NULL, (char *const *)(uintptr_t)arguments, environ), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(pages_and_lock_are_of_today)
{
    static const char *const files[][3] = {{"--docs", "out.md", "docs/protocol.md"}, {"--lock", "lock", "proto/lock"}};
    begin();
    for (size_t i = 0; i < PIW_COUNT(files); i++) {
        run_all(files[i][0], in_folder(files[i][1]));
        char *now = read_file(in_folder(files[i][1])), *committed = read_file(files[i][2]);
        ck_assert_msg(committed != NULL, "%s is missing: run `make docs`", files[i][2]);
        ck_assert_msg(strcmp(now, committed) == 0, "%s is not what proto/ says: run `make docs`", files[i][2]);
        free(now);
        free(committed);
    }
    end();
}
END_TEST

/* --- Every form through the engine --- */

START_TEST(every_form_there_and_back)
{
    piw_protocol_def *defs[] = {&every_protocol_def, &every_service_protocol_def, &every_local_protocol_def};
    dice d = seeded("every_form_there_and_back");
    for (size_t i = 0; i < PIW_COUNT(defs); i++) {
        const piw_protocol *protocol = piw_protocol_use(defs[i]);
        for (int round = 0; round < 2000; round++) {
            const piw_msg_type *type = &protocol->messages[below(&d, protocol->messages_count)];
            piw_codec codec = round % 2 == 0 ? PIW_CBOR : PIW_MSGPACK;
            piw_err err = {0};
            piw_buffer bytes = {0};
            piw_msg *msg = piw_msg_new(type), *back;
            d.optional = codec == PIW_MSGPACK;
            random_value(&d, msg, type->body, piw_msg_any_body(msg));
            ck_assert_msg(piw_msg_check(msg, &err) == 0, "%s: %s", type->name, err.text);
            int r = piw_encode(msg, codec, &bytes, &err);
            ck_assert_msg(r == 0, "%s: %s", type->name, err.text);
            r = piw_decode(protocol, -1, bytes.data, bytes.len, NULL, &back, NULL, &err);
            ck_assert_msg(r == 0, "%s: %s", type->name, err.text);
            piw_msg *copy = piw_msg_copy(back);
            piw_msg_free(&back);
            ck_assert_msg(equal(type->body, 0, piw_msg_any_body(msg), piw_msg_any_body(copy)), "%s", type->name);
            piw_msg_free(&copy);
            piw_msg_free(&msg);
            piw_buffer_fini(&bytes);
        }
    }
}
END_TEST

START_TEST(tables_say_what_the_file_says)
{
    const piw_protocol *queue = piw_protocol_use(&every_protocol_def);
    const piw_protocol *service = piw_protocol_use(&every_service_protocol_def);
    const piw_protocol *local = piw_protocol_use(&every_local_protocol_def);
    ck_assert_int_eq(queue->queue, PIW_Q_ROUTER);
    ck_assert_uint_eq(queue->message_max, 1 << 20);
    const piw_msg_type *forms = every_FORMS_type();
    ck_assert_int_eq(forms->flags, PIW_M_MALFORMED | PIW_M_AGAIN);
    ck_assert_int_eq(forms->fallback, EVERY_SORRY);
    ck_assert_str_eq(forms->fallback_text, "say it again");
    ck_assert_int_eq(every_PING_type()->flags, PIW_M_NOREPLY | PIW_M_NODATA);
    ck_assert_uint_eq(every_PING_type()->body->size, 0);
    ck_assert_str_eq(every_KINDS_type()->fallback_text, "?");
    ck_assert_str_eq(every_service_ASK_type()->lane, "read");
    ck_assert_uint_eq(every_service_ASK_type()->deadline_ms, 1500);
    ck_assert_int_eq(every_service_ASK_type()->reply, EVERY_SERVICE_ASK_REPLY);
    ck_assert_uint_eq(every_service_DO_type()->deadline_ms, 120000);
    ck_assert_int_eq(every_service_TELL_type()->kind, PIW_M_CAST);
    ck_assert_int_eq(service->messages[EVERY_SERVICE_PICK_REPLY].body->kind, PIW_ONEOF);
    ck_assert_str_eq(local->name, "every_local");
    ck_assert_int_eq(every_event_type()->kind, PIW_M_EVENT);
    ck_assert_int_eq(every_state_type()->kind, PIW_M_STATE);
    ck_assert_int_eq(every_peer_type()->kind, PIW_M_PEER);
    ck_assert_int_eq(every_job_type()->kind, PIW_M_WORK);
    ck_assert_int_eq(every_job_type()->reply, EVERY_JOB_REPLY);
    const piw_type *form = every_form_type();
    ck_assert_str_eq(form->name, "every_form");
    ck_assert_uint_eq(form->size, sizeof(every_form));
    ck_assert_str_eq(form->fields[7].name, "list_of_null");
    ck_assert_uint_eq(form->fields[7].offset, offsetof(every_form, list_of_null));
    const piw_field *brought = form->fields;
    while (strcmp(brought->name, "inner_list") != 0)
        brought++;
    ck_assert_uint_eq(brought->offset, offsetof(every_form, within.inner_list));
    ck_assert_uint_eq(form->fields[7].type->fields[0].flags, PIW_F_NULL);
    ck_assert_uint_eq(form->fields[form->fields_count - 1].flags, PIW_F_NULL | PIW_F_OPTIONAL);
}
END_TEST

START_TEST(constructors_copy_what_they_are_given)
{
    char name[] = "changes later";
    int64_t one = 1;
    piw_protocol_use(&every_service_protocol_def);
    piw_protocol_use(&control_protocol_def);
    piw_msg *ask = every_service_ASK_make(piw_text_of(name));
    name[0] = 'X';
    ck_assert(piw_text_is(every_service_ASK_of(ask)->question, "changes later"));
    piw_msg *reply = every_service_ASK_reply_make((piw_text){0}, 0.5);
    ck_assert_ptr_null(every_service_ASK_reply_of(reply)->answer.s);
    piw_msg *kill = control_KILL_make(&one), *all = control_KILL_make(NULL);
    one = 2;
    ck_assert_int_eq(*control_KILL_of(kill)->slave_id, 1);
    ck_assert_ptr_null(control_KILL_of(all)->slave_id);
    piw_msg *done = every_service_DO_reply_new();
    piw_msg_free(&done);
    piw_msg_free(&all);
    piw_msg_free(&kill);
    piw_msg_free(&reply);
    piw_msg_free(&ask);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("idl");
    TCase *tcase = tcase_create("idl");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, bad_files_are_refused_with_their_line);
    tcase_add_test(tcase, too_many_fields_are_refused);
    tcase_add_test(tcase, a_good_file_is_compiled);
    tcase_add_test(tcase, bad_usage_is_exit_2);
    tcase_add_test(tcase, the_lock_refuses_what_breaks_peers);
    tcase_add_test(tcase, the_hash_is_of_the_shape_alone);
    tcase_add_test(tcase, spoilt_files_give_an_error_or_code);
    tcase_add_test(tcase, pages_and_lock_are_of_today);
    tcase_add_test(tcase, every_form_there_and_back);
    tcase_add_test(tcase, tables_say_what_the_file_says);
    tcase_add_test(tcase, constructors_copy_what_they_are_given);
    suite_add_tcase(suite, tcase);
    return suite;
}
