/* transfers.h — the files that are being received, found by slave and by connection.
 *
 * A transfer begins with EXPECT, is bound to the slave's address and token (or, without one, to the connection from there
 * that says HELLO first), and ends with VERIFY, DISCARD or the next EXPECT for its slave. One thread. */
#ifndef FILE_JUGGLER_TRANSFERS_H
#define FILE_JUGGLER_TRANSFERS_H

#include "blocks.h"
#include "file_juggler.piw.h"
#include "piw/log.h"
#include "piw/task.h"
#include "shared/table.h"
#include "shared/wheel_along.h"
#include "window.h"

/* How far a file that comes has been read (along.c). */
typedef struct reading {
    int64_t at;
    uint8_t kept[PIW_ALONG_STATE];
    piw_wheel_seen *seen;
    uint32_t count, room;
    bool waits;    /* it stands in the row of those for which a job has something to do */
    bool busy;     /* a job is at it */
    bool given_up; /* the check reads all of it */
} reading;

/* What is done for a file before anybody asks for it (early.c). */
typedef struct transfer_early {
    uint64_t key;     /* jobs that are at it have this; 0: there is none */
    bool checking;    /* its check was begun */
    unsigned waits;   /* for EARLY_... */
    bool failed;      /* the build has to be staged as if nothing had been done */
    piw_msg *last;    /* the EXPECT that says what is kept with it, of a build's last file; or NULL */
    piw_msg *verdict; /* VERIFY's answer, once it is known */
    piw_token verify; /* who waits for that; 0: nobody */
} transfer_early;

typedef struct transfer {
    piw_table_node by_slave, by_peer,
        by_early;                  /* by_peer only while peer isn't 0, by_early only while there is a key */
    piw_msg *owner;                /* what the texts below lie in */
    const juggler_transfer *about; /* the constant part: ids, address, package, file */
    piw_peer peer;                 /* the connection that carries it; 0: none yet */
    piw_peer waiting;              /* another one from the same address that says it is the slave's; 0: none */
    int fd;                        /* -1: the file is whole, or waits, closed, for the next piece */
    uint8_t *held;   /* its bytes, while its build is to lie in the journal (small.c); NULL: they are staged */
    piw_blob *whole; /* the same, once all has come */
    blocks map;
    window window;
    piw_msg *coming;  /* the next job for it, with pieces that have come meanwhile (along.c); NULL: there are none */
    uint64_t storing; /* the job that stores others has this key; 0: there is none */
    reading reading;
    struct transfer *behind; /* the next one in that row */
    char hash[65];           /* of the whole file; "" until it is known */
    int64_t written_out;     /* the bytes before this one are on their way to the disk */
    int64_t heard_ns;        /* when its sender last sent a piece, or began */
    int64_t told_ns;         /* when its sender was last said to be alive */
    transfer_early early;
} transfer;

enum { TRANSFER_JOBS = 2 /* as many as the pool has threads */ };

typedef struct transfers {
    piw_table by_slave, by_peer, by_early;
    uint32_t open;   /* files */
    int64_t held;    /* bytes of those that come into memory */
    transfer *first; /* the row of those for which a job has something to do */
    struct transfers_job {
        uint64_t key; /* 0: there is none */
        transfer *t;  /* which it is at; NULL: that has gone meanwhile */
    } jobs[TRANSFER_JOBS];
} transfers;

enum {
    /* What all transfers have asked for ahead: memory, should everything come at once. */
    AHEAD_MAX = 64 << 20,
    /* The disk begins with what has come each time so much more has; then little is left to wait for in the end. */
    TRANSFER_WRITE_OUT = 2 << 20,
    TRANSFER_SMALL = 256 << 10, /* bytes of a file that takes a moment */
    /* No more of a file is asked for while so much of it has come and wasn't read: whoever reads would only have to fetch it from far
     * in memory, and a transfer that yields to others asks for no more than is done with what came. */
    TRANSFER_UNREAD = 4 << 20,
};

/* Start one: the staged file is made anew (0600), its folder too if need be; or it is `held` in memory. Replaces the slave's earlier
 * transfer. Takes `owner`, a file_juggler_state message of one transfer, on success. */
int transfers_begin(transfers *all, const char *root, piw_msg **owner, bool held, transfer **t, piw_err *err);
/* Take one over from a saved state: the staged file is opened again. Copies `saved`. */
int transfers_resume(transfers *all, const char *root, const juggler_transfer *saved, piw_err *err);
transfer *transfers_of_slave(const transfers *all, int64_t slave_id);
transfer *transfers_of_peer(const transfers *all, piw_peer peer);
/* A descriptor of its file, the caller's to close. */
int transfers_open(transfers *all, const char *root, transfer *t, int *fd, piw_err *err);
/* What has come and isn't stored, counts as not come. */
void transfers_lose(transfer *t);
/* Store what has come and waits for a job, now. */
void transfers_flush(transfers *all, const char *root, transfer *t);
/* A piece that was asked for has come: keep it. When it can't be kept, it counts as not come. */
int transfers_store(transfers *all, const char *root, transfer *t, int64_t offset, piw_bytes data, piw_err *err);
/* The bytes of one that came into memory, whole; NULL: of another, or there is no memory. */
piw_blob *transfers_whole(transfer *t);
/* All has come. */
void transfers_close(transfers *all, transfer *t);
/* Is it known that what has come has another hash than was announced? */
bool transfers_is_wrong(const transfer *t);
/* All has come; has it been read too, as far as it can be? */
bool transfers_is_read(const transfer *t);
/* Forget what has come; the staged file is made anew. */
int transfers_anew(transfers *all, transfer *t, const char *root, piw_err *err);
/* The next piece to ask for now, of at most `most` bytes, when there is one; it counts as asked for. */
bool transfers_next_piece(const transfers *all, transfer *t, int64_t most, int64_t *offset, int64_t *length);
/* The connection that carries it from now on. */
void transfers_set_peer(transfers *all, transfer *t, piw_peer peer);
/* What is done early for it has this key from now on; 0: nothing is, and what was is forgotten. Who waits for VERIFY must
 * have been answered, or be answered without it. */
void transfers_set_early(transfers *all, transfer *t, uint64_t key);
transfer *transfers_of_early(const transfers *all, uint64_t key);
void transfers_end(transfers *all, transfer *t);
void transfers_fini(transfers *all);
/* One after the other; NULL begins and ends. */
transfer *transfers_next(const transfers *all, const transfer *t);

#endif
