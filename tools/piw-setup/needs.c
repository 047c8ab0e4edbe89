/* needs.c — may this user set up a farm, and is there what it takes? */
#include "setup.h"

#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct need {
    const char *files;   /* a pattern; one that fits is enough */
    const char *package; /* that brings it */
    bool must;           /* there is no farm without it; else no builds */
} need;

static const need needs[] = {
    {"/usr/lib/postgresql/*/bin/postgres", "postgresql", true},
    {"/usr/bin/psql", "postgresql-client", true},
    {"/usr/bin/python3", "python3", true},
    {"/usr/bin/pip3", "python3-pip", false},
    {"/usr/include/python3.*/Python.h", "python3-dev", false},
    {"/usr/bin/g++", "build-essential", false},
};

static bool is_there(const char *pattern)
{
    glob_t found = {0};
    bool there = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    globfree(&found);
    return there;
}

/* "postgresql python3-pip", of those that are missing; the caller's. */
static char *missing(bool must_only)
{
    char *names = piw_strdup("");
    for (size_t i = 0; i < PIW_COUNT(needs); i++) {
        if ((must_only && !needs[i].must) || is_there(needs[i].files))
            continue;
        char *more = piw_sprintf("%s%s%s", names, *names != '\0' ? " " : "", needs[i].package);
        free(names);
        names = more;
    }
    return names;
}

/* Debian's way to root for ordinary users: sudo, for members of its group. */
static bool has_sudo(void)
{
    const struct group *sudo = getgrnam("sudo");
    if (sudo == NULL || access("/usr/bin/sudo", X_OK) != 0)
        return false;
    gid_t groups[256];
    int count = getgroups((int)PIW_COUNT(groups), groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == sudo->gr_gid)
            return true;
    return false;
}

int setup_check_user(piw_err *err)
{
    if (geteuid() == 0)
        return 0;
    if (has_sudo())
        return piw_err_set(err, PIW_EREFUSED, "makes users, a database and files in /etc: run it with sudo");
    char *names = missing(false);
    int rc = piw_err_set(
        err, PIW_EREFUSED,
        "makes users, a database and files in /etc, which takes root's rights: ask an administrator of this "
        "machine to run it%s%s",
        *names != '\0' ? ", and for these packages: " : "", names);
    free(names);
    return rc;
}

int setup_check_packages(piw_err *err)
{
    char *musts = missing(true), *names = missing(false);
    int rc = *musts != '\0' ? piw_err_set(err, PIW_ENOENT, "packages are missing: apt-get install %s", names) : 0;
    if (rc == 0 && *names != '\0')
        setup_say("missing", "most builds need more: apt-get install %s", names);
    free(musts);
    free(names);
    return rc;
}
