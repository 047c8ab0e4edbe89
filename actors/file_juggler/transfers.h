/* transfers.h — the files that are being received, found by slave and by connection.
 *
 * A transfer begins with EXPECT, is bound to the slave's address, and ends with VERIFY, DISCARD or the next EXPECT for
 * its slave. One thread. */
#ifndef FILE_JUGGLER_TRANSFERS_H
#define FILE_JUGGLER_TRANSFERS_H

#include "blocks.h"
#include "file_juggler.piw.h"
#include "piw/log.h"
#include "piw/task.h"
#include "shared/table.h"

typedef struct transfer {
    piw_table_node by_slave, by_peer; /* by_peer only while peer isn't 0 */
    piw_msg *owner;                   /* what the texts below lie in */
    const juggler_transfer *about;    /* the constant part: ids, address, package, file */
    piw_peer peer;
    int fd; /* open for writing until the file is whole, then -1 */
    blocks map;
    int64_t told_ns; /* when its sender was last said to be alive */
    piw_log_limiter limiter;
} transfer;

typedef struct transfers {
    piw_table by_slave, by_peer;
} transfers;

/* Start one: the staged file is made anew (0600), its folder too if need be. Replaces the slave's earlier transfer. Takes
 * `owner`, a file_juggler_state message of one transfer, on success. */
int transfers_begin(transfers *all, const char *root, piw_msg **owner, transfer **t, piw_err *err);
/* Take one over from a saved state: the staged file is opened again. Copies `saved`. */
int transfers_resume(transfers *all, const char *root, const juggler_transfer *saved, piw_err *err);
transfer *transfers_of_slave(const transfers *all, int64_t slave_id);
transfer *transfers_of_peer(const transfers *all, piw_peer peer);
/* The connection that carries it from now on. */
void transfers_set_peer(transfers *all, transfer *t, piw_peer peer);
void transfers_end(transfers *all, transfer *t);
void transfers_fini(transfers *all);
/* One after the other; NULL begins and ends. */
transfer *transfers_next(const transfers *all, const transfer *t);

#endif
