/* retry.c — what is tried again, and after how long. */
#include "shared/retry.h"

#include "piw/err.h"

enum { FIRST_MS = 1000, MOST_MS = 10000 };

bool piw_refuses_data(int code)
{
    return code == PIW_EDB || code == PIW_EINVAL || code == PIW_ESHAPE || code == PIW_ELIMIT || code == PIW_EREFUSED;
}

int64_t piw_retry_ms(int64_t tries)
{
    int64_t delay = (int64_t)FIRST_MS << (tries < 8 ? tries : 8);
    return delay < MOST_MS ? delay : MOST_MS;
}
