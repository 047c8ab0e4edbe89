/* along.c — files are read while they come, behind what has come: hashed, and their members unpacked (shared/wheel_along.h).
 *
 * By the worker pool, a part at a time and one file at a time, so that other builds' jobs have a worker too; small files are
 * hashed here. DONE is said when all has been read. */
#include "jobs.h"
#include "juggler.h"

#include "file_juggler.piw.h"
#include "shared/site_path.h"
#include "shared/wheel.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SMALL = 256 << 10, /* bytes of a file that takes a moment */
    /* Bytes that are read in one go: it is over soon, and is more than what handing it over costs. */
    GO_LEAST = 1 << 20,
    GO_MOST = 2 << 20,
    /* While transfers yield files are read in the background. Where that took so long the next part is read as usual, so that a
     * transfer comes to its end however much others have to do. */
    STARVED_NS = 20000000,
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
    uint8_t *bytes = malloc(len), hash[EVP_MAX_MD_SIZE];
    if (bytes != NULL && t->fd >= 0 && read_all(t->fd, bytes, len) &&
        EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL) == 1)
        piw_hash_hex(hash, t->hash);
    else
        t->reading.given_up = true;
    free(bytes);
}

/* --- Others --- */

static bool has_more(const transfer *t)
{
    int64_t unread = blocks_whole(&t->map) - t->reading.at;
    return !t->reading.given_up && (unread >= GO_LEAST || (unread > 0 && t->map.missing == 0));
}

static int begin(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    char path[PIW_PATH_MAX];
    int64_t until = blocks_whole(&t->map);
    if (!piw_path_staged(path, self->root, t->about->build_id, t->about->filename))
        return PIW_EINVAL;
    read_along *body;
    piw_msg *job = read_along_new(&body);
    body->path = piw_msg_textz(job, path);
    body->size = t->about->size;
    body->at = t->reading.at;
    body->until = until - t->reading.at > GO_MOST ? t->reading.at + GO_MOST : until;
    body->kept = piw_msg_bytes(job, t->reading.kept, sizeof(t->reading.kept));
    uint64_t key = (uint64_t)piw_monotonic_ns(); /* no job before a swap had it */
    bool background = pace_yields(&self->transfers_pace, piw_monotonic_ns()) && !self->transfers.starved;
    int rc = background ? piw_work_background(task, job_read_along, &job, PIW_ON(read_along), key)
                        : piw_work(task, job_read_along, &job, PIW_ON(read_along), key);
    piw_msg_free(&job);
    if (rc == 0) {
        self->transfers.job = key;
        self->transfers.read = t;
    }
    return rc;
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
    transfer *t = self->transfers.first;
    if (t == NULL || self->transfers.job != 0)
        return 0;
    self->transfers.first = t->behind;
    t->reading.waits = false;
    return begin(task, t);
}

int along_go(piw_task *task, transfer *t)
{
    juggler *self = piw_soul(task);
    if (t->about->size <= SMALL && t->map.missing == 0)
        hash_small(t);
    if (t->about->size <= SMALL || t->reading.waits || t == self->transfers.read || !has_more(t))
        return 0;
    wait_in_row(&self->transfers, t);
    return along_next(task);
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

static void take(transfer *t, const read_along_reply *reply)
{
    t->reading.at = reply->at;
    memcpy(t->reading.kept, reply->kept.data, sizeof(t->reading.kept));
    keep_seen(&t->reading, reply->seen);
    if (t->reading.at == t->about->size)
        snprintf(t->hash, sizeof(t->hash), "%s", reply->hash.s);
}

transfer *along_took(piw_task *task, const piw_msg *reply, uint64_t key)
{
    juggler *self = piw_soul(task);
    if (key != self->transfers.job) /* of the task before a swap */
        return NULL;
    transfer *t = self->transfers.read; /* NULL: the file has gone */
    self->transfers.starved = !self->transfers.starved && piw_monotonic_ns() - (int64_t)key > STARVED_NS;
    self->transfers.job = 0;
    self->transfers.read = NULL;
    if (t != NULL && piw_msg_error(reply) != 0)
        t->reading.given_up = true; /* what can't be read now the check may read later */
    else if (t != NULL)
        take(t, read_along_reply_of(reply));
    return t;
}
