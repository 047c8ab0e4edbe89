/* farm.c — commands about the farm: each is a word to one of its tasks, which answers with lines or a table. */
#include "ctl.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ARGUMENT_MAX = 1000,
    LABEL_MAX = 400,
    NO_OPERANDS = 1000000,
    SLAVES_PAGE = 1000,
    FOLLOW_EVERY_MS = 1000,
    BUILDS_SHOWN = 20
};

/* To `task`: a word, the operands from `first` on, and one more unless that is NULL. */
static int ask_word(ctl *self, const char *task, const char *word, size_t first, const char *more, piw_msg **answer,
                    piw_err *err)
{
    admin_ASK *body = NULL;
    for (size_t i = 1; i < self->operands_count; i++)
        if (strlen(self->operands[i]) > ARGUMENT_MAX)
            return piw_err_set(err, PIW_EUSAGE, "%s: '%.50s…' is longer than any name", word, self->operands[i]);
    size_t count = self->operands_count > first ? self->operands_count - first : 0;
    piw_msg *request = admin_ASK_new(&body);
    body->task = piw_msg_textz(request, task);
    body->word = piw_msg_textz(request, word);
    piw_msg_list(request, &body->args, count + (more != NULL));
    for (size_t i = 0; i < count; i++)
        body->args.at[i] = piw_msg_textz(request, self->operands[first + i]);
    if (more != NULL)
        body->args.at[count] = piw_msg_textz(request, more);
    return ctl_ask(self, request, admin_LINES_type(), answer, err);
}

static int print_lines(ctl *self, const char *task, const char *word, size_t first, const char *more, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ask_word(self, task, word, first, more, &answer, err);
    if (rc == 0)
        (self->json ? json_lines : show_lines)(admin_LINES_of(answer));
    piw_msg_free(&answer);
    return rc;
}

static int print_answer(ctl *self, const char *task, const char *word, const char *more, piw_err *err)
{
    return print_lines(self, task, word, 1, more, err);
}

/* Any task that takes commands, in its own words. */
int farm_ask(ctl *self, piw_err *err)
{
    enum { WORD_MAX = 64 };
    if (strlen(self->operands[2]) > WORD_MAX)
        return piw_err_set(err, PIW_EUSAGE, "ask: '%.50s…' is longer than any word", self->operands[2]);
    return print_lines(self, self->operands[1], self->operands[2], 3, NULL, err);
}

int farm_first(ctl *self, piw_err *err)
{
    return print_answer(self, "the_architect", "first", NULL, err);
}

int farm_why(ctl *self, piw_err *err)
{
    return print_answer(self, "mr_chase", "why", NULL, err);
}

int farm_retry(ctl *self, piw_err *err)
{
    return print_answer(self, "mr_chase", "retry", NULL, err);
}

int farm_abi(ctl *self, piw_err *err)
{
    return print_answer(self, "mr_chase", "abi", piw_config_switch(self->config, "force") ? "force" : NULL, err);
}

int farm_view(ctl *self, piw_err *err)
{
    return print_answer(self, "mr_chase", "view", NULL, err);
}

/* --- Tables --------------------------------------------------------------------------------------------------------- */

static int take_rows(ctl *self, ctl_rows *rows, const char *task, const char *word, size_t first, const char *more,
                     piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ask_word(self, task, word, first, more, &answer, err);
    rc = rc != 0 ? rc : rows_take(rows, admin_LINES_of(answer), err);
    piw_msg_free(&answer);
    return rc;
}

static void print_rows(const ctl *self, const ctl_rows *rows, const char *name)
{
    ctl_widths widths = {0};
    if (self->json)
        json_rows(name, rows);
    else
        rows_show(rows, 0, &widths);
}

/* In pages: a large farm has more than one answer holds. */
static int take_slaves(ctl *self, ctl_rows *rows, piw_err *err)
{
    size_t before;
    int rc;
    do {
        char after[24];
        before = rows->count;
        snprintf(after, sizeof(after), "%lld", before > 0 ? (long long)rows_number(rows, before - 1) : 0);
        rc = take_rows(self, rows, "slave_driver", "slaves", NO_OPERANDS, after, err);
    } while (rc == 0 && rows->count - before == SLAVES_PAGE);
    return rc;
}

int farm_slaves(ctl *self, piw_err *err)
{
    ctl_rows rows = {0};
    int rc = take_slaves(self, &rows, err);
    if (rc == 0)
        print_rows(self, &rows, "slaves");
    rows_fini(&rows);
    return rc;
}

