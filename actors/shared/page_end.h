/* page_end.h — how a page of the site shows that nothing of it is missing, whatever template it was made from: it ends as its kind does,
 * or in a remark that its writer put there. Pure; any thread. */
#ifndef SHARED_PAGE_END_H
#define SHARED_PAGE_END_H

#include "piw/codec.h"

/* Bring the page of this file name, which is whole, to such an end. */
void piw_page_end(const char *name, piw_buffer *page);
/* Does it have one? */
bool piw_page_ended(const char *name, const void *page, size_t len);

#endif
