/* transfers.c — the files that are being received, found by slave and by connection. */
#include "transfers.h"

#include "jobs.h"

#include "shared/atomic_file.h"
#include "shared/site_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OPEN_LEAST = 8, /* files, however few descriptors there are */
};

static bool same_slave(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const transfer, by_slave)->about->slave_id == *(const int64_t *)key;
}

static bool same_peer(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const transfer, by_peer)->peer == *(const piw_peer *)key;
}

transfer *transfers_of_slave(const transfers *all, int64_t slave_id)
{
    piw_table_node *node =
        piw_table_find(&all->by_slave, piw_table_hash_u64((uint64_t)slave_id), same_slave, &slave_id);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, transfer, by_slave);
}

transfer *transfers_of_peer(const transfers *all, piw_peer peer)
{
    piw_table_node *node = piw_table_find(&all->by_peer, piw_table_hash_u64(peer), same_peer, &peer);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, transfer, by_peer);
}

static bool same_early(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, transfer, by_early)->early.key == *(const uint64_t *)key;
}

transfer *transfers_of_early(const transfers *all, uint64_t key)
{
    piw_table_node *node = piw_table_find(&all->by_early, piw_table_hash_u64(key), same_early, &key);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, transfer, by_early);
}

void transfers_set_early(transfers *all, transfer *t, uint64_t key)
{
    if (t->early.key != 0)
        piw_table_remove(&all->by_early, &t->by_early);
    piw_msg_free(&t->early.last);
    piw_msg_free(&t->early.verdict);
    t->early = (transfer_early){.key = key};
    if (key != 0)
        piw_table_add(&all->by_early, &t->by_early, piw_table_hash_u64(key));
}

transfer *transfers_next(const transfers *all, const transfer *t)
{
    piw_table_node *node = piw_table_next(&all->by_slave, t == NULL ? NULL : &t->by_slave);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, transfer, by_slave);
}

void transfers_set_peer(transfers *all, transfer *t, piw_peer peer)
{
    if (t->peer == peer)
        return;
    if (t->peer != 0)
        piw_table_remove(&all->by_peer, &t->by_peer);
    /* A connection carries one transfer: the earlier one waits for its slave's next HELLO. */
    transfer *other = peer == 0 ? NULL : transfers_of_peer(all, peer);
    if (other != NULL)
        transfers_set_peer(all, other, 0);
    t->peer = peer;
    if (peer != 0)
        piw_table_add(&all->by_peer, &t->by_peer, piw_table_hash_u64(peer));
}

/* --- Open files --- */

static void close_file(transfers *all, transfer *t)
{
    if (t->fd < 0)
        return;
    close(t->fd);
    t->fd = -1;
    all->open--;
}

static void own_file(transfers *all, transfer *t, int fd)
{
    close_file(all, t);
    t->fd = fd;
    all->open++;
}

/* As many as descriptors are kept for them (core/port/descriptors.c): a slave needs one connection to be asked for a file, and
 * then may never send it. */
static rlim_t most_open(void)
{
    struct rlimit limit;
    rlim_t share = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 3 : 0;
    return share > OPEN_LEAST ? share : OPEN_LEAST;
}

/* Another file is to be opened: where there are too many, those that nothing has come of for longest are closed, until
 * something does. */
static void make_room(transfers *all)
{
    for (rlim_t most = most_open(); all->open >= most;) {
        transfer *silent = NULL;
        for (transfer *t = transfers_next(all, NULL); t != NULL; t = transfers_next(all, t))
            if (t->fd >= 0 && (silent == NULL || t->heard_ns < silent->heard_ns))
                silent = t;
        if (silent == NULL)
            return;
        close_file(all, silent);
    }
}

static int reopen(const char *root, const juggler_transfer *about, int *fd, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_staged(path, root, about->build_id, about->filename))
        return piw_err_set(err, PIW_EINVAL, "the transfer of \"%s\" makes no safe path", about->filename.s);
    *fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? 0 : piw_err_errno(err, "can't open the staged file %s", path);
}

static int need_file(transfers *all, const char *root, transfer *t, piw_err *err)
{
    int fd = -1;
    if (t->fd >= 0)
        return 0;
    make_room(all);
    int rc = reopen(root, t->about, &fd, err);
    if (rc == 0)
        own_file(all, t, fd);
    return rc;
}

/* --- Reading --- */

/* A job that reads it has read another file. */
static void leave_row(transfers *all, transfer *t)
{
    for (int i = 0; i < TRANSFER_JOBS; i++)
        if (all->jobs[i].t == t)
            all->jobs[i].t = NULL;
    t->reading.busy = false;
    for (transfer **at = &all->first; t->reading.waits && *at != NULL; at = &(*at)->behind) {
        if (*at == t) {
            *at = t->behind;
            t->reading.waits = false;
            return;
        }
    }
}

/* Nothing of it has been read. */
static void begin_reading(transfers *all, transfer *t)
{
    piw_wheel_along along;
    piw_wheel_along_begin(&along);
    leave_row(all, t);
    t->reading.at = 0;
    memcpy(t->reading.kept, along.kept, sizeof(along.kept));
    t->reading.count = 0;
    t->reading.given_up = false;
    t->hash[0] = '\0';
}

