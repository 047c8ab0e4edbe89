/* descriptions.c — fetches what PyPI says of packages beside their versions, several at a time: the summary from a project's
 * document, then its status and the reasons of its yanks from its page of the Simple API. A failure costs that, nothing
 * else. */
#include "cloud_gazer/gazer.h"
#include "cloud_gazer/page.h"
#include "shared/summary.h"
#include "web.piw.h"

#include <stdlib.h>

enum {
    TIMEOUT_MS = 120000,
    REST_MS = 30000,           /* when the server says that it is too much */
    READ_ON_BYTES = 256 << 10, /* what is left of a small answer is read, so that the connection can be kept */
};

/* As of the pages in offers.c. */
_Static_assert(TIMEOUT_MS < GAZER_WINDOW_S * 1000, "no page is being read that was asked for before an applied event");

/* A package on the list, or being fetched. */
typedef struct wanted {
    piw_table_node node;
    struct wanted *next;
    gazer_describer *describer;
    bool summary_too;     /* not only the page */
    bool again;           /* asked for while it was fetched */
    piw_summary *summary; /* while it is fetched, … */
    size_t read;
    gazer_page *page; /* … and while the page is */
    int64_t began_ns; /* to be read */
    piw_err err;
    char package[];
} wanted;

struct gazer_describer {
    gazer *gazer;
    const char *json_url, *simple_url;
    piw_table all; /* waiting and running */
    uint64_t seed;
    wanted *first, **end; /* waiting, in order */
    unsigned running;
    bool resting;
    piw_outage away; /* of PyPI's pages */
    piw_log_limiter troubles;
};

static bool is_package(const piw_table_node *node, const void *key)
{
    return strcmp(PIW_TABLE_ENTRY(node, const wanted, node)->package, key) == 0;
}

gazer_describer *gazer_describer_new(gazer *self, const char *json_url, const char *simple_url)
{
    gazer_describer *describer = piw_zalloc(sizeof(*describer));
    describer->gazer = self;
    describer->json_url = json_url;
    describer->simple_url = simple_url;
    describer->seed = piw_table_seed();
    describer->end = &describer->first;
    return describer;
}

static void forget(gazer_describer *describer, wanted *entry)
{
    piw_table_remove(&describer->all, &entry->node);
    free(entry->summary);
    gazer_page_free(&entry->page);
    free(entry);
}

void gazer_describer_free(gazer_describer **describer)
{
    gazer_describer *self = *describer;
    if (self == NULL)
        return;
    /* On from each, not from the beginning: while a log is worked off there are many. */
    piw_table_node *node = piw_table_next(&self->all, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&self->all, node);
        forget(self, PIW_TABLE_ENTRY(node, wanted, node));
        node = next;
    }
    piw_table_fini(&self->all);
    free(self);
    *describer = NULL;
}

static void enqueue(gazer_describer *describer, wanted *entry)
{
    entry->next = NULL;
    *describer->end = entry;
    describer->end = &entry->next;
}

/* Is it being fetched? */
static bool runs(const wanted *entry)
{
    return entry->summary != NULL || entry->page != NULL;
}

void gazer_describe(gazer_describer *describer, piw_text package, bool summary_too)
{
    uint64_t hash = piw_table_hash(describer->seed, package.s, package.len);
    piw_table_node *node = piw_table_find(&describer->all, hash, is_package, package.s);
    if (node != NULL) {
        wanted *entry = PIW_TABLE_ENTRY(node, wanted, node);
        entry->again = runs(entry);
        entry->summary_too = entry->summary_too || summary_too;
        return;
    }
    if (describer->all.count >= GAZER_UNDESCRIBED_MAX) {
        piw_log_limited(&describer->troubles, 1, PIW_LOG_INFO,
                        "more than %d packages wait for their description; %s goes without for now",
                        GAZER_UNDESCRIBED_MAX, package.s);
        return;
    }
    wanted *entry = piw_zalloc(sizeof(*entry) + package.len + 1);
    memcpy(entry->package, package.s, package.len);
    entry->describer = describer;
    entry->summary_too = summary_too;
    piw_table_add(&describer->all, &entry->node, hash);
    enqueue(describer, entry);
}

