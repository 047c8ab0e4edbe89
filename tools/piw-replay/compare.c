/* compare.c — two sides: what is the same, and each first difference in full. */
#include "replay.h"

#include "shared/atomic_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { VALUE_MAX = 300, FIELDS_MAX = 20, COMPARED_MAX = 64 << 20 };

typedef struct compared {
    side *a, *b;
    const comparison *how;
    int64_t differences;
} compared;

/* One more difference: is it among those that are shown? */
static bool next_difference(compared *self)
{
    return self->differences++ < self->how->show;
}

/* --- Messages ----------------------------------------------------------------------------------------------------- */

static const struct {
    piw_sent kind;
    const char *one, *many;
} kinds[] = {
    {PIW_SENT_CALL, "call", "calls"},
    {PIW_SENT_CAST, "cast", "casts"},
    {PIW_SENT_EVENT, "event", "events"},
    {PIW_SENT_ANSWER, "answer", "answers"},
    {PIW_SENT_FORWARD, "request handed on", "requests handed on"},
    {PIW_SENT_PEER, "message to a peer", "messages to peers"},
};

/* A text as one line that isn't endless. */
static void print_value(const char *mark, const char *value)
{
    size_t len = strlen(value);
    printf("      %s %.*s%s\n", mark, (int)VALUE_MAX, value, len > VALUE_MAX ? " …" : "");
}

static const char *value_of(const flat *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].path, path) == 0)
            return list->at[i].value;
    return NULL;
}

/* Where two long texts part: some of what stands before, and the rest. */
static size_t parting(const char *a, const char *b)
{
    size_t at = 0;
    while (a[at] != 0 && a[at] == b[at])
        at++;
    return at > VALUE_MAX / 4 ? at - VALUE_MAX / 4 : 0;
}

static void print_field(const char *path, const char *a, const char *b)
{
    size_t from = a != NULL && b != NULL ? parting(a, b) : 0;
    if (from > 0)
        printf("    %s, from character %zu on:\n", path, from);
    else
        printf("    %s:\n", path);
    print_value("-", a != NULL ? a + from : "(none)");
    print_value("+", b != NULL ? b + from : "(none)");
}

static void print_fields(const flat *a, const flat *b)
{
    size_t shown = 0, all = 0;
    for (size_t i = 0; i < a->count; i++) {
        const char *other = value_of(b, a->at[i].path);
        if (other != NULL && strcmp(other, a->at[i].value) == 0)
            continue;
        if (all++ < FIELDS_MAX && ++shown > 0)
            print_field(a->at[i].path, a->at[i].value, other);
    }
    for (size_t i = 0; i < b->count; i++)
        if (value_of(a, b->at[i].path) == NULL && all++ < FIELDS_MAX && ++shown > 0)
            print_field(b->at[i].path, NULL, b->at[i].value);
    if (all > shown)
        printf("    … and %zu fields more\n", all - shown);
}

static int print_one(const compared *self, side *of, const sent *what, const char *mark, piw_err *err)
{
    piw_msg *msg = NULL;
    int rc = side_message(of, what, &msg, err);
    if (rc != 0)
        return rc;
    flat list = {0};
    if (msg == NULL)
        printf("      %s an error\n", mark);
    else
        flat_make(&list, msg, self->how->ignored, self->how->ignored_count);
    for (size_t i = 0; i < list.count && i < FIELDS_MAX; i++) {
        char *line = piw_sprintf("%s = %s", list.at[i].path, list.at[i].value);
        print_value(mark, line);
        free(line);
    }
    flat_fini(&list);
    piw_msg_free(&msg);
    return 0;
}

