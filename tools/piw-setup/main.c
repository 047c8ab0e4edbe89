/* piw-setup — makes a farm on this machine and starts it (docs/install.md). */
#include "child.h"
#include "common/programs.h"
#include "setup.h"
#include "shared/abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const piw_opt options[] = {
    {'y', "yes", PIW_OPT_SWITCH, NULL, NULL, "don't ask", .cli_only = true},
    {0, "foreground", PIW_OPT_SWITCH, NULL, NULL, "run master and slave here until Ctrl+C, also where systemd could",
     .cli_only = true},
    {0, "abi", PIW_OPT_LIST, "ABI", NULL, "build for this ABI (default: that of /usr/bin/python3)", .cli_only = true},
    {'o', "output-path", PIW_OPT_PATH, "PATH", "/var/www/piwheels",
     "the site's folder, for a configuration that is made", .cli_only = true},
    {0, "pypi", PIW_OPT_TEXT, "URL", NULL, "follow this one instead of PyPI, such as a piw-pypi; likewise",
     .cli_only = true},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-setup",
    .section = "setup",
    .summary = "Makes a farm on this machine and starts it: users, a database of the local PostgreSQL, the site's\n"
               "folder, the configuration. What is there already is kept, so that it can be run again.",
    .options = options,
    .sections = farm_sections,
};

static void add_abi(setup *self, const char *abi)
{
    size_t count = 0;
    while (self->abis[count] != NULL)
        count++;
    self->abis = piw_realloc(self->abis, (count + 3) * sizeof(*self->abis));
    self->abis[count] = piw_strdup("--abi");
    self->abis[count + 1] = piw_strdup(abi);
    self->abis[count + 2] = NULL;
}

/* What is built for when nobody says: what this machine's interpreter builds. */
static int ask_python(setup *self, piw_err *err)
{
    char *said = NULL;
    const char *argv[] = {"/usr/bin/python3", "-I", "-c",
                          "import sys; print('cp%d%d%s' % (*sys.version_info[:2], getattr(sys, 'abiflags', '')))",
                          NULL};
    int rc = child_run(SETUP_MASTER_USER, argv, &said, err);
    if (rc == 0) {
        said[strcspn(said, "\n")] = '\0';
        if (piw_abi_typed(piw_text_of(said)))
            add_abi(self, said);
        else
            rc = piw_err_set(err, PIW_EINVAL, "/usr/bin/python3 has no ABI that is known here ('%.60s'): give --abi",
                             said);
    }
    free(said);
    return rc;
}

static int choose_abis(setup *self, piw_err *err)
{
    const char *const *abis;
    size_t count = piw_config_list(self->config, "abi", &abis);
    for (size_t i = 0; i < count; i++) {
        if (!piw_abi_typed(piw_text_of(abis[i])))
            return piw_err_set(err, PIW_EUSAGE, "--abi '%.100s' is no ABI tag of an interpreter, such as cp311",
                               abis[i]);
        add_abi(self, abis[i]);
    }
    return 0;
}

static int find_programs(char **folder, piw_err *err)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len < 0)
        return piw_err_errno(err, "can't find this program's folder");
    path[len] = '\0';
    *strrchr(path, '/') = '\0';
    *folder = piw_strdup(path);
    return 0;
}

/* Paths and addresses become values in a file: of one line, without what would end it. */
static int check_text(const piw_config *config, const char *option, const char *begins, piw_err *err)
{
    const char *text = piw_config_text(config, option);
    if (text == NULL)
        return 0;
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 127 || strchr("#;'\"[]", *at) != NULL)
            return piw_err_set(err, PIW_EUSAGE, "--%s '%.200s': blanks, quotes and the like aren't taken here", option,
                               text);
    if (strncmp(text, begins, strlen(begins)) != 0)
        return piw_err_set(err, PIW_EUSAGE, "--%s '%.200s' must begin with %s", option, text, begins);
    return 0;
}

static int check(setup *self, piw_err *err)
{
    int rc = check_text(self->config, "output-path", "/", err);
    rc = rc != 0 ? rc : check_text(self->config, "pypi", "http", err);
    rc = rc != 0 ? rc : choose_abis(self, err);
    rc = rc != 0 ? rc : setup_check_user(err);
    rc = rc != 0 ? rc : setup_check_packages(err);
    if (rc != 0 || piw_config_switch(self->config, "yes"))
        return rc;
    int answer = piw_ask("Make a farm on this machine: users, a database in PostgreSQL, " SETUP_CONFIGURATION
                         ", a site, and start it?");
    return answer < 0 ? piw_err_set(err, answer, "no answer: nothing was changed (--yes doesn't ask)") : 1 - answer;
}

/* 0, 1 when the user said no, or an error. */
static int work(setup *self, piw_err *err)
{
    typedef int step(const setup *self, piw_err *err);
    static step *const steps[] = {setup_users, setup_configuration, setup_folders, setup_server, setup_database};
    int rc = check(self, err);
    for (size_t i = 0; i < PIW_COUNT(steps) && rc == 0; i++) {
        if (steps[i] == setup_database && self->abis[0] == NULL)
            rc = ask_python(self, err);
        rc = rc != 0 ? rc : steps[i](self, err);
    }
    if (rc != 0)
        return rc;
    return self->units ? setup_units(self, err) : setup_foreground(self, err);
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    char *programs = NULL;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc == 1)
        return EXIT_SUCCESS;
    setup self = {.config = config, .abis = piw_zalloc(sizeof(char *))};
    rc = rc != 0 ? rc : find_programs(&programs, &err);
    if (rc == 0) {
        self.programs = programs;
        self.units = !piw_config_switch(config, "foreground") && access("/run/systemd/system", F_OK) == 0;
        rc = work(&self, &err);
    }
    for (size_t i = 0; self.abis[i] != NULL; i++)
        free(self.abis[i]);
    free(self.abis);
    free(programs);
    piw_config_free(&config);
    return rc == 1 ? 2 : piw_program_exit(&program, &err);
}
