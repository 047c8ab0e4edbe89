/* farm.c — what a large screen shows beside the slaves: taken from tables of tasks, and from logs. */
#include "farm.h"

#include "common/build_log.h"
#include "shared/abi.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LOG_BYTES = 16 << 20, /* of a log, unpacked: the screen waits while it is read */
    CELL_BYTES = 400,
    SECONDS_MAX = 1000000000,
};

static void forget_log(farm_known *self)
{
    for (size_t i = 0; i < self->log.count; i++)
        free(self->log.lines[i]);
    free(self->log.error);
    memset(&self->log, 0, sizeof(self->log));
}

void farm_init(farm_known *self)
{
    memset(self, 0, sizeof(*self));
}

void farm_fini(farm_known *self)
{
    piw_views_fini(&self->views);
    forget_log(self);
}

/* --- Views ------------------------------------------------------------------------------------------------------------ */

typedef struct told_settings {
    const admin_SETTINGS *all;
    const char *views; /* names, with a blank between */
} told_settings;

static const char *find_setting(void *arg, const char *name)
{
    const told_settings *self = arg;
    if (strcmp(name, "views") == 0)
        return self->views;
    for (uint32_t i = 0; i < self->all->settings.count; i++)
        if (piw_text_is(self->all->settings.at[i].name, name))
            return self->all->settings.at[i].value.s;
    return NULL;
}

