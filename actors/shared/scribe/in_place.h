/* in_place.h — are the files that a package's pages would name in their places? Any thread.
 *
 * A build has its folder below .staging from before its row is committed until all of its files are in place, whatever happens to the
 * master and its tasks meanwhile. So who has read the database first, and looks there after that, knows. */
#ifndef SHARED_SCRIBE_IN_PLACE_H
#define SHARED_SCRIBE_IN_PLACE_H

#include "piw/err.h"
#include "the_scribe.piw.h"

/* PIW_EAGAIN and which isn't: the pages have to wait, those of other packages needn't. Whoever puts it in its place asks for them
 * then. */
int in_place_check(const char *root, const project_data *data, piw_err *err);

#endif
