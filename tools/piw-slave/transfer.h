/* transfer.h — sends one file over the file queue (SPEC §5). */
#ifndef SLAVE_TRANSFER_H
#define SLAVE_TRANSFER_H

#include "slave.h"

/* Send the file at `path`; returns when the master has every byte. PIW_ESTOPPED: we are to stop; PIW_EDEAD: the master
 * was restarted, or said nothing for too long; PIW_ESYS: the file can't be read. One piece is in memory at a time. */
int slave_transfer(slave *s, const char *path, piw_err *err);

#endif
