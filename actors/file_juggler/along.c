/* along.c — what comes of a file is stored, and read while more comes: hashed, and its members unpacked (shared/wheel_along.h).
 *
 * While builds are being recorded both are done by one job at a time, so that no build waits for the file system or for the time that
 * it takes, and one processor at least is theirs; what comes while a job is at a file goes with its next. Without builds this thread
 * stores, and workers read behind it. Small files are stored and read here: that takes a moment, and handing it over as long. DONE is
 * said when all has been read. */
#include "jobs.h"
#include "juggler.h"

#include "file.piw.h"
#include "file_juggler.piw.h"
#include "shared/site_path.h"
#include "shared/wheel.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* Bytes that are read in one go: it is over soon, and is more than what handing it over costs. */
    GO_LEAST = 1 << 20,
    GO_MOST = 2 << 20,
    /* Where storing a piece took so long, workers do it for so long. */
    SLOW_NS = 5000000,
    SLOW_LASTS_NS = 1000000000,
};

/* --- Small files --- */

static bool read_all(int fd, uint8_t *to, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)done);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static void hash_small(transfer *t)
{
    size_t len = (size_t)t->about->size;
    uint8_t *bytes = t->held != NULL ? t->held : malloc(len), hash[EVP_MAX_MD_SIZE];
    if (bytes != NULL && (t->held != NULL || (t->fd >= 0 && read_all(t->fd, bytes, len))) &&
        EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL) == 1)
        piw_hash_hex(hash, t->hash);
    else
        t->reading.given_up = true;
    if (bytes != t->held)
        free(bytes);
}

/* --- Others --- */

/* A piece that can't be stored counts as not come: its sender says HELLO again when it hears nothing, and is asked for it again. */
static void lose(juggler *self, transfer *t, const char *why)
{
    piw_outage_goes_on(&self->troubles[TROUBLE_STORE], PIW_LOG_ERROR, 0, "\"%s\": %s", t->about->filename.s, why);
    transfers_lose(t);
}

static void stored_well(juggler *self)
{
    piw_outage_over(&self->troubles[TROUBLE_STORE], "what comes of files is stored again");
}

static int gather(transfer *t, const piw_msg *msg, piw_err *err)
{
    const file_CHUNK *chunk = file_CHUNK_of(msg);
    piw_blob *data = piw_msg_blob_of(msg, chunk->data);
    read_along *body;
    if (data == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for a piece of \"%s\"", t->about->filename.s);
    if (t->coming == NULL) {
        t->coming = read_along_new(&body);
        come_pieces *made = piw_msg_alloc(t->coming, sizeof(*made));
        piw_msg_list(t->coming, &made->at, PIECES_MAX);
        made->at.count = 0;
        body->come = made;
    }
    body = piw_msg_body(t->coming, read_along_type());
    come_pieces *come = (come_pieces *)body->come; /* ours until it is given away */
    come->at.at[come->at.count].offset = chunk->offset;
    come->at.at[come->at.count++].data = piw_msg_blob(t->coming, data);
    piw_blob_unref(&data);
    blocks_came(&t->map, chunk->offset);
    return 0;
}

/* How far there is something to read when these are stored, too. */
static int64_t reach(const transfer *t, const come_pieces *come)
{
    int64_t whole = blocks_whole(&t->map);
    for (uint32_t i = 0; come != NULL && i < come->at.count; i++)
        if (come->at.at[i].offset == whole)
            whole += (int64_t)piw_blob_size(come->at.at[i].data);
    return whole;
}

/* Fewer bytes than GO_LEAST are read with what comes next, or in the end. */
static bool has_more(const transfer *t)
{
    int64_t unread = blocks_whole(&t->map) - t->reading.at;
    return t->coming != NULL || (!t->reading.given_up && (unread >= GO_LEAST || (unread > 0 && t->map.missing == 0)));
}

