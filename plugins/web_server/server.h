/* server.h — the HTTP server of one soul: libmicrohttpd without threads of its own, its connections and their bounds; and the
 * house, which stays with the shell, where the servers of souls that have gone end what is under way.
 *
 * The task's thread only. Connections come by web_server_accept alone; libmicrohttpd doesn't listen. */
#ifndef WEB_SERVER_SERVER_H
#define WEB_SERVER_SERVER_H

#include "site.h"

#include "piw/task.h"

#include <microhttpd.h>

typedef struct web_server web_server;
typedef struct web_connection web_connection;

/* Kept by piw_keep. A later version that changes it, or web_server, changes the mark, and leaves a house with another alone. */
#define WEB_HOUSE_MARK "piwweb1"
typedef struct web_house {
    char mark[8];
    web_server *servers; /* the newest first; all but that have no listener any more */
} web_house;

typedef struct web_bounds {
    int64_t connections, per_address;
    int64_t head_ms, idle_ms; /* until a request's head is whole; between two requests */
    int64_t least_rate;       /* bytes a second that a client must take */
    bool hits;                /* lumberjack is told */
} web_bounds;

struct web_server {
    web_server *next; /* in the house */
    piw_task *task;   /* of the soul that runs it now */
    char *where;      /* as configured */
    int listener;     /* -1: retired, its successor has one */
    web_site site;
    web_bounds bounds;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    web_connection *connections;
    int64_t count;          /* of them */
    uint64_t requests, cut; /* since it began */
};

/* Takes the listener when it succeeds. */
int web_server_open(web_server **server, const char *where, int listener, const char *site, const web_bounds *bounds,
                    piw_err *err);
/* Ends its connections. */
void web_server_close(web_server **server);
/* It takes no more connections; those that are there end with the answer that they are waiting for, or get. */
void web_server_retire(web_server *server);

/* Let in who waits to be, while `others` connections exist beside this server's. False: there are as many as there may be, and
 * none of them could be ended. */
bool web_server_accept(web_server *server, int64_t others);
/* Go on with every connection that can. True: there is more to do at once. */
bool web_server_run(web_server *server);
/* End connections that are too slow, or idle for too long. Each second. */
void web_server_look(web_server *server);

/* Of the shell, made when there is none; NULL: one of another form is there. */
web_house *web_house_of(piw_task *task);
/* The connections of all its servers but one. */
int64_t web_house_count(const web_house *house, const web_server *but);
void web_house_add(web_house *house, web_server *server);
void web_house_remove(web_house *house, web_server *server);

#endif
