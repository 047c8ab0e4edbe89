/* feed — Atom feeds of the farm: feeds/new.atom (builds that brought wheels), feeds/failures.atom, and for each package
 * project/PACKAGE/feed.atom. An example of what others can write: it uses only what is installed, hears events, asks for recent
 * builds, and has its files put into the site (docs/events.md). In piwheels.conf:
 *
 *     [task:feed]
 *     every = 1m */
#include "atom.h"

#include "db.piw.h"
#include "events.piw.h"
#include "feed.piw.h"
#include "fs.piw.h"
#include "piw/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static piw_continuation_fn on_recent, on_package, on_names, on_written;

enum {
    PACKAGES_MAX = 1000, /* whose feeds wait; where there are more, all packages are gone through */
    NAMES_AT_ONCE = 500,
    ANSWER_MS = 60000,
};

/* Entries, newest first. */
typedef struct list {
    feed_item items[FEED_ENTRIES];
    uint32_t count;
    bool stale; /* the file isn't what this is */
} list;

typedef struct soul {
    list wheels, failures;
    char *packages[PACKAGES_MAX]; /* whose feeds are to be written, in order */
    uint32_t packages_count;
    bool busy;            /* a package's feed is being made */
    bool naming;          /* names are being asked for */
    char *after;          /* all packages are gone through, and this one was the last so far; NULL: they aren't */
    bool missed;          /* a package had no room: it may be one that has been gone by */
    piw_outage unwritten; /* of feeds that can't be written now */
    bool known;           /* what there was before the start has been read */
} soul;

/* --- Entries --- */

static void take(feed_item *to, const feed_entry *from)
{
    *to = (feed_item){.build_id = from->build_id,
                      .package = piw_strndup(from->package.s, from->package.len),
                      .version = piw_strndup(from->version.s, from->version.len),
                      .abi_tag = piw_strndup(from->abi_tag.s, from->abi_tag.len),
                      .cause = piw_strndup(from->cause.s, from->cause.len),
                      .status = from->status,
                      .moment = from->moment,
                      .files = from->files};
}

static void drop(feed_item *item)
{
    free(item->package);
    free(item->version);
    free(item->abi_tag);
    free(item->cause);
}

static void empty(list *of)
{
    for (uint32_t i = 0; i < of->count; i++)
        drop(&of->items[i]);
    of->count = 0;
}

/* Put it where it belongs by its number, unless it is there; the oldest goes when there are too many. */
static void add(list *to, const feed_entry *entry)
{
    uint32_t at = 0;
    while (at < to->count && to->items[at].build_id > entry->build_id)
        at++;
    if (at == FEED_ENTRIES || (at < to->count && to->items[at].build_id == entry->build_id))
        return;
    if (to->count == FEED_ENTRIES)
        drop(&to->items[--to->count]);
    memmove(&to->items[at + 1], &to->items[at], (to->count - at) * sizeof(*to->items));
    take(&to->items[at], entry);
    to->count++;
    to->stale = true;
}

/* A good build without a wheel of its own is nothing new. */
static void add_build(soul *self, const feed_entry *entry)
{
    if (!entry->status)
        add(&self->failures, entry);
    else if (entry->files > 0)
        add(&self->wheels, entry);
}

static feed_entry entry_of(const recent_build *build)
{
    return (feed_entry){.build_id = build->build_id,
                        .package = build->package,
                        .version = build->version,
                        .abi_tag = build->abi_tag,
                        .status = build->status,
                        .cause = {"", 0},
                        .moment = build->built,
                        .files = build->files.count};
}

/* --- Files --- */

