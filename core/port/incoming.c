/* incoming.c — how much of a message may be under way, on one connection and on all together.
 *
 * libzmq gathers all frames of a message before it hands out the first: its bounds are of a frame, and of whole messages. A message
 * whose last frame never comes grows without end. But libzmq finds recv and close by name, and a program's own come first
 * (tools/piw-master/accept.c): so what it reads passes through here, where the frames' heads are followed
 * (https://rfc.zeromq.org/spec/23/), and a connection whose message grows too large looks to libzmq as if its peer had ended it.
 * A key's connection can't be followed: the bit that says whether a frame is the last is encrypted. Those are known peers.
 *
 * A connection belongs to one thread of libzmq from accept to close; only the sum is shared. */
#include "port/incoming.h"

#include "piw/limits.h"
#include "piw/log.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    GREETING = 64, /* bytes, of which the eleventh is the version */
    SIGNATURE =
        0xff, /* the first of them: who begins otherwise speaks something else, such as HTTP to a task's own server */
    VERSION_AT = 10,
    VERSION_FOLLOWED = 3,
    FRAME_MORE = 1,
    FRAME_LONG = 2,
    FRAME_COMMAND = 4,
    /* While all together hold too much, who holds no more than this goes on: what is said without a large log. */
    SMALL = 1 << 20,
    MUCH = 16 << 20, /* under way: when it is over memory is given back */
    LINES_PER_MINUTE = 2,
};

typedef enum incoming_step { STEP_NONE = 0, STEP_GREETING, STEP_FLAGS, STEP_LENGTH, STEP_BODY } incoming_step;

typedef struct incoming {
    uint8_t step; /* STEP_NONE: not followed */
    uint8_t flags;
    uint8_t digits;      /* of the length, still to come */
    _Atomic bool shakes; /* it hasn't finished its handshake; set and looked at under the lock, taken back without */
    uint32_t turn;       /* its place in the ring below, while it shakes */
    uint32_t frames;
    uint64_t left;  /* bytes of the greeting or of the frame, still to come */
    uint64_t bytes; /* of the unfinished message */
} incoming;

static incoming *connections; /* by descriptor; set before the first is let in, never freed */
static size_t connections_count;
static _Atomic uint64_t under_way; /* bytes of all unfinished messages: a sum that orders nothing, relaxed */
/* The last connections that were let in. One that shakes hands for so long that it leaves the ring is ended: for each libzmq has a
 * timer, and looks through all of them when one ends. */
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static int ring[PIW_LIMIT_HALF_OPEN];
static uint32_t ring_turn;         /* those so far */
static _Atomic uint64_t half_open; /* ended so: a count, relaxed */
static _Atomic uint64_t ended;     /* a count, relaxed */

static void take(incoming *self, uint64_t bytes)
{
    self->bytes += bytes;
    atomic_fetch_add_explicit(&under_way, bytes, memory_order_relaxed);
}

static void forget(incoming *self)
{
    atomic_fetch_sub_explicit(&under_way, self->bytes, memory_order_relaxed);
    self->bytes = self->frames = 0;
}

static void frame_ends(incoming *self)
{
    if ((self->flags & (FRAME_MORE | FRAME_COMMAND)) == 0)
        forget(self);
    atomic_store_explicit(&self->shakes, false, memory_order_relaxed);
    self->step = STEP_FLAGS;
}

static void frame_begins(incoming *self)
{
    if ((self->flags & FRAME_COMMAND) == 0)
        self->frames++;
    self->step = STEP_BODY;
    if (self->left == 0)
        frame_ends(self);
}

static void follow_greeting(incoming *self, const uint8_t *at, size_t len)
{
    uint64_t done = GREETING - self->left;
    if (done == 0 && at[0] != SIGNATURE) {
        self->step = STEP_NONE;
        atomic_store_explicit(&self->shakes, false, memory_order_relaxed);
        return;
    }
    /* Older peers speak in another way; where they would have to be admitted libzmq lets none in. */
    bool older = done <= VERSION_AT && done + len > VERSION_AT && at[VERSION_AT - done] < VERSION_FOLLOWED;
    self->left -= len;
    self->step = older ? STEP_NONE : self->left == 0 ? STEP_FLAGS : STEP_GREETING;
}

/* One step; how many bytes it took. */
static size_t follow(incoming *self, const uint8_t *at, size_t len)
{
    size_t most = len < self->left ? len : (size_t)self->left;
    switch ((incoming_step)self->step) {
    case STEP_GREETING:
        follow_greeting(self, at, most);
        return most;
    case STEP_FLAGS:
        self->flags = *at;
        self->digits = (*at & FRAME_LONG) != 0 ? 8 : 1;
        self->left = 0;
        self->step = STEP_LENGTH;
        return 1;
    case STEP_LENGTH:
        self->left = self->left << 8 | *at;
        if (--self->digits == 0)
            frame_begins(self);
        return 1;
    case STEP_BODY:
        if ((self->flags & FRAME_COMMAND) == 0)
            take(self, most);
        self->left -= most;
        if (self->left == 0)
            frame_ends(self);
        return most;
    case STEP_NONE:
        break;
    }
    return len;
}

