/* The command line, the files and the environment laid over each other; every way in which they can be wrong. */
#include "unit.h"

#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const piw_opt options[] = {
    {'d', "dsn", PIW_OPT_TEXT, "DSN", "postgres:///piwheels", "database", .env = "PIW_UNIT_DSN"},
    {'o', "output-path", PIW_OPT_PATH, "PATH", "/var/www", "root of the site"},
    {0, "dev-mode", PIW_OPT_SWITCH, NULL, NULL, "shorter waits"},
    {0, "debug", PIW_OPT_LIST, "TASK", NULL, "debug log for a task"},
    {'t', "timeout", PIW_OPT_DURATION, "DURATION", "3h", "bound of a build", .min = 1000, .max = 86400000,
     .env = "PIW_UNIT_TIMEOUT"},
    {'n', "count", PIW_OPT_INT, "N", "5", "how many", .min = -10, .max = 100},
    {0, "memory", PIW_OPT_SIZE, "BYTES", "2G", "bound of memory", .min = 4096},
    {0, "follow", PIW_OPT_CHOICE, NULL, "xmlrpc", "driver", "xmlrpc|json"},
    {'x', "extra", PIW_OPT_SWITCH, NULL, NULL, "extra"},
    {'y', "yes", PIW_OPT_SWITCH, NULL, NULL, "don't ask", .cli_only = true},
    {0, "label", PIW_OPT_TEXT, "LABEL", NULL, "shown to people"},
    PIW_OPT_END,
};

static const piw_config_section sections[] = {
    {"master", ""},
    {"slave", "label count"},
    {"monitor", NULL},
    {"site", .kept_by = "master"},
    {"auth", .kept_by = "master"},
    {"task:*", .kept_by = "master"},
    PIW_SECTIONS_END,
};

static const piw_program program = {
    .name = "piw-unit",
    .section = "master",
    .summary = "Tests options.",
    .options = options,
    .operands = "PACKAGE [VERSION]",
    .operands_min = 0,
    .operands_max = 2,
    .sections = sections,
};

static const piw_program no_operands = {
    .name = "piw-unit", .section = "slave", .summary = "Tests options.", .options = options, .sections = sections};

enum { ARGS = 16 };

/* Loads with up to three files, given as texts. */
static int load_with(piw_config **config, const piw_program *prog, const char *const *args, const char *const *texts,
                     piw_err *err)
{
    char *argv[ARGS] = {(char *)"piw-unit"};
    int argc = 1;
    for (; args != NULL && args[argc - 1] != NULL && argc < ARGS; argc++)
        argv[argc] = (char *)args[argc - 1];
    char paths[3][32];
    const char *files[3] = {NULL};
    size_t count = 0;
    for (; texts != NULL && count < 3 && texts[count] != NULL; count++) {
        strcpy(paths[count], "/tmp/piw-conf-XXXXXX");
        int fd = mkstemp(paths[count]);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, texts[count], strlen(texts[count])), (ssize_t)strlen(texts[count]));
        close(fd);
        files[count] = paths[count];
    }
    *err = (piw_err){0};
    int rc = piw__config_load(config, prog, argc, argv, files, count, err);
    for (size_t i = 0; i < count; i++)
        unlink(paths[i]);
    ck_assert((rc == 0) == (*config != NULL));
    return rc;
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static piw_config *load(const char *const *args, const char *text)
{
    piw_config *config;
    piw_err err;
    const char *const texts[] = {text, NULL};
    int code = load_with(&config, &program, args, texts, &err);
    ck_assert_msg(code == 0, "%s", err.text);
    return config;
}

