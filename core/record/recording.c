/* recording.c — a recording is written: what tasks add lies in memory until the recording's own thread has written it. */
#include "record/recording.h"

#include "base/clock.h"
#include "base/fd.h"
#include "piw/log.h"
#include "record/frame.h"
#include "record/shape.h"
#include "recording.piw.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WAITING_MAX = 64 << 20, /* bytes in memory: a disk that is slower than that for long can't follow */
    END_ROOM = 4096,        /* below the bound on its size, for the record that ends it */
    PROTOCOLS_MAX = 999,
    LOOK_MS = 500,
    GATHER_MS = 20,
    GATHER_BYTES = 256 << 10,
};

struct piw__recording {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* by CLOCK_MONOTONIC */
    pthread_t thread;
    unsigned refs;
    int fd;
    char *path, *task;
    uint64_t max;
    int64_t until_ns;
    /* Under the lock. */
    piw_buffer waiting;
    uint64_t bytes;    /* taken, written or waiting */
    bool ending, over; /* nothing more is taken; all is on disk */
    char why[200];
    const piw_protocol *protocols[PROTOCOLS_MAX + 1];
    int64_t protocols_count;
    uint64_t *firsts; /* hashes of what was asked for, open addressing */
    size_t firsts_count, firsts_size;
};

/* --- The thread that writes ---------------------------------------------------------------------------------------- */

/* Under the lock: nothing more is taken. The first reason stands. */
static void begin_end(piw__recording *self, const char *why)
{
    if (self->ending)
        return;
    self->ending = true;
    snprintf(self->why, sizeof(self->why), "%s", why);
    pthread_cond_broadcast(&self->changed);
}

/* Under the lock: wait until there is something to do; the time may be up. */
static void wait_for_work(piw__recording *self)
{
    while (self->waiting.len == 0 && !self->ending) {
        if (self->until_ns == 0) {
            pthread_cond_wait(&self->changed, &self->lock);
            continue;
        }
        int64_t now_ns = piw_monotonic_ns(), until_ns = now_ns + LOOK_MS * INT64_C(1000000);
        if (now_ns >= self->until_ns) {
            begin_end(self, "its time was up");
            return;
        }
        if (self->until_ns < until_ns)
            until_ns = self->until_ns;
        struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
        pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    if (self->until_ns != 0 && piw_monotonic_ns() >= self->until_ns)
        begin_end(self, "its time was up");
}

/* The last record, after all others; on a full disk it is left out, and the file is one that breaks off. */
static int write_end(piw__recording *self)
{
    recording_end *body;
    piw_buffer framed = {0};
    piw_msg *msg = recording_end_new(&body);
    body->at_ns = piw_monotonic_ns();
    body->why = piw_msg_textz(msg, self->why);
    piw__recording_frame(&framed, msg);
    piw_msg_free(&msg);
    int failed = piw__fd_write(self->fd, framed.data, framed.len) == 0 ? 0 : errno;
    piw_buffer_fini(&framed);
    return failed == 0 && fdatasync(self->fd) != 0 ? errno : failed;
}

static void say_end(const piw__recording *self, bool trouble)
{
    char text[600];
    snprintf(text, sizeof(text), "the recording of %s in %s has ended: %s", self->task, self->path, self->why);
    if (trouble)
        piw_warning("%s; the task goes on", text);
    else
        piw_info("%s", text);
}

/* Some more may come: a write for each message would cost more than all else. */
static void gather(piw__recording *self)
{
    const struct timespec rest = {.tv_nsec = GATHER_MS * 1000000};
    if (self->ending || self->waiting.len >= GATHER_BYTES)
        return;
    pthread_mutex_unlock(&self->lock);
    nanosleep(&rest, NULL);
    pthread_mutex_lock(&self->lock);
}

static void *writer(void *arg)
{
    piw__recording *self = arg;
    piw_buffer batch = {0};
    bool trouble = false;
    piw_log_name_thread("master.recorder");
    pthread_mutex_lock(&self->lock);
    for (;;) {
        wait_for_work(self);
        gather(self);
        batch = self->waiting;
        self->waiting = (piw_buffer){0};
        bool last = self->ending;
        pthread_mutex_unlock(&self->lock);
        int failed = piw__fd_write(self->fd, batch.data, batch.len) == 0 ? 0 : errno;
        piw_buffer_fini(&batch);
        if (failed == 0 && last)
            failed = write_end(self);
        pthread_mutex_lock(&self->lock);
        if (failed != 0 && !trouble) {
            char text[200], reason[100];
            trouble = true;
            snprintf(text, sizeof(text), "it can't be written: %s", strerror_r(failed, reason, sizeof(reason)));
            self->ending = false; /* this reason is worth more than one that came meanwhile */
            begin_end(self, text);
        }
        if (last || failed != 0)
            break;
    }
    close(self->fd);
    self->fd = -1;
    piw_buffer_fini(&self->waiting);
    self->over = true;
    say_end(self, trouble);
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- Made and ended ------------------------------------------------------------------------------------------------ */

static int start_thread(piw__recording *self, piw_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->thread, NULL, writer, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) {
        pthread_setname_np(self->thread, "recorder");
        return 0;
    }
    errno = failed;
    return piw_err_errno(err, "the recording's thread can't be started");
}

static void free_it(piw__recording *self)
{
    if (self->fd >= 0)
        close(self->fd);
    piw_buffer_fini(&self->waiting);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self->firsts);
    free(self->path);
    free(self->task);
    free(self);
}

