/* command_line.c — argv parsed against a program's options. */
#include "config/command_line.h"

#include "config/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

void piw__command_line_init(piw__command_line *line, const piw_program *program, int argc, char **argv)
{
    size_t room = 0;
    for (int i = 1; i < argc; i++)
        room += strlen(argv[i]) + 1;
    *line = (piw__command_line){
        .program = program,
        .argc = argc,
        .argv = argv,
        .next = 1,
        .given = piw_alloc(sizeof(piw__given) * room),
        .operands = piw_alloc(sizeof(char *) * (size_t)(argc > 0 ? argc : 1)),
    };
}

void piw__command_line_fini(piw__command_line *line)
{
    free(line->given);
    free(line->operands);
}

int piw__usage_error(const piw__command_line *line, piw_err *err, const char *fmt, ...)
{
    char text[PIW_ERR_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return piw_err_set(err, PIW_EUSAGE, "%s (see %s --help)", text, line->program->name);
}

static void give(piw__command_line *line, const piw_opt *opt, const char *text)
{
    line->given[line->given_count++] = (piw__given){opt, text};
}

/* The next argument as an option's value. Another option is none, or a forgotten value would swallow it. */
static const char *take_value(piw__command_line *line)
{
    if (line->next == line->argc)
        return NULL;
    const char *text = line->argv[line->next];
    bool option = text[0] == '-' && text[1] != '\0' && !isdigit((unsigned char)text[1]) && strchr(text, ' ') == NULL;
    if (option)
        return NULL;
    line->next++;
    return text;
}

/* The option of that name, or the only one that begins so. */
static const piw_opt *long_option(piw__command_line *line, const char *name, size_t len, piw_err *err)
{
    const piw_opt *tables[] = {line->program->options, piw__core_options}, *found = NULL;
    char names[256] = "";
    size_t count = 0;
    for (size_t t = 0; t < PIW_COUNT(tables); t++) {
        for (const piw_opt *opt = tables[t]; opt->name != NULL; opt++) {
            if (strncmp(opt->name, name, len) != 0)
                continue;
            if (opt->name[len] == '\0')
                return opt;
            size_t used = strlen(names);
            snprintf(names + used, sizeof(names) - used, "%s--%s", count > 0 ? ", " : "", opt->name);
            found = opt;
            count++;
        }
    }
    if (count == 0 || len == 0) {
        piw__usage_error(line, err, "unknown option --%.*s", (int)(len < 100 ? len : 100), name);
        return NULL;
    }
    if (count > 1) {
        piw__usage_error(line, err, "option --%.*s could be %s", (int)len, name, names);
        return NULL;
    }
    return found;
}

static int parse_long(piw__command_line *line, const char *arg, piw_err *err)
{
    size_t len = strcspn(arg, "=");
    const piw_opt *opt = long_option(line, arg, len, err);
    if (opt == NULL)
        return PIW_EUSAGE;
    const char *text = arg[len] == '=' ? arg + len + 1 : NULL;
    if (opt->kind == PIW_OPT_SWITCH) {
        if (text != NULL)
            return piw__usage_error(line, err, "option --%s takes no value", opt->name);
    } else if (text == NULL && (text = take_value(line)) == NULL) {
        return piw__usage_error(line, err, "option --%s needs a value", opt->name);
    }
    give(line, opt, text);
    return 0;
}

static const piw_opt *short_option(const piw__command_line *line, char name)
{
    const piw_opt *tables[] = {line->program->options, piw__core_options};
    for (size_t t = 0; t < PIW_COUNT(tables); t++) {
        for (const piw_opt *opt = tables[t]; opt->name != NULL; opt++) {
            if (opt->short_name == name)
                return opt;
        }
    }
    return NULL;
}

/* -v, -vq, -dDSN, -d DSN, -d=DSN, -vd DSN. */
static int parse_short(piw__command_line *line, const char *arg, piw_err *err)
{
    for (const char *s = arg; *s != '\0'; s++) {
        const piw_opt *opt = short_option(line, *s);
        if (opt == NULL)
            return piw__usage_error(line, err, "unknown option -%.100s", s);
        if (opt->kind == PIW_OPT_SWITCH) {
            give(line, opt, NULL);
            continue;
        }
        const char *text = s[1] == '=' ? s + 2 : s[1] != '\0' ? s + 1 : take_value(line);
        if (text == NULL)
            return piw__usage_error(line, err, "option -%c needs a value", *s);
        give(line, opt, text);
        break;
    }
    return 0;
}

/* 1 when help or version reached whoever asked. */
static int said(piw_err *err)
{
    return fflush(stdout) != 0 || ferror(stdout) ? piw_err_errno(err, "can't write to standard output") : 1;
}

int piw__command_line_parse(piw__command_line *line, piw_err *err)
{
    bool options = true;
    while (line->next < line->argc) {
        char *arg = line->argv[line->next++];
        int rc = 0;
        size_t before = line->given_count;
        if (!options || arg[0] != '-' || arg[1] == '\0') {
            if (line->program->operands == NULL)
                return piw__usage_error(line, err, "unexpected argument '%.100s'", arg);
            line->operands[line->operands_count++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            options = false;
        } else if (arg[1] == '-') {
            rc = parse_long(line, arg + 2, err);
        } else {
            rc = parse_short(line, arg + 1, err);
        }
        for (size_t i = before; rc == 0 && i < line->given_count; i++) {
            if (line->given[i].opt == &piw__core_options[0]) {
                piw__print_help(line->program);
                return said(err);
            }
            if (line->given[i].opt == &piw__core_options[1]) {
                piw__print_version(line->program);
                return said(err);
            }
        }
        if (rc != 0)
            return rc;
    }
    const piw_program *program = line->program;
    if (program->operands != NULL && line->operands_count < (size_t)program->operands_min)
        return piw__usage_error(line, err, "%s is missing", program->operands);
    if (program->operands != NULL && program->operands_max >= 0 &&
        line->operands_count > (size_t)program->operands_max) {
        return piw__usage_error(line, err, "unexpected argument '%.100s'", line->operands[program->operands_max]);
    }
    return 0;
}
