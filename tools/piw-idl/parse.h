/* parse.h — inside the parser: where it stands among the tokens, and what both of its halves use. */
#ifndef IDL_PARSE_H
#define IDL_PARSE_H

#include "idl.h"

typedef struct idl_parser {
    idl_context *context;
    idl_file *file;
    idl_tokens tokens;
    size_t at;
    bool lock;
} idl_parser;

/* --- cursor.c: the tokens, one after the other --- */
idl_token *idl_peek(idl_parser *p);
idl_pos idl_here(idl_parser *p);
idl_token *idl_next(idl_parser *p);
/* The token for an error's text. */
const char *idl_shown(const idl_token *token);
bool idl_is(idl_parser *p, const char *text);
/* Takes the token if it is this one. */
bool idl_eat(idl_parser *p, const char *text);
void idl_expect(idl_parser *p, const char *text);
const char *idl_word(idl_parser *p, const char *what);
uint64_t idl_size(idl_parser *p);
uint64_t idl_span(idl_parser *p); /* milliseconds */
uint64_t idl_bound(idl_parser *p, const char *of);
/* Two comments as one; either may be NULL. */
const char *idl_joined(const char *above, const char *behind);
/* The comment on the line where what was just read ended. */
const char *idl_trail(idl_parser *p);

/* --- parse_type.c --- */
idl_type *idl_new_type(idl_parser *p, idl_kind kind);
idl_type *idl_named_type(const idl_file *file, const char *name);
void idl_tuple_fields(idl_parser *p, idl_type *tuple, int depth);
/* What a message carries: nothing, a tuple, a oneof, or a named type. */
idl_type *idl_body(idl_parser *p);

#endif
