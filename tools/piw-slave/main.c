/* piw-slave — builds wheels for a master (docs/programs.md#piw-slave). */
#include "base/sdnotify.h"
#include "build.h"
#include "common/programs.h"
#include "conversation.h"
#include "machine.h"
#include "process.h"
#include "sandbox.h"
#include "slave.piw.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static const piw_opt options[] = {
    {'m', "master", PIW_OPT_TEXT, "HOST", "localhost", "host of the master", .env = "PIW_MASTER"},
    {'t', "timeout", PIW_OPT_DURATION, "DURATION", "3h", "how long a build may take", .min = 1000,
     .max = INT64_C(30) * 86400 * 1000, .env = "PIW_TIMEOUT"},
    {'d', "dir", PIW_OPT_PATH, "DIR", "/tmp", "folder in which builds are made and thrown away"},
    {'L', "label", PIW_OPT_TEXT, "LABEL", NULL, "what this slave is called (default: the host's name)"},
    {0, "python", PIW_OPT_PATH, "PATH", "/usr/bin/python3", "interpreter, with pip, that wheels are built for"},
    {0, "memory", PIW_OPT_SIZE, "SIZE", "0", "address space that each process of a build may have; 0: no limit",
     .max = INT64_C(1) << 46},
    {0, "build-memory", PIW_OPT_SIZE, "SIZE", "0",
     "memory that a build may use in all; 0: seven eighths of the machine's, with swap", .max = INT64_C(1) << 46},
    {0, "sandbox", PIW_OPT_CHOICE, "WHEN", "auto", "contain builds by bubblewrap: yes, no, or auto: where that can be",
     .choices = "auto|yes|no"},
    {0, "processes", PIW_OPT_INT, "N", "4096", "processes and threads that a contained build may have at a time",
     .min = 64, .max = 4194304},
    {0, "poll", PIW_OPT_DURATION, "DURATION", "10s", "how long to rest when there is nothing to build", .min = 100,
     .max = 60000},
    {0, "slave-queue", PIW_OPT_TEXT, "ADDR", NULL,
     "the master's slave queue (default: tcp://HOST:5555, with a key :5557)"},
    {0, "file-queue", PIW_OPT_TEXT, "ADDR", NULL,
     "the master's file queue (default: tcp://HOST:5556, with a key :5558)"},
    {0, "key", PIW_OPT_PATH, "FILE", NULL, "speak encrypted, with the key that piw-keys made for this slave"},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "cbor towards a stock master", .choices = "msgpack|cbor"},
    {0, "debug", PIW_OPT_SWITCH, NULL, NULL, "log more than -v does"},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-slave",
    .section = "slave",
    .summary = "Builds wheels for a piwheels master.",
    .options = options,
    .sections = farm_sections,
};

/* --- Start ----------------------------------------------------------------------------------------------------- */

