/* folder.h — makes the folder of a new task. */
#ifndef NEW_TASK_FOLDER_H
#define NEW_TASK_FOLDER_H

#include "piw/err.h"

/* The folder `path` of the task `name`, which lies in `dir`: with all of its files, or nothing. PIW_EEXIST when there is
 * something of that name, whatever it is. */
int folder_make(const char *path, const char *dir, const char *name, piw_err *err);

#endif