START_TEST(defaults)
{
    piw_config *config = load(NULL, NULL);
    ck_assert_str_eq(piw_config_text(config, "dsn"), "postgres:///piwheels");
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/var/www");
    ck_assert_str_eq(piw_config_text(config, "follow"), "xmlrpc");
    ck_assert_ptr_null(piw_config_text(config, "label"));
    ck_assert_ptr_null(piw_config_text(config, "log-file"));
    ck_assert(!piw_config_switch(config, "dev-mode") && !piw_config_switch(config, "verbose"));
    ck_assert_int_eq(piw_config_int(config, "timeout"), 3 * 3600 * 1000);
    ck_assert_int_eq(piw_config_int(config, "count"), 5);
    ck_assert_int_eq(piw_config_int(config, "memory"), INT64_C(2) << 30);
    const char *const *items;
    ck_assert_uint_eq(piw_config_list(config, "debug", &items), 0);
    ck_assert_uint_eq(piw_config_operands(config, &items), 0);
    ck_assert(!piw_config_given(config, "dsn"));
    ck_assert_str_eq(piw_config_origin(config, "dsn"), "default");
    piw_config_free(&config);
    ck_assert_ptr_null(config);
}
END_TEST

typedef struct form {
    const char *args[6];
    const char *name, *value;
} form;

static const form forms[] = {
    {{"--dsn", "a"}, "dsn", "a"},
    {{"--dsn=a"}, "dsn", "a"},
    {{"--dsn="}, "dsn", ""},
    {{"-d", "a"}, "dsn", "a"},
    {{"-da"}, "dsn", "a"},
    {{"-d=a"}, "dsn", "a"},
    {{"--dsn=--x"}, "dsn", "--x"},
    {{"--dsn", "-"}, "dsn", "-"},
    {{"--dsn", "a", "--dsn", "b"}, "dsn", "b"},
    {{"--ds", "a"}, "dsn", "a"},
    {{"--out=/a"}, "output-path", "/a"},
    {{"--dev"}, "dev-mode", "yes"},
    {{"-x"}, "extra", "yes"},
    {{"-xy"}, "yes", "yes"},
    {{"-xd", "a"}, "dsn", "a"},
    {{"-xda"}, "dsn", "a"},
    {{"-n", "-3"}, "count", "-3"},
    {{"--count=-3"}, "count", "-3"},
    {{"--follow", "json"}, "follow", "json"},
    {{"--label", "- a b"}, "label", "- a b"},
    {{"-d", "a", "pkg", "-x", "1.0"}, "dsn", "a"},
    {{"-v"}, "verbose", "yes"},
    {{"-v", "-q"}, "verbose", "no"},
    {{"-qv"}, "quiet", "no"},
};

START_TEST(command_line_forms)
{
    piw_config *config = load(forms[_i].args, NULL);
    ck_assert_str_eq(piw_config_text(config, forms[_i].name), forms[_i].value);
    if (strcmp(forms[_i].value, "no") != 0) {
        ck_assert_str_eq(piw_config_origin(config, forms[_i].name), "command line");
        ck_assert(piw_config_given(config, forms[_i].name));
    }
    piw_config_free(&config);
}
END_TEST

START_TEST(operands)
{
    piw_config *config = load(ARGV("a", "--", "-x"), NULL);
    const char *const *items;
    ck_assert_uint_eq(piw_config_operands(config, &items), 2);
    ck_assert_str_eq(items[0], "a");
    ck_assert_str_eq(items[1], "-x");
    ck_assert(!piw_config_switch(config, "extra"));
    piw_config_free(&config);
}
END_TEST

typedef struct bad_args {
    const char *args[4];
    const char *error;
} bad_args;

