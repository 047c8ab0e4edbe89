/* c_words.h — words of C, and macros of its compilers, which can't be names in what piw-idl writes. */
#ifndef COMMON_C_WORDS_H
#define COMMON_C_WORDS_H

/* clang-format off */
#define C_WORDS                                                                                                        \
    "auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", \
    "false", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short",         \
    "signed", "sizeof", "static", "struct", "switch", "true", "typedef", "typeof", "union", "unsigned", "void",        \
    "volatile", "while", "asm", "unix", "linux"
/* clang-format on */

#endif
