/* core_dumps.c — may what this process holds be seen from outside? */
#include "base/core_dumps.h"

#include <sys/prctl.h>

void piw__core_dumps_allow(bool allowed)
{
    prctl(PR_SET_DUMPABLE, allowed ? 1 : 0, 0, 0, 0);
}

bool piw__core_dumps_allowed(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
}
