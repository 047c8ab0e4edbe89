/* requires_python.h — which releases of Python 3 a Requires-Python takes (PEP 345, PEP 440). Any thread. */
#ifndef SHARED_REQUIRES_PYTHON_H
#define SHARED_REQUIRES_PYTHON_H

#include "piw/base.h"

enum { PIW_PYTHON_MINORS = 63 }; /* 3.0 to 3.62, so that the bits fit a signed number */

/* Bit N: 3.N as of its latest patch does, so that "!=3.9.0" takes 3.9 and "<=3.8" doesn't take 3.8. Text that is none takes all, as installers
 * have it; so does none at all. */
uint64_t piw_requires_python(piw_text text);

#endif