static const bad_args bad_usage[] = {
    {{"--nosuch"}, "unknown option --nosuch (see piw-unit --help)"},
    {{"--=a"}, "unknown option -- (see piw-unit --help)"},
    {{"-z"}, "unknown option -z (see piw-unit --help)"},
    {{"-xz"}, "unknown option -z (see piw-unit --help)"},
    {{"--d=1"}, "option --d could be --dsn, --dev-mode, --debug (see piw-unit --help)"},
    {{"--ver"}, "option --ver could be --version, --verbose (see piw-unit --help)"},
    {{"--dsn"}, "option --dsn needs a value (see piw-unit --help)"},
    {{"--dsn", "--extra"}, "option --dsn needs a value (see piw-unit --help)"},
    {{"-d"}, "option -d needs a value (see piw-unit --help)"},
    {{"-d", "-x"}, "option -d needs a value (see piw-unit --help)"},
    {{"--extra=yes"}, "option --extra takes no value (see piw-unit --help)"},
    {{"a", "b", "c"}, "unexpected argument 'c' (see piw-unit --help)"},
    {{"--timeout", "3x"},
     "option --timeout: '3x' is not a duration such as 3h, 90m, 1h30m, 45s or 250ms (see piw-unit --help)"},
    {{"--timeout", "25h"}, "option --timeout: 25h is not between 1s and 1d (see piw-unit --help)"},
    {{"--count", "101"}, "option --count: 101 is not between -10 and 100 (see piw-unit --help)"},
    {{"--count", "1.5"}, "option --count: '1.5' is not a whole number (see piw-unit --help)"},
    {{"--follow", "rss"}, "option --follow: 'rss' is not one of xmlrpc|json (see piw-unit --help)"},
    {{"--memory", "2X"},
     "option --memory: '2X' is not a number of bytes such as 4096, 64K, 10M or 2G (see piw-unit --help)"},
    {{"--memory", "1K"}, "option --memory: 1K is less than 4K (see piw-unit --help)"},
    {{"--output-path", ""}, "option --output-path: the path is empty (see piw-unit --help)"},
    {{"-l", "~nobody-is-called-so/x"},
     "option --log-file: '~nobody-is-called-so/x': there is no home directory for user nobody-is-called-so "
     "(see piw-unit --help)"},
    {{"-d", "a\nb", "--\x1b"}, "unknown option --\\x1b (see piw-unit --help)"},
};

START_TEST(bad_command_line)
{
    piw_config *config;
    piw_err err;
    ck_assert_int_eq(load_with(&config, &program, bad_usage[_i].args, NULL, &err), PIW_EUSAGE);
    ck_assert_str_eq(err.text, bad_usage[_i].error);
    ck_assert_int_eq(err.code, PIW_EUSAGE);
}
END_TEST

START_TEST(operands_bounds)
{
    piw_config *config;
    piw_err err;
    ck_assert_int_eq(load_with(&config, &no_operands, ARGV("a"), NULL, &err), PIW_EUSAGE);
    ck_assert_str_eq(err.text, "unexpected argument 'a' (see piw-unit --help)");
    piw_program needs = program;
    needs.operands_min = 1;
    ck_assert_int_eq(load_with(&config, &needs, NULL, NULL, &err), PIW_EUSAGE);
    ck_assert_str_eq(err.text, "PACKAGE [VERSION] is missing (see piw-unit --help)");
    needs.operands_max = -1;
    ck_assert_int_eq(load_with(&config, &needs, ARGV("a", "b", "c", "d"), NULL, &err), 0);
    piw_config_free(&config);
}
END_TEST

/* A caller that was compiled for a later release may use what has no meaning here. */
START_TEST(reserved_fields_are_checked)
{
    piw_config *config;
    piw_err err;
    piw_program later = program;
    later.reserved[1] = "later";
    ck_assert_int_eq(load_with(&config, &later, NULL, NULL, &err), PIW_EINVAL);
    ck_assert_str_eq(err.text, "piw-unit uses reserved fields of its description");
    const piw_config_section two[] = {{"master", ""}, {.name = "slave", .reserved = {"later"}}, PIW_SECTIONS_END};
    later = program;
    later.sections = two;
    ck_assert_int_eq(load_with(&config, &later, NULL, NULL, &err), PIW_EINVAL);
    ck_assert_str_eq(err.text, "piw-unit uses reserved fields of its section slave");
}
END_TEST

START_TEST(layers)
{
    piw_config *config;
    piw_err err;
    const char *const texts[] = {"dsn = one\ncount = 1\noutput-path = /one\nfollow = json\ndebug = [a, b]\nverbose\n",
                                 "dsn = two\ncount = 2\noutput-path = /two\ndebug = c\ndebug = d\n",
                                 "[master]\ndsn = three\ncount = 3\nquiet\n"};
    setenv("PIW_UNIT_DSN", "four", 1);
    int code = load_with(&config, &program, ARGV("--count", "5"), texts, &err);
    unsetenv("PIW_UNIT_DSN");
    ck_assert_msg(code == 0, "%s", err.text);
    ck_assert_str_eq(piw_config_text(config, "dsn"), "four");
    ck_assert_str_eq(piw_config_origin(config, "dsn"), "environment PIW_UNIT_DSN");
    ck_assert_int_eq(piw_config_int(config, "count"), 5);
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/two");
    ck_assert_ptr_nonnull(strstr(piw_config_origin(config, "output-path"), ":3"));
    ck_assert_str_eq(piw_config_text(config, "follow"), "json");
    const char *const *items;
    ck_assert_uint_eq(piw_config_list(config, "debug", &items), 2);
    ck_assert_str_eq(items[0], "c");
    ck_assert_str_eq(items[1], "d");
    ck_assert(piw_config_switch(config, "quiet") && !piw_config_switch(config, "verbose"));
    piw_config_free(&config);
}
END_TEST

