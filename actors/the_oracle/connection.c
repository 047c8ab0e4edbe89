/* connection.c — the end of a connection to the database and the way to the next: who is told, what is watched, when it is
 * tried again. */
#include "oracle.h"

#include "events.piw.h"

/* Only the writing instance tells others: when its connection is lost, those of the other instances are too. */
piw_log_level oracle_loudness(const oracle *self)
{
    return piw_task_instance(self->task) == INSTANCE_WRITE ? PIW_LOG_WARNING : PIW_LOG_DEBUG;
}

void oracle_tell(oracle *self, bool up)
{
    if (piw_task_instance(self->task) != INSTANCE_WRITE)
        return;
    piw_msg *event = up ? database_up_new() : database_down_new();
    if (piw_emit(self->task, &event) != 0) {
        piw_debug("the other tasks could not be told that the database is %s", up ? "up" : "down");
        piw_msg_free(&event);
    }
}

void oracle_unwatch(oracle *self)
{
    if (self->watched >= 0)
        piw_unwatch(self->task, self->watched);
    self->watched = -1;
}

void oracle_watch(oracle *self)
{
    oracle_unwatch(self);
    self->watched = PQsocket(self->db.conn);
    if (piw_watch(self->task, self->watched, PIW_READ, PIW_ON(database_speaks), 0) != 0)
        piw_debug("the database connection isn't watched: its end will be noticed at the next request");
}

void oracle_try_later(oracle *self)
{
    if (piw_timer(self->task, PIW_ON(try_again), TIMER_CONNECT, self->backoff_ms, 0) != 0)
        piw_fail(self->task, "no timer could be set to reach the database again");
    self->backoff_ms = self->backoff_ms * 2 < RECONNECT_MAX_MS ? self->backoff_ms * 2 : RECONNECT_MAX_MS;
}

void oracle_down(oracle *self, const piw_err *err)
{
    bool lost = self->db.conn == NULL || PQstatus(self->db.conn) != CONNECTION_OK;
    self->up = false;
    self->resting = !lost;
    if (!lost) {
        piw_outage_goes_on(&self->unable, PIW_LOG_WARNING, 0, "the database can't work at the moment: %s; trying again",
                           err->text);
        self->backoff_ms = REST_MS;
    } else {
        piw_outage_goes_on(&self->outage, oracle_loudness(self), 0, "the database connection is lost: %s; trying again",
                           err->text);
        oracle_unwatch(self);
        database_close(&self->db);
        self->backoff_ms = RECONNECT_FIRST_MS;
        oracle_tell(self, false);
    }
    oracle_try_later(self);
}
