/* pypi.h — what PyPI says of a package. Main thread. */
#ifndef ADD_PYPI_H
#define ADD_PYPI_H

#include "piw/msg.h"

enum { ADD_DESCRIPTION_MAX = 200 /* characters: the width of packages.description */ };

/* The summary of a canonical package from URL/PACKAGE/json, within some seconds, into the arena of `msg`; cut to
 * ADD_DESCRIPTION_MAX. PIW_ENOENT: PyPI doesn't know the package, or says nothing of it; PIW_ENET: PyPI can't be asked. */
int add_pypi_summary(const char *url, const char *package, piw_msg *msg, piw_text *summary, piw_err *err);

#endif
