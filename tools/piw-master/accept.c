/* accept.c — the accept4 that libzmq finds, as a program's own comes before the C library's (the Makefile exports it). */
#include "port/descriptors.h"

__attribute__((visibility("default"))) int accept4(int listener, __SOCKADDR_ARG address, socklen_t *restrict size,
                                                   int flags)
{
    return piw_descriptors_accept(listener, address.__sockaddr__, size, flags);
}
