/* commands.c — what an operator asks of slave_driver with piw-ctl: which slaves there are, what waits for them, and commands to
 * one of them. */
#include "slave_driver/commands.h"

#include "orders.piw.h"
#include "shared/text.h"
#include "slave_driver/abis.h"
#include "slave_driver/alike.h"
#include "slave_driver/conversation.h"
#include "slave_driver/slaves.h"
#include "slave_driver/state.h"
#include "slaves.piw.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 1000, RESTS_MAX = 1000, CELL_BYTES = 400, LINE_BYTES = 3000, NS_A_SECOND = 1000000000 };

/* --- Commands to slaves --------------------------------------------------------------------------------------------- */

static void kill_it(driver_slave *slave)
{
    slave->saved.killed = true;
}

static void pause_it(driver_slave *slave)
{
    slave->saved.paused = true;
}

static void skip_it(driver_slave *slave)
{
    /* A slave that doesn't build has nothing to skip; what is reported already is no longer being built. */
    if (slave->build != NULL && slave->saved.last == DRIVER_SAID_BUILD && !driver_waits(slave))
        slave->build->saved.skip = true;
}

static void wake_it(driver_slave *slave)
{
    slave->saved.killed = slave->saved.paused = false;
    driver_faults_forget(slave);
    if (slave->build != NULL)
        slave->build->saved.skip = false;
}

const driver_command *driver_command_of(piw_text word)
{
    static const driver_command commands[] = {
        {"kill", kill_it, "ends when it asks for work next"},
        {"sleep", pause_it, "gets no more work until it is woken"},
        {"skip", skip_it, "throws away what it builds"},
        {"wake", wake_it, "gets work again"},
    };
    for (size_t i = 0; i < PIW_COUNT(commands); i++)
        if (piw_text_is(word, commands[i].word))
            return &commands[i];
    return NULL;
}

bool driver_command_do(driver *self, const driver_command *command, const int64_t *slave_id)
{
    driver_slave *slave = slave_id != NULL ? driver_find_id(self, *slave_id) : driver_next(self, NULL);
    bool found = slave != NULL;
    for (; slave != NULL; slave = slave_id != NULL ? NULL : driver_next(self, slave)) {
        command->fn(slave);
        driver_remember(self, slave);
    }
    if (slave_id == NULL)
        piw_info("%s to all slaves", command->word);
    else if (found)
        piw_info("%s to slave %lld", command->word, (long long)*slave_id);
    driver_serve_idle(self);
    return found || slave_id == NULL;
}

/* --- Answers -------------------------------------------------------------------------------------------------------- */

typedef struct lines {
    piw_msg *msg;
    orders_ORDER_reply *body;
} lines;

static lines lines_new(uint32_t most)
{
    lines made;
    made.msg = orders_ORDER_reply_new(&made.body);
    piw_msg_list(made.msg, &made.body->lines, most);
    made.body->lines.count = 0;
    return made;
}

static void PIW_PRINTF(2, 3) add(lines *to, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    to->body->lines.at[to->body->lines.count++] = piw_msg_textz(to->msg, line);
}

static int give(piw_task *task, piw_msg *request, lines *made)
{
    int rc = piw_reply(task, request, &made->msg);
    piw_msg_free(&made->msg);
    return rc;
}

