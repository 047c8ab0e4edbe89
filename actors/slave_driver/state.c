/* state.c — the soul as a message and back (swap), and from the peers' records (restart). */
#include "slave_driver/driver.h"

static piw_text copy_text(piw_msg *msg, piw_text text)
{
    return piw_msg_text(msg, text.s, text.len);
}

/* Blobs are shared by such a copy, and the message keeps its reference. */
static void copy_output(piw_msg *msg, piw_blob *const *from, piw_blob **to)
{
    const piw_field *output = &slave_BUILT_type()->body->fields[2];
    piw_value_copy(msg, output->type, from, to);
}

/* --- saving --- */

static const driver_build *save_job(piw_msg *msg, const driver_job *job)
{
    const slave_BUILT *report = slave_BUILT_of(job->report);
    driver_build *to = piw_msg_alloc(msg, sizeof(*to));
    to->build_id = job->build_id;
    to->status = report->status;
    to->duration = report->duration;
    copy_output(msg, &report->output, &to->output);
    piw_msg_list(msg, &to->files, report->files.count);
    for (uint32_t i = 0; i < report->files.count; i++)
        piw_value_copy(msg, file_state_type(), &report->files.at[i], &to->files.at[i]);
    piw_msg_list(msg, &to->verified, job->verified_count);
    for (uint32_t i = 0; i < job->verified_count; i++)
        piw_value_copy(msg, built_file_type(), &job->verified[i], &to->verified.at[i]);
    to->bad = job->bad;
    to->note = piw_msg_textz(msg, job->note != NULL ? job->note : "");
    piw_msg_list(msg, &to->kept, job->kept.count);
    for (uint32_t i = 0; i < job->kept.count; i++)
        to->kept.at[i] = copy_text(msg, job->kept.at[i]);
    to->sent_before = job->sent_before;
    to->cause = piw_msg_textz(msg, job->cause != NULL ? job->cause : "");
    return to;
}

static void save_slave(piw_msg *msg, const driver_builder *from, driver_slave *to)
{
    to->slave_id = from->id;
    to->peer = (int64_t)from->peer;
    piw_value_copy(msg, slave_hello_type(), driver_hello(from), &to->hello);
    to->first_seen = from->first_seen;
    to->last_seen = from->last_seen;
    to->heard_ns = from->heard_ns;
    to->last = from->last;
    to->said_paused = from->said_paused;
    to->killed = from->killed;
    to->paused = from->paused;
    to->skip = from->skip;
    to->removed = from->removed;
    to->again = from->again;
    to->leaving = from->leaving;
    to->began_ns = from->began_ns;
    to->ends_ns = from->ends_ns;
    to->holds = from->hold != NULL;
    to->package = from->hold != NULL ? copy_text(msg, from->hold->package) : piw_msg_textz(msg, "");
    to->version = from->hold != NULL ? copy_text(msg, from->hold->version) : piw_msg_textz(msg, "");
    to->request = from->request;
    to->phase = from->phase;
    to->phase_ns = from->phase_ns;
    to->ghost = from->ghost;
    to->own_faults = from->own_faults;
    to->tries = from->tries;
    to->build = from->job != NULL ? save_job(msg, from->job) : NULL;
}

static void save_windows(piw_msg *msg, const driver *self, slave_driver_state *body)
{
    uint32_t count = 0;
    for (struct driver_abi *abi = driver_builds_next_abi(self->builds, NULL); abi != NULL;
         abi = driver_builds_next_abi(self->builds, abi))
        count++;
    piw_msg_list(msg, &body->windows, count);
    driver_window *to = body->windows.at;
    for (struct driver_abi *abi = driver_builds_next_abi(self->builds, NULL); abi != NULL;
         abi = driver_builds_next_abi(self->builds, abi), to++) {
        driver_abi_view view = driver_builds_view(abi);
        to->abi_tag = copy_text(msg, view.abi_tag);
        to->as_of_ns = view.as_of_ns;
        to->total = view.total;
        piw_msg_list(msg, &to->builds, view.count);
        for (uint32_t i = 0; i < view.count; i++) {
            to->builds.at[i].package = copy_text(msg, view.list[i].package);
            to->builds.at[i].version = copy_text(msg, view.list[i].version);
        }
    }
}

