/* offers.c — reads what PyPI offers before it is built for views that don't want it.
 *
 * The database gives a list of packages of which it isn't known, their pages are read one after the other at the pace that is
 * configured, and what they say is told to the database. Then comes the next list, until there is nothing to be asked for: what
 * has been read is known there, so nothing is lost with this task. As long as this gets on the database holds back what isn't
 * known. */
#include "cloud_gazer/offers.h"

#include "cloud_gazer/gazer.h"
#include "cloud_gazer/page.h"
#include "shared/names.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LIST_MAX = 64,
    LIST_S = 4, /* a list is read in some four seconds, so that what comes to a head meanwhile doesn't wait for long */
    POLL_MS = 1000, /* between looks when there is nothing */
    WALK_MS = 250,  /* between slices of a walk through the queues */
    WALK_AGAIN_MS = 3600000,
    HOLD_MS = 60000, /* the database is told that it gets on, at most so often */
    TIMEOUT_MS = 120000,
    BAD_MAX = 3,   /* tries at a page that isn't one */
    TRIES_MAX = 5, /* at one that can't be had while others can */
};

/* Of a wheel that comes to a package whose page was never read the log's event asks nobody (piw.apply_pypi_events): when it is applied it is
 * so old that the page, if it is just being read, was asked for later, and has the wheel. */
_Static_assert(TIMEOUT_MS < GAZER_WINDOW_S * 1000, "no page is being read that was asked for before an applied event");

typedef struct asked_page {
    gazer_offers *owner;
    char package[PIW_NAME_MAX + 1];
    enum { PAGE_WAITS, PAGE_RUNS, PAGE_DONE } state;
    gazer_page *page; /* while it is read */
    piw_err err;
    int64_t began_ns;
    unsigned tries;
    uint64_t reads; /* how many others had been read when it failed first */
} asked_page;

struct gazer_offers {
    gazer *gazer;
    gazer_offers_options options;
    asked_page list[LIST_MAX];
    size_t count, running, telling; /* of the list; being read; with the database */
    bool read;                      /* one of the list was */
    bool asking, timed;             /* for the next list; the timer is set */
    int64_t rests_ns;               /* nothing is done before that */
    int64_t next_ns;                /* when the next page may be asked for */
    int64_t held_ns;                /* when the database was last told that it gets on; 0: not yet */
    int64_t changes;                /* as the last list said */
    char *place;
    int64_t walked_ns; /* when the walk last came to its end; 0: it is under way */
    uint64_t reads;    /* pages */
    uint64_t said;     /* of them on the log */
    int64_t wait_ms;   /* of the next wait after PyPI failed; 0: it hasn't lately */
    piw_outage away, unstored;
    piw_log_limiter odd;
};

static void go(gazer_offers *self);

/* --- Time --------------------------------------------------------------------------------------------------------- */

static void set_timer(gazer_offers *self, int64_t delay_ms)
{
    if (self->timed)
        return;
    self->timed = true;
    if (piw_timer(self->gazer->task, PIW_ON(offers_go), 0, delay_ms, 0) != 0)
        piw_fail(self->gazer->task, "no timer can be set");
}

static bool rests(const gazer_offers *self)
{
    return piw_monotonic_ns() < self->rests_ns;
}

static void rest(gazer_offers *self, int64_t delay_ms)
{
    int64_t until_ns = piw_monotonic_ns() + delay_ms * 1000000;
    if (until_ns > self->rests_ns)
        self->rests_ns = until_ns;
    set_timer(self, delay_ms);
}

/* How often the database is told. */
static int64_t hold_ms(const gazer_offers *self)
{
    int64_t part_ms = self->options.patience_ms / 4;
    return part_ms < HOLD_MS ? part_ms : HOLD_MS;
}

/* It gets on: what isn't known is held back for a while. */
static void hold(gazer_offers *self)
{
    int64_t now_ns = piw_monotonic_ns();
    if (self->held_ns != 0 && now_ns - self->held_ns < hold_ms(self) * 1000000)
        return;
    self->held_ns = now_ns;
    piw_msg *msg = db_OFFERS_HOLD_make((self->options.patience_ms + 999) / 1000);
    gazer_cast(self->gazer, &msg);
}

/* --- The list ------------------------------------------------------------------------------------------------------- */

static void ask(gazer_offers *self)
{
    int64_t limit = self->options.rate * LIST_S < LIST_MAX ? self->options.rate * LIST_S : LIST_MAX;
    bool walks = self->walked_ns == 0 || piw_monotonic_ns() - self->walked_ns > (int64_t)WALK_AGAIN_MS * 1000000;
    piw_msg *call = db_OFFERS_DUE_make(piw_text_of(self->options.order), limit, self->changes,
                                       piw_text_of(self->place != NULL ? self->place : ""), walks);
    self->count = 0;
    self->read = false;
    if (piw_call(self->gazer->task, &call, PIW_ON(offers_due), 0, 0) == 0) {
        self->asking = true;
        return;
    }
    piw_msg_free(&call);
    rest(self, POLL_MS);
}

