/* manifest.c — checks of a manifest: each refusal is one sentence that names the file and what is wrong. */
#include "plugin/manifest.h"

#include <ctype.h>

/* More entries than any task needs: a list without its end mark must not be read for ever. */
enum { ENTRIES_MAX = 4096, NAME_MAX_BYTES = 63 };

static bool good_name(const char *name)
{
    size_t len = strnlen(name, NAME_MAX_BYTES + 1);
    if (len == 0 || len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return true;
}

static int use_services(const piw_service *list, const char *what, const char *file, piw_err *err)
{
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        if (i == ENTRIES_MAX || list[i].protocol == NULL || !good_name(list[i].name))
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its list of %s is malformed", file, what);
        piw_protocol_use(list[i].protocol);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(list[i].name, list[j].name) == 0)
                return piw_err_set(err, PIW_EPLUGIN, "%s is refused: %s stands twice in its %s", file, list[i].name,
                                   what);
    }
    return 0;
}

static int use_events(const piw_event *list, const char *what, const char *file, piw_err *err)
{
    for (unsigned i = 0; list != NULL && list[i].protocol != NULL; i++) {
        const piw_protocol *protocol = i < ENTRIES_MAX ? piw_protocol_use(list[i].protocol) : NULL;
        if (protocol == NULL || list[i].message < 0 || list[i].message >= protocol->messages_count ||
            protocol->messages[list[i].message].kind != PIW_M_EVENT)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: what it %s is no event", file, what);
    }
    return 0;
}

bool piw__comes_in(const piw_msg_type *type)
{
    return type->kind == PIW_M_CALL || type->kind == PIW_M_CAST || type->kind == PIW_M_EVENT || type->kind == PIW_M_IN;
}

static bool has_handler(const piw_plugin *plugin, const piw_msg_type *type)
{
    for (unsigned i = 0; plugin->handlers != NULL && plugin->handlers[i].protocol != NULL; i++)
        if (plugin->handlers[i].protocol->interned == type->protocol &&
            (plugin->handlers[i].message == type->index ||
             (plugin->handlers[i].message == PIW_EVERY_MESSAGE && piw__comes_in(type))))
            return true;
    return false;
}

static int check_handlers(const piw_plugin *plugin, const char *file, piw_err *err)
{
    const piw_handler *list = plugin->handlers;
    for (unsigned i = 0; list != NULL && list[i].protocol != NULL; i++) {
        const piw_protocol *protocol = i < ENTRIES_MAX ? piw_protocol_use(list[i].protocol) : NULL;
        if (protocol == NULL || list[i].fn == NULL || list[i].message < PIW_EVERY_MESSAGE ||
            list[i].message >= protocol->messages_count)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its list of handlers is malformed", file);
        for (unsigned j = 0; j < i; j++)
            if (list[j].message == list[i].message && list[j].protocol->interned == protocol)
                return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it has two handlers for %s.%s", file,
                                   protocol->name,
                                   list[i].message < 0 ? "*" : protocol->messages[list[i].message].name);
    }
    return 0;
}

/* Every message of what the plugin serves must have its handler. */
static int check_served(const piw_plugin *plugin, const piw_service *list, bool queue, const char *file, piw_err *err)
{
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        const piw_protocol *protocol = list[i].protocol->interned;
        if ((protocol->queue != PIW_Q_NONE) != queue)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: %s is %s outer queue", file, list[i].name,
                               queue ? "no" : "an");
        for (unsigned m = 0; m < protocol->messages_count; m++) {
            const piw_msg_type *type = &protocol->messages[m];
            bool wanted = queue ? type->kind == PIW_M_IN : type->kind == PIW_M_CALL || type->kind == PIW_M_CAST;
            if (wanted && !has_handler(plugin, type))
                return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it serves %s, but has no handler for %s", file,
                                   list[i].name, type->name);
        }
    }
    return 0;
}

