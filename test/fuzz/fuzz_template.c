/* Templates, as an operator's folder may have them: two that may insert each other, of a view that has everything. */
#include "fuzz.h"

#include "shared/template.h"
#include "shared/text.h"

static piw_text texts[2];

static int find(void *arg, piw_text name, piw_text *text, const char **called, piw_err *err)
{
    (void)arg;
    for (size_t i = 0; i < PIW_COUNT(texts); i++) {
        if (name.len == 1 && name.s[0] == "ab"[i]) {
            *text = texts[i];
            *called = i == 0 ? "a" : "b";
            return 0;
        }
    }
    return piw_err_set(err, PIW_ENOENT, "there is no template of that name");
}

static piw_view *make_view(void)
{
    piw_view *view = piw_view_new();
    piw_view_text(view, "t", piw_text_of("<script>\xe2\x80\xae"));
    piw_view_text(view, "e", piw_text_of(""));
    piw_view_flag(view, "f", true);
    piw_view_list(view, "n");
    for (int i = 0; i < 3; i++) {
        piw_view *item = piw_view_add(view, "l");
        piw_view_number(item, "i", i);
        piw_view_text(piw_view_add(item, "l"), ".", piw_text_of("<"));
    }
    piw_buffer html = {0};
    piw_put(&html, "<b>");
    piw_view_markup(view, "h", &html);
    return view;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* Up to a NUL byte the one, from there on the other. */
    const char *text = (const char *)data;
    size_t first = 0;
    while (first < len && text[first] != '\0')
        first++;
    texts[0] = (piw_text){text, (uint32_t)first};
    texts[1] = (piw_text){text + first, (uint32_t)(len - first)};
    piw_view *view = make_view();
    piw_template_source source = {.find = find};
    piw_buffer page = {0}, again = {0};
    piw_err err = {0};
    piw_put(&page, "before");
    int r = piw_template_render(&source, "a", view, &page, &err);
    fuzz_said(r, &err);
    FUZZ_HOLDS(page.len >= 6 && memcmp(page.data, "before", 6) == 0);
    FUZZ_HOLDS(r == 0 || page.len == 6);
    /* The same once more gives the same, and nothing of a value comes out raw. */
    piw_err ignored_err = {0};
    FUZZ_HOLDS(piw_template_render(&source, "a", view, &again, &ignored_err) == r);
    FUZZ_HOLDS(r != 0 ||
               (again.len == page.len - 6 && (again.len == 0 || memcmp(again.data, page.data + 6, again.len) == 0)));
    bool in_text = memmem(data, len, "<script", 7) != NULL || memmem(data, len, "<", 1) != NULL;
    FUZZ_HOLDS(r != 0 || in_text || again.len == 0 || memmem(again.data, again.len, "<script", 7) == NULL);
    piw_buffer_fini(&page);
    piw_buffer_fini(&again);
    piw_view_free(&view);
    return 0;
}
