/* prepare.c — what a plugin begins before its task starts. */
#include "actor/prepare.h"

#include "actor/shell.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct piw__preparation {
    const piw__role *role;
    const piw__image *image;
    const piw__hub *hub;
    pthread_t thread;
    bool joined;
    void *prepared; /* by the thread; once it has been joined, whoever joined it has it */
} piw__preparation;

static void *prepare(void *arg)
{
    piw__preparation *self = arg;
    char name[80];
    snprintf(name, sizeof(name), "master.%s", self->role->name);
    piw_log_name_thread(name);
    self->prepared = self->image->preparation->prepare(self->hub->setting, self->hub->arg);
    return NULL;
}

void piw__preparation_begin(piw__role *role, const piw__hub *hub)
{
    if (role->image->preparation == NULL || hub->setting == NULL)
        return;
    piw__preparation *self = piw_zalloc(sizeof(*self));
    *self = (piw__preparation){.role = role, .image = role->image, .hub = hub};
    if (pthread_create(&self->thread, NULL, prepare, self) == 0)
        role->preparation = self;
    else
        free(self);
}

static void *take(piw__preparation *self)
{
    if (!self->joined)
        pthread_join(self->thread, NULL);
    self->joined = true;
    void *prepared = self->prepared;
    self->prepared = NULL;
    return prepared;
}

void piw__preparation_end(piw__role *role)
{
    piw__preparation *self = role->preparation;
    role->preparation = NULL;
    if (self == NULL)
        return;
    void *prepared = take(self);
    if (prepared != NULL)
        self->image->preparation->discard(prepared);
    free(self);
}

void *piw_prepared(piw_task *task)
{
    piw__preparation *self = task->shell->role->preparation;
    return self != NULL && task->shell->instance == 0 && task->image == self->image ? take(self) : NULL;
}
