/* opening.c — what lies on the site is read, once it is there. */
#include "juggler.h"

int juggler_open(piw_task *task, const piw_msg *state, piw_err *err)
{
    juggler *self = piw_soul(task);
    int rc =
        journal_open(&self->journal, self->root, state == NULL ? NULL : file_juggler_state_of(state)->journal, err);
    if (rc == 0 && state != NULL)
        rc = juggler_load(self, file_juggler_state_of(state), err);
    else if (rc == 0 && self->why == PIW_BOOT)
        rc = unfinished_find(self, err);
    else if (rc == 0)
        rc = unfinished_find_unstaged(self, err);
    if (rc == 0 && self->why == PIW_BOOT)
        rc = upkeep_check_logs(task);
    self->opened = rc == 0;
    self->unsynced = true; /* the journal's new file */
    if (rc == 0)
        rc = syncs_go(task);
    /* After a swap what the predecessor has begun comes back to us by itself. */
    return rc != 0 || state != NULL ? rc : unfinished_begin(task);
}