/* A cell of a table: what slaves say of themselves may hold anything, also what separates cells. */
static const char *cell(char to[CELL_BYTES], piw_text text)
{
    size_t len = text.len < CELL_BYTES ? text.len : CELL_BYTES - 1;
    while (len < text.len && len > 0 && ((unsigned char)text.s[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        to[i] = (unsigned char)text.s[i] < 0x20 || text.s[i] == 0x7f ? '?' : text.s[i];
    to[len] = '\0';
    return to;
}

/* --- slaves --------------------------------------------------------------------------------------------------------- */

static const char *state_of(const driver_slave *slave)
{
    if (slave->gone_ns != 0)
        return "lost";
    if (slave->saved.killed)
        return "ends";
    if (slave->build != NULL && slave->build->saved.phase != DRIVER_IDLE)
        return "reported";
    if (slave->saved.last == DRIVER_SAID_SEND)
        return "sends";
    if (slave->build != NULL)
        return slave->build->saved.skip ? "skips" : "builds";
    return slave->saved.paused ? "asleep" : "idle";
}

/* Only a farm with views says it. */
static const char *view_of(const driver *self, piw_text queue)
{
    const piw_farm_view *view = piw_views_of_queue(&self->views, queue);
    return view != NULL ? view->name : self->views.count > 0 ? "none" : "";
}

static void add_slave(lines *to, const driver *self, const driver_slave *slave, int64_t now_ns)
{
    char label[CELL_BYTES], abi[CELL_BYTES], platform[CELL_BYTES], package[CELL_BYTES] = "", version[CELL_BYTES] = "",
                                                                   since[24] = "";
    const slave_hello *hello = &slave->saved.hello;
    const char *address = piw_peer_address(self->task, slave->peer);
    if (slave->build != NULL) {
        cell(package, slave->build->embargo->saved.package);
        cell(version, slave->build->embargo->saved.version);
        snprintf(since, sizeof(since), "%lld", (long long)((now_ns - slave->build->saved.began_ns) / NS_A_SECOND));
    }
    add(to, "%lld\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%lld%s%s", (long long)slave->saved.slave_id,
        cell(label, hello->label), cell(abi, hello->abi), cell(platform, hello->platform),
        address != NULL ? address : "", state_of(slave), package, version, since,
        (long long)((now_ns - slave->saved.heard_ns) / NS_A_SECOND), self->views.count > 0 ? "\t" : "",
        view_of(self, slave->queue));
}

static int by_number(const void *left, const void *right)
{
    const driver_slave *const *a = left, *const *b = right;
    return ((*a)->saved.slave_id > (*b)->saved.slave_id) - ((*a)->saved.slave_id < (*b)->saved.slave_id);
}

/* A page of them: those whose numbers are above the one that is given. */
static int on_slaves(piw_task *task, piw_msg *msg)
{
    const driver *self = piw_soul(task);
    const orders_ORDER *body = orders_ORDER_of(msg);
    int64_t after = body->args.count > 0 ? strtoll(body->args.at[0].s, NULL, 10) : 0, now_ns = piw_monotonic_ns();
    const driver_slave **list = piw_msg_alloc(msg, (self->by_id.count + 1) * sizeof(driver_slave *));
    uint32_t count = 0;
    for (const driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        if (slave->saved.slave_id > after && count < self->by_id.count)
            list[count++] = slave;
    qsort(list, count, sizeof(list[0]), by_number);
    lines made = lines_new(PAGE + 1);
    add(&made, ">slave\tlabel\tabi\tplatform\taddress\tstate\tpackage\tversion\t>seconds\t>silent%s",
        self->views.count > 0 ? "\tview" : "");
    for (uint32_t i = 0; i < count && i < PAGE; i++)
        add_slave(&made, self, list[i], now_ns);
    return give(task, msg, &made);
}

/* --- queue ---------------------------------------------------------------------------------------------------------- */

/* The states of an ABI's versions that aren't in its window. */
typedef struct standing {
    long long building, resting, slaves;
} standing;

static standing standing_of(const driver *self, piw_text abi_tag)
{
    standing found = {0};
    const driver_embargo *embargo = NULL;
    while ((embargo = driver_offers_next_embargo(self->offers, embargo)) != NULL) {
        if (!piw_text_eq(embargo->saved.abi_tag, abi_tag))
            continue;
        found.building += embargo->saved.kind == DRIVER_EMBARGO_OUT;
        found.resting += embargo->saved.kind == DRIVER_EMBARGO_RESTING || embargo->saved.kind == DRIVER_EMBARGO_SKIPPED;
    }
    for (const driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        found.slaves += slave->saved.slave_id != 0 && slave->gone_ns == 0 && piw_text_eq(slave->queue, abi_tag);
    return found;
}

static int show_queues(piw_task *task, piw_msg *msg)
{
    const driver *self = piw_soul(task);
    lines made = lines_new(PAGE + 1);
    char tag[CELL_BYTES];
    bool views = self->views.count > 0;
    add(&made, "abi\t>waiting\t>building\t>resting\t>slaves%s", views ? "\tview" : "");
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(self->offers, abi)) != NULL && made.body->lines.count <= PAGE) {
        piw_text queue = driver_offers_view(abi).abi_tag;
        if (!driver_builds_for(self, queue))
            continue;
        standing found = standing_of(self, queue);
        add(&made, "%s\t%lld\t%lld\t%lld\t%lld%s%s", cell(tag, queue),
            (long long)driver_offers_pending(self->offers, abi), found.building, found.resting, found.slaves,
            views ? "\t" : "", view_of(self, queue));
    }
    return give(task, msg, &made);
}

static int no_such_abi(piw_task *task, piw_msg *msg, piw_text tag)
{
    const driver *self = piw_soul(task);
    char known[500] = "";
    size_t used = 0;
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(self->offers, abi)) != NULL) {
        piw_text name = driver_offers_view(abi).abi_tag;
        if (driver_builds_for(self, name) && used + name.len + 3 < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used > 0 ? ", " : "", name.s);
    }
    return piw_refuse(task, msg, PIW_ENOENT, "the farm doesn't build for '%.100s', but for %s", tag.s,
                      used > 0 ? known : "nothing: piw-ctl abi add ABI");
}

static int on_queue_order(piw_task *task, piw_msg *msg)
{
    const driver *self = piw_soul(task);
    const orders_ORDER *body = orders_ORDER_of(msg);
    if (body->args.count == 0)
        return show_queues(task, msg);
    const piw_farm_view *named = piw_views_find(&self->views, body->args.at[0]);
    piw_text wanted = named != NULL ? piw_text_of(piw_view_queue(named)) : body->args.at[0];
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(self->offers, abi)) != NULL &&
           !piw_text_eq(driver_offers_view(abi).abi_tag, wanted))
        ;
    if (abi == NULL || !driver_builds_for(self, wanted))
        return no_such_abi(task, msg, body->args.at[0]);
    driver_abi_view view = driver_offers_view(abi);
    lines made = lines_new(PAGE + 1);
    char package[CELL_BYTES], version[CELL_BYTES];
    add(&made, ">place\tpackage\tversion");
    for (uint32_t i = 0; i < view.count && made.body->lines.count <= PAGE; i++) {
        const build_ref *ref = &view.list[i];
        if (ref->package.len > 0 && driver_offers_find(self->offers, view.abi_tag, ref->package, ref->version) == NULL)
            add(&made, "%u\t%s\t%s", made.body->lines.count, cell(package, ref->package), cell(version, ref->version));
    }
    return give(task, msg, &made);
}

