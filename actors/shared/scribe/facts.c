/* facts.c — the site's names, addresses and views, as the configuration has them. */
#include "facts.h"

#include "shared/site_path.h"
#include "shared/text.h"
#include "site_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

static char *default_base_url(void)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof(host) - 1) != 0)
        memcpy(host, "localhost", sizeof("localhost"));
    return piw_sprintf("http://%s", host);
}

/* A key of [site], or "" when it isn't set or longer than what pages can take. */
static char *setting_text(piw_task *task, const char *name, size_t max)
{
    const char *value = piw_setting(task, name);
    if (value != NULL && strlen(value) > max) {
        piw_warning("%s is longer than %zu bytes: it isn't used", name, max);
        value = NULL;
    }
    return piw_strdup(value == NULL ? "" : value);
}

/* --- Views --- */

static void put_words(piw_buffer *to, const piw_view_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        piw_putf(to, "%s%s", i == 0 ? "" : " ", words->at[i]);
}

/* Their names, and a sum of what decides what their indexes list. */
static char *make_mark(const piw_views *views)
{
    piw_buffer line = {0}, all = {0};
    for (size_t i = 0; i < views->count; i++) {
        const piw_farm_view *v = &views->at[i];
        piw_putf(&line, "%s ", v->name);
        piw_putf(&all, "%s\n%s\n%d\n", v->name, v->abi, v->common);
        put_words(&all, &v->platforms);
        piw_put(&all, "\n");
        put_words(&all, &v->libraries);
        piw_put(&all, "\n");
    }
    piw_putf(&line, "#%08lx", crc32_z(crc32_z(0, NULL, 0), all.data, all.len));
    char *mark = piw_sprintf("%.*s", views->count == 0 ? 0 : (int)line.len, (const char *)line.data);
    piw_buffer_fini(&all);
    piw_buffer_fini(&line);
    return mark;
}

/* "debian, raspbian 12": what a machine of the view is. */
static piw_text system_of(piw_msg *job, const piw_farm_view *view)
{
    piw_buffer text = {0};
    for (size_t i = 0; i < view->os_names.count; i++)
        piw_putf(&text, "%s%s", i == 0 ? "" : ", ", view->os_names.at[i]);
    if (view->os_version[0] != '\0')
        piw_putf(&text, "%s%s", text.len > 0 ? " " : "release ", view->os_version);
    piw_text made = piw_msg_text(job, (const char *)text.data, text.len < 200 ? text.len : 200);
    piw_buffer_fini(&text);
    return made;
}

static piw_text platforms_of(piw_msg *job, const piw_farm_view *view)
{
    piw_buffer text = {0};
    for (size_t i = 0; i < view->platforms.count; i++)
        piw_putf(&text, "%s%s", i == 0 ? "" : ", ", view->platforms.at[i]);
    piw_text made = piw_msg_text(job, (const char *)text.data, text.len < 200 ? text.len : 200);
    piw_buffer_fini(&text);
    return made;
}

static uint32_t count_words(const char *words)
{
    uint32_t count = 0;
    for (const char *at = words; (at = strchr(at, ' ')) != NULL; at++)
        count++;
    return count;
}

static void fill_views(const facts *self, piw_msg *job, site_facts *to)
{
    if (self->views.count == 0 && self->former[0] == '\0')
        return;
    site_views *made = piw_msg_alloc(job, sizeof(*made));
    *made = (site_views){.mark = piw_msg_textz(job, self->mark)};
    piw_msg_list(job, &made->at, self->views.count);
    for (uint32_t i = 0; i < made->at.count; i++) {
        const piw_farm_view *view = &self->views.at[i];
        made->at.at[i] = (view_facts){.name = piw_msg_textz(job, view->name),
                                      .abi = piw_msg_textz(job, view->abi),
                                      .platforms = platforms_of(job, view),
                                      .system = system_of(job, view),
                                      .common = view->common};
    }
    piw_msg_list(job, &made->former, count_words(self->former));
    const char *at = self->former;
    for (uint32_t i = 0; i < made->former.count; i++) {
        at += strspn(at, " ");
        size_t len = strcspn(at, " ");
        made->former.at[i] = piw_msg_text(job, at, len);
        at += len;
    }
    to->views = made;
}

/* --- All of it --- */

int facts_read(facts *self, piw_task *task, const char *root, piw_err *err)
{
    const char *name = piw_setting(task, "site.name"), *base_url = piw_setting(task, "site.base-url");
    *self = (facts){.root = piw_strdup(root), .mark = piw_strdup(""), .former = piw_strdup("")};
    self->name = piw_strdup(name == NULL ? "piwheels" : name);
    bool good = base_url != NULL && site_address_ok(piw_text_of(base_url));
    self->base_url = good ? piw_strdup(base_url) : default_base_url();
    if (base_url != NULL && !good)
        piw_warning(
            "[site] base-url is \"%.200s\", which is no address like https://wheels.example.org: the pages tell people "
            "to install from %s/simple",
            base_url, self->base_url);
    /* Paths are appended to it with their own '/'. */
    for (size_t n = strlen(self->base_url); n > 0 && self->base_url[n - 1] == '/'; n--)
        self->base_url[n - 1] = '\0';
    self->notice = setting_text(task, "site.notice", 1000);
    self->templates = setting_text(task, "site.templates", PIW_PATH_MAX - 1);
    self->accent = setting_text(task, "site.accent", 7);
    if (self->accent[0] != '\0' && !site_colour_ok(piw_text_of(self->accent))) {
        piw_warning("[site] accent is no colour like #2b6cb0: the pages keep their own");
        self->accent[0] = '\0';
    }
    int rc = piw_views_of_task(&self->views, task, err);
    if (rc != 0)
        return rc;
    free(self->mark);
    self->mark = make_mark(&self->views);
    return 0;
}

void facts_fini(facts *self)
{
    piw_views_fini(&self->views);
    free(self->root);
    free(self->name);
    free(self->base_url);
    free(self->accent);
    free(self->notice);
    free(self->templates);
    free(self->mark);
    free(self->former);
}

void facts_fill(const facts *self, piw_msg *job, site_facts *to)
{
    to->root = piw_msg_textz(job, self->root);
    to->name = piw_msg_textz(job, self->name);
    to->base_url = piw_msg_textz(job, self->base_url);
    to->accent = piw_msg_textz(job, self->accent);
    to->notice = piw_msg_textz(job, self->notice);
    to->templates = piw_msg_textz(job, self->templates);
    fill_views(self, job, to);
}