static int make_job(juggler *self, transfer *t, piw_msg **job, piw_err *err)
{
    char path[PIW_PATH_MAX];
    int fd = -1;
    read_along *body;
    if (!piw_path_staged(path, self->root, t->about->build_id, t->about->filename))
        return piw_err_set(err, PIW_EINVAL, "it makes no safe path");
    int rc = t->coming == NULL ? 0 : transfers_open(&self->transfers, self->root, t, &fd, err);
    if (rc != 0)
        return rc;
    *job = t->coming != NULL ? t->coming : read_along_new(&body);
    t->coming = NULL;
    body = piw_msg_body(*job, read_along_type());
    come_pieces *come = (come_pieces *)body->come;
    if (come != NULL) {
        come->file = fd;
        come->slave_id = t->about->slave_id;
    }
    int64_t until = reach(t, come);
    body->path = piw_msg_textz(*job, path);
    body->size = t->about->size;
    body->at = t->reading.at;
    body->until = t->reading.given_up || until < t->reading.at ? t->reading.at
                  : until - t->reading.at > GO_MOST            ? t->reading.at + GO_MOST
                                                               : until;
    body->kept = piw_msg_bytes(*job, t->reading.kept, sizeof(t->reading.kept));
    return 0;
}

static int begin(piw_task *task, transfer *t, struct transfers_job *slot)
{
    juggler *self = piw_soul(task);
    piw_msg *job = NULL;
    piw_err err = {0};
    if (make_job(self, t, &job, &err) != 0) {
        lose(self, t, err.text);
        return 0;
    }
    const come_pieces *come = read_along_of(job)->come;
    int fd = come == NULL ? -1 : (int)come->file;
    uint64_t key = yielding_key(self);
    int rc = yielding_work(task, job_read_along, &job, PIW_ON(read_along), key);
    if (rc == 0) {
        *slot = (struct transfers_job){.key = key, .t = t};
        t->reading.busy = true;
        t->storing = fd >= 0 ? key : 0;
    } else if (fd >= 0) {
        close(fd);
    }
    piw_msg_free(&job);
    return rc;
}

/* For one more job; NULL: as many are at work as may be. */
static struct transfers_job *free_slot(juggler *self)
{
    struct transfers_job *found = NULL;
    int busy = 0;
    for (int i = 0; i < TRANSFER_JOBS; i++) {
        busy += self->transfers.jobs[i].key != 0;
        if (self->transfers.jobs[i].key == 0)
            found = &self->transfers.jobs[i];
    }
    return busy < (yielding(self) ? 1 : TRANSFER_JOBS) ? found : NULL;
}

static void wait_in_row(transfers *all, transfer *t)
{
    transfer **last = &all->first;
    while (*last != NULL)
        last = &(*last)->behind;
    *last = t;
    t->behind = NULL;
    t->reading.waits = true;
}

int along_next(piw_task *task)
{
    juggler *self = piw_soul(task);
    struct transfers_job *slot;
    int rc = 0;
    while (rc == 0 && !self->resting && self->transfers.first != NULL && (slot = free_slot(self)) != NULL) {
        transfer *t = self->transfers.first;
        self->transfers.first = t->behind;
        t->reading.waits = false;
        rc = begin(task, t, slot);
    }
    return rc;
}

int along_go(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    bool small = t->about->size <= TRANSFER_SMALL;
    if (small && t->map.missing == 0)
        hash_small(t);
    if (small || t->reading.waits || t->reading.busy || !has_more(t))
        return 0;
    wait_in_row(&self->transfers, t);
    return along_next(task);
}

/* While nobody else is here it is quickest to store what comes at once: a worker reads what came before. */
static bool stores_at_once(const juggler *self, const transfer *t)
{
    return t->about->size <= TRANSFER_SMALL || (!yielding(self) && piw_monotonic_ns() > self->slow_until_ns);
}

static int store_at_once(juggler *self, transfer *t, const file_CHUNK *chunk, piw_err *err)
{
    int64_t began_ns = piw_monotonic_ns();
    int rc = transfers_store(&self->transfers, self->root, t, chunk->offset, chunk->data, err);
    int64_t now_ns = piw_monotonic_ns();
    if (now_ns - began_ns > SLOW_NS) /* as on a disk that is behind with what is to be written */
        self->slow_until_ns = now_ns + SLOW_LASTS_NS;
    return rc;
}