START_TEST(command_line_replaces_lists)
{
    piw_config *config = load(ARGV("--debug", "x", "--debug", "[y, z]"), "debug = [a, b]\n");
    const char *const *items;
    ck_assert_uint_eq(piw_config_list(config, "debug", &items), 2);
    ck_assert_str_eq(items[0], "x");
    ck_assert_str_eq(items[1], "[y, z]");
    piw_config_free(&config);
}
END_TEST

/* Keys before any section or in one that belongs to no program are everybody's; other programs' sections aren't. */
START_TEST(whose_section)
{
    const char *text = "label = general\n[slave]\nlabel = slave\ncount = 7\n[site]\ndsn = site\n[auth]\ndsn = auth\n"
                       "[task:x]\ndsn = task\n[monitor]\ndsn = monitor\n[anything]\nfollow = json\n[master]\nextra\n";
    piw_config *config = load(NULL, text);
    ck_assert_str_eq(piw_config_text(config, "label"), "general");
    ck_assert_int_eq(piw_config_int(config, "count"), 5);
    ck_assert_str_eq(piw_config_text(config, "dsn"), "postgres:///piwheels");
    ck_assert_str_eq(piw_config_text(config, "follow"), "json");
    ck_assert(piw_config_switch(config, "extra"));
    piw_config_free(&config);
    piw_err err;
    const char *const texts[] = {text, NULL};
    ck_assert_int_eq(load_with(&config, &no_operands, NULL, texts, &err), 0);
    ck_assert_str_eq(piw_config_text(config, "label"), "slave");
    ck_assert_int_eq(piw_config_int(config, "count"), 7);
    ck_assert(!piw_config_switch(config, "extra"));
    const char *const *names;
    ck_assert_uint_eq(piw_config_sections(config, "", &names), 0);
    ck_assert_ptr_null(piw_config_raw(config, "site", "dsn", NULL));
    piw_config_free(&config);
}
END_TEST

/* Without a table a program knows its own section, and every other is everybody's. */
START_TEST(no_table_of_sections)
{
    piw_program alone = program;
    alone.sections = NULL;
    const char *const texts[] = {"[slave]\ncount = 7\n[site]\nlabel = site\n[master]\nextra\n", NULL};
    piw_config *config;
    piw_err err;
    ck_assert_int_eq(load_with(&config, &alone, NULL, texts, &err), 0);
    ck_assert_int_eq(piw_config_int(config, "count"), 7);
    ck_assert_str_eq(piw_config_text(config, "label"), "site");
    ck_assert(piw_config_switch(config, "extra"));
    ck_assert_ptr_null(piw_config_raw(config, "site", "label", NULL));
    piw_config_free(&config);
}
END_TEST

static char told[4][256];
static size_t told_count;

static void tell(const char *sentence)
{
    ck_assert_uint_lt(told_count, PIW_COUNT(told));
    snprintf(told[told_count++], sizeof(told[0]), "%s", strchr(sentence, ':'));
}

START_TEST(strays)
{
    piw_config *config = load(NULL, "label = a\nlabl = b\n[slave]\ncolour = 1\n[monitr]\n[monitor]\nany = 1\n"
                                    "[task:x]\nany = 1\n[anything]\ncount = 1\n");
    told_count = 0;
    ck_assert_uint_eq(piw_config_strays(config, tell), 3);
    ck_assert_str_eq(told[0], ":5: no program reads [monitr]; is [monitor] meant?");
    ck_assert_str_eq(told[1], ":2: unknown key 'labl': no program has it; is label meant?");
    ck_assert_str_eq(told[2], ":4: unknown key 'colour' in [slave]");
    piw_config_free(&config);
}
END_TEST

