/* listen.h — the address that is listened at. */
#ifndef WEB_SERVER_LISTEN_H
#define WEB_SERVER_LISTEN_H

#include "piw/err.h"

/* Listen at "PORT", "ADDRESS:PORT", "[IPv6]:PORT" or "*:PORT" (all addresses, IPv6 too where there is any). `shared`: further
 * sockets may be bound there. */
int web_listen(const char *where, bool shared, int *fd, piw_err *err);
/* The port of a socket; 0: it can't be told. */
unsigned web_listen_port(int fd);
/* Is its port 0, for which the kernel chooses one that is free? */
bool web_listen_any_port(const char *where);

#endif
