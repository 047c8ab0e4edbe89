/* setup.h — the steps of piw-setup. Each looks first whether it is done already, and says on stdout which it was. One thread. */
#ifndef SETUP_SETUP_H
#define SETUP_SETUP_H

#include "piw/options.h"

#define SETUP_MASTER_USER   "piwheels"
#define SETUP_SLAVE_USER    "piwheels-slave"
#define SETUP_MONITOR_GROUP "piwheels-monitor"
#define SETUP_DATABASE      "piwheels"
#define SETUP_SUPERUSER     "postgres"
#define SETUP_CONFIGURATION "/etc/piwheels.conf"
#define SETUP_SOCKETS       "/run/piwheels"

typedef struct setup {
    const piw_config *config;
    const char *programs; /* the folder that this program is in, and so the others */
    char **abis;          /* NULL-terminated, for piw-initdb: "--abi", "cp311", … */
    bool units;           /* systemd runs here and is to start the farm */
} setup;

/* --- say.c --- */
/* "WHAT   TEXT" on a line. */
void setup_say(const char *what, const char *fmt, ...) PIW_PRINTF(2, 3);

/* --- needs.c --- */
/* PIW_EREFUSED unless root runs this; the sentence says how, or which packages to ask an administrator for. */
int setup_check_user(piw_err *err);
/* PIW_ENOENT when something is missing that can't be made here. */
int setup_check_packages(piw_err *err);

/* --- place.c --- */
int setup_users(const setup *self, piw_err *err);
int setup_configuration(const setup *self, piw_err *err);
int setup_folders(const setup *self, piw_err *err);

/* --- store.c --- */
int setup_server(const setup *self, piw_err *err);
int setup_database(const setup *self, piw_err *err);

/* --- serve.c --- */
int setup_units(const setup *self, piw_err *err);
/* Master and slave until one of them ends or a signal comes. */
int setup_foreground(const setup *self, piw_err *err);

#endif