static int print_pair(const compared *self, const sent *x, const sent *y, piw_err *err)
{
    piw_msg *a = NULL, *b = NULL;
    int rc = side_message(self->a, x, &a, err);
    if (rc == 0)
        rc = side_message(self->b, y, &b, err);
    if (rc == 0 && a != NULL && b != NULL) {
        flat left, right;
        flat_make(&left, a, self->how->ignored, self->how->ignored_count);
        flat_make(&right, b, self->how->ignored, self->how->ignored_count);
        print_fields(&left, &right);
        flat_fini(&left);
        flat_fini(&right);
    } else if (rc == 0) {
        rc = print_one(self, self->a, x, "-", err);
        if (rc == 0)
            rc = print_one(self, self->b, y, "+", err);
    }
    piw_msg_free(&a);
    piw_msg_free(&b);
    return rc;
}

/* The list sorted so that what may be matched stands together: kind, word, request, then what it says, then its place. */
static int by_meaning(const void *a, const void *b)
{
    const sent *x = *(const sent *const *)a, *y = *(const sent *const *)b;
    int order = x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->word, y->word);
    if (order == 0 && x->kind == PIW_SENT_ANSWER && x->asker != y->asker)
        order = x->asker < y->asker ? -1 : 1;
    if (order == 0 && x->kind == PIW_SENT_ANSWER && x->id != y->id)
        order = x->id < y->id ? -1 : 1;
    if (order == 0 && x->hash != y->hash)
        order = x->hash < y->hash ? -1 : 1;
    return order;
}

static int by_meaning_and_place(const void *a, const void *b)
{
    int order = by_meaning(a, b);
    const sent *x = *(const sent *const *)a, *y = *(const sent *const *)b;
    return order != 0 ? order : x->at < y->at ? -1 : x->at > y->at;
}

static sent **sorted(side *of)
{
    sent **list = piw_alloc((of->sent_count + 1) * sizeof(*list));
    for (size_t i = 0; i < of->sent_count; i++)
        list[i] = &of->sent[i];
    qsort(list, of->sent_count, sizeof(*list), by_meaning_and_place);
    return list;
}

/* What says the same on both sides belongs together, in the order in which it was sent. */
static void match(side *a, side *b)
{
    sent **left = sorted(a), **right = sorted(b);
    for (size_t i = 0, j = 0; i < a->sent_count && j < b->sent_count;) {
        int order = by_meaning(&left[i], &right[j]);
        if (order == 0) {
            left[i]->matched = right[j]->matched = true;
            left[i]->place = (size_t)(right[j] - b->sent);
            right[j]->place = (size_t)(left[i] - a->sent);
        }
        i += order <= 0;
        j += order >= 0;
    }
    free(left);
    free(right);
}

static bool same_word(const sent *x, const sent *y)
{
    return x->kind == y->kind && strcmp(x->word, y->word) == 0 &&
           (x->kind != PIW_SENT_ANSWER || (x->asker == y->asker && x->id == y->id));
}

/* The first of that word that nothing is matched with. */
static sent *partner(side *of, const sent *what)
{
    for (size_t i = 0; i < of->sent_count; i++)
        if (!of->sent[i].matched && same_word(&of->sent[i], what))
            return &of->sent[i];
    return NULL;
}

static const char *name_of(piw_sent kind)
{
    for (size_t i = 0; i < PIW_COUNT(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].one;
    return "message";
}

static int show_lonely(compared *self, side *of, const sent *what, const char *mark, piw_err *err)
{
    if (!next_difference(self))
        return 0;
    printf("  %s %s: only %s\n", name_of(what->kind), what->word, of->name);
    return print_one(self, of, what, mark, err);
}

static int show_messages(compared *self, piw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < self->a->sent_count && rc == 0; i++) {
        sent *x = &self->a->sent[i], *y = x->matched ? NULL : partner(self->b, x);
        if (x->matched)
            continue;
        if (y == NULL) {
            rc = show_lonely(self, self->a, x, "-", err);
            continue;
        }
        x->matched = y->matched = true;
        x->place = self->b->sent_count; /* in no order */
        if (next_difference(self)) {
            printf("  %s %s\n", name_of(x->kind), x->word);
            rc = print_pair(self, x, y, err);
        }
    }
    for (size_t i = 0; i < self->b->sent_count && rc == 0; i++)
        if (!self->b->sent[i].matched)
            rc = show_lonely(self, self->b, &self->b->sent[i], "+", err);
    return rc;
}