static void save_holds(piw_msg *msg, const driver *self, slave_driver_state *body)
{
    uint32_t count = 0;
    driver_hold_ref *hold = NULL;
    while ((hold = driver_builds_next_hold(self->builds, hold)) != NULL)
        count++;
    piw_msg_list(msg, &body->holds, count);
    driver_hold *to = body->holds.at;
    while ((hold = driver_builds_next_hold(self->builds, hold)) != NULL) {
        to->package = copy_text(msg, hold->package);
        to->version = copy_text(msg, hold->version);
        to->abi_tag = copy_text(msg, driver_builds_hold_abi(hold));
        to->kind = hold->kind;
        to->until_ns = hold->until_ns;
        to->slave_id = hold->slave_id;
        to++;
    }
}

static driver_numbers save_pool(const driver_pool *pool)
{
    return (driver_numbers){.next = pool->next,
                            .end = pool->end,
                            .spare_next = pool->spare_next,
                            .spare_end = pool->spare_end,
                            .block = pool->block,
                            .asked_ns = pool->asked_ns,
                            .asking = pool->asking};
}

int driver_save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const driver *self = piw_soul(task);
    slave_driver_state *body;
    piw_msg *msg = slave_driver_state_new(&body);
    piw_msg_list(msg, &body->slaves, self->by_peer.count);
    driver_slave *to = body->slaves.at;
    for (driver_builder *from = driver_next(self, NULL); from != NULL; from = driver_next(self, from))
        save_slave(msg, from, to++);
    save_windows(msg, self, body);
    save_holds(msg, self, body);
    body->slave_numbers = save_pool(&self->slave_numbers);
    body->build_numbers = save_pool(&self->build_numbers);
    body->clock_number = self->clock_number;
    body->farm_paused = self->farm_paused;
    body->paused_by_operator = self->paused_by_operator;
    body->database_away = self->database_away;
    *state = msg;
    return 0;
}

/* --- loading --- */

static driver_job *load_job(const driver_build *from)
{
    driver_job *job = piw_zalloc(sizeof(*job));
    slave_BUILT *report;
    job->report = slave_BUILT_new(&report);
    job->build_id = from->build_id;
    report->status = from->status;
    report->duration = from->duration;
    copy_output(job->report, &from->output, &report->output);
    piw_msg_list(job->report, &report->files, from->files.count);
    for (uint32_t i = 0; i < from->files.count; i++)
        piw_value_copy(job->report, file_state_type(), &from->files.at[i], &report->files.at[i]);
    job->verified = piw_msg_alloc(job->report, (from->files.count + 1) * sizeof(*job->verified));
    for (uint32_t i = 0; i < from->verified.count; i++)
        piw_value_copy(job->report, built_file_type(), &from->verified.at[i], &job->verified[i]);
    job->verified_count = from->verified.count;
    job->bad = (unsigned)from->bad;
    job->note = from->note.len > 0 ? piw_strdup(from->note.s) : NULL;
    piw_msg_list(job->report, &job->kept, from->kept.count);
    for (uint32_t i = 0; i < from->kept.count; i++)
        job->kept.at[i] = copy_text(job->report, from->kept.at[i]);
    job->sent_before = from->sent_before;
    job->cause = from->cause.len > 0 ? piw_strdup(from->cause.s) : NULL;
    return job;
}

static driver_builder *add_slave(driver *self, piw_peer peer, const slave_hello *hello)
{
    slave_hello *body;
    piw_msg *msg = slave_HELLO_new(&body);
    piw_value_copy(msg, slave_hello_type(), hello, body);
    driver_builder *to = driver_add(self, peer, msg);
    piw_msg_free(&msg);
    return to;
}

