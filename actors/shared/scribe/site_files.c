/* site_files.c — the templates of the pages for people, and the files beside them. The assembler takes them in, as it does
 * with the SQL of schema/. Paths are relative to the folder of the Makefile. */
#include "site_files.h"

#include "shared/atomic_file.h"
#include "shared/page_end.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INCLUDE(symbol, path)                                                                                          \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n");                       \
    extern const char symbol[] __attribute__((visibility("hidden")))

INCLUDE(site_head, "site/head.html");
INCLUDE(site_foot, "site/foot.html");
INCLUDE(site_search, "site/search.html");
INCLUDE(site_index, "site/index.html");
INCLUDE(site_packages, "site/packages.html");
INCLUDE(site_project, "site/project.html");
INCLUDE(site_log, "site/log.html");
INCLUDE(site_stats, "site/stats.html");
INCLUDE(site_faq, "site/faq.html");
INCLUDE(site_json, "site/json.html");
INCLUDE(site_404, "site/404.html");
INCLUDE(site_css, "site/site.css");
INCLUDE(site_icon, "site/favicon.svg");
INCLUDE(site_script, "site/search.js");

static const struct {
    const char *name, *text;
} own[] = {
    {"head.html", site_head},   {"foot.html", site_foot},         {"search.html", site_search},
    {"index.html", site_index}, {"packages.html", site_packages}, {"project.html", site_project},
    {"log.html", site_log},     {"stats.html", site_stats},       {"faq.html", site_faq},
    {"json.html", site_json},   {"404.html", site_404},           {"site.css", site_css},
    {"favicon.svg", site_icon}, {"search.js", site_script},
};

/* The operator's file of this name. PIW_ENOENT: there is none. */
static int find_theirs(const char *folder, piw_text name, piw_text *text, const char **called, piw_err *err)
{
    char *path = piw_sprintf("%s/%.*s", folder, (int)name.len, name.s);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        free(path);
        /* A folder that was moved away, or whose name has a slip: not one without this file, in whose place ours is taken. */
        return access(folder, X_OK) == 0 ? PIW_ENOENT
                                         : piw_err_errno(err, "the folder of templates, %s, can't be used", folder);
    }
    void *data;
    size_t len;
    int rc = piw_file_read(path, PIW_TEMPLATE_MAX, &data, &len, err);
    if (rc == 0 && piw_utf8_valid(data, len) != len) {
        rc = piw_err_set(err, PIW_EINVAL, "%s is no UTF-8", path);
        free(data);
    }
    if (rc != 0) {
        free(path);
        return rc == PIW_ENOENT ? PIW_ESYS : rc;
    }
    *text = (piw_text){data, (uint32_t)len};
    *called = path;
    return 0;
}

static int find(void *arg, piw_text name, piw_text *text, const char **called, piw_err *err)
{
    const site_facts *site = arg;
    if (!piw_path_component(name))
        return piw_err_set(err, PIW_EINVAL, "\"%.*s\" is no template's name", (int)name.len, name.s);
    if (site->templates.s != NULL && site->templates.len > 0) {
        int rc = find_theirs(site->templates.s, name, text, called, err);
        if (rc != PIW_ENOENT)
            return rc;
    }
    for (size_t i = 0; i < PIW_COUNT(own); i++) {
        if (piw_text_is(name, own[i].name)) {
            *text = piw_text_of(own[i].text);
            *called = own[i].name;
            return 0;
        }
    }
    return piw_err_set(err, PIW_ENOENT, "there is no template %.*s", (int)name.len, name.s);
}

static void done(void *arg, piw_text text, const char *called)
{
    (void)arg;
    for (size_t i = 0; i < PIW_COUNT(own); i++) {
        if (called == own[i].name)
            return;
    }
    free((void *)text.s);
    free((void *)called);
}

int site_render(const site_facts *site, const char *name, const piw_view *view, piw_buffer *to, piw_err *err)
{
    piw_template_source source = {find, done, (void *)site};
    int rc = piw_template_render(&source, name, view, to, err);
    if (rc == 0)
        piw_page_end(name, to);
    return rc;
}

bool site_address_ok(piw_text url)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < PIW_COUNT(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (url.s == NULL || url.len <= len || memcmp(url.s, schemes[i], len) != 0 || url.s[len] == '/')
            continue;
        for (uint32_t k = 0; k < url.len; k++) {
            unsigned char c = (unsigned char)url.s[k];
            if (c <= ' ' || c >= 0x7f || strchr("\"'<>\\^`{|}?#&;$()*!", c) != NULL)
                return false;
        }
        return true;
    }
    return false;
}

bool site_colour_ok(piw_text colour)
{
    if (colour.s == NULL || colour.len != 7 || colour.s[0] != '#')
        return false;
    for (uint32_t i = 1; i < 7; i++) {
        if (strchr("0123456789abcdefABCDEF", colour.s[i]) == NULL)
            return false;
    }
    return true;
}

/* Does the task that writes them run here, or did it? Pages lead to feeds that are there. */
static bool has_feeds(const site_facts *site)
{
    char path[PIW_PATH_MAX];
    return piw_path_plugin(path, site->root.s, piw_text_of("feeds/new.atom")) && piw_file_there(path);
}

piw_view *site_view(const site_facts *site, const char *up, piw_text title, const char *on)
{
    static const char *const places[][2] = {
        {"packages", "on_packages"}, {"stats", "on_stats"}, {"faq", "on_faq"}, {"json", "on_json"}};
    piw_view *view = piw_view_new();
    piw_view_text(view, "site_name", site->name);
    piw_view_text(view, "base_url", site->base_url);
    piw_view_text(view, "up", piw_text_of(up));
    piw_view_text(view, "title", title);
    piw_view_text(view, "notice", site->notice);
    piw_view_text(view, "accent", site_colour_ok(site->accent) ? site->accent : piw_text_of("#2f7d57"));
    piw_view_flag(view, "has_feeds", has_feeds(site));
    for (size_t i = 0; i < PIW_COUNT(places); i++)
        piw_view_flag(view, places[i][1], strcmp(on, places[i][0]) == 0);
    return view;
}
