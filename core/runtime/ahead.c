/* ahead.c — plugins' files read ahead of their loading. Copying them takes as long as mapping what the first one needs, and the
 * loader of the system takes one at a time. */
#include "runtime/ahead.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct found_file {
    piw__plugin_file file;
    int rc;
    piw_err err;
} found_file;

struct piw__ahead {
    const piw__plugin_dirs *dirs;
    const char *const *files;
    size_t count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done; /* under the lock: those before it belong to who takes them */
    found_file at[];
};

static void *read_all(void *arg)
{
    piw__ahead *self = arg;
    for (size_t i = 0; i < self->count; i++) {
        found_file *found = &self->at[i];
        found->rc = piw__image_fetch(self->dirs, self->files[i], &found->file, &found->err);
        pthread_mutex_lock(&self->lock);
        self->done = i + 1;
        pthread_cond_signal(&self->changed);
        pthread_mutex_unlock(&self->lock);
    }
    return NULL;
}

piw__ahead *piw__ahead_start(const piw__plugin_dirs *dirs, const char *const *files, size_t count)
{
    piw__ahead *self = piw_zalloc(sizeof(*self) + count * sizeof(self->at[0]));
    *self = (piw__ahead){.dirs = dirs, .files = files, .count = count};
    for (size_t i = 0; i < count; i++)
        self->at[i].file = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    if (pthread_create(&self->thread, NULL, read_all, self) == 0)
        return self;
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    return NULL;
}

int piw__ahead_take(piw__ahead *self, size_t number, piw__plugin_file *file, piw_err *err)
{
    found_file *found = &self->at[number];
    pthread_mutex_lock(&self->lock);
    while (self->done <= number)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    *file = found->file;
    found->file = (piw__plugin_file)PIW__NO_PLUGIN_FILE;
    if (found->rc != 0)
        *err = found->err;
    return found->rc;
}

void piw__ahead_end(piw__ahead **ahead)
{
    piw__ahead *self = *ahead;
    *ahead = NULL;
    if (self == NULL)
        return;
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < self->count; i++)
        piw__plugin_file_close(&self->at[i].file);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
