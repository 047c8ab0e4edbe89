/* process.h — commands that the slave runs: each in a session and process group of its own, limited, and ended with
 * everything it started.
 *
 * The slave is the "subreaper" of its descendants, so that a process which leaves its group and loses its parent
 * becomes the slave's child and is found. One command runs at a time. SIGCHLD must be blocked. Main thread only. */
#ifndef SLAVE_PROCESS_H
#define SLAVE_PROCESS_H

#include "piw/codec.h"

#include <sys/types.h>

typedef struct slave_command {
    const char *const *argv; /* argv[0] is a path; NULL-terminated */
    const char *const *env;  /* the whole environment; NULL-terminated */
    const char *dir;         /* working folder */
    int output;              /* descriptor for stdout and stderr */
    int64_t memory;          /* bytes of address space a process may have; 0: no limit */
} slave_command;

/* Adopt orphans; before the first command. */
int slave_process_init(piw_err *err);
/* Start; standard input is /dev/null. The caller closes command->output. */
int slave_process_start(const slave_command *command, pid_t *pid, piw_err *err);
/* Has it ended? Then *status is what waitpid says. */
bool slave_process_ended(pid_t pid, int *status);
/* Kill the group of `pid` and every other descendant, and wait for them. *status (may be NULL) is that of pid if it
 * hadn't been asked for. Within 10 s; what can't be killed by then (stuck in the kernel) is left with a warning. */
void slave_process_kill(pid_t pid, int *status);

/* Bytes of memory that all descendants of this process use now; what they share counts for each. */
int64_t slave_process_memory(void);

/* Run a command to its end and collect at most `max` bytes of output. *status as of waitpid. PIW_EDEADLINE when it took
 * longer than timeout_ms: it has been killed. */
int slave_process_run(const slave_command *command, int timeout_ms, size_t max, piw_buffer *output, int *status,
                      piw_err *err);

#endif
