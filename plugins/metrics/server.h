/* server.h — the HTTP server of one soul: libmicrohttpd without threads of its own, as in web_server. The task's thread only. */
#ifndef METRICS_SERVER_H
#define METRICS_SERVER_H

#include "piw/err.h"

#include <stdio.h>

typedef struct metrics_server metrics_server;

/* What is at a path: its content, and the status and type that go with it. False: there is nothing. */
typedef bool metrics_page_fn(void *arg, const char *path, FILE *to, unsigned *status, const char **type);

/* Takes the listener when it succeeds. */
int metrics_server_open(metrics_server **server, int listener, metrics_page_fn *page, void *arg, piw_err *err);
/* Ends its connections, and closes its listener. */
void metrics_server_close(metrics_server **server);
int metrics_server_listener(const metrics_server *server);
int metrics_server_epoll(const metrics_server *server);
/* Let in who waits to be. */
void metrics_server_accept(metrics_server *server);
/* Go on with every connection that can. True: there is more to do at once. */
bool metrics_server_run(metrics_server *server);

#endif
