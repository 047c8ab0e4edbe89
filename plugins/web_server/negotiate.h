/* negotiate.h — which form of a page a client wants, by its Accept and Accept-Encoding (RFC 9110 12.5, PEP 691). Any thread. */
#ifndef WEB_SERVER_NEGOTIATE_H
#define WEB_SERVER_NEGOTIATE_H

#include <stdbool.h>

#define WEB_TYPE_HTML    "text/html; charset=utf-8"
#define WEB_TYPE_V1_HTML "application/vnd.pypi.simple.v1+html"
#define WEB_TYPE_V1_JSON "application/vnd.pypi.simple.v1+json"

/* What a client takes of an index page. Both, with JSON preferred or not, or one, or neither: then it is told so (406). */
typedef struct web_forms {
    bool json, html;
    bool json_first;
    const char *html_type; /* how the HTML form is called for this client */
} web_forms;

/* `accept` NULL or empty: anything, which is HTML. Only who names the JSON form gets it: browsers, and installers of before
 * 2022, say that they take anything and mean HTML. */
void web_forms_of(const char *accept, web_forms *forms);
/* Does the client take gzip? NULL: it said nothing, so no. */
bool web_takes_gzip(const char *accept_encoding);

#endif
