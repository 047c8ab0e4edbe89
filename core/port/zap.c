/* zap.c — who may connect (docs/security.md#from-the-socket-to-the-handler). libzmq asks here, at
 * inproc://zeromq.zap.01, before it lets a connection through to a queue that is declared "admitted", and to every encrypted one.
 * Its domain says which address of which queue that is: "crowd", or "crowd-curve". It has one thread of its own, answers at
 * once, keeps bounded figures for each address and key, and reads the folder of keys again when that changes. */
#include "port/inner.h"
#include "port/keys.h"
#include "port/networks.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    /* Addresses with figures, in sets of WAYS: the one with the oldest window makes room. */
    SETS = 512,
    WAYS = 8,
    LOG_PER_MINUTE = 30,
    ZAP_FRAMES = 7,   /* version, id, domain, address, identity, mechanism, first credential */
    TOKEN = 32,       /* characters before a key in what messages bear */
    RELOAD_MS = 1000, /* until a folder of keys that can't be read is looked at again */
};

#define ENDPOINT "inproc://zeromq.zap.01" /* where libzmq asks */

/* What counts connections: an address at one of ours, or a key. */
typedef struct visitor {
    piw__ip who; /* an IPv4 address, or the /64 that one IPv6 host can choose from; of a known key its first half */
    unsigned domain;
    int64_t window_ns;
    uint32_t count;
    bool told; /* its refusal was logged in this window */
} visitor;

/* An address of ours with networks of its own. */
typedef struct domain {
    char *name;
    piw__networks allow;
} domain;

typedef struct zap {
    pthread_t thread;
    void *socket;
    int stop_fd;
    piw__networks allow; /* of all others */
    domain *domains;
    size_t domains_count;
    bool stale; /* the folder of keys is to be read again */
    visitor visitors[SETS][WAYS];
    piw_log_limiter log;
} zap;

/* One request, as far as it is of interest, and what is answered. */
typedef struct request {
    char frames[ZAP_FRAMES][256];
    int len[ZAP_FRAMES];
    size_t count;
    char name[PIW_KEY_NAME + 1];    /* of the key; "": none is known */
    char user[TOKEN + PIW_KEY_HEX]; /* what messages of the connection will bear */
} request;

enum { DOMAIN = 2, ADDRESS = 3, MECHANISM = 5, CREDENTIAL = 6 };

static zap *running;

/* A peer may send properties of any name itself: by this it can't make one up that says a key was found for it. Written before
 * there are ports. */
static char token[TOKEN + 1];

static const int64_t minute_ns = 60 * 1000000000ll;

static unsigned domain_number(const char *name)
{
    unsigned number = 5381;
    for (; *name != '\0'; name++)
        number = number * 33 + (unsigned char)*name;
    return number;
}

static visitor *visitor_of(zap *self, const piw__ip *who, unsigned number, int64_t now_ns)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ number, half;
    for (unsigned i = 0; i < 16; i += 8) {
        memcpy(&half, who->bytes + i, 8);
        hash = (hash ^ half) * 0xd6e8feb86659fd93u;
        hash ^= hash >> 32;
    }
    visitor *set = self->visitors[hash % SETS], *found = NULL, *oldest = &set[0];
    for (unsigned i = 0; i < WAYS && found == NULL; i++) {
        if (set[i].domain == number && memcmp(set[i].who.bytes, who->bytes, 16) == 0)
            found = &set[i];
        else if (set[i].window_ns < oldest->window_ns)
            oldest = &set[i];
    }
    if (found == NULL || now_ns - found->window_ns >= minute_ns) {
        found = found != NULL ? found : oldest;
        *found = (visitor){.who = *who, .domain = number, .window_ns = now_ns};
    }
    return found;
}

static visitor *visitor_at(zap *self, const request *asked, piw__ip ip)
{
    if (asked->name[0] != '\0')
        memcpy(ip.bytes, asked->frames[CREDENTIAL], sizeof(ip.bytes));
    else if (!piw__ip_v4(&ip))
        memset(ip.bytes + 8, 0, 8);
    return visitor_of(self, &ip, domain_number(asked->frames[DOMAIN]), piw_monotonic_ns());
}

static const piw__networks *networks_of(const zap *self, const char *name)
{
    for (size_t i = 0; i < self->domains_count; i++)
        if (strcmp(self->domains[i].name, name) == 0)
            return &self->domains[i].allow;
    return &self->allow;
}

