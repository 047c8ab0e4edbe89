/* phase.c — the names of its parts, and whether it is asked to end. */
#include "audit.h"

#include <signal.h>

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

bool audit_stopped(void)
{
    return stopped != 0;
}

int audit_catch_signals(piw_err *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    return sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0
               ? 0
               : piw_err_errno(err, "can't set up signals");
}

const char *audit_phase_name(audit_phase phase)
{
    static const char *const names[AUDIT_PHASES] = {"database", "packages", "logs", "site"};
    return names[phase];
}