bool gazer_describes(const gazer_describer *describer, const char *package)
{
    uint64_t hash = piw_table_hash(describer->seed, package, strlen(package));
    const piw_table_node *node = piw_table_find(&describer->all, hash, is_package, package);
    return node != NULL && runs(PIW_TABLE_ENTRY(node, const wanted, node));
}

static bool on_data(void *arg, const void *data, size_t len)
{
    wanted *entry = arg;
    entry->read += len;
    return piw_summary_feed(entry->summary, data, len) || (entry->summary->found && entry->read < READ_ON_BYTES);
}

static void describe(wanted *entry)
{
    db_DESCRIBE *body;
    piw_msg *msg = db_DESCRIBE_new(&body);
    body->package = piw_msg_textz(msg, entry->package);
    if (piw_summary_text(entry->summary, msg, GAZER_DESCRIPTION_CHARS, &body->description) &&
        piw_cast(entry->describer->gazer->task, &msg) == 0)
        return;
    piw_msg_free(&msg);
}

/* Ask for the address with the entry as argument; it counts as running until `done`. False: it can't be asked for. */
static bool start(gazer_describer *self, wanted *entry, char *url, const char *accept, piw_fetch_request request)
{
    piw_err err = {0};
    request.url = url;
    request.accept = accept;
    request.timeout_ms = TIMEOUT_MS;
    request.arg = entry;
    bool good = piw_fetch_start(self->gazer->http, &request, &err) == 0;
    if (good)
        self->running++;
    else
        piw_log_limited(&self->troubles, 2, PIW_LOG_WARNING, "no description of %s: %s", entry->package, err.text);
    free(url);
    return good;
}

/* Nothing more is to be fetched for it now. */
static void end(gazer_describer *self, wanted *entry)
{
    gazer_page_free(&entry->page);
    if (entry->again) {
        entry->again = false;
        enqueue(self, entry);
    } else {
        forget(self, entry);
    }
}

/* Did the server say that it is too much, or nobody answer? Then all wait for a while. */
static bool must_rest(gazer_describer *self, const wanted *entry, const piw_fetch_result *result)
{
    if (!result->refused && result->status != 429 && result->status < 500) {
        if (result->answered)
            piw_outage_over(&self->away, "descriptions are fetched again");
        return false;
    }
    int64_t rest_ms = self->gazer->dev_mode ? GAZER_WAIT_DEV_MS : REST_MS;
    self->resting = piw_timer(self->gazer->task, PIW_ON(describe), 0, rest_ms, 0) == 0;
    piw_outage_goes_on(&self->away, PIW_LOG_WARNING, 0, "descriptions rest for %d s: %s (status %ld for %s)",
                       (int)(rest_ms / 1000), result->refused ? "nobody answers" : "the server asks for it",
                       result->status, entry->package);
    return true;
}

/* --- The page of the Simple API --- */

static bool on_page_data(void *arg, const void *data, size_t len)
{
    wanted *entry = arg;
    return gazer_page_feed(entry->page, data, len, &entry->err) == 0;
}

static void tell_facts(const wanted *entry)
{
    db_PYPI_FACTS *body;
    piw_msg *msg = db_PYPI_FACTS_new(&body);
    gazer_page_put(entry->page, msg, body, entry->describer->gazer->wants_wheels);
    int64_t *age_ms = piw_msg_alloc(msg, sizeof(*age_ms));
    *age_ms = (piw_monotonic_ns() - entry->began_ns) / 1000000;
    body->age_ms = age_ms;
    if (piw_call(entry->describer->gazer->task, &msg, PIW_ON(facts), 0, -1) != 0)
        piw_msg_free(&msg);
}

