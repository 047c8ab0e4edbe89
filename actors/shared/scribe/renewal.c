/* renewal.c — pages of an older form are written anew when nothing else is to be written: which one is next. */
#include "renewal.h"

enum {
    FLYING_MAX = 16,    /* asked for together, and few enough that who asks meanwhile hardly waits */
    MARK_EVERY = 500,   /* packages: what is done once more after a kill -9 */
    FAILED_REST_S = 1,  /* a full disk fails every page: not thousands of them a second */
    AWAY_REST_S = 5,    /* while the database or the disk is away */
    ROUND_REST_S = 300, /* before what failed is tried again */
};

static const int64_t SECOND_NS = 1000000000;

void renewal_begin(renewal *self, const char *after)
{
    *self = (renewal){.running = true};
    memcpy(self->at, after, strlen(after) + 1);
    memcpy(self->marked, after, strlen(after) + 1);
}

static void rest(renewal *self, int64_t now_ns, int64_t seconds)
{
    if (self->not_before_ns < now_ns + seconds * SECOND_NS)
        self->not_before_ns = now_ns + seconds * SECOND_NS;
}

/* To where the last mark was. Pages that have their form already are only looked at. */
static void go_back(renewal *self)
{
    memcpy(self->at, self->marked, sizeof(self->at));
    self->since_mark = 0;
}

static renewal_step mark(renewal *self, bool ending)
{
    if (self->flying > 0)
        return RENEWAL_WAIT;
    self->marking = true;
    self->ending = ending;
    return ending ? RENEWAL_END : RENEWAL_MARK;
}

/* All packages have had their turn. */
static renewal_step end_round(renewal *self, int64_t now_ns)
{
    if (self->failed == 0 || self->flying > 0)
        return mark(self, true);
    self->failed = 0;
    go_back(self);
    rest(self, now_ns, ROUND_REST_S);
    return RENEWAL_WAIT;
}

renewal_step renewal_next(renewal *self, const roster *names, int64_t now_ns, const char **name, size_t *place)
{
    if (!self->running || self->marking || now_ns < self->not_before_ns)
        return RENEWAL_WAIT;
    *name = roster_behind(names, self->at, place);
    if (*name == NULL)
        return end_round(self, now_ns);
    if (self->since_mark >= MARK_EVERY && self->failed == 0)
        return mark(self, false);
    if (self->flying >= FLYING_MAX)
        return RENEWAL_WAIT;
    memcpy(self->at, *name, strlen(*name) + 1);
    self->flying++;
    self->since_mark++;
    return RENEWAL_PAGE;
}

void renewal_ended(renewal *self, renewal_outcome outcome, int64_t now_ns)
{
    self->flying--;
    if (outcome == RENEWAL_AWAY) {
        go_back(self);
        rest(self, now_ns, AWAY_REST_S);
    } else if (outcome == RENEWAL_FAILED) {
        self->failed++;
        rest(self, now_ns, FAILED_REST_S);
    }
}

void renewal_marked(renewal *self, bool kept, int64_t now_ns)
{
    self->marking = false;
    if (!kept) {
        rest(self, now_ns, AWAY_REST_S);
        return;
    }
    memcpy(self->marked, self->at, sizeof(self->marked));
    self->since_mark = 0;
    self->running = !self->ending;
}
