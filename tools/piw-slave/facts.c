/* facts.c — what the slave tells the master of the wheels that a build made. */
#include "facts.h"

#include "depends.h"
#include "folder.h"
#include "shared/file_state.h"

#include <stdlib.h>

enum { WHEELS_MAX = 1000 }; /* the bound of BUILT's list */

static void fill(piw_msg *msg, file_state *state, const piw_wheel_name *name, const char *filename,
                 const piw_wheel *wheel, const slave_depends *depends)
{
    piw_file_state_fill(msg, state, name, filename, wheel);
    /* All three, also when they are empty: so stock slaves say it. */
    piw_file_state_needs(msg, state, "apt", depends->apt, depends->apt_count);
    piw_file_state_needs(msg, state, "pip", wheel->metadata.requires, wheel->metadata.requires_count);
    piw_file_state_needs(msg, state, "", depends->others, depends->others_count);
}

static int read_one(piw_msg *msg, const char *folder, const char *filename, const char *scratch,
                    const slave_sandbox *sandbox, piw_text package, file_state *state, piw_err *err)
{
    piw_wheel_name name;
    int rc = piw_wheel_name_parse(piw_text_of(filename), &name, err);
    if (rc != 0)
        return rc;
    if (!piw_text_is(package, name.canonical))
        return piw_err_set(err, PIW_EREFUSED, "%s is not a wheel of %.*s", filename, (int)package.len, package.s);
    char *path = piw_sprintf("%s/%s", folder, filename);
    piw_wheel wheel = {0};
    slave_depends depends = {0};
    rc = piw_wheel_read(path, filename, &wheel, err);
    if (rc == 0) {
        rc = slave_depends_find(path, scratch, sandbox, &depends, err);
        if (rc != 0)
            piw_err_prefix(err, "the libraries that %s needs can't be found", filename);
        else
            fill(msg, state, &name, filename, &wheel, &depends);
        slave_depends_fini(&depends);
        piw_wheel_fini(&wheel);
    }
    free(path);
    return rc;
}

int slave_facts(piw_msg *msg, const char *folder, const char *scratch, const slave_sandbox *sandbox, piw_text package,
                slave_wheels *wheels, piw_err *err)
{
    struct dirent **found;
    int n = slave_folder_wheels(folder, &found, err);
    if (n < 0)
        return n;
    int rc = 0;
    if (n > WHEELS_MAX)
        rc = piw_err_set(err, PIW_EREFUSED, "the build made more than %d wheels", WHEELS_MAX);
    else
        piw_msg_list(msg, wheels, n);
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = read_one(msg, folder, found[i]->d_name, scratch, sandbox, package, &wheels->at[i], err);
        free(found[i]);
    }
    free(found);
    if (rc != 0)
        *wheels = (slave_wheels){0};
    return rc;
}
