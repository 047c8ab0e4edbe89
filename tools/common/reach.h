/* reach.h — is there a master at an address? Any thread. */
#ifndef COMMON_REACH_H
#define COMMON_REACH_H

#include "piw/err.h"

/* How long a program waits for a connection before it says that no master is there. On one machine it takes
 * milliseconds. */
enum { TOOL_REACH_MS = 3000 };

/* ZeroMQ takes a message for a master that isn't there and waits for it: whether one listens is asked of the socket
 * itself. Only local sockets can be asked so; of others nothing is said. PIW_ENET; PIW_EREFUSED when this user may not
 * use the socket, with `whose` ("the admin queue is for …") in the sentence. */
int tool_check_listens(const char *address, const char *whose, piw_err *err);
/* PIW_ENET with the sentence for the operator. */
int tool_no_master(const char *address, piw_err *err);
/* Where to connect to for an address that a master listens at: for all interfaces, written tcp://ASTERISK:PORT,
 * that is localhost, so that one configuration file serves both. A new text, to be freed. */
char *tool_connect_address(const char *address);

#endif
