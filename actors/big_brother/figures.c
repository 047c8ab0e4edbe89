/* figures.c — the master's STATS: the database's figures as last known, and this machine's. */
#include "big_brother/brother.h"

static const piw_type *map_type(const char *name)
{
    const piw_type *type = master_stats_type();
    for (uint32_t i = 0; i < type->fields_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return type->fields[i].type;
    return NULL;
}

static master_stats *latest(brother *self)
{
    return piw_msg_any_body(self->latest);
}

/* The database's count includes builds that slaves have already. So for an ABI that slave_driver has told of, its
 * figure stays. */
static void keep_pending(const master_stats *before, master_stats *to)
{
    for (uint32_t i = 0; i < to->builds_pending.count; i++)
        for (uint32_t k = 0; k < before->builds_pending.count; k++)
            if (piw_text_eq(before->builds_pending.at[k].key, to->builds_pending.at[i].key))
                to->builds_pending.at[i].value = before->builds_pending.at[k].value;
}

/* Put the database's figures into a new message, so that the maps of the old figures are freed with the old message. */
static void take_figures(brother *self, const db_STATISTICS_reply *from)
{
    master_stats *to;
    piw_msg *msg = status_STATS_new(&to);
    const master_stats *before = latest(self);
    to->disk_size = before->disk_size;
    to->disk_free = before->disk_free;
    to->packages_built = from->packages_built;
    to->files_count = from->files_count;
    to->builds_time = from->builds_time;
    to->builds_size = from->builds_size;
    piw_value_copy(msg, map_type("builds_last_hour"), &from->builds_last_hour, &to->builds_last_hour);
    piw_value_copy(msg, map_type("builds_pending"), &from->builds_pending, &to->builds_pending);
    keep_pending(before, to);
    to->new_last_hour = from->new_last_hour;
    to->downloads_last_hour = from->downloads_last_hour;
    to->downloads_last_month = from->downloads_last_month;
    to->downloads_all = from->downloads_all;
    piw_msg_free(&self->latest);
    self->latest = msg;
}

void brother_keep(brother *self, piw_msg **stats)
{
    piw_msg **slot = &self->history[self->history_next];
    piw_msg_free(slot);
    *slot = *stats;
    *stats = NULL;
    self->history_next = (self->history_next + 1) % BROTHER_KEPT;
    if (self->history_count < BROTHER_KEPT)
        self->history_count++;
}

const piw_msg *brother_kept(const brother *self, uint32_t i)
{
    return self->history[(self->history_next + BROTHER_KEPT - self->history_count + i) % BROTHER_KEPT];
}

void brother_forget_history(brother *self)
{
    for (size_t i = 0; i < BROTHER_KEPT; i++)
        piw_msg_free(&self->history[i]);
    piw_msg_free(&self->latest);
}

static void show(brother *self)
{
    latest(self)->timestamp = piw_time_now();
    brother_machine(latest(self));
    piw_msg *kept = piw_msg_copy(self->latest);
    piw_msg *shown = piw_msg_copy(self->latest);
    brother_keep(self, &kept);
    brother_publish(self, &shown);
}

int on_tick(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    brother *self = piw_soul(task);
    if (brother_paused(self))
        brother_say_pause(self, "the farm is still paused"); /* for tasks that were restarted since */
    piw_msg *call = db_STATISTICS_new();
    if (!self->asking && piw_call(task, &call, PIW_ON(figures), 0, BROTHER_FIGURES_DEADLINE_MS) == 0) {
        self->asking = true;
        return 0;
    }
    piw_msg_free(&call);
    show(self);
    return 0;
}

int on_figures(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    brother *self = piw_soul(task);
    self->asking = false;
    if (piw_msg_error(reply) == 0)
        take_figures(self, db_STATISTICS_reply_of(reply));
    else
        piw_debug("the last known figures are shown: %s", piw_msg_error_text(reply));
    show(self);
    return 0;
}

void brother_queue_length(brother *self, piw_text abi_tag, int64_t pending)
{
    master_stats *stats = latest(self);
    for (uint32_t i = 0; i < stats->builds_pending.count; i++)
        if (piw_text_eq(stats->builds_pending.at[i].key, abi_tag))
            stats->builds_pending.at[i].value = pending;
}