static int check_subscribed(const piw_plugin *plugin, const char *file, piw_err *err)
{
    for (unsigned i = 0; plugin->subscribes != NULL && plugin->subscribes[i].protocol != NULL; i++) {
        const piw_event *event = &plugin->subscribes[i];
        const piw_msg_type *type = &event->protocol->interned->messages[event->message];
        if (!has_handler(plugin, type))
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it subscribes to %s, but has no handler for it", file,
                               type->name);
    }
    return 0;
}

static int check_continuations(const piw_plugin *plugin, const char *file, piw_err *err)
{
    const piw_continuation *list = plugin->continuations;
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        if (i == ENTRIES_MAX || list[i].fn == NULL)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its list of continuations is malformed", file);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(list[i].name, list[j].name) == 0)
                return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it has two continuations named %s", file,
                                   list[i].name);
    }
    return 0;
}

static int check_state(const piw_plugin *plugin, const char *file, piw_err *err)
{
    if (plugin->state_protocol == NULL)
        return 0;
    const piw_protocol *protocol = piw_protocol_use(plugin->state_protocol);
    if (plugin->state_message < 0 || plugin->state_message >= protocol->messages_count ||
        protocol->messages[plugin->state_message].kind != PIW_M_STATE)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its state is no state message", file);
    if (plugin->save == NULL)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it declares a state but can't save it", file);
    return 0;
}

static const char *sanitizer_name(uint8_t number)
{
    return number == 0 ? "without a sanitizer" : number == 1 ? "with AddressSanitizer" : "with ThreadSanitizer";
}

/* Built as this runtime was? */
static int check_build(const piw_build *theirs, const char *file, piw_err *err)
{
    static const piw_build ours = PIW_BUILD;
    if (theirs->pointer_bytes != ours.pointer_bytes)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its pointers have %u bytes, this runtime's %u", file,
                           theirs->pointer_bytes, ours.pointer_bytes);
    if (theirs->time_bytes != ours.time_bytes)
        return piw_err_set(err, PIW_EPLUGIN,
                           "%s is refused: its time_t has %u bytes, this runtime's %u: build it with -D_TIME_BITS=64",
                           file, theirs->time_bytes, ours.time_bytes);
    if (theirs->offset_bytes != ours.offset_bytes)
        return piw_err_set(
            err, PIW_EPLUGIN,
            "%s is refused: its off_t has %u bytes, this runtime's %u: build it with -D_FILE_OFFSET_BITS=64", file,
            theirs->offset_bytes, ours.offset_bytes);
    /* A plugin without a sanitizer may run in a sanitized runtime: only its own code isn't checked. */
    if (theirs->sanitizer != 0 && theirs->sanitizer != ours.sanitizer)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it was built %s, this runtime %s", file,
                           sanitizer_name(theirs->sanitizer), sanitizer_name(ours.sanitizer));
    return 0;
}

/* The entries of its lists, as this runtime has them? */
static int check_sizes(const piw_sizes *theirs, const char *file, piw_err *err)
{
    static const piw_sizes ours = PIW_SIZES;
    const struct {
        const char *what;
        unsigned theirs, ours;
    } entries[] = {{"handlers", theirs->handler, ours.handler},
                   {"continuations", theirs->continuation, ours.continuation},
                   {"services", theirs->service, ours.service},
                   {"events", theirs->event, ours.event},
                   {"options", theirs->option, ours.option}};
    for (unsigned i = 0; i < PIW_COUNT(entries); i++)
        if (entries[i].theirs != entries[i].ours)
            return piw_err_set(err, PIW_EPLUGIN,
                               "%s is refused: its %s have %u bytes each, this runtime's %u: build it anew", file,
                               entries[i].what, entries[i].theirs, entries[i].ours);
    for (unsigned i = 0; i < PIW_COUNT(theirs->reserved); i++)
        if (theirs->reserved[i] != 0)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: reserved fields of its manifest are in use", file);
    return 0;
}

