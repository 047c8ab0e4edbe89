/* notify — tells a web server of the operator's what he should know of: webhooks (docs/notices.md). In piwheels.conf:
 *
 *     [task:notify]
 *     url = https://example.org/hook
 *     secret-file = /etc/piwheels/notify-secret
 *     keep = /var/lib/piwheels/notify
 *     watch = numpy scipy
 *
 * It hears and asks what any task may. A notice is kept in a file until its receiver has answered, so each is told at least
 * once: who gets one twice knows it by its id. */
#include "events.piw.h"
#include "jobs.h"
#include "notices.h"
#include "notify.piw.h"
#include "piw/plugin.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/text.h"
#include "stats.piw.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static piw_continuation_fn on_look, on_farm, on_send, on_sent, on_keep, on_kept;

enum {
    ANSWER_MS = 10000,
    KEEP_MS = 500, /* what a master that is killed forgets at most */
    AGAIN_LEAST_MS = 2000,
    AGAIN_MOST_MS = 600000, /* the time before another try doubles up to this */
    SECRET_MAX = 1000,
    FILE_MAX = 16 << 20,
    TROUBLE_PER_MINUTE = 2,
};

typedef struct soul {
    notices notices;
    const char *url, *keep, *watch; /* keep "": in no file */
    char *secret;                   /* "": nothing is signed */
    const char *sent;               /* the notice that is being sent, which may be given up meanwhile */
    bool sending, keeping;
    int64_t again_ms;          /* 0: the last try was good */
    int64_t current_at;        /* as follower_at says; until then, when this task began */
    piw_outage untold, unkept; /* its receiver, its file */
    piw_log_limiter trouble;
} soul;

/* --- Sending --------------------------------------------------------------------------------------------------------- */

static int send_first(piw_task *task)
{
    soul *self = piw_soul(task);
    if (self->sending || self->notices.count == 0)
        return 0;
    piw_msg *job =
        post_notice_make(piw_text_of(self->url), piw_text_of(self->secret), piw_text_of(self->notices.bodies[0]));
    int rc = piw_work(task, job_post_notice, &job, PIW_ON(sent), 0);
    piw_msg_free(&job);
    self->sending = rc == 0;
    self->sent = rc == 0 ? self->notices.bodies[0] : NULL;
    return rc;
}

static int on_send(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    return send_first(task);
}

/* What the same again can't help. */
static bool is_refused(int64_t status)
{
    return status >= 400 && status < 500 && status != 408 && status != 425 && status != 429;
}

static int on_sent(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    int64_t status = piw_msg_error(reply) == 0 ? post_notice_reply_of(reply)->status : 0;
    const char *why = piw_msg_error(reply) == 0 ? post_notice_reply_of(reply)->why.s : piw_msg_error_text(reply);
    bool first = self->sending && self->notices.count > 0 && self->notices.bodies[0] == self->sent;
    self->sending = false;
    bool good = status >= 200 && status < 300;
    if (good || is_refused(status)) {
        piw_outage_over(&self->untold, "notices are taken again");
        if (!good)
            piw_warning("a notice is not taken: %s; it was %s", why, first ? self->sent : "given up already");
        if (first)
            notices_pop(&self->notices);
        self->again_ms = 0;
        return send_first(task);
    }
    self->again_ms = self->again_ms == 0 ? AGAIN_LEAST_MS : self->again_ms * 2;
    if (self->again_ms > AGAIN_MOST_MS)
        self->again_ms = AGAIN_MOST_MS;
    piw_outage_goes_on(&self->untold, PIW_LOG_WARNING, 0, "%u notices wait for %s: %s", self->notices.count, self->url,
                       why);
    return piw_timer(task, PIW_ON(send), 0, self->again_ms, 0);
}

static int tell(piw_task *task, const notice *what)
{
    soul *self = piw_soul(task);
    piw_info("%s", what->text);
    if (!notices_add(&self->notices, what))
        piw_log_limited(&self->trouble, TROUBLE_PER_MINUTE, PIW_LOG_ERROR, "%d notices wait: the oldest is given up",
                        NOTICES_MAX);
    return self->again_ms == 0 ? send_first(task) : 0;
}

/* --- What happens ---------------------------------------------------------------------------------------------------- */

