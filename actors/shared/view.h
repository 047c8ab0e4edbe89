/* view.h — what a template shows (template.h): texts, yes or no, and lists of more of the same, by name.
 *
 * A view belongs to one thread. Keys and texts are borrowed: they must live as long as the view; what is printed is kept in it.
 * Making one aborts when memory runs out, as pages do (text.h). */
#ifndef SHARED_VIEW_H
#define SHARED_VIEW_H

#include "piw/codec.h"

typedef struct piw_view piw_view;

typedef enum { VIEW_TEXT, VIEW_MARKUP, VIEW_FLAG, VIEW_LIST } piw_view_kind;

typedef struct piw_view_value {
    piw_view_kind kind;
    bool flag;
    piw_text text;         /* VIEW_TEXT; VIEW_MARKUP: HTML that this program made */
    const piw_view *first; /* VIEW_LIST */
} piw_view_value;

piw_view *piw_view_new(void);
void piw_view_free(piw_view **view);

/* Each key is set once. A null text is an empty one. */
void piw_view_text(piw_view *view, const char *key, piw_text text);
void piw_view_print(piw_view *view, const char *key, const char *fmt, ...) PIW_PRINTF(3, 4);
/* With commas: 1,234,567. */
void piw_view_number(piw_view *view, const char *key, int64_t number);
void piw_view_flag(piw_view *view, const char *key, bool flag);
/* HTML of our own making, which a template takes as it is: {{{key}}}. Nothing in it may come unescaped from outside. The
 * buffer is taken over. */
void piw_view_markup(piw_view *view, const char *key, piw_buffer *html);
/* A list without items, unless it is there already. */
void piw_view_list(piw_view *view, const char *key);
/* One more item of a list, which is made if it isn't there. It belongs to `view`. */
piw_view *piw_view_add(piw_view *view, const char *key);

/* The value of that name, or NULL. */
const piw_view_value *piw_view_find(const piw_view *view, const char *key, size_t len);
const piw_view *piw_view_next(const piw_view *item);

#endif
