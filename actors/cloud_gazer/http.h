/* http.h — web requests of one task, several at a time, without ever waiting: libcurl's multi interface, driven by the
 * task's watches and timers. Connections are kept for the next request.
 *
 * The task has the two continuations below, which call gazer_http_on_socket and gazer_http_on_timer. Everything belongs to
 * the task's thread; the callbacks are called from those two. */
#ifndef CLOUD_GAZER_HTTP_H
#define CLOUD_GAZER_HTTP_H

#include "piw/task.h"

typedef struct gazer_http gazer_http;

/* How a request ended. */
typedef struct gazer_http_result {
    bool answered;         /* an answer came and was whole; else `problem` says what went wrong */
    bool refused;          /* nobody listens there */
    long status;           /* 200, 404, …; 0 when there was no answer */
    int64_t retry_after_s; /* what the server asked for, 0 if nothing */
    const char *problem;   /* one phrase; ends with the callback */
    const char *etag;      /* of the answer, NULL: none; ends with the callback */
} gazer_http_result;

/* Bytes of the answer's body (status 200 only). False ends the request; its end is reported as not answered. */
typedef bool gazer_http_data_fn(void *arg, const void *data, size_t len);
typedef void gazer_http_done_fn(void *arg, const gazer_http_result *result);

typedef struct gazer_http_request {
    const char *url;
    const char *body;   /* posted as text/xml; NULL: GET. Copied. */
    const char *accept; /* the form that is wanted; NULL: any. Copied. */
    const char *etag;   /* answer 304 when that is what there still is; NULL: always answer. Copied. */
    int64_t timeout_ms; /* for the whole request */
    gazer_http_data_fn *data;
    gazer_http_done_fn *done; /* exactly once, unless the http is closed before */
    void *arg;
} gazer_http_request;

int gazer_http_open(gazer_http **http, piw_task *task, long connections_max, piw_err *err);
/* Ends all requests without their callbacks. */
void gazer_http_close(gazer_http **http);
int gazer_http_start(gazer_http *http, const gazer_http_request *request, piw_err *err);

piw_continuation_fn on_http_socket, on_http_timer;
void gazer_http_on_socket(gazer_http *http, uint64_t key);
void gazer_http_on_timer(gazer_http *http);

#endif
