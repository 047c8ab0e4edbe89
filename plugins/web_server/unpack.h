/* unpack.h — the body of an answer that is unpacked from a gzip file while it is sent. One thread. */
#ifndef WEB_SERVER_UNPACK_H
#define WEB_SERVER_UNPACK_H

#include <microhttpd.h>

/* Takes the descriptor, also when it fails; NULL: out of memory. */
struct MHD_Response *web_unpack(int fd);

#endif
