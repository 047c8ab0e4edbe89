/* projects.h — following PyPI by its list of projects, and comparing that list with the database (projects.c). */
#ifndef CLOUD_GAZER_PROJECTS_H
#define CLOUD_GAZER_PROJECTS_H

#include "piw/task.h"

struct gazer;

typedef struct gazer_projects gazer_projects;

typedef struct gazer_projects_options {
    const char *simple_url, *json_url; /* live as long as the soul */
    bool follows;                      /* it is the driver; else it only compares */
    int64_t poll_ms;                   /* from one reading of the list to the next, of the driver */
    int64_t period_ms;                 /* from one comparison to the next */
} gazer_projects_options;

gazer_projects *gazer_projects_new(struct gazer *owner, const gazer_projects_options *options);
void gazer_projects_free(gazer_projects **projects);
/* The database has said where it is: the stored serial, and when a list was last compared with it (Unix time). */
void gazer_projects_begin(gazer_projects *projects, int64_t stored, int64_t compared_s);
/* Do the next thing if it is due, else set the timer for it. */
void gazer_projects_go(gazer_projects *projects);
/* The continuations "projects_go", "projects_again", "projects" and "compared". */
int on_projects_go(piw_task *task, piw_msg *reply, uint64_t key);
int on_projects_again(piw_task *task, piw_msg *reply, uint64_t key);
int on_projects(piw_task *task, piw_msg *reply, uint64_t key);
int on_compared(piw_task *task, piw_msg *reply, uint64_t key);

#endif
