/* template.h — pages from templates: a subset of mustache (docs/templates.md). Any thread.
 *
 *   {{name}}                 a text, escaped for HTML
 *   {{{name}}} {{&name}}     HTML that this program made itself; any other value is refused
 *   {{#name}}…{{/name}}      once for each item of a list, or once if there is such a text or flag
 *   {{^name}}…{{/name}}      otherwise
 *   {{>file.html}}           another template
 *   {{!…}}                   a remark
 *
 * A name that nothing has is an error, as are delimiters of one's own. A template is refused or its page is whole: an error says
 * file and line. */
#ifndef SHARED_TEMPLATE_H
#define SHARED_TEMPLATE_H

#include "piw/err.h"
#include "shared/view.h"

enum {
    PIW_TEMPLATE_MAX = 256 << 10,   /* bytes of a template */
    PIW_TEMPLATE_DEPTH = 16,        /* sections in sections, and templates in templates */
    PIW_TEMPLATE_STEPS = 20 << 20,  /* texts, values and sections of one page */
    PIW_TEMPLATE_OUTPUT = 64 << 20, /* bytes of one page */
};

/* Where templates come from. `find` gives the text of one by its name, which stays valid until `done`, and what errors call it;
 * PIW_ENOENT when there is none. `done` may be NULL. */
typedef struct piw_template_source {
    int (*find)(void *arg, piw_text name, piw_text *text, const char **called, piw_err *err);
    void (*done)(void *arg, piw_text text, const char *called);
    void *arg;
} piw_template_source;

/* Append the page that the template `name` makes of the view. On failure the buffer is as it was, and the sentence names the
 * template and the line. */
int piw_template_render(const piw_template_source *source, const char *name, const piw_view *view, piw_buffer *to,
                        piw_err *err);

#endif
