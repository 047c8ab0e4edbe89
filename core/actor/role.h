/* role.h — inside the core: one task as configured, whose shells all have it. Made and changed by the runtime; shells read. */
#ifndef PIW__ROLE_H
#define PIW__ROLE_H

#include "plugin/image.h"

#include <stdatomic.h>

typedef struct piw__shell piw__shell;
typedef struct piw__role piw__role;
typedef struct piw__options piw__options;
typedef struct piw__tracer piw__tracer;
typedef struct piw_runtime piw_runtime;

/* The further keys of a task's section. Never changed; freed with the role, since souls keep pointers into it. */
struct piw__options {
    struct piw__options *older;
    char **names, **values;
    char **origins; /* NULL: unknown */
    size_t count;
};

enum { PIW__IMAGES_SEEN = 32 };

/* One task as configured. Set before its threads start, but for what changes with the task: that is written under both
 * runtime->admin and runtime->look, so that either is enough to read it. */
struct piw__role {
    piw_runtime *runtime;
    char *name;
    const char *plugin;                       /* file; interned, changes */
    const piw__image *image;                  /* changes */
    const piw__image *seen[PIW__IMAGES_SEEN]; /* every image it has had; changes */
    unsigned seen_count;
    const char *plugin_config; /* as the configuration says; interned, changes */
    bool enabled_config;       /* likewise */
    unsigned instances;
    int critical_config; /* -1: the manifest's */
    /* Changed under runtime->admin, read by any thread; relaxed: each stands alone. */
    _Atomic bool critical, absent_wait;
    _Atomic bool isolate;        /* its souls are in processes of their own */
    unsigned part, parts;        /* in such a process: which one of how many instances is ours; parts 0: this is none */
    const piw_plugin *builtin;   /* compiled in; else NULL */
    bool enabled;                /* changes */
    const piw__options *options; /* changes */
    piw__options *all_options;   /* a chain of every one that was ever in force; under runtime->admin */
    unsigned instances_config;   /* 0: the manifest's */
    const char **origins;        /* of the section's other keys, by number; interned, change; NULL: default */
    _Atomic(piw__tracer *) tracer; /* made at the first trace, under runtime->admin */
    piw__shell **shells;
    /* Has this task a soul that works, or will have one soon? Written by its shells, read by callers of
     * piw_service_instances; relaxed: a hint that may be old when it is used. */
    _Atomic unsigned absent;
    unsigned order; /* of its start */
    struct piw__preparation
        *preparation; /* what was begun before it starts (prepare.h), or NULL. Set before its threads start */
};

/* Texts are copied; `origins` NULL: unknown. */
piw__options *piw__options_new(const char *const *names, const char *const *values, const char *const *origins,
                               size_t count);
void piw__options_free(piw__options **options); /* the whole chain */
/* Options of the [task:NAME] section against the manifest's. */
int piw__role_check_options(const piw__role *role, const piw__options *options, const piw__image *image, piw_err *err);
const char *piw__option_value(const piw__options *options, const char *name);
const char *piw__option_origin(const piw__options *options, const char *name); /* NULL: not set */

#endif
