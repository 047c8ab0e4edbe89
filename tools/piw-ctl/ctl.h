/* ctl.h — piw-ctl's parts: asking the master, and showing what it said. One thread. */
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
/* Send a request, which is taken, and wait, bounded, for the answer of type `wanted`. An ERROR is PIW_EREFUSED with the
 * master's sentence. */
int ctl_ask(ctl *self, piw_msg *request, const piw_msg_type *wanted, piw_msg **answer, piw_err *err);

/* --- show.c: for people, in aligned columns --- */
void show_tasks(const admin_TASKS *tasks);
void show_task(const admin_TASK *task);
void show_lines(const admin_LINES *lines);
void show_settings(const admin_SETTINGS *settings);
/* The text without what a terminal would take for commands to it, cut to `size`. */
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
/* `list` and `third` are the names of the list and of what stands beside name and value. */
void json_settings(const char *list, const char *third, const admin_SETTINGS *settings);
void json_done(const char *text);

/* --- watch.c: until the user has seen enough --- */
int watch_trace(ctl *self, piw_err *err);
int watch_top(ctl *self, piw_err *err);

#endif