START_TEST(kept_sections)
{
    piw_config *config = load(NULL, "[task:b]\nplugin = b.so\nplugin = c.so\n\n[site]\nname = 'a b'\n[other]\nx = 1\n"
                                    "[task:a]\nenabled\n");
    const char *const *names, *origin;
    ck_assert_uint_eq(piw_config_sections(config, "task:", &names), 2);
    ck_assert_str_eq(names[0], "task:b");
    ck_assert_str_eq(names[1], "task:a");
    ck_assert_uint_eq(piw_config_sections(config, "", &names), 3);
    ck_assert_uint_eq(piw_config_keys(config, "task:b", &names), 1);
    ck_assert_str_eq(names[0], "plugin");
    ck_assert_str_eq(piw_config_raw(config, "task:b", "plugin", &origin), "c.so");
    ck_assert_str_eq(strrchr(origin, ':'), ":3");
    ck_assert_str_eq(piw_config_raw(config, "site", "name", &origin), "a b");
    ck_assert_str_eq(piw_config_raw(config, "task:a", "enabled", NULL), "true");
    ck_assert_ptr_null(piw_config_raw(config, "other", "x", &origin));
    ck_assert_ptr_null(origin);
    piw_config_free(&config);
}
END_TEST

typedef struct bad_file {
    const char *text, *error; /* what follows the file's name */
} bad_file;

static const bad_file bad_files[] = {
    {"\ntimeout = soon\n", ":2: timeout: 'soon' is not a duration such as 3h, 90m, 1h30m, 45s or 250ms"},
    {"dsn\n", ":1: dsn: a value is missing (dsn = DSN)"},
    {"follow\n", ":1: follow: a value is missing (follow = VALUE)"},
    {"dev-mode = maybe\n", ":1: dev-mode: 'maybe' is not yes or no (true, false, on, off, 1, 0)"},
    {"dev-mode =\n", ":1: dev-mode: '' is not yes or no (true, false, on, off, 1, 0)"},
    {"[master]\noutput-path =\n", ":2: output-path: the path is empty"},
    {"[master\n", ":1: '[master' is not a section such as [master]"},
    {"count = 99999999999999999999\n", ":1: count: '99999999999999999999' is not a whole number"},
};

START_TEST(bad_in_file)
{
    piw_config *config;
    piw_err err;
    const char *const texts[] = {bad_files[_i].text, NULL};
    ck_assert_int_eq(load_with(&config, &program, NULL, texts, &err), PIW_ECONFIG);
    ck_assert_msg(strncmp(err.text, "/tmp/piw-conf-", 14) == 0, "%s", err.text);
    ck_assert_str_eq(strchr(err.text, ':'), bad_files[_i].error);
}
END_TEST

START_TEST(bad_environment)
{
    piw_config *config;
    piw_err err;
    setenv("PIW_UNIT_TIMEOUT", "soon", 1);
    ck_assert_int_eq(load_with(&config, &program, NULL, NULL, &err), PIW_ECONFIG);
    unsetenv("PIW_UNIT_TIMEOUT");
    ck_assert_str_eq(err.text, "environment PIW_UNIT_TIMEOUT: 'soon' is not a duration such as 3h, 90m, 1h30m, 45s or "
                               "250ms");
    setenv("PIW_UNIT_TIMEOUT", "", 1);
    ck_assert_int_eq(load_with(&config, &program, NULL, NULL, &err), 0);
    ck_assert_str_eq(piw_config_origin(config, "timeout"), "default");
    unsetenv("PIW_UNIT_TIMEOUT");
    piw_config_free(&config);
}
END_TEST

