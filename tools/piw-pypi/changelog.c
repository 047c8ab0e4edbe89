/* changelog.c — the log of events, as PyPI numbers and words them. */
#include "changelog.h"

#include "piw/log.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOG_MAX = 64 << 20,    /* bytes of a kept log */
    CONTROL_MAX = 1 << 20, /* bytes of events.txt */
    LIMIT_MAX_S = 86400,
    WINDOW_S = 301, /* a second more than the five minutes a follower waits */
};

static const char yanked_prefix[] = "yank release";
static const char status_prefix[] = "project status ";

static void event_add(pypi_changelog *log, pypi_event event)
{
    log->events = piw_realloc(log->events, (log->count + 1) * sizeof(*log->events));
    log->events[log->count++] = event;
}

static void append(pypi_changelog *log, const char *name, const char *version, const char *action, const char *source,
                   int64_t when)
{
    event_add(log, (pypi_event){.serial = pypi_changelog_last(log) + 1,
                                .time = when,
                                .name = piw_strdup(name),
                                .version = version != NULL ? piw_strdup(version) : NULL,
                                .action = piw_strdup(action),
                                .source = piw_strdup(source)});
}

int64_t pypi_changelog_last(const pypi_changelog *log)
{
    return log->count > 0 ? log->events[log->count - 1].serial : log->first_serial - 1;
}

/* One kept line: serial, time, name, version ("" for none), action, source, separated by tabs. */
static bool line_parse(pypi_changelog *log, char *line)
{
    char *field[6];
    for (int i = 0; i < 6; i++) {
        field[i] = strsep(&line, "\t");
        if (field[i] == NULL)
            return false;
    }
    char *end;
    errno = 0;
    long long serial = strtoll(field[0], &end, 10);
    if (errno != 0 || *end != '\0' || serial <= pypi_changelog_last(log))
        return false;
    long long when = strtoll(field[1], &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    event_add(log, (pypi_event){.serial = serial,
                                .time = when,
                                .name = piw_strdup(field[2]),
                                .version = field[3][0] != '\0' ? piw_strdup(field[3]) : NULL,
                                .action = piw_strdup(field[4]),
                                .source = piw_strdup(field[5])});
    unsigned control_line;
    if (sscanf(field[5], "events.txt:%u", &control_line) == 1)
        log->control_lines = control_line;
    return true;
}

int pypi_changelog_open(pypi_changelog *log, const char *dir, int64_t first_serial, piw_err *err)
{
    *log = (pypi_changelog){.first_serial = first_serial, .kept = true};
    log->path = piw_sprintf("%s/.changelog", dir);
    log->control = piw_sprintf("%s/events.txt", dir);
    void *data;
    size_t len;
    int rc = piw_file_read(log->path, LOG_MAX, &data, &len, err);
    if (rc == PIW_ENOENT) {
        if (err != NULL)
            *err = (piw_err){0};
        return 0;
    }
    if (rc != 0)
        return rc;
    char *rest = data, *line;
    for (unsigned number = 1; (line = strsep(&rest, "\n")) != NULL; number++)
        if (*line != '\0' && !line_parse(log, line)) {
            rc = piw_err_set(err, PIW_EINVAL, "%s:%u: not a line of a log of events; delete the file to begin anew",
                             log->path, number);
            break;
        }
    free(data);
    return rc;
}

void pypi_changelog_close(pypi_changelog *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->events[i].name);
        free(log->events[i].version);
        free(log->events[i].action);
        free(log->events[i].source);
    }
    free(log->events);
    free(log->path);
    free(log->control);
    *log = (pypi_changelog){0};
}

/* Is the event about this project? Spellings differ, so canonical forms are compared. */
static bool concerns(const pypi_event *event, const char *canonical)
{
    return piw_name_same(piw_text_of(event->name), piw_text_of(canonical));
}

static bool has_source(const pypi_changelog *log, const char *source)
{
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->events[i].source, source) == 0)
            return true;
    return false;
}

/* A removed project may be created again. */
static bool project_known(const pypi_changelog *log, const char *canonical)
{
    for (size_t i = log->count; i-- > 0;)
        if (concerns(&log->events[i], canonical)) {
            if (strcmp(log->events[i].action, "create") == 0)
                return true;
            if (strcmp(log->events[i].action, "remove project") == 0)
                return false;
        }
    return false;
}