static driver_builder *load_slave(driver *self, const driver_slave *from)
{
    piw_peer peer = from->ghost ? driver_ghost_peer(self) : (piw_peer)from->peer;
    driver_builder *to = add_slave(self, peer, &from->hello);
    to->ghost = from->ghost;
    if (from->ghost)
        to->id = from->slave_id;
    else if (from->slave_id != 0)
        driver_set_id(self, to, from->slave_id);
    to->first_seen = from->first_seen;
    to->last_seen = from->last_seen;
    to->heard_ns = from->heard_ns;
    to->last = (int)from->last;
    to->said_paused = from->said_paused;
    to->killed = from->killed;
    to->paused = from->paused;
    to->skip = from->skip;
    to->removed = from->removed;
    to->again = from->again;
    to->leaving = from->leaving;
    to->began_ns = from->began_ns;
    to->ends_ns = from->ends_ns;
    if (from->holds)
        to->hold = driver_builds_find(self->builds, from->hello.abi, from->package, from->version);
    to->request = from->request;
    to->phase = (int)from->phase;
    to->phase_ns = from->phase_ns;
    to->own_faults = (unsigned)from->own_faults;
    to->tries = (unsigned)from->tries;
    if (from->build != NULL) {
        to->job = load_job(from->build);
        driver_job_list(self, to);
    }
    return to;
}

static void load_pool(driver_pool *pool, const driver_numbers *from)
{
    pool->next = from->next;
    pool->end = from->end;
    pool->spare_next = from->spare_next;
    pool->spare_end = from->spare_end;
    pool->block = from->block;
    pool->asked_ns = from->asked_ns;
    pool->asking = from->asking;
}

void driver_load(driver *self, const piw_msg *state)
{
    const slave_driver_state *body = slave_driver_state_of(state);
    for (uint32_t i = 0; i < body->windows.count; i++) {
        const driver_window *from = &body->windows.at[i];
        driver_builds_window(self->builds, from->abi_tag, from->as_of_ns, from->total, from->builds.at,
                             from->builds.count);
    }
    for (uint32_t i = 0; i < body->holds.count; i++) {
        const driver_hold *from = &body->holds.at[i];
        driver_hold_ref *hold = driver_builds_restore(self->builds, from->abi_tag, from->package, from->version,
                                                      (int)from->kind, from->until_ns);
        if (hold != NULL)
            hold->slave_id = from->slave_id;
    }
    for (uint32_t i = 0; i < body->slaves.count; i++)
        load_slave(self, &body->slaves.at[i]);
    load_pool(&self->slave_numbers, &body->slave_numbers);
    load_pool(&self->build_numbers, &body->build_numbers);
    self->clock_number = body->clock_number;
    self->farm_paused = body->farm_paused;
    self->paused_by_operator = body->paused_by_operator;
    self->database_away = body->database_away;
}

/* --- restart --- */

void driver_remember(driver *self, const driver_builder *builder)
{
    if (builder->ghost)
        return;
    driver_peer *body;
    piw_msg *record = driver_peer_new(&body);
    save_slave(record, builder, &body->slave);
    if (piw_peer_set(self->task, builder->peer, &record) != 0)
        piw_msg_free(&record);
}

static int recall_peer(piw_task *task, piw_peer peer, const piw_msg *record, void *arg)
{
    (void)task;
    (void)peer;
    driver *self = arg;
    const driver_slave *from = &driver_peer_of(record)->slave;
    if (from->slave_id == 0)
        return 0;
    if (from->holds)
        driver_builds_restore(self->builds, from->hello.abi, from->package, from->version, DRIVER_HOLD_OUT, 0);
    driver_builder *to = load_slave(self, from);
    to->heard_ns = piw_monotonic_ns();
    to->request = (piw_token){0};
    to->phase = DRIVER_IDLE;
    to->unsure = true;
    if (to->job != NULL)
        to->job->sent_before = true; /* nobody knows */
    return 0;
}

void driver_recall(driver *self)
{
    if (piw_peer_each(self->task, "slave", recall_peer, self) != 0)
        piw_warning("the slaves known before the restart could not be recalled; they will say HELLO again");
}
