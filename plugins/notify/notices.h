/* notices.h — what is yet to be told, and what was: plain data, without a task around it. One thread. */
#ifndef NOTIFY_NOTICES_H
#define NOTIFY_NOTICES_H

#include "notify.piw.h"

enum {
    NOTICES_MAX = 1000, /* what waits while nobody listens; then the oldest goes */
    NOTICES_PACKAGES_MAX = 1000,
    NOTICES_ASLEEP_MAX = 1000,
};

typedef struct notices {
    char *bodies[NOTICES_MAX]; /* JSON; the oldest first */
    uint32_t count;
    struct notices_package {
        char *package, *abi;
        bool failed;
    } packages[NOTICES_PACKAGES_MAX];
    uint32_t packages_count;
    char *asleep[NOTICES_ASLEEP_MAX];
    uint32_t asleep_count;
    bool disk_low, behind;
    int64_t number;
    bool changed; /* since it was kept */
} notices;

void notices_fini(notices *self);
/* Something is to be told; `package` and so on may be NULL. False: the oldest that waited had to go. */
typedef struct notice {
    const char *event, *text; /* one of docs/notices.md; a sentence */
    const char *package, *version, *abi, *slave;
} notice;
bool notices_add(notices *self, const notice *what);
/* The first was sent, or can't be. */
void notices_pop(notices *self);
/* A watched package was built, or failed: has that changed? Not, when it was never seen and is good. */
bool notices_package_turns(notices *self, const char *package, const char *abi, bool failed);
/* A slave sleeps: is that new? */
bool notices_falls_asleep(notices *self, const char *label);
/* All but these are awake again. */
void notices_only_asleep(notices *self, bool (*sleeps)(const void *arg, const char *label), const void *arg);

piw_msg *notices_save(const notices *self, bool stopped);
void notices_load(notices *self, const notify_state *state);

#endif
