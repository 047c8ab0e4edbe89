/* fetch.c — web requests of one task over libcurl's multi interface, driven by the task's watches and timers. */
#include "shared/fetch.h"

#include "shared/trust.h"

#include <curl/curl.h>
#include <stdlib.h>

enum {
    CONNECT_TIMEOUT_S = 30,
    REDIRECTS_MAX = 5,
    REFUSAL_MAX = 1 << 20, /* bytes of an answer other than 200, which nobody reads */
};

typedef struct transfer {
    struct transfer *next;
    piw_fetch *http;
    CURL *easy;
    piw_fetch_request request; /* its texts are curl's copies */
    struct curl_slist *headers;
    size_t refusal_bytes;
    bool ended_by_us;
    char problem[CURL_ERROR_SIZE];
} transfer;

struct piw_fetch {
    piw_task *task;
    CURLM *multi;
    transfer *transfers;
};

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    (void)socket_arg;
    piw_fetch *http = arg;
    int events = (what & CURL_POLL_IN ? PIW_READ : 0) | (what & CURL_POLL_OUT ? PIW_WRITE : 0);
    if (what == CURL_POLL_REMOVE || events == 0)
        piw_unwatch(http->task, fd);
    else if (piw_watch(http->task, fd, events, PIW_ON(http_socket), (uint64_t)fd) != 0)
        return -1;
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    (void)multi;
    piw_fetch *http = arg;
    if (timeout_ms < 0) {
        piw_timer_stop(http->task, PIW_ON(http_timer), 0);
        return 0;
    }
    return piw_timer(http->task, PIW_ON(http_timer), 0, timeout_ms, 0) == 0 ? 0 : -1;
}

static size_t on_curl_data(char *data, size_t size, size_t count, void *arg)
{
    transfer *self = arg;
    long status = 0;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && !self->request.whatever) {
        self->refusal_bytes += size * count;
        self->ended_by_us = self->refusal_bytes > REFUSAL_MAX;
        return self->ended_by_us ? 0 : size * count;
    }
    if (!self->request.data(self->request.arg, data, size * count)) {
        self->ended_by_us = true;
        return 0;
    }
    return size * count;
}

int piw_fetch_open(piw_fetch **http, piw_task *task, long connections_max, piw_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return piw_err_set(err, PIW_ENET, "libcurl can't be initialised");
    piw_fetch *self = piw_zalloc(sizeof(*self));
    self->task = task;
    self->multi = curl_multi_init();
    if (self->multi == NULL || curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
        curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self) != CURLM_OK ||
        curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
        curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self) != CURLM_OK ||
        curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections_max) != CURLM_OK) {
        piw_fetch_close(&self);
        return piw_err_set(err, PIW_ENET, "libcurl can't be set up");
    }
    *http = self;
    return 0;
}

static void free_transfer(piw_fetch *http, transfer *self)
{
    transfer **at = &http->transfers;
    while (*at != NULL && *at != self)
        at = &(*at)->next;
    if (*at == self)
        *at = self->next;
    if (self->easy != NULL) {
        curl_multi_remove_handle(http->multi, self->easy);
        curl_easy_cleanup(self->easy);
    }
    curl_slist_free_all(self->headers);
    free(self);
}

void piw_fetch_close(piw_fetch **http)
{
    piw_fetch *self = *http;
    if (self == NULL)
        return;
    while (self->transfers != NULL)
        free_transfer(self, self->transfers);
    if (self->multi != NULL)
        curl_multi_cleanup(self->multi);
    free(self);
    *http = NULL;
    curl_global_cleanup();
}

static bool add_line(transfer *self, const char *line)
{
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (longer != NULL)
        self->headers = longer;
    return longer != NULL;
}

/* "NAME: VALUE" for the request; value NULL: nothing. */
static bool add_header(transfer *self, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    char *line = piw_sprintf("%s: %s", name, value);
    bool good = add_line(self, line);
    free(line);
    return good;
}

