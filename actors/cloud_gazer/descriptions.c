/* descriptions.c — fetches the summaries of packages from PyPI's JSON, several at a time. A failure costs a
 * description, nothing else. */
#include "cloud_gazer/gazer.h"
#include "shared/summary.h"

#include <stdlib.h>

enum {
    TIMEOUT_MS = 60000,
    REST_MS = 30000,           /* when the server says that it is too much */
    READ_ON_BYTES = 256 << 10, /* what is left of a small answer is read, so that the connection can be kept */
};

/* A package on the list, or being fetched. */
typedef struct wanted {
    piw_table_node node;
    struct wanted *next;
    gazer_describer *describer;
    piw_summary *summary; /* while it is fetched */
    size_t read;
    char package[];
} wanted;

struct gazer_describer {
    gazer *gazer;
    const char *json_url;
    piw_table all; /* waiting and running */
    uint64_t seed;
    wanted *first, **end; /* waiting, in order */
    unsigned running;
    bool resting;
    piw_log_limiter troubles;
};

static bool is_package(const piw_table_node *node, const void *key)
{
    return strcmp(PIW_TABLE_ENTRY(node, const wanted, node)->package, key) == 0;
}

gazer_describer *gazer_describer_new(gazer *self, const char *json_url)
{
    gazer_describer *describer = piw_zalloc(sizeof(*describer));
    describer->gazer = self;
    describer->json_url = json_url;
    describer->seed = piw_table_seed();
    describer->end = &describer->first;
    return describer;
}

static void forget(gazer_describer *describer, wanted *entry)
{
    piw_table_remove(&describer->all, &entry->node);
    free(entry->summary);
    free(entry);
}

void gazer_describer_free(gazer_describer **describer)
{
    gazer_describer *self = *describer;
    if (self == NULL)
        return;
    piw_table_node *node;
    while ((node = piw_table_next(&self->all, NULL)) != NULL)
        forget(self, PIW_TABLE_ENTRY(node, wanted, node));
    piw_table_fini(&self->all);
    free(self);
    *describer = NULL;
}

void gazer_describe(gazer_describer *describer, piw_text package)
{
    uint64_t hash = piw_table_hash(describer->seed, package.s, package.len);
    if (piw_table_find(&describer->all, hash, is_package, package.s) != NULL)
        return;
    if (describer->all.count >= GAZER_UNDESCRIBED_MAX) {
        piw_log_limited(&describer->troubles, 1, PIW_LOG_INFO,
                        "more than %d packages wait for their description; %s goes without for now",
                        GAZER_UNDESCRIBED_MAX, package.s);
        return;
    }
    wanted *entry = piw_zalloc(sizeof(*entry) + package.len + 1);
    memcpy(entry->package, package.s, package.len);
    entry->describer = describer;
    piw_table_add(&describer->all, &entry->node, hash);
    *describer->end = entry;
    describer->end = &entry->next;
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

static void on_done(void *arg, const gazer_http_result *result)
{
    wanted *entry = arg;
    gazer_describer *self = entry->describer;
    self->running--;
    if (entry->summary->found) {
        describe(entry);
    } else if (result->refused || result->status == 429 || result->status >= 500) {
        int64_t rest_ms = self->gazer->dev_mode ? GAZER_WAIT_DEV_MS : REST_MS;
        self->resting = piw_timer(self->gazer->task, PIW_ON(describe), 0, rest_ms, 0) == 0;
        piw_log_limited(&self->troubles, 2, PIW_LOG_WARNING, "descriptions rest for %d s: %s (status %ld for %s)",
                        (int)(rest_ms / 1000), result->refused ? "nobody answers" : "the server asks for it",
                        result->status, entry->package);
    } else {
        piw_debug("no description of %s: %s (status %ld)", entry->package,
                  result->answered ? "there is no summary" : result->problem, result->status);
    }
    forget(self, entry);
    gazer_describer_go(self);
}

static void fetch(gazer_describer *self, wanted *entry)
{
    char *url = piw_sprintf("%s/%s/json", self->json_url, entry->package);
    entry->summary = piw_zalloc(sizeof(*entry->summary));
    const gazer_http_request request = {
        .url = url, .timeout_ms = TIMEOUT_MS, .data = on_data, .done = on_done, .arg = entry};
    piw_err err = {0};
    if (gazer_http_start(self->gazer->http, &request, &err) == 0) {
        self->running++;
    } else {
        piw_log_limited(&self->troubles, 2, PIW_LOG_WARNING, "no description of %s: %s", entry->package, err.text);
        forget(self, entry);
    }
    free(url);
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
