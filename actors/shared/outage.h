/* outage.h — an outage is said once, and then now and then. Plain data of one thread. */
#ifndef PIW_SHARED_OUTAGE_H
#define PIW_SHARED_OUTAGE_H

#include "piw/base.h"

/* Zero: there is none. */
typedef struct piw_outage {
    int64_t since_ns, said_ns;
} piw_outage;

/* It goes on, or has begun. Is a line due: `after_ms` from its beginning, and then every ten minutes? */
bool piw_outage_due(piw_outage *outage, int64_t after_ms);
void piw_outage_over(piw_outage *outage);

#endif