/* "crowd-curve" -> "crowd"; false: it is no encrypted address. */
static bool encrypted(const char *name, char *queue, size_t size)
{
    size_t len = strlen(name), end = strlen(PIW__CURVE_SUFFIX);
    if (len <= end || len - end >= size || strcmp(name + len - end, PIW__CURVE_SUFFIX) != 0)
        return false;
    memcpy(queue, name, len - end);
    queue[len - end] = '\0';
    return true;
}

/* Is the mechanism the address's own, and the key known? NULL, or why not. */
static const char *check_key(request *asked)
{
    char queue[64];
    const uint8_t *own = (const uint8_t *)asked->frames[CREDENTIAL];
    if (!encrypted(asked->frames[DOMAIN], queue, sizeof(queue)))
        return strcmp(asked->frames[MECHANISM], "NULL") == 0 ? NULL : "it uses a mechanism that this address does not";
    if (strcmp(asked->frames[MECHANISM], "CURVE") != 0 || asked->count <= CREDENTIAL ||
        asked->len[CREDENTIAL] != PIW_KEY_BYTES)
        return "it is not encrypted, and this address is for those who are";
    if (!piw__keys_find(own, queue, asked->name))
        return "its key is not known, was revoked, or is not for this queue";
    memcpy(asked->user, token, TOKEN);
    piw_key_text(own, asked->user + TOKEN);
    return NULL;
}

/* The status of ZAP: 200 come in; 300 come again later; 400 stay out. */
static const char *admit(zap *self, request *asked)
{
    piw__ip ip = {0};
    const char *address = asked->frames[ADDRESS], *refusal = NULL, *status = "400";
    if (!piw__ip_parse(address, &ip))
        refusal = "its address can't be read";
    else if (!piw__networks_hold(networks_of(self, asked->frames[DOMAIN]), &ip))
        refusal = "it is in none of the networks of [auth] allow";
    else
        refusal = check_key(asked);
    if (refusal == NULL && piw__ip_loopback(&ip))
        return "200";
    visitor *from = visitor_at(self, asked, ip);
    if (refusal == NULL && ++from->count > PIW_LIMIT_CONNECTIONS_PER_MIN) {
        refusal = "too many new connections in one minute";
        status = "300";
    }
    if (refusal == NULL)
        return "200";
    if (piw__ip_v4(&ip) && strncmp(address, "::ffff:", 7) == 0)
        address += 7;
    if (!from->told)
        piw_log_limited(&self->log, LOG_PER_MINUTE, PIW_LOG_WARNING, "queue %s: connection from %s refused: %s",
                        asked->frames[DOMAIN], address, refusal);
    from->told = true;
    return status;
}

/* One request: false when libzmq is stopping. */
static bool receive(zap *self, request *asked)
{
    int more = 1;
    *asked = (request){0};
    while (more) {
        char scratch[256];
        char *to = asked->count < ZAP_FRAMES ? asked->frames[asked->count] : scratch;
        int len = zmq_recv(self->socket, to, sizeof(scratch) - 1, asked->count == 0 ? ZMQ_DONTWAIT : 0);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR;
        to[len < (int)sizeof(scratch) ? len : (int)sizeof(scratch) - 1] = '\0';
        if (asked->count < ZAP_FRAMES)
            asked->len[asked->count] = len;
        size_t size = sizeof(more);
        if (zmq_getsockopt(self->socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
        asked->count++;
    }
    return true;
}

static bool serve(zap *self)
{
    request asked;
    if (!receive(self, &asked) || asked.count == 0)
        return asked.count == 0 && errno != ETERM;
    const char *status = asked.count > MECHANISM && strcmp(asked.frames[0], "1.0") == 0 ? admit(self, &asked) : "500";
    const char *user = status[0] == '2' ? asked.user : "";
    const char *reply[] = {"1.0", asked.frames[1], status, status[0] == '2' ? "OK" : "refused", user, ""};
    for (size_t i = 0; i < PIW_COUNT(reply); i++)
        if (zmq_send(self->socket, reply[i], strlen(reply[i]), i + 1 < PIW_COUNT(reply) ? ZMQ_SNDMORE : 0) < 0)
            return errno == EINTR;
    return true;
}

static void reload(zap *self)
{
    piw_err err = {0};
    self->stale = piw__keys_reload(&err) != 0;
    if (self->stale)
        piw_log_limited(&self->log, LOG_PER_MINUTE, PIW_LOG_ERROR, "the keys that were known stay in force: %s",
                        err.text);
    else
        piw_info("the folder of keys was read again");
}

static void *zap_main(void *arg)
{
    zap *self = arg;
    piw_log_name_thread("master.admission");
    zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN},
                              {.fd = self->stop_fd, .events = ZMQ_POLLIN},
                              {.fd = piw__keys_fd(), .events = ZMQ_POLLIN}};
    int count = items[2].fd >= 0 ? 3 : 2;
    bool go_on = true;
    while (go_on) {
        if (zmq_poll(items, count, self->stale ? RELOAD_MS : -1) < 0 && errno != EINTR)
            break;
        if (items[1].revents != 0)
            break;
        if (count == 3 && (items[2].revents != 0 || self->stale))
            reload(self); /* before who asks is answered by what was known */
        if (items[0].revents != 0)
            go_on = serve(self);
    }
    zmq_unbind(self->socket, ENDPOINT); /* at once: closing is finished later, and another may want the name */
    zmq_close(self->socket);
    return NULL;
}