START_TEST(only_the_file_given)
{
    char path[] = "/tmp/piw-conf-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, "dsn = given\n", 12), 12);
    close(fd);
    piw_config *config = load(ARGV("-c", path), "dsn = other\nlabel = other\n");
    ck_assert_str_eq(piw_config_text(config, "dsn"), "given");
    ck_assert_ptr_null(piw_config_text(config, "label"));
    piw_config_free(&config);
    unlink(path);
    piw_err err;
    ck_assert_int_eq(load_with(&config, &program, ARGV("-c", path), NULL, &err), PIW_ECONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "can't read the configuration file /tmp/piw-conf-"));
    ck_assert_int_eq(load_with(&config, &program, ARGV("-c", "/tmp"), NULL, &err), PIW_ECONFIG);
    ck_assert_int_eq(load_with(&config, &program, ARGV("-l", "/nowhere/at/all"), NULL, &err), PIW_ECONFIG);
    ck_assert_str_eq(err.text, "can't write the log file /nowhere/at/all: No such file or directory");
}
END_TEST

START_TEST(home_is_expanded)
{
    setenv("HOME", "/home/unit", 1);
    piw_config *config = load(ARGV("-o", "~/site"), NULL);
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/home/unit/site");
    piw_config_free(&config);
    config = load(ARGV("-o", "~"), NULL);
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/home/unit");
    piw_config_free(&config);
    config = load(ARGV("-o", "~root/site"), NULL);
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/root/site");
    piw_config_free(&config);
    config = load(NULL, "output-path = ~/a b\n");
    ck_assert_str_eq(piw_config_text(config, "output-path"), "/home/unit/a b");
    piw_config_free(&config);
}
END_TEST

typedef struct number_case {
    piw_opt_kind kind;
    const char *text;
    int64_t number; /* -1: refused */
} number_case;

static const number_case numbers[] = {
    {PIW_OPT_DURATION, "3h", 10800000},
    {PIW_OPT_DURATION, "90m", 5400000},
    {PIW_OPT_DURATION, "1h30m", 5400000},
    {PIW_OPT_DURATION, "1h 30m", 5400000},
    {PIW_OPT_DURATION, "1d2h3m4s5ms", 93784005},
    {PIW_OPT_DURATION, "45s", 45000},
    {PIW_OPT_DURATION, "250ms", 250},
    {PIW_OPT_DURATION, "45", 45000},
    {PIW_OPT_DURATION, "0", 0},
    {PIW_OPT_DURATION, "", -1},
    {PIW_OPT_DURATION, "h", -1},
    {PIW_OPT_DURATION, "-1h", -1},
    {PIW_OPT_DURATION, "1.5h", -1},
    {PIW_OPT_DURATION, "30m1h", -1},
    {PIW_OPT_DURATION, "1h1h", -1},
    {PIW_OPT_DURATION, "1h30", -1},
    {PIW_OPT_DURATION, "1H", -1},
    {PIW_OPT_DURATION, "9223372036854775807", -1},
    {PIW_OPT_DURATION, "9223372036854775807h", -1},
    {PIW_OPT_SIZE, "4096", 4096},
    {PIW_OPT_SIZE, "64K", 65536},
    {PIW_OPT_SIZE, "10m", 10 << 20},
    {PIW_OPT_SIZE, "2G", INT64_C(2) << 30},
    {PIW_OPT_SIZE, "2GB", -1},
    {PIW_OPT_SIZE, "9223372036854775807K", -1},
    {PIW_OPT_SIZE, "-1", -1},
    {PIW_OPT_INT, "42", 42},
    {PIW_OPT_INT, "+42", 42},
    {PIW_OPT_INT, "0x10", -1},
    {PIW_OPT_INT, " 1", -1},
    {PIW_OPT_INT, "", -1},
    {PIW_OPT_INT, "-", -1},
    {PIW_OPT_SWITCH, "Yes", 1},
    {PIW_OPT_SWITCH, "TRUE", 1},
    {PIW_OPT_SWITCH, "off", 0},
    {PIW_OPT_SWITCH, "2", -1},
    {PIW_OPT_TEXT, "1", -1},
};

START_TEST(values_as_numbers)
{
    piw_opt opt = {.name = "n", .kind = numbers[_i].kind};
    int64_t number = 0;
    int code = piw_opt_number(&opt, numbers[_i].text, &number, NULL);
    if (numbers[_i].number < 0) {
        ck_assert_int_eq(code, PIW_EINVAL);
    } else {
        ck_assert_int_eq(code, 0);
        ck_assert_int_eq(number, numbers[_i].number);
    }
}
END_TEST

