/* fetch.h — web requests of one task, several at a time, without ever waiting: libcurl's multi interface, driven by the
 * task's watches and timers. Connections are kept for the next request.
 *
 * The task has the two continuations below, which call piw_fetch_on_socket and piw_fetch_on_timer. Everything belongs to
 * the task's thread; the callbacks are called from those two. */
#ifndef PIW_SHARED_FETCH_H
#define PIW_SHARED_FETCH_H

#include "piw/task.h"

typedef struct piw_fetch piw_fetch;

/* How a request ended. */
typedef struct piw_fetch_result {
    bool answered;         /* an answer came and was whole; else `problem` says what went wrong */
    bool refused;          /* nobody listens there */
    int code;              /* not answered: PIW_EDEADLINE, PIW_EREFUSED, PIW_EINVAL or PIW_ENET */
    long status;           /* 200, 404, …; 0 when there was no answer */
    int64_t retry_after_s; /* what the server asked for, 0 if nothing */
    const char *problem;   /* one phrase; ends with the callback */
    const char *url;       /* what answered, after redirects; ends with the callback */
    const char *etag;      /* of the answer, NULL: none; ends with the callback */
} piw_fetch_result;

/* Bytes of the answer's body (status 200 only, unless `whatever`). False ends the request; its end is reported as not answered. */
typedef bool piw_fetch_data_fn(void *arg, const void *data, size_t len);
/* A header of the answer: before `done`, both texts end with the callback. */
typedef void piw_fetch_header_fn(void *arg, const char *name, const char *value);
typedef void piw_fetch_done_fn(void *arg, const piw_fetch_result *result);

typedef struct piw_fetch_request {
    const char *url;
    const char *body;           /* posted; NULL: GET. Copied. */
    size_t body_len;            /* of it */
    const char *type;           /* of the body; NULL: as the headers say. Copied. */
    const char *const *headers; /* more lines "NAME: VALUE", up to NULL; NULL: none. Copied. */
    const char *proxy;          /* NULL or "": as the environment says. Copied. */
    bool whatever;              /* the body is wanted whatever the status is */
    const char *accept;         /* the form that is wanted; NULL: any. Copied. */
    const char *etag;           /* answer 304 when that is what there still is; NULL: always answer. Copied. */
    bool stay;                  /* a redirect is the answer; that it is to a POST always */
    int64_t timeout_ms;         /* for the whole request */
    piw_fetch_data_fn *data;
    piw_fetch_header_fn *header; /* NULL: they aren't wanted */
    piw_fetch_done_fn *done;     /* exactly once, unless the http is closed before */
    void *arg;
} piw_fetch_request;

int piw_fetch_open(piw_fetch **http, piw_task *task, long connections_max, piw_err *err);
/* Ends all requests without their callbacks. */
void piw_fetch_close(piw_fetch **http);
int piw_fetch_start(piw_fetch *http, const piw_fetch_request *request, piw_err *err);

piw_continuation_fn on_http_socket, on_http_timer;
void piw_fetch_on_socket(piw_fetch *http, uint64_t key);
void piw_fetch_on_timer(piw_fetch *http);

#endif
