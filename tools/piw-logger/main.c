/* piw-logger — tells the master what the web server's access log says (docs/web-logs.md). */
#include "common/programs.h"
#include "entry.h"
#include "input.h"

#include "../common/reach.h"

#include "piw/client.h"
#include "piw/log.h"
#include "piw/options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    SEND_MS = 500,        /* one try to hand over an entry; then signals are looked at */
    LAST_READ_MS = 2000,  /* told to stop at once: what is in the pipe already is still read, for so long */
    LAST_SEND_MS = 10000, /* told to finish: for so long it waits for a master that takes nothing, as one restarting */
    DROP_LAST_MS = 2000,  /* --drop: at the end, for a master that takes the last ones slowly */
    LINGER_MS = 2000,     /* for a straggler after that */
    SLOW_TRIES = 10,      /* after so many the master is said to take nothing, at the end */
    TROUBLE_PER_MINUTE = 2,
};

static const int64_t NS_PER_MS = 1000000;

static const piw_opt options[] = {
    {0, "format", PIW_OPT_TEXT, "FORMAT", "combined", "combined, common, common_vhost, or an Apache LogFormat string"},
    {0, "drop", PIW_OPT_SWITCH, NULL, NULL, "drop entries that the master can't take now, instead of waiting"},
    {0, "log-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-logger", "the master's log queue"},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "cbor towards a stock master", .choices = "msgpack|cbor"},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-logger",
    .section = "logger",
    .summary = "Sends what a web server's access log tells to a piwheels master.",
    .options = options,
    .sections = farm_sections,
    .operands = "[FILE...|-]",
    .operands_max = -1,
};

typedef struct logger {
    char *queue;
    bool drop;
    piw_client *client;
    log_format *format;
    log_line line;
    int signals;
    bool piped;         /* it reads standard input, which ends when those who write into it have ended */
    bool finish;        /* told to end with that */
    int64_t stop_ns;    /* told to stop at once: read no more after this; 0: not told */
    bool waiting;       /* the master takes nothing */
    int64_t give_up_ns; /* told to finish: the master that takes nothing is waited for until then; 0: not begun */
    uint64_t lines, sent, bad, dropped;
    piw_log_limiter bad_log, trouble_log;
} logger;

