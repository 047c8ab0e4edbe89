/* clerk.h — what piw-import, piw-add, piw-remove and piw-rebuild share: options, the question to the user, requests to the
 * import queue (docs/wire.md#imports), and the end. One thread. */
#ifndef COMMON_CLERK_H
#define COMMON_CLERK_H

#include "import.piw.h"
#include "piw/client.h"
#include "piw/options.h"
#include "shared/names.h"

/* The last options of each of them. */
#define CLERK_OPTIONS                                                                                                  \
    {'y', "yes", PIW_OPT_SWITCH, NULL, NULL, "don't ask", .cli_only = true},                                           \
        {0, "import-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-import", "the master's import queue"},               \
        {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "cbor towards a stock master", .choices = "msgpack|cbor"},    \
        PIW_OPT_END

enum {
    CLERK_NO = 1,           /* the user said no */
    CLERK_ANSWER_S = 120,   /* a master that is there answers at once, but for one whose database is away */
    CLERK_REASON_MAX = 100, /* characters of a reason for skipping: the width of packages.skip */
};

typedef struct clerk {
    const piw_config *config;
    const char *const *operands;
    size_t operands_count;
    const char *address; /* of the import queue */
    piw_codec codec;
    piw_client *queue; /* NULL before the first request */
} clerk;

/* The work itself: 0, CLERK_NO or an error. */
typedef int clerk_run_fn(clerk *self, piw_err *err);
/* main() of a program; returns its exit code. */
int clerk_main(const piw_program *program, clerk_run_fn *run, int argc, char **argv);

/* A line on standard output, unless --quiet. */
void clerk_say(const clerk *self, const char *fmt, ...) PIW_PRINTF(2, 3);
/* Ask "QUESTION [Y/n]", unless --yes. 0: yes; CLERK_NO; PIW_EINVAL at the end of input. */
int clerk_agree(const clerk *self, piw_err *err, const char *fmt, ...) PIW_PRINTF(3, 4);

/* Send a request, which is taken, and wait for the answer, which is the caller's then. After some seconds it says that
 * it waits. PIW_ENET: there is no master, or it went away before it answered; PIW_EDEADLINE after patience_s. */
int clerk_ask(clerk *self, piw_msg *request, int patience_s, piw_msg **answer, piw_err *err);

/* What the master's word means for the subject: "package x" "was added". */
typedef struct clerk_word {
    const char *word;
    bool refused; /* it is the text of an ERROR */
    const char *meaning;
} clerk_word;
/* One request that is answered with DONE, which is said to the user in the words of the table; an ERROR is PIW_EREFUSED.
 * The table ends with an empty entry. */
int clerk_command(clerk *self, piw_msg *request, const char *subject, const clerk_word *words, piw_err *err);

/* Checks of what the user wrote: PIW_EUSAGE. */
/* A package's name, in any spelling; `canonical` has PIW_NAME_MAX + 1 bytes, or is NULL. */
int clerk_check_package(const char *name, char *canonical, piw_err *err);
int clerk_check_version(const char *version, piw_err *err);
/* UTF-8 without control characters, 1 to `max` characters; `what` is "--skip". */
int clerk_check_text(const char *what, const char *text, size_t max, piw_err *err);

#endif