/* The file is there when the answer comes; until then the list counts as written. */
static int write_feed(piw_task *task, const char *path, const char *title, const feed_item *items, uint32_t count,
                      uint64_t key)
{
    piw_buffer text = {0};
    char here[300] = "http://localhost";
    const char *base_url = piw_setting(task, "site.base-url");
    if (base_url == NULL && gethostname(here + 7, sizeof(here) - 8) != 0)
        memcpy(here + 7, "localhost", sizeof("localhost"));
    feed_site site = {.base_url = base_url != NULL ? base_url : here, .name = piw_setting(task, "site.name")};
    int rc = feed_print(&site, path, title, items, count, &text);
    piw_blob *data = rc == 0 ? piw_blob_new(text.data, text.len) : NULL;
    piw_buffer_fini(&text);
    if (data == NULL)
        return PIW_ENOMEM;
    fs_WRITE_FILE *body;
    piw_msg *call = fs_WRITE_FILE_new(&body);
    body->path = piw_msg_textz(call, path);
    body->data = piw_msg_blob(call, data);
    piw_blob_unref(&data);
    rc = piw_call(task, &call, PIW_ON(written), key, ANSWER_MS);
    piw_msg_free(&call);
    return rc;
}

enum { KEY_WHEELS = 1, KEY_FAILURES, KEY_PACKAGE };

static int write_list(piw_task *task, list *of, const char *path, const char *title, uint64_t key)
{
    if (!of->stale)
        return 0;
    int rc = write_feed(task, path, title, of->items, of->count, key);
    if (rc == 0)
        of->stale = false;
    return rc;
}

/* The next names, where all packages are gone through. */
static int next_names(piw_task *task, soul *self)
{
    if (self->after == NULL && self->missed)
        self->after = piw_strdup("");
    if (self->after == NULL)
        return 0;
    if (self->after[0] == '\0')
        self->missed = false;
    db_SEARCH_INDEX *body;
    piw_msg *call = db_SEARCH_INDEX_new(&body);
    body->after = piw_msg_textz(call, self->after);
    body->limit = NAMES_AT_ONCE;
    int rc = piw_call(task, &call, PIW_ON(names), 0, ANSWER_MS);
    piw_msg_free(&call);
    self->naming = rc == 0;
    return rc;
}

/* The next package's builds are asked for; its feed follows from the answer. */
static int next_package(piw_task *task, soul *self)
{
    if (self->busy || self->naming)
        return 0;
    if (self->packages_count == 0)
        return next_names(task, self);
    db_RECENT_BUILDS *body;
    piw_msg *call = db_RECENT_BUILDS_new(&body);
    body->package = piw_msg_textz(call, self->packages[0]);
    body->limit = FEED_ENTRIES;
    int rc = piw_call(task, &call, PIW_ON(package), 0, ANSWER_MS);
    piw_msg_free(&call);
    self->busy = rc == 0;
    return rc;
}

static void package_done(soul *self)
{
    free(self->packages[0]);
    memmove(self->packages, self->packages + 1, --self->packages_count * sizeof(*self->packages));
    self->busy = false;
}

static bool waits(const soul *self, piw_text package)
{
    /* The first one's builds may have been read already. */
    for (uint32_t i = self->busy ? 1 : 0; i < self->packages_count; i++)
        if (strcmp(self->packages[i], package.s) == 0)
            return true;
    return false;
}

static void add_package(soul *self, piw_text package)
{
    if (waits(self, package))
        return;
    if (self->packages_count == PACKAGES_MAX)
        self->missed = true;
    else
        self->packages[self->packages_count++] = piw_strndup(package.s, package.len);
}

static int on_names(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    if (!self->naming)
        return 0; /* what the version before has asked for */
    self->naming = false;
    if (piw_msg_error(reply) != 0)
        return 0; /* asked again with the next look */
    const db_SEARCH_INDEX_reply *names = db_SEARCH_INDEX_reply_of(reply);
    uint32_t taken = 0;
    while (taken < names->packages.count && self->packages_count < PACKAGES_MAX)
        add_package(self, names->packages.at[taken++].package);
    free(self->after);
    self->after = taken > 0 ? piw_strdup(names->packages.at[taken - 1].package.s) : NULL;
    return next_package(task, self);
}

