/* view.c — what a template shows: texts, yes or no, and lists of more of the same, by name. */
#include "shared/view.h"

#include "shared/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 16 << 10 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
} chunk;

typedef struct entry {
    struct entry *next;
    const char *key;
    size_t len;
    piw_view_value value;
    piw_view *last; /* VIEW_LIST: its last item */
} entry;

/* A view and all items in it lie in the chunks of the first one. */
struct piw_view {
    piw_view *next; /* the item after this one */
    chunk **chunks;
    chunk *own; /* of the first one only */
    entry *first, *last;
};

static void *take(chunk **chunks, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (*chunks == NULL || (*chunks)->size - (*chunks)->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk *more = piw_alloc(sizeof(*more) + room);
        *more = (chunk){.next = *chunks, .size = room};
        *chunks = more;
    }
    void *at = (char *)(*chunks)->data + (*chunks)->used;
    (*chunks)->used += size;
    return at;
}

piw_view *piw_view_new(void)
{
    piw_view *view = piw_zalloc(sizeof(*view));
    view->chunks = &view->own;
    return view;
}

void piw_view_free(piw_view **view)
{
    if (*view == NULL)
        return;
    for (chunk *at = (*view)->own, *next; at != NULL; at = next) {
        next = at->next;
        free(at);
    }
    free(*view);
    *view = NULL;
}

static entry *find(const piw_view *view, const char *key, size_t len)
{
    for (entry *e = view->first; e != NULL; e = e->next) {
        if (e->len == len && memcmp(e->key, key, len) == 0)
            return e;
    }
    return NULL;
}

static entry *add(piw_view *view, const char *key, piw_view_kind kind)
{
    entry *e = take(view->chunks, sizeof(*e));
    *e = (entry){.key = key, .len = strlen(key), .value.kind = kind};
    if (view->last == NULL)
        view->first = e;
    else
        view->last->next = e;
    view->last = e;
    return e;
}

static piw_text keep(piw_view *view, const void *data, size_t len)
{
    char *copy = take(view->chunks, len + 1);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return (piw_text){copy, (uint32_t)len};
}

void piw_view_text(piw_view *view, const char *key, piw_text text)
{
    add(view, key, VIEW_TEXT)->value.text = text.s == NULL ? piw_text_of("") : text;
}

void piw_view_print(piw_view *view, const char *key, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    entry *e = add(view, key, VIEW_TEXT);
    if (n < 0) {
        e->value.text = piw_text_of("");
    } else if ((size_t)n < sizeof(small)) {
        e->value.text = keep(view, small, (size_t)n);
    } else {
        char *large = take(view->chunks, (size_t)n + 1);
        va_start(args, fmt);
        vsnprintf(large, (size_t)n + 1, fmt, args);
        va_end(args);
        e->value.text = (piw_text){large, (uint32_t)n};
    }
}

void piw_view_number(piw_view *view, const char *key, int64_t number)
{
    char digits[32], grouped[48];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)number), to = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            grouped[to++] = ',';
        grouped[to++] = digits[i];
    }
    add(view, key, VIEW_TEXT)->value.text = keep(view, grouped, (size_t)to);
}

void piw_view_flag(piw_view *view, const char *key, bool flag)
{
    add(view, key, VIEW_FLAG)->value.flag = flag;
}

void piw_view_markup(piw_view *view, const char *key, piw_buffer *html)
{
    add(view, key, VIEW_MARKUP)->value.text = keep(view, html->data, html->len);
    piw_buffer_fini(html);
}

void piw_view_list(piw_view *view, const char *key)
{
    if (find(view, key, strlen(key)) == NULL)
        add(view, key, VIEW_LIST);
}

piw_view *piw_view_add(piw_view *view, const char *key)
{
    /* Lists are mostly filled one after the other. */
    entry *e = view->last != NULL && strcmp(view->last->key, key) == 0 ? view->last : find(view, key, strlen(key));
    if (e == NULL)
        e = add(view, key, VIEW_LIST);
    piw_view *item = take(view->chunks, sizeof(*item));
    *item = (piw_view){.chunks = view->chunks};
    if (e->last == NULL)
        e->value.first = item;
    else
        e->last->next = item;
    e->last = item;
    return item;
}

const piw_view_value *piw_view_find(const piw_view *view, const char *key, size_t len)
{
    const entry *e = find(view, key, len);
    return e == NULL ? NULL : &e->value;
}

const piw_view *piw_view_next(const piw_view *item)
{
    return item->next;
}
