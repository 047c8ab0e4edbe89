/* folder.h — which wheels a build has left. */
#ifndef SLAVE_FOLDER_H
#define SLAVE_FOLDER_H

#include "piw/err.h"

#include <dirent.h>

/* The wheels in `folder`, in order of name: how many, or an error. The caller frees each and the list. */
int slave_folder_wheels(const char *folder, struct dirent ***found, piw_err *err);

#endif
