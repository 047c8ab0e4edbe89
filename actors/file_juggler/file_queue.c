/* file_queue.c — the file queue: what slaves and importers send, piece by piece (docs/wire.md#files). */
#include "jobs.h"
#include "juggler.h"

#include "events.piw.h"
#include "file.piw.h"
#include "shared/site_path.h"
#include "transfers.piw.h"

#include <openssl/crypto.h>

enum {
    STRANGERS_PER_MINUTE = 6,
    TOLD_EVERY_NS = 1000000000, /* that a slave sends, or says HELLO for nothing */
    /* Who carries a transfer and is silent for so long loses it to who asks for it: slaves ask again after five
     * seconds. */
    SILENT_MS = 4000,
    /* While somebody may wait for the end of a build, bytes of a piece: none keeps this thread or the socket's for long. */
    YIELDING_PIECE = 128 << 10,
};

static int send_done(piw_task *task, const transfer *t)
{
    piw_msg *msg = file_DONE_new();
    int rc = piw_peer_send(task, t->peer, &msg);
    piw_msg_free(&msg);
    return rc;
}

static int fetch(piw_task *task, const transfer *t, int64_t offset, int64_t length)
{
    piw_msg *msg = file_FETCH_make(offset, length);
    int rc = piw_peer_send(task, t->peer, &msg);
    piw_msg_free(&msg);
    return rc;
}

/* --- Pace --- */

void file_queue_yield(juggler *self)
{
    int64_t now_ns = piw_monotonic_ns();
    pace_recorded(&self->transfers_pace, now_ns);
    pace_recorded(&self->bulk_pace, now_ns);
}

/* Ask for as much as may be under way. */
static int ask(piw_task *task, transfer *t)
{
    const juggler *self = piw_soul(task);
    int64_t offset, length, most = PIECE_MAX;
    int rc = 0;
    if (yielding(self)) {
        most = YIELDING_PIECE;
        window_stood(&t->window);
    }
    while (rc == 0 && transfers_next_piece(&self->transfers, t, most, &offset, &length))
        rc = fetch(task, t, offset, length);
    return rc;
}

/* What was asked for, or its answer, may have got lost: the same pieces again, so that one that was only late
 * counts. */
static int ask_again(piw_task *task, transfer *t)
{
    int rc = 0;
    window_stood(&t->window);
    for (uint32_t i = 0; rc == 0 && i < t->map.pieces_count; i++) {
        int64_t offset, length;
        if (blocks_piece(&t->map, i, &offset, &length))
            rc = fetch(task, t, offset, length);
    }
    return rc != 0 ? rc : ask(task, t);
}

/* --- Who sends --- */

/* While it sends a file its slave is alive, even if it says nothing on the slave queue. */
static void tell_alive(piw_task *task, transfer *t, int64_t now_ns)
{
    if (t->told_ns != 0 && now_ns - t->told_ns < TOLD_EVERY_NS)
        return;
    piw_msg *event = transfer_alive_make(t->about->slave_id);
    if (piw_emit(task, &event) == 0)
        t->told_ns = now_ns;
    piw_msg_free(&event);
}

/* A task that began anew knows of no transfer that was begun before. Strangers may say any number: all that share a place are told of once
 * a second, and a slave whose turn isn't now says HELLO again. */
static void tell_unknown(piw_task *task, int64_t slave_id)
{
    juggler *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    uint64_t place = piw_table_hash_u64((uint64_t)slave_id ^ self->unknown_seed) % JUGGLER_UNKNOWN;
    int64_t *told_ns = &self->unknown_told_ns[place];
    if (*told_ns != 0 && now_ns - *told_ns < TOLD_EVERY_NS)
        return;
    piw_msg *event = transfer_unknown_make(slave_id);
    if (piw_emit(task, &event) == 0)
        *told_ns = now_ns;
    piw_msg_free(&event);
}

