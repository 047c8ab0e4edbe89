/* links.h — inside the core: which connections of a port's socket are there, and whose they are.
 *
 * A ROUTER doesn't say that a peer has hung up; libzmq's monitor does, by the connection's descriptor, and a message tells the
 * descriptor it came by. The kernel gives a closed descriptor to the next connection at once, and the two tales have no
 * order between them: so what the monitor has said is taken in before a message is tied to a connection, a descriptor
 * has one peer at most, and the last one to speak by it is the one. One thread, the port's. */
#ifndef PIW__LINKS_H
#define PIW__LINKS_H

#include "piw/task.h"

#include <stddef.h>

typedef struct piw__link {
    bool open;
    piw_peer peer; /* who has spoken by it; 0: nobody yet */
} piw__link;

typedef struct piw__links {
    void *monitor; /* NULL: nothing is known of connections */
    piw__link *at; /* by descriptor */
    size_t count;
} piw__links; /* zero-initialised is closed */

/* Before the socket is bound, so that no connection is missed. */
int piw__links_open(piw__links *links, void *socket, piw_err *err);
void piw__links_close(piw__links *links, void *socket);
/* Take in what happened to connections; `ended` is told each peer whose connection has. */
typedef void piw__link_ended_fn(void *arg, piw_peer peer);
void piw__links_look(piw__links *links, piw__link_ended_fn *ended, void *arg);
/* The connection with this descriptor, after a look; NULL: it is not there, or not any more. */
piw__link *piw__links_at(const piw__links *links, int fd);

#endif