/* --- Ends --- */

static void release(transfers *all, transfer *t)
{
    close_file(all, t);
    leave_row(all, t);
    free(t->reading.seen);
    all->held -= t->held != NULL ? t->about->size : 0;
    free(t->held);
    piw_blob_unref(&t->whole);
    piw_msg_free(&t->coming);
    blocks_fini(&t->map);
    piw_msg_free(&t->owner);
    free(t);
}

void transfers_end(transfers *all, transfer *t)
{
    transfers_set_peer(all, t, 0);
    transfers_set_early(all, t, 0);
    piw_table_remove(&all->by_slave, &t->by_slave);
    release(all, t);
}

void transfers_fini(transfers *all)
{
    transfer *t = transfers_next(all, NULL);
    while (t != NULL) {
        transfer *next = transfers_next(all, t);
        transfers_end(all, t);
        t = next;
    }
    piw_table_fini(&all->by_slave);
    piw_table_fini(&all->by_peer);
    piw_table_fini(&all->by_early);
}

static int make_folder(const char *path, piw_err *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return piw_err_errno(err, "can't make the folder %s", path);
}

/* A new file: an earlier one may still be mapped by a job, so it is unlinked, never truncated. */
static int make_file(const char *root, const juggler_transfer *about, int *fd, piw_err *err)
{
    char staging[PIW_PATH_MAX], folder[PIW_PATH_MAX], path[PIW_PATH_MAX];
    if (!piw_path_staging(staging, root) || !piw_path_staged(folder, root, about->build_id, (piw_text){0}) ||
        !piw_path_staged(path, root, about->build_id, about->filename))
        return piw_err_set(err, PIW_EINVAL, "build %lld or its file \"%s\" makes no safe path",
                           (long long)about->build_id, about->filename.s);
    int rc = make_folder(staging, err);
    if (rc == 0)
        rc = make_folder(folder, err);
    if (rc == 0)
        rc = piw_file_remove(path, err);
    if (rc != 0)
        return rc;
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *fd >= 0 ? 0 : piw_err_errno(err, "can't make the staged file %s", path);
}

/* --- What has come --- */

int transfers_store(transfers *all, const char *root, transfer *t, int64_t offset, piw_bytes data, piw_err *err)
{
    int rc = 0;
    if (t->held != NULL) /* the piece is one that was asked for, so it lies within */
        memcpy(t->held + offset, data.data, data.len);
    else
        rc = need_file(all, root, t, err);
    if (rc == 0 && t->held == NULL)
        rc = job_write_at(t->fd, data.data, data.len, offset, err);
    if (rc != 0)
        return rc;
    blocks_take(&t->map, offset);
    return 0;
}

int transfers_open(transfers *all, const char *root, transfer *t, int *fd, piw_err *err)
{
    int rc = need_file(all, root, t, err);
    if (rc != 0)
        return rc;
    *fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
    return *fd >= 0 ? 0 : piw_err_errno(err, "can't store pieces of \"%s\"", t->about->filename.s);
}

void transfers_lose(transfer *t)
{
    piw_msg_free(&t->coming);
    t->storing = 0;
    blocks_lose_all(&t->map);
}

void transfers_flush(transfers *all, const char *root, transfer *t)
{
    const come_pieces *come = t->coming == NULL ? NULL : read_along_of(t->coming)->come;
    piw_err err = {0};
    int rc = come == NULL ? 0 : need_file(all, root, t, &err);
    for (uint32_t i = 0; come != NULL && rc == 0 && i < come->at.count; i++) {
        const piw_blob *data = come->at.at[i].data;
        rc = job_write_at(t->fd, piw_blob_data(data), piw_blob_size(data), come->at.at[i].offset, &err);
        if (rc == 0)
            blocks_take(&t->map, come->at.at[i].offset);
    }
    piw_msg_free(&t->coming); /* what couldn't be written is asked for again */
}

piw_blob *transfers_whole(transfer *t)
{
    if (t->held != NULL && t->whole == NULL)
        t->whole = piw_blob_new(t->held, (size_t)t->about->size);
    return t->whole;
}

void transfers_close(transfers *all, transfer *t)
{
    close_file(all, t);
}

bool transfers_is_wrong(const transfer *t)
{
    return t->hash[0] != '\0' && !piw_text_is(t->about->filehash, t->hash);
}

bool transfers_is_read(const transfer *t)
{
    return t->hash[0] != '\0' || t->reading.given_up;
}

static int64_t unread(const transfer *t)
{
    return t->reading.given_up || t->about->size <= TRANSFER_SMALL ? 0 : blocks_whole(&t->map) - t->reading.at;
}

