/* options.h — command line and configuration files, one table a program (docs/configuration.md).
 *
 * A program declares its options once; the same table gives --help, the command line, the keys of the configuration
 * files, --print-config and the defaults. All functions belong to the main thread, before others start; afterwards
 * the values are read-only and any thread may read them. */
#ifndef PIW_OPTIONS_H
#define PIW_OPTIONS_H

#include "piw/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PIW_OPT_SWITCH,   /* bare on the command line; yes/no/true/false/on/off/1/0 or bare in a file */
    PIW_OPT_TEXT,     /* any text */
    PIW_OPT_PATH,     /* text, "~" and "~user" expanded */
    PIW_OPT_INT,      /* decimal, with min and max */
    PIW_OPT_DURATION, /* 3h 90m 1h30m 45s 250ms, a bare number is seconds; value in milliseconds */
    PIW_OPT_SIZE,     /* bytes, with K M G (1024) */
    PIW_OPT_CHOICE,   /* one of `choices`, separated by '|' */
    PIW_OPT_LIST,     /* repeatable; [a, b] in a file */
} piw_opt_kind;

typedef struct piw_opt {
    char short_name;  /* 'd' or 0 */
    const char *name; /* "dsn": long option without dashes, and key in files */
    piw_opt_kind kind;
    const char *value_name;  /* "DSN" in --help */
    const char *fallback;    /* default as text; NULL: none */
    const char *help;        /* one line, lower case, no full stop */
    const char *choices;     /* PIW_OPT_CHOICE: "xmlrpc|json" */
    int64_t min, max;        /* PIW_OPT_INT, _DURATION (ms), _SIZE; both 0: no bound; max < min: no upper one */
    const char *env;         /* environment variable between file and command line, or NULL */
    bool cli_only;           /* not a key in files (--check-config, --yes) */
    const char *reserved[2]; /* NULL; checked */
} piw_opt;
#define PIW_OPT_END                                                                                                    \
    {                                                                                                                  \
        0                                                                                                              \
    }

/* A section that has a reader, among programs that share their files. Its keys are nobody else's; keys of sections without
 * one apply to every program. */
typedef struct piw_config_section {
    const char *name; /* "greeter"; "task:*": every name that begins so */
    const char *keys; /* between blanks, besides those that every program has; NULL: not known here, any may be right */
    const char
        *kept_by; /* section of the program that asks for its keys with piw_config_raw(); NULL: they are options */
    const void *reserved[2]; /* NULL; checked */
} piw_config_section;
/* clang-format off */
#define PIW_SECTIONS_END {0}
/* clang-format on */

/* What a program is, for --help and for reading files. */
typedef struct piw_program {
    const char *name;               /* "piw-master" */
    const char *section;            /* "master": its section in files */
    const char *summary;            /* first line of --help */
    const piw_opt *options;         /* ends with PIW_OPT_END; -h --version -c -q -v -l are added by the core */
    const char *operands;           /* "PACKAGE [VERSION]" for the usage line; NULL: none are taken */
    int operands_min, operands_max; /* max -1: any number */
    /* The sections of all programs that read these files, its own too; ends with PIW_SECTIONS_END. NULL: its own alone. */
    const piw_config_section *sections;
    const void *reserved[4]; /* NULL; checked */
} piw_program;

typedef struct piw_config piw_config;

/* Parse everything. Returns 0; or 1 when --help/--version was printed (exit 0); or PIW_EUSAGE / PIW_ECONFIG with one
 * clear line in err (the program prints it and exits 2 or 1). Opens the log as -q -v -l say, at debug level when the
 * program has a switch `debug` that is on. From then on the process leaves no core file and can't be traced but by root,
 * unless the program has a switch `core-dumps` that is on. */
PIW_API int piw_config_load(piw_config **config, const piw_program *program, int argc, char **argv, piw_err *err);
/* The same while the program runs, from any one thread: reads everything again, and leaves the log as it is. */
PIW_API int piw_config_reload(piw_config **config, const piw_program *program, int argc, char **argv, piw_err *err);
PIW_API void piw_config_free(piw_config **config);

/* Values by long name; asking for a name that isn't in the table is a bug (abort). */
PIW_API const char *piw_config_text(const piw_config *config, const char *name); /* NULL when unset */
PIW_API int64_t piw_config_int(const piw_config *config, const char *name);      /* int, ms or bytes */
PIW_API bool piw_config_switch(const piw_config *config, const char *name);
PIW_API size_t piw_config_list(const piw_config *config, const char *name, const char *const **items);
PIW_API bool piw_config_given(const piw_config *config, const char *name); /* not only the default */
PIW_API size_t piw_config_operands(const piw_config *config, const char *const **items);
/* Where a value came from: "default", "command line", "environment PIW_ADDRESS", "/etc/piwheels.conf:12". */
PIW_API const char *piw_config_origin(const piw_config *config, const char *name);

/* A key of another section as it was written; NULL when absent. Only of sections that
 * are kept by the program. */
PIW_API const char *piw_config_raw(const piw_config *config, const char *section, const char *key, const char **origin);
/* The names of the sections with a prefix ("task:"), in order of appearance; and the keys of one. */
PIW_API size_t piw_config_sections(const piw_config *config, const char *prefix, const char *const **names);
PIW_API size_t piw_config_keys(const piw_config *config, const char *section, const char *const **keys);

/* Tell, with file and line, of each key that no program reads where it stands, and of each section whose name is nearly that
 * of one that is read. How many there were. */
PIW_API size_t piw_config_strays(const piw_config *config, void (*tell)(const char *sentence));

/* --print-config: every value and where it comes from, to stdout. */
PIW_API void piw_config_print(const piw_config *config);

/* Check a value against an option's kind and bounds; used for task options too. `value` in text form. The sentence
 * says what is wrong with the value; the caller puts the key and where it stands before it (piw_err_prefix). */
PIW_API int piw_opt_check(const piw_opt *option, const char *value, piw_err *err);
/* Text -> number for INT, DURATION (ms), SIZE, SWITCH (0/1). */
PIW_API int piw_opt_number(const piw_opt *option, const char *value, int64_t *number, piw_err *err);

/* "~" or "~user" at the beginning of a path replaced by the home directory; a new string, to be freed. Values of
 * PIW_OPT_PATH have been through it. PIW_ENOENT with a sentence for an unknown user. */
PIW_API int piw_expand_home(const char *path, char **expanded, piw_err *err);

/* The end of every program: prints "PROGRAM: TEXT" of an error on stderr and returns the exit code (2 for PIW_EUSAGE,
 * else 1; 0 when there is none). */
PIW_API int piw_program_exit(const piw_program *program, const piw_err *err);

/* "QUESTION [Y/n] " on stdout: 1 yes, 0 no, PIW_EINVAL at end of input. */
PIW_API int piw_ask(const char *question);

#ifdef __cplusplus
}
#endif

#endif
