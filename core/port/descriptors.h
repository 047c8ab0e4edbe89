/* descriptors.h — who connects gets a descriptor only while enough are left for the site, the database and the local queues.
 *
 * For piw-master, not for plugins. */
#ifndef PIW_DESCRIPTORS_H
#define PIW_DESCRIPTORS_H

#include "piw/base.h"

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Before the first connection is let in: raises the limit as far as it goes, says when that isn't far enough, and has the runtime
 * look every second, so that it is in the log when connections are refused and when descriptors run short. */
PIW_API void piw_descriptors_watch(void);
/* As accept4. What would take a descriptor that is kept is closed: then it is -1, and errno ECONNABORTED. Any thread. */
PIW_API int piw_descriptors_accept(int listener, struct sockaddr *address, socklen_t *size, int flags);

/* The look; by the runtime's monitor. */
void piw__descriptors_look(int64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
