/* unfinished.c — jobs that were under way when a recording ended: it has some of their files, or none, while a player has run them
 * to their end. What they wrote isn't compared. */
#include "replay.h"

#include <stdlib.h>

job_kind *unfinished_kind(side *self, const char *word)
{
    for (size_t i = 0; i < self->kinds_count; i++)
        if (strcmp(self->kinds[i].word, word) == 0)
            return &self->kinds[i];
    self->kinds = piw_realloc(self->kinds, (self->kinds_count + 1) * sizeof(*self->kinds));
    self->kinds[self->kinds_count] = (job_kind){.word = piw_strdup(word)};
    return &self->kinds[self->kinds_count++];
}

static bool is_unfinished(side *recorded, const side *played, const used_file *file)
{
    if (file->job == 0)
        return false;
    const job_kind *kind = unfinished_kind(recorded, played->kinds[file->job - 1].word);
    uint64_t ended = kind->ended > kind->before ? kind->ended - kind->before : 0;
    return file->number > ended && file->number <= kind->begun; /* what it never had is another thing */
}

static void drop(side *self, const char *path)
{
    for (size_t i = 0; i < self->files_count; i++) {
        if (strcmp(self->files[i].path, path) != 0)
            continue;
        free(self->files[i].path);
        self->files_count--;
        memmove(&self->files[i], &self->files[i + 1], (self->files_count - i) * sizeof(*self->files));
        return;
    }
}

size_t unfinished_leave_out(side *recorded, side *played)
{
    size_t count = 0;
    for (size_t i = 0; i < played->files_count;) {
        if (!is_unfinished(recorded, played, &played->files[i])) {
            i++;
            continue;
        }
        char *path = piw_strdup(played->files[i].path);
        drop(recorded, path);
        drop(played, path);
        free(path);
        count++;
    }
    return count;
}

void unfinished_fini(side *self)
{
    for (size_t i = 0; i < self->kinds_count; i++)
        free(self->kinds[i].word);
    free(self->kinds);
}
