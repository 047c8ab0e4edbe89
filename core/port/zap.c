/* zap.c — who may connect (docs/security.md#from-the-socket-to-the-handler). libzmq asks here, at
 * inproc://zeromq.zap.01, before it lets a connection through to a queue that is declared "admitted". Mechanism NULL
 * only: others are refused until keys are known. It has one thread of its own, answers at once, and keeps bounded
 * figures for each address. */
#include "port/inner.h"
#include "port/networks.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    /* Addresses with figures, in sets of WAYS: the one with the oldest window makes room. */
    SETS = 512,
    WAYS = 8,
    LOG_PER_MINUTE = 30,
    ZAP_FRAMES = 7, /* version, id, domain, address, identity, mechanism, first credential */
};

#define ENDPOINT "inproc://zeromq.zap.01" /* where libzmq asks */

typedef struct visitor {
    piw__ip network; /* an IPv4 address, or the /64 that one IPv6 host can choose from */
    int64_t window_ns;
    uint32_t count;
    bool told; /* its refusal was logged in this window */
} visitor;

typedef struct zap {
    pthread_t thread;
    void *socket;
    int stop_fd;
    piw__networks allow;
    visitor visitors[SETS][WAYS];
    piw_log_limiter log;
} zap;

static zap *running;

static const int64_t minute_ns = 60 * 1000000000ll;

static visitor *visitor_of(zap *z, const piw__ip *ip, int64_t now_ns)
{
    piw__ip network = *ip;
    if (!piw__ip_v4(ip))
        memset(network.bytes + 8, 0, 8);
    uint64_t hash = 0x9e3779b97f4a7c15u, half;
    for (unsigned i = 0; i < 16; i += 8) {
        memcpy(&half, network.bytes + i, 8);
        hash = (hash ^ half) * 0xd6e8feb86659fd93u;
        hash ^= hash >> 32;
    }
    visitor *set = z->visitors[hash % SETS], *found = &set[0];
    for (unsigned i = 0; i < WAYS; i++) {
        if (memcmp(set[i].network.bytes, network.bytes, 16) == 0) {
            found = &set[i];
            break;
        }
        if (set[i].window_ns < found->window_ns)
            found = &set[i];
    }
    if (memcmp(found->network.bytes, network.bytes, 16) != 0 || now_ns - found->window_ns >= minute_ns)
        *found = (visitor){.network = network, .window_ns = now_ns};
    return found;
}

/* The status of ZAP: 200 come in; 300 come again later; 400 stay out. */
static const char *admit(zap *z, const char *domain, const char *address, const char *mechanism)
{
    piw__ip ip = {0};
    const char *why = NULL, *status = "400";
    if (!piw__ip_parse(address, &ip))
        why = "its address can't be read";
    else if (strcmp(mechanism, "NULL") != 0)
        why = "it uses a mechanism that this master does not";
    else if (!piw__networks_hold(&z->allow, &ip))
        why = "it is in none of the networks of [auth] allow";
    else if (piw__ip_loopback(&ip))
        return "200";
    visitor *from = visitor_of(z, &ip, piw_monotonic_ns());
    if (why == NULL && ++from->count > PIW_LIMIT_CONNECTIONS_PER_MIN) {
        why = "too many new connections in one minute";
        status = "300";
    }
    if (why == NULL)
        return "200";
    if (piw__ip_v4(&ip) && strncmp(address, "::ffff:", 7) == 0)
        address += 7;
    if (!from->told)
        piw_log_limited(&z->log, LOG_PER_MINUTE, PIW_LOG_WARNING, "queue %s: connection from %s refused: %s", domain,
                        address, why);
    from->told = true;
    return status;
}

