/* batches.c — log entries in batches, each of one table, oldest first. */
#include "batches.h"

#include "shared/web_log.h"

#include <stdlib.h>
#include <sys/random.h>

enum { ROOM_FIRST = 16, ROOM_TIMES = 4 };

/* --- One batch: its message, whatever its kind ------------------------------------------------------------------ */

typedef struct entries {
    int64_t *sender, *number;
    uint32_t *count;
    void **at;
    size_t size;
} entries;

#define RECORDS_OF(body)                                                                                               \
    (entries)                                                                                                          \
    {                                                                                                                  \
        &(body)->sender, &(body)->number, &(body)->records.count, (void **)&(body)->records.at,                        \
            sizeof(*(body)->records.at)                                                                                \
    }

static entries entries_of(const batch *b)
{
    void *body = piw_msg_any_body(b->msg);
    switch (b->kind) {
    case KIND_DOWNLOAD:
        return RECORDS_OF((db_LOGDOWNLOADS *)body);
    case KIND_SEARCH:
        return RECORDS_OF((db_LOGSEARCHES *)body);
    case KIND_PROJECT:
        return RECORDS_OF((db_LOGPROJECTS *)body);
    case KIND_JSON:
        return RECORDS_OF((db_LOGJSONS *)body);
    default:
        return RECORDS_OF((db_LOGPAGES *)body);
    }
}

static const piw_msg_type *type_of(log_kind kind)
{
    switch (kind) {
    case KIND_DOWNLOAD:
        return db_LOGDOWNLOADS_type();
    case KIND_SEARCH:
        return db_LOGSEARCHES_type();
    case KIND_PROJECT:
        return db_LOGPROJECTS_type();
    case KIND_JSON:
        return db_LOGJSONS_type();
    default:
        return db_LOGPAGES_type();
    }
}

static batch *batch_new(log_kind kind, uint32_t room)
{
    batch *b = piw_zalloc(sizeof(*b));
    *b = (batch){.msg = piw_msg_new(type_of(kind)), .room = room, .kind = kind};
    entries r = entries_of(b);
    *r.at = piw_msg_alloc(b->msg, room * r.size);
    return b;
}

static void batch_free(batch *b)
{
    piw_msg_free(&b->msg);
    free(b);
}

uint32_t batch_count(const batch *b)
{
    return *entries_of(b).count;
}

/* Room for one more, zeroed. What it had before stays in the arena: a third of it at most. */
static void *new_record(batch *b)
{
    entries r = entries_of(b);
    if (*r.count == b->room) {
        uint32_t room = b->room * ROOM_TIMES < BATCH_MAX ? b->room * ROOM_TIMES : BATCH_MAX;
        void *moved = piw_msg_alloc(b->msg, room * r.size);
        memcpy(moved, *r.at, b->room * r.size);
        *r.at = moved;
        b->room = room;
    }
    return (uint8_t *)*r.at + (*r.count)++ * r.size;
}

/* --- Entries, cut to their columns ------------------------------------------------------------------------------- */

static piw_text keep(piw_msg *msg, piw_text text, uint32_t chars)
{
    return text.s == NULL ? text : piw_msg_text(msg, text.s, piw_log_prefix(text, chars));
}

static piw_text fact(piw_msg *msg, piw_text text)
{
    return keep(msg, text, PIW_LOG_FACT_MAX);
}

/* What a download and a search say alike: when, and who asked. */
/* clang-format off */
#define KEEP_FACTS(msg, from)                                                                                          \
    .host = keep((msg), piw_log_host((from)->host), PIW_LOG_FACT_MAX),                                                 \
    .timestamp = (from)->timestamp,                                                                                    \
    .arch = fact((msg), (from)->arch),                                                                                 \
    .distro_name = fact((msg), (from)->distro_name),                                                                   \
    .distro_version = fact((msg), (from)->distro_version),                                                             \
    .os_name = fact((msg), (from)->os_name),                                                                           \
    .os_version = fact((msg), (from)->os_version),                                                                     \
    .py_name = fact((msg), (from)->py_name),                                                                           \
    .py_version = fact((msg), (from)->py_version),                                                                     \
    .installer_name = keep((msg), (from)->installer_name, PIW_LOG_INSTALLER_NAME_MAX),                                 \
    .installer_version = fact((msg), (from)->installer_version),                                                       \
    .setuptools_version = fact((msg), (from)->setuptools_version)
/* clang-format on */

static void put_download(batch *b, const download *from)
{
    piw_msg *msg = b->msg;
    download *to = new_record(b);
    *to = (download){.filename = keep(msg, from->filename, PIW_LOG_FILENAME_MAX), KEEP_FACTS(msg, from)};
}

static void put_search(batch *b, const search *from)
{
    piw_msg *msg = b->msg;
    search *to = new_record(b);
    *to = (search){.package = keep(msg, from->package, PIW_LOG_PACKAGE_MAX), KEEP_FACTS(msg, from)};
}

static void put_hit(batch *b, const hit *from)
{
    piw_msg *msg = b->msg;
    hit *to = new_record(b);
    *to = (hit){.subject = keep(msg, from->subject, b->kind == KIND_PAGE ? PIW_LOG_PAGE_MAX : PIW_LOG_PACKAGE_MAX),
                .host = keep(msg, piw_log_host(from->host), PIW_LOG_FACT_MAX),
                .timestamp = from->timestamp,
                .user_agent = piw_log_agent(msg, from->user_agent)};
}

static void put(batch *b, const void *entry)
{
    if (b->kind == KIND_DOWNLOAD)
        put_download(b, entry);
    else if (b->kind == KIND_SEARCH)
        put_search(b, entry);
    else
        put_hit(b, entry);
}

