/* rounds.c — the search index and the sitemaps are written without being asked for: at the start where one is missing, each
 * hour, and a while after a change. Their making reads every package, so changes are collected. */
#include "secretary.h"

#include "piw/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { ROUND_MS = 1000 };

static const int64_t MS_NS = 1000000;

static int64_t option_ns(piw_task *task, const char *name)
{
    return piw_option_number(task, name) * MS_NS;
}

/* Or empty, as a power failure may leave it: then others may be too. */
static bool missing(const char *root, const char *name)
{
    char path[4096];
    struct stat info;
    int n = snprintf(path, sizeof(path), "%s/%s", root, name);
    return n > 0 && (size_t)n < sizeof(path) && (stat(path, &info) == 0 ? info.st_size == 0 : errno == ENOENT);
}

int rounds_begin(piw_task *task, secretary *self, const secretary_state *kept)
{
    const char *root = piw_setting(task, "output-path");
    bool dev_mode = piw_setting_number(task, "dev-mode") != 0;
    int64_t now_ns = piw_monotonic_ns();
    self->search_hold_ns = option_ns(task, dev_mode ? "search-hold-dev-mode" : "search-hold");
    self->search_every_ns = option_ns(task, "search-every");
    /* What changed at the end of the last run may not have been written any more. */
    self->search_due_ns =
        now_ns + (self->search_hold_ns < self->search_every_ns ? self->search_hold_ns : self->search_every_ns);
    if (kept != NULL && kept->search_due_ns != NULL && *kept->search_due_ns < self->search_due_ns)
        self->search_due_ns = *kept->search_due_ns;
    /* sitemap.xml is written last: where it is, all are; but an adopted site has it without the lists of the search. */
    if (kept == NULL && root != NULL &&
        (missing(root, "packages.json") || missing(root, "search/index.json") || missing(root, "sitemap.xml")))
        self->search_due_ns = now_ns;
    return piw_timer(task, PIW_ON(round), 0, 0, ROUND_MS);
}

void rounds_changed(secretary *self)
{
    int64_t due_ns = piw_monotonic_ns() + self->search_hold_ns;
    if (due_ns < self->search_due_ns)
        self->search_due_ns = due_ns;
}

int on_round(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply, (void)key;
    secretary *self = piw_soul(task);
    int64_t now_ns = piw_monotonic_ns();
    if (now_ns < self->search_due_ns)
        return 0;
    int rc = secretary_search(task);
    if (rc == 0)
        self->search_due_ns = now_ns + self->search_every_ns;
    return rc;
}
