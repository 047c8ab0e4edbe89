/* order.c — PyPI's events, put from the order of their serials into the order in which they are applied. */
#include "cloud_gazer/order.h"

#include "piw/log.h"
#include "shared/names.h"
#include "shared/table.h"
#include "shared/version.h"

#include <assert.h>
#include <stdlib.h>

/* An event that waits. Events that don't concern the farm wait too, without texts: the serial to be stored stays
 * before them, and they count as later events. */
typedef struct waiting {
    int64_t time_s, serial;
    const char *action; /* NULL: of no concern */
    char *texts;        /* package, name, version, each with a NUL, in one allocation; version may be missing */
    const char *name, *version;
} waiting;

/* So many events, with the serial that is stored then. */
typedef struct batch {
    size_t count;
    int64_t serial;
} batch;

typedef struct seen {
    piw_table_node node;
    int64_t serial;
} seen;

struct gazer_order {
    waiting *events; /* not old enough to be applied, or not yet sorted */
    size_t count, size;
    bool unsorted;  /* some came since these were last looked at */
    waiting *ready; /* sorted; from `next` on to be delivered, beginning with the batches that are under way */
    size_t ready_count, next;
    batch under_way[GAZER_UNDER_WAY];
    uint32_t under_way_count;
    int64_t number; /* of the last batch */
    uint64_t applied;
    int64_t applied_s;
    piw_table seen;
    int64_t stored;   /* in the database */
    int64_t low;      /* every event up to this serial was seen and is behind us */
    int64_t newest;   /* serial */
    int64_t newest_s; /* time of the latest event */
    piw_log_limiter odd;
};

enum { TEXT_MAX = 1024 };                       /* of a name or version, of which 200 characters are taken */
static const int64_t TIME_MAX_S = 253402300799; /* the end of the year 9999 */

static bool is_serial(const piw_table_node *node, const void *key)
{
    return PIW_TABLE_ENTRY(node, const seen, node)->serial == *(const int64_t *)key;
}

static bool was_seen(const gazer_order *self, int64_t serial)
{
    return piw_table_find(&self->seen, piw_table_hash_u64((uint64_t)serial), is_serial, &serial) != NULL;
}

static void note_seen(gazer_order *self, int64_t serial)
{
    seen *entry = piw_zalloc(sizeof(*entry));
    entry->serial = serial;
    piw_table_add(&self->seen, &entry->node, piw_table_hash_u64((uint64_t)serial));
}

/* Forget what lies behind: those serials are never read again. */
static void forget_seen(gazer_order *self, int64_t up_to)
{
    piw_table_node *node = piw_table_next(&self->seen, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&self->seen, node);
        seen *entry = PIW_TABLE_ENTRY(node, seen, node);
        if (entry->serial <= up_to) {
            piw_table_remove(&self->seen, node);
            free(entry);
        }
        node = next;
    }
}

gazer_order *gazer_order_new(int64_t stored, const int64_t *applied, uint32_t count)
{
    gazer_order *self = piw_zalloc(sizeof(*self));
    self->number = piw_monotonic_ns();
    self->stored = stored;
    self->low = stored < GAZER_ORDERED_FROM ? 0 : stored - GAZER_OVERLAP;
    self->newest = self->low;
    for (uint32_t i = 0; i < count; i++)
        if (applied[i] > self->low && !was_seen(self, applied[i]))
            note_seen(self, applied[i]);
    return self;
}

void gazer_order_free(gazer_order **order)
{
    gazer_order *self = *order;
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        free(self->events[i].texts);
    for (size_t i = 0; i < self->ready_count; i++)
        free(self->ready[i].texts);
    free(self->events);
    free(self->ready);
    forget_seen(self, INT64_MAX);
    piw_table_fini(&self->seen);
    free(self);
    *order = NULL;
}

/* A number written as an XML character reference, decimal or not, at the start of `text`: its length, and the character's in
 * *code; 0 when there is none. */
