/* offers.c — what there is to build: a window of the build queue per ABI, and the versions that aren't given out
 * now. */
#include "slave_driver/offers.h"

#include "piw/err.h"

#include <stdlib.h>

enum { PREFER_OTHERS_S = 600 /* a version that rested waits so long for another slave than its last */ };

/* A list that is appended at the end and taken from its head. */
typedef struct embargo_list {
    driver_embargo *first;
    driver_embargo **end;
} embargo_list;

struct driver_abi {
    struct driver_abi *next;
    piw_text abi_tag;
    int64_t as_of_ns, total;
    build_ref *list;
    char *texts; /* the bytes that list points to */
    uint32_t count;
    uint32_t cursor;  /* entries before it are under embargo, or were removed */
    uint32_t resting; /* how many embargoes of it rest */
    uint32_t held;    /* holds of any kind: all may still stand in the queue */
    uint32_t spare;   /* entries that are neither held nor removed; holds that end meanwhile don't count */
    int64_t paused_until_ns;
    bool asked; /* a larger window was asked for since this one came */
    bool whole; /* it would have no more */
    embargo_list recorded;
    embargo_list returned;
};

struct driver_offers {
    struct driver_abi *abis; /* a farm has a handful: a list does */
    piw_table embargoes;
    uint64_t seed;
    uint32_t sealed;  /* how many embargoes are */
    int64_t stale_ns; /* windows from before then say nothing */
};

typedef struct embargo_key {
    const struct driver_abi *abi;
    piw_text package, version;
} embargo_key;

driver_offers *driver_offers_new(void)
{
    driver_offers *builds = piw_zalloc(sizeof(*builds));
    builds->seed = piw_table_seed();
    return builds;
}

static void free_embargo(driver_embargo *embargo)
{
    free((char *)embargo->saved.address.s);
    free(embargo);
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
    piw_table_node *node = piw_table_next(&self->embargoes, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&self->embargoes, node);
        free_embargo(PIW_TABLE_ENTRY(node, driver_embargo, node));
        node = next;
    }
    piw_table_fini(&self->embargoes);
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

static void list_add(embargo_list *list, driver_embargo *embargo)
{
    embargo->next = NULL;
    *list->end = embargo;
    list->end = &embargo->next;
}

static driver_embargo *list_take(embargo_list *list)
{
    driver_embargo *embargo = list->first;
    if (embargo != NULL) {
        list->first = embargo->next;
        if (list->first == NULL)
            list->end = &list->first;
        embargo->next = NULL;
    }
    return embargo;
}

static void list_unlink(embargo_list *list, driver_embargo *embargo)
{
    driver_embargo **at = &list->first;
    while (*at != embargo)
        at = &(*at)->next;
    *at = embargo->next;
    if (*at == NULL)
        list->end = at;
    embargo->next = NULL;
}

/* --- embargoes ---------------------------------------------------------------------------------------------------- */

static bool embargo_matches(const piw_table_node *node, const void *arg)
{
    const embargo_key *key = arg;
    const driver_embargo *embargo = PIW_TABLE_ENTRY(node, const driver_embargo, node);
    return embargo->abi == key->abi && piw_text_eq(embargo->saved.version, key->version) &&
           piw_text_eq(embargo->saved.package, key->package);
}

static uint64_t embargo_hash(const driver_offers *builds, const embargo_key *key)
{
    uint64_t hash = piw_table_hash(builds->seed, &key->abi, sizeof(key->abi));
    hash = piw_table_hash(hash, key->package.s, key->package.len);
    return piw_table_hash(hash, key->version.s, key->version.len);
}

static driver_embargo *find_embargo(const driver_offers *builds, const embargo_key *key)
{
    piw_table_node *node = piw_table_find(&builds->embargoes, embargo_hash(builds, key), embargo_matches, key);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_embargo, node) : NULL;
}

