/* suspect_list.c — the units that are to be looked at again. */
#include "audit.h"

#include <stdlib.h>

static suspect *find(audit *self, audit_phase phase, const char *key)
{
    for (size_t i = 0; i < self->suspects_count; i++)
        if (self->suspects[i].phase == phase && strcmp(self->suspects[i].key, key) == 0)
            return &self->suspects[i];
    return NULL;
}

void suspects_remove(audit *self, size_t index)
{
    free(self->suspects[index].key);
    findings_fini(&self->suspects[index].list);
    self->suspects[index] = self->suspects[--self->suspects_count];
}

void suspects_add(audit *self, audit_phase phase, const char *key, const findings *list)
{
    if (self->suspects_count == self->suspects_room) {
        self->suspects_room = self->suspects_room == 0 ? 16 : 2 * self->suspects_room;
        self->suspects = piw_realloc(self->suspects, self->suspects_room * sizeof(*self->suspects));
    }
    self->suspects[self->suspects_count++] = (suspect){
        .phase = phase, .key = piw_strdup(key), .list = *list, .next_ns = piw_monotonic_ns() + self->settle_ns};
}

void suspects_put(audit *self, audit_phase phase, const char *key)
{
    if (find(self, phase, key) == NULL)
        suspects_add(self, phase, key, &(findings){0});
}

void suspects_drop(audit *self, audit_phase phase, const char *key)
{
    suspect *one = find(self, phase, key);
    if (one != NULL)
        suspects_remove(self, (size_t)(one - self->suspects));
}

void suspects_fini(audit *self)
{
    while (self->suspects_count > 0)
        suspects_remove(self, self->suspects_count - 1);
    free(self->suspects);
}
