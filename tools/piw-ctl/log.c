/* log.c — a build's log, which the master keeps below its output path: first what looks like its error, then all of it. */
#include "common/build_log.h"
#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOG_MAX = 128 << 20, LINES_BEFORE = 3, LINES_AFTER = 12 };

/* The output path of the running master, whatever the configuration says here. */
static int find_site(ctl *self, char **site, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, admin_CONFIG_new(), admin_SETTINGS_type(), &answer, err);
    if (rc != 0)
        return rc;
    const admin_SETTINGS *settings = admin_SETTINGS_of(answer);
    for (uint32_t i = 0; i < settings->settings.count; i++)
        if (piw_text_is(settings->settings.at[i].name, "output-path"))
            *site = piw_strndup(settings->settings.at[i].value.s, settings->settings.at[i].value.len);
    piw_msg_free(&answer);
    return *site != NULL ? 0 : piw_err_set(err, PIW_ENOENT, "the master doesn't say where its site is");
}

static int read_log(const char *path, int64_t build, piw_buffer *to, piw_err *err)
{
    piw_err read_err = {0};
    int rc = build_log_read(path, LOG_MAX, to, &read_err);
    if (rc == PIW_ENOENT)
        return piw_err_set(err, rc,
                           "build %lld has no log at %s: there is no such build (piw-ctl builds shows the newest), or "
                           "it was removed",
                           (long long)build, path);
    return rc != 0 ? piw_err_set(err, rc, "%s", read_err.text) : 0;
}

static void show_log(const char *path, char *const *lines, size_t count, size_t first, size_t after)
{
    if (after > first) {
        printf("--- what looks like the error: lines %zu to %zu of %zu\n", first + 1, after, count);
        for (size_t i = first; i < after; i++)
            show_line(lines[i]);
        printf("--- the whole log: %s\n", path);
    }
    for (size_t i = 0; i < count; i++)
        show_line(lines[i]);
}

int log_print(ctl *self, piw_err *err)
{
    char *end = NULL, *site = NULL, path[PIW_PATH_MAX];
    errno = 0;
    int64_t build = strtoll(self->operands[1], &end, 10);
    if (errno != 0 || *end != '\0' || build < 1)
        return piw_err_set(err, PIW_EUSAGE, "'%.50s' is no build's number", self->operands[1]);
    piw_buffer text = {0};
    int rc = find_site(self, &site, err);
    if (rc == 0 && !piw_path_log(path, site, build))
        rc = piw_err_set(err, PIW_EUSAGE, "'%.50s' is no build's number", self->operands[1]);
    free(site);
    rc = rc != 0 ? rc : read_log(path, build, &text, err);
    if (rc == 0) {
        size_t count = 0;
        piw_put_bytes(&text, "", 1);
        char **lines = build_log_lines((char *)text.data, &count);
        ssize_t error = build_log_error(lines, count);
        size_t at = error > 0 ? (size_t)error : 0;
        size_t first = at > LINES_BEFORE ? at - LINES_BEFORE : 0;
        size_t after = error < 0 ? first : at + LINES_AFTER < count ? at + LINES_AFTER : count;
        if (self->json)
            json_log(build, path, lines, count, first, after);
        else
            show_log(path, lines, count, first, after);
        free(lines);
    }
    piw_buffer_fini(&text);
    return rc;
}
