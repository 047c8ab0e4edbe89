/* piw-loadgen — many simulated slaves against one master, each answer checked. */
#include "common/programs.h"
#include "load.h"
#include "piw/log.h"
#include "piw/options.h"
#include "slave.piw.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { TICK_MS = 5, LOOK_MS = 250, EVENTS_MAX = 256, SIGNALS = -1, SWAPS = -2 };

static const piw_opt options[] = {
    {0, "slave-queue", PIW_OPT_TEXT, "ADDR", "tcp://localhost:5555", "the master's slave queue"},
    {0, "file-queue", PIW_OPT_TEXT, "ADDR", "tcp://localhost:5556", "the master's file queue"},
    {0, "slaves", PIW_OPT_INT, "N", "50", "how many slaves are simulated", .min = 1, .max = 10000},
    {0, "builds", PIW_OPT_INT, "N", "0", "end after so many builds; 0: no end", .min = 0, .max = 1000000000},
    {0, "duration", PIW_OPT_DURATION, "DURATION", "0", "begin no build after this time; 0: no end", .min = 0,
     .max = INT64_C(7) * 86400 * 1000},
    {0, "warm-up", PIW_OPT_DURATION, "DURATION", NULL,
     "figures are of the duration alone, which begins so long after all slaves are known; says when it begins and ends",
     .min = 0, .max = 3600000},
    {0, "fail-percent", PIW_OPT_INT, "P", "0", "how many builds of a hundred fail", .min = 0, .max = 100},
    {0, "files", PIW_OPT_INT, "N", "1", "wheels of each build that doesn't", .min = 1, .max = LOAD_FILES_MAX},
    {0, "file-size", PIW_OPT_SIZE, "SIZE", "4K", "payload of each wheel", .min = 1, .max = LOAD_FILE_MAX},
    {0, "also", PIW_OPT_LIST, "NxSIZE", NULL, "builds of another kind, as often: with N wheels of this payload"},
    {0, "busy", PIW_OPT_INT, "N", "1", "times that a slave says BUSY in each build", .min = 0, .max = 1000},
    {0, "rate", PIW_OPT_INT, "N", "0", "IDLE a second of all slaves together; 0: as fast as they can", .min = 0,
     .max = 10000000},
    {0, "abi", PIW_OPT_TEXT, "TAG", "cp311", "what they build for"},
    {0, "poll", PIW_OPT_DURATION, "DURATION", "100ms", "how long they rest when there is nothing to build", .min = 1,
     .max = 60000},
    {0, "patience", PIW_OPT_DURATION, "DURATION", "90s", "an answer that takes longer is missing", .min = 1000,
     .max = 3600000},
    {0, "wait", PIW_OPT_DURATION, "DURATION", "5s", "how long to try where nobody listens yet", .min = 0,
     .max = 3600000},
    {0, "journal", PIW_OPT_PATH, "FILE", NULL,
     "a line for each build: package, version, good or failed, FILE=SHA-256 of each file"},
    {0, "admin-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-admin", "the master's admin queue, for --swap"},
    {0, "swap", PIW_OPT_LIST, "TASK=FILE,FILE", NULL, "swap this task between two plugins while the load goes on"},
    {0, "swap-every", PIW_OPT_DURATION, "DURATION", "0", "time from one swap to the next, at least", .min = 0,
     .max = 3600000},
    {0, "swaps", PIW_OPT_INT, "N", "1000", "swaps of each task; the load ends with the last", .min = 1, .max = 1000000},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "cbor towards a stock master", .choices = "msgpack|cbor"},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-loadgen",
    .section = "loadgen",
    .summary = "Simulates build slaves against a piwheels master and checks each of its answers.",
    .options = options,
    .sections = farm_sections,
};

static int settle(const piw_config *config, load_settings *settings, piw_err *err)
{
    const char *journal = piw_config_text(config, "journal");
    *settings = (load_settings){
        .slave_queue = piw_config_text(config, "slave-queue"),
        .file_queue = piw_config_text(config, "file-queue"),
        .abi = piw_config_text(config, "abi"),
        .slaves = piw_config_int(config, "slaves"),
        .builds = piw_config_int(config, "builds"),
        .duration_ms = piw_config_int(config, "duration"),
        .fail_percent = piw_config_int(config, "fail-percent"),
        .rate = piw_config_int(config, "rate"),
        .busy = piw_config_int(config, "busy"),
        .poll_ms = piw_config_int(config, "poll"),
        .patience_ms = piw_config_int(config, "patience"),
        .wait_ms = piw_config_int(config, "wait"),
        .warm_up_ms = piw_config_text(config, "warm-up") != NULL ? piw_config_int(config, "warm-up") : -1,
    };
    if (settings->warm_up_ms >= 0 && settings->duration_ms == 0)
        return piw_err_set(err, PIW_EUSAGE, "--warm-up wants a --duration");
    if (settings->abi[0] == '\0' || strlen(settings->abi) > 50 || strpbrk(settings->abi, "-/") != NULL)
        return piw_err_set(err, PIW_EUSAGE, "--abi %s: not an ABI tag; write cp311, say", settings->abi);
    if (journal != NULL && (settings->journal = fopen(journal, "we")) == NULL)
        return piw_err_errno(err, "--journal %s", journal);
    if (journal != NULL && setvbuf(settings->journal, NULL, _IOLBF, 0) != 0)
        return piw_err_errno(err, "--journal %s", journal);
    return piw_codec_parse(piw_config_text(config, "codec"), &settings->codec);
}

