/* reads.h — inside the core: what a function of a soul has read of clocks and chance: kept while it is recorded, given again when
 * that is played (docs/recording.md). Each belongs to the thread that runs the function. */
#ifndef PIW__READS_H
#define PIW__READS_H

#include "piw/base.h"

enum { PIW__READS = 64 }; /* of each kind; what is read beyond that is not kept */
typedef enum { PIW__READ_MONOTONIC, PIW__READ_DAY, PIW__READ_RANDOM, PIW__READ_KINDS } piw__read_kind;

typedef struct piw__reads {
    bool play;
    struct {
        uint32_t count, next;
        int64_t at[PIW__READS];
    } of[PIW__READ_KINDS];
} piw__reads;

/* NULL: nobody wants to know. Looked at with each reading of a clock; the library is loaded with the program, so that the cheap
 * access is allowed. */
extern __thread piw__reads *piw__reads_now __attribute__((tls_model("initial-exec")));
int64_t piw__reads_note(piw__reads *reads, piw__read_kind kind, int64_t value);

/* What was read, or what is to be taken for it. */
static inline int64_t piw__read(piw__read_kind kind, int64_t value)
{
    return __builtin_expect(piw__reads_now == NULL, 1) ? value : piw__reads_note(piw__reads_now, kind, value);
}

#endif
