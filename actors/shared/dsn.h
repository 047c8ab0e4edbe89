/* dsn.h — database addresses as configuration files spell them, made what libpq understands. Any thread. */
#ifndef SHARED_DSN_H
#define SHARED_DSN_H

#include "piw/err.h"

/* postgres:, postgresql: and postgresql+psycopg2: are alike (docs/programs.md#piw-master); connection strings of
 * another form are kept as they are. The result is the caller's to free. */
char *piw_dsn_normal(const char *dsn);

/* Whether it is a URI of PostgreSQL, in any of these spellings. */
bool piw_dsn_is_uri(const char *dsn);

/* The address without a password, for messages. The caller's to free. */
char *piw_dsn_print(const char *dsn);

#endif