/* --- Signals ------------------------------------------------------------------------------------------------------ */

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static int open_signals(logger *self, piw_err *err)
{
    sigset_t set;
    watched_signals(&set);
    /* Blocked before anything else: what Apache starts it may tell to end at once. ZeroMQ's threads inherit this. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || (self->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return piw_err_errno(err, "signals can't be set up");
    return 0;
}

/* Apache sends SIGTERM to its piped programs when it is reloaded, at once, while its old workers go on writing into the
 * pipe until their downloads have ended: so the first SIGTERM says that the input will end, and it is read till then. Ctrl+C,
 * or a second signal, says that it is enough. */
static void note_signal(logger *self, uint32_t number)
{
    piw_err err = {0};
    if (number == SIGHUP) {
        if (piw_log_reopen(&err) != 0)
            piw_warning("%s", err.text);
    } else if (number == SIGTERM && self->piped && !self->finish) {
        self->finish = true;
    } else if (self->stop_ns == 0) {
        self->stop_ns = piw_monotonic_ns() + LAST_READ_MS * NS_PER_MS;
    }
}

static void read_signals(logger *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        note_signal(self, info.ssi_signo);
}

static bool told_to_stop(logger *self)
{
    read_signals(self);
    return self->stop_ns != 0;
}

/* Until there is something to read. False: that was all, it is told to stop. */
static bool wait_input(logger *self, const input *in)
{
    struct pollfd waits[] = {{.fd = self->signals, .events = POLLIN}, {.fd = input_fd(in), .events = POLLIN}};
    for (;;) {
        bool stopping = told_to_stop(self);
        if (stopping && piw_monotonic_ns() >= self->stop_ns)
            return false;
        if (waits[1].fd < 0)
            return true;
        int ready = poll(waits, PIW_COUNT(waits), stopping ? 0 : -1);
        if (ready > 0 && waits[1].revents != 0)
            return true;
        if (stopping)
            return false;
    }
}

/* --- To the master ------------------------------------------------------------------------------------------------ */

static void note_trouble(logger *self, const char *why)
{
    if (self->drop)
        piw_log_limited(&self->trouble_log, TROUBLE_PER_MINUTE, PIW_LOG_WARNING,
                        "the master at %s takes no entries%s%s: %llu were dropped", self->queue,
                        why[0] != '\0' ? ": " : "", why, (unsigned long long)self->dropped);
    else if (!self->waiting)
        piw_warning("the master at %s takes no entries%s%s: waiting for it", self->queue, why[0] != '\0' ? ": " : "",
                    why);
    self->waiting = true;
}

/* Has the master taken nothing for so long that it isn't waited for any longer? */
static bool gives_up(logger *self)
{
    int64_t now_ns = piw_monotonic_ns();
    read_signals(self);
    if (self->finish && self->give_up_ns == 0)
        self->give_up_ns = now_ns + LAST_SEND_MS * NS_PER_MS;
    return self->stop_ns != 0 || (self->finish && now_ns >= self->give_up_ns);
}

/* 0: handed over, or dropped as told; PIW_ESTOPPED; or an error with a sentence. */
static int send_record(logger *self, piw_msg *msg, piw_err *err)
{
    for (;;) {
        piw_err own_err = {0};
        int rc = piw_client_send(self->client, &msg, self->drop ? 0 : SEND_MS, &own_err);
        if (rc == 0) {
            if (self->waiting && !self->drop)
                piw_warning("the master at %s takes entries again", self->queue);
            self->waiting = false;
            self->give_up_ns = 0;
            self->sent++;
            return 0;
        }
        if (rc != PIW_EAGAIN && rc != PIW_EREFUSED) {
            piw_msg_free(&msg);
            return piw_err_set(err, rc, "%s", own_err.text);
        }
        if (self->drop) {
            piw_msg_free(&msg);
            self->dropped++;
            note_trouble(self, own_err.text);
            return 0;
        }
        note_trouble(self, own_err.text);
        if (gives_up(self)) {
            piw_msg_free(&msg);
            return piw_err_set(err, PIW_ESTOPPED, "stopped while the master at %s took no entries", self->queue);
        }
    }
}

/* --- From the log ------------------------------------------------------------------------------------------------- */

static void note_bad(logger *self, const char *path, uint64_t number, const char *why)
{
    self->bad++;
    piw_log_limited(&self->bad_log, TROUBLE_PER_MINUTE, PIW_LOG_WARNING, "%s: line %llu can't be read: %s", path,
                    (unsigned long long)number, why);
}

static int take_line(logger *self, const char *path, uint64_t number, const char *text, size_t len, piw_err *err)
{
    self->lines++;
    if (len == 0 && text != NULL)
        return 0;
    const char *why = text == NULL ? "it is too long" : log_format_split(self->format, text, len, &self->line);
    if (why != NULL) {
        note_bad(self, path, number, why);
        return 0;
    }
    piw_msg *msg = log_record_of(&self->line);
    return msg != NULL ? send_record(self, msg, err) : 0;
}

static int take_lines(logger *self, const char *path, input *in, piw_err *err)
{
    const char *text;
    size_t len;
    uint64_t number = 0;
    int more = 1;
    while (more == 1 && wait_input(self, in)) {
        more = input_read(in, err);
        while (input_line(in, &text, &len)) {
            int rc = take_line(self, path, ++number, text, len, err);
            if (rc != 0)
                return rc;
        }
    }
    return more < 0 ? more : 0;
}

/* A file that can't be read is said, and the others are read all the same. */
static int take_file(logger *self, const char *path, bool *failed, piw_err *err)
{
    input *in = NULL;
    piw_err own_err = {0};
    self->piped = strcmp(path, "-") == 0;
    int rc = input_open(&in, path, &own_err);
    rc = rc != 0 ? rc : take_lines(self, self->piped ? "standard input" : path, in, &own_err);
    input_close(&in);
    if (rc == PIW_ESYS || rc == PIW_EINVAL) {
        piw_error("%s", own_err.text);
        *failed = true;
        return 0;
    }
    return rc != 0 ? piw_err_set(err, rc, "%s", own_err.text) : 0;
}

/* --- The end ------------------------------------------------------------------------------------------------------ */

/* Until the master has taken what was sent, or (--drop) a moment. False: it has not, and a signal came, or the moment is
 * over. */
static bool wait_taken(logger *self)
{
    int64_t until_ns = piw_monotonic_ns() + DROP_LAST_MS * NS_PER_MS;
    for (int tries = 1; piw_client_drain(self->client, SEND_MS) != 0; tries++) {
        if (gives_up(self) && piw_monotonic_ns() > self->stop_ns)
            return false;
        if (self->drop && piw_monotonic_ns() > until_ns)
            return false;
        if (!self->drop && (tries == SLOW_TRIES || !piw_client_connected(self->client)))
            note_trouble(self, "");
    }
    return true;
}

static void let_go(logger *self, bool *failed)
{
    piw_err err = {0};
    bool taken = self->sent == 0 || wait_taken(self);
    if (!taken)
        piw_warning("the master at %s has not taken the last entries: some of them are lost", self->queue);
    *failed |= !taken && !self->drop;
    if (piw_client_linger(self->client, taken ? LINGER_MS : 0, &err) != 0)
        piw_warning("%s", err.text);
    piw_client_close(&self->client);
}

static void sum_up(const logger *self)
{
    piw_log(self->bad + self->dropped > 0 ? PIW_LOG_WARNING : PIW_LOG_INFO,
            "%llu lines: %llu entries sent, %llu dropped, %llu lines could not be read",
            (unsigned long long)self->lines, (unsigned long long)self->sent, (unsigned long long)self->dropped,
            (unsigned long long)self->bad);
}

static int run(logger *self, const piw_config *config, bool *failed, piw_err *err)
{
    static const char *const standard_input[] = {"-"};
    const char *const *files;
    size_t count = piw_config_operands(config, &files);
    piw_codec codec = PIW_MSGPACK;
    self->queue = tool_connect_address(piw_config_text(config, "log-queue"));
    self->drop = piw_config_switch(config, "drop");
    piw_err own_err = {0};
    int rc = piw_codec_parse(piw_config_text(config, "codec"), &codec);
    rc = rc != 0 ? rc : log_format_parse(&self->format, piw_config_text(config, "format"), &own_err);
    if (rc != 0)
        return piw_err_set(err, PIW_EUSAGE, "%s", own_err.code != 0 ? own_err.text : piw_err_name(rc));
    if (!log_format_has_agent(self->format))
        piw_warning("the format %s has no user agent, without which no line becomes an entry: log with combined",
                    piw_config_text(config, "format"));
    rc = piw_client_open(&self->client, &log_protocol_def, self->queue, codec, err);
    if (rc != 0)
        return rc;
    if (count == 0)
        files = standard_input, count = 1;
    for (size_t i = 0; i < count && rc == 0 && self->stop_ns == 0 && !self->finish; i++)
        rc = take_file(self, files[i], failed, err);
    let_go(self, failed);
    sum_up(self);
    return rc;
}

int main(int argc, char **argv)
{
    logger self = {.signals = -1};
    piw_err err = {0};
    piw_config *config = NULL;
    bool failed = false;
    piw_protocol_use(&log_protocol_def);
    int rc = open_signals(&self, &err);
    rc = rc != 0 ? rc : piw_config_load(&config, &program, argc, argv, &err);
    if (rc == 1)
        return EXIT_SUCCESS;
    if (rc == 0)
        rc = run(&self, config, &failed, &err);
    piw_client_close(&self.client);
    log_format_free(&self.format);
    log_line_fini(&self.line);
    free(self.queue);
    if (self.signals >= 0)
        close(self.signals);
    piw_config_free(&config);
    int code = piw_program_exit(&program, rc != 0 ? &err : NULL);
    return code == EXIT_SUCCESS && failed ? EXIT_FAILURE : code;
}
