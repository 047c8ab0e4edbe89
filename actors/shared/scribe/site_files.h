/* site_files.h — the templates of the pages for people, and the files beside them: those of site/, which are inside of the plugin,
 * and those that an operator has put in their place (docs/templates.md). Any thread. */
#ifndef SHARED_SCRIBE_SITE_FILES_H
#define SHARED_SCRIBE_SITE_FILES_H

#include "shared/template.h"
#include "the_scribe.piw.h"

/* What templates of this site come from: the operator's folder first. Valid as long as `site`. */
piw_template_source site_templates(const site_facts *site);
/* A view with what every page needs. `up` is the way to the site's root ("", "../../"), `on` the page's name in the menu
 * (packages, stats, faq, json) or "". The title is borrowed. */
piw_view *site_view(const site_facts *site, const char *up, piw_text title, const char *on);
/* Is it a colour as [site] accent has it: #rrggbb? */
bool site_colour_ok(piw_text colour);

#endif
