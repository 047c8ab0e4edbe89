/* incoming.h — how much of a message may be under way on one connection, and on all together.
 *
 * libzmq gathers all frames of a message before it hands out the first, and has no bound for their number. For piw-master,
 * not for plugins. */
#ifndef PIW_INCOMING_H
#define PIW_INCOMING_H

#include "piw/base.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As recv. On a connection whose message has become too large it is -1, and errno ECONNRESET. Any thread. */
PIW_API ssize_t piw_incoming_recv(int fd, void *data, size_t size, int flags);
/* As close. Any thread. */
PIW_API int piw_incoming_close(int fd);

/* Before the first connection: as many may there be. */
void piw__incoming_watch(size_t descriptors);
/* This one was let in. The oldest that hasn't shaken hands is ended when PIW_LIMIT_HALF_OPEN came after it. */
void piw__incoming_begin(int fd);
/* Says how many were ended, and gives the memory back; by the runtime's monitor, every second. */
void piw__incoming_look(void);

#ifdef __cplusplus
}
#endif

#endif
