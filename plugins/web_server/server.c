/* server.c — the HTTP server of one soul, its connections and their bounds. */
#include "server.h"

#include "answer.h"
#include "shared/http_turns.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX = 16384,           /* bytes that a request's head may have, with what libmicrohttpd keeps of it */
    ACCEPTS_A_TURN = 64,        /* then those who are in already get their turn */
    RATE_WINDOW_S = 20,         /* over which a client must take the least rate */
    SPARE_IDLE_NS = 1000000000, /* who has been idle for so long may make room for another */
    BACKSTOP_S = 300,           /* libmicrohttpd's own bound, should the kernel not tell how many bytes were taken */
};

struct web_connection {
    web_connection *next, **at;
    web_server *server;
    int fd;
    bool answering; /* a request is whole, its answer on the way */
    bool used;      /* had a request before */
    bool heading;   /* a request's head has begun */
    bool marked;
    bool cut;
    uint64_t mark;    /* bytes that it had sent, or taken, at `since_ns` */
    int64_t since_ns; /* of what it is at */
    char address[INET6_ADDRSTRLEN];
};

/* --- Connections -------------------------------------------------------------------------------------------------- */

static void print_address(const struct sockaddr *from, char *to, socklen_t size)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    const void *bytes = from->sa_family == AF_INET6 ? (const void *)&six->sin6_addr
                                                    : (const void *)&((const struct sockaddr_in *)from)->sin_addr;
    int family = from->sa_family;
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        bytes = &six->sin6_addr.s6_addr[12];
        family = AF_INET;
    }
    if (inet_ntop(family, bytes, to, size) == NULL)
        *to = '\0';
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    web_server *server = arg;
    web_connection *self = *context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (self != NULL) {
            *self->at = self->next;
            if (self->next != NULL)
                self->next->at = self->at;
            server->count--;
            free(self);
        }
        *context = NULL;
        return;
    }
    self = piw_zalloc(sizeof(*self));
    self->server = server;
    /* What is pointed to lasts until the next question only, since 1.0. */
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    self->fd = info != NULL ? info->connect_fd : -1;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        print_address(info->client_addr, self->address, sizeof(self->address));
    self->since_ns = piw_monotonic_ns();
    self->marked = true;
    self->at = &server->connections;
    self->next = server->connections;
    if (self->next != NULL)
        self->next->at = &self->next;
    server->connections = self;
    server->count++;
    *context = self;
}

static web_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void is_at(web_connection *self, bool answering)
{
    self->answering = answering;
    self->used = true;
    self->heading = self->marked = false;
    self->since_ns = piw_monotonic_ns();
}

static void cut(web_connection *self)
{
    /* Megabytes that the kernel holds for who doesn't take them go with it. */
    struct linger at_once = {.l_onoff = 1};
    if (self->answering)
        setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    /* libmicrohttpd sees the end of it, and closes it. */
    shutdown(self->fd, SHUT_RDWR);
    self->cut = true;
    self->server->cut++;
}

/* --- Requests ------------------------------------------------------------------------------------------------------ */

