#include "transfer.h"

#include "file.piw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_MAX = 1 << 20,   /* bytes the master may ask for at once (SPEC §5) */
    HELLO_EVERY_MS = 5000, /* silence after which HELLO is said again (SPEC §5) */
    SEND_MS = 1000,        /* a full queue: look at the rest of the world in between */
};

typedef struct transfer {
    slave *slave;
    piw_client *queue;
    int fd;
    int64_t size;
    uint8_t *piece; /* PIECE_MAX bytes */
} transfer;

/* Sends, however long the queue is full, but not longer than the master may be silent. */
static int send_patiently(transfer *t, piw_msg **msg, piw_err *err)
{
    int64_t until_ns = piw_monotonic_ns() + SLAVE_BUSY_TIMEOUT_MS * INT64_C(1000000);
    int rc;
    while ((rc = piw_client_send(t->queue, msg, SEND_MS, err)) == PIW_EAGAIN) {
        rc = slave_wait(t->slave, -1, 0);
        if (rc == PIW_ESTOPPED)
            break;
        if (piw_client_reconnected(t->slave->master) || piw_monotonic_ns() > until_ns) {
            rc = PIW_EDEAD;
            break;
        }
    }
    piw_msg_free(msg);
    return rc;
}

static int say_hello(transfer *t, piw_err *err)
{
    piw_msg *msg = file_HELLO_make(t->slave->id);
    return send_patiently(t, &msg, err);
}

/* What lies outside the file or is longer than a piece isn't answered: that is no master of ours. */
static int on_fetch(transfer *t, const file_FETCH *fetch, piw_err *err)
{
    if (fetch->offset < 0 || fetch->offset >= t->size || fetch->length <= 0)
        return 0;
    int64_t length = fetch->length < t->size - fetch->offset ? fetch->length : t->size - fetch->offset;
    if (length > PIECE_MAX)
        length = PIECE_MAX;
    for (int64_t got = 0; got < length;) {
        ssize_t n = pread(t->fd, t->piece + got, (size_t)(length - got), fetch->offset + got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? piw_err_errno(err, "a wheel can't be read")
                         : piw_err_set(err, PIW_ESYS, "a wheel became shorter while it was sent");
        got += n;
    }
    file_CHUNK *chunk;
    piw_msg *msg = file_CHUNK_new(&chunk);
    chunk->offset = fetch->offset;
    chunk->data = (piw_bytes){t->piece, (uint32_t)length};
    return send_patiently(t, &msg, err);
}

/* Everything that has arrived. *heard when there was anything; *done when the master has it all. */
static int read_queue(transfer *t, bool *heard, bool *done, piw_err *err)
{
    piw_msg *msg = NULL;
    piw_err ignored = {0};
    int rc;
    while (!*done && (rc = piw_client_recv(t->queue, &msg, 0, &ignored)) != PIW_EAGAIN) {
        if (rc == PIW_ESHAPE) {
            ignored = (piw_err){0};
            continue;
        }
        if (rc != 0)
            return piw_err_set(err, rc, "%s", ignored.text);
        *heard = true;
        if (piw_msg_type_of(msg) == file_DONE_type())
            *done = true;
        else
            rc = on_fetch(t, file_FETCH_of(msg), err);
        piw_msg_free(&msg);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int converse(transfer *t, piw_err *err)
{
    int64_t heard_ns = piw_monotonic_ns(), hello_ns = heard_ns;
    int rc = say_hello(t, err);
    for (bool done = false; rc == 0 && !done;) {
        bool heard = false;
        rc = read_queue(t, &heard, &done, err);
        int64_t now_ns = piw_monotonic_ns();
        if (heard)
            heard_ns = hello_ns = now_ns;
        if (rc != 0 || done)
            break;
        if (piw_client_reconnected(t->slave->master))
            return PIW_EDEAD;
        if (now_ns - heard_ns > SLAVE_BUSY_TIMEOUT_MS * INT64_C(1000000))
            return piw_err_set(err, PIW_EDEAD, "the file queue at %s doesn't answer", t->slave->settings.file_queue);
        int64_t left_ms = HELLO_EVERY_MS - (now_ns - hello_ns) / 1000000;
        if (left_ms <= 0) {
            rc = say_hello(t, err);
            hello_ns = now_ns;
            continue;
        }
        rc = slave_wait(t->slave, piw_client_fd(t->queue), left_ms);
        if (rc == PIW_EDEADLINE)
            rc = 0;
    }
    return rc;
}

int slave_transfer(slave *s, const char *path, piw_err *err)
{
    transfer t = {.slave = s, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat status;
    if (t.fd < 0 || fstat(t.fd, &status) != 0) {
        int rc = piw_err_errno(err, "%s", path);
        if (t.fd >= 0)
            close(t.fd);
        return rc;
    }
    t.size = status.st_size;
    t.piece = piw_alloc(PIECE_MAX);
    int rc = piw_client_open(&t.queue, &file_protocol_def, s->settings.file_queue, s->settings.codec, err);
    if (rc == 0)
        rc = converse(&t, err);
    piw_client_close(&t.queue);
    free(t.piece);
    close(t.fd);
    return rc;
}