bool transfers_next_piece(const transfers *all, transfer *t, int64_t most, int64_t *offset, int64_t *length)
{
    int64_t ahead = window_ahead(&t->window, AHEAD_MAX / all->by_slave.count), piece = window_piece(&t->window);
    return t->map.in_flight < ahead && t->map.in_flight + t->map.here < 2 * ahead && unread(t) < TRANSFER_UNREAD &&
           blocks_next(&t->map, piece < most ? piece : most, offset, length);
}

/* --- Beginnings --- */

/* Without a file (fd -1) its bytes are held. */
static int add(transfers *all, piw_msg **owner, const juggler_transfer *about, int fd, transfer **t, piw_err *err)
{
    transfer *made = piw_zalloc(sizeof(*made));
    made->held = fd < 0 ? calloc(1, (size_t)about->size) : NULL;
    if ((fd < 0 && made->held == NULL) || !blocks_init(&made->map, about->size, (uint32_t)about->block)) {
        free(made->held);
        free(made);
        return piw_err_set(err, PIW_ENOMEM, "no memory for the transfer of \"%s\"", about->filename.s);
    }
    transfer *old = transfers_of_slave(all, about->slave_id);
    if (old != NULL)
        transfers_end(all, old);
    window_init(&made->window);
    begin_reading(all, made);
    made->fd = -1;
    if (fd >= 0)
        own_file(all, made, fd);
    all->held += made->held != NULL ? about->size : 0;
    made->about = about;
    made->owner = *owner;
    *owner = NULL;
    piw_table_add(&all->by_slave, &made->by_slave, piw_table_hash_u64((uint64_t)about->slave_id));
    *t = made;
    return 0;
}

int transfers_anew(transfers *all, transfer *t, const char *root, piw_err *err)
{
    int fd = -1, rc = 0;
    if (t->held == NULL) {
        make_room(all);
        rc = make_file(root, t->about, &fd, err);
    }
    if (rc != 0)
        return rc;
    if (fd >= 0)
        own_file(all, t, fd);
    piw_blob_unref(&t->whole);
    piw_msg_free(&t->coming);
    t->storing = 0; /* a job that is under way has the file that was */
    blocks_clear(&t->map);
    begin_reading(all, t);
    t->written_out = 0;
    return 0;
}

int transfers_begin(transfers *all, const char *root, piw_msg **owner, bool held, transfer **t, piw_err *err)
{
    const juggler_transfer *about = &file_juggler_state_of(*owner)->transfers.at[0];
    int fd = -1, rc = 0;
    if (!held) {
        make_room(all);
        rc = make_file(root, about, &fd, err);
    }
    if (rc != 0)
        return rc;
    rc = add(all, owner, about, fd, t, err);
    if (rc != 0 && fd >= 0)
        close(fd);
    return rc;
}

/* What was under way. Earlier versions asked for each block alone, and saved no more than that it was asked for. */
static bool load_pieces(blocks *map, const juggler_transfer *about)
{
    if (about->pieces != NULL) {
        for (uint32_t i = 0; i < about->pieces->at.count; i++)
            if (!blocks_load_piece(map, about->pieces->at.at[i].offset, about->pieces->at.at[i].length))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < about->asked.len * 8 && map->pieces_count < PIECES_MAX; i++) {
        int64_t offset = (int64_t)i * map->block, left = map->size - offset;
        if ((about->asked.data[i / 8] >> (i % 8) & 1) != 0)
            (void)blocks_load_piece(map, offset, left < map->block ? left : map->block);
    }
    return true;
}

int transfers_resume(transfers *all, const char *root, const juggler_transfer *saved, piw_err *err)
{
    file_juggler_state *body;
    piw_msg *owner = file_juggler_state_new(&body);
    piw_msg_list(owner, &body->transfers, 1);
    piw_value_copy(owner, juggler_transfer_type(), saved, &body->transfers.at[0]);
    const juggler_transfer *about = &body->transfers.at[0];
    int fd = -1;
    transfer *t = NULL;
    bool held = about->held != NULL;
    if (!held)
        make_room(all);
    int rc = about->size <= 0 || about->block <= 0 || about->block > UINT32_MAX ||
                     (held && (int64_t)piw_blob_size(about->held->data) != about->size)
                 ? piw_err_set(err, PIW_EINVAL, "the saved transfer of \"%s\" has no size", about->filename.s)
             : held ? 0
                    : reopen(root, about, &fd, err);
    if (rc == 0)
        rc = add(all, &owner, about, fd, &t, err);
    if (rc != 0) {
        if (fd >= 0)
            close(fd);
        piw_msg_free(&owner);
        return rc;
    }
    if (!blocks_load(&t->map, about->got) || !load_pieces(&t->map, about)) {
        piw_err_set(err, PIW_EINVAL, "the saved byte map of \"%s\" is not of its size", about->filename.s);
        transfers_end(all, t);
        return PIW_EINVAL;
    }
    if (held)
        piw_blob_read(about->held->data, 0, t->held, (size_t)about->size);
    t->storing = about->storing == NULL ? 0 : (uint64_t)*about->storing; /* its end comes to us */
    transfers_set_peer(all, t, (piw_peer)about->peer);
    t->heard_ns = piw_monotonic_ns();
    return 0;
}
