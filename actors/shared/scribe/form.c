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
#include "the_scribe.piw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The file's first line; the second says how far the pages have this form. */
static const char FORM[] = "form " PAGES_FORM "\n";
static const char DONE[] = "all\n";
static const char UP_TO[] = "up to ";

enum {
    MARK_MAX = 1024,
    ROOT_HEAD = 1024, /* bytes of the root list that hold its head */
};

/* What a mark of the present form says. False for any other text. */
static bool read_mark(const char *text, char *after, bool *done)
{
    after[0] = '\0';
    *done = false;
    if (strncmp(text, FORM, sizeof(FORM) - 1) != 0)
        return false;
    text += sizeof(FORM) - 1;
    if (strcmp(text, DONE) == 0) {
        *done = true;
        return true;
    }
    size_t len = strlen(text), prefix = sizeof(UP_TO) - 1;
    if (strncmp(text, UP_TO, prefix) != 0 || text[len - 1] != '\n')
        return false;
    piw_text name = {text + prefix, (uint32_t)(len - prefix - 1)};
    if (name.len > 0 && !piw_name_is_canonical(name))
        return false;
    memcpy(after, name.s, name.len);
    after[name.len] = '\0';
    return true;
}

static int write_mark(const char *root, piw_text after, bool done, piw_err *err)
{
    char path[PIW_PATH_MAX];
    if (!piw_path_form(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    piw_buffer text = {0};
    piw_put(&text, FORM);
    if (done) {
        piw_put(&text, DONE);
    } else {
        piw_put(&text, UP_TO);
        piw_put_text(&text, after);
        piw_put(&text, "\n");
    }
    int rc = piw_site_there(root, err);
    if (rc == 0)
        rc = piw_file_write(root, path, text.data, text.len, 0, err);
    piw_buffer_fini(&text);
    return rc;
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

int form_begin(const char *root, char *after, bool *done, piw_err *err)
{
    char path[PIW_PATH_MAX];
    void *text;
    size_t len;
    after[0] = '\0';
    *done = false;
    if (!piw_path_form(path, root))
        return piw_err_set(err, PIW_EINVAL, "the output path is too long");
    /* A record that can't be read is treated as if it weren't there. */
    if (piw_file_read(path, MARK_MAX, &text, &len, NULL) == 0) {
        bool known = read_mark(text, after, done) && root_has_form(root);
        free(text);
        if (known)
            return 0;
    }
    after[0] = '\0';
    *done = false;
    return write_mark(root, piw_text_of(""), false, err);
}

int job_mark_form(piw_msg *job, piw_msg **result, piw_err *err)
{
    const mark_form *body = mark_form_of(job);
    int rc = write_mark(body->site.root.s, body->after, body->done, err);
    if (rc == 0)
        *result = mark_form_reply_new();
    return rc;
}
