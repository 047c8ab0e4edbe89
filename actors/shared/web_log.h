/* web_log.h — entries of the web server's log as the master stores them and piw-logger sends them
 * (docs/web-logs.md#which-request-becomes-which-entry).
 *
 * Any thread. */
#ifndef SHARED_WEB_LOG_H
#define SHARED_WEB_LOG_H

#include "piw/msg.h"

/* Widths of the columns, in characters. */
enum {
    PIW_LOG_FILENAME_MAX = 255,
    PIW_LOG_PACKAGE_MAX = 200,
    PIW_LOG_PAGE_MAX = 30,
    PIW_LOG_FACT_MAX = 100,
    PIW_LOG_INSTALLER_NAME_MAX = 20,
    PIW_LOG_AGENT_MAX = 200, /* the columns are wider */
};

/* The address of a host without the zone that servers give to link-local ones (fe80::1%eth0): a zone means something on
 * the machine that names it only, and the database has no place for one. What is no IPv6 address with a zone stays as it
 * is; the result is part of `host`, not NUL-ended. */
piw_text piw_log_host(piw_text host);
/* Is this, as piw_log_host gives it, the address of a host as the database stores it? */
bool piw_log_host_valid(piw_text host);
/* How many bytes its first `chars` characters are. */
uint32_t piw_log_prefix(piw_text text, uint32_t chars);
/* A user agent as it is stored: what stands before its first '/', in lower case, at most PIW_LOG_AGENT_MAX characters;
 * in the arena of `msg`. */
piw_text piw_log_agent(piw_msg *msg, piw_text agent);
/* The value of a hexadecimal digit; -1: it is none. */
int piw_log_hex_digit(char c);

#endif