static int on_package(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    if (!self->busy || self->packages_count == 0)
        return 0;
    self->busy = false;
    if (piw_msg_error(reply) != 0)
        return 0; /* tried again with the next look */
    const db_RECENT_BUILDS_reply *recent = db_RECENT_BUILDS_reply_of(reply);
    list found = {0};
    for (uint32_t i = 0; i < recent->builds.count; i++) {
        const feed_entry entry = entry_of(&recent->builds.at[i]);
        add(&found, &entry);
    }
    char path[300];
    snprintf(path, sizeof(path), "project/%s/feed.atom", self->packages[0]);
    int rc = write_feed(task, path, self->packages[0], found.items, found.count, KEY_PACKAGE);
    empty(&found);
    self->busy = rc == 0;
    return rc;
}

static int on_written(piw_task *task, piw_msg *reply, uint64_t key)
{
    soul *self = piw_soul(task);
    int code = piw_msg_error(reply);
    /* A package that has no page any more needs no feed. */
    if (code != 0 && code != PIW_ENOENT)
        piw_outage_goes_on(&self->unwritten, PIW_LOG_WARNING, 0, "a feed isn't written, it is tried again: %s",
                           piw_msg_error_text(reply));
    else
        piw_outage_over(&self->unwritten, "feeds are written again");
    bool again = code != 0 && code != PIW_ENOENT;
    if (key == KEY_WHEELS && again)
        self->wheels.stale = true;
    else if (key == KEY_FAILURES && again)
        self->failures.stale = true;
    if (key != KEY_PACKAGE || !self->busy)
        return 0;
    self->busy = false;
    if (again)
        return 0;
    package_done(self);
    return next_package(task, self);
}

/* --- What is heard --- */

static int on_build_done(piw_task *task, piw_msg *msg)
{
    const build_done *build = build_done_of(msg);
    const feed_entry entry = {.build_id = build->build_id,
                              .package = build->package,
                              .version = build->version,
                              .abi_tag = build->abi_tag,
                              .status = build->status,
                              .cause = build->cause,
                              .moment = piw_time_now(),
                              .files = build->files.count};
    add_build(piw_soul(task), &entry);
    return 0;
}

/* Its page is there, so that its feed may be beside it. */
static int on_package_changed(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const package_changed *package = package_changed_of(msg);
    if (!package->removed)
        add_package(self, package->package);
    return 0;
}

static int on_recent(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return 0; /* asked again with the next look */
    const db_RECENT_BUILDS_reply *recent = db_RECENT_BUILDS_reply_of(reply);
    for (uint32_t i = 0; i < recent->builds.count; i++) {
        const feed_entry entry = entry_of(&recent->builds.at[i]);
        add_build(self, &entry);
    }
    self->known = self->wheels.stale = self->failures.stale = true;
    return 0;
}

static int on_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    int rc = 0;
    if (!self->known) {
        db_RECENT_BUILDS *body;
        piw_msg *call = db_RECENT_BUILDS_new(&body);
        body->limit = 1000;
        rc = piw_call(task, &call, PIW_ON(recent), 0, ANSWER_MS);
        piw_msg_free(&call);
        return rc;
    }
    rc = write_list(task, &self->wheels, "feeds/new.atom", "new wheels", KEY_WHEELS);
    if (rc == 0)
        rc = write_list(task, &self->failures, "feeds/failures.atom", "failed builds", KEY_FAILURES);
    return rc == 0 ? next_package(task, self) : rc;
}

/* --- The soul --- */

