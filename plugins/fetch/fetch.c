/* fetch — requests over HTTP for any task, within bounds: who asks goes on, and gets the answer as a message
 * (docs/plugin-api.md#fetching). In piwheels.conf:
 *
 *     [task:fetch]
 *     at-once = 8
 *     per-task = 4
 *
 * libcurl works in this task's thread, as its descriptors and timers have something to do. */
#include "shared/fetch.h"
#include "fetch.piw.h"
#include "jobs.h"
#include "piw/plugin.h"

#include <stdlib.h>

static piw_continuation_fn on_resume;

enum {
    HEADERS_MAX = 100, /* as the answer's type has them */
    NAME_MAX_CHARS = 200,
    VALUE_MAX_CHARS = 8000,
    SENT_MAX = 50,
};

typedef struct soul {
    piw_task *task;
    piw_fetch *http;
    jobs jobs;
    uint64_t answered, failed;
} soul;

static void go_on(soul *self);

/* --- One request ----------------------------------------------------------------------------------------------------- */

static void refuse(soul *self, job **one, int code, const char *why)
{
    self->failed++;
    if (piw_answer_error(self->task, (*one)->token, code, "%.200s can't be fetched: %.250s", (*one)->request->url.s,
                         why) != 0)
        piw_debug("%s isn't waited for any more", (*one)->request->url.s);
    jobs_end(&self->jobs, one);
}

static bool on_data(void *arg, const void *data, size_t len)
{
    return job_take(arg, data, len);
}

/* What doesn't fit the answer's type is passed over. */
static void on_header(void *arg, const char *name, const char *value)
{
    job *one = arg;
    fetch_FETCH_reply *answer = one->answer;
    size_t name_len = strlen(name), value_len = strlen(value);
    if (answer->headers.at == NULL) {
        piw_msg_list(one->reply, &answer->headers, HEADERS_MAX);
        answer->headers.count = 0;
    }
    if (answer->headers.count == HEADERS_MAX || name_len > NAME_MAX_CHARS || value_len > VALUE_MAX_CHARS ||
        piw_utf8_valid(name, name_len) != name_len || piw_utf8_valid(value, value_len) != value_len)
        return;
    answer->headers.at[answer->headers.count++] =
        (fetch_header){piw_msg_text(one->reply, name, name_len), piw_msg_text(one->reply, value, value_len)};
}

static void on_done(void *arg, const piw_fetch_result *result)
{
    job *one = arg;
    soul *self = one->owner;
    piw_err err = {0};
    if (!result->answered) {
        bool ours = one->err.code != 0;
        refuse(self, &one, ours ? one->err.code : result->code, ours ? one->err.text : result->problem);
        go_on(self);
        return;
    }
    one->answer->status = result->status;
    one->answer->url = piw_msg_textz(one->reply, result->url);
    int rc = job_whole(one, &err);
    if (rc != 0) {
        refuse(self, &one, rc, err.text);
    } else {
        self->answered++;
        if (piw_answer(self->task, one->token, &one->reply) != 0)
            piw_debug("%s isn't waited for any more", one->request->url.s);
        jobs_end(&self->jobs, &one);
    }
    go_on(self);
}

static int begin(soul *self, job *one, piw_err *err)
{
    const fetch_request *wanted = one->request;
    char *lines[SENT_MAX + 1] = {0};
    for (uint32_t i = 0; i < wanted->headers.count; i++)
        lines[i] = piw_sprintf("%s: %s", wanted->headers.at[i].name.s, wanted->headers.at[i].value.s);
    one->begun = true;
    one->reply = fetch_FETCH_reply_new(&one->answer);
    const piw_fetch_request request = {.url = wanted->url.s,
                                       .body = (const char *)wanted->post.data,
                                       .body_len = wanted->post.len,
                                       .headers = (const char *const *)lines,
                                       .proxy = piw_option(self->task, "proxy"),
                                       .whatever = wanted->file.s == NULL,
                                       .stay = wanted->stay,
                                       .timeout_ms = wanted->timeout_ms > 0 ? wanted->timeout_ms : TIMEOUT_USUAL_MS,
                                       .data = on_data,
                                       .header = on_header,
                                       .done = on_done,
                                       .arg = one};
    int rc = piw_fetch_start(self->http, &request, err);
    for (uint32_t i = 0; i < wanted->headers.count; i++)
        free(lines[i]);
    return rc;
}

static void go_on(soul *self)
{
    job *one;
    while ((one = jobs_next(&self->jobs, piw_option_number(self->task, "at-once"),
                            piw_option_number(self->task, "per-task"))) != NULL) {
        piw_err err = {0};
        int rc = begin(self, one, &err);
        if (rc != 0)
            refuse(self, &one, rc, err.text);
    }
    piw_task_note(self->task, "%u requests wait or are under way, %llu were answered, %llu weren't", self->jobs.count,
                  (unsigned long long)self->answered, (unsigned long long)self->failed);
}