int piw__recording_new(piw__recording **made, const char *task, const char *path, uint64_t max, int64_t until_ns,
                       piw_err *err)
{
    uint8_t head[PIW__RECORD_HEAD];
    pthread_condattr_t monotonic;
    *made = NULL;
    if (path[0] != '/')
        return piw_err_set(err, PIW_EINVAL, "the file of a recording is named from / on, not \"%s\"", path);
    piw_protocol_use(&recording_protocol_def);
    piw__recording *self = piw_zalloc(sizeof(*self));
    self->refs = 1;
    self->path = piw_strdup(path);
    self->task = piw_strdup(task);
    self->max = max;
    self->until_ns = until_ns;
    self->bytes = sizeof(head);
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    self->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = self->fd < 0 ? piw_err_errno(err, "the recording %s can't be made", path) : 0;
    bool is_made = rc == 0;
    piw__record_head_put(head);
    if (rc == 0 && piw__fd_write(self->fd, head, sizeof(head)) != 0)
        rc = piw_err_errno(err, "the recording %s can't be written", path);
    if (rc == 0)
        rc = start_thread(self, err);
    if (rc != 0) {
        if (is_made)
            unlink(path);
        free_it(self);
        return rc;
    }
    *made = self;
    return 0;
}

piw__recording *piw__recording_ref(piw__recording *self)
{
    pthread_mutex_lock(&self->lock);
    self->refs++;
    pthread_mutex_unlock(&self->lock);
    return self;
}

void piw__recording_unref(piw__recording **recording)
{
    piw__recording *self = *recording;
    *recording = NULL;
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->lock);
    bool last = --self->refs == 0;
    if (last)
        begin_end(self, "its task has ended");
    pthread_mutex_unlock(&self->lock);
    if (!last)
        return;
    pthread_join(self->thread, NULL);
    free_it(self);
}

const char *piw__recording_path(const piw__recording *self)
{
    return self->path;
}

bool piw__recording_over(piw__recording *self)
{
    pthread_mutex_lock(&self->lock);
    bool over = self->ending;
    pthread_mutex_unlock(&self->lock);
    return over;
}

bool piw__recording_closed(piw__recording *self)
{
    pthread_mutex_lock(&self->lock);
    bool closed = self->over;
    pthread_mutex_unlock(&self->lock);
    return closed;
}

void piw__recording_end(piw__recording *self, const char *why)
{
    pthread_mutex_lock(&self->lock);
    begin_end(self, why);
    pthread_mutex_unlock(&self->lock);
}

