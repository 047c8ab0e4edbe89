/* process_id.h — what tells this process from every other one, also from those that had its number before it.
 *
 * In a container each program has the same number whenever it is started, and so have the programs of containers that are alike.
 * Any thread. */
#ifndef SHARED_PROCESS_ID_H
#define SHARED_PROCESS_ID_H

#include <stdint.h>

enum { PIW_PROCESS_ID_DIGITS = 10 /* of it in hexadecimal */ };

/* Random, from the moment its program began; the same for every image that the process loads. */
uint64_t piw_process_id(void);
/* When it began, in seconds of the clock; 0: that isn't known. */
int64_t piw_process_began(void);

#endif
