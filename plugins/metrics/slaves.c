/* slaves.c — the slaves as samples. What a slave says of itself is from outside: its ABI is shown if the farm knows it, its board if
 * that has a name, so that there is an end to the labels. */
#include "slaves.h"

#include "exposition.h"
#include "queues.h"
#include "shared/board.h"

enum { KINDS_MAX = 500 };

typedef struct kind {
    const char *state;
    piw_text abi, view;
    char board[PIW_BOARD_NAME];
    int64_t count;
} kind;

static const char *state_of(const slave_figures *slave)
{
    static const char *const states[][2] = {
        {"BUILD", "building"}, {"SEND", "sending"}, {"DONE", "idle"},
        {"SLEEP", "idle"},     {"ACK", "idle"},     {"DIE", "leaving"},
    };
    if (slave->paused)
        return "asleep";
    for (size_t i = 0; i < PIW_COUNT(states); i++)
        if (piw_text_is(slave->reply, states[i][0]))
            return states[i][1];
    return "coming";
}

static piw_text abi_of(const stats_FIGURES_reply *farm, const piw_views *views, const slave_figures *slave)
{
    for (uint32_t i = 0; i < farm->farm.builds_pending.count; i++)
        if (queues_know_abi(views, farm->farm.builds_pending.at[i].key, slave->abi))
            return slave->abi;
    return piw_text_of("other");
}

/* It has been put into a view, or into none. */
static piw_text view_of(const slave_figures *slave)
{
    return slave->view.len > 0 ? slave->view : piw_text_of("none");
}

static void count_slave(kind *kinds, uint32_t *count, const stats_FIGURES_reply *farm, const piw_views *views,
                        const slave_figures *slave)
{
    kind own = {.state = state_of(slave), .abi = abi_of(farm, views, slave), .view = view_of(slave)};
    uint32_t i = 0;
    if (!piw_board_name(slave->board.s, own.board))
        snprintf(own.board, sizeof(own.board), "other");
    while (i < *count && !(strcmp(kinds[i].state, own.state) == 0 && piw_text_eq(kinds[i].abi, own.abi) &&
                           piw_text_eq(kinds[i].view, own.view) && strcmp(kinds[i].board, own.board) == 0))
        i++;
    if (i == KINDS_MAX)
        return;
    if (i == *count)
        kinds[(*count)++] = own;
    kinds[i].count++;
}

static void write_kinds(const stats_FIGURES_reply *farm, const piw_views *views, FILE *to)
{
    kind kinds[KINDS_MAX];
    uint32_t count = 0;
    exposition_begin(to, "piwheels_slaves", "gauge",
                     "Slaves by what they are at, their ABI, and the board they run on.");
    for (uint32_t i = 0; farm != NULL && i < farm->slaves.count; i++)
        count_slave(kinds, &count, farm, views, &farm->slaves.at[i]);
    for (uint32_t i = 0; i < count; i++)
        exposition_count(to, "piwheels_slaves",
                         LABELS({"state", piw_text_of(kinds[i].state)}, {"abi", kinds[i].abi},
                                {"board", piw_text_of(kinds[i].board)},
                                {views->count > 0 ? "view" : NULL, kinds[i].view}),
                         kinds[i].count);
}

/* Two samples must not have the same labels: of slaves with the same label only the one that came last is shown. */
static bool is_shown(const stats_FIGURES_reply *farm, uint32_t place, uint32_t most)
{
    const slave_figures *slave = &farm->slaves.at[place];
    if (slave->stats == NULL)
        return false;
    for (uint32_t i = place + 1; i < farm->slaves.count && i < most; i++)
        if (farm->slaves.at[i].stats != NULL && piw_text_eq(farm->slaves.at[i].label, slave->label))
            return false;
    return true;
}

typedef double of_slave_fn(const slave_stats *stats);

static double temperature(const slave_stats *stats)
{
    return stats->cpu_temp;
}

static double load(const slave_stats *stats)
{
    return stats->load_average;
}

static double disk_free(const slave_stats *stats)
{
    return (double)stats->disk_free;
}

static double memory_free(const slave_stats *stats)
{
    return (double)stats->mem_free;
}

static const struct {
    const char *name, *help;
    of_slave_fn *value;
} singles[] = {
    {"piwheels_slave_temperature_celsius", "Of a slave's processor.", temperature},
    {"piwheels_slave_load", "The load average of a slave's machine.", load},
    {"piwheels_slave_disk_free_bytes", "What a slave has free to build in.", disk_free},
    {"piwheels_slave_memory_free_bytes", "What a slave's machine has free.", memory_free},
};

void slaves_write(const stats_FIGURES_reply *farm, const piw_views *views, uint32_t most, FILE *to)
{
    write_kinds(farm, views, to);
    for (size_t n = 0; n < PIW_COUNT(singles); n++) {
        exposition_begin(to, singles[n].name, "gauge", singles[n].help);
        for (uint32_t i = 0; farm != NULL && i < farm->slaves.count && i < most; i++)
            if (is_shown(farm, i, most))
                exposition_measure(to, singles[n].name, LABELS({"slave", farm->slaves.at[i].label}),
                                   singles[n].value(farm->slaves.at[i].stats));
    }
}