/* --- All of them -------------------------------------------------------------------------------------------------- */

static void append(batches *all, batch *b)
{
    *all->last = b;
    all->last = &b->next;
}

static bool add(batches *all, log_kind kind, const void *entry)
{
    batch *b = all->filling[kind];
    if (b == NULL) {
        b = all->filling[kind] = batch_new(kind, ROOM_FIRST);
        append(all, b);
    }
    put(b, entry);
    all->kept++;
    if (batch_count(b) < BATCH_MAX)
        return false;
    all->filling[kind] = NULL;
    return true;
}

bool batches_add_download(batches *all, const download *entry)
{
    return add(all, KIND_DOWNLOAD, entry);
}

bool batches_add_search(batches *all, const search *entry)
{
    return add(all, KIND_SEARCH, entry);
}

bool batches_add_hit(batches *all, log_kind kind, const hit *entry)
{
    return add(all, kind, entry);
}

void batches_close(batches *all)
{
    memset(all->filling, 0, sizeof(all->filling));
}

batch *batches_next(batches *all, bool last_words)
{
    for (batch *b = all->first; b != NULL; b = b->next) {
        if (b->sent || b == all->filling[b->kind])
            continue;
        if (!last_words && all->under_way > 0 && all->under_way + batch_count(b) > UNDER_WAY_MAX)
            return NULL;
        if (b->number == 0)
            b->number = ++all->last_number;
        *entries_of(b).sender = all->sender;
        *entries_of(b).number = b->number;
        return b;
    }
    return NULL;
}

void batches_sent(batches *all, batch *b, bool sent)
{
    if (b->sent == sent)
        return;
    b->sent = sent;
    all->under_way = sent ? all->under_way + batch_count(b) : all->under_way - batch_count(b);
}

batch *batches_find(const batches *all, int64_t number)
{
    batch *b = all->first;
    while (b != NULL && b->number != number)
        b = b->next;
    return b;
}

static void take_out(batches *all, const batch *b)
{
    batch **at = &all->first;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    if (all->last == &b->next)
        all->last = at;
}

void batches_end(batches *all, batch *b)
{
    batches_sent(all, b, false);
    take_out(all, b);
    all->kept -= batch_count(b);
    batch_free(b);
}

void batches_split(batches *all, batch *b)
{
    batches_sent(all, b, false);
    entries from = entries_of(b);
    uint32_t half = *from.count / 2;
    batch *parts[] = {batch_new(b->kind, half), batch_new(b->kind, *from.count - half)};
    for (uint32_t i = 0; i < *from.count; i++)
        put(parts[i < half ? 0 : 1], (const uint8_t *)*from.at + i * from.size);
    take_out(all, b);
    batch_free(b);
    parts[0]->next = parts[1];
    parts[1]->next = all->first;
    if (all->first == NULL)
        all->last = &parts[1]->next;
    all->first = parts[0];
}

void batch_print(const batch *b, char *to, size_t size)
{
    piw_msg_print(b->msg, to, size);
}

/* --- Life --------------------------------------------------------------------------------------------------------- */

/* Unique among a database's senders: by chance, or by the clock where there is none. */
static int64_t new_sender(void)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = (uint64_t)piw_time_now().us;
    return (int64_t)(number >> 1);
}

static void load(batches *all, const lumberjack_batch *kept)
{
    batch *b = batch_new((log_kind)kept->kind, BATCH_MAX);
    for (uint32_t i = 0; i < kept->downloads.count; i++)
        put(b, &kept->downloads.at[i]);
    for (uint32_t i = 0; i < kept->searches.count; i++)
        put(b, &kept->searches.at[i]);
    for (uint32_t i = 0; i < kept->hits.count; i++)
        put(b, &kept->hits.at[i]);
    b->number = kept->number;
    append(all, b);
    all->kept += batch_count(b);
    batches_sent(all, b, kept->sent);
}

void batches_init(batches *all, const lumberjack_state *kept)
{
    *all = (batches){.sender = kept != NULL ? kept->sender : new_sender(),
                     .last_number = kept != NULL ? kept->last_number : 0};
    all->last = &all->first;
    for (uint32_t i = 0; kept != NULL && i < kept->batches.count; i++)
        if (kept->batches.at[i].kind >= 0 && kept->batches.at[i].kind < KINDS)
            load(all, &kept->batches.at[i]);
}

void batches_fini(batches *all)
{
    for (batch *b = all->first; b != NULL;) {
        batch *next = b->next;
        batch_free(b);
        b = next;
    }
    *all = (batches){0};
}

static void save(piw_msg *state, const batch *b, lumberjack_batch *to)
{
    *to = (lumberjack_batch){.kind = b->kind, .number = b->number, .sent = b->sent};
    const piw_type *list = type_of(b->kind)->body->fields[2].type;
    void *lists[KINDS] = {&to->downloads, &to->searches, &to->hits, &to->hits, &to->hits};
    piw_value_copy(state, list, (const uint8_t *)piw_msg_any_body(b->msg) + type_of(b->kind)->body->fields[2].offset,
                   lists[b->kind]);
}

piw_msg *batches_save(const batches *all, bool paused)
{
    lumberjack_state *body = NULL;
    piw_msg *state = lumberjack_state_new(&body);
    uint32_t count = 0;
    for (const batch *b = all->first; b != NULL; b = b->next)
        count++;
    piw_msg_list(state, &body->batches, count);
    count = 0;
    for (const batch *b = all->first; b != NULL; b = b->next)
        save(state, b, &body->batches.at[count++]);
    body->sender = all->sender;
    body->last_number = all->last_number;
    body->paused = paused;
    return state;
}