/* --- kill, skip, sleep, wake ------------------------------------------------------------------------------------------ */

/* By its number, or by a label that no other has. */
static int find_slave(const driver *self, piw_text name, driver_slave **slave, piw_err *err)
{
    char *end = NULL;
    int64_t id = strtoll(name.s, &end, 10);
    *slave = name.len > 0 && *end == '\0' ? driver_find_id(self, id) : NULL;
    if (*slave != NULL)
        return 0;
    long long first = 0, second = 0;
    for (driver_slave *one = driver_next(self, NULL); one != NULL; one = driver_next(self, one)) {
        if (one->saved.slave_id == 0 || !piw_text_eq(one->saved.hello.label, name))
            continue;
        second = first;
        first = (long long)one->saved.slave_id;
        *slave = one;
    }
    if (second != 0)
        return piw_err_set(err, PIW_EINVAL, "several slaves are called '%.100s', such as %lld and %lld: give a number",
                           name.s, second, first);
    if (*slave == NULL)
        return piw_err_set(err, PIW_ENOENT, "no slave here has the number or label '%.100s': see piw-ctl slaves",
                           name.s);
    return 0;
}

static int on_command(piw_task *task, piw_msg *msg, const driver_command *command)
{
    driver *self = piw_soul(task);
    const orders_ORDER *body = orders_ORDER_of(msg);
    if (body->args.count != 1)
        return piw_refuse(task, msg, PIW_EINVAL, "the command is: %s SLAVE", command->word);
    driver_slave *slave = NULL;
    piw_err err = {0};
    int rc = find_slave(self, body->args.at[0], &slave, &err);
    if (rc != 0)
        return piw_refuse(task, msg, rc, "%s", err.text);
    int64_t id = slave->saved.slave_id;
    bool nothing = strcmp(command->word, "skip") == 0;
    char label[CELL_BYTES];
    cell(label, slave->saved.hello.label);
    driver_command_do(self, command, &id);
    nothing = nothing && (slave->build == NULL || !slave->build->saved.skip);
    lines made = lines_new(1);
    if (nothing) {
        piw_msg_free(&made.msg);
        return piw_refuse(task, msg, PIW_EREFUSED, "slave %lld (%s) builds nothing that could be skipped",
                          (long long)id, label);
    }
    add(&made, "slave %lld (%s) %s", (long long)id, label, command->does);
    return give(task, msg, &made);
}

int driver_on_order(piw_task *task, piw_msg *msg)
{
    const orders_ORDER *body = orders_ORDER_of(msg);
    const driver_command *command = driver_command_of(body->word);
    if (command != NULL)
        return on_command(task, msg, command);
    if (piw_text_is(body->word, "slaves"))
        return on_slaves(task, msg);
    if (piw_text_is(body->word, "queue") && body->args.count <= 1)
        return on_queue_order(task, msg);
    return piw_refuse(task, msg, PIW_ENOENT,
                      "slave_driver takes no command '%.64s': there are slaves, queue [ABI], and kill, skip, sleep and "
                      "wake SLAVE",
                      body->word.s);
}

