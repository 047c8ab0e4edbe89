#include "slave_driver/offers.h"

#include "piw/err.h"

#include <stdlib.h>

enum { PREFER_OTHERS_S = 600 /* a version that rested waits so long for another slave than its last */ };

/* A list that is appended at the end and taken from its head. */
typedef struct hold_list {
    driver_hold_ref *first;
    driver_hold_ref **end;
} hold_list;

struct driver_abi {
    struct driver_abi *next;
    piw_text abi_tag;
    int64_t as_of_ns, total;
    build_ref *list;
    char *texts; /* the bytes that list points to */
    uint32_t count;
    uint32_t cursor;  /* entries before it are held, or were removed */
    uint32_t resting; /* how many holds of it rest */
    int64_t paused_until_ns;
    hold_list recorded;
    hold_list returned;
};

struct driver_offers {
    struct driver_abi *abis; /* a farm has a handful: a list does */
    piw_table holds;
    uint64_t seed;
};

typedef struct hold_key {
    const struct driver_abi *abi;
    piw_text package, version;
} hold_key;

driver_offers *driver_offers_new(void)
{
    driver_offers *builds = piw_zalloc(sizeof(*builds));
    builds->seed = piw_table_seed();
    return builds;
}

static void free_window(struct driver_abi *abi)
{
    free(abi->list);
    free(abi->texts);
    abi->list = NULL;
    abi->texts = NULL;
    abi->count = abi->cursor = 0;
}

void driver_offers_free(driver_offers **builds)
{
    driver_offers *self = *builds;
    if (self == NULL)
        return;
    piw_table_node *node = piw_table_next(&self->holds, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&self->holds, node);
        free(PIW_TABLE_ENTRY(node, driver_hold_ref, node));
        node = next;
    }
    piw_table_fini(&self->holds);
    while (self->abis != NULL) {
        struct driver_abi *abi = self->abis;
        self->abis = abi->next;
        free_window(abi);
        free((char *)abi->abi_tag.s);
        free(abi);
    }
    free(self);
    *builds = NULL;
}

static struct driver_abi *find_abi(const driver_offers *builds, piw_text abi_tag)
{
    struct driver_abi *abi = builds->abis;
    while (abi != NULL && !piw_text_eq(abi->abi_tag, abi_tag))
        abi = abi->next;
    return abi;
}

static struct driver_abi *need_abi(driver_offers *builds, piw_text abi_tag)
{
    struct driver_abi *abi = find_abi(builds, abi_tag);
    if (abi != NULL)
        return abi;
    abi = piw_zalloc(sizeof(*abi));
    abi->abi_tag = (piw_text){piw_strndup(abi_tag.s, abi_tag.len), abi_tag.len};
    abi->recorded.end = &abi->recorded.first;
    abi->returned.end = &abi->returned.first;
    abi->next = builds->abis;
    builds->abis = abi;
    return abi;
}

static void list_add(hold_list *list, driver_hold_ref *hold)
{
    hold->next = NULL;
    *list->end = hold;
    list->end = &hold->next;
}

static driver_hold_ref *list_take(hold_list *list)
{
    driver_hold_ref *hold = list->first;
    if (hold != NULL) {
        list->first = hold->next;
        if (list->first == NULL)
            list->end = &list->first;
        hold->next = NULL;
    }
    return hold;
}

static void list_unlink(hold_list *list, driver_hold_ref *hold)
{
    driver_hold_ref **at = &list->first;
    while (*at != hold)
        at = &(*at)->next;
    *at = hold->next;
    if (*at == NULL)
        list->end = at;
    hold->next = NULL;
}

/* --- holds -------------------------------------------------------------------------------------------------------- */

static bool hold_matches(const piw_table_node *node, const void *arg)
{
    const hold_key *key = arg;
    const driver_hold_ref *hold = PIW_TABLE_ENTRY(node, const driver_hold_ref, node);
    return hold->abi == key->abi && piw_text_eq(hold->version, key->version) &&
           piw_text_eq(hold->package, key->package);
}

static uint64_t hold_hash(const driver_offers *builds, const hold_key *key)
{
    uint64_t hash = piw_table_hash(builds->seed, &key->abi, sizeof(key->abi));
    hash = piw_table_hash(hash, key->package.s, key->package.len);
    return piw_table_hash(hash, key->version.s, key->version.len);
}

static driver_hold_ref *find_hold(const driver_offers *builds, const hold_key *key)
{
    piw_table_node *node = piw_table_find(&builds->holds, hold_hash(builds, key), hold_matches, key);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_hold_ref, node) : NULL;
}

static driver_hold_ref *add_hold(driver_offers *builds, struct driver_abi *abi, const hold_key *key, int kind,
                                 int64_t until_ns)
{
    driver_hold_ref *hold = piw_zalloc(sizeof(*hold) + (size_t)key->package.len + key->version.len + 2);
    char *package = (char *)(hold + 1);
    char *version = package + key->package.len + 1;
    memcpy(package, key->package.s, key->package.len);
    memcpy(version, key->version.s, key->version.len);
    hold->package = (piw_text){package, key->package.len};
    hold->version = (piw_text){version, key->version.len};
    hold->abi = abi;
    hold->kind = kind;
    hold->until_ns = until_ns;
    piw_table_add(&builds->holds, &hold->node, hold_hash(builds, key));
    return hold;
}

