/* retry.h — a build's and an import's way goes through other tasks: which of their errors are tried again, and after how long.
 * Any thread. */
#ifndef SHARED_RETRY_H
#define SHARED_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Does this error of an answer say that the data is at fault? Then the same again can't help. */
bool piw_refuses_data(int code);
/* A step that failed for its surroundings is tried again after so long; `tries` before, at least 0. */
int64_t piw_retry_ms(int64_t tries);

#endif