/* --- The task -------------------------------------------------------------------------------------------------------- */

static int on_fetch(piw_task *task, piw_msg *msg)
{
    soul *self = piw_soul(task);
    const fetch_request *request = fetch_FETCH_of(msg);
    piw_err err = {0};
    int rc = jobs_check(request, &err);
    rc = rc != 0 ? rc : jobs_room(&self->jobs, request, &err);
    if (rc != 0)
        return piw_refuse(task, msg, rc, "%s", err.text);
    piw_token token;
    rc = piw_defer(task, msg, &token);
    if (rc != 0)
        return rc;
    jobs_add(&self->jobs, token, piw_msg_asker(msg), request)->owner = self;
    go_on(self);
    return 0;
}

int on_http_socket(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    piw_fetch_on_socket(((soul *)piw_soul(task))->http, key);
    return 0;
}

int on_http_timer(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    piw_fetch_on_timer(((soul *)piw_soul(task))->http);
    return 0;
}

/* What the version before had begun: a GET is begun anew, but whether a POST has arrived nobody can tell. */
static int on_resume(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    soul *self = piw_soul(task);
    for (job *next, *one = self->jobs.first; one != NULL; one = next) {
        next = one->next;
        bool under_way = one->reply != NULL; /* by us */
        if (!one->begun || under_way)
            continue;
        one->begun = false;
        if (one->request->post.data != NULL)
            refuse(self, &one, PIW_EAGAIN, "this task was replaced while it was sent; it may have arrived");
    }
    go_on(self);
    return 0;
}

static void load(soul *self, const fetch_state *state)
{
    for (uint32_t i = 0; i < state->requests.count; i++) {
        const fetch_state_requests *kept = &state->requests.at[i];
        job *one = jobs_add(&self->jobs, kept->token, kept->asker.s, &kept->request);
        one->owner = self;
        one->begun = kept->begun;
    }
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)err;
    const soul *self = piw_soul(task);
    fetch_state *body;
    *state = fetch_state_new(&body);
    piw_msg_list(*state, &body->requests, self->jobs.count);
    body->requests.count = 0;
    for (const job *one = self->jobs.first; one != NULL; one = one->next) {
        fetch_state_requests *to = &body->requests.at[body->requests.count++];
        to->token = one->token;
        to->begun = one->begun;
        to->asker = piw_msg_textz(*state, one->asker);
        piw_value_copy(*state, fetch_request_type(), one->request, &to->request);
    }
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)leaving;
    soul *self = piw_soul(task);
    piw_fetch_close(&self->http);
    jobs_fini(&self->jobs);
    free(self);
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    soul *self = piw_zalloc(sizeof(*self));
    self->task = task;
    jobs_init(&self->jobs);
    int rc = piw_fetch_open(&self->http, task, piw_option_number(task, "at-once"), err);
    if (rc == 0 && state != NULL && (rc = piw_timer(task, PIW_ON(resume), 0, 0, 0)) != 0)
        piw_err_set(err, rc, "no timer can be set: %s", piw_err_name(rc));
    if (rc != 0) {
        piw_fetch_close(&self->http);
        free(self);
        return rc;
    }
    if (state != NULL)
        load(self, fetch_state_of(state));
    piw_soul_set(task, self);
    return 0;
}

static const piw_service serves[] = {{"fetch", &fetch_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&fetch_protocol_def, FETCH_FETCH, on_fetch}, PIW_HANDLERS_END};
static const piw_continuation continuations[] = {PIW_CONTINUATION(http_socket), PIW_CONTINUATION(http_timer),
                                                 PIW_CONTINUATION(resume), PIW_CONTINUATIONS_END};
static const piw_opt options[] = {
    {.name = "at-once",
     .kind = PIW_OPT_INT,
     .fallback = "8",
     .min = 1,
     .max = 100,
     .help = "requests that are under way at a time; others wait"},
    {.name = "per-task", .kind = PIW_OPT_INT, .fallback = "4", .min = 1, .max = 100, .help = "of one task that asks"},
    {.name = "proxy",
     .kind = PIW_OPT_TEXT,
     .fallback = "",
     .help = "URL of a proxy for all of them; else as http_proxy, https_proxy and no_proxy in the environment say"},
    PIW_OPT_END,
};

PIW_PLUGIN(fetch, .version = PIW_VERSION, .summary = "fetches over HTTP for other tasks", .serves = serves,
           .options = options, .state_protocol = &fetch_local_protocol_def, .state_message = FETCH_STATE,
           .start = start, .stop = stop, .save = save, .handlers = handlers, .continuations = continuations);
