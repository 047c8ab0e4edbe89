/* page_site.c — the frame of the pages for people, and those that are about no package. */
#include "pages.h"

#include "shared/text.h"

void page_begin(const site_facts *site, const char *up, piw_text title, piw_buffer *to)
{
    piw_put(to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    piw_put_html(to, title);
    piw_putf(
        to,
        "</title>\n<link rel=\"stylesheet\" href=\"%ssite.css\">\n</head>\n<body>\n<header><a href=\"%sindex.html\">",
        up, up);
    piw_put_html(to, site->name);
    piw_put(to, "</a></header>\n<main>\n");
}

void page_end(const site_facts *site, const char *up, piw_buffer *to)
{
    piw_put(to, "</main>\n<footer>");
    piw_put_html(to, site->name);
    piw_putf(
        to,
        " builds wheels from what PyPI publishes. <a href=\"%ssimple/\">Package index</a></footer>\n</body>\n</html>\n",
        up);
}

static void put_index_url(const site_facts *site, piw_buffer *to)
{
    piw_put_html(to, site->base_url);
    piw_put(to, "/simple");
}

void page_home(const site_facts *site, int64_t packages, piw_buffer *to)
{
    page_begin(site, "", site->name, to);
    piw_put(to, "<h1>");
    piw_put_html(to, site->name);
    piw_putf(to,
             "</h1>\n<p>Ready-made wheels of %lld Python packages, so that nothing has to be compiled where they are "
             "installed. Each package has a page that says what was built, with the log of every build.</p>\n",
             (long long)packages);
    piw_put(to, "<h2>Use it</h2>\n<p>Name the index to pip once:</p>\n<pre>pip install --extra-index-url ");
    put_index_url(site, to);
    piw_put(to,
            " PACKAGE</pre>\n<p>or for good, in <code>/etc/pip.conf</code>:</p>\n<pre>[global]\nextra-index-url = ");
    put_index_url(site, to);
    piw_put(to, "</pre>\n");
    page_end(site, "", to);
}

void page_404(const site_facts *site, piw_buffer *to)
{
    /* Sent for any path, so its links start at the root. */
    page_begin(site, "/", piw_text_of("Not found"), to);
    piw_put(
        to,
        "<h1>Not found</h1>\n<p>There is no such page here. A package that was announced a moment ago gets its pages "
        "within a minute; one that was removed from PyPI is removed here too.</p>\n");
    page_end(site, "/", to);
}

void page_style(piw_buffer *to)
{
    piw_put(
        to,
        "body { margin: 0 auto; max-width: 60rem; padding: 0 1rem 2rem; font: 1rem/1.5 sans-serif;\n"
        "    color: #222; background: #fff; }\n"
        "header { padding: 1rem 0; border-bottom: 3px solid #2a6f4e; font-weight: bold; }\n"
        "footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid #ccc; font-size: .875rem; color: #555; }\n"
        "a { color: #1d5f8a; }\n"
        "h1 { margin-bottom: .25rem; overflow-wrap: anywhere; }\n"
        "pre { padding: .75rem; background: #f2f4f3; overflow-x: auto; }\n"
        ".scroll { overflow-x: auto; }\n"
        "table { border-collapse: collapse; width: 100%; font-size: .9375rem; }\n"
        "th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }\n"
        "td.file { overflow-wrap: anywhere; }\n"
        ".success { color: #1c6b3c; }\n"
        ".fail, .error { color: #a3221b; }\n"
        ".skip, .pending, .note { color: #5b5b5b; }\n");
}
