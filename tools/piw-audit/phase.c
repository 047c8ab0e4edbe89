/* phase.c — the phases of an audit and their units, and whether it is asked to end. */
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

int parts_check(const audit_part *parts, size_t count, audit *self, const char *key, findings *found, piw_err *err)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(parts[i].key, key) == 0)
            return parts[i].check(self, found, err);
    return 0;
}

char *parts_next(const audit_part *parts, size_t count, const char *after)
{
    size_t next = 0;
    for (size_t i = 0; after != NULL && i < count; i++)
        if (strcmp(parts[i].key, after) == 0)
            next = i + 1;
    return next < count ? piw_strdup(parts[next].key) : NULL;
}