static void save_list(piw_msg *msg, const list *from, uint32_t *count, feed_entry **to)
{
    *count = from->count;
    *to = piw_msg_alloc(msg, from->count * sizeof(**to));
    for (uint32_t i = 0; i < from->count; i++) {
        const feed_item *item = &from->items[i];
        (*to)[i] = (feed_entry){.build_id = item->build_id,
                                .package = piw_msg_textz(msg, item->package),
                                .version = piw_msg_textz(msg, item->version),
                                .abi_tag = piw_msg_textz(msg, item->abi_tag),
                                .cause = piw_msg_textz(msg, item->cause),
                                .status = item->status,
                                .moment = item->moment,
                                .files = item->files};
    }
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    feed_state *body;
    *state = feed_state_new(&body);
    save_list(*state, &self->wheels, &body->wheels.count, &body->wheels.at);
    save_list(*state, &self->failures, &body->failures.count, &body->failures.at);
    piw_msg_list(*state, &body->packages, self->packages_count);
    for (uint32_t i = 0; i < self->packages_count; i++)
        body->packages.at[i] = piw_msg_textz(*state, self->packages[i]);
    if (self->missed || self->after != NULL)
        body->after = piw_msg_textz(*state, self->missed ? "" : self->after);
    return 0;
}

/* What the successor doesn't know yet it asks for: `known` is false at each start. */
static void load(soul *self, const feed_state *state)
{
    for (uint32_t i = 0; i < state->wheels.count; i++)
        add(&self->wheels, &state->wheels.at[i]);
    for (uint32_t i = 0; i < state->failures.count; i++)
        add(&self->failures, &state->failures.at[i]);
    for (uint32_t i = 0; i < state->packages.count && i < PACKAGES_MAX; i++)
        self->packages[self->packages_count++] = piw_strndup(state->packages.at[i].s, state->packages.at[i].len);
    self->after = state->after.s != NULL ? piw_strdup(state->after.s) : NULL;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    int64_t every_ms = piw_option_number(task, piw_setting_number(task, "dev-mode") != 0 ? "every-dev-mode" : "every");
    /* Set anew by a successor too, which may have other options. */
    int rc = piw_timer(task, PIW_ON(look), 0, why == PIW_SWAP ? every_ms : 0, every_ms);
    if (rc != 0)
        return piw_err_set(err, rc, "the timer can't be set: %s", piw_err_name(rc));
    soul *self = piw_zalloc(sizeof(*self));
    if (state != NULL)
        load(self, feed_state_of(state));
    piw_soul_set(task, self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    soul *self = piw_soul(task);
    empty(&self->wheels);
    empty(&self->failures);
    while (self->packages_count > 0)
        free(self->packages[--self->packages_count]);
    free(self->after);
    free(self);
    piw_soul_set(task, NULL);
}

static const piw_service uses[] = {{"db", &db_protocol_def}, {"fs", &fs_protocol_def}, PIW_SERVICES_END};
static const char *const needs[] = {"db", "fs", NULL};
static const piw_event subscribes[] = {
    {&events_protocol_def, BUILD_DONE}, {&events_protocol_def, PACKAGE_CHANGED}, PIW_EVENTS_END};
static const piw_handler handlers[] = {
    {&events_protocol_def, BUILD_DONE, on_build_done},
    {&events_protocol_def, PACKAGE_CHANGED, on_package_changed},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {PIW_CONTINUATION(look),    PIW_CONTINUATION(recent),
                                                 PIW_CONTINUATION(package), PIW_CONTINUATION(names),
                                                 PIW_CONTINUATION(written), PIW_CONTINUATIONS_END};
static const piw_opt options[] = {
    {.name = "every",
     .kind = PIW_OPT_DURATION,
     .fallback = "1m",
     .min = 100,
     .max = 86400000,
     .help = "how long what is new is collected before the feeds are written"},
    {.name = "every-dev-mode",
     .kind = PIW_OPT_DURATION,
     .fallback = "1s",
     .min = 100,
     .max = 86400000,
     .help = "the same with --dev-mode"},
    PIW_OPT_END,
};

PIW_PLUGIN(feed, .version = "1.0", .summary = "writes Atom feeds of wheels and failures", .uses = uses, .needs = needs,
           .subscribes = subscribes, .options = options, .state_protocol = &feed_protocol_def,
           .state_message = FEED_STATE, .start = start, .stop = stop, .save = save, .handlers = handlers,
           .continuations = continuations);