static void take_list(gazer_offers *self, const db_OFFERS_DUE_reply *body)
{
    self->changes = body->changes;
    free(self->place);
    self->place = piw_strndup(body->place.s, body->place.len);
    for (uint32_t i = 0; i < body->packages.count && self->count < LIST_MAX; i++) {
        asked_page *page = &self->list[self->count++];
        *page = (asked_page){.owner = self};
        snprintf(page->package, sizeof(page->package), "%s", body->packages.at[i].s);
    }
    if (!body->done)
        return;
    if (self->reads > self->said)
        piw_info("what PyPI offers of %llu packages was read: nothing waits for it any more",
                 (unsigned long long)(self->reads - self->said));
    self->said = self->reads;
    self->walked_ns = piw_monotonic_ns();
}

int on_offers_due(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    gazer_offers *self = ((gazer *)piw_soul(task))->offers;
    if (!self->asking)
        return 0; /* of an earlier soul */
    self->asking = false;
    if (piw_msg_error(reply) != 0) {
        piw_outage_goes_on(&self->unstored, PIW_LOG_WARNING, 0, "which of PyPI's pages are to be read isn't known: %s",
                           piw_msg_error_text(reply));
        rest(self, GAZER_WAIT_MIN_MS);
        return 0;
    }
    const db_OFFERS_DUE_reply *body = db_OFFERS_DUE_reply_of(reply);
    take_list(self, body);
    if (self->count == 0)
        rest(self, body->done ? POLL_MS : WALK_MS);
    go(self);
    return 0;
}

/* --- What is told ------------------------------------------------------------------------------------------------- */

static void tell(gazer_offers *self, piw_msg *call)
{
    if (piw_call(self->gazer->task, &call, PIW_ON(offers_told), 0, -1) == 0)
        self->telling++;
    else
        piw_msg_free(&call); /* it will stand in a list again */
}

static int64_t age_ms(const asked_page *page)
{
    return (piw_monotonic_ns() - page->began_ns) / 1000000;
}

static void tell_none(asked_page *page, bool unread)
{
    tell(page->owner, db_OFFERS_NONE_make(piw_text_of(page->package), unread, age_ms(page)));
}

static void tell_facts(asked_page *page)
{
    db_PYPI_FACTS *body;
    piw_msg *msg = db_PYPI_FACTS_new(&body);
    gazer_page_put(page->page, msg, body, true);
    int64_t *age = piw_msg_alloc(msg, sizeof(*age));
    *age = age_ms(page);
    body->age_ms = age;
    tell(page->owner, msg);
}

int on_offers_told(piw_task *task, piw_msg *reply, uint64_t key)
{
    gazer_offers *self = ((gazer *)piw_soul(task))->offers;
    if (piw_msg_error(reply) == 0) {
        piw_outage_over(&self->unstored, "the database takes what PyPI offers again");
        if (piw_msg_type_of(reply) == db_PYPI_FACTS_reply_type())
            (void)on_facts(task, reply, key);
    } else {
        piw_outage_goes_on(&self->unstored, PIW_LOG_WARNING, 0, "what PyPI offers waits for the database: %s",
                           piw_msg_error_text(reply));
    }
    if (self->telling > 0) /* else of an earlier soul */
        self->telling--;
    if (piw_msg_error(reply) != 0)
        rest(self, GAZER_WAIT_MIN_MS);
    go(self);
    return 0;
}

/* --- Pages ---------------------------------------------------------------------------------------------------------- */

static void finish(asked_page *page)
{
    gazer_page_free(&page->page);
    page->state = PAGE_DONE;
}

/* Nobody will read this one: it is as if PyPI offered nothing. */
static void give_up(asked_page *page, const char *why)
{
    piw_log_limited(&page->owner->odd, 30, PIW_LOG_WARNING,
                    "what PyPI offers of %s isn't known, so it is built for all views: its page can't be read: %s",
                    page->package, why);
    tell_none(page, true);
    finish(page);
}

static void wait_longer(gazer_offers *self, const piw_fetch_result *result, const char *package, const char *why)
{
    if (self->wait_ms > 0 && rests(self))
        return;
    int64_t delay_ms = gazer_longer(self->gazer, &self->wait_ms, result != NULL && result->refused,
                                    result != NULL ? result->retry_after_s : 0);
    piw_outage_goes_on(
        &self->away, PIW_LOG_WARNING, 0,
        "what PyPI offers can't be read, trying again in %lld s; nothing that waits for it is built until "
        "it is, or for %lld min at most: %s (for %s)",
        (long long)(delay_ms + 999) / 1000, (long long)self->options.patience_ms / 60000, why, package);
    rest(self, delay_ms);
}

/* The answer says nothing of the package: later again. */
static void failed(asked_page *page, const piw_fetch_result *result, const char *why)
{
    gazer_offers *self = page->owner;
    bool bad = result->answered && result->status != 429 && result->status < 500;
    gazer_page_free(&page->page);
    page->state = PAGE_WAITS;
    if (page->tries++ == 0)
        page->reads = self->reads;
    if (bad ? page->tries >= BAD_MAX : page->tries >= TRIES_MAX && self->reads > page->reads)
        give_up(page, why);
    else if (!bad)
        wait_longer(self, result, page->package, why);
}

