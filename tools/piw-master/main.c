/* piw-master — reads the configuration, then gives the runtime its tasks and waits. It knows nothing of wheels. */
#include "base/signals.h"
#include "foreground.h"
#include "options.h"
#include "piw/log.h"
#include "port/descriptors.h"
#include "reread.h"
#include "runtime/runtime.h"
#include "settings.h"
#include "stats.piw.h"
#include "tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The task that is asked answers at once, or is stuck. */
enum {
    PAUSE_MS = 5000,
    PREDECESSOR_S = 15, /* one that is at its end is waited for so long */
};

typedef struct master {
    piw_config *config;
    settings settings;
    plugin_dirs dirs;
    task_list tasks;
    piw_runtime *runtime;
    reread reread;
    foreground foreground;
} master;

static int configure(master *self, piw_err *err)
{
    int rc = settings_make(&self->settings, self->config, err);
    if (rc == 0)
        rc = plugin_dirs_make(&self->dirs, self->config, err);
    if (rc == 0)
        rc = task_list_make(&self->tasks, self->config, err);
    return rc;
}

static int print_config(const master *self, piw_err *err)
{
    piw_config_print(self->config);
    printf("\n# Tasks are loaded from:\n");
    for (size_t i = 0; i < self->dirs.count; i++)
        printf("#   %s\n", self->dirs.at[i]);
    return fflush(stdout) != 0 || ferror(stdout) ? piw_err_errno(err, "can't write to standard output") : 0;
}

/* Neither the database nor files from strangers' machines are handled with root's powers. */
static int refuse_root(piw_err *err)
{
    if (geteuid() != 0)
        return 0;
    return piw_err_set(err, PIW_EREFUSED,
                       "refuses to run as root; start it as an ordinary user, such as by systemd's User= or "
                       "setpriv --reuid USER --regid GROUP --init-groups");
}

static int prepare_output_path(const char *path, piw_err *err)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return piw_err_errno(err, "can't create the output path %s", path);
    struct stat st;
    if (stat(path, &st) != 0)
        return piw_err_errno(err, "can't use the output path %s", path);
    if (!S_ISDIR(st.st_mode))
        return piw_err_set(err, PIW_ECONFIG, "the output path %s is not a folder", path);
    if (access(path, W_OK | X_OK) != 0)
        return piw_err_errno(err, "can't write in the output path %s", path);
    return 0;
}

/* Two masters in one place would throw away what the other one has staged. The lock goes with the process, however that
 * ends; a file system that knows no locks is taken as it is. */
static int take_output_path(const char *path, piw_err *err)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? 0 : flock(fd, LOCK_EX | LOCK_NB);
    /* A predecessor at its end is waited for. */
    for (int i = 0; rc != 0 && errno == EWOULDBLOCK && i < PREDECESSOR_S * 10; i++) {
        nanosleep(&moment, NULL);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    if (rc == 0)
        return 0;
    bool taken = errno == EWOULDBLOCK;
    close(fd);
    return taken ? piw_err_set(err, PIW_EEXIST, "another piw-master works in the output path %s: stop it first", path)
                 : 0;
}