static size_t reference(const char *text, size_t len, unsigned long *code)
{
    if (len < 4 || text[0] != '&' || text[1] != '#')
        return 0;
    bool hex = text[2] == 'x' || text[2] == 'X';
    size_t at = hex ? 3 : 2, digits = at;
    *code = 0;
    for (; at < len && at - digits < 8; at++) {
        char c = text[at];
        int digit = c >= '0' && c <= '9'                        ? c - '0'
                    : hex && (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                : -1;
        if (digit < 0)
            break;
        *code = *code * (hex ? 16 : 10) + (unsigned long)digit;
    }
    return at > digits && at < len && text[at] == ';' ? at + 1 : 0;
}

/* PyPI writes what XML has no character for as a reference within the text. What stands for ASCII is put in place, in a copy
 * of at most `size` bytes. */
static piw_text decode(piw_text from, char *to, size_t size)
{
    size_t used = 0;
    for (size_t at = 0; from.s != NULL && at < from.len && used + 1 < size;) {
        unsigned long code;
        size_t len = reference(from.s + at, from.len - at, &code);
        if (len > 0 && code > 0 && code < 0x80) {
            to[used++] = (char)code;
            at += len;
        } else {
            to[used++] = from.s[at++];
        }
    }
    to[used] = '\0';
    return (piw_text){to, (uint32_t)used};
}

/* Is it a source archive, by its name? Archives of built trees say for which system. */
static bool is_source(const char *filename)
{
    static const char *const ends[] = {".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tbz", ".tar"};
    static const char *const built[] = {".linux-", ".macosx-", ".win32", ".win-amd64", ".cygwin-", ".mingw"};
    size_t len = strlen(filename);
    for (size_t i = 0; i < PIW_COUNT(built); i++)
        if (strstr(filename, built[i]) != NULL)
            return false;
    for (size_t i = 0; i < PIW_COUNT(ends); i++) {
        size_t n = strlen(ends[i]);
        if (len > n && strcmp(filename + len - n, ends[i]) == 0)
            return true;
    }
    return false;
}

const char *gazer_action(piw_text action, bool has_version, bool *whole)
{
    static const struct {
        const char *words, *action;
        bool whole;
    } known[] = {
        {"create", "create", true},
        {"remove project", "remove", true},
        {"project quarantined", "quarantine", true},
        {"project quarantine cleared", "clear", true},
        {"remove release", "remove", false},
        {"yank release", "yank", false},
        {"unyank release", "unyank", false},
        {"release quarantined", "quarantine", false},
        {"release quarantine cleared", "clear", false},
    };
    char words[512];
    decode(action, words, sizeof(words));
    *whole = false;
    if (strcmp(words, "remove") == 0) {
        *whole = !has_version;
        return "remove";
    }
    for (size_t i = 0; i < PIW_COUNT(known); i++)
        if ((known[i].whole || has_version) && strcmp(words, known[i].words) == 0) {
            *whole = known[i].whole;
            return known[i].action;
        }
    if (!has_version)
        return NULL;
    if (strncmp(words, "remove file ", 12) == 0)
        return is_source(words + 12) ? "unsource" : NULL;
    if (strncmp(words, "add ", 4) == 0) {
        /* "add SORT file NAME" */
        const char *sort = words + 4;
        size_t sort_len = strcspn(sort, " ");
        if (sort_len == 0 || strncmp(sort + sort_len, " file", 5) != 0)
            return NULL;
        return sort_len == 6 && strncmp(sort, "source", 6) == 0 ? "source" : "binary";
    }
    return NULL;
}

static void say_odd(gazer_order *self, const gazer_event *event, const char *what)
{
    piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "event %lld of PyPI's log is ignored: %s (package %.*s%s%.*s)",
                    (long long)event->serial, what, event->name.len < 250 ? (int)event->name.len : 250, event->name.s,
                    event->version.s != NULL ? ", version " : "",
                    event->version.len < 250 ? (int)event->version.len : 250,
                    event->version.s != NULL ? event->version.s : "");
}