static void succeeded(gazer_offers *self)
{
    self->read = true;
    self->reads++;
    self->wait_ms = 0;
    piw_outage_over(&self->away, "what PyPI offers is read again");
}

static bool on_data(void *arg, const void *data, size_t len)
{
    asked_page *page = arg;
    return gazer_page_feed(page->page, data, len, &page->err) == 0;
}

static void on_page(void *arg, const piw_fetch_result *result)
{
    asked_page *page = arg;
    gazer_offers *self = page->owner;
    self->running--;
    bool whole =
        result->answered && result->status == 200 && page->err.code == 0 && gazer_page_end(page->page, &page->err) == 0;
    if (whole || (result->answered && (result->status == 404 || result->status == 410))) {
        succeeded(self);
        if (whole)
            tell_facts(page);
        else
            tell_none(page, false);
        finish(page);
    } else {
        char why[64];
        snprintf(why, sizeof(why), "it was answered with HTTP status %ld", result->status);
        failed(page, result, page->err.code != 0 ? page->err.text : result->answered ? why : result->problem);
    }
    go(self);
}

static void fetch(asked_page *page)
{
    gazer_offers *self = page->owner;
    piw_err err = {0};
    page->err = (piw_err){0};
    page->began_ns = piw_monotonic_ns();
    page->page = gazer_page_new(page->package);
    char *url = piw_sprintf("%s/%s/", self->options.simple_url, page->package);
    const piw_fetch_request request = {.url = url,
                                       .accept = "application/vnd.pypi.simple.v1+json",
                                       .timeout_ms = TIMEOUT_MS,
                                       .data = on_data,
                                       .done = on_page,
                                       .arg = page};
    if (page->page == NULL)
        piw_err_set(&err, PIW_ENOMEM, "there is no memory for it");
    if (err.code == 0 && piw_fetch_start(self->gazer->http, &request, &err) == 0) {
        page->state = PAGE_RUNS;
        self->running++;
    } else {
        gazer_page_free(&page->page);
        wait_longer(self, NULL, page->package, err.text);
    }
    free(url);
}

/* The next of the list: those that have failed come last. */
static asked_page *next_page(gazer_offers *self)
{
    asked_page *found = NULL;
    for (size_t i = 0; i < self->count; i++) {
        asked_page *page = &self->list[i];
        if (page->state == PAGE_WAITS && (found == NULL || page->tries < found->tries))
            found = page;
    }
    return found;
}

static void go(gazer_offers *self)
{
    if (self->asking || rests(self))
        return;
    if (self->wait_ms == 0)
        hold(self);
    if (self->gazer->paused) { /* what is given out when it goes on is to be known, too */
        set_timer(self, hold_ms(self));
        return;
    }
    asked_page *page;
    while (!rests(self) && (page = next_page(self)) != NULL && self->running < (size_t)self->options.at_once) {
        int64_t now_ns = piw_monotonic_ns();
        if (gazer_describes(self->gazer->describer, page->package)) { /* its page is being read as it is */
            page->state = PAGE_DONE;
            continue;
        }
        if (now_ns < self->next_ns) {
            set_timer(self, (self->next_ns - now_ns + 999999) / 1000000);
            return;
        }
        self->next_ns = now_ns + 1000000000 / self->options.rate;
        fetch(page);
    }
    if (rests(self) || self->running > 0 || self->telling > 0 || next_page(self) != NULL)
        return;
    if (self->count > 0 && !self->read) { /* nothing came of the list: not the same at once */
        self->count = 0;
        rest(self, POLL_MS);
    } else {
        ask(self);
    }
}

/* --- Life ----------------------------------------------------------------------------------------------------------- */

void gazer_offers_go(gazer_offers *offers)
{
    if (!offers->gazer->wants_wheels || !offers->gazer->located)
        return;
    if (offers->options.rate > 0) {
        go(offers);
    } else if (offers->held_ns == 0) {
        offers->held_ns = piw_monotonic_ns();
        piw_msg *msg = db_OFFERS_HOLD_make(0);
        gazer_cast(offers->gazer, &msg);
    }
}

int on_offers_go(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer_offers *self = ((gazer *)piw_soul(task))->offers;
    int64_t left_ns = self->rests_ns - piw_monotonic_ns();
    self->timed = false;
    if (left_ns > 0)
        set_timer(self, (left_ns + 999999) / 1000000);
    else
        gazer_offers_go(self);
    return 0;
}

gazer_offers *gazer_offers_new(gazer *owner, const gazer_offers_options *options)
{
    gazer_offers *self = piw_zalloc(sizeof(*self));
    self->gazer = owner;
    self->options = *options;
    self->changes = -1;
    return self;
}

void gazer_offers_free(gazer_offers **offers)
{
    gazer_offers *self = *offers;
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        gazer_page_free(&self->list[i].page);
    free(self->place);
    free(self);
    *offers = NULL;
}
