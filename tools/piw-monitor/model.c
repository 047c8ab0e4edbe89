/* model.c — what is known of the master: its figures and its clock; and the notes. slaves.c has what is known of
 * slaves. */
#include "model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CLOCK_WINDOW_US = 60 * 1000000, /* after a clock was set, its difference is known again within two of these */
    CONFIRM_US = 20 * 1000000,      /* so long after a HELLO the master has named all its slaves */
};

model *model_new(void)
{
    model *self = piw_zalloc(sizeof(*self));
    self->past = (history){.figures = FIGURES, .max = MODEL_SAMPLES};
    return self;
}

void model_free(model **self)
{
    if (*self == NULL)
        return;
    model__forget_slaves(*self);
    free((*self)->slaves);
    free((*self)->by_id);
    history_fini(&(*self)->past);
    piw_msg_free(&(*self)->hello);
    piw_msg_free(&(*self)->stats);
    piw_views_fini(&(*self)->views);
    free(*self);
    *self = NULL;
}

/* --- Views ---------------------------------------------------------------------------------------------------------- */

void model_take_views(model *self, piw_views *views)
{
    piw_views before = self->views;
    self->views = *views;
    *views = (piw_views){0};
    model__slaves_sort(self);
    piw_views_fini(&before);
}

const char *model_queue_name(const model *self, const char *queue)
{
    const piw_farm_view *view = piw_views_of_queue(&self->views, piw_text_of(queue));
    return view != NULL ? view->name : queue;
}

/* --- The clock ---------------------------------------------------------------------------------------------------- */

/* A message takes time from the master to here, never less than none. So of all differences that are seen between a
 * message's stamp and our clock, the largest is nearest to the difference of the clocks. */
static void hear_clock(model *self, int64_t stamp_us, int64_t now_us)
{
    int64_t offset = stamp_us - now_us;
    if (!self->clock.known || now_us - self->clock.began_us > CLOCK_WINDOW_US) {
        self->clock.offset_us = self->clock.known && self->clock.next_us > offset ? self->clock.next_us : offset;
        self->clock.next_us = offset;
        self->clock.began_us = now_us;
        self->clock.known = true;
    }
    if (offset > self->clock.next_us)
        self->clock.next_us = offset;
    if (offset > self->clock.offset_us)
        self->clock.offset_us = offset;
}

int64_t model_ago(const model *self, int64_t stamp_us, int64_t now_us)
{
    int64_t ago = now_us + self->clock.offset_us - stamp_us;
    return self->clock.known && ago > 0 ? ago : 0;
}

/* --- Figures ------------------------------------------------------------------------------------------------------ */

const master_stats *model_stats(const model *self)
{
    return self->stats != NULL ? status_STATS_of(self->stats) : NULL;
}

model_level model_level_of(const model_machine *machine, model_figure figure)
{
    static const struct {
        double warning, alarm;
    } limits[FIGURES] = {
        [FIGURE_DISK] = {90, 95}, [FIGURE_MEMORY] = {90, 95},      [FIGURE_SWAP] = {50, 90},
        [FIGURE_LOAD] = {8, 16},  [FIGURE_TEMPERATURE] = {70, 80},
    };
    double value;
    if (!model_value(machine, figure, &value))
        return LEVEL_GOOD;
    return value >= limits[figure].alarm ? LEVEL_ALARM : value >= limits[figure].warning ? LEVEL_WARNING : LEVEL_GOOD;
}

model_level model_worst(const model_machine *machine)
{
    model_level worst = LEVEL_GOOD;
    for (model_figure figure = FIGURE_DISK; figure < FIGURES; figure++) {
        model_level level = model_level_of(machine, figure);
        worst = level > worst ? level : worst;
    }
    return worst;
}

static model_machine machine_of(const master_stats *stats)
{
    return (model_machine){true,
                           stats->disk_size,
                           stats->disk_free,
                           stats->mem_size,
                           stats->mem_free,
                           stats->swap_size,
                           stats->swap_free,
                           stats->load_average,
                           stats->cpu_temp};
}

static double sum(uint32_t count, const int64_t *first, size_t step)
{
    double all = 0;
    for (uint32_t i = 0; i < count; i++)
        all += (double)*(const int64_t *)(const void *)((const char *)first + i * step);
    return all;
}

static void hear_stats(model *self, const piw_msg *msg, int64_t now_us)
{
    const master_stats *stats = status_STATS_of(msg);
    model_machine machine = machine_of(stats);
    float sample[FIGURES] = {0};
    if (stats->builds_last_hour.count > 0)
        sample[FIGURE_BUILDS] = (float)sum(stats->builds_last_hour.count, &stats->builds_last_hour.at[0].value,
                                           sizeof(*stats->builds_last_hour.at));
    if (stats->builds_pending.count > 0)
        sample[FIGURE_PENDING] = (float)sum(stats->builds_pending.count, &stats->builds_pending.at[0].value,
                                            sizeof(*stats->builds_pending.at));
    sample[FIGURE_NEW] = (float)stats->new_last_hour;
    sample[FIGURE_DOWNLOADS] = (float)stats->downloads_last_hour;
    for (model_figure figure = FIGURE_DISK; figure < FIGURES; figure++) {
        double value = 0;
        if (model_value(&machine, figure, &value))
            sample[figure] = (float)value;
    }
    history_add(&self->past, stats->timestamp.us, sample);
    hear_clock(self, stats->timestamp.us, now_us);
    piw_msg_free(&self->stats);
    self->stats = piw_msg_copy(msg);
    self->machine = machine;
    self->newest_us = stats->timestamp.us;
}