static void set_kind(driver_offers *builds, driver_embargo *embargo, int64_t kind)
{
    struct driver_abi *abi = embargo->abi;
    builds->sealed -= embargo->saved.kind == DRIVER_EMBARGO_SEALED;
    builds->sealed += kind == DRIVER_EMBARGO_SEALED;
    abi->resting -= embargo->saved.kind == DRIVER_EMBARGO_RESTING;
    abi->resting += kind == DRIVER_EMBARGO_RESTING;
    embargo->saved.kind = kind;
}

static driver_embargo *add_embargo(driver_offers *builds, const embargo_key *key, struct driver_abi *abi)
{
    driver_embargo *embargo = piw_zalloc(sizeof(*embargo) + (size_t)key->package.len + key->version.len + 2);
    char *package = (char *)(embargo + 1);
    char *version = package + key->package.len + 1;
    memcpy(package, key->package.s, key->package.len);
    memcpy(version, key->version.s, key->version.len);
    embargo->saved.package = (piw_text){package, key->package.len};
    embargo->saved.version = (piw_text){version, key->version.len};
    embargo->saved.abi_tag = abi->abi_tag;
    embargo->saved.kind = DRIVER_EMBARGO_OUT;
    embargo->abi = abi;
    abi->held++;
    piw_table_add(&builds->embargoes, &embargo->node, embargo_hash(builds, key));
    return embargo;
}

static void forget(driver_offers *builds, driver_embargo *embargo)
{
    set_kind(builds, embargo, DRIVER_EMBARGO_OUT);
    embargo->abi->held--;
    piw_table_remove(&builds->embargoes, &embargo->node);
    free_embargo(embargo);
}

static void forget_listed(driver_offers *builds, embargo_list *list, int64_t before_ns)
{
    while (list->first != NULL && list->first->saved.until_ns < before_ns)
        forget(builds, list_take(list));
}

static void enlist(driver_embargo *embargo)
{
    if (embargo->saved.kind == DRIVER_EMBARGO_RECORDED)
        list_add(&embargo->abi->recorded, embargo);
    else if (embargo->saved.kind == DRIVER_EMBARGO_RETURNED)
        list_add(&embargo->abi->returned, embargo);
}

void driver_offers_end(driver_offers *builds, driver_embargo **embargo, int kind, int64_t until_ns)
{
    set_kind(builds, *embargo, kind);
    (*embargo)->saved.until_ns = until_ns;
    (*embargo)->rested = false;
    enlist(*embargo);
    *embargo = NULL;
}

void driver_offers_drop(driver_offers *builds, driver_embargo **embargo)
{
    driver_offers_removed(builds, (*embargo)->saved.package, (*embargo)->saved.version);
    forget(builds, *embargo);
    *embargo = NULL;
}

driver_embargo *driver_offers_find(const driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version)
{
    embargo_key key = {find_abi(builds, abi_tag), package, version};
    return key.abi != NULL ? find_embargo(builds, &key) : NULL;
}

void driver_offers_restore(driver_offers *builds, const driver_hold *saved)
{
    struct driver_abi *abi = need_abi(builds, saved->abi_tag);
    embargo_key key = {abi, saved->package, saved->version};
    if (find_embargo(builds, &key) != NULL)
        return;
    driver_embargo *embargo = add_embargo(builds, &key, abi);
    set_kind(builds, embargo, saved->kind);
    embargo->saved.until_ns = saved->until_ns;
    embargo->saved.slave_id = saved->slave_id;
    if (saved->address.len > 0)
        embargo->saved.address = (piw_text){piw_strndup(saved->address.s, saved->address.len), saved->address.len};
    enlist(embargo);
}