static void add_files(pypi_changelog *log, const pypi_catalogue *catalogue, int64_t now)
{
    for (size_t i = 0; i < catalogue->count; i++) {
        const pypi_file *file = &catalogue->files[i];
        if (!file->present || !file->sdist || file->canonical[0] == '\0' || has_source(log, file->filename))
            continue;
        if (!project_known(log, file->canonical))
            append(log, file->name, NULL, "create", "-", now);
        char *action = piw_sprintf("add source file %s", file->filename);
        append(log, file->name, file->version, action, file->filename, now);
        free(action);
    }
}

/* One line of events.txt; one that isn't understood is passed over with a warning, once. */
static void control_line(pypi_changelog *log, unsigned number, char *line, int64_t now)
{
    char source[40];
    snprintf(source, sizeof(source), "events.txt:%u", number);
    char *word = strsep(&line, " \t"), *name = strsep(&line, " \t"), *version = strsep(&line, " \t");
    if (word[0] == '\0' || word[0] == '#')
        return;
    for (char *c = line; c != NULL && (c = strchr(c, '\t')) != NULL;)
        *c = ' ';
    char canonical[PIW_NAME_MAX + 1];
    bool good = name != NULL && piw_name_canonical(piw_text_of(name), canonical);
    if (good && strcmp(word, "yank") == 0 && version != NULL) {
        char *action = piw_sprintf("%s%s%s", yanked_prefix, line != NULL ? ": " : "", line != NULL ? line : "");
        append(log, name, version, action, source, now);
        free(action);
    } else if (good && strcmp(word, "status") == 0 && version != NULL) {
        char *action =
            piw_sprintf("%s%s%s%s", status_prefix, version, line != NULL ? ": " : "", line != NULL ? line : "");
        append(log, name, NULL, action, source, now);
        free(action);
    } else if (good && strcmp(word, "say") == 0 && version != NULL && line != NULL) {
        append(log, name, strcmp(version, "-") == 0 ? NULL : version, line, source, now);
    } else if (good && strcmp(word, "remove-file") == 0 && version != NULL && line != NULL) {
        char *action = piw_sprintf("remove file %s", line);
        append(log, name, version, action, source, now);
        free(action);
    } else if (good && (strcmp(word, "quarantine") == 0 || strcmp(word, "clear") == 0)) {
        char *action = piw_sprintf("%s %s", version != NULL ? "release" : "project",
                                   word[0] == 'q' ? "quarantined" : "quarantine cleared");
        append(log, name, version, action, source, now);
        free(action);
    } else if (strcmp(word, "limit") == 0 && name != NULL && atoll(name) > 0 && atoll(name) <= LIMIT_MAX_S) {
        log->limited_until = now + atoll(name);
    } else if (good && strcmp(word, "unyank") == 0 && version != NULL) {
        append(log, name, version, "unyank release", source, now);
    } else if (good && strcmp(word, "remove") == 0) {
        append(log, name, version, version != NULL ? "remove release" : "remove project", source, now);
    } else {
        piw_warning("%s:%u: not an event: it begins with yank, unyank, remove, remove-file, quarantine, clear, status "
                    "or say, then a name and maybe a version",
                    log->control, number);
    }
}

static int add_control(pypi_changelog *log, int64_t now, piw_err *err)
{
    void *data;
    size_t len;
    piw_err trouble_err = {0};
    int rc = piw_file_read(log->control, CONTROL_MAX, &data, &len, &trouble_err);
    if (rc == PIW_ENOENT)
        return 0;
    if (rc != 0)
        return piw_err_set(err, rc, "%s", trouble_err.text);
    char *rest = data;
    unsigned number = 0;
    /* A last line without its newline is still being written. */
    for (char *end; (end = strchr(rest, '\n')) != NULL; rest = end + 1) {
        *end = '\0';
        if (++number <= log->control_lines)
            continue;
        log->control_lines = number;
        control_line(log, number, rest, now);
    }
    free(data);
    return 0;
}