/* What a function writes to stdout. */
static char *captured(void (*fn)(void *), void *arg)
{
    fflush(stdout);
    FILE *file = tmpfile();
    int old = dup(STDOUT_FILENO);
    ck_assert(file != NULL && old >= 0 && dup2(fileno(file), STDOUT_FILENO) >= 0);
    fn(arg);
    fflush(stdout);
    ck_assert(dup2(old, STDOUT_FILENO) >= 0);
    close(old);
    long size = ftell(file) >= 0 && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    char *text = calloc(1, (size_t)size + 1);
    rewind(file);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    return text;
}

static void ask_for_help(void *arg)
{
    piw_config *config;
    piw_err err;
    ck_assert_int_eq(load_with(&config, &program, ARGV(arg, "--nonsense-after"), NULL, &err), 1);
}

START_TEST(help_and_version)
{
    char *text = captured(ask_for_help, (void *)"-h");
    ck_assert_ptr_nonnull(strstr(text, "usage: piw-unit [options] PACKAGE [VERSION]\n\nTests options.\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  -d, --dsn DSN                 database (default: postgres:///piwheels) "
                                       "(environment:\n                                PIW_UNIT_DSN)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n      --dev-mode                shorter waits\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n      --debug TASK              debug log for a task (may be repeated)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n      --follow xmlrpc|json      driver (default: xmlrpc)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  -h, --help                    show this and exit\n"));
    free(text);
    text = captured(ask_for_help, (void *)"--version");
    ck_assert_str_eq(text, "piw-unit " PIW_VERSION "\n");
    free(text);
}
END_TEST

static void print(void *arg)
{
    piw_config_print(arg);
}

/* --print-config can be read again and gives the same values. */
START_TEST(print_is_a_file)
{
    piw_config *config = load(ARGV("--dsn", "a # b", "--debug", "x y", "--debug", "z", "--dev-mode", "--label", ""),
                              "count = 7\n[site]\nname = our wheels\n[task:a]\nenabled = no\n");
    char *first = captured(print, config);
    piw_config_free(&config);
    ck_assert_ptr_nonnull(strstr(first, "[master]\ndsn = \"a # b\"  # command line\n"));
    ck_assert_ptr_nonnull(strstr(first, "output-path = /var/www  # default\n"));
    ck_assert_ptr_nonnull(strstr(first, "debug = [\"x y\", z]  # command line\n"));
    ck_assert_ptr_nonnull(strstr(first, "# log-file is not set\n"));
    ck_assert_ptr_null(strstr(first, "help"));
    config = load(NULL, first);
    ck_assert_str_eq(piw_config_text(config, "dsn"), "a # b");
    ck_assert_int_eq(piw_config_int(config, "count"), 7);
    ck_assert(piw_config_switch(config, "dev-mode"));
    const char *const *items;
    ck_assert_uint_eq(piw_config_list(config, "debug", &items), 2);
    ck_assert_str_eq(items[0], "x y");
    ck_assert_str_eq(piw_config_raw(config, "site", "name", NULL), "our wheels");
    ck_assert_str_eq(piw_config_raw(config, "task:a", "enabled", NULL), "no");
    piw_config_free(&config);
    free(first);
}
END_TEST

