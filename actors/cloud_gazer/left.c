/* left.c — projects that are quarantined or no longer on PyPI's list: their pages tell whether they are deleted. */
#include "cloud_gazer/left.h"

#include "cloud_gazer/gazer.h"
#include "cloud_gazer/page.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TIMEOUT_MS = 120000,
    STORED_AGAIN_MS = 1000,
    TRIES_MAX = 5, /* for a page, until the next comparison */
};

struct gazer_left {
    gazer *gazer;
    const char *simple_url;
    void (*done)(void *arg);
    void *arg;
    char **names; /* from `at` on to be asked for */
    size_t count, size, at;
    gazer_page *page;
    piw_err err;
    bool asking, telling, resting; /* until the page of names[at], the database or a timer answers */
    bool gone; /* what the page said: it isn't there, else it is no quarantine; valid while `knows` */
    bool knows;
    unsigned tries;
    int64_t wait_ms;
    uint64_t deleted;
};

gazer_left *gazer_left_new(gazer *owner, const char *simple_url, void (*done)(void *arg), void *arg)
{
    gazer_left *self = piw_zalloc(sizeof(*self));
    *self = (gazer_left){.gazer = owner, .simple_url = simple_url, .done = done, .arg = arg};
    return self;
}

static void forget(gazer_left *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->names[i]);
    free(self->names);
    self->names = NULL;
    self->count = self->size = self->at = 0;
}

void gazer_left_free(gazer_left **left)
{
    if (*left == NULL)
        return;
    gazer_page_free(&(*left)->page);
    forget(*left);
    free(*left);
    *left = NULL;
}

void gazer_left_add(gazer_left *left, piw_text package)
{
    if (left->count == left->size) {
        left->size = left->size == 0 ? 64 : left->size * 2;
        left->names = piw_realloc(left->names, left->size * sizeof(char *));
    }
    left->names[left->count++] = piw_strndup(package.s, package.len);
}

uint64_t gazer_left_deleted(gazer_left *left)
{
    uint64_t deleted = left->deleted;
    left->deleted = 0;
    return deleted;
}

static void rest(gazer_left *self, int64_t delay_ms)
{
    self->resting = true;
    if (piw_timer(self->gazer->task, PIW_ON(left_again), 0, delay_ms, 0) != 0)
        piw_fail(self->gazer->task, "no timer can be set");
}

static void next(gazer_left *self)
{
    self->knows = false;
    self->tries = 0;
    self->at++;
}

static void go_on(gazer_left *self)
{
    if (gazer_left_go(self))
        self->done(self->arg);
}

/* The answer doesn't tell what has become of the project: ask once more after a while, then not before the next
 * comparison. */
static void try_again(gazer_left *self, const piw_fetch_result *result, const char *why)
{
    if (++self->tries == TRIES_MAX) {
        piw_warning("%s stays hidden: its page at %s can't be read: %s", self->names[self->at], self->simple_url, why);
        next(self);
        go_on(self);
        return;
    }
    rest(self, gazer_longer(self->gazer, &self->wait_ms, result != NULL && result->refused,
                            result != NULL ? result->retry_after_s : 0));
}

static bool on_data(void *arg, const void *data, size_t len)
{
    gazer_left *self = arg;
    return gazer_page_feed(self->page, data, len, &self->err) == 0;
}

/* Is it a state in which a project's files are offered? */
static bool is_offered(const char *status)
{
    return strcmp(status, "active") == 0 || strcmp(status, "archived") == 0 || strcmp(status, "deprecated") == 0;
}

static void take(gazer_left *self, const piw_fetch_result *result)
{
    const char *name = self->names[self->at];
    self->gone = result->status == 404;
    self->knows = self->gone;
    if (result->status == 200 && self->err.code == 0 && gazer_page_end(self->page, &self->err) == 0) {
        const char *status = gazer_page_status(self->page);
        self->knows = is_offered(status);
        piw_info("%s is not in PyPI's list; its page says \"%s\": %s", name, status,
                 self->knows ? "shown again" : "hidden");
    } else if (!self->gone) {
        piw_warning("%s stays hidden: its page at %s says neither that it is there nor that it isn't: %s", name,
                    self->simple_url, self->err.code != 0 ? self->err.text : "an unexpected HTTP status");
    }
    if (!self->knows)
        next(self);
}

