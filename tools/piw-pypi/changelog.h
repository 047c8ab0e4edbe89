/* changelog.h — the log of events, as PyPI numbers and words them, and what they mean for the index.
 *
 * Events come from the folder: a source archive that is new there creates its project and adds its file; each new line
 * of FOLDER/events.txt is one event:
 *     yank NAME VERSION [REASON]    unyank NAME VERSION    remove NAME [VERSION]    remove-file NAME VERSION FILE
 *     quarantine NAME [VERSION]     clear NAME [VERSION]   say NAME VERSION|- ACTION
 * `say` puts any action into the log. The line `limit SECONDS` is no event: for so long calls are answered with the fault that
 * PyPI has for too many.
 * After each batch follows an event that means nothing and is five minutes later than the last, so that a follower
 * which waits for five minutes of later events delivers the batch at once. The log is kept in FOLDER/.changelog, so
 * that serials stay what they were over a restart. One thread. */
#ifndef PYPI_CHANGELOG_H
#define PYPI_CHANGELOG_H

#include "catalogue.h"

typedef struct pypi_event {
    int64_t serial;
    int64_t time;  /* seconds since 1970 */
    char *name;    /* as spelt */
    char *version; /* NULL: the whole project */
    char *action;  /* "add source file X", … */
    char *source;  /* where it came from: a file's name, "events.txt:LINE", "-" */
} pypi_event;

typedef struct pypi_changelog {
    char *path;
    char *control; /* events.txt */
    int64_t first_serial;
    pypi_event *events; /* in order of serial */
    size_t count;
    size_t control_lines;  /* lines of events.txt that are events already */
    bool kept;             /* can be written to the folder */
    int64_t limited_until; /* calls are answered with a fault; seconds since 1970 */
} pypi_changelog;

/* Read the log that is kept in the folder, if any; new logs begin with `first_serial`. */
int pypi_changelog_open(pypi_changelog *log, const char *dir, int64_t first_serial, piw_err *err);
void pypi_changelog_close(pypi_changelog *log);
/* Append events for what is new in the folder. */
int pypi_changelog_update(pypi_changelog *log, const pypi_catalogue *catalogue, piw_err *err);
int64_t pypi_changelog_last(const pypi_changelog *log);

/* What the events say of a version now: removed (alone or with its project), or yanked and why (NULL: it isn't; the
 * text lives as long as the log). */
bool pypi_changelog_removed(const pypi_changelog *log, const pypi_file *file);
const char *pypi_changelog_yanked(const pypi_changelog *log, const pypi_file *file);
/* The project's status, and behind ": " its reason if there is one; "active" when nothing else was said. */
const char *pypi_changelog_status(const pypi_changelog *log, const char *canonical);
/* Is the project (version NULL) or release quarantined? */
bool pypi_changelog_quarantined(const pypi_changelog *log, const char *canonical, const char *version);
/* When the file came, in seconds since 1970; the file's own time when no event tells. */
int64_t pypi_changelog_uploaded(const pypi_changelog *log, const pypi_file *file);
/* The last serial of a project; 0 when it has none. */
int64_t pypi_changelog_serial_of(const pypi_changelog *log, const char *canonical);

#endif