void driver_offers_seal(driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version, int64_t now_ns)
{
    struct driver_abi *abi = need_abi(builds, abi_tag);
    embargo_key key = {abi, package, version};
    driver_embargo *embargo = find_embargo(builds, &key);
    if (embargo == NULL)
        embargo = add_embargo(builds, &key, abi);
    else if (embargo->saved.kind != DRIVER_EMBARGO_CLAIMABLE && embargo->saved.kind != DRIVER_EMBARGO_SEALED)
        return;
    set_kind(builds, embargo, DRIVER_EMBARGO_SEALED);
    embargo->saved.until_ns = now_ns;
}

void driver_offers_unseal(driver_offers *builds, int64_t now_ns)
{
    driver_embargo *embargo = NULL;
    while (builds->sealed > 0 && (embargo = driver_offers_next_embargo(builds, embargo)) != NULL) {
        driver_embargo *over = embargo;
        if (embargo->saved.kind == DRIVER_EMBARGO_SEALED && embargo->saved.until_ns < now_ns)
            driver_offers_end(builds, &over, DRIVER_EMBARGO_RECORDED, now_ns);
    }
}

bool driver_offers_sealed(const driver_offers *builds)
{
    return builds->sealed > 0;
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
    if (as_of_ns < builds->stale_ns)
        return;
    free_window(abi);
    copy_window(abi, list, count);
    abi->as_of_ns = as_of_ns;
    abi->total = total;
    /* This window was read after these builds were committed or came back, so it already shows what became of them. */
    forget_listed(builds, &abi->recorded, as_of_ns);
    forget_listed(builds, &abi->returned, as_of_ns);
    abi->spare = 0;
    for (uint32_t i = 0; i < abi->count; i++)
        abi->spare += find_embargo(builds, &(embargo_key){abi, abi->list[i].package, abi->list[i].version}) == NULL;
    abi->asked = abi->whole = false;
}

void driver_offers_whole(driver_offers *builds, piw_text abi_tag)
{
    need_abi(builds, abi_tag)->whole = true;
}

void driver_offers_stale(driver_offers *builds, int64_t now_ns)
{
    builds->stale_ns = now_ns;
    for (struct driver_abi *abi = builds->abis; abi != NULL; abi = abi->next) {
        free_window(abi);
        abi->as_of_ns = abi->total = 0;
        abi->spare = 0;
        abi->asked = abi->whole = false;
    }
}

bool driver_offers_shown(const driver_offers *builds, piw_text abi_tag)
{
    const struct driver_abi *abi = find_abi(builds, abi_tag);
    return abi != NULL && abi->as_of_ns != 0;
}

bool driver_offers_more(const driver_offers *builds, piw_text abi_tag)
{
    const struct driver_abi *abi = find_abi(builds, abi_tag);
    return abi != NULL && !abi->whole && abi->total > abi->count;
}

int64_t driver_offers_lack(driver_offers *builds, piw_text abi_tag, int64_t spare)
{
    struct driver_abi *abi = find_abi(builds, abi_tag);
    if (abi == NULL || abi->asked || abi->whole || abi->total <= abi->count || abi->spare >= spare / 2)
        return 0;
    abi->asked = true;
    return spare + abi->held;
}

/* May a version that rested be given to this slave now? */
static bool rested_for(const driver_embargo *embargo, int64_t slave_id, bool others)
{
    return embargo->saved.kind == DRIVER_EMBARGO_RESTING && embargo->rested &&
           (!others || embargo->saved.slave_id != slave_id);
}

