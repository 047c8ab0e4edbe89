/* plugin.h — the manifest: the one symbol that a task's .so must export. Start here to write a task.
 *
 *     static const piw_handler handlers[] = {{&door_protocol_def, DOOR_KNOCK, on_knock}, PIW_HANDLERS_END};
 *     static const piw_continuation continuations[] = {PIW_CONTINUATION(opened), PIW_CONTINUATIONS_END};
 *     static const piw_service serves[] = {{"door", &door_protocol_def}, PIW_SERVICES_END};
 *
 *     PIW_PLUGIN(greeter,
 *         .version = "1.0", .summary = "greets who knocks at the door",
 *         .serves = serves, .start = start, .stop = stop,
 *         .handlers = handlers, .continuations = continuations)
 *
 * Plugins are plain C that link libpiw only. They make no threads, thread-locals, signals or exit handlers of their own:
 * the loader refuses a file that imports the functions for it (docs/architecture.md lists them). Images are never
 * unmapped. */
#ifndef PIW_PLUGIN_H
#define PIW_PLUGIN_H

#include "piw/options.h"
#include "piw/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Closes each list of a manifest. */
/* clang-format off */
#define PIW_END {0}
/* clang-format on */

typedef struct piw_handler {
    piw_protocol_def *protocol;
    int message; /* index: the generated enum; or PIW_EVERY_MESSAGE */
    piw_handler_fn *fn;
} piw_handler;
#define PIW_HANDLERS_END PIW_END

/* One entry for every message of a protocol that can come in and has no entry of its own, those of later versions too. */
enum { PIW_EVERY_MESSAGE = -1 };

typedef struct piw_continuation {
    const char *name; /* unique in the plugin; names it for pending calls across a swap */
    piw_continuation_fn *fn;
} piw_continuation;
/* The entry of one: PIW_CONTINUATION(opened) is the function on_opened by the name that PIW_ON(opened) is. */
/* clang-format off */
#define PIW_CONTINUATION(name) {#name, on_##name}
/* clang-format on */
#define PIW_CONTINUATIONS_END PIW_END

typedef struct piw_service {
    const char *name; /* on the bus; usually the protocol's name */
    piw_protocol_def *protocol;
} piw_service;
#define PIW_SERVICES_END PIW_END

typedef struct piw_event {
    piw_protocol_def *protocol;
    int message;
} piw_event;
#define PIW_EVENTS_END PIW_END

/* How large the entries of a manifest's lists are: they may grow at their ends, and the loader must know where the next begins. */
typedef struct piw_sizes {
    uint16_t handler, continuation, service, event, option;
    uint16_t reserved[3]; /* zero; checked */
} piw_sizes;
/* clang-format off */
#define PIW_SIZES                                                                                                      \
    {sizeof(piw_handler), sizeof(piw_continuation), sizeof(piw_service), sizeof(piw_event), sizeof(piw_opt), {0}}
/* clang-format on */

typedef struct piw_plugin {
    uint32_t size;    /* sizeof(piw_plugin); filled in by PIW_PLUGIN, like the next five */
    uint32_t abi;     /* PIW_ABI */
    char magic[8];    /* "piw-task" */
    piw_build build;  /* PIW_BUILD */
    piw_sizes sizes;  /* PIW_SIZES */
    const char *name; /* "greeter" */

    const char *version;
    const char *summary;
    const piw_service *serves; /* services this task answers; every call and cast of each needs a handler */
    const piw_service *uses;   /* services it sends to */
    const char *const *needs;  /* names of services that must be ready before it starts; NULL-terminated; acyclic */
    const piw_service *queues; /* outer queues it serves, by name: every IN message needs a handler */
    const piw_event *subscribes;
    const piw_event *emits;
    const piw_opt *options;           /* keys of its [task:NAME] section */
    piw_protocol_def *state_protocol; /* of the state message; NULL: nothing is kept over a swap */
    int state_message;
    piw_protocol_def *const *extra; /* other protocols it makes messages of (work, peer records); NULL-terminated */
    uint32_t instances;             /* default number; 0 means 1 */
    bool critical;                  /* default: the master stops when this task can't be kept up */
    bool blocks;                    /* handlers may block: none is told of as slow or stuck */

    piw_start_fn *start;
    piw_stop_fn *stop;
    piw_save_fn *save;
    piw_idle_fn *idle; /* may be NULL */
    const piw_handler *handlers;
    const piw_continuation *continuations;
    const void *reserved[8]; /* zero; checked */
} piw_plugin;

/* What takes long at the master's start and changes nothing that anybody sees, such as connecting, can be done while other plugins
 * are still being loaded: PIW_PREPARES(prepare, discard) beside the manifest. Each enabled task's once, on a thread of its own; not for
 * souls in processes of their own, nor for those that come later. The master may yet be refused, for another task's sake: then no soul
 * starts, and what was prepared is discarded. It must come to an end within seconds. */
typedef const char *piw_setting_fn(void *arg, const char *name); /* as piw_setting */
/* NULL: nothing is prepared. */
typedef void *piw_prepare_fn(piw_setting_fn *setting, void *arg);
typedef struct piw_preparation {
    uint32_t size; /* sizeof(piw_preparation); compared */
    piw_prepare_fn *prepare;
    void (*discard)(void *prepared);
} piw_preparation;

#define PIW_PREPARES(prepare_fn, discard_fn)                                                                           \
    extern const piw_preparation piw_plugin_preparation;                                                               \
    __attribute__((visibility("default"))) const piw_preparation piw_plugin_preparation = {                            \
        .size = sizeof(piw_preparation), .prepare = prepare_fn, .discard = discard_fn}

#define PIW_PLUGIN(plugin_name, ...)                                                                                   \
    extern const piw_plugin piw_plugin_manifest;                                                                       \
    __attribute__((visibility("default")))                                                                             \
    const piw_plugin piw_plugin_manifest = {.size = sizeof(piw_plugin),                                                \
                                            .abi = PIW_ABI,                                                            \
                                            .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},                         \
                                            .build = PIW_BUILD,                                                        \
                                            .sizes = PIW_SIZES,                                                        \
                                            .name = #plugin_name,                                                      \
                                            __VA_ARGS__}

#ifdef __cplusplus
}
#endif

#endif
