/* sdnotify.h — inside the core: what systemd wants to hear from a service, without its library.
 *
 * Any thread; nothing is kept between calls. */
#ifndef PIW__SDNOTIFY_H
#define PIW__SDNOTIFY_H

#include "piw/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Send `state` ("READY=1") as one datagram to $NOTIFY_SOCKET (a path, or "@name" for an abstract one). 0 when it was
 * sent or nobody listens; PIW_EINVAL for an address that is not valid, PIW_ESYS (errno set) when it can't be sent. Never
 * waits. */
PIW_API int piw__sd_notify(const char *state);

/* The interval in which systemd wants WATCHDOG=1 from this process, in microseconds; 0: it doesn't. */
PIW_API int64_t piw__sd_watchdog_us(void);

#ifdef __cplusplus
}
#endif

#endif