static void on_signal(int number, void *arg)
{
    if (number == SIGHUP) {
        piw_err err = {0};
        if (piw_log_reopen(&err) != 0)
            piw_error("%s", err.text);
        err = (piw_err){0};
        if (piw_runtime_reread(arg, &err) != 0)
            piw_warning("%s", err.text);
        return;
    }
    piw_info("stopping: received %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    piw_runtime_quit(arg);
}

static int set_debug(const piw_config *config, piw_err *err)
{
    const char *const *patterns;
    size_t count = piw_config_list(config, "debug", &patterns);
    for (size_t i = 0; i < count; i++) {
        int code = piw_log_debug_task(patterns[i], true);
        if (code != 0)
            return piw_err_set(err, PIW_ECONFIG, "debug (%s): too many patterns", piw_config_origin(config, "debug"));
    }
    return 0;
}

/* A piw_admin_hooks.pause: the task that keeps the figures keeps this too. */
static int pause_farm(void *arg, bool on, char *done, size_t size, piw_err *err)
{
    const reread *self = arg;
    piw_msg *call = stats_PAUSE_make(on), *answer = NULL;
    int rc = piw_runtime_call(self->runtime, "stats", &call, PAUSE_MS, &answer, err);
    piw_msg_free(&call);
    if (rc != 0)
        return rc;
    const stats_PAUSE_reply *now = stats_PAUSE_reply_of(answer);
    if (!now->paused)
        snprintf(done, size, "the farm goes on");
    else
        snprintf(done, size, "the farm %s paused: %s", on ? "is" : "stays", now->why.s);
    piw_msg_free(&answer);
    return 0;
}

enum { QUEUES_MAX = 16 };

/* Networks of single addresses, from [auth]; how many there are. */
static size_t list_allows(master *self, const char *names[QUEUES_MAX], const char *networks[QUEUES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < master_allows_count; i++) {
        char key[64];
        snprintf(key, sizeof(key), "auth.allow-%s", master_allows[i]);
        names[count] = master_allows[i];
        networks[count] = settings_get(&self->settings, key);
        count += networks[count] != NULL;
    }
    return count;
}

static void list_addresses(const master *self, const char *addresses[QUEUES_MAX], const char *encrypted[QUEUES_MAX])
{
    char name[64];
    for (size_t i = 0; i < master_queues_count; i++) {
        snprintf(name, sizeof(name), "%s-queue", master_queues[i]);
        addresses[i] = piw_config_text(self->config, name);
        encrypted[i] = NULL;
        for (size_t k = 0; k < master_curve_queues_count; k++) {
            if (strcmp(master_queues[i], master_curve_queues[k]) == 0) {
                snprintf(name, sizeof(name), "%s-queue-curve", master_queues[i]);
                encrypted[i] = piw_config_text(self->config, name);
            }
        }
    }
}

static int make_runtime(master *self, piw_err *err)
{
    const char *addresses[QUEUES_MAX], *encrypted[QUEUES_MAX], *allow_names[QUEUES_MAX], *allow_networks[QUEUES_MAX];
    list_addresses(self, addresses, encrypted);
    bool curve = strcmp(settings_get(&self->settings, "auth.method"), "curve") == 0;
    const piw_runtime_config config = {
        .plugin_dirs = (const char *const *)self->dirs.at,
        .plugin_dirs_count = self->dirs.count,
        .queue_names = master_queues,
        .queue_addresses = addresses,
        .queues_count = master_queues_count,
        .queue_curve_addresses = encrypted,
        .allow = settings_get(&self->settings, "auth.allow"),
        .allows_count = list_allows(self, allow_names, allow_networks),
        .allow_names = allow_names,
        .allow_networks = allow_networks,
        .keys = curve ? settings_get(&self->settings, "auth.keys") : NULL,
        .setting = settings_get,
        .arg = &self->settings,
    };
    int rc = piw_runtime_new(&self->runtime, &config, err);
    if (rc == 0) {
        self->reread.config = self->config;
        self->reread.runtime = self->runtime;
        const piw_admin_hooks hooks = {
            .settings = reread_settings, .reread = reread_configuration, .pause = pause_farm, .arg = &self->reread};
        rc = piw_runtime_add_admin(self->runtime, &hooks, err);
    }
    for (size_t i = 0; i < self->tasks.count && rc == 0; i++)
        rc = piw_runtime_add(self->runtime, &self->tasks.at[i], err);
    return rc;
}

static void tell_stray(const char *sentence)
{
    fprintf(stderr, "%s: %s\n", master_program.name, sentence);
}

/* What nobody would ever read is told as it is found. */
static size_t check_strays(const master *self)
{
    return piw_config_switch(self->config, "check-config") && !piw_config_switch(self->config, "print-config")
               ? piw_config_strays(self->config, tell_stray)
               : 0;
}

/* Everything that can be known without starting a task, the tasks' own options too. */
static int check(master *self, piw_err *err)
{
    int rc = make_runtime(self, err);
    if (rc == 0)
        rc = piw_runtime_check(self->runtime, err);
    piw_runtime_free(&self->runtime);
    return rc;
}

static int run(master *self, piw_err *err)
{
    int rc = set_debug(self->config, err);
    if (rc == 0)
        rc = prepare_output_path(piw_config_text(self->config, "output-path"), err);
    if (rc == 0)
        rc = take_output_path(piw_config_text(self->config, "output-path"), err);
    if (rc != 0)
        return rc;
    piw_descriptors_watch();
    if (piw_config_switch(self->config, "dev-mode"))
        piw_warning("development mode: waits are short and new packages start as skipped");
    rc = make_runtime(self, err);
    if (rc == 0) {
        /* The runtime's threads are made by its start, so they inherit the blocked signals. */
        rc = piw_signals_start(on_signal, self->runtime, err);
    }
    if (rc == 0) {
        rc = piw_runtime_start(self->runtime, -1, err);
        if (rc == PIW_ESTOPPED) { /* a signal came while tasks were starting: as orderly as one that comes later */
            piw_info("%s", err->text);
            rc = 0;
        } else if (rc == 0) {
            foreground_begin(&self->foreground, self->runtime, &self->tasks, piw_config_switch(self->config, "quiet"));
            rc = piw_runtime_run(self->runtime, err);
            foreground_end(&self->foreground);
            piw_runtime_stop(self->runtime);
        }
    }
    piw_signals_stop();
    return rc;
}

int main(int argc, char **argv)
{
    /* Not freed at the end: a task that couldn't be stopped may still read its settings. */
    static master self;
    piw_err err = {0};
    size_t strays = 0;
    self.reread.argc = argc;
    self.reread.argv = argv;
    piw_protocol_use(&stats_protocol_def);
    int code = piw_config_load(&self.config, &master_program, argc, argv, &err);
    if (code == 1)
        return EXIT_SUCCESS;
    if (code == 0) {
        strays = check_strays(&self);
        code = configure(&self, &err);
    }
    if (code == 0 && piw_config_switch(self.config, "print-config")) {
        code = print_config(&self, &err);
    } else if (code == 0 && piw_config_switch(self.config, "check-config")) {
        code = check(&self, &err);
    } else if (code == 0) {
        code = refuse_root(&err);
        if (code == 0)
            code = run(&self, &err);
    }
    /* What was begun ahead of its start may still wait for a database that can't be reached. */
    int exit_code = piw_program_exit(&master_program, code != 0 ? &err : NULL);
    piw_runtime_free(&self.runtime);
    return exit_code == EXIT_SUCCESS && strays > 0 ? EXIT_FAILURE : exit_code;
}