static bool is_this_machine(const char *address)
{
    return strcmp(address, "local") == 0 || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Who was asked over one queue answers over another: a socket file and the loopback interface are the same machine. */
static bool same_place(const char *asked, const char *heard)
{
    return strcmp(asked, heard) == 0 || (is_this_machine(asked) && is_this_machine(heard));
}

/* Stock slaves have no token: theirs are bound to the address. */
static bool brings_token(const transfer *t, piw_text token)
{
    piw_text wanted = t->about->token;
    return wanted.len == 0 || (wanted.len == token.len && CRYPTO_memcmp(wanted.s, token.s, token.len) == 0);
}

/* The transfer that a HELLO is about; NULL, and a line in the log, when there is none for who says it. */
static transfer *find_transfer(piw_task *task, const file_HELLO *hello, const char *address)
{
    juggler *self = piw_soul(task);
    int64_t slave_id = hello->slave_id;
    transfer *t = transfers_of_slave(&self->transfers, slave_id);
    if (t == NULL) {
        piw_log_limited(
            &self->strangers, STRANGERS_PER_MINUTE, PIW_LOG_INFO,
            "%s wants to transfer a file as slave %lld, from which none is waited for: ignored, unless it was "
            "asked for one before this task began anew",
            address == NULL ? "someone" : address, (long long)slave_id);
        tell_unknown(task, slave_id);
        return NULL;
    }
    if (address == NULL || !same_place(t->about->address.s, address)) {
        piw_log_limited(&self->strangers, STRANGERS_PER_MINUTE, PIW_LOG_WARNING,
                        "%s wants to transfer the file of slave %lld, which is at %s: ignored",
                        address == NULL ? "someone" : address, (long long)slave_id, t->about->address.s);
        return NULL;
    }
    if (!brings_token(t, hello->token)) {
        piw_log_limited(&self->strangers, STRANGERS_PER_MINUTE, PIW_LOG_WARNING,
                        "a connection from %s wants to transfer the file of slave %lld, which is there, without that "
                        "slave's token: ignored",
                        address, (long long)slave_id);
        return NULL;
    }
    return t;
}

/* Does a transfer make no progress, or has its connection gone? With a token whoever asks is the slave itself, which has
 * made a new connection. */
static bool is_left(piw_task *task, const transfer *t)
{
    return t->peer == 0 || t->about->token.len > 0 || piw_peer_address(task, t->peer) == NULL ||
           piw_monotonic_ns() - t->heard_ns > SILENT_MS * INT64_C(1000000);
}

static int give(piw_task *task, transfer *t, piw_peer peer)
{
    juggler *self = piw_soul(task);
    transfers_set_peer(&self->transfers, t, peer);
    t->heard_ns = piw_monotonic_ns();
    t->waiting = 0;
    return ask_again(task, t);
}

/* What came has another hash than was said. Somebody else at the same place says that the transfer is theirs: what this
 * connection sent is forgotten, and the other one's turn comes. */
static int begin_anew(piw_task *task, transfer *t, piw_peer peer)
{
    juggler *self = piw_soul(task);
    piw_err err = {0};
    piw_peer liar = t->peer;
    if (early_anew(task, t) != 0)
        piw_debug("the task that waited for a file's check has gone");
    if (transfers_anew(&self->transfers, t, self->root, &err) != 0) {
        piw_outage_goes_on(&self->troubles[TROUBLE_STORE], PIW_LOG_ERROR, 0, "%s", err.text);
        return 0;
    }
    piw_log_limited(&self->strangers, STRANGERS_PER_MINUTE, PIW_LOG_WARNING,
                    "what one connection from %s sent as \"%s\" of slave %lld is another file: that connection is "
                    "dropped, and another one from there asked",
                    t->about->address.s, t->about->filename.s, (long long)t->about->slave_id);
    int rc = give(task, t, peer);
    if (rc == 0 && liar != 0)
        piw_peer_forget(task, liar);
    return rc;
}

/* Everything has come. */
static int hello_after_all(piw_task *task, transfer *t, piw_peer peer)
{
    juggler *self = piw_soul(task);
    int rc = transfers_is_read(t) ? 0 : along_go(task, t);
    if (rc != 0)
        return rc;
    if (!transfers_is_read(t)) { /* DONE follows */
        if (peer != t->peer)
            t->waiting = peer;
        return 0;
    }
    if (peer != t->peer && transfers_is_wrong(t))
        return begin_anew(task, t, peer);
    transfers_set_peer(&self->transfers, t, peer);
    return send_done(task, t);
}

/* The first connection that may say HELLO has the transfer until it is silent, or has sent something else. */
int on_file_hello(piw_task *task, piw_msg *msg)
{
    piw_peer peer = piw_msg_peer(msg);
    transfer *t = find_transfer(task, file_HELLO_of(msg), piw_peer_address(task, peer));
    if (t == NULL)
        return 0;
    if (t->map.missing == 0)
        return hello_after_all(task, t, peer);
    if (peer == t->peer)
        return ask_again(task, t);
    if (is_left(task, t))
        return give(task, t, peer);
    if (t->waiting == 0 || piw_peer_address(task, t->waiting) == NULL)
        t->waiting = peer;
    return 0;
}

/* --- What is sent --- */

/* One at a time for all transfers: others need the workers, too. What is not begun with is written in the end. */
static void begin_writing(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    char path[PIW_PATH_MAX];
    int64_t from = t->written_out, whole = blocks_whole(&t->map);
    if (self->writing_out || whole - from < TRANSFER_WRITE_OUT ||
        !piw_path_staged(path, self->root, t->about->build_id, t->about->filename))
        return;
    piw_msg *job = write_out_make(piw_text_of(path), from, whole - from);
    if (yielding_work(task, job_write_out, &job, PIW_ON(written_out), yielding_key(self)) == 0) {
        self->writing_out = true;
        t->written_out = whole;
    }
    piw_msg_free(&job);
}

int on_written_out(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    juggler *self = piw_soul(task);
    self->writing_out = false;
    return 0;
}

/* All of it has come and was read. */
static int finish(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    bool other = t->waiting != 0 && piw_peer_address(task, t->waiting) != NULL;
    if (other && transfers_is_wrong(t))
        return begin_anew(task, t, t->waiting);
    transfers_close(&self->transfers, t);
    int rc = t->peer != 0 ? send_done(task, t) : 0;
    if (rc == 0 && other) {
        transfers_set_peer(&self->transfers, t, t->waiting);
        t->waiting = 0;
        rc = send_done(task, t);
    }
    if (rc == 0)
        early_check(task, t);
    return rc;
}

/* More of it was stored, or read. */
static int go_on(piw_task *task, transfer *t)
{
    begin_writing(task, t);
    if (t->map.missing == 0 && transfers_is_read(t))
        return finish(task, t);
    int rc = along_go(task, t);
    if (rc == 0 && t->map.missing == 0 && transfers_is_read(t)) /* a small one */
        return finish(task, t);
    return rc != 0 || t->map.missing == 0 || t->peer == 0 ? rc : ask(task, t);
}

int on_read_along(piw_task *task, piw_msg *reply, uint64_t key)
{
    transfer *t = along_took(task, reply, key);
    int rc = t == NULL ? 0 : go_on(task, t);
    return rc == 0 ? along_next(task) : rc;
}

/* The hot path: one look-up, a job, one FETCH. */
int on_file_chunk(piw_task *task, piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const file_CHUNK *chunk = file_CHUNK_of(msg);
    transfer *t = transfers_of_peer(&self->transfers, piw_msg_peer(msg));
    if (t == NULL || !blocks_wants(&t->map, chunk->offset, chunk->data.len)) {
        piw_debug("a chunk of %u bytes at %lld that isn't waited for: dropped", chunk->data.len,
                  (long long)chunk->offset);
        return 0;
    }
    if (along_take(task, t, msg) != 0)
        return 0;
    t->heard_ns = piw_monotonic_ns();
    window_took(&t->window, chunk->data.len, t->heard_ns);
    tell_alive(task, t, t->heard_ns);
    return go_on(task, t);
}
