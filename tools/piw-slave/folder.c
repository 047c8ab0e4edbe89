/* folder.c — which wheels a build has left. */
#include "folder.h"

static int is_wheel(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".whl") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int slave_folder_wheels(const char *folder, struct dirent ***found, piw_err *err)
{
    int n = scandir(folder, found, is_wheel, by_name);
    return n < 0 ? piw_err_errno(err, "%s", folder) : n;
}
