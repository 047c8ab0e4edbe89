/* requirement.h — what installers can read in Requires-Python (PEP 440) and Requires-Dist (PEP 508).
 *
 * One that they can't read they drop, or they stop at it; which of both depends on the installer. Any thread. */
#ifndef SHARED_REQUIREMENT_H
#define SHARED_REQUIREMENT_H

#include "piw/base.h"

typedef struct piw_requirement {
    piw_text name;    /* as it is spelt */
    bool names_extra; /* its marker asks for an extra: not what everyone needs */
} piw_requirement;

/* A set of specifiers: ">=3.7, !=3.8.*". Empty ones between commas count for nothing. */
bool piw_specifiers_valid(piw_text text);
/* NAME [EXTRAS] SPECIFIERS or @ URL, and a marker. False: it doesn't parse. The name lies in the text. */
bool piw_requirement_parse(piw_text text, piw_requirement *requirement);

#endif
