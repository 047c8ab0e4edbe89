/* rewrites.c — page requests that are still waiting, or whose pages may not have reached the disk, are kept in the database, and
 * survive the end of the master. */
#include "secretary.h"

#include "piw/log.h"

enum {
    SAVE_NS_EACH = 100000, /* long lists are saved more seldom: this much later for each request */
    LOAD_FIRST_MS = 250,   /* after a start: what slaves wait for is asked first */
    LOAD_AGAIN_MS = 5000,
};

static size_t count_of(const secretary *self)
{
    return requests_count(&self->requests) + unsynced_count(&self->unsynced);
}

/* A package may be there twice, which becomes one (piw.save_rewrites). */
static piw_msg *all_rewrites(const secretary *self)
{
    db_REWRITES_SAVE *body;
    piw_msg *call = db_REWRITES_SAVE_new(&body);
    piw_msg_list(call, &body->rewrites, count_of(self));
    uint32_t n = 0;
    for (request *r = requests_next(&self->requests, NULL); r != NULL; r = requests_next(&self->requests, r)) {
        rewrite *to = &body->rewrites.at[n++];
        to->package = piw_msg_textz(call, r->package);
        to->added_at = r->saved.added_at;
        /* A removal shows when the pages are written: the database doesn't know the package then. */
        to->command = piw_text_of(r->saved.part == PART_PROJECT && r->saved.again <= PART_PROJECT ? "PROJECT" : "BOTH");
    }
    for (const unsynced_page *page = unsynced_next(&self->unsynced, NULL); page != NULL;
         page = unsynced_next(&self->unsynced, page))
        body->rewrites.at[n++] = (rewrite){.package = piw_msg_textz(call, page->package),
                                           .added_at = page->saved.added_at,
                                           .command = piw_text_of(page->saved.index ? "BOTH" : "PROJECT")};
    return call;
}

int rewrites_save(piw_task *task)
{
    secretary *self = piw_soul(task);
    piw_msg *call = all_rewrites(self);
    int rc = piw_call(task, &call, PIW_ON(saved), 0, 0);
    piw_msg_free(&call);
    if (rc == 0) {
        self->course.changed = false;
        self->course.saving = true;
    }
    return rc;
}

/* Nothing is saved before the requests of the last run are read: they would be overwritten. */
static void tell_counts(piw_task *task, secretary *self, int64_t now)
{
    if (now < self->count_at_ns || self->written + self->failed == 0)
        return;
    self->count_at_ns = now + COUNT_EVERY_S * INT64_C(1000000000);
    piw_msg *event = pages_counted_make(self->written, self->failed);
    if (piw_emit(task, &event) == 0)
        self->written = self->failed = 0;
    piw_msg_free(&event);
}

int on_save(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    secretary *self = piw_soul(task);
    int64_t now = piw_monotonic_ns();
    tell_counts(task, self, now);
    int rc = syncs_go(task);
    if (rc != 0)
        return rc;
    if (!self->course.changed || self->course.saving || !self->course.loaded || now < self->save_at_ns)
        return 0;
    self->save_at_ns = now + (int64_t)count_of(self) * SAVE_NS_EACH;
    return rewrites_save(task);
}

/* That the database is away it says itself. */
static void unsaved(secretary *self, const piw_msg *reply, const char *what)
{
    if (piw_msg_error(reply) != PIW_EDBAWAY)
        piw_outage_goes_on(&self->unsaved, PIW_LOG_WARNING, 0, "%s: %s", what, piw_msg_error_text(reply));
}

int on_saved(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    secretary *self = piw_soul(task);
    self->course.saving = false;
    if (piw_msg_error(reply) != 0) {
        self->course.changed = true;
        unsaved(self, reply, "the page requests that wait can't be saved, and would be lost with the master");
    } else {
        piw_outage_over(&self->unsaved, "page requests are saved again");
    }
    return 0;
}

int rewrites_load(piw_task *task)
{
    return piw_timer(task, PIW_ON(load), 0, LOAD_FIRST_MS, 0);
}

int on_load(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    piw_msg *call = db_REWRITES_LOAD_new();
    int rc = piw_call(task, &call, PIW_ON(loaded), 0, 0);
    piw_msg_free(&call);
    return rc;
}

int on_loaded(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    secretary *self = piw_soul(task);
    if (piw_msg_error(reply) != 0) {
        unsaved(self, reply, "the page requests that an earlier master left can't be read, and none is saved before");
        return piw_timer(task, PIW_ON(load), 0, LOAD_AGAIN_MS, 0);
    }
    piw_outage_over(&self->unsaved, "page requests are saved again");
    const db_REWRITES_LOAD_reply *kept = db_REWRITES_LOAD_reply_of(reply);
    int64_t now_ns = piw_monotonic_ns(), wall_us = piw_time_now().us;
    for (uint32_t i = 0; i < kept->rewrites.count; i++) {
        const rewrite *r = &kept->rewrites.at[i];
        if (!piw_name_is_canonical(r->package))
            continue;
        int64_t held_ns = (wall_us - r->added_at.us) * 1000;
        int64_t left_ns = held_ns < 0 || held_ns > self->hold_ns ? 0 : self->hold_ns - held_ns;
        requests_ask(&self->requests, r->package, piw_text_is(r->command, "BOTH") ? PART_BOTH : PART_PROJECT,
                     now_ns + left_ns, r->added_at);
    }
    if (kept->rewrites.count > 0)
        piw_info("%u page requests waited when the master stopped: they go on", kept->rewrites.count);
    self->course.loaded = true;
    self->course.changed = true;
    return secretary_go_on(task);
}
