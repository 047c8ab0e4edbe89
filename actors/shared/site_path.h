/* site_path.h — where everything lies under the output folder (docs/site.md#paths).
 *
 * Each function writes an absolute path into `to` (PIW_PATH_MAX bytes) and checks every component again, whatever was
 * checked before. They return false, with `to` empty, when a component is not safe or the path is too long. Any thread. */
#ifndef SHARED_SITE_PATH_H
#define SHARED_SITE_PATH_H

#include "piw/base.h"

enum { PIW_PATH_MAX = 4096 };

/* Safe as one name in a folder: 1 to 255 bytes, no '/', no control character, no leading dot. */
bool piw_path_component(piw_text name);

/* ROOT/NAME, for the site's own pages ("index.html"). */
bool piw_path_page(char *to, const char *root, const char *name);
/* ROOT/VIEW: the root of a view's own store, for the four functions below; ROOT with a null or empty text. */
bool piw_path_view(char *to, const char *root, piw_text view);
/* ROOT/simple/PKG or ROOT/simple/PKG/FILE (`file` may be a null text). */
bool piw_path_simple(char *to, const char *root, piw_text package, piw_text file);
/* ROOT/simple/PKG/FILE.metadata */
bool piw_path_metadata(char *to, const char *root, piw_text package, piw_text file);
/* ROOT/.quarantine: a folder that the web server can't enter; and of it PKG/FILE and PKG/FILE.metadata, wheels that are
 * out of reach while PyPI has them quarantined. */
bool piw_path_quarantine(char *to, const char *root);
bool piw_path_withheld(char *to, const char *root, piw_text package, piw_text file);
bool piw_path_withheld_metadata(char *to, const char *root, piw_text package, piw_text file);
/* ROOT/project/NAME: a package's folder, or the link of an alias. */
bool piw_path_project(char *to, const char *root, piw_text name);
/* A file that plugins may write, from its path below ROOT: feeds/NAME, with up to three folders between, or
 * project/PKG/feed.atom. */
bool piw_path_plugin(char *to, const char *root, piw_text path);
/* ROOT/logs/AAAA/BBBB/CCCC.txt.gz; build ids are 1 to 999,999,999,999. */
bool piw_path_log(char *to, const char *root, int64_t build_id);
/* ROOT/logs/AAAA/BBBB/CCCC.html.gz: the page of that log. */
bool piw_path_log_page(char *to, const char *root, int64_t build_id);
/* The log as a link from the site's root: "/logs/AAAA/BBBB/CCCC.txt" (the web server finds the .gz). */
bool piw_link_log(char *to, size_t size, int64_t build_id);
/* ROOT/.farm: the mark of the site (site_mark.h). */
bool piw_path_mark(char *to, const char *root);
/* ROOT/.audit: what piw-audit keeps; and NAME in it (may be NULL). */
bool piw_path_audit(char *to, const char *root, const char *name);
/* ROOT/.pages: the form of the site's pages. */
bool piw_path_form(char *to, const char *root);
/* ROOT/.staging, ROOT/.staging/<build id, 12 digits>, and a file in it. */
bool piw_path_staging(char *to, const char *root);
bool piw_path_staged(char *to, const char *root, int64_t build_id, piw_text file);
/* A build that lies in the journal alone has a file of no bytes in its folder's place: a link to this one. */
bool piw_path_unstaged(char *to, const char *root);
/* Whose folder this is, by its name in .staging; 0: no build's. */
int64_t piw_staged_build(const char *name);
/* ROOT/.staging/journal.<number, 12 digits>: what is known of builds on their way. */
bool piw_path_journal(char *to, const char *root, int64_t number);
/* ROOT/.staging/tmp: half-written files, until they are renamed into place. */
bool piw_path_tmp(char *to, const char *root);

#endif