/* Of one kind and word, to one receiver: is the order kept? */
static void show_order(compared *self)
{
    for (size_t i = 0; i < self->a->sent_count; i++) {
        const sent *x = &self->a->sent[i];
        if (x->kind == PIW_SENT_ANSWER || x->place >= self->b->sent_count)
            continue;
        for (size_t j = i + 1; j < self->a->sent_count; j++) {
            const sent *y = &self->a->sent[j];
            if (!same_word(x, y) || y->place >= self->b->sent_count)
                continue;
            if (y->place < x->place && next_difference(self))
                printf("  %s %s: the same come in another order\n", name_of(x->kind), x->word);
            break;
        }
    }
}

static void count_kinds(const compared *self)
{
    printf("  %-20s %10s %10s %10s\n", "", self->a->root != NULL ? "first" : "recorded",
           self->a->root != NULL ? "second" : "played", "the same");
    for (size_t k = 0; k < PIW_COUNT(kinds); k++) {
        size_t a = 0, b = 0, same = 0;
        for (size_t i = 0; i < self->a->sent_count; i++) {
            a += self->a->sent[i].kind == kinds[k].kind;
            same += self->a->sent[i].kind == kinds[k].kind && self->a->sent[i].matched;
        }
        for (size_t i = 0; i < self->b->sent_count; i++)
            b += self->b->sent[i].kind == kinds[k].kind;
        if (a + b > 0)
            printf("  %-20s %10zu %10zu %10zu\n", kinds[k].many, a, b, same);
    }
}

/* --- Files -------------------------------------------------------------------------------------------------------- */

static bool same_file(const used_file *x, const used_file *y)
{
    return x->how == y->how && x->size == y->size && strcmp(x->sha256, y->sha256) == 0;
}

static void print_file(const char *mark, const used_file *file)
{
    if (file->how == PIW_FILE_REMOVED)
        printf("      %s removed\n", mark);
    else
        printf("      %s %lld bytes, sha256 %.16s…\n", mark, (long long)file->size, file->sha256);
}

static bool read_content(const side *of, const char *path, char **data, size_t *len)
{
    piw_err ignored_err = {0};
    void *bytes = NULL;
    char *whole = piw_sprintf("%s%s", of->root, path);
    bool good = piw_file_read(whole, COMPARED_MAX, &bytes, len, &ignored_err) == 0;
    free(whole);
    *data = bytes;
    return good;
}

static void print_line(const char *mark, const char *data, size_t len, size_t from)
{
    const char *end = memchr(data + from, '\n', len - from);
    size_t line = end != NULL ? (size_t)(end - (data + from)) : len - from;
    char *text = piw_alloc(line + 1);
    for (size_t i = 0; i < line; i++)
        text[i] = (unsigned char)data[from + i] < ' ' || data[from + i] == 0x7f ? '?' : data[from + i];
    text[line] = 0;
    print_value(mark, text);
    free(text);
}

/* The first byte that differs, and its line where it is text. */
static void print_content(const compared *self, const char *path)
{
    char *a = NULL, *b = NULL;
    size_t a_len = 0, b_len = 0, at = 0, line = 1, from = 0;
    if (self->a->root == NULL || self->b->root == NULL)
        return;
    if (read_content(self->a, path, &a, &a_len) && read_content(self->b, path, &b, &b_len)) {
        for (; at < a_len && at < b_len && a[at] == b[at]; at++)
            if (a[at] == '\n')
                line++, from = at + 1;
        bool text = memchr(a, 0, a_len) == NULL && memchr(b, 0, b_len) == NULL;
        printf("      first at byte %zu", at);
        printf(text ? ", line %zu:\n" : "\n", line);
        /* Long lines are shown from near the place on. */
        from = at - from > VALUE_MAX / 2 ? at - VALUE_MAX / 4 : from;
        if (text) {
            print_line("-", a, a_len, from);
            print_line("+", b, b_len, from);
        }
    }
    free(a);
    free(b);
}