/* Is this canonical name among those of the option, which stand between blanks or commas? */
static bool is_watched(const soul *self, const char *package)
{
    for (const char *at = self->watch + strspn(self->watch, " ,"); *at != '\0'; at += strspn(at, " ,")) {
        char name[PIW_NAME_MAX + 1];
        size_t len = strcspn(at, " ,");
        if (piw_name_canonical((piw_text){at, (uint32_t)len}, name) && strcmp(name, package) == 0)
            return true;
        at += len;
    }
    return false;
}

static int on_attempt_over(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const attempt_over *over = attempt_over_of(msg);
    bool failed = piw_text_is(over->outcome, "failed");
    if ((!failed && !piw_text_is(over->outcome, "built")) || !is_watched(self, over->package.s) ||
        !notices_package_turns(&self->notices, over->package.s, over->abi_tag.s, failed))
        return 0;
    char text[600];
    snprintf(text, sizeof(text), "%s %s %s for %s", over->package.s, over->version.s, failed ? "fails" : "builds again",
             over->abi_tag.s);
    return tell(task, &(notice){.event = failed ? "package_fails" : "package_builds",
                                .text = text,
                                .package = over->package.s,
                                .version = over->version.s,
                                .abi = over->abi_tag.s});
}

static int tell_slave(piw_task *task, const char *event, const char *label, const char *what)
{
    char text[400];
    snprintf(text, sizeof(text), "slave %s %s", label, what);
    return tell(task, &(notice){.event = event, .text = text, .slave = label});
}

static int on_slave_lost(piw_task *task, piw_msg *msg)
{
    return tell_slave(task, "slave_lost", slave_lost_of(msg)->label.s, "is lost");
}

static int on_follower_at(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    if (follower_at_of(msg)->current_at != 0)
        self->current_at = follower_at_of(msg)->current_at;
    return 0;
}

/* --- How things are -------------------------------------------------------------------------------------------------- */

/* With the whole farm all sleep, which is no news of theirs. */
static bool sleeps(const void *arg, const char *label)
{
    const stats_FIGURES_reply *farm = arg;
    for (uint32_t i = 0; i < farm->slaves.count; i++)
        if (farm->slaves.at[i].paused && piw_text_is(farm->slaves.at[i].label, label))
            return true;
    return false;
}

static int look_at_slaves(piw_task *task, soul *self, const stats_FIGURES_reply *farm)
{
    if (farm->paused)
        return 0;
    notices_only_asleep(&self->notices, sleeps, farm);
    int rc = 0;
    for (uint32_t i = 0; i < farm->slaves.count && rc == 0; i++)
        if (farm->slaves.at[i].paused && notices_falls_asleep(&self->notices, farm->slaves.at[i].label.s))
            rc = tell_slave(task, "slave_asleep", farm->slaves.at[i].label.s, "is asleep");
    return rc;
}

/* It is enough again with a tenth more. */
static int look_at_disk(piw_task *task, soul *self, int64_t free_bytes)
{
    int64_t floor = piw_option_number(task, "disk-low");
    bool low = free_bytes < floor + (self->notices.disk_low ? floor / 10 : 0);
    if (free_bytes == 0 || low == self->notices.disk_low)
        return 0;
    self->notices.disk_low = low;
    char text[200];
    snprintf(text, sizeof(text), "%lld MB are free on the site's disk%s", (long long)free_bytes / 1000000,
             low ? "" : " again");
    return tell(task, &(notice){.event = low ? "disk_low" : "disk_enough", .text = text});
}

static int look_at_follower(piw_task *task, soul *self)
{
    int64_t behind_s = piw_time_now().us / 1000000 - self->current_at;
    bool behind = behind_s > piw_option_number(task, "behind") / 1000;
    if (behind == self->notices.behind)
        return 0;
    self->notices.behind = behind;
    char text[200] = "PyPI is followed to its end again";
    if (behind)
        snprintf(text, sizeof(text), "PyPI hasn't been followed to its end for %lld minutes", (long long)behind_s / 60);
    return tell(task, &(notice){.event = behind ? "follower_behind" : "follower_current", .text = text});
}

static int on_farm(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    if (piw_msg_error(reply) != 0)
        return 0;
    const stats_FIGURES_reply *farm = stats_FIGURES_reply_of(reply);
    int rc = look_at_slaves(task, self, farm);
    return rc == 0 ? look_at_disk(task, self, farm->farm.disk_free) : rc;
}

