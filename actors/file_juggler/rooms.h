/* rooms.h — which room of temporary files is filled (shared/atomic_file.h), and when the next one begins: when it is full, or when a file
 * costs far more to make in it than in the best of them.
 *
 * ext4 without a journal gives no inode out again for minutes, and looks past each that was freed nearby, by whoever, once more for each
 * file: where others have just removed thousands, a file soon costs fifty times as much. The next room lies elsewhere on the disk.
 * Plain data; one thread. */
#ifndef FILE_JUGGLER_ROOMS_H
#define FILE_JUGGLER_ROOMS_H

#include "piw/base.h"

typedef struct rooms {
    int64_t number;   /* of the one that is filled */
    uint32_t files;   /* that were made in it, or will be */
    int64_t seen, ns; /* files of which it is known what they cost, since it was looked at last, and their cost */
    int64_t best_ns;  /* what one cost at best; 0: not known */
} rooms;

/* Those up to `last` are another's. */
void rooms_init(rooms *r, int64_t last);
/* The room for so many files more. */
int64_t rooms_take(rooms *r, uint32_t files);
/* So many files were made in that room, in so many nanoseconds of a processor. */
void rooms_cost(rooms *r, int64_t number, int64_t files, int64_t ns);

#endif
