/* start_order.c — the order in which tasks start: each after those that serve what it needs. */
#include "runtime/inner.h"

#include <stdio.h>
#include <stdlib.h>

enum mark { UNSEEN, ON_THE_WAY, PLACED };

struct walk {
    piw_runtime *runtime;
    enum mark *marks;
    size_t placed;
    piw__role **path; /* from the first task down to where we are */
    size_t depth;
    piw_err *err;
};

static size_t index_of(const piw_runtime *runtime, const piw__role *role)
{
    size_t i = 0;
    while (runtime->roles[i] != role)
        i++;
    return i;
}

static int say_cycle(const struct walk *walk, const piw__role *role)
{
    char names[300] = "";
    size_t len = 0;
    bool inside = false;
    for (size_t i = 0; i < walk->depth && len < sizeof(names); i++) {
        inside = inside || walk->path[i] == role;
        if (inside)
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s needs ", walk->path[i]->name);
    }
    return piw_err_set(walk->err, PIW_ECONFIG, "the tasks can't be started: %s%s: a cycle of needs", names, role->name);
}

static int place(struct walk *walk, piw__role *role);

static int place_needed(struct walk *walk, piw__role *role)
{
    const char *const *needs = role->image->plugin->needs;
    for (unsigned i = 0; needs != NULL && needs[i] != NULL; i++) {
        const piw__service *service = piw__registry_find(&walk->runtime->hub.registry, needs[i]);
        if (service == NULL)
            return piw_err_set(walk->err, PIW_ECONFIG, "task %s needs the service %s, which no task serves", role->name,
                               needs[i]);
        if (!service->role->enabled && role->enabled)
            return piw_err_set(walk->err, PIW_ECONFIG,
                               "task %s needs the service %s, but task %s, which serves it, is disabled", role->name,
                               needs[i], service->role->name);
        int rc = service->role != role ? place(walk, service->role) : 0;
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int place(struct walk *walk, piw__role *role)
{
    size_t i = index_of(walk->runtime, role);
    if (walk->marks[i] == PLACED)
        return 0;
    if (walk->marks[i] == ON_THE_WAY)
        return say_cycle(walk, role);
    walk->marks[i] = ON_THE_WAY;
    walk->path[walk->depth++] = role;
    int rc = role->image != NULL ? place_needed(walk, role) : 0;
    if (rc != 0)
        return rc;
    walk->depth--;
    walk->marks[i] = PLACED;
    role->order = (unsigned)walk->placed;
    walk->runtime->order[walk->placed++] = role;
    return 0;
}

int piw__runtime_order(piw_runtime *runtime, piw_err *err)
{
    size_t count = runtime->roles_count + 1;
    struct walk walk = {.runtime = runtime, .err = err};
    walk.marks = piw_zalloc(count * sizeof(*walk.marks));
    walk.path = piw_zalloc(count * sizeof(*walk.path));
    free(runtime->order);
    runtime->order = piw_zalloc(PIW_LIMIT_TASKS * sizeof(*runtime->order));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < runtime->roles_count; i++)
        rc = place(&walk, runtime->roles[i]);
    free(walk.marks);
    free(walk.path);
    return rc;
}