static bool set_up(transfer *self)
{
    CURL *easy = self->easy;
    const piw_fetch_request *request = &self->request;
    bool good = true;
#define SET(option, value) (good = good && curl_easy_setopt(easy, option, value) == CURLE_OK)
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_USERAGENT, "piwheels/" PIW_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, piw_trust_redirects(request->url));
    SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_ERRORBUFFER, self->problem);
    SET(CURLOPT_WRITEFUNCTION, on_curl_data);
    SET(CURLOPT_WRITEDATA, self);
    SET(CURLOPT_PRIVATE, self);
    good = good && piw_trust_set(easy) && add_header(self, "Content-Type", request->type) &&
           add_header(self, "Accept", request->accept) && add_header(self, "If-None-Match", request->etag);
    for (const char *const *line = request->headers; good && line != NULL && *line != NULL; line++)
        good = add_line(self, *line);
    if (request->proxy != NULL && request->proxy[0] != '\0')
        SET(CURLOPT_PROXY, request->proxy);
    if (self->headers != NULL)
        SET(CURLOPT_HTTPHEADER, self->headers);
    if (request->body != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        SET(CURLOPT_COPYPOSTFIELDS, request->body);
    } else if (!request->stay) {
        SET(CURLOPT_FOLLOWLOCATION, 1L);
        SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    }
#undef SET
    return good;
}

int piw_fetch_start(piw_fetch *http, const piw_fetch_request *request, piw_err *err)
{
    transfer *self = piw_zalloc(sizeof(*self));
    self->http = http;
    self->request = *request;
    self->easy = curl_easy_init();
    if (self->easy == NULL || !set_up(self) || curl_multi_add_handle(http->multi, self->easy) != CURLM_OK) {
        free_transfer(http, self);
        return piw_err_set(err, PIW_ENET, "a request to %s can't be set up", request->url);
    }
    self->request.url = self->request.body = self->request.accept = self->request.etag = NULL;
    self->request.type = self->request.proxy = NULL;
    self->request.headers = NULL;
    self->next = http->transfers;
    http->transfers = self;
    return 0;
}

static int code_of(CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return PIW_EDEADLINE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
        return PIW_EREFUSED;
    case CURLE_URL_MALFORMAT:
        return PIW_EINVAL;
    default:
        return PIW_ENET;
    }
}

static void tell_headers(const transfer *self)
{
    struct curl_header *at = NULL;
    while ((at = curl_easy_nextheader(self->easy, CURLH_HEADER, -1, at)) != NULL)
        self->request.header(self->request.arg, at->name, at->value);
}

static void finish(piw_fetch *http, transfer *self, CURLcode code)
{
    piw_fetch_result result = {.answered = code == CURLE_OK,
                               .refused = code == CURLE_COULDNT_CONNECT,
                               .code = code != CURLE_OK ? code_of(code) : 0};
    curl_off_t retry_after = 0;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &result.status);
    if (curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
        result.retry_after_s = retry_after;
    struct curl_header *etag;
    if (curl_easy_header(self->easy, "ETag", 0, CURLH_HEADER, -1, &etag) == CURLHE_OK)
        result.etag = etag->value;
    if (code != CURLE_OK)
        result.problem = self->ended_by_us          ? "the answer was not read to its end"
                         : self->problem[0] != '\0' ? self->problem
                                                    : curl_easy_strerror(code);
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &result.url);
    if (code == CURLE_OK && self->request.header != NULL)
        tell_headers(self);
    self->request.done(self->request.arg, &result);
    free_transfer(http, self);
}

static void look(piw_fetch *http)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
        transfer *self = NULL;
        if (msg->msg == CURLMSG_DONE && curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &self) == CURLE_OK)
            finish(http, self, msg->data.result);
    }
}

void piw_fetch_on_socket(piw_fetch *http, uint64_t key)
{
    int running;
    curl_multi_socket_action(http->multi, (curl_socket_t)key, 0, &running);
    look(http);
}

void piw_fetch_on_timer(piw_fetch *http)
{
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look(http);
}
