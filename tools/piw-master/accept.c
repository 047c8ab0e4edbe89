/* accept.c — the accept4, recv and close that libzmq finds, as a program's own come before the C library's (the Makefile exports
 * them). */

/* The C library's checked recv is an inline function of the same name: clang takes no visibility for ours after it. */
#undef _FORTIFY_SOURCE

#include "port/descriptors.h"
#include "port/incoming.h"

#include <unistd.h>

__attribute__((visibility("default"))) int accept4(int listener, __SOCKADDR_ARG address, socklen_t *restrict size,
                                                   int flags)
{
    return piw_descriptors_accept(listener, address.__sockaddr__, size, flags);
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *data, size_t size, int flags)
{
    return piw_incoming_recv(fd, data, size, flags);
}

__attribute__((visibility("default"))) int close(int fd)
{
    return piw_incoming_close(fd);
}