static void on_page_done(void *arg, const piw_fetch_result *result)
{
    wanted *entry = arg;
    gazer_describer *self = entry->describer;
    self->running--;
    if (result->answered && result->status == 200 && entry->err.code == 0 &&
        gazer_page_end(entry->page, &entry->err) == 0)
        tell_facts(entry);
    else if (!must_rest(self, entry, result))
        piw_debug("nothing is known of the status of %s: %s (status %ld)", entry->package,
                  entry->err.code != 0 ? entry->err.text
                  : result->answered   ? "there is no page"
                                       : result->problem,
                  result->status);
    end(self, entry);
    gazer_describer_go(self);
}

static void fetch_page(gazer_describer *self, wanted *entry)
{
    entry->err = (piw_err){0};
    entry->began_ns = piw_monotonic_ns();
    entry->page = gazer_page_new(entry->package);
    if (entry->page == NULL ||
        !start(self, entry, piw_sprintf("%s/%s/", self->simple_url, entry->package),
               "application/vnd.pypi.simple.v1+json", (piw_fetch_request){.data = on_page_data, .done = on_page_done}))
        end(self, entry);
}

int on_facts(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)key;
    if (piw_msg_error(reply) != 0)
        return 0;
    const db_PYPI_FACTS_reply *body = db_PYPI_FACTS_reply_of(reply);
    if (body->changed) {
        piw_msg *pages = web_BOTH_make(body->package, false);
        if (piw_cast(task, &pages) != 0) /* its page says so when it is written the next time */
            piw_msg_free(&pages);
    }
    return 0;
}

/* --- The project's document --- */

static void on_done(void *arg, const piw_fetch_result *result)
{
    wanted *entry = arg;
    gazer_describer *self = entry->describer;
    self->running--;
    bool rests = false;
    if (entry->summary->found) {
        piw_outage_over(&self->away, "descriptions are fetched again");
        describe(entry);
    } else if (!(rests = must_rest(self, entry, result)))
        piw_debug("no description of %s: %s (status %ld)", entry->package,
                  result->answered ? "there is no summary" : result->problem, result->status);
    free(entry->summary);
    entry->summary = NULL;
    entry->read = 0;
    if (rests)
        end(self, entry);
    else
        fetch_page(self, entry);
    gazer_describer_go(self);
}

static void fetch(gazer_describer *self, wanted *entry)
{
    if (!entry->summary_too) {
        fetch_page(self, entry);
        return;
    }
    entry->summary_too = false;
    entry->summary = piw_zalloc(sizeof(*entry->summary));
    if (!start(self, entry, piw_sprintf("%s/%s/json", self->json_url, entry->package), NULL,
               (piw_fetch_request){.data = on_data, .done = on_done})) {
        free(entry->summary);
        entry->summary = NULL;
        end(self, entry);
    }
}

void gazer_describer_go(gazer_describer *describer)
{
    while (describer->first != NULL && describer->running < GAZER_DESCRIPTIONS && !describer->resting &&
           !describer->gazer->paused) {
        wanted *entry = describer->first;
        describer->first = entry->next;
        if (describer->first == NULL)
            describer->end = &describer->first;
        fetch(describer, entry);
    }
}

const char *gazer_undescribed(const gazer_describer *describer, const char *after, size_t *count)
{
    *count = describer->all.count;
    const piw_table_node *node = after != NULL ? &PIW_TABLE_ENTRY(after, const wanted, package)->node : NULL;
    node = piw_table_next(&describer->all, node);
    return node != NULL ? PIW_TABLE_ENTRY(node, const wanted, node)->package : NULL;
}

int on_describe(piw_task *task, piw_msg *reply, uint64_t key)
{
    (void)reply;
    (void)key;
    gazer *self = piw_soul(task);
    self->describer->resting = false;
    gazer_describer_go(self->describer);
    return 0;
}
