/* piw-pypi — serves a folder of source archives as PyPI does, so that a farm can be tried without the network.
 *
 * One thread: libmicrohttpd calls `answer` from MHD_run_wait. */
#include "common/programs.h"
#include "pages.h"
#include "piw/log.h"
#include "piw/options.h"
#include "shared/names.h"
#include "shared/table.h"
#include "shared/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BODY_MAX = 64 << 10, /* bytes of a request's body: a call with one number */
    TIMEOUT_S = 30,      /* seconds a connection may be idle */
    CONNECTIONS_MAX = 200,
    BLOCK_SIZE = 64 << 10, /* bytes of an answer that is made while it is sent */
    ROUND_MS = 250,        /* how soon a signal is noticed that came just before the wait */
};

static const piw_opt options[] = {
    {'p', "port", PIW_OPT_INT, "N", "8000", "port to listen on; 0 takes any and prints it", .max = 65535},
    {0, "listen", PIW_OPT_TEXT, "ADDR", "127.0.0.1", "address to listen on"},
    {'d', "dir", PIW_OPT_PATH, "DIR", ".",
     "folder of source archives (and wheels, which are served but not announced)"},
    {0, "first-serial", PIW_OPT_INT, "N", "20000001", "serial of the first event", .min = 1, .max = INT64_C(1) << 40},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-pypi",
    .section = "pypi",
    .summary = "Serves a folder of source archives as PyPI does.",
    .options = options,
    .sections = farm_sections,
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* What is kept of a request between calls: its body. */
typedef struct request {
    piw_buffer body;
    bool too_long;
} request;

/* tag NULL: none. */
static enum MHD_Result reply_tagged(struct MHD_Connection *connection, unsigned status, const char *type,
                                    const char *tag, piw_buffer *body)
{
    static char nothing[1];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, body->len > 0 ? (void *)body->data : nothing, MHD_RESPMEM_MUST_COPY);
    piw_buffer_fini(body);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result done = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        (tag == NULL || MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag) == MHD_YES))
        done = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return done;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type, piw_buffer *body)
{
    return reply_tagged(connection, status, type, NULL, body);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *words)
{
    piw_buffer body = {0};
    piw_putf(&body, "%u %s\n", status, words);
    return reply(connection, status, "text/plain; charset=utf-8", &body);
}

static enum MHD_Result send_file(struct MHD_Connection *connection, const pypi_site *site, const char *filename)
{
    const pypi_file *file = pypi_catalogue_find(&site->catalogue, filename);
    if (file == NULL)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such file");
    char *path = piw_sprintf("%s/%s", site->catalogue.dir, file->filename);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    if (fd < 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "the file has gone");
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)file->size, fd);
    if (response == NULL) {
        close(fd);
        return MHD_NO;
    }
    enum MHD_Result done = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream") == MHD_YES)
        done = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return done;
}

/* The project named by URL's part between `before` and `after`, canonicalised; false when it isn't there. */
static bool project_in(const char *url, const char *before, const char *after, char *canonical)
{
    size_t n = strlen(before), all = strlen(url), m = strlen(after);
    if (all <= n + m || strncmp(url, before, n) != 0 || strcmp(url + all - m, after) != 0)
        return false;
    return piw_name_canonical((piw_text){url + n, (uint32_t)(all - n - m)}, canonical);
}

static enum MHD_Result about(struct MHD_Connection *connection, const pypi_site *site, const char *canonical)
{
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (host == NULL ||
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != strlen(host))
        return refuse(connection, MHD_HTTP_BAD_REQUEST, "a Host header is wanted");
    piw_buffer body = {0};
    char *base = piw_sprintf("http://%s", host);
    bool found = pypi_page_about(site, canonical, base, &body);
    free(base);
    return found ? reply(connection, MHD_HTTP_OK, "application/json", &body)
                 : refuse(connection, MHD_HTTP_NOT_FOUND, "no such project");
}

/* The list of all projects; 304 for who has it already. */
static enum MHD_Result list(struct MHD_Connection *connection, piw_buffer *body)
{
    char tag[40];
    snprintf(tag, sizeof(tag), "\"%016llx\"", (unsigned long long)piw_table_hash(0, body->data, body->len));
    const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    if (known == NULL || strcmp(known, tag) != 0)
        return reply_tagged(connection, MHD_HTTP_OK, "application/vnd.pypi.simple.v1+json", tag, body);
    piw_info("not changed since %s", tag);
    piw_buffer_fini(body);
    return reply_tagged(connection, MHD_HTTP_NOT_MODIFIED, "application/vnd.pypi.simple.v1+json", tag, body);
}

static enum MHD_Result simple(struct MHD_Connection *connection, const pypi_site *site, const char *url)
{
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool json = accept != NULL && strstr(accept, "application/vnd.pypi.simple.v1+json") != NULL;
    char canonical[PIW_NAME_MAX + 1];
    piw_buffer body = {0};
    bool found = true;
    if (strcmp(url, "/simple/") == 0)
        pypi_page_root(site, json, &body);
    else
        found = project_in(url, "/simple/", "/", canonical) && pypi_page_project(site, canonical, json, &body);
    if (!found)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "no such project");
    if (json && strcmp(url, "/simple/") == 0)
        return list(connection, &body);
    return reply(connection, MHD_HTTP_OK, json ? "application/vnd.pypi.simple.v1+json" : "text/html; charset=utf-8",
                 &body);
}

/* A list of events on its way. */
typedef struct answering {
    const pypi_site *site;
    pypi_listing events;
    piw_buffer piece;
    size_t sent; /* of the piece */
} answering;

