/* foreground.c — now and then it is looked at what the tasks say of themselves, and drawn. */
#include "foreground.h"

#include <stdio.h>

static void look(void *arg)
{
    foreground *self = arg;
    for (size_t i = 0; i < self->tasks->count; i++) {
        piw_task_figures figures;
        char text[sizeof(figures.note) + 80];
        if (piw_runtime_figures(self->runtime, self->tasks->at[i].name, 0, &figures) != 0)
            continue;
        int percent = tool_progress_percent(figures.note);
        if (percent < 0)
            continue;
        snprintf(text, sizeof(text), "%s: %s", self->tasks->at[i].name, figures.note);
        tool_progress_note(&self->bar, percent, text);
        return;
    }
    tool_progress_clear(&self->bar);
}

void foreground_begin(foreground *self, piw_runtime *runtime, const task_list *tasks, bool quiet)
{
    *self = (foreground){.runtime = runtime, .tasks = tasks};
    tool_progress_begin(&self->bar, quiet ? NULL : stderr);
    if (self->bar.terminal)
        piw_runtime_each_second(runtime, look, self);
}

void foreground_end(foreground *self)
{
    tool_progress_clear(&self->bar);
}
