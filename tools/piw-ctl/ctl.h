/* ctl.h — the parts of piw-ctl: one asks the master, the others show its answer. There is one thread. */
#ifndef CTL_H
#define CTL_H

#include "admin.piw.h"
#include "piw/client.h"
#include "piw/options.h"

typedef struct ctl {
    const piw_config *config;
    const char *const *operands; /* the command, then what belongs to it */
    size_t operands_count;
    piw_client *client; /* to the admin queue; NULL before the first request */
    piw_codec codec;
    bool json;
} ctl;

/* --- ask.c --- */
/* Sends a request, and frees it, and waits for a limited time for an answer of type `wanted`. When the master
 * answers with an ERROR, the result is PIW_EREFUSED with the master's sentence. */
int ctl_ask(ctl *self, piw_msg *request, const piw_msg_type *wanted, piw_msg **answer, piw_err *err);

/* --- show.c: for people, in aligned columns --- */
void show_tasks(const admin_TASKS *tasks);
void show_task(const admin_TASK *task);
void show_lines(const admin_LINES *lines);
void show_settings(const admin_SETTINGS *settings);
/* Copies the text, as much as `size` bytes hold, and replaces the characters that would act on a terminal or turn text around. */
const char *show_clean(const char *text, char *to, size_t size);
/* Prints a line of any length so. */
void show_line(const char *text);
/* "950 us", "12 ms": at most 8 characters. */
const char *show_time_us(int64_t us, char *to, size_t size);

/* In characters. */
size_t show_width(const char *text);

/* --- rows.c: tables that tasks answer with (proto/orders.piw) --- */
enum { ROWS_COLUMNS_MAX = 20 };
typedef struct ctl_rows {
    char *heads; /* the first line, which names the columns */
    char **at;   /* the others; owned */
    size_t count;
} ctl_rows;
typedef struct ctl_widths {
    size_t at[ROWS_COLUMNS_MAX]; /* of columns; 0: nothing was shown yet, so the heads come first */
} ctl_widths;
typedef void ctl_field_fn(void *arg, const char *name, const char *value, bool number);
/* Add an answer's rows. PIW_ESHAPE: it is no such table. */
int rows_take(ctl_rows *rows, const admin_LINES *lines, piw_err *err);
void rows_clear(ctl_rows *rows); /* its heads stay */
void rows_fini(ctl_rows *rows);
/* The first cell of a row, a number. */
int64_t rows_number(const ctl_rows *rows, size_t row);
/* The rows from this one on; columns only get wider from call to call. */
void rows_show(const ctl_rows *rows, size_t from, ctl_widths *widths);
/* Each cell of a row with its column's name. */
void rows_json(const ctl_rows *rows, size_t row, ctl_field_fn *put, void *arg);

/* --- near.c --- */
/* Which of the names may have been meant by this word; NULL: none. */
const char *near_name(const char *word, const char *const *names, size_t count);
/* Adds to a refusal what may have been meant, unless that is NULL. */
void near_add(piw_err *err, const char *meant);

/* --- farm.c: commands about the farm --- */
int farm_ask(ctl *self, piw_err *err);
int farm_first(ctl *self, piw_err *err);
int farm_why(ctl *self, piw_err *err);
int farm_retry(ctl *self, piw_err *err);
int farm_abi(ctl *self, piw_err *err);
int farm_view(ctl *self, piw_err *err);
int farm_slave(ctl *self, piw_err *err);
int farm_slaves(ctl *self, piw_err *err);
int farm_queue(ctl *self, piw_err *err);
int farm_builds(ctl *self, piw_err *err);

/* --- log.c --- */
int log_print(ctl *self, piw_err *err);

/* --- json.c: for scripts, one document on one line --- */
void json_tasks(const admin_TASKS *tasks);
void json_task(const admin_TASK *task);
void json_lines(const admin_LINES *lines);
void json_line(const char *line);
/* `list` is the name of the list in the document, `third` that of the field beside `name` and `value`. */
void json_settings(const char *list, const char *third, const admin_SETTINGS *settings);
void json_done(const char *text);
/* All rows under a name; one row by itself. */
void json_rows(const char *name, const ctl_rows *rows);
void json_row(const ctl_rows *row);
/* A log's lines; those of its error are from `first` on, before `after`. */
void json_log(int64_t build, const char *path, char *const *lines, size_t count, size_t first, size_t after);

/* --- watch.c: commands that go on until the user ends them --- */
int watch_trace(ctl *self, piw_err *err);
int watch_top(ctl *self, piw_err *err);
/* SIGINT and SIGTERM end what goes on, in order. */
void watch_signals(void);
bool watch_interrupted(void);

/* --- trial.c --- */
/* `replace --watch`: 0 when the new plugin stays; else which fault took it back. */
int trial_replace(ctl *self, piw_err *err);

#endif
