/* A task that prepares something, and notes what became of it where the setting "notes" says: a descriptor. With the setting "gate" its
 * preparation lasts until a byte comes from that one. */
#include "piw/plugin.h"

#include <stdlib.h>
#include <unistd.h>

static int notes = -1;

static void note(char what)
{
    if (write(notes, &what, 1) != 1)
        abort();
}

static void *prepare(piw_setting_fn *setting, void *arg)
{
    notes = atoi(setting(arg, "notes"));
    note('p');
    const char *gate = setting(arg, "gate");
    char byte;
    if (gate != NULL && read(atoi(gate), &byte, 1) != 1)
        abort();
    return &notes;
}

static void discard(void *prepared)
{
    if (prepared == &notes)
        note('d');
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    note(piw_prepared(task) == &notes ? 't' : 'n');
    if (piw_prepared(task) != NULL)
        note('2');
    return 0;
}

PIW_PREPARES(prepare, discard);
PIW_PLUGIN(prepares, .version = "1", .summary = "a fixture of the runtime's tests", .start = start, .instances = 2);
