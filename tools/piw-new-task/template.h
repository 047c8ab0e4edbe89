/* template.h — the files of a new task, which have @name@ where its name belongs, and @NAME@ for that in capitals. */
#ifndef NEW_TASK_TEMPLATE_H
#define NEW_TASK_TEMPLATE_H

#include <stddef.h>
#include <sys/types.h>

typedef struct template_file {
    const char *path; /* in the new folder; its folder stands before it in the list */
    const char *text; /* NULL: it is a folder */
    mode_t mode;      /* what the umask leaves of it */
} template_file;

extern const template_file template_files[];
extern const size_t template_files_count;

/* The text with the name filled in; the caller frees it. */
char *template_fill(const char *text, const char *name);

#endif