static void keep(pypi_changelog *log, size_t from)
{
    if (!log->kept)
        return;
    piw_buffer lines = {0};
    for (size_t i = from; i < log->count; i++) {
        const pypi_event *event = &log->events[i];
        piw_putf(&lines, "%lld\t%lld\t%s\t%s\t%s\t%s\n", (long long)event->serial, (long long)event->time, event->name,
                 event->version != NULL ? event->version : "", event->action, event->source);
    }
    FILE *file = fopen(log->path, "ae");
    bool good = file != NULL && fwrite(lines.data, 1, lines.len, file) == lines.len;
    if (file != NULL && fclose(file) != 0)
        good = false;
    if (!good) {
        piw_warning("%s can't be written: serials will begin anew after a restart", log->path);
        log->kept = false;
    }
    piw_buffer_fini(&lines);
}

int pypi_changelog_update(pypi_changelog *log, const pypi_catalogue *catalogue, piw_err *err)
{
    size_t before = log->count;
    int64_t now = time(NULL);
    add_files(log, catalogue, now);
    int rc = add_control(log, now, err);
    if (log->count > before) {
        append(log, log->events[log->count - 1].name, NULL, "add Owner clock", "-", now + WINDOW_S);
        keep(log, before);
    }
    return rc;
}

bool pypi_changelog_removed(const pypi_changelog *log, const pypi_file *file)
{
    for (size_t i = log->count; i-- > 0;) {
        const pypi_event *event = &log->events[i];
        if (strcmp(event->source, file->filename) == 0)
            return false;
        if (!concerns(event, file->canonical))
            continue;
        if (strncmp(event->action, "remove file ", 12) == 0 && strcmp(event->action + 12, file->filename) == 0)
            return true;
        if (strcmp(event->action, "remove project") == 0 ||
            (strcmp(event->action, "remove release") == 0 && strcmp(event->version, file->version) == 0))
            return true;
    }
    return false;
}

const char *pypi_changelog_yanked(const pypi_changelog *log, const pypi_file *file)
{
    for (size_t i = log->count; i-- > 0;) {
        const pypi_event *event = &log->events[i];
        if (event->version == NULL || strcmp(event->version, file->version) != 0 || !concerns(event, file->canonical))
            continue;
        if (strcmp(event->action, "unyank release") == 0)
            return NULL;
        if (strncmp(event->action, yanked_prefix, sizeof(yanked_prefix) - 1) == 0) {
            const char *reason = event->action + sizeof(yanked_prefix) - 1;
            return *reason == ':' ? reason + 2 : "";
        }
    }
    return NULL;
}

const char *pypi_changelog_status(const pypi_changelog *log, const char *canonical)
{
    for (size_t i = log->count; i-- > 0;) {
        const pypi_event *event = &log->events[i];
        if (strncmp(event->action, status_prefix, sizeof(status_prefix) - 1) == 0 && concerns(event, canonical))
            return event->action + sizeof(status_prefix) - 1;
    }
    return "active";
}

bool pypi_changelog_quarantined(const pypi_changelog *log, const char *canonical, const char *version)
{
    const char *in = version != NULL ? "release quarantined" : "project quarantined";
    const char *out = version != NULL ? "release quarantine cleared" : "project quarantine cleared";
    for (size_t i = log->count; i-- > 0;) {
        const pypi_event *event = &log->events[i];
        if ((strcmp(event->action, in) != 0 && strcmp(event->action, out) != 0) || !concerns(event, canonical) ||
            (version != NULL && (event->version == NULL || strcmp(event->version, version) != 0)))
            continue;
        return strcmp(event->action, in) == 0;
    }
    return false;
}

int64_t pypi_changelog_uploaded(const pypi_changelog *log, const pypi_file *file)
{
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->events[i].source, file->filename) == 0 && log->events[i].version != NULL)
            return log->events[i].time;
    return file->mtime_ns / 1000000000;
}

int64_t pypi_changelog_serial_of(const pypi_changelog *log, const char *canonical)
{
    for (size_t i = log->count; i-- > 0;)
        if (concerns(&log->events[i], canonical))
            return log->events[i].serial;
    return 0;
}
