/* site_files.h — the templates of the pages for people, and the files beside them: those of site/, which are inside of the plugin,
 * and those that an operator has put in their place (docs/templates.md). Any thread. */
#ifndef SHARED_SCRIBE_SITE_FILES_H
#define SHARED_SCRIBE_SITE_FILES_H

#include "shared/template.h"
#include "the_scribe.piw.h"

/* Append the page that the template of this name, the operator's or ours, makes of the view, with an end by which it can be seen to
 * be whole (page_end.h). On failure the buffer is as it was. */
int site_render(const site_facts *site, const char *name, const piw_view *view, piw_buffer *to, piw_err *err);
/* A view with what every page needs. `up` is the way to the site's root ("", "../../"), `on` the page's name in the menu
 * (packages, stats, faq, json) or "". The title is borrowed. */
piw_view *site_view(const site_facts *site, const char *up, piw_text title, const char *on);
/* Is it an address as [site] base-url has it, which pages, sitemaps and what people paste into a shell can take? */
bool site_address_ok(piw_text url);
/* Is it a colour as [site] accent has it: #rrggbb? */
bool site_colour_ok(piw_text colour);

#endif
