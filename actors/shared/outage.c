/* outage.c — an outage is said once, and then now and then. */
#include "shared/outage.h"

enum { AGAIN_S = 600, NS_A_SECOND = 1000000000, NS_A_MS = 1000000 };

bool piw_outage_due(piw_outage *outage, int64_t after_ms)
{
    int64_t now_ns = piw_monotonic_ns();
    if (outage->since_ns == 0)
        outage->since_ns = now_ns;
    bool due = outage->said_ns == 0 ? now_ns - outage->since_ns >= after_ms * NS_A_MS
                                    : now_ns - outage->said_ns >= (int64_t)AGAIN_S * NS_A_SECOND;
    if (due)
        outage->said_ns = now_ns;
    return due;
}

void piw_outage_over(piw_outage *outage)
{
    *outage = (piw_outage){0};
}