driver_embargo *driver_offers_take(driver_offers *builds, piw_text abi_tag, int64_t slave_id, bool others)
{
    struct driver_abi *abi = find_abi(builds, abi_tag);
    if (abi == NULL)
        return NULL;
    driver_embargo *embargo = list_take(&abi->returned);
    if (embargo != NULL) {
        set_kind(builds, embargo, DRIVER_EMBARGO_OUT);
        return embargo;
    }
    for (uint32_t i = abi->cursor; i < abi->count; i++) {
        const build_ref *entry = &abi->list[i];
        embargo_key key = {abi, entry->package, entry->version};
        embargo = entry->package.len > 0 ? find_embargo(builds, &key) : NULL;
        bool free_entry = entry->package.len > 0 && embargo == NULL;
        bool for_others = embargo != NULL && embargo->saved.kind == DRIVER_EMBARGO_RESTING && embargo->rested;
        if (embargo != NULL && rested_for(embargo, slave_id, others)) {
            set_kind(builds, embargo, DRIVER_EMBARGO_OUT);
            return embargo;
        }
        if (i == abi->cursor && !for_others)
            abi->cursor++;
        abi->spare -= free_entry && abi->spare > 0;
        if (free_entry)
            return add_embargo(builds, &key, abi);
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
        driver_embargo *next;
        for (driver_embargo *embargo = abi->returned.first; embargo != NULL; embargo = next) {
            next = embargo->next;
            if (concerns(package, version, embargo->saved.package, embargo->saved.version)) {
                list_unlink(&abi->returned, embargo);
                forget(builds, embargo);
            }
        }
    }
}

void driver_offers_retry(driver_offers *builds, piw_text package, piw_text version, int64_t now_ns)
{
    driver_embargo *embargo = NULL;
    while ((embargo = driver_offers_next_embargo(builds, embargo)) != NULL)
        if (embargo->saved.kind == DRIVER_EMBARGO_RESTING &&
            concerns(package, version, embargo->saved.package, embargo->saved.version))
            embargo->saved.until_ns = now_ns;
}

/* The window may have gone past this one: look at all entries again; those still under embargo are passed over. */
static void show_again(driver_embargo *embargo)
{
    embargo->abi->cursor = 0;
}

/* What rested is kept for another slave first, then it is like any other. */
static void sweep_resting(driver_offers *builds, driver_embargo *embargo, int64_t now_ns)
{
    if (embargo->saved.until_ns + PREFER_OTHERS_S * INT64_C(1000000000) <= now_ns) {
        show_again(embargo);
        forget(builds, embargo);
    } else if (embargo->saved.until_ns <= now_ns && !embargo->rested) {
        show_again(embargo);
        embargo->rested = true;
    }
}

void driver_offers_sweep(driver_offers *builds, int64_t now_ns)
{
    piw_table_node *node = piw_table_next(&builds->embargoes, NULL);
    while (node != NULL) {
        piw_table_node *next = piw_table_next(&builds->embargoes, node);
        driver_embargo *embargo = PIW_TABLE_ENTRY(node, driver_embargo, node);
        bool rests = embargo->saved.kind == DRIVER_EMBARGO_SKIPPED || embargo->saved.kind == DRIVER_EMBARGO_CLAIMABLE;
        if (rests && embargo->saved.until_ns <= now_ns) {
            show_again(embargo);
            forget(builds, embargo);
        } else if (embargo->saved.kind == DRIVER_EMBARGO_RESTING) {
            sweep_resting(builds, embargo, now_ns);
        }
        node = next;
    }
}

int64_t driver_offers_pending(const driver_offers *builds, const struct driver_abi *abi)
{
    int64_t pending = abi->total;
    const piw_table_node *node = NULL;
    while ((node = piw_table_next(&builds->embargoes, node)) != NULL) {
        const driver_embargo *embargo = PIW_TABLE_ENTRY(node, const driver_embargo, node);
        bool offered =
            embargo->saved.kind == DRIVER_EMBARGO_RETURNED || embargo->saved.kind == DRIVER_EMBARGO_CLAIMABLE;
        pending -= embargo->abi == abi && !offered;
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

driver_embargo *driver_offers_next_embargo(const driver_offers *builds, const driver_embargo *embargo)
{
    piw_table_node *node = piw_table_next(&builds->embargoes, embargo != NULL ? &embargo->node : NULL);
    return node != NULL ? PIW_TABLE_ENTRY(node, driver_embargo, node) : NULL;
}
