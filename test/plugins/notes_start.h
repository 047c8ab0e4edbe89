/* notes_start.h — a start that is noted by a letter where the setting "notes" says, as prepares does. */
#ifndef NOTES_START_H
#define NOTES_START_H

#include "piw/plugin.h"

#include <stdlib.h>
#include <unistd.h>

static inline void notes_start(piw_task *task, char what)
{
    if (write(atoi(piw_setting(task, "notes")), &what, 1) != 1)
        abort();
}

#endif
