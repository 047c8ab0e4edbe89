/* option_help.c — what --help, --version and --print-config write to stdout. */
#include "config/options.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WIDTH = 88,  /* columns of --help */
    COLUMN = 32, /* where the explanations begin */
};

/* Words of `text` from column COLUMN on; the cursor is at `at`. */
static void print_wrapped(const char *text, size_t at)
{
    bool first = true;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (first || at + 1 + len > WIDTH) {
            bool new_line = !first || at + 2 > COLUMN;
            printf("%s%*s", new_line ? "\n" : "", (int)(new_line ? COLUMN : COLUMN - at), "");
            at = COLUMN;
        } else {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)len, text);
        at += len;
        text += len + strspn(text + len, " ");
        first = false;
    }
    putchar('\n');
}

static void print_option(const piw_opt *opt)
{
    char left[128];
    int n = opt->short_name != 0 ? snprintf(left, sizeof(left), "  -%c, --%s", opt->short_name, opt->name)
                                 : snprintf(left, sizeof(left), "      --%s", opt->name);
    if (opt->kind != PIW_OPT_SWITCH && n > 0 && (size_t)n < sizeof(left)) {
        const char *value = opt->value_name != NULL ? opt->value_name : opt->choices != NULL ? opt->choices : "VALUE";
        n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", value);
    }
    char *fallback = opt->kind != PIW_OPT_SWITCH && opt->fallback != NULL
                         ? piw_sprintf(" (default: %s)", *opt->fallback != '\0' ? opt->fallback : "empty")
                         : piw_strdup("");
    char *env = opt->env != NULL ? piw_sprintf(" (environment: %s)", opt->env) : piw_strdup("");
    char *help = piw_sprintf("%s%s%s%s", opt->help != NULL ? opt->help : "",
                             opt->kind == PIW_OPT_LIST ? " (may be repeated)" : "", fallback, env);
    fputs(left, stdout);
    print_wrapped(help, (size_t)n);
    free(fallback);
    free(env);
    free(help);
}

/* Switches that make sense on a command line only. */
static void print_no_keys(const piw_program *program)
{
    bool any = false;
    for (const piw_opt *opt = program->options; opt->name != NULL; opt++) {
        if (opt->cli_only)
            printf("%s--%s", any ? ", " : "Not keys: ", opt->name);
        any |= opt->cli_only;
    }
    if (any)
        printf(".\n");
}

void piw__print_help(const piw_program *program)
{
    printf("usage: %s [options]%s%s\n\n%s\n\n", program->name, program->operands != NULL ? " " : "",
           program->operands != NULL ? program->operands : "", program->summary);
    for (const piw_opt *opt = piw__core_options; opt->name != NULL; opt++)
        print_option(opt);
    for (const piw_opt *opt = program->options; opt->name != NULL; opt++)
        print_option(opt);
    printf("\nLong options are also keys of /etc/piwheels.conf, /usr/local/etc/piwheels.conf and\n"
           "~/.config/piwheels/piwheels.conf, in section [%s] or before any section.\n",
           program->section);
    print_no_keys(program);
    fflush(stdout);
}

void piw__print_version(const piw_program *program)
{
    printf("%s %s\n", program->name, PIW_VERSION);
    fflush(stdout);
}

/* As a file would have it: quoted where blanks or comment signs would be lost, or brackets read as a list. */
static void print_value(const char *text)
{
    bool plain = *text != '\0' && strpbrk(text, " \t#;'\"[],") == NULL;
    const char *quote = plain ? "" : strchr(text, '"') != NULL ? "'" : "\"";
    printf("%s%s%s", quote, text, quote);
}

static void print_line(const piw__value *value)
{
    const char *name = value->opt->name;
    if (value->text == NULL && value->items_count == 0) {
        printf("# %s is not set\n", name);
        return;
    }
    printf("%s = ", name);
    if (value->opt->kind == PIW_OPT_LIST) {
        putchar('[');
        for (size_t i = 0; i < value->items_count; i++) {
            fputs(i > 0 ? ", " : "", stdout);
            print_value(value->items[i]);
        }
        putchar(']');
    } else if (value->text != NULL) {
        print_value(value->text);
    }
    printf("  # %s\n", value->origin);
}

void piw_config_print(const piw_config *config)
{
    printf("[%s]\n", config->program->section);
    for (size_t i = 0; i < config->values_count; i++) {
        if (!config->values[i].opt->cli_only)
            print_line(&config->values[i]);
    }
    const char *const *sections, *const *keys;
    size_t sections_count = piw_config_sections(config, "", &sections);
    for (size_t i = 0; i < sections_count; i++) {
        printf("\n[%s]\n", sections[i]);
        size_t keys_count = piw_config_keys(config, sections[i], &keys);
        for (size_t k = 0; k < keys_count; k++) {
            const char *origin;
            printf("%s = ", keys[k]);
            print_value(piw_config_raw(config, sections[i], keys[k], &origin));
            printf("  # %s\n", origin);
        }
    }
    fflush(stdout);
}