/* Keep the event's texts if it concerns us. */
static void take_texts(gazer_order *self, const gazer_event *event, waiting *to)
{
    bool whole;
    const char *action = gazer_action(event->action, event->version.s != NULL, &whole);
    if (action == NULL)
        return;
    char package[PIW_NAME_MAX + 1], name_text[TEXT_MAX], version_text[TEXT_MAX];
    piw_text name = decode(event->name, name_text, sizeof(name_text));
    piw_text version = decode(event->version, version_text, sizeof(version_text));
    if (!piw_name_canonical(name, package)) {
        say_odd(self, event, "its name is no project name of 1 to 200 characters");
        return;
    }
    if (!whole && !piw_version_acceptable(version)) {
        say_odd(self, event, "its version is empty, too long or holds odd characters");
        return;
    }
    size_t package_size = strlen(package) + 1, name_size = (size_t)name.len + 1;
    size_t version_size = whole ? 0 : (size_t)version.len + 1;
    char *texts = piw_zalloc(package_size + name_size + version_size);
    memcpy(texts, package, package_size);
    memcpy(texts + package_size, name.s, name.len);
    if (!whole)
        memcpy(texts + package_size + name_size, version.s, version.len);
    to->action = action;
    to->texts = texts;
    to->name = texts + package_size;
    to->version = whole ? NULL : texts + package_size + name_size;
}

bool gazer_order_add(gazer_order *order, const gazer_event *event)
{
    if (event->serial <= order->low || was_seen(order, event->serial)) {
        /* An event that was applied before still counts as a later event, and as progress. */
        if (event->serial > order->newest)
            order->newest = event->serial;
        if (event->time_s > order->newest_s && event->time_s <= TIME_MAX_S)
            order->newest_s = event->time_s;
        return false;
    }
    note_seen(order, event->serial);
    order->unsorted = true;
    if (order->count == order->size) {
        order->size = order->size == 0 ? 1024 : order->size * 2;
        order->events = piw_realloc(order->events, order->size * sizeof(*order->events));
    }
    waiting *to = &order->events[order->count++];
    *to = (waiting){.time_s = event->time_s, .serial = event->serial};
    if (to->time_s < 0 || to->time_s > TIME_MAX_S) {
        say_odd(order, event, "its time is out of range");
        to->time_s = 0;
    } else {
        take_texts(order, event, to);
    }
    if (event->serial > order->newest)
        order->newest = event->serial;
    if (to->time_s > order->newest_s)
        order->newest_s = to->time_s;
    return true;
}

int64_t gazer_order_from(const gazer_order *order, bool caught_up)
{
    return caught_up ? order->low : order->newest;
}

bool gazer_order_waits(const gazer_order *order, bool caught_up)
{
    return !caught_up && order->newest < GAZER_ORDERED_FROM && order->count < GAZER_EVENTS_MAX;
}