static bool too_much(const incoming *self)
{
    return self->bytes > PIW_LIMIT_UNFINISHED || self->frames > PIW_LIMIT_FRAMES ||
           (self->bytes > SMALL &&
            atomic_load_explicit(&under_way, memory_order_relaxed) > (uint64_t)PIW_LIMIT_UNFINISHED_ALL);
}

static incoming *find(int fd)
{
    return fd >= 0 && (size_t)fd < connections_count ? &connections[fd] : NULL;
}

ssize_t piw_incoming_recv(int fd, void *data, size_t size, int flags)
{
    ssize_t n = syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
    incoming *self = n > 0 ? find(fd) : NULL;
    if (self == NULL || self->step == STEP_NONE)
        return n;
    for (size_t at = 0; at < (size_t)n; at += follow(self, (const uint8_t *)data + at, (size_t)n - at))
        ;
    if (!too_much(self))
        return n;
    forget(self);
    self->step = STEP_NONE;
    atomic_fetch_add_explicit(&ended, 1, memory_order_relaxed);
    errno = ECONNRESET;
    return -1;
}

int piw_incoming_close(int fd)
{
    incoming *self = find(fd);
    if (self != NULL && (self->step != STEP_NONE || atomic_load_explicit(&self->shakes, memory_order_relaxed))) {
        pthread_mutex_lock(&ring_lock); /* nobody is about to shut it down, when its number may be another's */
        atomic_store_explicit(&self->shakes, false, memory_order_relaxed);
        pthread_mutex_unlock(&ring_lock);
        forget(self);
        self->step = STEP_NONE;
    }
    return (int)syscall(SYS_close, fd);
}

void piw__incoming_watch(size_t descriptors)
{
    connections = calloc(descriptors, sizeof(*connections));
    connections_count = connections != NULL ? descriptors : 0;
    if (connections == NULL)
        piw_error("no memory to follow %zu connections: messages without an end aren't ended", descriptors);
}

void piw__incoming_begin(int fd)
{
    if ((size_t)fd >= connections_count)
        return;
    pthread_mutex_lock(&ring_lock);
    uint32_t turn = ring_turn++, place = turn % PIW_LIMIT_HALF_OPEN;
    incoming *oldest = turn >= PIW_LIMIT_HALF_OPEN ? &connections[ring[place]] : NULL;
    if (oldest != NULL && oldest->turn == turn - PIW_LIMIT_HALF_OPEN &&
        atomic_load_explicit(&oldest->shakes, memory_order_relaxed) && shutdown(ring[place], SHUT_RDWR) == 0)
        atomic_fetch_add_explicit(&half_open, 1, memory_order_relaxed);
    ring[place] = fd;
    connections[fd] = (incoming){.step = STEP_GREETING, .left = GREETING, .shakes = true, .turn = turn};
    pthread_mutex_unlock(&ring_lock);
}

static void look_at_ended(void)
{
    static uint64_t told;
    static bool much;
    static piw_log_limiter limiter;
    uint64_t now = atomic_load_explicit(&ended, memory_order_relaxed);
    bool much_now = atomic_load_explicit(&under_way, memory_order_relaxed) > MUCH;
    if (much && !much_now)
        malloc_trim(0); /* the allocator keeps what libzmq has freed of them */
    much = much_now || now != told;
    if (now == told)
        return;
    piw_log_limited(
        &limiter, LINES_PER_MINUTE, PIW_LOG_WARNING,
        "%llu connections ended, %llu since the start: a message on them had more than %d MiB or %d frames and "
        "wasn't finished, or all together had more than %d MiB under way",
        (unsigned long long)(now - told), (unsigned long long)now, PIW_LIMIT_UNFINISHED >> 20, PIW_LIMIT_FRAMES,
        PIW_LIMIT_UNFINISHED_ALL >> 20);
    told = now;
}

static void look_at_half_open(void)
{
    static uint64_t told;
    static piw_log_limiter limiter;
    uint64_t now = atomic_load_explicit(&half_open, memory_order_relaxed);
    if (now != told)
        piw_log_limited(
            &limiter, LINES_PER_MINUTE, PIW_LOG_WARNING,
            "%llu connections ended, %llu since the start, that hadn't finished their handshake when %d others had "
            "come",
            (unsigned long long)(now - told), (unsigned long long)now, PIW_LIMIT_HALF_OPEN);
    told = now;
}

void piw__incoming_look(void)
{
    look_at_ended();
    look_at_half_open();
}