static void set_kind(driver_hold_ref *hold, int kind)
{
    hold->abi->resting -= hold->kind == DRIVER_HOLD_RESTING ? 1 : 0;
    hold->abi->resting += kind == DRIVER_HOLD_RESTING ? 1 : 0;
    hold->kind = kind;
}

static void forget(driver_offers *builds, driver_hold_ref *hold)
{
    set_kind(hold, DRIVER_HOLD_OUT);
    piw_table_remove(&builds->holds, &hold->node);
    free(hold);
}

static void forget_listed(driver_offers *builds, hold_list *list, int64_t before_ns)
{
    while (list->first != NULL && list->first->until_ns < before_ns)
        forget(builds, list_take(list));
}

static void enlist(driver_hold_ref *hold)
{
    if (hold->kind == DRIVER_HOLD_RECORDED)
        list_add(&hold->abi->recorded, hold);
    else if (hold->kind == DRIVER_HOLD_RETURNED)
        list_add(&hold->abi->returned, hold);
}

void driver_offers_end(driver_offers *builds, driver_hold_ref **hold, int kind, int64_t until_ns)
{
    (void)builds;
    set_kind(*hold, kind);
    (*hold)->until_ns = until_ns;
    (*hold)->ripe = false;
    enlist(*hold);
    *hold = NULL;
}

void driver_offers_drop(driver_offers *builds, driver_hold_ref **hold)
{
    driver_offers_removed(builds, (*hold)->package, (*hold)->version);
    forget(builds, *hold);
    *hold = NULL;
}

driver_hold_ref *driver_offers_find(const driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version)
{
    hold_key key = {find_abi(builds, abi_tag), package, version};
    return key.abi != NULL ? find_hold(builds, &key) : NULL;
}