const char *piw__zap_key(const char *user)
{
    return token[0] != '\0' && strncmp(user, token, TOKEN) == 0 ? user + TOKEN : "";
}

bool piw__zap_running(void)
{
    return running != NULL;
}

static void zap_free(zap *self)
{
    if (self->stop_fd >= 0)
        close(self->stop_fd);
    for (size_t i = 0; i < self->domains_count; i++) {
        free(self->domains[i].name);
        piw__networks_fini(&self->domains[i].allow);
    }
    free(self->domains);
    piw__networks_fini(&self->allow);
    free(self);
}

/* The thread takes no signals: they are the main thread's. */
static int thread_start(zap *self, piw_err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&self->thread, NULL, zap_main, self);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        zmq_close(self->socket);
        return piw_err_set(err, PIW_ESYS, "the admission check can't start a thread: %s", strerror(failed));
    }
    return 0;
}

static int set_networks(zap *self, const piw__zap_settings *settings, piw_err *err)
{
    int rc = piw__networks_parse(&self->allow, settings->allow != NULL ? settings->allow : "all", err);
    if (rc != 0)
        piw_err_prefix(err, "[auth] allow");
    self->domains = piw_zalloc((settings->count + 1) * sizeof(*self->domains));
    for (size_t i = 0; i < settings->count && rc == 0; i++) {
        domain *at = &self->domains[self->domains_count++];
        at->name = piw_strdup(settings->names[i]);
        rc = piw__networks_parse(&at->allow, settings->allows[i], err);
        if (rc != 0)
            piw_err_prefix(err, "[auth] allow-%s", settings->names[i]);
    }
    return rc;
}

static int make_token(piw_err *err)
{
    uint8_t bytes[TOKEN / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return piw_err_errno(err, "the admission check gets no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int listen_here(zap *self, piw_err *err)
{
    void *context = piw__zmq_context();
    int linger = 0;
    self->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->stop_fd < 0)
        return piw_err_errno(err, "the admission check can't be stopped again");
    if (context == NULL || (self->socket = zmq_socket(context, ZMQ_REP)) == NULL)
        return piw_err_set(err, PIW_ENET, "the admission check can't make a socket: %s", zmq_strerror(errno));
    if (zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_bind(self->socket, ENDPOINT) != 0) {
        int rc = piw_err_set(err, PIW_ENET, "the admission check can't listen: %s", zmq_strerror(errno));
        zmq_close(self->socket);
        return rc;
    }
    return thread_start(self, err);
}

static void say_networks(const zap *self, const piw__zap_settings *settings)
{
    if (piw__networks_all(&self->allow))
        piw_info("every network may connect to the queues that check who does; [auth] allow names those that should");
    else
        piw_info("networks that may connect to the queues that check who does: %s", settings->allow);
    for (size_t i = 0; i < settings->count; i++)
        piw_info("networks that may connect to %s: %s", settings->names[i], settings->allows[i]);
}

int piw__zap_start(const piw__zap_settings *settings, piw_err *err)
{
    if (running != NULL)
        return piw_err_set(err, PIW_EEXIST, "the admission check is running already");
    zap *self = piw_zalloc(sizeof(*self));
    self->stop_fd = -1;
    int rc = set_networks(self, settings, err);
    if (rc == 0 && settings->keys != NULL)
        rc = piw__keys_open(settings->keys, err);
    bool keys = rc == 0 && settings->keys != NULL;
    rc = rc != 0 ? rc : make_token(err);
    rc = rc != 0 ? rc : listen_here(self, err);
    if (rc != 0) {
        if (keys)
            piw__keys_close();
        zap_free(self);
        return rc;
    }
    running = self;
    say_networks(self, settings);
    return 0;
}

void piw__zap_stop(void)
{
    zap *self = running;
    if (self == NULL)
        return;
    running = NULL;
    uint64_t one = 1;
    if (write(self->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        piw_error("the admission check can't be told to stop");
    pthread_join(self->thread, NULL);
    piw__keys_close();
    zap_free(self);
}