void piw__recording_close(piw__recording *self, const char *why)
{
    pthread_mutex_lock(&self->lock);
    begin_end(self, why);
    while (!self->over)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void piw__recording_tell(piw__recording *self, char *to, size_t size)
{
    pthread_mutex_lock(&self->lock);
    snprintf(to, size, "%llu bytes in %s%s%s", (unsigned long long)self->bytes, self->path,
             self->ending ? "; it has ended: " : "", self->why);
    pthread_mutex_unlock(&self->lock);
}

/* --- What is added -------------------------------------------------------------------------------------------------- */

static void append(piw_buffer *to, const void *data, size_t len)
{
    if (piw_buffer_add(to, data, len) != 0)
        (void)piw_alloc(SIZE_MAX / 2); /* says that there is no memory, and gives up */
}

void piw__recording_frame(piw_buffer *to, const piw_msg *record)
{
    uint8_t frame[PIW__RECORD_FRAME] = {0};
    size_t at = to->len;
    piw_err err = {0};
    append(to, frame, sizeof(frame));
    size_t start = to->len;
    if (piw_encode(record, PIW_MSGPACK, to, &err) != 0 || to->len - start > UINT32_MAX) {
        /* A message that a task made by hand against its own bounds: who got it has had trouble enough. */
        piw_warning("a record of %s is left out: %s", piw_msg_type_of(record)->name, err.text);
        to->len = at;
        return;
    }
    piw__record_u32_put(to->data + at, (uint32_t)(to->len - start));
    piw__record_u32_put(to->data + at + 4, piw__record_check(to->data + start, to->len - start));
}

/* Under the lock. */
static void add(piw__recording *self, const void *data, size_t len)
{
    char text[120];
    if (self->ending || len == 0)
        return;
    if (self->max != 0 && self->bytes + len + END_ROOM > self->max) {
        snprintf(text, sizeof(text), "it may have %llu bytes and would have more", (unsigned long long)self->max);
        begin_end(self, text);
        return;
    }
    if (self->waiting.len + len > WAITING_MAX && self->waiting.len > 0) {
        begin_end(self, "the disk is slower than what comes");
        return;
    }
    append(&self->waiting, data, len);
    self->bytes += len;
    if (self->waiting.len == len)
        pthread_cond_broadcast(&self->changed);
}

void piw__recording_add(piw__recording *self, const void *data, size_t len)
{
    pthread_mutex_lock(&self->lock);
    add(self, data, len);
    pthread_mutex_unlock(&self->lock);
}

void piw__recording_put(piw__recording *self, piw_msg **record)
{
    piw_buffer framed = {0};
    piw__recording_frame(&framed, *record);
    piw_msg_free(record);
    piw__recording_add(self, framed.data, framed.len);
    piw_buffer_fini(&framed);
}

int64_t piw__recording_protocol(piw__recording *self, const piw_protocol *protocol)
{
    int64_t number = 1;
    pthread_mutex_lock(&self->lock);
    while (number <= self->protocols_count && self->protocols[number] != protocol)
        number++;
    if (number > self->protocols_count && number <= PROTOCOLS_MAX) {
        piw_buffer framed = {0};
        piw_msg *shape = piw__shape_write(protocol, number);
        self->protocols[number] = protocol;
        self->protocols_count = number;
        piw__recording_frame(&framed, shape);
        piw_msg_free(&shape);
        add(self, framed.data, framed.len);
        piw_buffer_fini(&framed);
    }
    pthread_mutex_unlock(&self->lock);
    return number <= PROTOCOLS_MAX ? number : 0;
}

/* Under the lock: is the hash new? */
static bool put_first(piw__recording *self, uint64_t hash)
{
    if (self->firsts_count * 2 >= self->firsts_size) {
        uint64_t *old = self->firsts;
        size_t size = self->firsts_size;
        self->firsts_size = size == 0 ? 1024 : size * 2;
        self->firsts = piw_zalloc(self->firsts_size * sizeof(*self->firsts));
        self->firsts_count = 0;
        for (size_t i = 0; i < size; i++)
            if (old[i] != 0)
                put_first(self, old[i]);
        free(old);
    }
    size_t at = hash & (self->firsts_size - 1);
    while (self->firsts[at] != 0 && self->firsts[at] != hash)
        at = (at + 1) & (self->firsts_size - 1);
    bool is_new = self->firsts[at] == 0;
    self->firsts[at] = hash;
    self->firsts_count += is_new;
    return is_new;
}

bool piw__recording_first(piw__recording *self, const char *kind, const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = kind; *at != 0; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    for (const char *at = text; *at != 0; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    pthread_mutex_lock(&self->lock);
    bool first = put_first(self, hash != 0 ? hash : 1);
    pthread_mutex_unlock(&self->lock);
    return first;
}

piw_blob *piw__recording_body(const piw_msg *msg)
{
    const piw_msg_type *type = piw_msg_type_of(msg);
    piw_buffer bytes = {0};
    piw_err err = {0};
    piw_blob *blob = NULL;
    if (type->body->fields_count == 0)
        return NULL;
    if (piw_encode_value(type->body, 0, piw_msg_any_body(msg), PIW_MSGPACK, &bytes, &err) == 0)
        blob = piw_blob_new(bytes.data, bytes.len);
    piw_buffer_fini(&bytes);
    return blob;
}
