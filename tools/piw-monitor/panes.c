/* panes.c — draws what a large screen shows beside the slaves: builds, failures and queues at the right, a build's log below. */
#include "format.h"
#include "view.h"

#include <stdio.h>

enum {
    STALE_US = 10 * 1000000, /* older than a master that answers lets it become */
    NUMBER_COLUMNS = 8,
    AGE_COLUMNS = 7,
    QUEUE_COLUMNS = 7, /* at least, of a queue's name */
    RESULT_COLUMNS = 7,
    SLAVE_COLUMNS = 14,
    SLAVE_FROM = 70, /* with so many columns the slave is named */
    COUNT_COLUMNS = 8,
};

/* Draws a pane's title and, when there is one, why it isn't (anew) known. Returns the room below. */
static view_room begin(canvas *to, const model *known, view_room room, const char *title, const farm_state *state,
                       const char *why, int64_t now_us)
{
    char age[FORMAT_MAX], text[64];
    view_rule(to, room.row, room.column, room.columns, title);
    if (state != NULL && state->known && (!known->online || now_us - state->at_us > STALE_US)) {
        snprintf(text, sizeof(text), " as of %s ago ", format_age(now_us - state->at_us, age));
        canvas_right(to, room.row, room.column, room.columns - 1, view_level_style(LEVEL_WARNING), text);
    }
    int used = 1;
    if (why[0] != '\0' && room.rows > 1)
        canvas_print(to, room.row + used++, room.column + 1, room.columns - 1, view_level_style(LEVEL_WARNING), "%s",
                     why);
    return (view_room){room.row + used, room.column, room.rows - used, room.columns};
}

/* The names of queues in a pane so wide. */
static int queue_columns(const model *known, const farm_known *farm, int columns)
{
    int wanted = QUEUE_COLUMNS, most = columns / 4;
    for (size_t i = 0; i < farm->queues_count; i++) {
        int own = (int)strlen(model_queue_name(known, farm->queues[i].abi)) + 1;
        wanted = own > wanted ? own : wanted;
    }
    return wanted > most && most > QUEUE_COLUMNS ? most : wanted;
}

/* --- Builds ------------------------------------------------------------------------------------------------------------- */

static void draw_build(canvas *to, const model *known, const farm_build *build, view_room row, int queue, bool result,
                       int64_t now_us)
{
    char text[FORMAT_MAX];
    int column = row.column, end = row.column + row.columns;
    unsigned style = build->failed ? CANVAS_RED : CANVAS_GREEN;
    snprintf(text, sizeof(text), "%lld", (long long)build->number);
    canvas_right(to, row.row, column, NUMBER_COLUMNS, 0, text);
    column += NUMBER_COLUMNS;
    if (build->ended_us != 0)
        canvas_right(to, row.row, column, AGE_COLUMNS, CANVAS_DIM,
                     format_age(model_ago(known, build->ended_us, now_us), text));
    column += AGE_COLUMNS + 1;
    canvas_print(to, row.row, column, queue - 1, 0, "%s", model_queue_name(known, build->abi));
    column += queue;
    if (result) {
        end -= RESULT_COLUMNS;
        canvas_print(to, row.row, end, RESULT_COLUMNS, style, "%s", build->failed ? "failed" : "built");
    }
    end -= AGE_COLUMNS + 1;
    canvas_right(to, row.row, end, AGE_COLUMNS, 0, format_age((int64_t)(build->seconds * 1e6), text));
    if (row.columns >= SLAVE_FROM) {
        const model_slave *slave = model_find(known, build->slave);
        end -= SLAVE_COLUMNS;
        canvas_print(to, row.row, end, SLAVE_COLUMNS - 1, 0, "%lld %s", (long long)build->slave,
                     slave != NULL ? model_label(slave) : "");
    }
    canvas_print(to, row.row, column, end - column - 1, result ? 0 : style, "%s %s", build->package, build->version);
}

static void draw_builds(canvas *to, const model *known, const farm_known *farm, view_room room, bool failures,
                        int64_t now_us)
{
    char title[80];
    size_t failed = 0;
    for (size_t i = 0; i < farm->builds_count; i++)
        failed += farm->builds[i].failed;
    if (failures)
        snprintf(title, sizeof(title), "%zu failure%s of the last %zu builds", failed, failed == 1 ? "" : "s",
                 farm->builds_count);
    else
        snprintf(title, sizeof(title), "Builds");
    const char *why = farm->link.why[0] != '\0' ? farm->link.why : farm->builds_state.why;
    view_room body = begin(to, known, room, title, &farm->builds_state, failures ? "" : why, now_us);
    int queue = queue_columns(known, farm, body.columns);
    for (size_t i = 0; i < farm->builds_count && body.rows > 0; i++) {
        if (failures && !farm->builds[i].failed)
            continue;
        draw_build(to, known, &farm->builds[i], body, queue, !failures, now_us);
        body.row++;
        body.rows--;
    }
}

