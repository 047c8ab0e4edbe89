/* transfer.h — sends one file over the file queue (docs/wire.md#files), as slaves and importers do. One thread. */
#ifndef COMMON_TRANSFER_H
#define COMMON_TRANSFER_H

#include "piw/keys.h"

typedef struct tool_transfer {
    const char *address; /* of the file queue */
    const piw_key *key;  /* NULL: it is not encrypted */
    int64_t id;          /* the slave's number; importers say 0 */
    piw_text token;      /* what the master gave a slave for this; {0}: nothing */
    int64_t silence_ms;  /* how long the master may say nothing */
    int64_t reach_ms;    /* how long until there is a connection; 0: as long as it may be silent */
    int64_t size;        /* bytes, as announced: a file that has another size now isn't sent; 0: whatever it has */
    /* Wait at most timeout_ms for input on `fd` (-1: for nothing of this transfer). 0: something happened, look;
     * PIW_EDEADLINE: nothing did; other codes end the transfer and are its result. */
    int (*wait)(void *arg, int fd, int64_t timeout_ms);
    /* `sent` of `size` bytes have left. May be NULL. */
    void (*progress)(void *arg, int64_t sent, int64_t size);
    void *arg; /* of both */
} tool_transfer;

/* Send the file at `path`, which is no link; returns when the master has every byte. PIW_EDEAD: the master said nothing
 * for too long; PIW_ENET: there is none; PIW_ESYS: the file can't be read, or isn't
 * the one that was announced. One piece is in memory at a time. */
int tool_transfer_file(const tool_transfer *transfer, const char *path, piw_err *err);

#endif
