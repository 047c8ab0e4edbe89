/* microhttpd.c — preloaded to a master by a test: what is other with libmicrohttpd 1.0 and later, whatever version is there. What it says
 * of a connection lasts until it is asked again; and who is added is told of in the daemon's next run, not at once. */
#include <dlfcn.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WAITING_MAX = 1024 };

typedef struct waiting {
    struct MHD_Daemon *daemon;
    MHD_socket fd;
    struct sockaddr_storage from;
    socklen_t size;
} waiting;

/* A daemon is run by the thread that adds to it. */
static _Thread_local waiting queue[WAITING_MAX];
static _Thread_local size_t count;

/* The plugin that needs the library brings it with it: it isn't behind this one in the order of symbols. */
static void *real(const char *name)
{
    void *library = dlopen("libmicrohttpd.so.12", RTLD_LAZY | RTLD_NOLOAD);
    void *found = library != NULL ? dlsym(library, name) : NULL;
    if (found == NULL)
        abort();
    dlclose(library);
    return found;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType info_type, ...)
{
    static _Thread_local union MHD_ConnectionInfo lent;
    const union MHD_ConnectionInfo *(*ask)(struct MHD_Connection *, enum MHD_ConnectionInfoType, ...) = NULL;
    *(void **)&ask = real("MHD_get_connection_info");
    const union MHD_ConnectionInfo *found = ask(connection, info_type);
    memset(&lent, 0x5a, sizeof(lent));
    if (found != NULL)
        memcpy(&lent, found,
               info_type == MHD_CONNECTION_INFO_CONNECTION_FD ? sizeof(found->connect_fd) : sizeof(void *));
    return found != NULL ? &lent : NULL;
}

enum MHD_Result MHD_add_connection(struct MHD_Daemon *daemon, MHD_socket fd, const struct sockaddr *from,
                                   socklen_t size)
{
    if (count == WAITING_MAX || size > sizeof(struct sockaddr_storage))
        abort();
    waiting *added = &queue[count++];
    *added = (waiting){.daemon = daemon, .fd = fd, .size = size};
    memcpy(&added->from, from, size);
    return MHD_YES;
}

enum MHD_Result MHD_run(struct MHD_Daemon *daemon)
{
    enum MHD_Result (*add)(struct MHD_Daemon *, MHD_socket, const struct sockaddr *, socklen_t) = NULL;
    enum MHD_Result (*run)(struct MHD_Daemon *) = NULL;
    *(void **)&add = real("MHD_add_connection");
    *(void **)&run = real("MHD_run");
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (queue[i].daemon == daemon)
            add(daemon, queue[i].fd, (struct sockaddr *)&queue[i].from, queue[i].size);
        else
            queue[left++] = queue[i];
    }
    count = left;
    return run(daemon);
}