/* Arguments made of pieces that matter: a configuration, or an error with a sentence; never a crash. */
START_TEST(random_arguments)
{
    static const char *const pieces[] = {"-",       "--",   "=",   "x", "d",        "dsn", "dev",
                                         "-n",      "7",    "3h",  "",  " ",        "a",   "count",
                                         "timeout", "json", "[a,", "~", "\xc3\xa9", "\n",  "%s"};
    const char *given = getenv("PIW_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 20261;
    printf("# seed %u\n", seed);
    srandom(seed);
    int good = 0;
    for (int round = 0; round < 20000; round++) {
        char texts[6][32] = {""};
        const char *args[7] = {NULL};
        for (long i = random() % 6; i >= 0; i--) {
            for (long n = random() % 4 + 1; n > 0; n--)
                strcat(texts[i], pieces[(size_t)random() % PIW_COUNT(pieces)]);
            args[i] = texts[i];
        }
        piw_config *config;
        piw_err err;
        int code = load_with(&config, &program, args, NULL, &err);
        good += code == 0;
        ck_assert(code == 0 || code == PIW_EUSAGE || code == PIW_ECONFIG);
        ck_assert(code == 0 || (err.text[0] != '\0' && strchr(err.text, '\n') == NULL));
        piw_config_free(&config);
    }
    ck_assert_int_gt(good, 100); /* or the pieces say nothing about what is accepted */
}
END_TEST

typedef struct answer {
    const char *input;
    int result;
} answer;

static const answer answers[] = {
    {"\n", 1},        {"y\n", 1},
    {"YES\n", 1},     {"n\n", 0},
    {"No\r\n", 0},    {"", PIW_EINVAL},
    {"what\nn\n", 0}, {"what\n", PIW_EINVAL},
    {"y", 1},         {"?\n?\n?\n?\n?\n?\n?\n?\n?\n?\ny\n", PIW_EINVAL},
};

static void ask(void *result)
{
    *(int *)result = piw_ask("Really?");
}

START_TEST(questions)
{
    FILE *file = tmpfile();
    ck_assert(file != NULL && fputs(answers[_i].input, file) >= 0 && fflush(file) == 0);
    rewind(file);
    FILE *old = stdin;
    stdin = file;
    int result;
    char *text = captured(ask, &result);
    stdin = old;
    fclose(file);
    ck_assert_int_eq(result, answers[_i].result);
    ck_assert_int_eq(strncmp(text, "Really? [Y/n] ", 14), 0);
    free(text);
}
END_TEST

START_TEST(exit_codes)
{
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    ck_assert(old >= 0 && file != NULL && dup2(fileno(file), STDERR_FILENO) >= 0);
    piw_err err = {0};
    int none = piw_program_exit(&program, &err);
    piw_err_set(&err, PIW_EUSAGE, "bad\nusage");
    int usage = piw_program_exit(&program, &err);
    err = (piw_err){.code = PIW_EDB};
    int failure = piw_program_exit(&program, &err);
    ck_assert(dup2(old, STDERR_FILENO) >= 0);
    close(old);
    ck_assert_int_eq(none, 0);
    ck_assert_int_eq(usage, 2);
    ck_assert_int_eq(failure, 1);
    char text[256] = "";
    rewind(file);
    ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    ck_assert_str_eq(text, "piw-unit: bad\\nusage\npiw-unit: database refused the data\n");
    fclose(file);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("command line");
    tcase_add_test(tc, defaults);
    tcase_add_loop_test(tc, command_line_forms, 0, (int)PIW_COUNT(forms));
    tcase_add_test(tc, operands);
    tcase_add_loop_test(tc, bad_command_line, 0, (int)PIW_COUNT(bad_usage));
    tcase_add_test(tc, operands_bounds);
    tcase_add_test(tc, reserved_fields_are_checked);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, random_arguments);
    tcase_add_loop_test(tc, values_as_numbers, 0, (int)PIW_COUNT(numbers));
    suite_add_tcase(suite, tc);
    tc = tcase_create("files");
    tcase_add_test(tc, layers);
    tcase_add_test(tc, command_line_replaces_lists);
    tcase_add_test(tc, whose_section);
    tcase_add_test(tc, kept_sections);
    tcase_add_test(tc, no_table_of_sections);
    tcase_add_test(tc, strays);
    tcase_add_loop_test(tc, bad_in_file, 0, (int)PIW_COUNT(bad_files));
    tcase_add_test(tc, bad_environment);
    tcase_add_test(tc, only_the_file_given);
    tcase_add_test(tc, home_is_expanded);
    suite_add_tcase(suite, tc);
    tc = tcase_create("output");
    tcase_add_test(tc, help_and_version);
    tcase_add_test(tc, print_is_a_file);
    tcase_add_loop_test(tc, questions, 0, (int)PIW_COUNT(answers));
    tcase_add_test(tc, exit_codes);
    suite_add_tcase(suite, tc);
    return suite;
}
