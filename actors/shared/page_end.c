/* page_end.c — how a page of the site shows that nothing of it is missing. */
#include "shared/page_end.h"

#include "shared/text.h"

/* What ends a whole page; NULL: nothing does that can't stand in the middle of one, too. */
static const struct {
    const char *kind, *end, *remark;
} ends[] = {
    {".html", "</html>", "<!-- end -->"},
    {".svg", "</svg>", "<!-- end -->"},
    {".css", NULL, "/* end */"},
    {".js", NULL, "/* end */"},
};

static bool ends_in(const void *data, size_t len, const char *end)
{
    size_t n = end == NULL ? 0 : strlen(end);
    return n > 0 && len >= n && memcmp((const char *)data + len - n, end, n) == 0;
}

/* Its place in the table; PIW_COUNT(ends): there is none. */
static size_t kind_of(const char *name)
{
    size_t i = 0;
    while (i < PIW_COUNT(ends) && !ends_in(name, strlen(name), ends[i].kind))
        i++;
    return i;
}

bool piw_page_ended(const char *name, const void *page, size_t len)
{
    const char *text = page;
    size_t kind = kind_of(name);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    return kind == PIW_COUNT(ends) || ends_in(page, len, ends[kind].end) || ends_in(page, len, ends[kind].remark);
}

void piw_page_end(const char *name, piw_buffer *page)
{
    if (piw_page_ended(name, page->data, page->len))
        return;
    if (page->len > 0 && page->data[page->len - 1] != '\n')
        piw_put(page, "\n");
    piw_put(page, ends[kind_of(name)].remark);
    piw_put(page, "\n");
}
