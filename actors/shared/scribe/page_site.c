/* page_site.c — the pages for people that are about no package, from their templates. */
#include "pages.h"

#include "chart.h"
#include "shared/disk.h"
#include "shared/text.h"
#include "site_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    HOME_DAYS = 30,
    STATS_DAYS = 60,
    HOME_BUILDS = 12,
    KINDS_SHOWN = 12, /* rows of one chart */
};
static const int64_t DAY_US = 86400000000;

const site_page site_pages[] = {
    /* What other pages need first. */
    {"site.css", false},  {"favicon.svg", false},  {"search.js", false}, {"404.html", false},  {"faq.html", false},
    {"json.html", false}, {"packages.html", true}, {"stats.html", true}, {"index.html", true},
};
const size_t site_pages_count = PIW_COUNT(site_pages);

/* --- Figures by day ------------------------------------------------------------------------------------------------ */

static int64_t today(void)
{
    return piw_time_now().us / DAY_US;
}

/* The words of a kind by their sums, the greatest first; at most `room`. */
static size_t rank_words(const site_figures *figures, const char *kind, int64_t since, chart_row *to, size_t room)
{
    size_t count = 0;
    for (uint32_t i = 0; i < figures->days.count; i++) {
        const day_count *d = &figures->days.at[i];
        if (!piw_text_is(d->kind, kind) || d->day.us / DAY_US < since || d->count <= 0)
            continue;
        size_t k = 0;
        while (k < count && !piw_text_eq(to[k].label, d->word))
            k++;
        if (k == count) {
            if (count == room)
                continue;
            to[count++] = (chart_row){.label = d->word};
        }
        to[k].value += d->count;
    }
    return count;
}

static int more_first(const void *a, const void *b)
{
    const chart_row *left = a, *right = b;
    if (left->value != right->value)
        return left->value < right->value ? 1 : -1;
    return strcmp(left->label.s, right->label.s);
}

enum { WORDS_MAX = 200 };

static void put_words(piw_view *view, const char *key, const char *title, const site_figures *figures, const char *kind)
{
    chart_row rows[WORDS_MAX];
    size_t count = rank_words(figures, kind, today() - STATS_DAYS + 1, rows, WORDS_MAX);
    qsort(rows, count, sizeof(*rows), more_first);
    int64_t all = 0, others = 0;
    char shown[KINDS_SHOWN + 1][48];
    for (size_t i = 0; i < count; i++)
        all += rows[i].value;
    for (size_t i = KINDS_SHOWN; i < count; i++)
        others += rows[i].value;
    if (count > KINDS_SHOWN) {
        rows[KINDS_SHOWN] = (chart_row){.label = piw_text_of("all others"), .value = others};
        count = KINDS_SHOWN + 1;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(shown[i], sizeof(shown[i]), "%.1f %%", 100.0 * (double)rows[i].value / (double)all);
        rows[i].shown = shown[i];
    }
    piw_buffer html = {0};
    chart_put_rows(title, "no downloads yet", rows, count, all, &html);
    piw_view_markup(view, key, &html);
}

/* Add what `days` has of a kind to the column `part` of each day; of `word` alone when it isn't null. */
static void fill_days(const site_figures *figures, const char *kind, piw_text word, const chart_days *chart,
                      int64_t *values, uint32_t part)
{
    for (uint32_t i = 0; i < figures->days.count; i++) {
        const day_count *d = &figures->days.at[i];
        int64_t day = d->day.us / DAY_US - (chart->today - chart->days + 1);
        if (day < 0 || day >= chart->days || d->count < 0 || !piw_text_is(d->kind, kind) ||
            (word.s != NULL && !piw_text_eq(d->word, word)))
            continue;
        values[(size_t)day * chart->count + part] += d->count;
    }
}

static void put_builds(piw_view *view, const site_figures *figures, uint32_t days)
{
    const piw_text labels[] = {piw_text_of("built"), piw_text_of("failed")};
    int64_t values[2 * STATS_DAYS] = {0};
    chart_days chart = {
        .title = "Builds a day", .labels = labels, .count = 2, .days = days, .values = values, .today = today()};
    fill_days(figures, "built", (piw_text){0}, &chart, values, 0);
    fill_days(figures, "failed", (piw_text){0}, &chart, values, 1);
    piw_buffer html = {0};
    chart_put_days(&chart, &html);
    piw_view_markup(view, "builds_chart", &html);
}

static void put_downloads(piw_view *view, const site_figures *figures, uint32_t days)
{
    const piw_text labels[] = {piw_text_of("downloads")};
    int64_t values[STATS_DAYS] = {0};
    chart_days chart = {.title = "Downloads a day",
                        .labels = labels,
                        .count = 1,
                        .days = days,
                        .values = values,
                        .today = today(),
                        .first_colour = 4};
    fill_days(figures, "downloads", (piw_text){0}, &chart, values, 0);
    piw_buffer html = {0};
    chart_put_days(&chart, &html);
    piw_view_markup(view, "downloads_chart", &html);
}

