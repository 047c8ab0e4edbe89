/* borrowed.c — preloaded to a master by a test: what libmicrohttpd says of a connection lasts until it is asked again, as with 1.0
 * and later, whatever version is there. */
#include <dlfcn.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType info_type, ...)
{
    static _Thread_local union MHD_ConnectionInfo lent;
    /* The plugin that needs the library brings it with it: it isn't behind this one in the order of symbols. */
    void *library = dlopen("libmicrohttpd.so.12", RTLD_LAZY | RTLD_NOLOAD);
    const union MHD_ConnectionInfo *(*ask)(struct MHD_Connection *, enum MHD_ConnectionInfoType, ...) = NULL;
    *(void **)&ask = library != NULL ? dlsym(library, "MHD_get_connection_info") : NULL;
    if (ask == NULL)
        abort();
    const union MHD_ConnectionInfo *found = ask(connection, info_type);
    memset(&lent, 0x5a, sizeof(lent));
    if (found != NULL)
        memcpy(&lent, found,
               info_type == MHD_CONNECTION_INFO_CONNECTION_FD ? sizeof(found->connect_fd) : sizeof(void *));
    dlclose(library);
    return found != NULL ? &lent : NULL;
}