driver_hold_ref *driver_offers_restore(driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version,
                                       int kind, int64_t until_ns)
{
    struct driver_abi *abi = need_abi(builds, abi_tag);
    hold_key key = {abi, package, version};
    if (find_hold(builds, &key) != NULL)
        return NULL;
    driver_hold_ref *hold = add_hold(builds, abi, &key, DRIVER_HOLD_OUT, until_ns);
    set_kind(hold, kind);
    enlist(hold);
    return hold;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

static void copy_window(struct driver_abi *abi, const build_ref *list, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += (size_t)list[i].package.len + list[i].version.len + 2;
    abi->list = piw_zalloc((count + 1) * sizeof(*abi->list));
    abi->texts = piw_zalloc(bytes + 1);
    char *to = abi->texts;
    for (uint32_t i = 0; i < count; i++) {
        const piw_text from[2] = {list[i].package, list[i].version};
        piw_text *texts[2] = {&abi->list[i].package, &abi->list[i].version};
        for (int part = 0; part < 2; part++) {
            if (from[part].len > 0)
                memcpy(to, from[part].s, from[part].len);
            *texts[part] = (piw_text){to, from[part].len};
            to += from[part].len + 1;
        }
    }
    abi->count = count;
}

void driver_offers_window(driver_offers *builds, piw_text abi_tag, int64_t as_of_ns, int64_t total,
                          const build_ref *list, uint32_t count)
{
    struct driver_abi *abi = need_abi(builds, abi_tag);
    free_window(abi);
    copy_window(abi, list, count);
    abi->as_of_ns = as_of_ns;
    abi->total = total;
    /* This window was asked for after these builds were committed or came back: it tells the truth about them. */
    forget_listed(builds, &abi->recorded, as_of_ns);
    forget_listed(builds, &abi->returned, as_of_ns);
}

/* May a version that rested be given to this slave now? */
static bool rested_for(const driver_hold_ref *hold, int64_t slave_id, bool others)
{
    return hold->kind == DRIVER_HOLD_RESTING && hold->ripe && (!others || hold->slave_id != slave_id);
}

driver_hold_ref *driver_offers_take(driver_offers *builds, piw_text abi_tag, int64_t slave_id, bool others)
{
    struct driver_abi *abi = find_abi(builds, abi_tag);
    if (abi == NULL)
        return NULL;
    driver_hold_ref *hold = list_take(&abi->returned);
    if (hold != NULL) {
        hold->kind = DRIVER_HOLD_OUT;
        return hold;
    }
    for (uint32_t i = abi->cursor; i < abi->count; i++) {
        const build_ref *entry = &abi->list[i];
        hold_key key = {abi, entry->package, entry->version};
        hold = entry->package.len > 0 ? find_hold(builds, &key) : NULL;
        bool free_entry = entry->package.len > 0 && hold == NULL;
        bool for_others = hold != NULL && hold->kind == DRIVER_HOLD_RESTING && hold->ripe;
        if (hold != NULL && rested_for(hold, slave_id, others)) {
            set_kind(hold, DRIVER_HOLD_OUT);
            return hold;
        }
        if (i == abi->cursor && !for_others)
            abi->cursor++;
        if (free_entry)
            return add_hold(builds, abi, &key, DRIVER_HOLD_OUT, 0);
    }
    return NULL;
}

bool driver_offers_rest(const driver_offers *builds, piw_text abi_tag)
{
    const struct driver_abi *abi = find_abi(builds, abi_tag);
    return abi != NULL && abi->resting > 0;
}

void driver_offers_pause(driver_offers *builds, piw_text abi_tag, int64_t until_ns)
{
    need_abi(builds, abi_tag)->paused_until_ns = until_ns;
}

bool driver_offers_paused(const driver_offers *builds, piw_text abi_tag, int64_t now_ns)
{
    const struct driver_abi *abi = find_abi(builds, abi_tag);
    return abi != NULL && now_ns < abi->paused_until_ns;
}

static bool concerns(piw_text package, piw_text version, piw_text of_package, piw_text of_version)
{
    return piw_text_eq(package, of_package) && (version.s == NULL || piw_text_eq(version, of_version));
}

void driver_offers_removed(driver_offers *builds, piw_text package, piw_text version)
{
    for (struct driver_abi *abi = builds->abis; abi != NULL; abi = abi->next) {
        for (uint32_t i = 0; i < abi->count; i++)
            if (concerns(package, version, abi->list[i].package, abi->list[i].version))
                abi->list[i].package.len = 0;
        driver_hold_ref *next;
        for (driver_hold_ref *hold = abi->returned.first; hold != NULL; hold = next) {
            next = hold->next;
            if (concerns(package, version, hold->package, hold->version)) {
                list_unlink(&abi->returned, hold);
                forget(builds, hold);
            }
        }
    }
}

void driver_offers_retry(driver_offers *builds, piw_text package, piw_text version, int64_t now_ns)
{
    driver_hold_ref *hold = NULL;
    while ((hold = driver_offers_next_hold(builds, hold)) != NULL)
        if (hold->kind == DRIVER_HOLD_RESTING && concerns(package, version, hold->package, hold->version))
            hold->until_ns = now_ns;
}

/* The window may have gone past this one: look at all entries again; those still held are passed over. */
static void show_again(driver_hold_ref *hold)
{
    hold->abi->cursor = 0;
}

/* What rested is kept for another slave first, then it is like any other. */
static void sweep_resting(driver_offers *builds, driver_hold_ref *hold, int64_t now_ns)
{
    if (hold->until_ns + PREFER_OTHERS_S * INT64_C(1000000000) <= now_ns) {
        show_again(hold);
        forget(builds, hold);
    } else if (hold->until_ns <= now_ns && !hold->ripe) {
        show_again(hold);
        hold->ripe = true;
    }
}

void driver_offers_sweep(driver_offers *builds, int64_t now_ns)
{
    piw_table_node *node = piw_table_next(&builds->holds, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&builds->holds, node);
        driver_hold_ref *hold = PIW_TABLE_ENTRY(node, driver_hold_ref, node);
        bool rests = hold->kind == DRIVER_HOLD_SKIPPED || hold->kind == DRIVER_HOLD_CLAIMABLE;
        if (rests && hold->until_ns <= now_ns) {
            show_again(hold);
            forget(builds, hold);
        } else if (hold->kind == DRIVER_HOLD_RESTING) {
            sweep_resting(builds, hold, now_ns);
        }
        node = next;
    }
}

int64_t driver_offers_pending(const driver_offers *builds, const struct driver_abi *abi)
{
    int64_t pending = abi->total;
    const piw_table_node *node = NULL;
    while ((node = piw_table_next(&builds->holds, node)) != NULL) {
        const driver_hold_ref *hold = PIW_TABLE_ENTRY(node, const driver_hold_ref, node);
        bool offered = hold->kind == DRIVER_HOLD_RETURNED || hold->kind == DRIVER_HOLD_CLAIMABLE;
        pending -= hold->abi == abi && !offered;
    }
    return pending > 0 ? pending : 0;
}

/* --- for saving --------------------------------------------------------------------------------------------------- */

struct driver_abi *driver_offers_next_abi(const driver_offers *builds, const struct driver_abi *abi)
{
    return abi == NULL ? builds->abis : abi->next;
}

driver_abi_view driver_offers_view(const struct driver_abi *abi)
{
    return (driver_abi_view){.abi_tag = abi->abi_tag,
                             .as_of_ns = abi->as_of_ns,
                             .total = abi->total,
                             .list = abi->list,
                             .count = abi->count};
}

driver_hold_ref *driver_offers_next_hold(const driver_offers *builds, const driver_hold_ref *hold)
{
    piw_table_node *node = piw_table_next(&builds->holds, hold != NULL ? &hold->node : NULL);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_hold_ref, node) : NULL;
}

piw_text driver_offers_hold_abi(const driver_hold_ref *hold)
{
    return hold->abi->abi_tag;
}
