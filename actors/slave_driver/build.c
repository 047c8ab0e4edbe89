/* build.c — a version in the making: given to a slave, reported, and over at last. */
#include "slave_driver/build.h"

#include "db.piw.h"
#include "events.piw.h"
#include "fs.piw.h"
#include "shared/file_check.h"
#include "shared/text.h"
#include "shared/version.h"
#include "slave_driver/slaves.h"

#include <stdio.h>
#include <stdlib.h>

static void cast_quietly(driver *self, piw_msg **msg)
{
    if (piw_cast(self->task, msg) != 0)
        piw_msg_free(msg);
}

driver_build *driver_build_new(driver *self, driver_slave *slave, int64_t slave_id, driver_embargo *embargo)
{
    driver_build *build = piw_zalloc(sizeof(*build));
    build->embargo = embargo;
    build->slave = slave;
    build->slave_id = slave_id;
    driver_build_saved(build, &(driver_making){.holds = true});
    if (slave != NULL) {
        slave->build = build;
        slave->address->builds++;
    }
    build->at = &self->builds;
    build->next = self->builds;
    if (build->next != NULL)
        build->next->at = &build->next;
    self->builds = build;
    return build;
}

void driver_build_saved(driver_build *build, const driver_making *saved)
{
    build->saved = *saved;
    build->saved.package = build->embargo->saved.package;
    build->saved.version = build->embargo->saved.version;
    build->saved.build = NULL;
    build->saved.unnoted = NULL;
    if (build->saved.tries < 0)
        build->saved.tries = 0;
}

void driver_build_part(driver_build *build)
{
    if (build->slave != NULL) {
        build->slave->build = NULL;
        build->slave->address->builds--;
    }
    build->slave = NULL;
}

static void forget_report(driver *self, driver_build *build)
{
    if (build->report.build_id != 0) {
        piw_table_remove(&self->by_number, &build->by_number);
        piw_timer_stop(self->task, PIW_ON(again), (uint64_t)build->report.build_id);
    }
    piw_msg_free(&build->memory);
    build->report = (driver_reported){0};
    build->sealing = false;
    build->expecting = false;
}

void driver_build_free(driver *self, driver_build **build)
{
    driver_build *gone = *build;
    *build = NULL;
    driver_build_part(gone);
    forget_report(self, gone);
    piw_msg_free(&gone->attempt);
    *gone->at = gone->next;
    if (gone->next != NULL)
        gone->next->at = gone->at;
    free(gone);
}

void driver_build_begins(driver *self, driver_build *build, int64_t elapsed_ns)
{
    const driver_slave *slave = build->slave;
    build->saved.began_ns = slave->saved.heard_ns - elapsed_ns;
    build->saved.ends_ns = build->saved.began_ns + driver_build_timeout_ns(slave);
    driver_build_note_soon(self, build);
}

void driver_build_note_soon(driver *self, driver_build *build)
{
    const char *address = build->slave != NULL ? build->slave->address->text : "";
    piw_msg_free(&build->attempt);
    build->attempt = db_ATTEMPT_make(build->slave_id, build->embargo->saved.package, build->embargo->saved.version,
                                     build->embargo->saved.abi_tag, piw_text_of(address));
    if (!self->noting)
        self->noting = piw_timer(self->task, PIW_ON(note_attempts), 0, DRIVER_NOTE_MS, 0) == 0;
    if (!self->noting)
        driver_build_note(self, build);
}

void driver_build_note(driver *self, driver_build *build)
{
    if (build->attempt != NULL)
        cast_quietly(self, &build->attempt);
}

int on_note_attempts(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    driver *self = piw_soul(task);
    self->noting = false;
    for (driver_build *build = self->builds; build != NULL; build = build->next)
        driver_build_note(self, build);
    return 0;
}

static bool is_build(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const driver_build, by_number)->report.build_id == *(const int64_t *)key;
}

driver_build *driver_build_find(const driver *self, int64_t number)
{
    piw_table_node *node = piw_table_find(&self->by_number, piw_table_hash_u64((uint64_t)number), is_build, &number);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_build, by_number) : NULL;
}

void driver_build_set_number(driver *self, driver_build *build, int64_t number)
{
    build->report.build_id = number;
    if (number != 0)
        piw_table_add(&self->by_number, &build->by_number, piw_table_hash_u64((uint64_t)number));
}

/* --- what its slave reports --------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const file_state *)a)->filename.s, ((const file_state *)b)->filename.s);
}

void driver_build_fail(driver_build *build, const char *note)
{
    driver_reported *report = &build->report;
    piw_warning("slave %lld, %s %s: %s", (long long)build->slave_id, build->embargo->saved.package.s,
                build->embargo->saved.version.s, note);
    report->status = false;
    report->files.count = 0;
    report->verified.count = 0;
    report->note = piw_msg_textz(build->memory, note);
    report->cause = piw_msg_textz(build->memory, "");
}

/* What the slave says of its build. The files of a failed one don't count, and so aren't looked at; one whose slave is lost
 * has none. */
static int check_report(driver_reported *report, const driver_build *build, piw_err *err)
{
    if (!report->status)
        report->files.count = 0;
    if (piw_duration_us(report->duration) < 0) {
        report->duration = (piw_duration){0};
        return piw_err_set(err, PIW_EINVAL, "it says that the build took a negative time");
    }
    int rc = piw_files_check(report->files.at, report->files.count, build->embargo->saved.package,
                             build->embargo->saved.version, err);
    if (rc != 0 || report->files.count == 0)
        return rc;
    return piw_files_check_platform(report->files.at, report->files.count, build->slave->saved.hello.platform, err);
}