/* One request: false when libzmq is stopping. */
static bool serve(zap *z)
{
    char frames[ZAP_FRAMES][256] = {{0}};
    size_t count = 0;
    int more = 1;
    while (more) {
        char scratch[256];
        char *to = count < ZAP_FRAMES ? frames[count] : scratch;
        int len = zmq_recv(z->socket, to, sizeof(scratch) - 1, count == 0 ? ZMQ_DONTWAIT : 0);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR;
        to[len < (int)sizeof(scratch) ? len : (int)sizeof(scratch) - 1] = '\0';
        size_t size = sizeof(more);
        if (zmq_getsockopt(z->socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
        count++;
    }
    const char *status =
        count >= 6 && strcmp(frames[0], "1.0") == 0 ? admit(z, frames[2], frames[3], frames[5]) : "500";
    const char *reply[] = {"1.0", frames[1], status, status[0] == '2' ? "OK" : "refused", "", ""};
    for (size_t i = 0; i < PIW_COUNT(reply); i++)
        if (zmq_send(z->socket, reply[i], strlen(reply[i]), i + 1 < PIW_COUNT(reply) ? ZMQ_SNDMORE : 0) < 0)
            return errno == EINTR;
    return true;
}

static void *zap_main(void *arg)
{
    zap *z = arg;
    piw_log_name_thread("master.admission");
    zmq_pollitem_t items[] = {{.socket = z->socket, .events = ZMQ_POLLIN}, {.fd = z->stop_fd, .events = ZMQ_POLLIN}};
    bool go_on = true;
    while (go_on) {
        if (zmq_poll(items, 2, -1) < 0 && errno != EINTR)
            break;
        if (items[1].revents != 0)
            break;
        if (items[0].revents != 0)
            go_on = serve(z);
    }
    zmq_unbind(z->socket, ENDPOINT); /* unbind now: closing ends later, and the next check needs the name */
    zmq_close(z->socket);
    return NULL;
}

bool piw__zap_running(void)
{
    return running != NULL;
}

static void zap_free(zap *z)
{
    if (z->stop_fd >= 0)
        close(z->stop_fd);
    piw__networks_fini(&z->allow);
    free(z);
}

/* The thread takes no signals: they are the main thread's. */
static int thread_start(zap *z, piw_err *err)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int why = pthread_create(&z->thread, NULL, zap_main, z);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (why != 0) {
        zmq_close(z->socket);
        return piw_err_set(err, PIW_ESYS, "the admission check can't start a thread: %s", strerror(why));
    }
    return 0;
}

int piw__zap_start(const char *allow, piw_err *err)
{
    if (running != NULL)
        return piw_err_set(err, PIW_EEXIST, "the admission check is running already");
    zap *z = piw_zalloc(sizeof(*z));
    z->stop_fd = -1;
    int rc = piw__networks_parse(&z->allow, allow != NULL ? allow : "all", err);
    if (rc != 0) {
        piw_err_prefix(err, "[auth] allow");
        zap_free(z);
        return rc;
    }
    void *context = piw__zmq_context();
    int linger = 0;
    z->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (z->stop_fd < 0)
        rc = piw_err_errno(err, "the admission check can't be stopped again");
    else if (context == NULL || (z->socket = zmq_socket(context, ZMQ_REP)) == NULL)
        rc = piw_err_set(err, PIW_ENET, "the admission check can't make a socket: %s", zmq_strerror(errno));
    else if (zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
             zmq_bind(z->socket, ENDPOINT) != 0) {
        rc = piw_err_set(err, PIW_ENET, "the admission check can't listen: %s", zmq_strerror(errno));
        zmq_close(z->socket);
    } else {
        rc = thread_start(z, err);
    }
    if (rc != 0) {
        zap_free(z);
        return rc;
    }
    running = z;
    if (piw__networks_all(&z->allow))
        piw_info("every network may connect to the queues that check who does; [auth] allow names those that should");
    else
        piw_info("networks that may connect to the queues that check who does: %s", allow);
    return 0;
}

void piw__zap_stop(void)
{
    zap *z = running;
    if (z == NULL)
        return;
    running = NULL;
    uint64_t one = 1;
    if (write(z->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        piw_error("the admission check can't be told to stop");
    pthread_join(z->thread, NULL);
    zap_free(z);
}