/* Failures by cause: the package's own, and the most frequent of those that are the builders'. */
static void put_failures(piw_view *view, const site_figures *figures)
{
    piw_text labels[CHART_SERIES_MAX] = {piw_text_of("the package itself")};
    chart_row rows[WORDS_MAX];
    int64_t values[CHART_SERIES_MAX * STATS_DAYS] = {0};
    size_t count = rank_words(figures, "cause", today() - STATS_DAYS + 1, rows, WORDS_MAX);
    qsort(rows, count, sizeof(*rows), more_first);
    if (count > CHART_SERIES_MAX - 1)
        count = CHART_SERIES_MAX - 1;
    for (size_t i = 0; i < count; i++)
        labels[i + 1] = rows[i].label;
    chart_days chart = {.title = "Failures a day, by cause",
                        .labels = labels,
                        .count = (uint32_t)count + 1,
                        .days = STATS_DAYS,
                        .values = values,
                        .today = today(),
                        .first_colour = 1};
    fill_days(figures, "failed", (piw_text){0}, &chart, values, 0);
    for (size_t i = 0; i < count; i++)
        fill_days(figures, "cause", labels[i + 1], &chart, values, (uint32_t)i + 1);
    piw_buffer html = {0};
    chart_put_days(&chart, &html);
    piw_view_markup(view, "failures_chart", &html);
}

static void put_queue(piw_view *view, const site_figures *figures)
{
    uint32_t count = figures->queues.count;
    chart_row *rows = piw_zalloc((count + 1) * sizeof(*rows));
    char(*shown)[96] = piw_zalloc((count + 1) * sizeof(*shown));
    for (uint32_t i = 0; i < count; i++) {
        const site_queue *q = &figures->queues.at[i];
        snprintf(shown[i], sizeof(shown[i]), "%lld waiting, %lld built last hour%s", (long long)q->pending,
                 (long long)q->last_hour, q->skip.len > 0 ? ", skipped" : "");
        rows[i] = (chart_row){q->abi_tag, q->pending, shown[i]};
    }
    piw_buffer html = {0};
    chart_put_rows("Versions that wait, by the ABI that they wait for", "no ABI is built for yet", rows, count, 0,
                   &html);
    piw_view_markup(view, "queue_chart", &html);
    free(shown);
    free(rows);
}

static void put_disk(piw_view *view, const site_facts *site, const site_figures *figures)
{
    int64_t size = 0, room = 0;
    char wheels[32], used[32], left[32];
    if (piw_disk_room(site->root.s, &size, &room) != 0)
        size = room = 0;
    const chart_row rows[] = {
        {piw_text_of("wheels"), figures->files_size, piw_size_print(figures->files_size, wheels, sizeof(wheels))},
        {piw_text_of("in use"), size - room, piw_size_print(size - room, used, sizeof(used))},
        {piw_text_of("free"), room, piw_size_print(room, left, sizeof(left))},
    };
    piw_buffer html = {0};
    chart_put_rows("The file system of the site", "not known", rows, size > 0 ? PIW_COUNT(rows) : 0, size, &html);
    piw_view_markup(view, "disk_chart", &html);
}

/* --- The pages ---------------------------------------------------------------------------------------------------------- */

static void put_last_builds(piw_view *view, const site_facts *site, const site_figures *figures)
{
    piw_view_flag(view, "has_builds", figures->builds.count > 0);
    piw_view_list(view, "builds");
    for (uint32_t i = 0; i < figures->builds.count && i < HOME_BUILDS; i++) {
        const site_build *b = &figures->builds.at[i];
        char when[32], took[48], link[64];
        piw_view *item = piw_view_add(view, "builds");
        piw_time_print(b->built_at, when, sizeof(when));
        piw_view_text(item, "package", b->package);
        piw_view_text(item, "version", b->version);
        piw_view_text(item, "abi", b->abi_tag);
        piw_view_text(item, "style", piw_text_of(b->status ? "success" : "fail"));
        piw_view_text(item, "words", piw_text_of(b->status ? "built" : "failed"));
        page_log_link(link, sizeof(link), site->root.s, b->build_id);
        piw_view_print(item, "log", "%s", link);
        piw_view_print(item, "took", "%s", piw_duration_print(b->duration, took, sizeof(took)));
        piw_view_print(item, "when", "%.16s", when);
        piw_view_print(item, "iso", "%.10sT%.8sZ", when, when + 11);
    }
}

