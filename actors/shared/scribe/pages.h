/* pages.h — the pages of the site as bytes (docs/site.md). Pure: from data to a buffer; any thread.
 *
 * Everything that comes from outside is escaped where it is put. */
#ifndef SHARED_SCRIBE_PAGES_H
#define SHARED_SCRIBE_PAGES_H

#include "piw/codec.h"
#include "piw/err.h"
#include "shared/view.h"
#include "the_scribe.piw.h"

/* The form of all pages. It rises with every change of what a page says of the same data: the pages of older forms are then
 * written anew (form.h). The root list names it; that of form 1 names none.
 *   2: HTML names the metadata's hash in data-core-metadata alone
 *   3: pages for people are made from templates; logs have pages; the simple index is there as JSON too, leads to the project's
 *      page, and has reasons of yanks and status */
#define PAGES_FORM      "3"
#define PAGES_GENERATOR "<meta name=\"generator\" content=\"piwheels pages " PAGES_FORM "\">"

/* A project's releases, newest first; equal versions by their text. The caller frees the array. */
const project_release **pages_order(const project_data *data);
/* Is nothing of the project offered, because PyPI has quarantined it (PEP 792)? */
bool pages_quarantined(const project_data *data);
/* What PyPI says of the project as a whole (PEP 792): archived, deprecated or quarantined; NULL: nothing of note. *why, which
 * may be empty, is the reason that its people give. */
const char *pages_status(const project_data *data, piw_text *why);
/* Is this release shown, with its files? Not when it is marked deleted, or quarantined, alone or with its project; nor when
 * its version, out of an adopted database, could not be a name in a path. */
bool pages_live(const project_data *data, const project_release *release);
/* Is this file in the indexes that installers read? Not when the release isn't shown, and not under a name at which
 * installers stop, as an adopted database may have one. */
bool pages_indexed(const project_data *data, const project_release *release, const project_file *file);
/* Is any of the release's files, of the common index? */
bool pages_offered(const project_data *data, const project_release *release);

/* A file that an index lists. */
typedef struct page_entry {
    const project_file *file;
    piw_text home; /* the view in whose store it lies; empty: the common one */
} page_entry;
/* What the index of a view (null: the common one) lists of a release: what is in its own store first. The caller frees. */
page_entry *pages_entries(const project_data *data, const project_release *release, piw_text view, size_t *count);
/* The address of such a file from the page of that index. */
void pages_put_url(const project_data *data, piw_text view, const page_entry *entry, piw_buffer *to);

/* simple/PKG/index.html, of the common index, or (view not null) of a view's. */
void page_index(const project_data *data, piw_text view, piw_buffer *to);
/* project/PKG/index.html, from its template; -1 and the sentence when that fails. */
int page_project(const site_facts *site, const project_data *data, piw_buffer *to, piw_err *err);
/* The farm's views, for the pages that show them: names and pip's lines; and what a project has for each. */
void pages_put_views(const site_facts *site, piw_view *view);
void pages_put_project_views(const site_facts *site, const project_data *data, const project_release *const *order,
                             piw_view *view);
/* What a version's state is called, and its style. */
const char *pages_state_words(piw_text status, const char **style);
/* The address of a build's log below the site's root: its page when there is one, else the log as it was printed. */
void page_log_link(char *to, size_t size, const char *root, int64_t build_id);
/* Packed as gzip does, without a time or a name: equal pages give equal bytes. */
int page_pack(const piw_buffer *page, piw_buffer *to, piw_err *err);
/* A log, or of a large one whole lines of its beginning and of its end. */
typedef struct page_log_lines {
    piw_text first, last;
    uint32_t last_number; /* of the first line of `last` */
    uint32_t count;       /* lines of all of it */
} page_log_lines;
/* logs/AAAA/BBBB/CCCC.html of a log: its lines numbered, the error first. What is very long is left out in the middle. */
int page_log(const site_facts *site, piw_text package, const project_build *build, const page_log_lines *log,
             piw_buffer *to, piw_err *err);
/* project/PKG/json/index.json */
void page_json(const site_facts *site, const project_data *data, piw_buffer *to);
/* simple/index.html; names are NUL-ended, one after the other. */
void page_root(const char *names, size_t len, piw_buffer *to);
/* packages.json: begun, one entry after the other, ended. */
void page_downloads_begin(piw_buffer *to);
void page_downloads_add(const package_downloads *entry, bool first, piw_buffer *to);
void page_downloads_end(piw_buffer *to);
/* sitemap.xml: begun, one of those below after the other with the day of its last change (yyyy-mm-dd), ended. */
void page_sitemap_begin(piw_buffer *to);
void page_sitemap_add(const site_facts *site, const char *name, const char *date, piw_buffer *to);
void page_sitemap_end(piw_buffer *to);
/* sitemap0.xml: the site's own pages. */
void page_sitemap_own(const site_facts *site, piw_buffer *to);
/* sitemap1.xml and on: the next projects of a list like that of page_root; *names and *len go on to the rest. */
enum { PAGE_SITEMAP_PROJECTS = 50000 /* what a sitemap may hold, by its standard */ };
void page_sitemap_projects(const site_facts *site, const char **names, size_t *len, piw_buffer *to);
/* The pages that are about no package, and the files beside them, in the order in which they are written. `figures`: without
 * figures one that is there stays. */
typedef struct site_page {
    const char *name;
    bool figures;
} site_page;
extern const site_page site_pages[];
extern const size_t site_pages_count;
/* One of them, from its template. `figures` may be NULL; `known`: packages that the database has. */
int page_site(const site_facts *site, const char *name, const site_figures *figures, int64_t known, piw_buffer *to,
              piw_err *err);

#endif