/* Called once when the head is whole, and once more when the request is: who answers at the first call has the connection
 * closed. So what has a body, which isn't read, is answered then. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **entry)
{
    (void)version;
    (void)data;
    web_server *server = arg;
    web_connection *self = connection_of(mhd);
    if (self == NULL || *data_size > 0)
        return MHD_NO;
    web_visit visit = {
        .connection = mhd,
        .method = method,
        .target = url,
        .address = self->address,
        .last = server->listener < 0,
    };
    if (!self->answering) {
        is_at(self, true);
        server->requests++;
        web_head_kind kind = web_head_look(mhd);
        return kind != WEB_HEAD_GOOD ? web_refuse(&visit, kind) : MHD_YES;
    }
    piw_msg *msg = NULL;
    web_head_read(mhd, &visit.head);
    enum MHD_Result done = web_answer(&server->site, &visit, &msg);
    web_head_fini(&visit.head);
    if (!server->bounds.hits)
        piw_msg_free(&msg);
    *entry = msg;
    return done;
}

/* As a log has it: when the answer has been sent. */
static void on_completed(void *arg, struct MHD_Connection *mhd, void **entry, enum MHD_RequestTerminationCode code)
{
    web_server *server = arg;
    web_connection *self = connection_of(mhd);
    piw_msg *msg = *entry;
    *entry = NULL;
    if (self != NULL)
        is_at(self, false);
    if (msg != NULL && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        piw_cast(server->task, &msg);
    piw_msg_free(&msg);
}

/* Targets are decoded by web_target_read alone. */
static size_t leave_escaped(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

/* --- The server ---------------------------------------------------------------------------------------------------- */

int web_server_open(web_server **server, const char *where, int listener, const char *site, const web_bounds *bounds,
                    piw_err *err)
{
    web_server *self = piw_zalloc(sizeof(*self));
    *self = (web_server){.where = piw_strdup(where), .listener = -1, .bounds = *bounds, .site = {.fd = -1}};
    int rc = web_site_open(&self->site, site, err);
    if (rc != 0) {
        web_server_close(&self);
        return rc;
    }
    /* Who comes is counted here before libmicrohttpd sees it; its own bound must not be in the way. */
    unsigned most = (unsigned)bounds->connections + ACCEPTS_A_TURN;
    self->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO, 0, NULL, NULL, on_request,
                                    self, MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                    (unsigned)bounds->per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
                                    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)BACKSTOP_S, MHD_OPTION_NOTIFY_CONNECTION,
                                    on_connection, self, MHD_OPTION_NOTIFY_COMPLETED, on_completed, self,
                                    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    self->epoll_fd = rc = piw_http_descriptor(self->daemon, err);
    if (rc < 0) {
        web_server_close(&self);
        return rc;
    }
    self->listener = listener;
    *server = self;
    return 0;
}

void web_server_close(web_server **server)
{
    web_server *self = *server;
    if (self == NULL)
        return;
    if (self->daemon != NULL)
        MHD_stop_daemon(self->daemon);
    web_server_retire(self);
    web_site_close(&self->site);
    free(self->where);
    free(self);
    *server = NULL;
}

void web_server_retire(web_server *server)
{
    if (server->listener >= 0)
        close(server->listener);
    server->listener = -1;
}

/* The one that has been idle for longest makes room. */
static bool cut_idle(web_server *server)
{
    web_connection *longest = NULL;
    int64_t now_ns = piw_monotonic_ns();
    for (web_connection *c = server->connections; c != NULL; c = c->next)
        if (!c->answering && !c->cut && now_ns - c->since_ns > SPARE_IDLE_NS &&
            (longest == NULL || c->since_ns < longest->since_ns))
            longest = c;
    if (longest != NULL)
        cut(longest);
    return longest != NULL;
}

bool web_server_accept(web_server *server, int64_t others)
{
    int64_t untold = 0; /* let in; since libmicrohttpd 1.0 they are counted in its next run only */
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        if (untold > 0 && server->count + others + untold >= server->bounds.connections) {
            web_server_run(server);
            untold = 0;
        }
        if (server->count + others >= server->bounds.connections) {
            if (!cut_idle(server))
                return false;
            web_server_run(server);
            if (server->count + others >= server->bounds.connections)
                return false;
        }
        piw_http_came came = piw_http_accept(server->daemon, server->listener);
        if (came != PIW_HTTP_SOMEBODY)
            return came == PIW_HTTP_NOBODY;
        untold++;
    }
    return true;
}

bool web_server_run(web_server *server)
{
    return piw_http_run(server->daemon);
}

/* Bytes that the client has sent, or has taken and said so; false: the kernel doesn't tell. */
static bool count_bytes(const web_connection *self, uint64_t *bytes)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (getsockopt(self->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
        return false;
    *bytes = self->answering ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
    return true;
}

static bool too_slow(web_connection *self, int64_t now_ns)
{
    uint64_t bytes = 0;
    int64_t ms = (now_ns - self->since_ns) / 1000000;
    const web_bounds *bounds = &self->server->bounds;
    if (!count_bytes(self, &bytes))
        return !self->answering && ms > bounds->idle_ms;
    if (!self->marked) {
        self->mark = bytes;
        self->marked = true;
    }
    if (self->answering) {
        if (ms < RATE_WINDOW_S * 1000)
            return false;
        bool slow = (int64_t)(bytes - self->mark) < bounds->least_rate * RATE_WINDOW_S;
        self->mark = bytes;
        self->since_ns = now_ns;
        return slow;
    }
    if (bytes != self->mark && !self->heading) {
        self->heading = true;
        self->since_ns = now_ns;
        return false;
    }
    return ms > (self->heading || !self->used ? bounds->head_ms : bounds->idle_ms);
}

void web_server_look(web_server *server)
{
    int64_t now_ns = piw_monotonic_ns();
    web_site_look(&server->site);
    for (web_connection *c = server->connections; c != NULL; c = c->next)
        if (!c->cut && too_slow(c, now_ns))
            cut(c);
}

/* --- The house ----------------------------------------------------------------------------------------------------- */

web_house *web_house_of(piw_task *task)
{
    web_house *house = piw_kept(task);
    if (house != NULL)
        return memcmp(house->mark, WEB_HOUSE_MARK, sizeof(house->mark)) == 0 ? house : NULL;
    house = piw_zalloc(sizeof(*house));
    memcpy(house->mark, WEB_HOUSE_MARK, sizeof(house->mark));
    piw_keep(task, house);
    return house;
}

int64_t web_house_count(const web_house *house, const web_server *but)
{
    int64_t count = 0;
    for (const web_server *server = house->servers; server != NULL; server = server->next)
        count += server != but ? server->count : 0;
    return count;
}

void web_house_add(web_house *house, web_server *server)
{
    server->next = house->servers;
    house->servers = server;
}

void web_house_remove(web_house *house, web_server *server)
{
    for (web_server **at = &house->servers; *at != NULL; at = &(*at)->next)
        if (*at == server) {
            *at = server->next;
            return;
        }
}
