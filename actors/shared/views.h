/* views.h — the farm's views: named kinds of machine, as the configuration has them ([view:NAME], docs/views.md).
 *
 * A list belongs to whoever read it; nothing in it changes. Any thread may look at it.
 *
 * The common view is the one whose wheels are those of /simple/. Its build queue goes by its ABI, as on a farm without views;
 * each other view's by the view's name: in messages, in the database and for slave_driver's windows, wherever an ABI is said to
 * have a queue. */
#ifndef SHARED_VIEWS_H
#define SHARED_VIEWS_H

#include "piw/err.h"
#include "piw/task.h"

#include "db.piw.h"

enum { PIW_VIEWS_MAX = 64, PIW_VIEW_NAME_MAX = 32, PIW_VIEW_WORDS_MAX = 5000 };

typedef struct piw_view_words {
    const char **at;
    size_t count;
} piw_view_words;

typedef struct piw_farm_view {
    const char *name;
    const char *abi;          /* of its slaves and its wheels */
    piw_view_words platforms; /* what its slaves say they build for, and of wheels that run there; at least one */
    /* What a slave must be besides; without a word: anything. */
    piw_view_words os_names, machines;
    const char *os_version;   /* 12 fits 12 and 12.5; "": any */
    piw_view_words libraries; /* sonames and symbol versions that are there, as far as the operator says */
    bool common;
    /* What it is to have at all. */
    bool skip_pypi_wheels, stable_only, pure_from_pypi;
    int64_t newest, popular; /* 0: all */
} piw_farm_view;

typedef struct piw_views {
    piw_farm_view *at; /* in the configuration's order */
    size_t count;      /* 0: a farm without views */
} piw_views;

/* A setting of the master, by the name that piw_setting takes, or NULL. Views are there as `views`, their names with a blank
 * between, and `view:NAME.KEY`. */
typedef const char *piw_view_setting_fn(void *arg, const char *name);

/* PIW_ECONFIG: the sentence names the section and the key. */
int piw_views_read(piw_views *views, piw_view_setting_fn *setting, void *arg, piw_err *err);
/* The same by a task's settings. */
int piw_views_of_task(piw_views *views, piw_task *task, piw_err *err);
void piw_views_fini(piw_views *views);

/* Why this can't be the name of a view, or NULL. */
const char *piw_view_name_fault(piw_text name);

/* What a slave says of itself. */
typedef struct piw_view_machine {
    piw_text abi, platform, os_name, os_version, board;
} piw_view_machine;

/* The first one that such a slave fits, or NULL. */
const piw_farm_view *piw_views_fit(const piw_views *views, const piw_view_machine *machine);
/* By its name; NULL: there is none of that name. */
const piw_farm_view *piw_views_find(const piw_views *views, piw_text name);
/* The one whose queue has this name; NULL: none. */
const piw_farm_view *piw_views_of_queue(const piw_views *views, piw_text queue);
/* Is one of the platforms of a wheel, a set with dots between as in its name, one of the view's, or any? */
bool piw_view_takes_platform(const piw_farm_view *view, piw_text platforms);
/* The queue of the view whose a good build from this one is. A pure wheel is the common view's, whichever built it, so that one
 * covers all: when installers there and on the view's own machines take each of these files. */
piw_text piw_views_owner(const piw_views *views, piw_text queue, const built_file *files, uint32_t count);
/* The view in whose own store the files of a build from this queue are; a null text: the common one's. */
piw_text piw_views_store(const piw_views *views, piw_text queue);
/* The name of its build queue. */
const char *piw_view_queue(const piw_farm_view *view);
/* May a build queue have this name: is it an ABI's tag, or a view's name? */
bool piw_queue_acceptable(piw_text name);

#endif
