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
/* Copies the text, at most `size` bytes of it, and replaces the characters that would act on a terminal. */
const char *show_clean(const char *text, char *to, size_t size);
void show_line(const char *text);
/* "950 us", "12 ms", "3 d 4 h": at most 8 characters. */
const char *show_time_us(int64_t us, char *to, size_t size);
const char *show_uptime(int64_t seconds, char *to, size_t size);

/* --- json.c: for scripts, one document on one line --- */
void json_tasks(const admin_TASKS *tasks);
void json_task(const admin_TASK *task);
void json_lines(const admin_LINES *lines);
void json_line(const char *line);
/* `list` is the name of the list in the document, `third` that of the field beside `name` and `value`. */
void json_settings(const char *list, const char *third, const admin_SETTINGS *settings);
void json_done(const char *text);

/* --- watch.c: commands that go on until the user ends them --- */
int watch_trace(ctl *self, piw_err *err);
int watch_top(ctl *self, piw_err *err);

#endif