static int on_look(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    piw_msg *call = stats_FIGURES_new();
    if (piw_call(task, &call, PIW_ON(farm), 0, ANSWER_MS) != 0)
        piw_msg_free(&call); /* big_brother is away: the next look tells */
    return look_at_follower(task, piw_soul(task));
}

/* --- The file -------------------------------------------------------------------------------------------------------- */

static int on_keep(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    if (self->keep[0] == '\0' || self->keeping || !self->notices.changed)
        return 0;
    piw_buffer record = {0};
    piw_err err = {0};
    piw_msg *state = notices_save(&self->notices, false);
    int rc = piw_record_write(state, &record, &err);
    piw_msg_free(&state);
    if (rc == 0) {
        keep_state *body;
        piw_msg *job = keep_state_new(&body);
        body->path = piw_msg_textz(job, self->keep);
        body->record = piw_msg_bytes(job, record.data, record.len);
        rc = piw_work(task, job_keep_state, &job, PIW_ON(kept), 0);
        piw_msg_free(&job);
    }
    piw_buffer_fini(&record);
    if (rc == 0) {
        self->keeping = true;
        self->notices.changed = false;
    }
    return rc;
}

static int on_kept(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    soul *self = piw_soul(task);
    self->keeping = false;
    if (piw_msg_error(reply) == 0) {
        piw_outage_over(&self->unkept, "notices survive a restart again");
        return 0;
    }
    self->notices.changed = true;
    piw_outage_goes_on(&self->unkept, PIW_LOG_ERROR, 0, "notices would not survive a restart: %s",
                       piw_msg_error_text(reply));
    return 0;
}

/* A file that can't be read is no reason not to start: it is said, and begun anew. */
static void read_kept(soul *self, bool *there, bool *stopped)
{
    void *data = NULL;
    size_t len = 0;
    piw_err err = {0};
    piw_msg *state = NULL;
    int rc = piw_file_read(self->keep, FILE_MAX, &data, &len, &err);
    if (rc == 0)
        rc = piw_record_read(notify_protocol_def.interned, data, len, &state, &err);
    free(data);
    if (rc == 0) {
        notices_load(&self->notices, notify_state_of(state));
        *stopped = notify_state_of(state)->stopped;
        *there = true;
        self->notices.changed = true; /* the file says that a master stopped, which is no longer so */
    } else if (rc != PIW_ENOENT) {
        piw_error("what was yet to be told is lost: %s", err.text);
    }
    piw_msg_free(&state);
}

/* --- The soul -------------------------------------------------------------------------------------------------------- */

static int read_secret(piw_task *task, soul *self, piw_err *err)
{
    const char *path = piw_option(task, "secret-file");
    struct stat info;
    void *data = NULL;
    size_t len = 0;
    if (path[0] == '\0') {
        self->secret = piw_strdup("");
        return 0;
    }
    int rc = piw_file_read(path, SECRET_MAX, &data, &len, err);
    if (rc == 0 && (stat(path, &info) != 0 || (info.st_mode & 077) != 0))
        rc = piw_err_set(err, PIW_ECONFIG, "%s can be read by others (chmod 600 would help)", path);
    if (rc == 0) {
        len = strcspn(data, "\r\n");
        self->secret = piw_strndup(data, len);
        if (len == 0)
            rc = piw_err_set(err, PIW_ECONFIG, "%s holds no secret in its first line", path);
    }
    free(data);
    return rc;
}

static void free_soul(soul *self)
{
    notices_fini(&self->notices);
    free(self->secret);
    free(self);
}