static void put_popular(piw_view *view, const site_figures *figures)
{
    piw_view_flag(view, "has_popular", figures->popular.count > 0);
    piw_view_list(view, "popular");
    for (uint32_t i = 0; i < figures->popular.count; i++) {
        piw_view *item = piw_view_add(view, "popular");
        piw_view_text(item, "package", figures->popular.at[i].package);
        piw_view_number(item, "recent", figures->popular.at[i].recent);
    }
}

/* "1.3 years": of builds one after the other. */
static void put_long_time(piw_view *view, const char *key, piw_duration time)
{
    char text[48];
    int64_t hours = piw_duration_us(time) / 3600000000;
    if (hours < 1)
        piw_view_print(view, key, "%s", piw_duration_print(time, text, sizeof(text)));
    else if (hours < 48)
        piw_view_print(view, key, "%lld h", (long long)hours);
    else if (hours < (int64_t)24 * 730)
        piw_view_print(view, key, "%lld days", (long long)hours / 24);
    else
        piw_view_print(view, key, "%.1f years", (double)hours / 24 / 365.25);
}

static void put_totals(piw_view *view, const site_figures *figures)
{
    char size[32];
    int64_t pending = 0, last_hour = 0;
    for (uint32_t i = 0; i < figures->queues.count; i++) {
        pending += figures->queues.at[i].pending;
        last_hour += figures->queues.at[i].last_hour;
    }
    piw_view_number(view, "packages", figures->packages);
    piw_view_number(view, "files", figures->files);
    piw_view_print(view, "files_size", "%s", piw_size_print(figures->files_size, size, sizeof(size)));
    piw_view_number(view, "pending", pending);
    piw_view_number(view, "last_hour", last_hour);
    piw_view_number(view, "downloads_month", figures->downloads_last_month);
    piw_view_number(view, "downloads_all", figures->downloads_all);
    put_long_time(view, "builds_time", figures->builds_time);
}

static void put_figures(piw_view *view, const site_facts *site, const site_figures *figures, bool stats)
{
    uint32_t days = stats ? STATS_DAYS : HOME_DAYS;
    piw_view_print(view, "days_shown", "%u", days);
    put_totals(view, figures);
    put_builds(view, figures, days);
    put_downloads(view, figures, days);
    if (!stats) {
        put_last_builds(view, site, figures);
        put_popular(view, figures);
        return;
    }
    put_failures(view, figures);
    put_queue(view, figures);
    put_words(view, "python_chart", "By Python", figures, "python");
    put_words(view, "distro_chart", "By distribution", figures, "distro");
    put_words(view, "arch_chart", "By architecture", figures, "arch");
    put_disk(view, site, figures);
}

static char *title_of(const char *name, const site_facts *site)
{
    static const char *const titles[][2] = {{"404.html", "Not found"},
                                            {"faq.html", "Questions and answers"},
                                            {"json.html", "JSON API"},
                                            {"packages.html", "Packages"},
                                            {"stats.html", "Stats"}};
    for (size_t i = 0; i < PIW_COUNT(titles); i++) {
        if (strcmp(name, titles[i][0]) == 0)
            return piw_sprintf("%s - %s", titles[i][1], site->name.s);
    }
    return piw_strdup(site->name.s);
}

/* "/", or what the site's address has behind its host: "/wheels/". */
static char *root_of(const site_facts *site)
{
    const char *host = site->base_url.s != NULL ? strstr(site->base_url.s, "://") : NULL;
    const char *path = host != NULL ? strchr(host + strlen("://"), '/') : NULL;
    return piw_sprintf("%s/", path != NULL ? path : "");
}

int page_site(const site_facts *site, const char *name, const site_figures *figures, int64_t known, piw_buffer *to,
              piw_err *err)
{
    char on[32];
    snprintf(on, sizeof(on), "%.*s", (int)strcspn(name, "."), name);
    char *title = title_of(name, site), *root = root_of(site);
    /* The page of what isn't there is sent for any path: its links start at the root. */
    piw_view *view = site_view(site, strcmp(name, "404.html") == 0 ? root : "", piw_text_of(title), on);
    bool main_page = strcmp(name, "index.html") == 0;
    piw_view_text(view, "feed", piw_text_of(main_page ? "feeds/new.atom" : ""));
    piw_view_text(view, "feed_title", piw_text_of("New wheels"));
    piw_view_number(view, "known", known);
    piw_view_flag(view, "has_figures", figures != NULL);
    if (main_page)
        pages_put_views(site, view);
    const site_figures none = {0};
    put_figures(view, site, figures != NULL ? figures : &none, strcmp(name, "stats.html") == 0);
    int rc = site_render(site, name, view, to, err);
    piw_view_free(&view);
    free(root);
    free(title);
    return rc;
}