void driver_build_report(driver_build *build, piw_msg **report, const char *why_bad, const char *cause)
{
    piw_msg *memory = build->memory = *report;
    *report = NULL;
    const slave_BUILT *said = slave_BUILT_of(memory);
    driver_reported *to = &build->report;
    *to = (driver_reported){.status = said->status,
                            .duration = said->duration,
                            .output = said->output,
                            .note = piw_msg_textz(memory, ""),
                            .cause = piw_msg_textz(memory, "")};
    to->files.at = said->files.at;
    to->files.count = said->files.count;
    piw_err err = {0};
    char note[PIW_ERR_TEXT + 64];
    if (why_bad != NULL) {
        driver_build_fail(build, why_bad);
    } else if (check_report(to, build, &err) != 0) {
        snprintf(note, sizeof(note), "The slave's report of the build was refused: %s", err.text);
        driver_build_fail(build, note);
    } else if (!piw_version_valid(build->embargo->saved.version)) {
        /* Such a build is final, whatever came of it: another try would fail in the same way. */
        snprintf(note, sizeof(note),
                 "No wheel of version %.100s can be published: it is no version by PEP 440, and installers don't read "
                 "the names of wheels of such.",
                 build->embargo->saved.version.s);
        driver_build_fail(build, note);
    } else {
        to->cause = piw_msg_textz(memory, cause != NULL ? cause : "");
    }
    if (to->files.count > 0)
        qsort(to->files.at, to->files.count, sizeof(*to->files.at), by_name);
    piw_msg_list(memory, &to->verified, to->files.count);
    to->verified.count = 0;
}

void driver_build_unreport(driver *self, driver_build *build)
{
    /* If it may have a row, its staged files stay: the next start of the master publishes them when it has, and
     * removes them when it hasn't. */
    if (build->memory != NULL && !build->report.sent_before)
        driver_build_discard(self, build);
    forget_report(self, build);
}

void driver_build_discard(driver *self, const driver_build *build)
{
    if (build->report.build_id == 0)
        return;
    piw_msg *discard = fs_DISCARD_make(build->report.build_id, build->slave_id);
    cast_quietly(self, &discard);
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void log_recorded(const driver_build *build)
{
    piw_text abi = build->embargo->saved.abi_tag;
    piw_info("build %lld: %s %s for %.*s by slave %lld %s", (long long)build->report.build_id,
             build->embargo->saved.package.s, build->embargo->saved.version.s, (int)abi.len, abi.s,
             (long long)build->slave_id, build->report.status ? "succeeded" : "failed");
}

/* Nothing is recorded: the staged files are removed, and the attempt is noted as ended. */
static void throw_away(driver *self, driver_build *build, const char *why)
{
    driver_build_unreport(self, build);
    driver_build_note(self, build);
    piw_msg *end = db_ATTEMPT_END_make(build->slave_id, build->embargo->saved.package, build->embargo->saved.version,
                                       build->embargo->saved.abi_tag, piw_text_of(why));
    cast_quietly(self, &end);
}

/* To whoever counts attempts. */
static void tell_over(driver *self, const driver_build *build, driver_outcome outcome)
{
    const driver_reported *report = &build->report;
    bool recorded = outcome.what == DRIVER_RECORDED;
    bool transient = outcome.what == DRIVER_RESTS;
    attempt_over *body;
    piw_msg *event = attempt_over_new(&body);
    body->package = piw_text_copy(event, build->embargo->saved.package);
    body->version = piw_text_copy(event, build->embargo->saved.version);
    body->abi_tag = piw_text_copy(event, build->embargo->saved.abi_tag);
    body->slave_id = build->slave_id;
    body->outcome = piw_msg_textz(event, transient        ? "transient"
                                         : !recorded      ? "void"
                                         : report->status ? "built"
                                                          : "failed");
    body->cause = piw_msg_textz(event, "");
    if (transient && report->cause.len > 0)
        body->cause = piw_text_copy(event, report->cause);
    else if (!recorded && outcome.why != NULL)
        body->cause = piw_msg_textz(event, outcome.why);
    body->duration = report->duration;
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}

void driver_build_end(driver *self, driver_build **build, driver_outcome outcome)
{
    driver_build *over = *build;
    driver_embargo *embargo = over->embargo;
    tell_over(self, over, outcome);
    if (outcome.what == DRIVER_RECORDED)
        log_recorded(over);
    if (outcome.why != NULL)
        throw_away(self, over, outcome.why);
    switch (outcome.what) {
    case DRIVER_RECORDED:
        driver_offers_end(self->offers, &embargo, DRIVER_EMBARGO_RECORDED, piw_monotonic_ns());
        break;
    case DRIVER_RESTS:
        embargo->saved.slave_id = over->slave_id;
        driver_offers_end(self->offers, &embargo, DRIVER_EMBARGO_RESTING, outcome.until_ns);
        break;
    case DRIVER_RETURNED:
        driver_offers_end(self->offers, &embargo, DRIVER_EMBARGO_RETURNED, piw_monotonic_ns());
        break;
    case DRIVER_SKIPPED:
        driver_offers_end(self->offers, &embargo, DRIVER_EMBARGO_SKIPPED, over->saved.ends_ns);
        break;
    default:
        driver_offers_drop(self->offers, &embargo);
        break;
    }
    driver_build_free(self, build);
}