static int set_up(piw_task *task, soul *self, piw_err *err)
{
    self->url = piw_option(task, "url");
    self->keep = piw_option(task, "keep");
    self->watch = piw_option(task, "watch");
    if (self->url[0] == '\0')
        return piw_err_set(err, PIW_ECONFIG, "url is missing: where notices are posted to, http://… or https://…");
    if (strncmp(self->url, "http://", 7) != 0 && strncmp(self->url, "https://", 8) != 0)
        return piw_err_set(err, PIW_ECONFIG, "url = %s: http:// or https:// is wanted", self->url);
    if (self->keep[0] != '\0' && self->keep[0] != '/')
        return piw_err_set(err, PIW_ECONFIG, "keep = %s: an absolute path is wanted", self->keep);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return piw_err_set(err, PIW_ESYS, "libcurl can't be set up");
    int rc = read_secret(task, self, err);
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(look), 0, 0, piw_option_number(task, "every"));
    if (rc == 0)
        rc = piw_timer(task, PIW_ON(keep), 0, KEEP_MS, KEEP_MS);
    /* A successor doesn't know whether something is being sent: it may go out twice, and is known by its id. */
    return rc != 0 ? rc : piw_timer(task, PIW_ON(send), 0, AGAIN_LEAST_MS, 0);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    soul *self = piw_zalloc(sizeof(*self));
    int rc = set_up(task, self, err);
    if (rc != 0) {
        free_soul(self);
        return err->code != 0 ? rc : piw_err_set(err, rc, "it can't be set up: %s", piw_err_name(rc));
    }
    bool there = false, stopped = false;
    self->current_at = piw_time_now().us / 1000000;
    if (state != NULL)
        notices_load(&self->notices, notify_state_of(state));
    else if (self->keep[0] != '\0')
        read_kept(self, &there, &stopped);
    self->notices.changed = true;
    if (why == PIW_BOOT && there)
        notices_add(&self->notices,
                    &(notice){.event = "master_restarted",
                              .text = stopped ? "the master was started again"
                                              : "the master was started again, after it ended without a stop"});
    piw_soul_set(task, self);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    soul *self = piw_soul(task);
    if (leaving && self->keep[0] != '\0') {
        piw_buffer record = {0};
        piw_err err = {0};
        piw_msg *state = notices_save(&self->notices, true);
        if (piw_record_write(state, &record, &err) != 0 || notify_write(self->keep, record.data, record.len, &err) != 0)
            piw_error("notices don't survive the restart: %s", err.text);
        piw_buffer_fini(&record);
        piw_msg_free(&state);
    }
    free_soul(self);
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    *state = notices_save(&((const soul *)piw_soul(task))->notices, false);
    return 0;
}

static const piw_service uses[] = {{"stats", &stats_protocol_def}, PIW_SERVICES_END};
static const piw_event subscribes[] = {
    {&events_protocol_def, ATTEMPT_OVER},
    {&events_protocol_def, SLAVE_LOST},
    {&events_protocol_def, FOLLOWER_AT},
    PIW_EVENTS_END,
};
static const piw_handler handlers[] = {
    {&events_protocol_def, ATTEMPT_OVER, on_attempt_over},
    {&events_protocol_def, SLAVE_LOST, on_slave_lost},
    {&events_protocol_def, FOLLOWER_AT, on_follower_at},
    PIW_HANDLERS_END,
};
static const piw_continuation continuations[] = {
    PIW_CONTINUATION(look), PIW_CONTINUATION(farm), PIW_CONTINUATION(send), PIW_CONTINUATION(sent),
    PIW_CONTINUATION(keep), PIW_CONTINUATION(kept), PIW_CONTINUATIONS_END,
};
static const piw_opt options[] = {
    {.name = "url", .kind = PIW_OPT_TEXT, .fallback = "", .help = "where notices are posted to: http://… or https://…"},
    {.name = "secret-file",
     .kind = PIW_OPT_PATH,
     .fallback = "",
     .help = "file whose first line is the secret that they are signed with; without it they aren't"},
    {.name = "keep",
     .kind = PIW_OPT_PATH,
     .fallback = "",
     .help = "file that keeps over a restart of the master what is yet to be told"},
    {.name = "watch", .kind = PIW_OPT_TEXT, .fallback = "", .help = "packages whose failures are told, between blanks"},
    {.name = "every",
     .kind = PIW_OPT_DURATION,
     .fallback = "30s",
     .min = 100,
     .max = 3600000,
     .help = "how often slaves, disk and follower are looked at"},
    {.name = "disk-low",
     .kind = PIW_OPT_SIZE,
     .fallback = "5G",
     .min = 0,
     .max = INT64_MAX / 4,
     .help = "free space on the site's disk below which it is told"},
    {.name = "behind",
     .kind = PIW_OPT_DURATION,
     .fallback = "1h",
     .min = 1000,
     .max = INT64_C(86400000) * 365,
     .help = "how long PyPI may not have been followed to its end before it is told"},
    PIW_OPT_END,
};

PIW_PLUGIN(notify, .version = "1.0", .summary = "tells a web server what the operator should know of", .uses = uses,
           .subscribes = subscribes, .options = options, .state_protocol = &notify_protocol_def,
           .state_message = NOTIFY_STATE, .start = start, .stop = stop, .save = save, .handlers = handlers,
           .continuations = continuations);
