/* outage.h — an outage is one line when it begins, one now and then with how long it lasts, and one when it is over, however
 * often is tried meanwhile. Plain data of one thread. */
#ifndef PIW_SHARED_OUTAGE_H
#define PIW_SHARED_OUTAGE_H

#include "piw/log.h"

/* Zero: there is none. */
typedef struct piw_outage {
    int64_t since_ns, said_ns;
    piw_log_level level; /* of the last line */
    int64_t minute_ns;   /* of the last first line … */
    unsigned begun;      /* … and how many there were since */
} piw_outage;

/* It goes on, or has begun: a line when one is due, which is `after_ms` from its beginning, and then every ten minutes. What comes
 * and goes is told of a few times a minute. */
void piw_outage_goes_on(piw_outage *outage, piw_log_level level, int64_t after_ms, const char *fmt, ...)
    PIW_PRINTF(4, 5);
/* It is over, if there was one: a line, as loud as the last, when it had been told of. True: it was written. */
bool piw_outage_over(piw_outage *outage, const char *fmt, ...) PIW_PRINTF(2, 3);
/* What was tried is given up. */
void piw_outage_forget(piw_outage *outage);

#endif
