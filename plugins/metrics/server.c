/* server.c — the HTTP server of one soul: a few small pages, each made when it is asked for. */
#include "server.h"

#include "shared/http_turns.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 32, /* who comes then is turned away: monitors of one machine are few */
    HEAD_MAX = 8192,
    IDLE_S = 30,
    ACCEPTS_A_TURN = 16,
};

struct metrics_server {
    int listener, epoll_fd;
    struct MHD_Daemon *daemon;
    metrics_page_fn *page;
    void *arg;
};

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *type, const char *text,
                                 size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result done = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (done == MHD_YES && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        done = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (done == MHD_YES)
        done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return done;
}

static enum MHD_Result send_plain(struct MHD_Connection *connection, unsigned status, const char *text)
{
    return send_text(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* Called once when the head is whole, and once more when the request is. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **seen)
{
    (void)version, (void)data;
    metrics_server *self = arg;
    bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!reads)
        return send_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "405 only GET and HEAD\n");
    if (*seen == NULL) {
        *seen = self;
        return MHD_YES;
    }
    if (*data_size > 0)
        return MHD_NO;
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL)
        return MHD_NO;
    unsigned status = MHD_HTTP_OK;
    const char *type = "text/plain; charset=utf-8";
    bool found = self->page(self->arg, path, to, &status, &type);
    bool written = ferror(to) == 0;
    enum MHD_Result done = MHD_NO;
    if (fclose(to) == 0 && written)
        done = found ? send_text(connection, status, type, text, len)
                     : send_plain(connection, MHD_HTTP_NOT_FOUND, "404 there are /metrics, /healthz and /readyz\n");
    free(text);
    return done;
}

int metrics_server_open(metrics_server **server, int listener, metrics_page_fn *page, void *arg, piw_err *err)
{
    metrics_server *self = piw_zalloc(sizeof(*self));
    *self = (metrics_server){.listener = -1, .epoll_fd = -1, .page = page, .arg = arg};
    self->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, self,
                                    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                    (unsigned)IDLE_S, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    self->epoll_fd = piw_http_descriptor(self->daemon, err);
    if (self->epoll_fd < 0) {
        int rc = self->epoll_fd;
        metrics_server_close(&self);
        return rc;
    }
    self->listener = listener;
    *server = self;
    return 0;
}

void metrics_server_close(metrics_server **server)
{
    metrics_server *self = *server;
    if (self == NULL)
        return;
    if (self->daemon != NULL)
        MHD_stop_daemon(self->daemon);
    if (self->listener >= 0)
        close(self->listener);
    free(self);
    *server = NULL;
}

int metrics_server_listener(const metrics_server *server)
{
    return server->listener;
}

int metrics_server_epoll(const metrics_server *server)
{
    return server->epoll_fd;
}

void metrics_server_accept(metrics_server *server)
{
    for (int i = 0; i < ACCEPTS_A_TURN && piw_http_accept(server->daemon, server->listener) == PIW_HTTP_SOMEBODY; i++)
        ;
}

bool metrics_server_run(metrics_server *server)
{
    return piw_http_run(server->daemon);
}