static ssize_t next_bytes(void *arg, uint64_t position, char *to, size_t size)
{
    (void)position;
    answering *self = arg;
    if (self->sent == self->piece.len) {
        self->sent = self->piece.len = 0;
        pypi_page_events(self->site, &self->events, &self->piece);
    }
    size_t len = self->piece.len - self->sent;
    if (len == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len > size)
        len = size;
    memcpy(to, self->piece.data + self->sent, len);
    self->sent += len;
    return (ssize_t)len;
}

static void answered(void *arg)
{
    answering *self = arg;
    piw_buffer_fini(&self->piece);
    free(self);
}

static enum MHD_Result xmlrpc(struct MHD_Connection *connection, const pypi_site *site, const request *asked)
{
    pypi_listing events;
    piw_buffer body = {0};
    if (!pypi_page_xmlrpc(site, (const char *)asked->body.data, asked->body.len, &body, &events))
        return reply(connection, MHD_HTTP_OK, "text/xml; charset=utf-8", &body);
    answering *self = piw_zalloc(sizeof(*self));
    *self = (answering){.site = site, .events = events};
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, next_bytes, self, answered);
    if (response == NULL) {
        answered(self);
        return MHD_NO;
    }
    enum MHD_Result done = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/xml; charset=utf-8") == MHD_YES)
        done = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return done;
}

static enum MHD_Result route(struct MHD_Connection *connection, pypi_site *site, const char *method, const char *url,
                             const request *asked)
{
    piw_err err = {0};
    if (pypi_catalogue_scan(&site->catalogue, &err) != 0 ||
        pypi_changelog_update(&site->log, &site->catalogue, &err) != 0) {
        piw_error("%s", err.text);
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the folder can't be read");
    }
    char canonical[PIW_NAME_MAX + 1];
    bool post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    if (post && (strcmp(url, "/pypi") == 0 || strcmp(url, "/pypi/") == 0))
        return xmlrpc(connection, site, asked);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET, and POST to /pypi");
    if (strncmp(url, "/simple/", 8) == 0)
        return simple(connection, site, url);
    if (strncmp(url, "/files/", 7) == 0)
        return send_file(connection, site, url + 7);
    if (project_in(url, "/pypi/", "/json", canonical))
        return about(connection, site, canonical);
    return refuse(connection, MHD_HTTP_NOT_FOUND, "no such page");
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_len, void **state)
{
    (void)version;
    if (*state == NULL) {
        *state = piw_zalloc(sizeof(request));
        return MHD_YES;
    }
    request *asked = *state;
    if (*data_len > 0) {
        if (asked->body.len + *data_len > BODY_MAX || piw_buffer_add(&asked->body, data, *data_len) != 0)
            asked->too_long = true;
        *data_len = 0;
        return MHD_YES;
    }
    if (asked->too_long)
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the request is too long");
    piw_info("%s %s", method, url);
    return route(connection, arg, method, url, asked);
}

static void ended(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    request *asked = *state;
    if (asked != NULL)
        piw_buffer_fini(&asked->body);
    free(asked);
    *state = NULL;
}

static int listen_on(const char *address, int port, int *fd, piw_err *err)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE}, *found;
    int rc = getaddrinfo(address, service, &hints, &found);
    if (rc != 0)
        return piw_err_set(err, PIW_EINVAL, "--listen %s: not a numeric address: %s", address, gai_strerror(rc));
    int on = 1;
    *fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(*fd, found->ai_addr, found->ai_addrlen) != 0 || listen(*fd, 64) != 0) {
        rc = piw_err_errno(err, "can't listen on %s port %d", address, port);
        if (*fd >= 0)
            close(*fd);
    }
    freeaddrinfo(found);
    return rc;
}

static int bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
}

static int serve(const piw_config *config, pypi_site *site, piw_err *err)
{
    const char *address = piw_config_text(config, "listen");
    int fd = -1;
    int rc = listen_on(address, (int)piw_config_int(config, "port"), &fd, err);
    if (rc != 0)
        return rc;
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, site, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_NOTIFY_COMPLETED, ended, NULL, MHD_OPTION_END);
    if (daemon == NULL) {
        close(fd);
        return piw_err_set(err, PIW_ESYS, "the web server can't be started");
    }
    bool six = strchr(address, ':') != NULL;
    printf("http://%s%s%s:%d\n", six ? "[" : "", address, six ? "]" : "", bound_port(fd));
    fflush(stdout);
    while (!stopping && rc == 0)
        if (MHD_run_wait(daemon, ROUND_MS) != MHD_YES)
            rc = piw_err_set(err, PIW_ESYS, "the web server stopped");
    MHD_stop_daemon(daemon);
    return rc;
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    int rc = piw_config_load(&config, &program, argc, argv, &err);
    if (rc != 0)
        return rc > 0 ? 0 : piw_program_exit(&program, &err);
    struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    pypi_site site = {0};
    const char *dir = piw_config_text(config, "dir");
    if (sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGINT, &stop, NULL) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0)
        piw_err_errno(&err, "signals can't be set up");
    else if (pypi_catalogue_open(&site.catalogue, dir, &err) == 0 &&
             pypi_changelog_open(&site.log, dir, piw_config_int(config, "first-serial"), &err) == 0)
        serve(config, &site, &err);
    pypi_changelog_close(&site.log);
    pypi_catalogue_close(&site.catalogue);
    piw_config_free(&config);
    return piw_program_exit(&program, &err);
}