static int open_signals(slave *s, piw_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    /* Blocked before ZeroMQ starts its threads, which inherit this. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        (s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return piw_err_errno(err, "signals can't be set up");
    return 0;
}

static char *queue_address(const piw_config *config, const char *option, int port)
{
    const char *given = piw_config_text(config, option), *host = piw_config_text(config, "master");
    if (given != NULL)
        return piw_strdup(given);
    bool six = strchr(host, ':') != NULL && host[0] != '[';
    return piw_sprintf("tcp://%s%s%s:%d", six ? "[" : "", host, six ? "]" : "", port);
}

static int check_dir(const char *dir, piw_err *err)
{
    struct stat status;
    if (stat(dir, &status) != 0)
        return piw_err_errno(err, "--dir %s", dir);
    if (!S_ISDIR(status.st_mode))
        return piw_err_set(err, PIW_EINVAL, "--dir %s: not a folder", dir);
    if (access(dir, W_OK | X_OK) != 0)
        return piw_err_errno(err, "--dir %s: can't make files there", dir);
    return 0;
}

static int label_of(const piw_config *config, slave_settings *settings, piw_err *err)
{
    char host[256] = "";
    const char *label = piw_config_text(config, "label");
    if (label == NULL && gethostname(host, sizeof(host) - 1) != 0)
        return piw_err_errno(err, "the host has no name; give --label");
    settings->label = piw_strdup(label != NULL ? label : host);
    size_t len = strlen(settings->label);
    if (piw_utf8_valid(settings->label, len) != len || piw_utf8_chars(settings->label, len) > 255)
        return piw_err_set(err, PIW_EINVAL, "--label must be at most 255 characters of UTF-8");
    return 0;
}

static int settle(const piw_config *config, slave_settings *settings, piw_err *err)
{
    settings->dir = piw_config_text(config, "dir");
    settings->python = piw_config_text(config, "python");
    settings->build_timeout_ms = piw_config_int(config, "timeout");
    settings->poll_ms = piw_config_int(config, "poll");
    settings->memory = piw_config_int(config, "memory");
    settings->build_memory = piw_config_int(config, "build-memory");
    settings->processes = piw_config_int(config, "processes");
    if (settings->build_memory == 0) {
        slave_stats stats;
        slave_machine_stats(settings->dir, &stats);
        settings->build_memory = (stats.mem_size + stats.swap_size) / 8 * 7;
    }
    const char *key = piw_config_text(config, "key");
    settings->encrypted = key != NULL;
    settings->slave_queue = queue_address(config, "slave-queue", key != NULL ? 5557 : 5555);
    settings->file_queue = queue_address(config, "file-queue", key != NULL ? 5558 : 5556);
    int rc = piw_codec_parse(piw_config_text(config, "codec"), &settings->codec);
    if (rc == 0 && piw_config_text(config, "master")[0] == '\0')
        rc = piw_err_set(err, PIW_EINVAL, "--master names no host");
    if (rc == 0 && key != NULL)
        rc = piw_key_read_client(&settings->key, key, err);
    rc = rc != 0 ? rc : check_dir(settings->dir, err);
    rc = rc != 0 ? rc : label_of(config, settings, err);
    return rc;
}

/* A wrong address of the file queue is found at the start, not after the first build. */
static int check_address(const char *option, const char *address, piw_err *err)
{
    if (strncmp(address, "tcp://", 6) != 0 && strncmp(address, "ipc://", 6) != 0)
        return piw_err_set(err, PIW_EINVAL, "--%s %s: not an address; write tcp://HOST:PORT or ipc:///run/name", option,
                           address);
    return 0;
}

/* What is built is strangers' code. */
static int refuse_root(piw_err *err)
{
    if (geteuid() != 0)
        return 0;
    return piw_err_set(
        err, PIW_EREFUSED,
        "refuses to run as root, for it runs what strangers wrote; start it as a user of its own, such as by "
        "systemd's User= or setpriv --reuid USER --regid GROUP --init-groups");
}

/* Found out once; what is decided stands in the log. */
static int contain(const piw_config *config, slave_settings *settings, piw_err *err)
{
    const char *when = piw_config_text(config, "sandbox");
    if (strcmp(when, "no") == 0) {
        piw_warning("builds are not contained (sandbox = no): they can read and write whatever this user can, and have "
                    "the network");
        return 0;
    }
    piw_err why_err = {0};
    int rc = slave_sandbox_open(&settings->sandbox, settings, piw_config_text(config, "key"), &why_err);
    if (rc == 0)
        piw_info(
            "builds are contained by bubblewrap: the system read-only, no network for what packages bring, at most "
            "%lld processes, %lld MB of memory",
            (long long)settings->processes, (long long)(settings->build_memory >> 20));
    else if (strcmp(when, "yes") == 0)
        return piw_err_set(err, rc, "builds can't be contained, and sandbox = yes: %s", why_err.text);
    else
        piw_warning(
            "builds are not contained: %s; they can read and write whatever this user can, and have the network",
            why_err.text);
    return 0;
}

static void run(const piw_config *config, piw_err *err)
{
    slave s = {.signals = -1};
    piw_protocol_use(&slave_protocol_def);
    int rc = piw_config_switch(config, "debug") ? piw_log_debug_task("*", true) : 0;
    rc = rc != 0 ? rc : refuse_root(err);
    rc = rc != 0 ? rc : settle(config, &s.settings, err);
    rc = rc != 0 ? rc : open_signals(&s, err);
    rc = rc != 0 ? rc : slave_process_init(err);
    rc = rc != 0 ? rc : slave_machine_python(&s.settings, err);
    rc = rc != 0 ? rc : contain(config, &s.settings, err);
    rc = rc != 0 ? rc : check_address("slave-queue", s.settings.slave_queue, err);
    rc = rc != 0 ? rc : check_address("file-queue", s.settings.file_queue, err);
    rc = rc != 0 ? rc
                 : piw_client_open_with(&s.master, &slave_protocol_def, s.settings.slave_queue, s.settings.codec,
                                        s.settings.encrypted ? &s.settings.key : NULL, err);
    if (rc == 0) {
        /* From here on it works by itself, also while its master is away: whoever waits for the service may go on. */
        piw__sd_notify("READY=1");
        slave_converse(&s, err);
    }
    piw_client_close(&s.master);
    if (s.signals >= 0)
        close(s.signals);
    slave_sandbox_close(&s.settings.sandbox);
    piw_key_wipe(&s.settings.key);
    free(s.token);
    free(s.index_url);
    free(s.settings.label);
    free(s.settings.slave_queue);
    free(s.settings.file_queue);
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? 0 : piw_program_exit(&program, &err);
    run(config, &err);
    piw_config_free(&config);
    return piw_program_exit(&program, &err);
}