static void on_page(void *arg, const piw_fetch_result *result)
{
    gazer_left *self = arg;
    char why[64];
    self->asking = false;
    if (self->err.code == 0 && (!result->answered || result->status == 429 || result->status >= 500)) {
        snprintf(why, sizeof(why), "it was answered with HTTP status %ld", result->status);
        gazer_page_free(&self->page);
        try_again(self, result, result->answered ? why : result->problem);
        return;
    }
    self->wait_ms = 0;
    take(self, result);
    gazer_page_free(&self->page);
    go_on(self);
}

static void ask(gazer_left *self)
{
    const char *name = self->names[self->at];
    char *url = piw_sprintf("%s/%s/", self->simple_url, name);
    self->err = (piw_err){0};
    self->page = gazer_page_new(name);
    const piw_fetch_request request = {.url = url,
                                       .accept = "application/vnd.pypi.simple.v1+json",
                                       .timeout_ms = TIMEOUT_MS,
                                       .data = on_data,
                                       .done = on_page,
                                       .arg = self};
    piw_err err = {0};
    if (self->page == NULL)
        piw_err_set(&err, PIW_ENOMEM, "there is no memory for it");
    if (err.code == 0 && piw_fetch_start(self->gazer->http, &request, &err) == 0) {
        self->asking = true;
    } else {
        gazer_page_free(&self->page);
        rest(self, gazer_longer(self->gazer, &self->wait_ms, false, 0));
        piw_warning("the page of %s can't be asked for: %s", name, err.text);
    }
    free(url);
}

static void tell(gazer_left *self)
{
    db_PYPI_PAGES *body;
    piw_msg *msg = db_PYPI_PAGES_new(&body);
    piw_msg_list(msg, &body->gone, self->gone ? 1 : 0);
    piw_msg_list(msg, &body->back, self->gone ? 0 : 1);
    *(self->gone ? body->gone.at : body->back.at) = piw_msg_textz(msg, self->names[self->at]);
    if (piw_call(self->gazer->task, &msg, PIW_ON(pages), 0, -1) == 0) {
        self->telling = true;
        return;
    }
    piw_msg_free(&msg);
    rest(self, STORED_AGAIN_MS);
}

bool gazer_left_go(gazer_left *left)
{
    if (left->asking || left->telling || left->resting || left->gazer->paused)
        return false;
    if (left->at == left->count) {
        forget(left);
        return true;
    }
    (left->knows ? tell : ask)(left);
    return false;
}

int on_pages(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    gazer *owner = piw_soul(task);
    gazer_left *self = owner->left;
    const db_PYPI_PAGES_reply *body = piw_msg_error(reply) == 0 ? db_PYPI_PAGES_reply_of(reply) : NULL;
    for (uint32_t i = 0; body != NULL && i < body->changes.count; i++) {
        const pypi_change *change = &body->changes.at[i];
        gazer_spread(owner, change, NULL, false);
        if (piw_text_is(change->change, "deleted")) {
            self->deleted++;
            piw_info("%s is not among PyPI's projects any more: deleted", change->package.s);
        }
    }
    if (!self->telling)
        return 0; /* an answer to the soul before this one */
    self->telling = false;
    if (body == NULL && piw_msg_error(reply) != PIW_EDB) {
        piw_outage_goes_on(&owner->unstored, PIW_LOG_WARNING, 0, "what left PyPI's list waits for the database: %s",
                           piw_msg_error_text(reply));
        rest(self, GAZER_WAIT_MIN_MS);
        return 0;
    }
    if (body != NULL)
        piw_outage_over(&owner->unstored, "the database takes what left PyPI's list again");
    else
        piw_error("%s stays hidden because the database refuses to do more: %s", self->names[self->at],
                  piw_msg_error_text(reply));
    next(self);
    go_on(self);
    return 0;
}

int on_left_again(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer_left *self = ((gazer *)piw_soul(task))->left;
    self->resting = false;
    go_on(self);
    return 0;
}
