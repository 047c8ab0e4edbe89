/* place.c — users, folders and the configuration file. */
#include "setup.h"

#include "child.h"
#include "shared/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Users ----------------------------------------------------------------------------------------------------------- */

/* The packages' scripts have made them already; an installation without packages hasn't. */
static int make_user(const char *name, const char *home, piw_err *err)
{
    if (child_user_exists(name)) {
        setup_say("kept", "user %s", name);
        return 0;
    }
    const char *argv[] = {"adduser", "--system", "--quiet", "--group", "--home", home, name, NULL};
    int rc = child_run(NULL, argv, NULL, err);
    if (rc == 0)
        setup_say("made", "user %s", name);
    return rc;
}

int setup_users(const setup *self, piw_err *err)
{
    (void)self;
    int rc = make_user(SETUP_MASTER_USER, "/var/lib/piwheels", err);
    rc = rc != 0 ? rc : make_user(SETUP_SLAVE_USER, "/var/lib/piwheels-slave", err);
    if (rc != 0 || getgrnam(SETUP_MONITOR_GROUP) != NULL)
        return rc;
    const char *group[] = {"addgroup", "--system", "--quiet", SETUP_MONITOR_GROUP, NULL};
    const char *member[] = {"adduser", "--quiet", SETUP_MASTER_USER, SETUP_MONITOR_GROUP, NULL};
    rc = child_run(NULL, group, NULL, err);
    rc = rc != 0 ? rc : child_run(NULL, member, NULL, err);
    if (rc == 0)
        setup_say("made", "group %s: who is in it may run piw-monitor", SETUP_MONITOR_GROUP);
    return rc;
}

/* --- The configuration ------------------------------------------------------------------------------------------------- */

/* The caller's. */
static char *configuration_text(const setup *self)
{
    const char *pypi = piw_config_text(self->config, "pypi");
    char *index = pypi == NULL ? piw_strdup("")
                               : piw_sprintf("pypi-xmlrpc = %s/pypi\npypi-simple = %s/simple\npypi-json = %s/pypi\n",
                                             pypi, pypi, pypi);
    char *text =
        piw_sprintf("# Made by piw-setup, yours to change: piwheels.conf(5) has every key with its default.\n\n"
                    "# Socket files of the master, in a folder that not everybody may look into.\n"
                    "status-queue = ipc://" SETUP_SOCKETS "/status\n"
                    "control-queue = ipc://" SETUP_SOCKETS "/control\n"
                    "import-queue = ipc://" SETUP_SOCKETS "/import\n"
                    "log-queue = ipc://" SETUP_SOCKETS "/log\n"
                    "admin-queue = ipc://" SETUP_SOCKETS "/admin\n\n"
                    "# The site, for the master and piw-audit.\n"
                    "output-path = %s\n\n"
                    "[master]\n"
                    "%s\n"
                    "[slave]\n"
                    "master = localhost\n\n"
                    "[site]\n"
                    "# What the site is called from outside.\n"
                    "#base-url = https://wheels.example.org\n\n"
                    "[auth]\n"
                    "# Networks that slaves may come from. All others are turned away.\n"
                    "allow = [127.0.0.0/8, ::1/128]\n",
                    piw_config_text(self->config, "output-path"), index);
    free(index);
    return text;
}

static int check_configuration(const setup *self, piw_err *err)
{
    char *master = piw_sprintf("%s/piw-master", self->programs);
    const char *argv[] = {master, "--check-config", NULL};
    int rc = child_run(SETUP_MASTER_USER, argv, NULL, err);
    free(master);
    return rc;
}

int setup_configuration(const setup *self, piw_err *err)
{
    int fd = open(SETUP_CONFIGURATION, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) {
        setup_say("kept", SETUP_CONFIGURATION);
        return check_configuration(self, err);
    }
    if (fd < 0)
        return piw_err_errno(err, "can't make " SETUP_CONFIGURATION);
    char *text = configuration_text(self);
    int rc = piw_write_all(fd, text, strlen(text));
    rc = rc == 0 && (fchmod(fd, 0644) != 0 || fsync(fd) != 0) ? PIW_ESYS : rc;
    if (rc != 0)
        piw_err_errno(err, "can't write " SETUP_CONFIGURATION);
    free(text);
    close(fd);
    rc = rc != 0 ? rc : check_configuration(self, err);
    if (rc != 0)
        unlink(SETUP_CONFIGURATION); /* half of it, or one that the master refuses, would be kept the next time */
    else
        setup_say("made", SETUP_CONFIGURATION);
    return rc;
}

/* --- Folders ------------------------------------------------------------------------------------------------------------- */

static int make_folder(const char *path, const char *group, mode_t mode, piw_err *err)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        setup_say("kept", "folder %s", path);
        return 0;
    }
    const struct passwd *user = getpwnam(SETUP_MASTER_USER);
    const struct group *members = getgrnam(group);
    if (user == NULL || members == NULL)
        return piw_err_set(err, PIW_ENOENT, "there is no user " SETUP_MASTER_USER ", or no group %s", group);
    int rc = piw_folder_make(path, err);
    /* The mode last: a change of owner takes the set-group bit away. */
    if (rc == 0 && (chown(path, user->pw_uid, members->gr_gid) != 0 || chmod(path, mode) != 0))
        rc = piw_err_errno(err, "can't hand folder %s over to " SETUP_MASTER_USER, path);
    if (rc == 0)
        setup_say("made", "folder %s", path);
    return rc;
}

/* Where the site is written, as the configuration in force says; the caller's. */
static int find_site(const setup *self, char **site, piw_err *err)
{
    static const char key[] = "\noutput-path = ";
    char *master = piw_sprintf("%s/piw-master", self->programs), *said = NULL;
    const char *argv[] = {master, "--print-config", NULL};
    int rc = child_run(SETUP_MASTER_USER, argv, &said, err);
    const char *at = rc == 0 ? strstr(said, key) : NULL;
    const char *end = at != NULL ? strstr(at + sizeof(key) - 1, "  # ") : NULL;
    if (end != NULL) {
        at += sizeof(key) - 1;
        bool quoted = *at == '"' || *at == '\'';
        *site = piw_strndup(at + quoted, (size_t)(end - at) - 2 * quoted);
    } else if (rc == 0) {
        rc = piw_err_set(err, PIW_ECONFIG, "%s doesn't tell its output-path", master);
    }
    free(master);
    free(said);
    return rc;
}

int setup_folders(const setup *self, piw_err *err)
{
    char *site = NULL;
    int rc = find_site(self, &site, err);
    rc = rc != 0 ? rc : make_folder(site, SETUP_MASTER_USER, 0755, err);
    rc = rc != 0 ? rc : make_folder(SETUP_SOCKETS, SETUP_MONITOR_GROUP, 02750, err);
    free(site);
    return rc;
}
