/* firsts.h — commands to put a package first, until the database has been told. One thread; package names are the
 * list's, and of who takes one out. */
#ifndef ARCHITECT_FIRSTS_H
#define ARCHITECT_FIRSTS_H

#include "piw/msg.h"
#include "the_architect.piw.h"

enum { FIRSTS_MAX = 100 }; /* that wait at a time: an operator types them */

typedef struct first_command {
    struct first_command *next;
    piw_token answer;
    char *package; /* canonical */
} first_command;

typedef struct first_commands {
    first_command *first, *last;
    int count;
} first_commands; /* zero-initialised is empty */

void firsts_add(first_commands *commands, piw_token answer, const char *package);
/* Take the oldest out; false: there is none. The package is the caller's to free. */
bool firsts_take(first_commands *commands, first_command *taken);
void firsts_fini(first_commands *commands);
/* Over a swap. */
void firsts_save(const first_commands *commands, piw_msg *msg, architect_state *state);
void firsts_load(first_commands *commands, const architect_state *state);

#endif
