/* entry.h — the message that a line of the web server's log becomes, if any
 * (docs/web-logs.md#which-request-becomes-which-entry). Any thread. */
#ifndef LOGGER_ENTRY_H
#define LOGGER_ENTRY_H

#include "format.h"

#include "log.piw.h"

/* The line's message, the caller's; NULL: the rules have none for it. */
piw_msg *log_record_of(const log_line *line);

#endif
