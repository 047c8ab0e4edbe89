/* descriptors.c — the border between the descriptors of those who connect and those of the program's own work.
 *
 * libzmq accepts for as long as the process may have descriptors: then no file of the site can be opened any more, the database
 * can't be reached, and libzmq itself ends the process when a local queue can't accept (errno EMFILE is none that it expects
 * there). It has no option for a bound. But it finds accept4 by name, and a program's own comes first
 * (tools/piw-master/accept.c): so what it accepts passes through here, and is closed at once when it would take what is kept.
 * The kernel gives the lowest number that is free: that of a connection tells how many descriptors are in use at least. */
#include "port/descriptors.h"

#include "piw/limits.h"
#include "piw/log.h"
#include "port/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 1000,
    /* Without a refusal for so long the shortage is over. */
    OVER_AFTER_S = 60,
    LINES_PER_MINUTE = 2,
    FOLLOWED_MAX = 1 << 20, /* of 32 bytes each, which are taken as they are used */
    /* libzmq asks again at once when a connection waits that can't be accepted. */
    FULL_PAUSE_NS = 10000000,
};

/* What was seen at the last look, by the one thread that looks. */
typedef struct watcher {
    int64_t looked_ns, refused_ns;
    uint64_t told; /* of the refused, those that are in the log */
    bool quiet;    /* the log has it that nobody is refused any more */
    bool short_of; /* of descriptors for the program's own work */
    piw_log_limiter refused_log, short_log;
} watcher;

static watcher the_watcher = {.quiet = true};
static _Atomic bool watching;    /* orders nothing else: relaxed */
static _Atomic uint64_t refused; /* a count, relaxed */
static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static int spare = -1; /* under spare_lock: given up for a moment, so that a connection can be accepted to be closed */

static rlim_t limit_now(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* Of what is allowed, what whoever connects from outside doesn't get: a third is for the files that peers send, of which each
 * has two connections. Who connects through a socket file belongs to the machine and gets half of that too. */
static rlim_t kept_from(rlim_t limit, bool local)
{
    rlim_t kept = limit / 3 + PIW_LIMIT_DESCRIPTORS_KEPT;
    return local ? kept / 2 : kept;
}

static bool may_stay(int connection)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof(domain);
    rlim_t limit = limit_now();
    if (getsockopt(connection, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || limit == 0)
        return true;
    rlim_t kept = kept_from(limit, domain == AF_UNIX);
    return limit > kept && (rlim_t)connection < limit - kept;
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* None is left. With the spare one the connection is accepted and closed, so that its peer knows and libzmq isn't told of it again
 * and again. */
static void turn_away(int listener)
{
    pthread_mutex_lock(&spare_lock);
    bool had = spare >= 0;
    if (had)
        close(spare);
    int connection = had ? (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (connection >= 0)
        close(connection);
    spare = open_spare();
    pthread_mutex_unlock(&spare_lock);
    if (connection < 0)
        nanosleep(&(struct timespec){.tv_nsec = FULL_PAUSE_NS}, NULL);
}

int piw_descriptors_accept(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    int connection = (int)syscall(SYS_accept4, listener, address, size, flags);
    if (!atomic_load_explicit(&watching, memory_order_relaxed))
        return connection;
    if (connection >= 0 && may_stay(connection)) {
        piw__incoming_begin(connection);
        return connection;
    }
    if (connection >= 0)
        close(connection);
    else if (errno == EMFILE || errno == ENFILE)
        turn_away(listener);
    else
        return -1;
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    errno = ECONNABORTED;
    return -1;
}

/* How many descriptors are in use below the first that is free; the limit itself when none is. */
static rlim_t in_use(rlim_t limit)
{
    int first = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (first < 0)
        return errno == EMFILE ? limit : 0;
    close(first);
    return (rlim_t)first;
}

static void look_at_refused(watcher *self, rlim_t limit, int64_t now_ns)
{
    uint64_t now = atomic_load_explicit(&refused, memory_order_relaxed);
    if (now != self->told) {
        self->refused_ns = now_ns;
        self->quiet = false;
        piw_log_limited(&self->refused_log, LINES_PER_MINUTE, PIW_LOG_WARNING,
                        "descriptors: %llu connections refused, %llu since the start: of the %llu that this process "
                        "may have %llu are kept for the site and the database; see who connects, or raise LimitNOFILE "
                        "of the unit",
                        (unsigned long long)(now - self->told), (unsigned long long)now, (unsigned long long)limit,
                        (unsigned long long)kept_from(limit, false));
        self->told = now;
    } else if (!self->quiet && now_ns - self->refused_ns >= OVER_AFTER_S * INT64_C(1000000000)) {
        piw_info("descriptors: no connection was refused for %d s", OVER_AFTER_S);
        self->quiet = true;
    }
}

static void look_at_left(watcher *self, rlim_t limit)
{
    rlim_t used = in_use(limit);
    rlim_t least = PIW_LIMIT_DESCRIPTORS_KEPT / 2;
    bool few = used + least >= limit;
    if (few && !self->short_of) {
        piw_log_limited(
            &self->short_log, LINES_PER_MINUTE, PIW_LOG_ERROR,
            "descriptors: %llu of the %llu that this process may have are in use: files, the database and connections "
            "will "
            "be refused; raise LimitNOFILE of the unit (ulimit -n), or see what has them: ls -l /proc/%ld/fd",
            (unsigned long long)used, (unsigned long long)limit, (long)getpid());
    } else if (!few && self->short_of) {
        piw_info("descriptors: there are enough again, %llu of %llu are in use", (unsigned long long)used,
                 (unsigned long long)limit);
    }
    self->short_of = few;
}

void piw__descriptors_look(int64_t now_ns)
{
    watcher *self = &the_watcher;
    if (!atomic_load_explicit(&watching, memory_order_relaxed) ||
        now_ns - self->looked_ns < LOOK_EVERY_MS * INT64_C(1000000))
        return;
    self->looked_ns = now_ns;
    rlim_t limit = limit_now();
    look_at_refused(self, limit, now_ns);
    look_at_left(self, limit);
    piw__incoming_look();
    pthread_mutex_lock(&spare_lock);
    if (spare < 0)
        spare = open_spare();
    pthread_mutex_unlock(&spare_lock);
}

/* Each peer is a connection or two, and a file while it sends one. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            piw_warning("can't raise the limit of open files: %s", strerror(errno));
    }
    rlim_t may = limit_now();
    if (may < PIW_LIMIT_DESCRIPTORS_LEAST) {
        piw_error("descriptors: this process may have %llu at most, its tasks alone need about %d, and each "
                  "peer two or three: raise LimitNOFILE of the unit (ulimit -n)",
                  (unsigned long long)may, PIW_LIMIT_DESCRIPTORS_LEAST);
    }
}

void piw_descriptors_watch(void)
{
    raise_limit();
    piw__incoming_watch(limit_now() < FOLLOWED_MAX ? (size_t)limit_now() : FOLLOWED_MAX);
    pthread_mutex_lock(&spare_lock);
    spare = open_spare();
    pthread_mutex_unlock(&spare_lock);
    atomic_store_explicit(&watching, true, memory_order_relaxed);
}
