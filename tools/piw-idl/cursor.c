/* cursor.c — the tokens of a file, one after the other. */
#include "parse.h"

#include <string.h>

idl_token *idl_peek(idl_parser *p)
{
    return &p->tokens.at[p->at];
}

idl_pos idl_here(idl_parser *p)
{
    return (idl_pos){p->tokens.file, idl_peek(p)->line};
}

idl_token *idl_next(idl_parser *p)
{
    idl_token *token = idl_peek(p);
    if (token->kind != IDL_END)
        p->at++;
    return token;
}

const char *idl_shown(const idl_token *token)
{
    return token->kind == IDL_END ? "the end of the file" : idl_format("'%s'", token->text);
}

bool idl_is(idl_parser *p, const char *text)
{
    idl_token *token = idl_peek(p);
    return token->kind != IDL_END && token->kind != IDL_STRING && strcmp(token->text, text) == 0;
}

bool idl_eat(idl_parser *p, const char *text)
{
    if (!idl_is(p, text))
        return false;
    idl_next(p);
    return true;
}

void idl_expect(idl_parser *p, const char *text)
{
    if (!idl_eat(p, text))
        idl_fail(idl_here(p), "'%s' is wanted, not %s", text, idl_shown(idl_peek(p)));
}

const char *idl_word(idl_parser *p, const char *what)
{
    if (idl_peek(p)->kind != IDL_WORD)
        idl_fail(idl_here(p), "%s is wanted, not %s", what, idl_shown(idl_peek(p)));
    return idl_next(p)->text;
}

/* A number with a unit of `units` ("KMG" of 1024, or times), at most 2^32 - 1. */
static uint64_t number(idl_parser *p, const char *const units[], const uint64_t factors[], const char *what)
{
    idl_token *token = idl_peek(p);
    if (token->kind != IDL_NUMBER)
        idl_fail(idl_here(p), "%s is wanted, not %s", what, idl_shown(token));
    const char *c = token->text;
    uint64_t value = 0;
    for (; *c >= '0' && *c <= '9'; c++) {
        value = value * 10 + (uint64_t)(*c - '0');
        if (value > UINT32_MAX)
            idl_fail(idl_here(p), "%s is too large", token->text);
    }
    if (*c != '\0') {
        size_t i = 0;
        while (units[i] != NULL && strcmp(units[i], c) != 0)
            i++;
        if (units[i] == NULL)
            idl_fail(idl_here(p), "'%s' isn't %s", token->text, what);
        value *= factors[i];
    }
    if (value == 0 || value > UINT32_MAX)
        idl_fail(idl_here(p), "%s is out of range", token->text);
    idl_next(p);
    return value;
}

uint64_t idl_size(idl_parser *p)
{
    static const char *const units[] = {"K", "M", "G", NULL};
    static const uint64_t factors[] = {1 << 10, 1 << 20, 1 << 30};
    return number(p, units, factors, "a size");
}

uint64_t idl_span(idl_parser *p)
{
    static const char *const units[] = {"ms", "s", "m", "h", NULL};
    static const uint64_t factors[] = {1, 1000, 60000, 3600000};
    if (idl_peek(p)->kind == IDL_NUMBER && idl_peek(p)->text[strspn(idl_peek(p)->text, "0123456789")] == '\0')
        idl_fail(idl_here(p), "a time needs its unit: ms, s, m or h");
    return number(p, units, factors, "a time");
}

uint64_t idl_bound(idl_parser *p, const char *of)
{
    static const char *const units[] = {NULL};
    if (!idl_eat(p, "("))
        idl_fail(idl_here(p), "%s needs a bound: %s(n)", of, of);
    uint64_t max = number(p, units, NULL, "a bound");
    idl_expect(p, ")");
    return max;
}

const char *idl_joined(const char *above, const char *behind)
{
    if (above == NULL || behind == NULL)
        return above != NULL ? above : behind;
    return idl_format("%s\n%s", above, behind);
}

/* The comment on the line where what was just read ended. */
const char *idl_trail(idl_parser *p)
{
    return p->at > 0 ? p->tokens.at[p->at - 1].trail : NULL;
}
