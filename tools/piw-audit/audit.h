/* audit.h — inside piw-audit: is everything on the site as the database says, and the other way round (docs/programs.md#piw-audit)?
 *
 * The work is cut into units: a package, a thousand logs, a folder. main.c goes through them; check_*.c look at one and
 * list what they find; suspects.c looks again, since the farm works meanwhile, and only what stays is a finding; mend.c
 * mends it; journal.c keeps how far it is; pace.c holds it back and shows how far it is; rows.c asks the database.
 * One thread. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "common/clerk.h"
#include "common/progress.h"
#include "piw/err.h"
#include "shared/site_path.h"

#include <libpq-fe.h>
#include <stdio.h>

typedef enum { AUDIT_DATABASE, AUDIT_PACKAGES, AUDIT_LOGS, AUDIT_SITE, AUDIT_PHASES } audit_phase;

typedef struct finding {
    const char *kind;   /* of mend.c's table */
    char *path;         /* below the output folder; or what of the database */
    char *what;         /* one sentence */
    char *package;      /* NULL: of none */
    bool moving;        /* the farm is at it: it gets more time */
    unsigned seen;      /* looks in a row at which it was there */
    int64_t first_ns;   /* when it was seen first */
    char *done;         /* with --fix: what was done, or why nothing */
    bool mended, asked; /* asked: of the master, which answers before it is done */
} finding;

typedef struct findings {
    finding *at;
    size_t count, room;
} findings;

typedef struct suspect {
    audit_phase phase;
    char *key;
    findings list;
    int64_t next_ns; /* when it is looked at again */
} suspect;

typedef struct audit {
    const piw_config *config;
    const char *root;
    bool fix, json;
    PGconn *conn;
    clerk clerk;       /* for requests to the master */
    const char *store; /* "", or VIEW/: the store that check_site.c looks at */
    char *rebuilt;     /* the package whose pages were last asked for */
    findings found;
    suspect *suspects;
    size_t suspects_count, suspects_room;
    int64_t settle_ns, patience_ns;
    /* pace.c */
    int64_t rate, begun_ns, taken; /* bytes a second; 0: as fast as it goes */
    tool_progress progress;
    int64_t units[AUDIT_PHASES], units_all[AUDIT_PHASES];
    int64_t files, bytes;
    /* journal.c */
    FILE *journal;
    char *journal_path;
    audit_phase phase; /* where to go on */
    char *after;       /* the last unit of it that was looked at; NULL: none */
    /* The next packages, read ahead. */
    PGresult *page;
    int page_row;
} audit;

/* --- phase.c --- */
const char *audit_phase_name(audit_phase phase);
/* A signal has asked it to end. */
bool audit_stopped(void);
int audit_catch_signals(piw_err *err);
/* A phase that has a fixed list of units: the name of each, and what looks at it. */
typedef struct audit_part {
    const char *key;
    int (*check)(audit *self, findings *found, piw_err *err);
} audit_part;
int parts_check(const audit_part *parts, size_t count, audit *self, const char *key, findings *found, piw_err *err);
/* The name of the unit behind `after` (NULL: of the first one), to be freed; NULL: there are no more. */
char *parts_next(const audit_part *parts, size_t count, const char *after);

/* --- findings.c --- */
void findings_add(findings *list, const char *kind, bool moving, const char *package, char *path, char *what);
const finding *findings_has(const findings *list, const finding *one);
void findings_remove(findings *list, size_t index);
void findings_fini(findings *list);
/* Take one over as it is. */
void findings_take(findings *list, finding *one);
void findings_print(const finding *one);
int findings_json(const audit *self, bool complete, piw_err *err);

/* --- rows.c --- */
int rows_open(audit *self, piw_err *err);
/* Ask with text parameters; NULL with err set. */
PGresult *rows_ask(audit *self, const char *sql, int count, const char *const *values, piw_err *err);
piw_text rows_text(const PGresult *rows, int row, int column);
bool rows_bool(const PGresult *rows, int row, int column);
/* One number. */
int rows_number(audit *self, const char *sql, int64_t *number, piw_err *err);
/* Which of these names does the statement (of one text[] parameter) return? Sorted as strcmp does. */
PGresult *rows_known(audit *self, const char *sql, char *const *names, size_t count, piw_err *err);

/* --- check_*.c: a unit's findings; and the next unit behind `after` (NULL: the first), *key NULL at the end --- */
int check_database(audit *self, const char *key, findings *found, piw_err *err);
int next_database(audit *self, const char *after, char **key, piw_err *err);
int check_package(audit *self, const char *key, findings *found, piw_err *err);
int next_package(audit *self, const char *after, char **key, piw_err *err);
int check_logs(audit *self, const char *key, findings *found, piw_err *err);
int next_logs(audit *self, const char *after, char **key, piw_err *err);
int check_site(audit *self, const char *key, findings *found, piw_err *err);
int next_site(audit *self, const char *after, char **key, piw_err *err);

/* Of the site's phase: pages of logs that are nobody's. */
int check_log_folders(audit *self, findings *found, piw_err *err);

/* --- check_feeds.c: the Atom feeds, where there are any (docs/events.md) --- */
/* Those of the farm, a part of the site's phase. */
int check_feeds(audit *self, findings *found, piw_err *err);
/* A package's. */
int check_package_feed(audit *self, const char *package, findings *found, piw_err *err);

/* --- pages.c: what the pages of a package say, against what they have to --- */
typedef struct listed {
    char *name;
    char hash[65];
} listed;
typedef struct listing {
    listed *at;
    size_t count, room;
} listing;
void listing_add(listing *self, piw_text name, piw_text hash);
void listing_fini(listing *self);
/* Has the site's writer written all pages in their present form? */
bool pages_settled(const audit *self);
/* `wanted` by the index, `shown` by the project's page. */
int pages_check(audit *self, const char *package, listing *wanted, listing *shown, bool moving, findings *found,
                piw_err *err);
/* The same of the index of a view. */
int pages_check_view(audit *self, const char *view, const char *package, listing *wanted, bool moving, findings *found,
                     piw_err *err);

/* --- suspects.c --- */
/* Look at a unit; what is odd makes it a suspect. */
int suspects_first(audit *self, audit_phase phase, const char *key, piw_err *err);
/* Look again at those whose time has come; with `all` until none is left. */
int suspects_again(audit *self, bool all, piw_err *err);

/* --- suspect_list.c --- */
void suspects_add(audit *self, audit_phase phase, const char *key, const findings *list);
void suspects_remove(audit *self, size_t index);
/* One that an earlier run had. */
void suspects_put(audit *self, audit_phase phase, const char *key);
void suspects_drop(audit *self, audit_phase phase, const char *key);
void suspects_fini(audit *self);

/* --- mend.c --- */
/* The kind's own name, or NULL. */
const char *mend_kind(const char *name);
/* With --fix; says what was done in the finding. */
void mend(audit *self, finding *one);

/* --- pace.c --- */
void pace_take(audit *self, int64_t bytes);
void pace_sleep(int64_t ns);
/* SHA-256 and size of a file, read at that pace. */
int pace_hash(audit *self, const char *path, char *hash, int64_t *size, piw_err *err);
void pace_show(audit *self, bool now);

/* --- journal.c --- */
int journal_open(audit *self, piw_err *err);
int journal_note(audit *self, const char *word, const char *a, const char *b, piw_err *err);
int journal_found(audit *self, const finding *one, piw_err *err);
/* It is done: the next run begins anew. */
int journal_end(audit *self, piw_err *err);
void journal_close(audit *self);

#endif