static void show_files(compared *self)
{
    const side *a = self->a, *b = self->b;
    for (size_t i = 0, j = 0; i < a->files_count || j < b->files_count;) {
        const used_file *x = i < a->files_count ? &a->files[i] : NULL, *y = j < b->files_count ? &b->files[j] : NULL;
        if (x == NULL && y == NULL)
            break;
        int order = x == NULL ? 1 : y == NULL ? -1 : strcmp(x->path, y->path);
        i += order <= 0;
        j += order >= 0;
        if ((order == 0 && same_file(x, y)) || !next_difference(self))
            continue;
        printf("  file %s%s%s\n", order <= 0 ? x->path : y->path, order == 0 ? "" : ": only ",
               order == 0  ? ""
               : order < 0 ? a->name
                           : b->name);
        if (order <= 0)
            print_file("-", x);
        if (order >= 0)
            print_file("+", y);
        if (order == 0 && x->how == PIW_FILE_WRITTEN && y->how == PIW_FILE_WRITTEN)
            print_content(self, x->path);
    }
}

static void count_files(const compared *self)
{
    const side *a = self->a, *b = self->b;
    size_t same = 0;
    for (size_t i = 0, j = 0; i < a->files_count && j < b->files_count;) {
        int order = strcmp(a->files[i].path, b->files[j].path);
        same += order == 0 && same_file(&a->files[i], &b->files[j]);
        i += order <= 0;
        j += order >= 0;
    }
    if (a->files_count + b->files_count > 0)
        printf("  %-20s %10zu %10zu %10zu\n", "files", a->files_count, b->files_count, same);
}

/* --- Times -------------------------------------------------------------------------------------------------------- */

static double part_us(const times *list, unsigned percent)
{
    if (list->count == 0)
        return 0;
    size_t place = (list->count - 1) * percent / 100;
    return (double)list->at[place] / 1e3;
}

static void print_times(const char *what, const side *of, const times *list, size_t failed)
{
    printf("  %-10s %-24.60s %7zu  p50 %8.1f µs  p99 %9.1f µs  total %9.3f ms", what, of->name, list->count,
           part_us(list, 50), part_us(list, 99), (double)list->total / 1e6);
    if (failed > 0)
        printf("  %zu failed", failed);
    putchar('\n');
}

static void show_times(const compared *self, const char *what, const times *a, size_t a_failed, const times *b,
                       size_t b_failed)
{
    if (a->count + b->count == 0)
        return;
    print_times(what, self->a, a, a_failed);
    print_times(what, self->b, b, b_failed);
    double each_a = a->count > 0 ? (double)a->total / (double)a->count : 0;
    double each_b = b->count > 0 ? (double)b->total / (double)b->count : 0;
    if (each_a > 0 && each_b > 0)
        printf("  %-10s %s is %.2f times as %s\n", "", self->b->name,
               each_b < each_a ? each_a / each_b : each_b / each_a, each_b < each_a ? "fast" : "slow");
}

int64_t compare(side *a, side *b, const comparison *how, piw_err *err)
{
    compared self = {.a = a, .b = b, .how = how};
    match(a, b);
    count_kinds(&self);
    count_files(&self);
    if (a->failed != b->failed || a->jobs_failed != b->jobs_failed) {
        self.differences++;
        printf("  functions that failed: %zu and %zu; jobs: %zu and %zu\n", a->failed, b->failed, a->jobs_failed,
               b->jobs_failed);
    }
    int64_t before = self.differences;
    int rc = show_messages(&self, err);
    if (rc != 0)
        return rc;
    show_order(&self);
    show_files(&self);
    if (self.differences - before > how->show)
        printf("  … and %lld differences more (--show)\n", (long long)(self.differences - how->show));
    show_times(&self, "handlers", &a->handlers, a->failed, &b->handlers, b->failed);
    show_times(&self, "jobs", &a->jobs, a->jobs_failed, &b->jobs, b->jobs_failed);
    return self.differences;
}
