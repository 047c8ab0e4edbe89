/* seals.c — file_juggler is asked which builds are sealed, until it has had all of them recorded. */
#include "slave_driver/seals.h"

#include "heads.piw.h"

enum { ANSWER_S = 5 /* a file_juggler from before this says nothing */ };

static void ask(driver *self)
{
    piw_msg *event = seals_wanted_make(self->seals_key);
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event); /* it is asked again */
}

void driver_seals_begin(driver *self)
{
    self->seals_key = piw_monotonic_ns();
    self->seals_until_ns = self->seals_key + ANSWER_S * INT64_C(1000000000);
    ask(self);
}

void driver_seals_sweep(driver *self, int64_t now_ns)
{
    if (self->farm.farm_paused && self->seals_until_ns != 0) /* the site may be away: then nobody knows */
        self->seals_until_ns = now_ns + ANSWER_S * INT64_C(1000000000);
    if (now_ns >= self->seals_until_ns)
        self->seals_until_ns = 0;
    if (driver_seals_open(self) || driver_offers_sealed(self->offers))
        ask(self);
}

bool driver_seals_open(const driver *self)
{
    return self->seals_until_ns != 0;
}

/* What was read of the build queue may name versions that have been recorded since. */
static void read_windows_anew(driver *self, int64_t now_ns)
{
    driver_offers_stale(self->offers, now_ns);
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(self->offers, abi)) != NULL) {
        piw_msg *wanted =
            heads_WANTED_make(driver_offers_view(abi).abi_tag, DRIVER_SPARE + (int64_t)self->by_peer.count, true);
        if (piw_cast(self->task, &wanted) != 0)
            piw_msg_free(&wanted); /* its own time brings the next window, too */
    }
}

void driver_seals_heard(driver *self, const seals_left *body)
{
    int64_t now_ns = piw_monotonic_ns();
    if (body->key != self->seals_key)
        return; /* the answer to an earlier soul, before what that one had was left */
    for (uint32_t i = 0; i < body->left.at.count; i++) {
        const sealed_version *it = &body->left.at.at[i];
        driver_offers_seal(self->offers, it->queue, it->package, it->version, now_ns);
    }
    driver_offers_unseal(self->offers, now_ns);
    if (driver_seals_open(self) && body->left.at.count > 0)
        piw_info("%u builds are sealed and have no row yet: their versions aren't given out", body->left.at.count);
    if (driver_seals_open(self) && body->recorded)
        read_windows_anew(self, now_ns);
    self->seals_until_ns = 0;
}
