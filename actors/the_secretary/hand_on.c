/* hand_on.c — what is due goes to the scribe: packages a few at a time, of the site's own pages one at a time. */
#include "secretary.h"

#include "web.piw.h"

enum {
    FLYING_MAX = REQUESTS_FLYING_MAX, /* the scribe asks the database for many at a time */
    FLYING_BULK_MAX = 64,             /* the rest is for those that go before bulk ones */
    ANSWER_MS = 600000,               /* the scribe waits for the database meanwhile */
};

static piw_msg *call_for(const request *r)
{
    piw_text package = piw_text_of(r->package);
    if (r->saved.part == PART_REMOVE)
        return scribe_DELPKG_make(package);
    if (r->bulk)
        return scribe_BULK_make(package, r->saved.part == PART_BOTH);
    return r->saved.part == PART_BOTH ? scribe_BOTH_make(package) : scribe_PROJECT_make(package);
}

/* The number of the writing is the key: the answer is found by it, also by a successor. */
static int send(piw_task *task, secretary *self, request *r)
{
    piw_msg *call = call_for(r);
    int rc = piw_call(task, &call, PIW_ON(written), (uint64_t)self->requests.last_number + 1, ANSWER_MS);
    piw_msg_free(&call);
    if (rc == 0)
        requests_fly(&self->requests, r);
    return rc;
}

static int ask_for_all(piw_task *task, secretary *self)
{
    if (self->course.all_part == PART_NONE || self->course.asking_all ||
        requests_waiting(&self->requests, true) >= ALL_AT_ONCE)
        return 0;
    const db_PACKAGES *at = db_PACKAGES_of(self->all_after);
    piw_msg *call = db_PACKAGES_make(at->after, ALL_AT_ONCE);
    int rc = piw_call(task, &call, PIW_ON(all_packages), 0, 0);
    piw_msg_free(&call);
    if (rc == 0)
        self->course.asking_all = true;
    return rc;
}

static bool may_send(const requests *all, bool bulk)
{
    return all->flying_count < FLYING_MAX && (!bulk || all->flying_bulk < FLYING_BULK_MAX);
}

/* Send on the requests that are due, bulk ones last, and set the timer for the next one. */
int secretary_go_on(piw_task *task)
{
    secretary *self = piw_soul(task);
    int64_t now = piw_monotonic_ns(), next = INT64_MAX;
    for (int bulk = false; bulk <= true; bulk++) {
        request *r;
        while (may_send(&self->requests, bulk) && (r = requests_due(&self->requests, now, bulk)) != NULL) {
            int rc = send(task, self, r);
            if (rc != 0)
                return rc;
        }
        int64_t due = may_send(&self->requests, bulk) ? requests_next_due(&self->requests, bulk) : INT64_MAX;
        next = due < next ? due : next;
    }
    int rc = ask_for_all(task, self);
    if (rc != 0 || next == INT64_MAX)
        return rc;
    int64_t wait_ns = next - now;
    return piw_timer(task, PIW_ON(due), 0, wait_ns <= 0 ? 0 : wait_ns / 1000000 + 1, 0);
}

int secretary_call_single(piw_task *task, int64_t *state, piw_msg *call, const char *continuation)
{
    int rc = 0;
    if (*state == IDLE)
        rc = piw_call(task, &call, continuation, 0, ANSWER_MS);
    piw_msg_free(&call);
    if (rc == 0)
        *state = *state == IDLE ? WRITING : WRITING_AGAIN;
    return rc;
}

int secretary_search(piw_task *task)
{
    return secretary_call_single(task, &((secretary *)piw_soul(task))->course.search, scribe_SEARCH_new(),
                                 PIW_ON(search_written));
}
