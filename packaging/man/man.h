/* man.h — option tables as JSON on stdout, for the pages that are made of them. */
#ifndef MAN_H
#define MAN_H

#include "piw/options.h"

#include <stdio.h>

static inline void man_text(const char *text)
{
    if (text == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || *at < ' ')
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    putchar('"');
}

static inline void man_options(const piw_opt *options)
{
    static const char *const kinds[] = {
        [PIW_OPT_SWITCH] = "switch",     [PIW_OPT_TEXT] = "text", [PIW_OPT_PATH] = "path",     [PIW_OPT_INT] = "int",
        [PIW_OPT_DURATION] = "duration", [PIW_OPT_SIZE] = "size", [PIW_OPT_CHOICE] = "choice", [PIW_OPT_LIST] = "list",
    };
    putchar('[');
    for (const piw_opt *opt = options; opt != NULL && opt->name != NULL; opt++) {
        const char short_name[2] = {opt->short_name, '\0'};
        const char *const texts[][2] = {
            {"short", opt->short_name != 0 ? short_name : NULL},
            {"name", opt->name},
            {"kind", kinds[opt->kind]},
            {"value", opt->value_name},
            {"fallback", opt->fallback},
            {"help", opt->help},
            {"choices", opt->choices},
            {"env", opt->env},
        };
        fputs(opt != options ? ",\n {" : "{", stdout);
        for (size_t i = 0; i < PIW_COUNT(texts); i++) {
            printf("%s\"%s\": ", i > 0 ? ", " : "", texts[i][0]);
            man_text(texts[i][1]);
        }
        printf(", \"cli_only\": %s}", opt->cli_only ? "true" : "false");
    }
    putchar(']');
}

#endif
