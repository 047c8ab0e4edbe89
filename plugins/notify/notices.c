/* notices.c — what is yet to be told, and what was. */
#include "notices.h"

#include "piw/codec.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void notices_fini(notices *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        free(self->bodies[i]);
    for (uint32_t i = 0; i < self->packages_count; i++) {
        free(self->packages[i].package);
        free(self->packages[i].abi);
    }
    for (uint32_t i = 0; i < self->asleep_count; i++)
        free(self->asleep[i]);
    *self = (notices){0};
}

/* --- What is to be told -------------------------------------------------------------------------------------------------- */

static void add_text(cJSON *to, const char *name, const char *value)
{
    if (value != NULL)
        cJSON_AddItemToObject(to, name, cJSON_CreateString(value));
}

static char *make_body(const notice *what, int64_t number)
{
    char now[40], id[64];
    piw_time at = piw_time_now();
    piw_time_format(at, now, sizeof(now));
    snprintf(id, sizeof(id), "%lld-%lld", (long long)at.us, (long long)number);
    /* As all memory here: there is enough, or the program ends and says so. */
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = piw_alloc, .free_fn = free});
    cJSON *body = cJSON_CreateObject();
    add_text(body, "id", id);
    add_text(body, "time", now);
    add_text(body, "event", what->event);
    add_text(body, "text", what->text);
    add_text(body, "package", what->package);
    add_text(body, "version", what->version);
    add_text(body, "abi", what->abi);
    add_text(body, "slave", what->slave);
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    return text;
}

static bool put(notices *self, char *body)
{
    bool room = self->count < NOTICES_MAX;
    if (!room)
        notices_pop(self);
    self->bodies[self->count++] = body;
    self->changed = true;
    return room;
}

bool notices_add(notices *self, const notice *what)
{
    return put(self, make_body(what, ++self->number));
}

void notices_pop(notices *self)
{
    free(self->bodies[0]);
    memmove(self->bodies, self->bodies + 1, --self->count * sizeof(*self->bodies));
    self->changed = true;
}

/* --- What was told ------------------------------------------------------------------------------------------------------- */

bool notices_package_turns(notices *self, const char *package, const char *abi, bool failed)
{
    for (uint32_t i = 0; i < self->packages_count; i++) {
        struct notices_package *at = &self->packages[i];
        if (strcmp(at->package, package) != 0 || strcmp(at->abi, abi) != 0)
            continue;
        bool turns = at->failed != failed;
        at->failed = failed;
        self->changed |= turns;
        return turns;
    }
    if (self->packages_count == NOTICES_PACKAGES_MAX)
        return failed;
    self->packages[self->packages_count++] = (struct notices_package){piw_strdup(package), piw_strdup(abi), failed};
    self->changed = true;
    return failed;
}

bool notices_falls_asleep(notices *self, const char *label)
{
    for (uint32_t i = 0; i < self->asleep_count; i++)
        if (strcmp(self->asleep[i], label) == 0)
            return false;
    if (self->asleep_count == NOTICES_ASLEEP_MAX)
        return false;
    self->asleep[self->asleep_count++] = piw_strdup(label);
    self->changed = true;
    return true;
}

void notices_only_asleep(notices *self, bool (*sleeps)(const void *arg, const char *label), const void *arg)
{
    for (uint32_t i = self->asleep_count; i-- > 0;) {
        if (sleeps(arg, self->asleep[i]))
            continue;
        free(self->asleep[i]);
        self->asleep[i] = self->asleep[--self->asleep_count];
        self->changed = true;
    }
}

/* --- Kept ---------------------------------------------------------------------------------------------------------------- */

piw_msg *notices_save(const notices *self, bool stopped)
{
    notify_state *to;
    piw_msg *msg = notify_state_new(&to);
    piw_msg_list(msg, &to->bodies, self->count);
    for (uint32_t i = 0; i < self->count; i++)
        to->bodies.at[i] = piw_msg_textz(msg, self->bodies[i]);
    piw_msg_list(msg, &to->packages, self->packages_count);
    for (uint32_t i = 0; i < self->packages_count; i++) {
        to->packages.at[i].package = piw_msg_textz(msg, self->packages[i].package);
        to->packages.at[i].abi = piw_msg_textz(msg, self->packages[i].abi);
        to->packages.at[i].failed = self->packages[i].failed;
    }
    piw_msg_list(msg, &to->asleep, self->asleep_count);
    for (uint32_t i = 0; i < self->asleep_count; i++)
        to->asleep.at[i] = piw_msg_textz(msg, self->asleep[i]);
    to->disk_low = self->disk_low;
    to->behind = self->behind;
    to->number = self->number;
    to->stopped = stopped;
    return msg;
}

void notices_load(notices *self, const notify_state *state)
{
    for (uint32_t i = 0; i < state->bodies.count; i++)
        put(self, piw_strdup(state->bodies.at[i].s));
    for (uint32_t i = 0; i < state->packages.count; i++)
        notices_package_turns(self, state->packages.at[i].package.s, state->packages.at[i].abi.s,
                              state->packages.at[i].failed);
    for (uint32_t i = 0; i < state->asleep.count; i++)
        notices_falls_asleep(self, state->asleep.at[i].s);
    self->disk_low = state->disk_low;
    self->behind = state->behind;
    self->number = state->number;
    self->changed = false;
}