/* --- kill, skip, sleep, wake ---------------------------------------------------------------------------------------- */

static void take_label(void *arg, const char *name, const char *value, bool number)
{
    (void)number;
    if (strcmp(name, "label") == 0)
        show_clean(value, arg, LABEL_MAX);
}

/* Adds to a refusal which slave may have been meant, unless the name is one. */
static void name_the_slave(ctl *self, piw_err *err)
{
    piw_err ignored_err = {0};
    ctl_rows rows = {0};
    if (take_slaves(self, &rows, &ignored_err) == 0) {
        char(*labels)[LABEL_MAX] = piw_zalloc((rows.count + 1) * sizeof(*labels));
        const char **names = piw_alloc((rows.count + 1) * sizeof(*names));
        bool known = false;
        for (size_t i = 0; i < rows.count; i++) {
            rows_json(&rows, i, take_label, labels[i]);
            names[i] = labels[i];
            known = known || strcmp(names[i], self->operands[1]) == 0;
        }
        near_add(err, known ? NULL : near_name(self->operands[1], names, rows.count));
        free(names);
        free(labels);
    }
    rows_fini(&rows);
}

/* The word is the command itself. */
int farm_slave(ctl *self, piw_err *err)
{
    int rc = print_answer(self, "slave_driver", self->operands[0], NULL, err);
    bool number = self->operands[1][strspn(self->operands[1], "0123456789")] == '\0';
    if (rc == PIW_EREFUSED && !number)
        name_the_slave(self, err);
    return rc;
}

int farm_queue(ctl *self, piw_err *err)
{
    ctl_rows rows = {0};
    int rc = take_rows(self, &rows, "slave_driver", "queue", 1, NULL, err);
    if (rc == 0)
        print_rows(self, &rows, self->operands_count > 1 ? "builds" : "abis");
    rows_fini(&rows);
    return rc;
}

/* --- builds --------------------------------------------------------------------------------------------------------- */

/* Numbers of the builds that were there at the last look, rising. */
typedef struct known_builds {
    int64_t *numbers;
    size_t count;
} known_builds;

static bool knows(const known_builds *known, int64_t number)
{
    size_t low = 0, high = known->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (known->numbers[middle] == number)
            return true;
        if (known->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    /* Below what was there at the last look: it was older than that look shows. */
    return known->count > 0 && number < known->numbers[0];
}

/* Builds aren't recorded in the order of their numbers, so those are shown that the last look didn't have. */
static void show_new(const ctl *self, const ctl_rows *rows, known_builds *known, ctl_widths *widths)
{
    bool first = known->numbers == NULL;
    for (size_t i = 0; i < rows->count; i++) {
        if (first ? i + BUILDS_SHOWN < rows->count : knows(known, rows_number(rows, i)))
            continue;
        ctl_rows one = {.heads = rows->heads, .at = &rows->at[i], .count = 1};
        if (self->json)
            json_row(&one);
        else
            rows_show(&one, 0, widths);
    }
    known->numbers = piw_realloc(known->numbers, (rows->count + 1) * sizeof(*known->numbers));
    known->count = rows->count;
    for (size_t i = 0; i < rows->count; i++)
        known->numbers[i] = rows_number(rows, i);
    fflush(stdout);
}

static int follow(ctl *self, piw_err *err)
{
    ctl_rows rows = {0};
    known_builds known = {0};
    ctl_widths widths = {0};
    int rc = 0;
    watch_signals();
    while (rc == 0 && !watch_interrupted() && !ferror(stdout)) {
        rc = take_rows(self, &rows, "mr_chase", "builds", 1, "1000", err);
        if (rc == 0)
            show_new(self, &rows, &known, &widths);
        rows_clear(&rows);
        if (rc == 0)
            poll(NULL, 0, FOLLOW_EVERY_MS);
    }
    rows_fini(&rows);
    free(known.numbers);
    return rc;
}

int farm_builds(ctl *self, piw_err *err)
{
    if (piw_config_switch(self->config, "follow"))
        return follow(self, err);
    ctl_rows rows = {0};
    int rc = take_rows(self, &rows, "mr_chase", "builds", 1, NULL, err);
    if (rc == 0)
        print_rows(self, &rows, "builds");
    rows_fini(&rows);
    return rc;
}