static int settle_kinds(const piw_config *config, load_kinds *kinds, piw_err *err)
{
    const char *const *items = NULL;
    size_t count = piw_config_list(config, "also", &items);
    return load_kinds_read(kinds, piw_config_int(config, "files"), piw_config_int(config, "file-size"), items, count,
                           err);
}

static int settle_swaps(const piw_config *config, load *all, piw_err *err)
{
    const char *const *items = NULL;
    size_t count = piw_config_list(config, "swap", &items);
    all->swaps.patience_ms = all->settings.patience_ms;
    all->swaps.every_ms = piw_config_int(config, "swap-every");
    return load_swaps_open(&all->swaps, piw_config_text(config, "admin-queue"), all->settings.codec, items, count,
                           piw_config_int(config, "swaps"), err);
}

/* --- The loop -------------------------------------------------------------------------------------------------------- */

/* With a rate, a turn that was missed because all slaves were at work is not made up for beyond a tenth of a second. */
static bool is_turn(load *all, int64_t now_ns)
{
    if (all->settings.rate == 0 || all->stopping)
        return true;
    if (now_ns < all->next_turn_ns)
        return false;
    int64_t earliest = now_ns - INT64_C(100000000);
    all->next_turn_ns = (all->next_turn_ns > earliest ? all->next_turn_ns : earliest) + 1000000000 / all->settings.rate;
    return true;
}

static int give_turns(load *all, piw_err *err)
{
    int rc = 0;
    while (rc == 0 && all->turns.count > 0 && is_turn(all, piw_monotonic_ns()))
        rc = load_slave_turn(load_next_turn(all), err);
    return rc;
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void note_now(load_figures *to, const load *all, int64_t now_ns)
{
    *to = all->figures;
    to->cpu_us = cpu_us() - all->prepared_us;
    to->ended_ns = now_ns;
}

/* Who reads our output measures other processes at the same moments. */
static void say_stage(const char *what)
{
    puts(what);
    fflush(stdout);
}

static void move_window(load *all, int64_t now_ns)
{
    const load_settings *settings = &all->settings;
    if (all->stage == LOAD_WARMS_UP && all->known == settings->slaves && all->begin_ns == 0)
        all->begin_ns = now_ns + settings->warm_up_ms * INT64_C(1000000);
    if (all->stage == LOAD_WARMS_UP && all->begin_ns > 0 && now_ns >= all->begin_ns) {
        all->stage = LOAD_MEASURES;
        note_now(&all->before, all, now_ns);
        say_stage("begins");
    } else if (all->stage == LOAD_MEASURES &&
               (all->stopping || now_ns - all->before.ended_ns > settings->duration_ms * INT64_C(1000000))) {
        all->stage = LOAD_MEASURED;
        all->stopping = true;
        note_now(&all->window, all, now_ns);
        load_figures_since(&all->window, &all->before);
        say_stage("ends");
    }
}

static int tick(load *all, int64_t now_ns, piw_err *err)
{
    const load_settings *settings = &all->settings;
    if (settings->warm_up_ms >= 0)
        move_window(all, now_ns);
    else if (settings->duration_ms > 0 && now_ns - all->figures.began_ns > settings->duration_ms * INT64_C(1000000))
        all->stopping = true;
    int rc = load_swaps_tick(&all->swaps, &all->figures, now_ns, err);
    all->stopping |= load_swaps_over(&all->swaps);
    return rc;
}

/* Whose answer is missing? */
static int look_at_all(load *all, int64_t now_ns, piw_err *err)
{
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < all->settings.slaves; i++)
        rc = load_slave_tick(&all->slaves[i], now_ns, err);
    return rc;
}