/* Each section's settings stand together: view:NAME.KEY, and keys have no dots. */
static char *name_views(const admin_SETTINGS *settings)
{
    static const char prefix[] = "view:";
    piw_buffer names = {0};
    const char *last = "";
    size_t last_len = 0;
    for (uint32_t i = 0; i < settings->settings.count; i++) {
        const char *name = settings->settings.at[i].name.s, *dot = strrchr(name, '.');
        if (dot == NULL || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
            continue;
        name += sizeof(prefix) - 1;
        size_t len = (size_t)(dot - name);
        if (len != last_len || memcmp(name, last, len) != 0)
            piw_putf(&names, "%s%.*s", names.len > 0 ? " " : "", (int)len, name);
        last = name;
        last_len = len;
    }
    piw_put_bytes(&names, "", 1);
    return (char *)names.data;
}

int farm_take_settings(farm_known *self, const admin_SETTINGS *settings, piw_err *err)
{
    char *names = name_views(settings);
    piw_views views;
    int rc = piw_views_read(&views, find_setting, &(told_settings){settings, names}, err);
    free(names);
    if (rc != 0)
        return rc;
    piw_views_fini(&self->views);
    self->views = views;
    self->views_came = true;
    return 0;
}

/* --- Tables ----------------------------------------------------------------------------------------------------------- */

/* The cell of a line below this column, cut to `size`; false: there is no such column. */
static bool cell(const admin_LINES *lines, uint32_t line, const char *column, char *to, size_t size)
{
    const char *head = lines->lines.at[0].s, *at = lines->lines.at[line].s;
    size_t wanted = strlen(column);
    for (;;) {
        head += *head == '>';
        size_t head_len = strcspn(head, "\t"), len = strcspn(at, "\t");
        if (head_len == wanted && strncmp(head, column, wanted) == 0) {
            snprintf(to, size, "%.*s", (int)(len < size ? len : size - 1), at);
            return true;
        }
        if (head[head_len] == '\0' || at[len] == '\0')
            return false;
        head += head_len + 1;
        at += len + 1;
    }
}

static bool number(const admin_LINES *lines, uint32_t line, const char *column, int64_t *to)
{
    char text[CELL_BYTES];
    if (!cell(lines, line, column, text, sizeof(text)))
        return false;
    *to = strtoll(text, NULL, 10);
    return true;
}

static int no_table(const char *of, piw_err *err)
{
    return piw_err_set(err, PIW_ESHAPE, "the master's %s are in another form: is it of this monitor's release?", of);
}

static void learnt(farm_state *state, int64_t now_us)
{
    *state = (farm_state){.known = true, .at_us = now_us};
}

static bool take_build(farm_build *to, const admin_LINES *lines, uint32_t line)
{
    char ended[CELL_BYTES], result[CELL_BYTES], seconds[CELL_BYTES];
    piw_time time;
    *to = (farm_build){0};
    if (!number(lines, line, "build", &to->number) || !number(lines, line, "slave", &to->slave) ||
        !cell(lines, line, "ended", ended, sizeof(ended)) || !cell(lines, line, "result", result, sizeof(result)) ||
        !cell(lines, line, "seconds", seconds, sizeof(seconds)) ||
        !cell(lines, line, "abi", to->abi, sizeof(to->abi)) ||
        !cell(lines, line, "package", to->package, sizeof(to->package)) ||
        !cell(lines, line, "version", to->version, sizeof(to->version)))
        return false;
    to->ended_us = piw_time_parse(ended, strlen(ended), &time) == 0 ? time.us : 0;
    to->seconds = strtod(seconds, NULL);
    if (!(to->seconds >= 0 && to->seconds < SECONDS_MAX))
        to->seconds = 0;
    to->failed = strcmp(result, "failed") == 0;
    return true;
}

int farm_take_builds(farm_known *self, const admin_LINES *lines, int64_t now_us, piw_err *err)
{
    uint32_t count = lines->lines.count;
    if (count == 0)
        return no_table("builds", err);
    self->builds_count = 0;
    for (uint32_t i = count - 1; i > 0 && self->builds_count < FARM_BUILDS; i--)
        if (!take_build(&self->builds[self->builds_count++], lines, i))
            return no_table("builds", err);
    learnt(&self->builds_state, now_us);
    return 0;
}

static int abi_order(const void *left, const void *right)
{
    const farm_queue *a = left, *b = right;
    return piw_abi_compare(piw_text_of(a->abi), piw_text_of(b->abi));
}

int farm_take_queues(farm_known *self, const admin_LINES *lines, int64_t now_us, piw_err *err)
{
    self->queues_count = 0;
    for (uint32_t i = 1; i < lines->lines.count && self->queues_count < FARM_QUEUES; i++) {
        farm_queue *to = &self->queues[self->queues_count++];
        if (!cell(lines, i, "abi", to->abi, sizeof(to->abi)) || !number(lines, i, "waiting", &to->waiting) ||
            !number(lines, i, "building", &to->building) || !number(lines, i, "resting", &to->resting) ||
            !number(lines, i, "slaves", &to->slaves))
            return no_table("queues", err);
    }
    qsort(self->queues, self->queues_count, sizeof(self->queues[0]), abi_order);
    learnt(&self->queues_state, now_us);
    return 0;
}

int farm_take_next(farm_known *self, const admin_LINES *lines, const char *abi, int64_t now_us, piw_err *err)
{
    self->next_count = 0;
    snprintf(self->next_abi, sizeof(self->next_abi), "%s", abi);
    for (uint32_t i = 1; i < lines->lines.count && self->next_count < FARM_NEXT; i++) {
        farm_next *to = &self->next[self->next_count++];
        if (!cell(lines, i, "package", to->package, sizeof(to->package)) ||
            !cell(lines, i, "version", to->version, sizeof(to->version)))
            return no_table("queues", err);
    }
    learnt(&self->next_state, now_us);
    return 0;
}

const farm_build *farm_last(const farm_known *self, int64_t slave)
{
    const farm_build *newest = NULL;
    for (size_t i = 0; i < self->builds_count; i++) {
        const farm_build *build = &self->builds[i];
        if (slave != 0 ? build->slave == slave : build->failed)
            return build;
        newest = newest == NULL && slave == 0 ? build : newest;
    }
    return newest;
}

/* --- A log ------------------------------------------------------------------------------------------------------------ */

static char *copy_line(const char *line)
{
    line = build_log_unstamped(line);
    size_t len = strlen(line);
    while (len > 0 && line[len - 1] == '\r')
        len--;
    char *copy = piw_strndup(line, len < FARM_LINE_BYTES ? len : FARM_LINE_BYTES);
    for (char *at = copy; (at = strchr(at, '\t')) != NULL;)
        *at = ' ';
    return copy;
}

static void take_log(farm_known *self, char *text)
{
    size_t count = 0;
    char **lines = build_log_lines(text, &count);
    ssize_t error = self->log.build.failed ? build_log_error(lines, count) : -1;
    if (error >= 0)
        self->log.error = copy_line(lines[error]);
    for (size_t i = count > FARM_TAIL ? count - FARM_TAIL : 0; i < count; i++)
        self->log.lines[self->log.count++] = copy_line(lines[i]);
    free(lines);
    self->log.read = true;
}

void farm_read_log(farm_known *self, const farm_build *build, const char *site)
{
    char path[PIW_PATH_MAX];
    piw_err err = {0};
    if (build != NULL && self->log.read && self->log.build.number == build->number)
        return;
    forget_log(self);
    if (build == NULL)
        return;
    self->log.build = *build;
    piw_buffer text = {0};
    if (!piw_path_log(path, site, build->number)) {
        snprintf(self->log.why, sizeof(self->log.why), "the path of its log would be too long");
    } else if (build_log_read(path, LOG_BYTES, &text, &err) == PIW_ENOENT) {
        snprintf(self->log.why, sizeof(self->log.why), "it isn't in place yet, or was removed: %.400s", path);
    } else if (err.code != 0) {
        snprintf(self->log.why, sizeof(self->log.why), "%s", err.text);
    } else {
        if (text.len >= LOG_BYTES)
            piw_putf(&text, "\n(it is longer than %d MB; the rest: piw-ctl log %lld)", LOG_BYTES >> 20,
                     (long long)build->number);
        piw_put_bytes(&text, "", 1);
        take_log(self, (char *)text.data);
    }
    piw_buffer_fini(&text);
}