int along_take(piw_task *task, transfer *t, const piw_msg *msg)
{
    juggler *self = piw_soul(task);
    const file_CHUNK *chunk = file_CHUNK_of(msg);
    piw_err err = {0};
    bool at_once = stores_at_once(self, t);
    int rc = at_once ? store_at_once(self, t, chunk, &err) : gather(t, msg, &err);
    if (rc != 0)
        piw_outage_goes_on(&self->troubles[TROUBLE_STORE], PIW_LOG_ERROR, 0, "%s", err.text);
    else if (at_once && t->held == NULL)
        stored_well(self);
    return rc;
}

int on_paced(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    juggler *self = piw_soul(task);
    self->resting = false;
    return along_next(task);
}

/* --- What was done --- */

static int rest(piw_task *task)
{
    juggler *self = piw_soul(task);
    int64_t rest_ms = pace_rest_ms(&self->transfers_pace, piw_monotonic_ns(), 0);
    int rc = rest_ms == 0 || self->resting ? 0 : piw_timer(task, PIW_ON(paced), 0, rest_ms, 0);
    self->resting = self->resting || (rc == 0 && rest_ms > 0);
    return rc;
}

static void keep_seen(reading *r, piw_bytes seen)
{
    uint32_t count = (uint32_t)(seen.len / sizeof(*r->seen));
    if (r->count + count > r->room) {
        r->room = r->count + count + r->room;
        r->seen = piw_realloc(r->seen, r->room * sizeof(*r->seen));
    }
    if (count > 0)
        memcpy(r->seen + r->count, seen.data, count * sizeof(*r->seen));
    r->count += count;
}

static void take_read(transfer *t, const read_along_reply *reply)
{
    t->reading.at = reply->at;
    memcpy(t->reading.kept, reply->kept.data, sizeof(t->reading.kept));
    keep_seen(&t->reading, reply->seen);
    if (t->reading.at == t->about->size)
        snprintf(t->hash, sizeof(t->hash), "%s", reply->hash.s);
    if (reply->given_up != NULL && *reply->given_up)
        t->reading.given_up = true; /* what can't be read now the check may read later */
}

static int take_stored(juggler *self, transfer *t, const stored_pieces *stored)
{
    if (stored == NULL)
        return 0;
    t->storing = 0;
    if (stored->code != 0) {
        lose(self, t, stored->why.s);
        return (int)stored->code;
    }
    stored_well(self);
    for (uint32_t i = 0; i < stored->offsets.count; i++)
        blocks_take(&t->map, stored->offsets.at[i]);
    return 0;
}

/* Of the task before a swap: what it has stored counts; what it has read is read again. */
static transfer *take_foreign(juggler *self, const piw_msg *reply, uint64_t key)
{
    const stored_pieces *stored = piw_msg_error(reply) == 0 ? read_along_reply_of(reply)->stored : NULL;
    transfer *t = stored == NULL ? NULL : transfers_of_slave(&self->transfers, stored->slave_id);
    return t != NULL && t->storing == key && take_stored(self, t, stored) == 0 ? t : NULL;
}

transfer *along_took(piw_task *task, const piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    struct transfers_job *slot = NULL;
    for (int i = 0; i < TRANSFER_JOBS; i++)
        if (self->transfers.jobs[i].key == key)
            slot = &self->transfers.jobs[i];
    if (slot == NULL)
        return take_foreign(self, reply, key);
    transfer *t = slot->t; /* NULL: the file has gone */
    *slot = (struct transfers_job){0};
    yielding_worked(self, key);
    if (rest(task) != 0)
        piw_debug("a transfer goes on without a rest");
    if (t == NULL)
        return NULL;
    t->reading.busy = false;
    if (piw_msg_error(reply) != 0) { /* the pool's own, or the file can't be opened */
        if (t->storing == key)
            lose(self, t, piw_msg_error_text(reply));
        t->reading.given_up = true;
        return t;
    }
    if (take_stored(self, t, read_along_reply_of(reply)->stored) == 0)
        take_read(t, read_along_reply_of(reply));
    return t;
}