static void read_signals(load *all)
{
    struct signalfd_siginfo info;
    while (read(all->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        all->stopping = true;
}

static int hear(load *all, const struct epoll_event *event, piw_err *err)
{
    int64_t key = (int64_t)event->data.u64;
    if (key == SIGNALS) {
        read_signals(all);
        return 0;
    }
    if (key == SWAPS)
        return load_swaps_hear(&all->swaps, &all->figures, err);
    load_slave *slave = &all->slaves[key / 2];
    if (slave->phase == LOAD_ENDED)
        return 0;
    return key % 2 != 0 ? load_slave_hear_files(slave, event->events, err) : load_slave_hear(slave, event->events, err);
}

/* Until the next tick at most; whoever rests is woken when its rest is over. */
static int wait_ms(const load *all)
{
    if (all->turns.count > 0)
        return 1;
    int64_t rest_ns = all->rests.count > 0 ? all->wakes[all->rests.first] - piw_monotonic_ns() : INT64_MAX / 2;
    int64_t rest_ms = (rest_ns + 999999) / 1000000;
    return rest_ms < 0 ? 0 : rest_ms < TICK_MS ? (int)rest_ms : TICK_MS;
}

static int loop(load *all, piw_err *err)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t next_tick_ns = 0, next_look_ns = 0;
    int rc = 0;
    while (rc == 0 && all->ended < all->settings.slaves) {
        int n = epoll_wait(all->epoll_fd, events, EVENTS_MAX, wait_ms(all));
        if (n < 0 && errno != EINTR)
            return piw_err_errno(err, "can't wait for the master");
        for (int i = 0; i < n && rc == 0; i++)
            rc = hear(all, &events[i], err);
        int64_t now_ns = piw_monotonic_ns();
        if (rc == 0 && now_ns >= next_tick_ns) {
            rc = tick(all, now_ns, err);
            next_tick_ns = now_ns + TICK_MS * INT64_C(1000000);
        }
        if (rc == 0 && now_ns >= next_look_ns) {
            rc = look_at_all(all, now_ns, err);
            next_look_ns = now_ns + LOOK_MS * INT64_C(1000000);
        }
        load_wake(all, now_ns);
        rc = rc != 0 ? rc : give_turns(all, err);
    }
    return rc;
}

/* --- Start and end --------------------------------------------------------------------------------------------------- */

static int open_signals(load *all, piw_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) /* sendfile has no MSG_NOSIGNAL */
        return piw_err_errno(err, "signals can't be set up");
    /* Blocked before ZeroMQ starts its threads, which inherit this. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (all->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return piw_err_errno(err, "signals can't be set up");
    return load_watch_fd(all->epoll_fd, all->signals, SIGNALS, err);
}

/* Each slave has two connections. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            piw_warning("the limit of open files can't be raised: %s", strerror(errno));
    }
}

static int start(load *all, piw_err *err)
{
    raise_file_limit();
    size_t places = (size_t)all->settings.slaves;
    all->protocol = piw_protocol_use(&slave_protocol_def);
    all->random = UINT64_C(0x2545f4914f6cdd1d);
    all->turns.at = piw_zalloc(places * sizeof(*all->turns.at));
    all->rests.at = piw_zalloc(places * sizeof(*all->rests.at));
    all->wakes = piw_zalloc(places * sizeof(*all->wakes));
    all->slaves = piw_zalloc(places * sizeof(*all->slaves));
    all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (all->epoll_fd < 0)
        return piw_err_errno(err, "can't make a descriptor");
    int rc = open_signals(all, err);
    rc = rc != 0 ? rc : load_kinds_fill(&all->kinds, err);
    for (int64_t i = 0; i < all->settings.slaves; i++) {
        all->slaves[i].load = all;
        all->slaves[i].number = (int)i;
        rc = rc != 0 ? rc : load_slave_open(&all->slaves[i], err);
    }
    if (rc == 0 && all->swaps.admin != NULL)
        rc = load_watch_fd(all->epoll_fd, piw_client_fd(all->swaps.admin), SWAPS, err);
    all->prepared_us = cpu_us();
    if (rc == 0)
        all->figures.began_ns = piw_monotonic_ns();
    return rc != 0 ? rc : load_swaps_begin(&all->swaps, err);
}

/* Nothing is reported when no slave ever began. */
static void finish(load *all, piw_err *err)
{
    all->figures.ended_ns = piw_monotonic_ns();
    all->figures.cpu_us = cpu_us() - all->prepared_us;
    for (int64_t i = 0; all->slaves != NULL && i < all->settings.slaves; i++)
        load_slave_close(&all->slaves[i]);
    free(all->slaves);
    free(all->turns.at);
    free(all->rests.at);
    free(all->wakes);
    piw_buffer_fini(&all->scratch);
    load_given_fini(&all->given);
    load_kinds_fini(&all->kinds);
    if (all->settings.journal != NULL && fclose(all->settings.journal) != 0)
        piw_err_errno(err, "--journal");
    if (all->signals >= 0)
        close(all->signals);
    if (all->epoll_fd >= 0)
        close(all->epoll_fd);
    load_swaps_close(&all->swaps);
    if (all->figures.began_ns == 0)
        return;
    load_swaps_report(&all->swaps, stdout);
    all->window.violations = all->figures.violations;
    load_report(all->stage == LOAD_MEASURED ? &all->window : &all->figures, stdout);
    if (all->figures.violations > 0)
        piw_err_set(err, PIW_EINVAL, "%llu answers were not as they must be",
                    (unsigned long long)all->figures.violations);
    if (fflush(stdout) != 0)
        piw_err_errno(err, "the report can't be written");
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    load all = {.epoll_fd = -1, .signals = -1};
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? 0 : piw_program_exit(&program, &err);
    rc = settle(config, &all.settings, &err);
    rc = rc != 0 ? rc : settle_kinds(config, &all.kinds, &err);
    if (rc == 0) {
        if (settle_swaps(config, &all, &err) == 0 && start(&all, &err) == 0)
            loop(&all, &err);
        finish(&all, &err);
    }
    piw_config_free(&config);
    return piw_program_exit(&program, &err);
}