/* --- Queues ------------------------------------------------------------------------------------------------------------- */

static void draw_counts(canvas *to, int row, int column, unsigned style, const int64_t counts[4])
{
    char text[FORMAT_MAX];
    for (int i = 0; i < 4; i++)
        canvas_right(to, row, column + i * COUNT_COLUMNS, COUNT_COLUMNS, style, format_count(counts[i], text));
}

static void draw_queue(canvas *to, const model *known, const farm_queue *queue, int columns, view_room row)
{
    bool deserted = queue->slaves == 0 && queue->waiting > 0;
    int first = row.column + 1 + columns;
    canvas_print(to, row.row, row.column + 1, columns, CANVAS_BOLD | CANVAS_CYAN, "%s",
                 model_queue_name(known, queue->abi));
    draw_counts(to, row.row, first, deserted ? view_level_style(LEVEL_WARNING) : 0,
                (const int64_t[]){queue->waiting, queue->building, queue->resting, queue->slaves});
    if (deserted)
        canvas_print(to, row.row, first + 4 * COUNT_COLUMNS, row.columns, view_level_style(LEVEL_WARNING), "!");
}

/* What each queue has, and below it what is next for one of them. */
static void draw_queues(canvas *to, const model *known, const farm_known *farm, view_room room, int64_t now_us)
{
    static const char *const heads[] = {"WAIT", "BUILD", "REST", "SLAVES"};
    const char *why = farm->queues_state.why[0] != '\0' ? farm->queues_state.why : farm->next_state.why;
    view_room body = begin(to, known, room, "Queues", &farm->queues_state, why, now_us);
    if (body.rows <= 0)
        return;
    int columns = queue_columns(known, farm, body.columns);
    for (int i = 0; i < (int)PIW_COUNT(heads); i++)
        canvas_right(to, body.row, body.column + 1 + columns + i * COUNT_COLUMNS, COUNT_COLUMNS, CANVAS_DIM, heads[i]);
    int last = body.row + body.rows, row = body.row + 1;
    int next_rows = farm->next_count == 0 ? 0 : body.rows / 2;
    for (size_t i = 0; i < farm->queues_count && row < last - next_rows; i++)
        draw_queue(to, known, &farm->queues[i], columns, (view_room){row++, body.column, 1, body.columns});
    if (farm->next_count > 0 && row + 1 < last)
        canvas_print(to, row++, body.column + 1, body.columns - 1, CANVAS_DIM,
                     "next for %s:", model_queue_name(known, farm->next_abi));
    for (size_t i = 0; i < farm->next_count && row < last; i++)
        canvas_print(to, row++, body.column + 2, body.columns - 2, 0, "%s %s", farm->next[i].package,
                     farm->next[i].version);
}

/* --- The panes ---------------------------------------------------------------------------------------------------------- */

void view_side(canvas *to, const model *known, const farm_known *farm, view_room room, int64_t now_us)
{
    int third = room.rows / 3;
    view_room builds = {room.row, room.column, room.rows - 2 * third, room.columns},
              failures = {builds.row + builds.rows, room.column, third, room.columns},
              queues = {failures.row + third, room.column, third, room.columns};
    draw_builds(to, known, farm, builds, false, now_us);
    draw_builds(to, known, farm, failures, true, now_us);
    draw_queues(to, known, farm, queues, now_us);
}

void view_log(canvas *to, const model *known, const farm_known *farm, view_room room, int64_t now_us)
{
    char title[400];
    const farm_build *build = &farm->log.build;
    const model_slave *slave = model_find(known, build->slave);
    if (build->number != 0)
        snprintf(title, sizeof(title), "Log of build %lld: %s %s for %s, %s by slave %lld %s", (long long)build->number,
                 build->package, build->version, model_queue_name(known, build->abi),
                 build->failed ? "failed" : "built", (long long)build->slave, slave != NULL ? model_label(slave) : "");
    else
        snprintf(title, sizeof(title), "Log: no build is known whose it could be");
    view_room body = begin(to, known, room, title, NULL, farm->log.why, now_us);
    if (farm->log.error != NULL && body.rows > 0) {
        canvas_text(to, body.row++, body.column + 1, body.columns - 1, CANVAS_RED | CANVAS_BOLD,
                    piw_text_of(farm->log.error));
        body.rows--;
    }
    size_t fits = body.rows > 0 ? (size_t)body.rows : 0;
    for (size_t i = farm->log.count > fits ? farm->log.count - fits : 0; i < farm->log.count; i++)
        canvas_text(to, body.row++, body.column + 1, body.columns - 1, 0, piw_text_of(farm->log.lines[i]));
}