/* --- What mr_chase asks for `why` ------------------------------------------------------------------------------------- */

/* Why a version isn't given out; NULL: nothing keeps it. */
static const char *why_kept(const driver_embargo *embargo)
{
    switch (embargo != NULL ? embargo->saved.kind : DRIVER_EMBARGO_RECORDED) {
    case DRIVER_EMBARGO_OUT:
        return "builds";
    case DRIVER_EMBARGO_RESTING:
        return "failed";
    case DRIVER_EMBARGO_SKIPPED:
        return "skipped";
    case DRIVER_EMBARGO_CLAIMABLE:
        return "claimable";
    case DRIVER_EMBARGO_SEALED:
        return "sealed";
    default:
        return NULL;
    }
}

static bool ends_by_time(const driver_embargo *embargo)
{
    return embargo->saved.kind != DRIVER_EMBARGO_OUT && embargo->saved.kind != DRIVER_EMBARGO_SEALED;
}

/* An answer to RESTS as it is made. */
typedef struct rests {
    const driver *self;
    piw_msg *msg;
    slaves_RESTS_reply *body;
    int64_t now_ns;
} rests;

/* Who has it now; else who had it last. */
static int64_t holder_of(const driver *self, const driver_embargo *embargo)
{
    for (const driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        if (slave->build != NULL && slave->build->embargo == embargo)
            return slave->saved.slave_id;
    return embargo->saved.slave_id;
}

static void add_rest(rests *to, piw_text abi_tag, const char *after, const driver_embargo *embargo, piw_text version)
{
    bool ends = embargo != NULL && ends_by_time(embargo);
    int64_t left_ns = ends ? embargo->saved.until_ns - to->now_ns : 0;
    if (to->body->rests.count == RESTS_MAX)
        return;
    to->body->rests.at[to->body->rests.count++] =
        (version_rest){.abi_tag = piw_text_copy(to->msg, abi_tag),
                       .after = piw_msg_textz(to->msg, after),
                       .seconds = left_ns > 0 ? (left_ns + NS_A_SECOND - 1) / NS_A_SECOND : 0,
                       .slave_id = embargo != NULL ? holder_of(to->self, embargo) : 0,
                       .version = version.s != NULL ? piw_text_copy(to->msg, version) : (piw_text){0}};
}

static void rests_of_version(rests *to, piw_text package, piw_text version)
{
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(to->self->offers, abi)) != NULL) {
        piw_text tag = driver_offers_view(abi).abi_tag;
        const driver_embargo *embargo = driver_offers_find(to->self->offers, tag, package, version);
        const char *after = why_kept(embargo);
        bool over = after == NULL || (ends_by_time(embargo) && embargo->saved.until_ns <= to->now_ns);
        if (over && driver_offers_paused(to->self->offers, tag, to->now_ns))
            after = "alike";
        if (after != NULL)
            add_rest(to, tag, after, embargo, (piw_text){0});
    }
}

static void rests_of_package(rests *to, piw_text package)
{
    struct driver_abi *abi = NULL;
    while ((abi = driver_offers_next_abi(to->self->offers, abi)) != NULL)
        if (driver_offers_paused(to->self->offers, driver_offers_view(abi).abi_tag, to->now_ns))
            add_rest(to, driver_offers_view(abi).abi_tag, "alike", NULL, (piw_text){0});
    const driver_embargo *embargo = NULL;
    while ((embargo = driver_offers_next_embargo(to->self->offers, embargo)) != NULL) {
        const char *after = why_kept(embargo);
        if (after != NULL && piw_text_eq(embargo->saved.package, package))
            add_rest(to, embargo->saved.abi_tag, after, embargo, embargo->saved.version);
    }
}

int driver_on_rests(piw_task *task, piw_msg *msg)
{
    const slaves_RESTS *body = slaves_RESTS_of(msg);
    rests made = {.self = piw_soul(task), .now_ns = piw_monotonic_ns()};
    made.msg = slaves_RESTS_reply_new(&made.body);
    piw_msg_list(made.msg, &made.body->rests, RESTS_MAX);
    made.body->rests.count = 0;
    made.body->paused = made.self->farm.farm_paused;
    if (body->version.len > 0)
        rests_of_version(&made, body->package, body->version);
    else
        rests_of_package(&made, body->package);
    int rc = piw_reply(task, msg, &made.msg);
    piw_msg_free(&made.msg);
    return rc;
}
