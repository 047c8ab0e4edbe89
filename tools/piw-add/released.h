/* released.h — the time of a release as it is written on the command line. Any thread. */
#ifndef ADD_RELEASED_H
#define ADD_RELEASED_H

#include "piw/err.h"

/* "YYYY-MM-DD HH:MM:SS", in UTC. PIW_EUSAGE. */
int add_released_parse(const char *text, piw_time *time, piw_err *err);
/* Now, to the second, as such times are. */
piw_time add_released_now(void);

#endif
