/* left.h — projects that are quarantined, or have left PyPI's list: their pages of the Simple API tell whether they are
 * deleted. Only that there is no page says so; whatever else the answer is, nothing is deleted. */
#ifndef CLOUD_GAZER_LEFT_H
#define CLOUD_GAZER_LEFT_H

#include "piw/task.h"

struct gazer;

typedef struct gazer_left gazer_left;

/* `done` is called when all pages that gazer_left_go began to ask for are dealt with. */
gazer_left *gazer_left_new(struct gazer *owner, const char *simple_url, void (*done)(void *arg), void *arg);
void gazer_left_free(gazer_left **left);
void gazer_left_add(gazer_left *left, piw_text package);
/* Take the next step; true when there is nothing to do. */
bool gazer_left_go(gazer_left *left);
/* How many were deleted since it was last asked. */
uint64_t gazer_left_deleted(gazer_left *left);
/* The continuations "pages" and "left_again". */
int on_pages(piw_task *task, piw_msg *reply, uint64_t key);
int on_left_again(piw_task *task, piw_msg *reply, uint64_t key);

#endif