static int by_time(const void *a, const void *b)
{
    const waiting *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Move what is old enough to `ready`, behind what is there. */
static void ripen(gazer_order *self)
{
    if (self->count > 1)
        qsort(self->events, self->count, sizeof(*self->events), by_time);
    self->unsorted = false;
    size_t old_enough = 0;
    int64_t low = self->newest;
    while (old_enough < self->count && self->events[old_enough].time_s <= self->newest_s - GAZER_WINDOW_S)
        old_enough++;
    for (size_t i = old_enough; i < self->count; i++)
        if (self->events[i].serial <= low)
            low = self->events[i].serial - 1;
    size_t left = self->ready_count - self->next;
    waiting *ready = piw_alloc((left + old_enough + 1) * sizeof(*ready));
    if (left > 0)
        memcpy(ready, self->ready + self->next, left * sizeof(*ready));
    free(self->ready);
    self->ready = ready;
    self->ready_count = left;
    self->next = 0;
    for (size_t i = 0; i < old_enough; i++)
        if (self->events[i].action != NULL)
            self->ready[self->ready_count++] = self->events[i];
    if (old_enough > 0)
        memmove(self->events, self->events + old_enough, (self->count - old_enough) * sizeof(*self->events));
    self->count -= old_enough;
    if (low > self->low) {
        self->low = low;
        forget_seen(self, low);
    }
}

/* The highest serial of which all up to it is in the database once the events of `ready` before `end` are. */
static int64_t covered(const gazer_order *self, size_t end)
{
    int64_t serial = self->low;
    for (size_t i = end; i < self->ready_count; i++)
        if (self->ready[i].serial <= serial)
            serial = self->ready[i].serial - 1;
    return serial > self->stored ? serial : self->stored;
}

/* Behind the batches that are under way. */
static size_t next_batch(const gazer_order *self)
{
    size_t at = self->next;
    for (uint32_t i = 0; i < self->under_way_count; i++)
        at += self->under_way[i].count;
    return at;
}

bool gazer_order_ahead(gazer_order *order, uint32_t count)
{
    if (order->unsorted)
        ripen(order);
    return order->ready_count - next_batch(order) >= count;
}

piw_msg *gazer_order_batch(gazer_order *order, uint32_t max, bool development)
{
    assert(order->under_way_count < GAZER_UNDER_WAY);
    if (next_batch(order) == order->ready_count)
        ripen(order);
    size_t from = next_batch(order), count = order->ready_count - from;
    if (count > max)
        count = max;
    int64_t serial = covered(order, from + count);
    if (count == 0 && serial == order->stored)
        return NULL;
    db_PYPI_APPLY *body;
    piw_msg *msg = db_PYPI_APPLY_new(&body);
    body->serial = serial;
    body->development = development;
    int64_t *numbers = piw_msg_alloc(msg, 2 * sizeof(*numbers));
    numbers[1] = order->number++;
    numbers[0] = order->number;
    body->number = &numbers[0];
    body->after = order->under_way_count > 0 ? &numbers[1] : NULL;
    order->under_way[order->under_way_count++] = (batch){count, serial};
    piw_msg_list(msg, &body->events, count);
    for (size_t i = 0; i < count; i++) {
        const waiting *event = &order->ready[from + i];
        body->events.at[i] = (pypi_event){.package = piw_msg_textz(msg, event->texts),
                                          .name = piw_msg_textz(msg, event->name),
                                          .version = piw_msg_textz(msg, event->version),
                                          .timestamp = {event->time_s * 1000000, 0},
                                          .action = piw_msg_textz(msg, event->action),
                                          .serial = event->serial};
    }
    return msg;
}

void gazer_order_confirm(gazer_order *order)
{
    assert(order->under_way_count > 0);
    const batch first = order->under_way[0];
    for (size_t i = 0; i < first.count; i++) {
        free(order->ready[order->next + i].texts);
        order->ready[order->next + i].texts = NULL;
    }
    if (first.count > 0)
        order->applied_s = order->ready[order->next + first.count - 1].time_s;
    order->applied += first.count;
    order->next += first.count;
    order->stored = first.serial;
    order->under_way_count--;
    memmove(order->under_way, order->under_way + 1, order->under_way_count * sizeof(*order->under_way));
}

void gazer_order_take_back(gazer_order *order, uint32_t kept)
{
    if (order->under_way_count > kept)
        order->under_way_count = kept;
}

gazer_progress gazer_order_progress(const gazer_order *order)
{
    return (gazer_progress){.serial = order->newest,
                            .stored = order->stored,
                            .waiting = order->count + order->ready_count - order->next,
                            .applied = order->applied,
                            .applied_s = order->applied_s};
}