/* What the section of a task says to the master (piw_task_key): an option of that name would never be given a value. */
static bool is_the_masters(const char *key)
{
    static const char *const keys[] = {"plugin", "enabled", "instances", "critical", "isolate", "absent"};
    for (unsigned i = 0; i < PIW_COUNT(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static int check_options(const piw_opt *list, const char *file, piw_err *err)
{
    for (unsigned i = 0; list != NULL && list[i].name != NULL; i++) {
        if (i == ENTRIES_MAX)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its list of options is malformed", file);
        if (is_the_masters(list[i].name))
            return piw_err_set(err, PIW_EPLUGIN,
                               "%s is refused: its option %s can never be set, for the master itself takes that key: "
                               "name it otherwise",
                               file, list[i].name);
        for (unsigned j = 0; j < PIW_COUNT(list[i].reserved); j++)
            if (list[i].reserved[j] != NULL)
                return piw_err_set(err, PIW_EPLUGIN, "%s is refused: reserved fields of its option %s are in use", file,
                                   list[i].name);
    }
    return 0;
}

/* The first fields say whether the rest can be read at all. */
static int check_head(const piw_plugin *plugin, const char *file, piw_err *err)
{
    if (memcmp(plugin->magic, "piw-task", sizeof(plugin->magic)) != 0)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its manifest does not begin as a task's does", file);
    if (plugin->abi != PIW_ABI)
        return piw_err_set(err, PIW_EPLUGIN,
                           "%s is refused: it was built for runtime interface %u, this runtime has %d: build it anew",
                           file, plugin->abi, PIW_ABI);
    int rc = check_build(&plugin->build, file, err);
    if (rc != 0)
        return rc;
    if (plugin->size != sizeof(*plugin))
        return piw_err_set(err, PIW_EPLUGIN,
                           "%s is refused: its manifest has %u bytes, this runtime's has %zu: build it anew", file,
                           plugin->size, sizeof(*plugin));
    rc = check_sizes(&plugin->sizes, file, err);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < PIW_COUNT(plugin->reserved); i++)
        if (plugin->reserved[i] != NULL)
            return piw_err_set(err, PIW_EPLUGIN, "%s is refused: reserved fields of its manifest are in use", file);
    if (plugin->name == NULL || !good_name(plugin->name))
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its manifest has no sound name", file);
    if (plugin->start == NULL)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: its manifest has no start function", file);
    if (plugin->instances > PIW_LIMIT_INSTANCES)
        return piw_err_set(err, PIW_EPLUGIN, "%s is refused: it wants %u instances, at most %d are possible", file,
                           plugin->instances, PIW_LIMIT_INSTANCES);
    return 0;
}

int piw__manifest_check(const piw_plugin *plugin, const char *file, piw_err *err)
{
    int rc = check_head(plugin, file, err);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; plugin->extra != NULL && plugin->extra[i] != NULL && i < ENTRIES_MAX; i++)
        piw_protocol_use(plugin->extra[i]);
    if ((rc = use_services(plugin->serves, "services", file, err)) != 0 ||
        (rc = use_services(plugin->uses, "used services", file, err)) != 0 ||
        (rc = use_services(plugin->queues, "queues", file, err)) != 0 ||
        (rc = use_events(plugin->subscribes, "subscribes to", file, err)) != 0 ||
        (rc = use_events(plugin->emits, "emits", file, err)) != 0 || (rc = check_handlers(plugin, file, err)) != 0 ||
        (rc = check_served(plugin, plugin->serves, false, file, err)) != 0 ||
        (rc = check_served(plugin, plugin->queues, true, file, err)) != 0 ||
        (rc = check_subscribed(plugin, file, err)) != 0 || (rc = check_continuations(plugin, file, err)) != 0 ||
        (rc = check_options(plugin->options, file, err)) != 0)
        return rc;
    return check_state(plugin, file, err);
}
