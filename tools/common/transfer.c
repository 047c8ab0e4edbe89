/* transfer.c — sends one file over the file queue, as slaves and importers do. */
#include "common/transfer.h"

#include "common/reach.h"
#include "file.piw.h"
#include "piw/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_MAX = 1 << 20,   /* bytes the master may ask for at once */
    HELLO_EVERY_MS = 5000, /* silence after which HELLO is said again */
    SEND_MS = 1000,        /* while the queue is full, look for answers and signals so often */
};

typedef struct sending {
    const tool_transfer *transfer;
    piw_client *queue;
    int fd;
    int64_t size, sent;
    uint8_t *piece; /* PIECE_MAX bytes */
} sending;

/* Sends, however long the queue is full, but not longer than the master may be silent. */
static int send_patiently(sending *s, piw_msg **msg, piw_err *err)
{
    int64_t until_ns = piw_monotonic_ns() + s->transfer->silence_ms * INT64_C(1000000);
    int rc;
    while ((rc = piw_client_send(s->queue, msg, SEND_MS, err)) == PIW_EAGAIN) {
        rc = s->transfer->wait(s->transfer->arg, -1, 0);
        if (rc != 0 && rc != PIW_EDEADLINE)
            break;
        if (piw_monotonic_ns() > until_ns) {
            rc = piw_err_set(err, PIW_EDEAD, "the file queue at %.200s accepts no data", s->transfer->address);
            break;
        }
    }
    piw_msg_free(msg);
    return rc;
}

static int say_hello(sending *s, piw_err *err)
{
    piw_msg *msg = file_HELLO_make(s->transfer->id, s->transfer->token);
    return send_patiently(s, &msg, err);
}

/* What lies outside the file or is longer than a piece isn't answered: that is no master of ours. */
static int on_fetch(sending *s, const file_FETCH *fetch, piw_err *err)
{
    if (fetch->offset < 0 || fetch->offset >= s->size || fetch->length <= 0)
        return 0;
    int64_t length = fetch->length < s->size - fetch->offset ? fetch->length : s->size - fetch->offset;
    if (length > PIECE_MAX)
        length = PIECE_MAX;
    for (int64_t got = 0; got < length;) {
        ssize_t n = pread(s->fd, s->piece + got, (size_t)(length - got), fetch->offset + got);
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
    chunk->data = (piw_bytes){s->piece, (uint32_t)length};
    int rc = send_patiently(s, &msg, err);
    /* A piece that is asked for twice counts twice: it can't be known which of the two got lost. */
    s->sent = s->sent + length < s->size ? s->sent + length : s->size;
    if (rc == 0 && s->transfer->progress != NULL)
        s->transfer->progress(s->transfer->arg, s->sent, s->size);
    return rc;
}

/* Everything that has arrived. *heard when there was anything; *done when the master has it all. */
static int read_queue(sending *s, bool *heard, bool *done, piw_err *err)
{
    piw_msg *msg = NULL;
    piw_err ignored_err = {0};
    int rc;
    while (!*done && (rc = piw_client_recv(s->queue, &msg, 0, &ignored_err)) != PIW_EAGAIN) {
        if (rc == PIW_ESHAPE) {
            ignored_err = (piw_err){0};
            continue;
        }
        if (rc != 0)
            return piw_err_set(err, rc, "%s", ignored_err.text);
        *heard = true;
        if (piw_msg_type_of(msg) == file_DONE_type())
            *done = true;
        else
            rc = on_fetch(s, file_FETCH_of(msg), err);
        piw_msg_free(&msg);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Has the master been silent for too long, or was it never there? */
static int check_silence(const sending *s, int64_t silent_ms, piw_err *err)
{
    const tool_transfer *transfer = s->transfer;
    if (transfer->reach_ms > 0 && silent_ms > transfer->reach_ms && !piw_client_met(s->queue))
        return tool_no_master(transfer->address, err);
    if (silent_ms > transfer->silence_ms)
        return piw_err_set(err, PIW_EDEAD, "the file queue at %.200s doesn't answer", transfer->address);
    return 0;
}

static int converse(sending *s, piw_err *err)
{
    int64_t heard_ns = piw_monotonic_ns(), hello_ns = heard_ns;
    int rc = say_hello(s, err);
    for (bool done = false; rc == 0 && !done;) {
        bool heard = false;
        rc = read_queue(s, &heard, &done, err);
        int64_t now_ns = piw_monotonic_ns();
        if (heard)
            heard_ns = hello_ns = now_ns;
        if (rc == 0 && !done)
            rc = check_silence(s, (now_ns - heard_ns) / 1000000, err);
        if (rc != 0 || done)
            break;
        int64_t left_ms = HELLO_EVERY_MS - (now_ns - hello_ns) / 1000000;
        if (left_ms <= 0) {
            rc = say_hello(s, err);
            hello_ns = now_ns;
            continue;
        }
        rc = s->transfer->wait(s->transfer->arg, piw_client_fd(s->queue), left_ms);
        if (rc == PIW_EDEADLINE)
            rc = 0;
    }
    return rc;
}

int tool_transfer_file(const tool_transfer *transfer, const char *path, piw_err *err)
{
    sending s = {.transfer = transfer, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat status;
    if (s.fd < 0 || fstat(s.fd, &status) != 0) {
        int rc = piw_err_errno(err, "%s", path);
        if (s.fd >= 0)
            close(s.fd);
        return rc;
    }
    s.size = status.st_size;
    /* Pieces that the file has no more would be asked for without end. */
    if (transfer->size != 0 && s.size != transfer->size) {
        close(s.fd);
        return piw_err_set(err, PIW_ESYS, "it was changed meanwhile: it had %lld bytes, now it has %lld",
                           (long long)transfer->size, (long long)s.size);
    }
    s.piece = piw_alloc(PIECE_MAX);
    /* This queue's frames are plain: no codec is used. */
    int rc = piw_client_open_with(&s.queue, &file_protocol_def, transfer->address, PIW_MSGPACK, transfer->key, err);
    if (rc == 0)
        rc = converse(&s, err);
    piw_client_close(&s.queue);
    free(s.piece);
    close(s.fd);
    return rc;
}
