/* lex.c — bytes of a .piw file to tokens, with the comments that belong to them. */
#include "idl.h"

#include <ctype.h>
#include <string.h>

typedef struct lexer {
    idl_tokens tokens;
    const char *text, *end, *at;
    int line;
    bool first;   /* no token yet on this line */
    idl_out doc;  /* comment lines since the last token or blank line */
    int doc_line; /* the line of its last one; 0: none */
} lexer;

static char *take(idl_out *out)
{
    char *text = out->len != 0 ? out->text : NULL;
    *out = (idl_out){0};
    return text;
}

static void add(lexer *lx, idl_token_kind kind, const char *from, size_t len)
{
    idl_token *token = idl_append(&lx->tokens.at, &lx->tokens.count, sizeof(*token));
    token->kind = kind;
    token->text = idl_copy(from, len);
    token->line = lx->line;
    token->first = lx->first;
    if (lx->doc_line != 0 && lx->doc_line + 1 == lx->line)
        token->doc = take(&lx->doc);
    lx->doc.len = 0;
    lx->doc_line = 0;
    lx->first = false;
}

static void comment(lexer *lx)
{
    const char *from = lx->at + 1;
    const char *to = memchr(from, '\n', (size_t)(lx->end - from));
    if (to == NULL)
        to = lx->end;
    lx->at = to;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    idl_pos pos = {lx->tokens.file, lx->line};
    for (const char *c = from; c < to; c++)
        if ((unsigned char)*c < ' ' || (c + 1 < to && *c == '*' && c[1] == '/'))
            idl_fail(pos, "a comment holds a control character or */");
    if (!lx->first) {
        lx->tokens.at[lx->tokens.count - 1].trail = idl_copy(from, (size_t)(to - from));
        return;
    }
    /* A blank line between two comments ends the first: the one that opens the file speaks of the file. */
    if (lx->doc_line != 0 && lx->doc_line + 1 != lx->line) {
        char *before = take(&lx->doc);
        if (lx->tokens.count == 0 && lx->tokens.doc == NULL)
            lx->tokens.doc = before;
    }
    idl_print(&lx->doc, "%s%.*s", lx->doc.len != 0 ? "\n" : "", (int)(to - from), from);
    lx->doc_line = lx->line;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void string(lexer *lx)
{
    idl_pos pos = {lx->tokens.file, lx->line};
    const char *from = lx->at + 1, *to = from;
    for (; to < lx->end && *to != '"'; to++)
        if ((unsigned char)*to < ' ' || (unsigned char)*to >= 0x7f || *to == '\\')
            idl_fail(pos, "a literal is printable ASCII on one line, without \\");
    if (to == lx->end)
        idl_fail(pos, "the literal has no closing quote");
    add(lx, IDL_STRING, from, (size_t)(to - from));
    lx->at = to + 1;
}

static void token(lexer *lx)
{
    const char *from = lx->at, *to = from;
    if (*from == '"') {
        string(lx);
    } else if (word_char(*from)) {
        while (to < lx->end && word_char(*to))
            to++;
        add(lx, isdigit((unsigned char)*from) ? IDL_NUMBER : IDL_WORD, from, (size_t)(to - from));
        lx->at = to;
    } else if (*from == '-' && lx->end - from > 1 && from[1] == '>') {
        add(lx, IDL_ARROW, from, 2);
        lx->at += 2;
    } else if (*from != '\0' && strchr("(){}[],:?|", *from) != NULL) {
        add(lx, IDL_PUNCT, from, 1);
        lx->at++;
    } else {
        idl_pos pos = {lx->tokens.file, lx->line};
        if (isprint((unsigned char)*from))
            idl_fail(pos, "'%c' has no meaning here", *from);
        idl_fail(pos, "byte 0x%02x has no meaning here", (unsigned char)*from);
    }
}

idl_tokens idl_lex(const char *file, const char *text, size_t len)
{
    lexer lx = {.tokens = {.file = file}, .text = text, .end = text + len, .at = text, .line = 1, .first = true};
    while (lx.at < lx.end) {
        char c = *lx.at;
        if (c == '\n') {
            lx.line++;
            lx.first = true;
            lx.at++;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            lx.at++;
        } else if (c == '#') {
            comment(&lx);
        } else {
            size_t before = lx.tokens.count;
            char *doc = before == 0 && lx.doc_line != 0 && lx.doc_line + 1 != lx.line ? take(&lx.doc) : NULL;
            token(&lx);
            if (doc != NULL && lx.tokens.doc == NULL)
                lx.tokens.doc = doc;
        }
    }
    add(&lx, IDL_END, "", 0);
    /* A comment right above an import opens the file too. */
    idl_token *opening = &lx.tokens.at[0];
    if (lx.tokens.doc == NULL && opening->doc != NULL && strcmp(opening->text, "import") == 0)
        lx.tokens.doc = opening->doc;
    return lx.tokens;
}
