/* abi.h — ABI tags: their order, by interpreter version (cp39 before cp311), not by text; and their form. Any thread. */
#ifndef SHARED_ABI_H
#define SHARED_ABI_H

#include "piw/base.h"

enum { PIW_ABI_TAG_MAX = 100 };

/* < 0, 0, > 0. First the interpreter's letters, then the major version (first digit), then the minor (the other
 * digits), then what follows (cp313 before cp313t). Tags without digits come before those of the same letters. */
int piw_abi_compare(piw_text a, piw_text b);
/* May this be a tag of an ABI that the farm builds for: 1 to PIW_ABI_TAG_MAX letters, digits and '_', and none of those
 * that stand for several ("none", "abi3", "abi3t")? */
bool piw_abi_acceptable(piw_text tag);
/* Does it look like what interpreters call theirs, too: small letters, then a version (cp311, pypy310_pp73), and no
 * letters that stand for many interpreters (py3, abi3)? What an operator types must; what is there already need not. */
bool piw_abi_typed(piw_text tag);
/* Do installers that run on this ABI take a wheel without an ABI (`none`) of these interpreters, a set with dots between as in its
 * name? What schema/coverage.sql says of such wheels. */
bool piw_abi_takes_pure(piw_text abi, piw_text interpreters);

#endif
