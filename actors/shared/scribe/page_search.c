/* page_search.c — the search index, and the sitemaps (sitemaps.org, protocol 0.9). */
#include "pages.h"

#include "shared/text.h"

static const char XMLNS[] = "http://www.sitemaps.org/schemas/sitemap/0.9";

void page_downloads_begin(piw_buffer *to)
{
    piw_put(to, "[");
}

void page_downloads_add(const package_downloads *entry, bool first, piw_buffer *to)
{
    piw_put(to, first ? "[" : ",[");
    piw_put_json(to, entry->package);
    piw_putf(to, ",%lld,%lld]", (long long)entry->recent, (long long)entry->ever);
}

void page_downloads_end(piw_buffer *to)
{
    piw_put(to, "]");
}

static void begin(const char *element, piw_buffer *to)
{
    piw_putf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"%s\">\n", element, XMLNS);
}

/* <loc> of a page below the site's address. */
static void put_location(const site_facts *site, const char *folder, piw_text name, piw_buffer *to)
{
    piw_put(to, "<loc>");
    piw_put_html(to, site->base_url);
    piw_put(to, folder);
    piw_put_html(to, name);
    piw_put(to, "</loc>");
}

void page_sitemap_begin(piw_buffer *to)
{
    begin("sitemapindex", to);
}

void page_sitemap_add(const site_facts *site, const char *name, const char *date, piw_buffer *to)
{
    piw_put(to, "<sitemap>");
    put_location(site, "/", piw_text_of(name), to);
    piw_putf(to, "<lastmod>%s</lastmod></sitemap>\n", date);
}

void page_sitemap_end(piw_buffer *to)
{
    piw_put(to, "</sitemapindex>\n");
}

static void put_page(const site_facts *site, const char *folder, piw_text name, piw_buffer *to)
{
    piw_put(to, "<url>");
    put_location(site, folder, name, to);
    piw_put(to, "</url>\n");
}

void page_sitemap_own(const site_facts *site, piw_buffer *to)
{
    static const char *const pages[] = {"index.html", "packages.html", "faq.html", "json.html", "stats.html"};
    begin("urlset", to);
    for (size_t i = 0; i < PIW_COUNT(pages); i++)
        put_page(site, "/", piw_text_of(pages[i]), to);
    piw_put(to, "</urlset>\n");
}

void page_sitemap_projects(const site_facts *site, const char **names, size_t *len, piw_buffer *to)
{
    begin("urlset", to);
    for (int i = 0; i<PAGE_SITEMAP_PROJECTS && * len> 0; i++) {
        size_t n = strlen(*names);
        put_page(site, "/project/", (piw_text){*names, (uint32_t)n}, to);
        *names += n + 1;
        *len -= n + 1;
    }
    piw_put(to, "</urlset>\n");
}
