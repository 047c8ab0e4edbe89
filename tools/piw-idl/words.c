/* words.c — the words of the language for kinds of types, messages and queues. */
#include "idl.h"

#include <stddef.h>

const char *const idl_kind_words[K_COUNT] = {"int",      "float", "bool",    "text", "bytes", "blob",  "time",
                                             "duration", "any",   "request", "list", "map",   "tuple", "oneof"};
const char *const idl_message_words[M_COUNT] = {"call", "cast", "reply", "event", "state", "work", "in", "out", "peer"};
const char *const idl_queue_words[Q_COUNT] = {"", "router", "frames", "pull", "pub"};
const char *const idl_queue_flags[] = {"admitted", "thread", "group", "private", NULL};
