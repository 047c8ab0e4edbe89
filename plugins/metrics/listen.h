/* listen.h — the socket that is listened at: of this machine only. */
#ifndef METRICS_LISTEN_H
#define METRICS_LISTEN_H

#include "piw/err.h"

/* Listen at "ADDRESS:PORT" or "[IPv6]:PORT", a loopback address, or at "unix:/PATH". */
int metrics_listen(const char *where, int *fd, piw_err *err);
/* The same socket under another number, if `fd` is one that listens; -1: it isn't. */
int metrics_listen_again(int fd);
/* Nobody follows: a socket in the file system goes. */
void metrics_unlisten(const char *where);
/* The port of a socket; 0: it has none. */
unsigned metrics_listen_port(int fd);

#endif
