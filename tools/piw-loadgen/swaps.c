/* swaps.c — tasks of the master swapped while the load goes on. */
#include "swaps.h"

#include "admin.piw.h"

enum { SEND_MS = 5000 };

/* "the_scribe=the_scribe.so,scribe_html.so" */
static int read_item(load_swap *swap, const char *item, piw_err *err)
{
    const char *equals = strchr(item, '='), *comma = equals != NULL ? strchr(equals, ',') : NULL;
    if (comma == NULL || equals == item || comma == equals + 1 || comma[1] == '\0' ||
        (size_t)(equals - item) >= sizeof(swap->task) || (size_t)(comma - equals) > sizeof(swap->files[0]) ||
        strlen(comma + 1) >= sizeof(swap->files[1]))
        return piw_err_set(err, PIW_EUSAGE, "--swap %s: write TASK=FILE,FILE", item);
    snprintf(swap->task, sizeof(swap->task), "%.*s", (int)(equals - item), item);
    snprintf(swap->files[0], sizeof(swap->files[0]), "%.*s", (int)(comma - equals - 1), equals + 1);
    snprintf(swap->files[1], sizeof(swap->files[1]), "%s", comma + 1);
    return 0;
}

int load_swaps_open(load_swaps *swaps, const char *address, piw_codec codec, const char *const *items, size_t count,
                    int64_t wanted, piw_err *err)
{
    swaps->wanted = wanted;
    if (count > LOAD_SWAP_TASKS_MAX)
        return piw_err_set(err, PIW_EUSAGE, "--swap can be given %d times", LOAD_SWAP_TASKS_MAX);
    for (size_t i = 0; i < count; i++) {
        int rc = read_item(&swaps->tasks[i], items[i], err);
        if (rc != 0)
            return rc;
    }
    swaps->tasks_count = count;
    return count > 0 ? piw_client_open(&swaps->admin, &admin_protocol_def, address, codec, err) : 0;
}

void load_swaps_close(load_swaps *swaps)
{
    piw_client_close(&swaps->admin);
}

bool load_swaps_over(const load_swaps *swaps)
{
    return swaps->admin != NULL && !swaps->waiting && !swaps->resting;
}

static int ask(load_swaps *swaps, bool looking, piw_err *err)
{
    const load_swap *swap = &swaps->tasks[swaps->at];
    piw_msg *msg =
        looking ? admin_INFO_make(piw_text_of(swap->task))
                : admin_REPLACE_make(piw_text_of(swap->task), piw_text_of(swap->files[(swap->count + 1) % 2]), false);
    swaps->looking = looking;
    swaps->asked_ns = piw_monotonic_ns();
    if (!looking)
        swaps->replaced_ns = swaps->asked_ns;
    int rc = piw_client_send(swaps->admin, &msg, SEND_MS, err);
    if (rc == PIW_EAGAIN)
        rc = piw_err_set(err, PIW_ENET, "the admin queue takes nothing for %d ms", SEND_MS);
    piw_msg_free(&msg);
    swaps->waiting = rc == 0;
    return rc;
}

int load_swaps_begin(load_swaps *swaps, piw_err *err)
{
    return swaps->admin != NULL ? ask(swaps, false, err) : 0;
}

/* After a swap: how long was it? After that: the next task's turn. */
static int go_on(load_swaps *swaps, const piw_msg *answer, load_figures *figures, piw_err *err)
{
    load_swap *swap = &swaps->tasks[swaps->at];
    bool as_wanted = piw_msg_type_of(answer) == (swaps->looking ? admin_TASK_type() : admin_DONE_type());
    swaps->waiting = false;
    if (!as_wanted) {
        char text[400];
        piw_msg_print(answer, text, sizeof(text));
        load_violation(figures, "swap %lld of %s: %s", (long long)swap->count + 1, swap->task, text);
        return 0;
    }
    if (!swaps->looking) {
        load_times_add(&swap->answers, piw_monotonic_ns() - swaps->asked_ns);
        swap->count++;
        return ask(swaps, true, err);
    }
    load_times_add(&swap->pauses, admin_TASK_of(answer)->row.pause_us * 1000);
    swaps->at = (swaps->at + 1) % swaps->tasks_count;
    if (swaps->tasks[swaps->at].count == swaps->wanted)
        return 0;
    swaps->resting = swaps->every_ms > 0;
    return swaps->resting ? 0 : ask(swaps, false, err);
}

int load_swaps_hear(load_swaps *swaps, load_figures *figures, piw_err *err)
{
    piw_msg *msg = NULL;
    int rc;
    if (!swaps->waiting) {
        piw_err ignored_err = {0};
        if (piw_client_recv(swaps->admin, &msg, 0, &ignored_err) == 0)
            piw_msg_free(&msg);
        return 0;
    }
    while (swaps->waiting && (rc = piw_client_recv(swaps->admin, &msg, 0, err)) != PIW_EAGAIN) {
        if (rc == 0)
            rc = go_on(swaps, msg, figures, err);
        piw_msg_free(&msg);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int load_swaps_tick(load_swaps *swaps, load_figures *figures, int64_t now_ns, piw_err *err)
{
    if (swaps->resting && now_ns - swaps->replaced_ns >= swaps->every_ms * INT64_C(1000000)) {
        swaps->resting = false;
        return ask(swaps, false, err);
    }
    if (!swaps->waiting || now_ns - swaps->asked_ns <= swaps->patience_ms * INT64_C(1000000))
        return 0;
    load_violation(figures, "swap %lld of %s: no answer within %lld s", (long long)swaps->tasks[swaps->at].count + 1,
                   swaps->tasks[swaps->at].task, (long long)(swaps->patience_ms / 1000));
    swaps->waiting = false;
    return 0;
}

void load_swaps_report(const load_swaps *swaps, FILE *to)
{
    for (size_t i = 0; i < swaps->tasks_count; i++) {
        const load_swap *swap = &swaps->tasks[i];
        fprintf(to, "swaps_%s\t%lld\n", swap->task, (long long)swap->count);
        char name[100];
        snprintf(name, sizeof(name), "pause_%s", swap->task);
        load_times_report(&swap->pauses, name, to);
        snprintf(name, sizeof(name), "answer_%s", swap->task);
        load_times_report(&swap->answers, name, to);
    }
}
