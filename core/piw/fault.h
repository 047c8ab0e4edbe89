/* fault.h — named fault points: compiled in, off by default, armed by tests.
 *
 * PIW_FAULTS="file.rename=kill,store.commit=error:3" in the environment arms them: ACTION[:N] acts at the N-th passage
 * (default 1), ACTION/N at each N-th. Actions: `error` (the point reports true), `kill` (SIGKILL to the process), `pause`
 * (writes the name to the file named by PIW_FAULT_LOG and stops until SIGCONT). One predictable branch when nothing is
 * armed. */
#ifndef PIW_FAULT_H
#define PIW_FAULT_H

#include "piw/base.h"

#ifdef __cplusplus
extern "C" {
#endif

PIW_API extern bool piw_faults_armed;
PIW_API bool piw_fault_hit(const char *name);
/* True when the code should behave as if this step had failed. */
#define PIW_FAULT(name) (__builtin_expect(piw_faults_armed, 0) && piw_fault_hit(name))

#ifdef __cplusplus
}
#endif

#endif
