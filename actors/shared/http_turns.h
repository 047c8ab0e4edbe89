/* http_turns.h — libmicrohttpd in a task's own thread: it is started with MHD_USE_EPOLL and MHD_USE_NO_LISTEN_SOCKET, and works
 * when the task gives it a turn. The task's thread only. */
#ifndef PIW_SHARED_HTTP_TURNS_H
#define PIW_SHARED_HTTP_TURNS_H

#include "piw/err.h"

#include <stdbool.h>

struct MHD_Daemon;

typedef enum piw_http_came {
    PIW_HTTP_NOBODY,   /* nobody waits */
    PIW_HTTP_SOMEBODY, /* was let in, turned away, or has gone again: there may be more */
    PIW_HTTP_NO_ROOM,  /* the process has no descriptor left */
} piw_http_came;

/* The descriptor that can be read when a turn is due, the daemon's own; negative when there is none, or no daemon. */
int piw_http_descriptor(struct MHD_Daemon *daemon, piw_err *err);
/* One turn. True: it was cut short so that the task's messages get theirs, and another one is due. */
bool piw_http_run(struct MHD_Daemon *daemon);
/* Let in who comes next to a listening socket. */
piw_http_came piw_http_accept(struct MHD_Daemon *daemon, int listener);

#endif
