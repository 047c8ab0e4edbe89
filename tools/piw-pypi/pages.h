/* pages.h — the documents that PyPI answers with, made from the catalogue and the log of events. */
#ifndef PYPI_PAGES_H
#define PYPI_PAGES_H

#include "changelog.h"
#include "piw/codec.h"

typedef struct pypi_site {
    pypi_catalogue catalogue;
    pypi_changelog log;
} pypi_site;

/* The simple index: all projects, or one project's files. False: there is no such project. `json` chooses the form. */
void pypi_page_root(const pypi_site *site, bool json, piw_buffer *to);
bool pypi_page_project(const pypi_site *site, const char *canonical, bool json, piw_buffer *to);
/* /pypi/NAME/json. `base` is the address that files are given with: "http://HOST". */
bool pypi_page_about(const pypi_site *site, const char *canonical, const char *base, piw_buffer *to);
/* Events of the log that an answer lists, and how far it is. */
typedef struct pypi_listing {
    size_t next, end;
    bool begun, ended;
} pypi_listing;

/* The answer to an XML-RPC request of `len` bytes: a result or a fault; or nothing yet, and true, where it is a list of events. */
bool pypi_page_xmlrpc(const pypi_site *site, const char *request, size_t len, piw_buffer *to, pypi_listing *events);
/* The next piece of that, so that its reader need not wait for all of it; nothing at its end. */
void pypi_page_events(const pypi_site *site, pypi_listing *events, piw_buffer *to);

#endif
