/* form.c — which form the pages of a site have, read and written as a small file of the site. */
#include "form.h"

#include "pages.h"
#include "piw/codec.h"
#include "piw/task.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/site_mark.h"
#include "shared/site_path.h"
#include "shared/text.h"
#include "shared/views.h"
#include "the_scribe.piw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The file's first line; the second says how far the pages have this form. On a farm with views two more may follow. */
static const char FORM[] = "form " PAGES_FORM;
static const char DONE[] = "all";
static const char UP_TO[] = "up to ";
static const char VIEWS[] = "views ";     /* their mark (facts.h) */
static const char WITHOUT[] = "without "; /* names of those that have gone and may still have pages */

enum {
    MARK_MAX = 16384,
    ROOT_HEAD = 1024, /* bytes of the root list that hold its head */
};

typedef struct page_mark {
    bool form, done;
    char after[PIW_NAME_MAX + 1];
    const char *views, *without; /* "" when there is none */
} page_mark;

/* What a line says behind these words, or NULL. */
static const char *behind(const char *line, const char *words)
{
    size_t n = strlen(words);
    return strncmp(line, words, n) == 0 ? line + n : NULL;
}

/* How far it has come. False for any other line. */
static bool read_progress(const char *line, page_mark *to)
{
    const char *name = behind(line, UP_TO);
    to->done = strcmp(line, DONE) == 0;
    if (to->done)
        return true;
    if (name == NULL || (name[0] != '\0' && !piw_name_is_canonical(piw_text_of(name))))
        return false;
    memcpy(to->after, name, strlen(name) + 1);
    return true;
}

/* Cuts the text into lines. `form` is false for one of another form, and for one that can't be read. */
static page_mark read_mark(char *text, size_t len)
{
    page_mark found = {.views = "", .without = ""};
    bool whole = len > 0 && text[len - 1] == '\n';
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    found.form = whole && line != NULL && strcmp(line, FORM) == 0;
    line = strtok_r(NULL, "\n", &rest);
    found.form = line != NULL && read_progress(line, &found) && found.form;
    while (line != NULL && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        const char *views = behind(line, VIEWS), *without = behind(line, WITHOUT);
        found.views = views != NULL ? views : found.views;
        found.without = without != NULL ? without : found.without;
    }
    return found;
}

static int write_mark(const char *root, piw_text views, const char *former, piw_text after, bool done, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_form(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    piw_buffer text = {0};
    piw_putf(&text, "%s\n", FORM);
    piw_put(&text, done ? DONE : UP_TO);
    piw_put_text(&text, done ? piw_text_of("") : after);
    piw_put(&text, "\n");
    if (views.len > 0)
        piw_putf(&text, "%s%.*s\n", VIEWS, (int)views.len, views.s);
    if (former[0] != '\0' && !done)
        piw_putf(&text, "%s%s\n", WITHOUT, former);
    int rc = piw_site_there(root, err);
    if (rc == 0)
        rc = piw_file_write(root, path, text.data, text.len, 0, err);
    piw_buffer_fini(&text);
    return rc;
}

/* --- Views that have gone --- */

static bool has_word(const char *words, const char *word, size_t len)
{
    while (*words != '\0') {
        words += strspn(words, " ");
        size_t n = strcspn(words, " ");
        if (n == len && memcmp(words, word, len) == 0)
            return true;
        words += n;
    }
    return false;
}

/* Add the names among `words` that aren't among those of `views`, each behind a blank. */
static void add_former(piw_buffer *to, const char *words, const char *views)
{
    while (*words != '\0') {
        words += strspn(words, " ");
        size_t n = strcspn(words, " ");
        piw_text name = {words, (uint32_t)n};
        if (n > 0 && piw_view_name_fault(name) == NULL && !has_word(views, words, n))
            piw_putf(to, " %.*s", (int)n, words);
        words += n;
    }
}

/* Has the root list been written by somebody who writes the present form? */
static bool root_has_form(const char *root)
{
    char path[PIW_PATH_MAX], head[ROOT_HEAD];
    int n = snprintf(path, sizeof(path), "%s/simple/index.html", root);
    int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    ssize_t len = read(fd, head, sizeof(head) - 1);
    close(fd);
    piw_file_was_read(path);
    if (len < 0)
        return false;
    head[len] = '\0';
    return strstr(head, PAGES_GENERATOR) != NULL;
}

int form_begin(const char *root, const char *views, char *after, bool *done, char **former, piw_err *err)
{
    char path[PIW_PATH_MAX];
    void *text;
    size_t len;
    after[0] = '\0';
    *done = false;
    *former = piw_strdup("");
    if (!piw_path_form(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    /* A record that can't be read is treated as if it weren't there. */
    if (piw_file_read(path, MARK_MAX, &text, &len, NULL) == 0) {
        page_mark found = read_mark(text, len);
        piw_buffer gone = {0};
        add_former(&gone, found.views, views);
        add_former(&gone, found.without, views);
        free(*former);
        *former = piw_sprintf("%.*s", (int)gone.len, gone.len > 0 ? (const char *)gone.data : "");
        piw_buffer_fini(&gone);
        bool known = found.form && strcmp(found.views, views) == 0 && root_has_form(root);
        if (known) {
            memcpy(after, found.after, sizeof(found.after));
            *done = found.done;
        }
        free(text);
        if (known)
            return 0;
    }
    return write_mark(root, piw_text_of(views), *former, piw_text_of(""), false, err);
}

/* The root list of a view that has gone, and its folders unless there are wheels in them. */
static int remove_former(const char *root, piw_text view, piw_err *err)
{
    static const char *const names[] = {"index.v1.json", "index.html"};
    char home[PIW_PATH_MAX];
    if (!piw_path_view(home, root, view))
        return 0;
    int rc = 0;
    for (size_t i = 0; i < PIW_COUNT(names) && rc == 0; i++) {
        char *path = piw_sprintf("%s/simple/%s", home, names[i]);
        rc = piw_file_remove(path, err);
        free(path);
    }
    char *simple = piw_sprintf("%s/simple", home);
    rmdir(simple);
    rmdir(home);
    free(simple);
    return rc;
}

int job_mark_form(piw_msg *job, piw_msg **result, piw_err *err)
{
    const mark_form *body = mark_form_of(job);
    const site_views *views = body->site.views;
    piw_buffer former = {0};
    int rc = piw_site_there(body->site.root.s, err);
    if (rc == 0 && (body->synced == NULL || !*body->synced)) /* after a power failure nobody would look at them again */
        rc = piw_site_sync(body->site.root.s, err);
    for (uint32_t i = 0; views != NULL && i < views->former.count && rc == 0; i++) {
        piw_putf(&former, " %s", views->former.at[i].s);
        rc = body->done ? remove_former(body->site.root.s, views->former.at[i], err) : 0;
    }
    char *names = piw_sprintf("%.*s", (int)former.len, former.len > 0 ? (const char *)former.data : "");
    if (rc == 0)
        rc = write_mark(body->site.root.s, views != NULL ? views->mark : (piw_text){0}, names, body->after, body->done,
                        err);
    free(names);
    piw_buffer_fini(&former);
    if (rc == 0)
        *result = mark_form_reply_new();
    return rc;
}