/* --- Messages ----------------------------------------------------------------------------------------------------- */

static void hear_hello(model *self, const piw_msg *msg, int64_t now_us)
{
    const master_hello *before = self->hello != NULL ? status_HELLO_of(self->hello) : NULL;
    bool other = before != NULL && before->started.us != status_HELLO_of(msg)->started.us;
    if (other) {
        /* What the earlier master told of its slaves isn't true any more. They say HELLO to this one. */
        model__forget_slaves(self);
        model_say(self, LEVEL_WARNING, now_us, "the master was restarted");
    }
    if (self->asked_hello) {
        for (size_t i = 0; i < self->count; i++)
            self->slaves[i]->confirmed = false;
        self->confirm_us = now_us + CONFIRM_US;
        self->asked_hello = false;
    }
    piw_msg_free(&self->hello);
    self->hello = piw_msg_copy(msg);
    self->hellos++;
}

static void hear_odd(model *self, const char *why, int64_t now_us)
{
    self->odd++;
    model_say(self, LEVEL_WARNING, now_us, "a message was left out (%llu so far): %s", (unsigned long long)self->odd,
              why);
}

void model_hear(model *self, const piw_msg *msg, const char *why, int64_t now_us)
{
    self->heard_us = now_us;
    if (msg == NULL) {
        hear_odd(self, why, now_us);
    } else if (piw_msg_type_of(msg) == status_HELLO_type()) {
        hear_hello(self, msg, now_us);
    } else if (piw_msg_type_of(msg) == status_STATS_type()) {
        hear_stats(self, msg, now_us);
    } else {
        const status_SLAVE *body = status_SLAVE_of(msg);
        if (!piw_text_is(body->message, "HELLO")) /* whose time is that of the slave's first HELLO */
            hear_clock(self, body->timestamp.us, now_us);
        model__slave_hear(self, body, now_us);
    }
}

void model_connected(model *self, bool online, int64_t now_us)
{
    if (self->online == online)
        return;
    self->online = online;
    if (!online) {
        self->pause = PAUSE_NONE;
        model_say(self, LEVEL_ALARM, now_us, "the master has gone: the screen shows what was known before");
    } else if (self->hello != NULL) {
        model_say(self, LEVEL_GOOD, now_us, "the master is there again");
    }
}

void model_asked_hello(model *self)
{
    self->asked_hello = true;
}

void model_tick(model *self, int64_t now_us)
{
    model__slaves_tick(self, now_us);
    if (self->confirm_us != 0 && now_us >= self->confirm_us)
        self->confirm_us = 0;
}

/* --- Commands ----------------------------------------------------------------------------------------------------- */

const char *model_command_name(command_kind kind)
{
    static const char *const names[] = {"", "SLEEP", "WAKE", "SKIP", "KILL", "QUIT"};
    return names[kind];
}

static const char *effect_of(command_kind kind, bool all)
{
    switch (kind) {
    case COMMAND_SLEEP:
        return all ? "no more builds are given out" : "it pauses when its build has ended";
    case COMMAND_WAKE:
        return all ? "the farm goes on" : "it goes on";
    case COMMAND_SKIP:
        return all ? "what is being built is thrown away" : "its build is thrown away";
    case COMMAND_KILL:
        return all ? "each ends when its build has ended" : "it ends when its build has ended";
    default:
        return "it stops in order";
    }
}

static void note_command(model_slave *slave, command_kind kind)
{
    bool builds = slave->state == STATE_BUILDING;
    bool waits = kind == COMMAND_KILL || (kind == COMMAND_SLEEP && slave->state != STATE_PAUSED) ||
                 (kind == COMMAND_SKIP && builds) || (kind == COMMAND_WAKE && slave->state == STATE_PAUSED);
    if (slave->forget_us == 0)
        slave->asked = waits ? kind : kind == COMMAND_WAKE ? COMMAND_NONE : slave->asked;
}

void model_commanded(model *self, command what, int64_t now_us)
{
    model_slave *slave = what.all ? NULL : model_find(self, what.slave_id);
    if (what.kind == COMMAND_QUIT) {
        model_say(self, LEVEL_WARNING, now_us, "QUIT to the master: it stops in order");
    } else if (what.all) {
        /* The first line says when all slaves pause or go on. */
        for (size_t i = 0; i < self->count && what.kind != COMMAND_SLEEP; i++)
            note_command(self->slaves[i], what.kind);
        if (what.kind == COMMAND_SLEEP || what.kind == COMMAND_WAKE)
            self->pause = what.kind == COMMAND_SLEEP ? PAUSE_ASKED : PAUSE_OVER;
        model_say(self, LEVEL_GOOD, now_us, "%s to all slaves: %s", model_command_name(what.kind),
                  effect_of(what.kind, true));
    } else {
        if (slave != NULL)
            note_command(slave, what.kind);
        model_say(self, LEVEL_GOOD, now_us, "%s to slave %lld%s%.100s: %s", model_command_name(what.kind),
                  (long long)what.slave_id, slave != NULL ? " " : "", slave != NULL ? model_label(slave) : "",
                  effect_of(what.kind, false));
    }
}
