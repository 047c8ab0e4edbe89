/* piw-monitor — the farm on a terminal (docs/wire.md#monitors). */
#include "asker.h"
#include "common/programs.h"
#include "control.piw.h"
#include "link.h"
#include "piw/log.h"
#include "piw/options.h"
#include "terminal.h"
#include "view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { DRAW_EVERY_MS = 100 /* not more often than this */, DRAW_IDLE_MS = 1000 /* without news, since ages change */ };

static const piw_opt options[] = {
    {0, "status-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-status", "the master's status queue"},
    {0, "control-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-control", "the master's control queue"},
    {0, "admin-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-admin",
     "the master's admin queue: a large screen shows what it tells of builds, queues and logs"},
    {0, "key", PIW_OPT_PATH, "FILE", NULL, "both are encrypted: with the key that piw-keys made for this monitor"},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "how commands are encoded; cbor towards a stock master",
     .choices = "msgpack|cbor"},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-monitor",
    .section = "monitor",
    .summary = "Shows a piwheels master and its slaves on the terminal, and steers them.",
    .options = options,
    .sections = farm_sections,
};

typedef struct monitor {
    link_queues link;
    asker asker;
    model *known;
    farm_known farm;
    ui person;
    canvas *screen; /* as it was drawn last: a click means what is shown at its place */
    int signals;
    bool ended;
    int64_t drawn_ns;
} monitor;

static int64_t now_us(void)
{
    return piw_monotonic_ns() / 1000;
}

/* --- The terminal ------------------------------------------------------------------------------------------------- */

static void draw(monitor *self)
{
    canvas_free(&self->screen);
    self->screen = term_canvas();
    view_draw(self->screen, self->known, &self->farm, &self->person, now_us());
    term_show(self->screen, self->person.redraw);
    self->person.redraw = false;
    self->drawn_ns = piw_monotonic_ns();
}

/* Handles all keys and clicks that have come. A click means what was on the screen when it was made. */
static void read_person(monitor *self)
{
    term_event event;
    while (!self->person.quit && term_next(&event)) {
        command what = event.key != 0
                           ? ui_key(&self->person, self->known, event.key, now_us())
                           : ui_click(&self->person, self->known, self->screen, event.row, event.column, now_us());
        if (what.kind != COMMAND_NONE)
            link_command(&self->link, self->known, what);
        draw(self);
    }
}

/* --- Signals ------------------------------------------------------------------------------------------------------ */

static int open_signals(monitor *self, piw_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    /* Blocked before ZeroMQ starts its threads, which inherit this. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0 ||
        (self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return piw_err_errno(err, "signals can't be set up");
    return 0;
}

static void read_signals(monitor *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGWINCH) {
            self->ended = true;
            continue;
        }
        term_resized();
        self->person.redraw = true;
    }
}

/* --- The loop ----------------------------------------------------------------------------------------------------- */

static int until_drawn_ms(const monitor *self, bool news)
{
    int64_t since_ms = (piw_monotonic_ns() - self->drawn_ns) / 1000000;
    int64_t left_ms = (news ? DRAW_EVERY_MS : DRAW_IDLE_MS) - since_ms;
    return left_ms > 0 ? (int)left_ms : 0;
}

/* What of the farm beside its slaves is to be seen. */
static asker_wish wish_of(const monitor *self)
{
    const model_slave *slave = ui_slave(&self->person, self->known);
    return (asker_wish){.wide = self->screen != NULL && view_wide(self->screen),
                        .online = self->known->online,
                        .slave = slave != NULL ? slave->id : 0,
                        .abi = slave != NULL ? model_queue(slave) : NULL};
}

/* How long to wait for any of these things, when nothing comes. */
static int timeout_ms(const monitor *self, bool news)
{
    int least = until_drawn_ms(self, news), link_ms = link_timeout_ms(&self->link),
        asker_ms = asker_timeout_ms(&self->asker, wish_of(self).wide && self->known->online);
    least = link_ms < least ? link_ms : least;
    return asker_ms < least ? asker_ms : least;
}

static int run(monitor *self, piw_err *err)
{
    struct pollfd waits[] = {{.fd = term_fd(), .events = POLLIN},
                             {.fd = self->signals, .events = POLLIN},
                             {.fd = piw_client_fd(self->link.status), .events = POLLIN},
                             {.fd = piw_client_fd(self->link.control), .events = POLLIN},
                             {.fd = -1, .events = POLLIN}};
    bool news = true, more = false;
    while (!self->person.quit && !self->ended) {
        waits[4].fd = asker_fd(&self->asker);
        int ready = poll(waits, PIW_COUNT(waits), more ? 0 : timeout_ms(self, news));
        if (ready < 0 && errno != EINTR)
            return piw_err_errno(err, "can't wait for keys and messages");
        if (ready > 0 && waits[1].revents != 0)
            read_signals(self);
        if (ready > 0 && (waits[2].revents != 0 || waits[3].revents != 0))
            news = true;
        more = link_turn(&self->link, self->known);
        model_tick(self->known, now_us());
        news |= asker_turn(&self->asker, &self->farm, wish_of(self));
        if (self->farm.views_came)
            model_take_views(self->known, &self->farm.views);
        self->farm.views_came = false;
        if (ready > 0 && (waits[0].revents & POLLIN) != 0)
            read_person(self);
        else if (ready > 0 && waits[0].revents != 0)
            return piw_err_set(err, PIW_ESYS, "the terminal was closed");
        if (until_drawn_ms(self, news || self->person.redraw) == 0) {
            draw(self);
            news = false;
        }
    }
    return 0;
}

static int start(monitor *self, const piw_config *config, piw_err *err)
{
    piw_codec codec;
    int rc = piw_codec_parse(piw_config_text(config, "codec"), &codec);
    rc = rc != 0 ? rc : open_signals(self, err);
    piw_key key;
    const char *file = piw_config_text(config, "key");
    if (rc == 0 && file != NULL)
        rc = piw_key_read_client(&key, file, err);
    if (rc == 0)
        rc = link_open(&self->link, piw_config_text(config, "status-queue"), piw_config_text(config, "control-queue"),
                       codec, file != NULL ? &key : NULL, err);
    piw_key_wipe(&key);
    if (rc == 0)
        asker_init(&self->asker, piw_config_text(config, "admin-queue"), piw_config_text(config, "status-queue"),
                   codec);
    /* Log lines on stderr would spoil the screen. With -l they go to a file. */
    rc = rc != 0 ? rc : piw_log_open(program.name, PIW_LOG_ERROR, piw_config_text(config, "log-file"), err);
    return rc != 0 ? rc : term_open(err);
}

int main(int argc, char **argv)
{
    monitor self = {.signals = -1};
    piw_err err = {0};
    piw_config *config = NULL;
    piw_protocol_use(&status_protocol_def);
    piw_protocol_use(&control_protocol_def);
    piw_protocol_use(&slave_protocol_def);
    piw_protocol_use(&admin_protocol_def);
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? EXIT_SUCCESS : piw_program_exit(&program, &err);
    self.known = model_new();
    farm_init(&self.farm);
    ui_init(&self.person, piw_config_text(config, "status-queue"));
    rc = start(&self, config, &err);
    if (rc == 0)
        rc = run(&self, &err);
    term_close();
    asker_fini(&self.asker);
    link_close(&self.link);
    canvas_free(&self.screen);
    farm_fini(&self.farm);
    model_free(&self.known);
    if (self.signals >= 0)
        close(self.signals);
    piw_config_free(&config);
    return piw_program_exit(&program, rc != 0 ? &err : NULL);
}
