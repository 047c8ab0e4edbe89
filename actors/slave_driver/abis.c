/* abis.c — slaves of ABIs that the farm doesn't know: they would wait for ever, so they are named with what to do. And which
 * slaves are here, for whoever wants to know. */
#include "slave_driver/abis.h"

#include "builds.piw.h"
#include "events.piw.h"
#include "shared/abi.h"
#include "shared/text.h"
#include "slave_driver/slaves.h"

#include <stdio.h>

enum { TELL_AGAIN_MS = 5000, ABIS_SHOWN = 100, NAMES_BYTES = 120 };

static bool knows(const driver *self, piw_text abi)
{
    const builds_ABIS *known = builds_ABIS_of(self->abis);
    for (uint32_t i = 0; i < known->abis.count; i++)
        if (piw_text_eq(known->abis.at[i], abi))
            return true;
    return false;
}

bool driver_builds_for(const driver *self, piw_text abi_tag)
{
    return self->abis == NULL || knows(self, abi_tag);
}

static void warn_no_view(driver *self, driver_slave *slave)
{
    const slave_hello *hello = &slave->saved.hello;
    const char *address = piw_peer_address(self->task, slave->peer);
    if (!slave->abi_warned)
        piw_log_limited(
            &self->unbuilt, 30, PIW_LOG_WARNING,
            "slave %lld: %.*s at %s fits no view: it gets no work; it builds for %.*s on %.*s and is %.*s %.*s, "
            "board %.*s",
            (long long)slave->saved.slave_id, (int)hello->label.len, hello->label.s,
            address != NULL ? address : "an unknown address", (int)hello->abi.len, hello->abi.s,
            (int)hello->platform.len, hello->platform.s, (int)hello->os_name.len, hello->os_name.s,
            (int)hello->os_version.len, hello->os_version.s, (int)hello->board_revision.len, hello->board_revision.s);
    slave->abi_warned = true;
}

void driver_check_abi(driver *self, driver_slave *slave)
{
    if (self->abis == NULL || slave->saved.slave_id == 0)
        return;
    const slave_hello *hello = &slave->saved.hello;
    bool known = knows(self, slave->queue);
    if (slave->queue.len == 0 && self->views.count > 0) {
        warn_no_view(self, slave);
        return;
    }
    if (!known && !slave->abi_warned) {
        const char *address = piw_peer_address(self->task, slave->peer);
        bool typed = piw_abi_typed(hello->abi);
        piw_log_limited(&self->unbuilt, 30, PIW_LOG_WARNING,
                        "slave %lld: %.*s at %s builds for %.*s, which the farm doesn't: it gets no work%s%.*s",
                        (long long)slave->saved.slave_id, (int)hello->label.len, hello->label.s,
                        address != NULL ? address : "an unknown address", (int)hello->abi.len, hello->abi.s,
                        typed ? "; piw-ctl abi add " : ", and that is no ABI tag of an interpreter",
                        typed ? (int)hello->abi.len : 0, hello->abi.s);
    }
    slave->abi_warned = !known;
}

int driver_on_abis(piw_task *task, piw_msg *msg)
{
    driver *self = piw_soul(task);
    bool had_some = self->abis == NULL || builds_ABIS_of(self->abis)->abis.count > 0;
    piw_msg_free(&self->abis);
    self->abis = piw_msg_copy(msg);
    self->slaves_changed = true;
    if (builds_ABIS_of(msg)->abis.count == 0 && had_some)
        piw_warning("the farm builds for no ABI, so no slave gets work; piw-ctl abi add ABI, such as cp311");
    for (driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave))
        driver_check_abi(self, slave);
    return 0;
}

/* How many slaves there are for each queue, and of each ABI of those that have none; of more ABIs than the event has room for the rest is left out. */
static void count_slaves(const driver *self, slaves_here *here)
{
    for (const driver_slave *slave = driver_next(self, NULL); slave != NULL; slave = driver_next(self, slave)) {
        if (slave->saved.slave_id == 0)
            continue;
        piw_text abi = slave->queue.len > 0 ? slave->queue : slave->saved.hello.abi;
        bool known = slave->queue.len > 0 && knows(self, abi);
        uint32_t i = 0;
        while (i < here->abis.count && !(piw_text_eq(here->abis.at[i].abi_tag, abi) && here->abis.at[i].known == known))
            i++;
        if (i == here->abis.count && i < ABIS_SHOWN)
            here->abis.at[here->abis.count++] = (abi_slaves){abi, 0, known};
        if (i < here->abis.count)
            here->abis.at[i].slaves++;
    }
}

static void note(driver *self, const slaves_here *here)
{
    char names[NAMES_BYTES] = "";
    const abi_slaves *first = NULL;
    size_t used = 0;
    long long slaves = 0;
    for (uint32_t i = 0; i < here->abis.count; i++) {
        const abi_slaves *abi = &here->abis.at[i];
        if (abi->known)
            continue;
        slaves += abi->slaves;
        if (used + abi->abi_tag.len + 3 < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.*s", used > 0 ? ", " : "",
                                     (int)abi->abi_tag.len, abi->abi_tag.s);
        first = first == NULL && piw_abi_typed(abi->abi_tag) ? abi : first;
    }
    if (builds_ABIS_of(self->abis)->abis.count == 0)
        piw_task_note(self->task, "the farm builds for no ABI: piw-ctl abi add ABI");
    else if (slaves > 0 && self->views.count > 0)
        piw_task_note(self->task, "%lld %s no view: piw-ctl slaves", slaves, slaves == 1 ? "slave fits" : "slaves fit");
    else if (slaves > 0)
        piw_task_note(self->task, "%lld %s for what the farm doesn't: %s%s%.*s", slaves,
                      slaves == 1 ? "slave builds" : "slaves build", names, first != NULL ? "; piw-ctl abi add " : "",
                      first != NULL ? (int)first->abi_tag.len : 0, first != NULL ? first->abi_tag.s : "");
    else
        piw_task_note(self->task, "%s", "");
}

void driver_tell_abis(driver *self, int64_t now_ns)
{
    if (self->abis == NULL || (!self->slaves_changed && now_ns < self->tell_abis_ns))
        return;
    slaves_here *here = NULL;
    piw_msg *event = slaves_here_new(&here);
    piw_msg_list(event, &here->abis, ABIS_SHOWN);
    here->abis.count = 0;
    count_slaves(self, here);
    for (uint32_t i = 0; i < here->abis.count; i++)
        here->abis.at[i].abi_tag = piw_text_copy(event, here->abis.at[i].abi_tag);
    note(self, here);
    self->slaves_changed = false;
    self->tell_abis_ns = now_ns + TELL_AGAIN_MS * INT64_C(1000000);
    if (piw_emit(self->task, &event) != 0)
        piw_msg_free(&event);
}
