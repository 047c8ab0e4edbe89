/* offers.h — what there is to build: a window of the build queue per ABI, and the versions that may not be given out
 * now.
 *
 * Plain data of one thread, without a task around it. A version that was given out is under a driver_embargo until
 * it may be given out again: the embargo is found by package, version and ABI, and belongs to the driver_offers.
 * Taking the next build looks at each window entry once, so its cost doesn't grow with the window or the farm; only
 * entries that are kept for other slaves are looked at again. */
#ifndef SLAVE_DRIVER_OFFERS_H
#define SLAVE_DRIVER_OFFERS_H

#include "builds.piw.h"
#include "shared/table.h"
#include "slave_driver.piw.h"

typedef struct driver_offers driver_offers;
struct driver_abi;

/* Why a version isn't given out. The numbers stand in saved state. */
enum {
    DRIVER_EMBARGO_OUT = 0,       /* a slave has it; who calls driver_offers_end() ends that */
    DRIVER_EMBARGO_RECORDED = 1,  /* its build is recorded; a window asked for before until_ns may still name it */
    DRIVER_EMBARGO_SKIPPED = 2,   /* thrown away; not to be given out before until_ns */
    DRIVER_EMBARGO_RETURNED = 3,  /* came back unbuilt at until_ns: the next to be given out */
    DRIVER_EMBARGO_CLAIMABLE = 4, /* under way when the master died: its slave may claim it before until_ns */
    DRIVER_EMBARGO_RESTING = 5,   /* failed because of its slave: after until_ns, rather by another slave */
    DRIVER_EMBARGO_SEALED = 6,    /* sealed by whoever was here before: that it has no row yet was said at until_ns */
};

typedef struct driver_embargo {
    piw_table_node node;
    struct driver_abi *abi;
    struct driver_embargo *next; /* in its ABI's list of recorded or returned ones */
    /* What a swap keeps, and which version of what: who had it counts of CLAIMABLE and RESTING, and where that slave was of
     * CLAIMABLE (empty: not known). The texts are ours, but for the ABI's. */
    driver_hold saved;
    const char *failing;      /* why it failed for its slave's sake, as it seemed; static, or NULL; not saved */
    int64_t failing_since_ns; /* when for the first time */
    bool rested;              /* of RESTING: until_ns has passed, the window shows it again; not saved */
} driver_embargo;

driver_offers *driver_offers_new(void);
void driver_offers_free(driver_offers **builds);

/* The head of an ABI's build queue, whole, as it stood at as_of_ns (proto/builds.piw). Texts are copied. */
void driver_offers_window(driver_offers *builds, piw_text abi_tag, int64_t as_of_ns, int64_t total,
                          const build_ref *list, uint32_t count);
/* The window that has just come has all that may be given out now: a larger one would have no more. */
void driver_offers_whole(driver_offers *builds, piw_text abi_tag);
/* The next version for an ABI, now under DRIVER_EMBARGO_OUT; NULL when there is none. `others`: there are more
 * slaves of the ABI, so that what failed for this one's sake waits a while for them. */
driver_embargo *driver_offers_take(driver_offers *builds, piw_text abi_tag, int64_t slave_id, bool others);
/* Has a window of the ABI come? */
bool driver_offers_shown(const driver_offers *builds, piw_text abi_tag);
/* Has the ABI's build queue more than its window shows? */
bool driver_offers_more(const driver_offers *builds, piw_text abi_tag);
/* How many builds the ABI's window should have so that `spare` of them can be given out, when it has less than half of
 * those left and the queue has more; 0 when it is well, or was said to lack them since it came. */
int64_t driver_offers_lack(driver_offers *builds, piw_text abi_tag, int64_t spare);
/* Are any of the ABI's versions resting? Only then driver_offers_take wants to know of others. */
bool driver_offers_rest(const driver_offers *builds, piw_text abi_tag);
/* Nothing of the ABI is to be given out for a while. */
void driver_offers_pause(driver_offers *builds, piw_text abi_tag, int64_t until_ns);
bool driver_offers_paused(const driver_offers *builds, piw_text abi_tag, int64_t now_ns);
/* The version is no longer out: `kind` is one of the others and until_ns as said there. Sets *embargo to NULL. */
void driver_offers_end(driver_offers *builds, driver_embargo **embargo, int kind, int64_t until_ns);
/* The version is wanted no more: forgotten, also by its window. Sets *embargo to NULL. */
void driver_offers_drop(driver_offers *builds, driver_embargo **embargo);
/* The version's build is sealed, as is known now: it is kept back, unless a slave has it or it rests. */
void driver_offers_seal(driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version, int64_t now_ns);
/* Those that were known to be sealed before now, and aren't any more, have a row, or never will. */
void driver_offers_unseal(driver_offers *builds, int64_t now_ns);
/* Are any sealed? */
bool driver_offers_sealed(const driver_offers *builds);
/* Windows from before now, those that are still to come too, say nothing. */
void driver_offers_stale(driver_offers *builds, int64_t now_ns);
/* A package (version.s NULL) or version was removed: no window names it any more. Embargoes that are out stay. */
void driver_offers_removed(driver_offers *builds, piw_text package, piw_text version);
/* Versions that rest may be given out at once (an operator wants them tried again), still rather to other slaves: of a
 * package, or one version. */
void driver_offers_retry(driver_offers *builds, piw_text package, piw_text version, int64_t now_ns);
/* Let go what was skipped, rested, or was not claimed, and whose time has come. Call about once a second. */
void driver_offers_sweep(driver_offers *builds, int64_t now_ns);

/* How many versions of an ABI's build queue are neither given out nor resting nor recorded since the window was
 * read. Looks at every embargo. */
int64_t driver_offers_pending(const driver_offers *builds, const struct driver_abi *abi);

/* For saving: ABIs with their windows, and all embargoes (an entry under one is passed over when it is loaded). */
struct driver_abi *driver_offers_next_abi(const driver_offers *builds, const struct driver_abi *abi);
typedef struct driver_abi_view {
    piw_text abi_tag;
    int64_t as_of_ns, total;
    const build_ref *list; /* entries with an empty package are removed ones */
    uint32_t count;
} driver_abi_view;
driver_abi_view driver_offers_view(const struct driver_abi *abi);
driver_embargo *driver_offers_next_embargo(const driver_offers *builds, const driver_embargo *embargo);
/* An embargo as it was saved, unless the version is under one already. */
void driver_offers_restore(driver_offers *builds, const driver_hold *saved);
driver_embargo *driver_offers_find(const driver_offers *builds, piw_text abi_tag, piw_text package, piw_text version);

#endif
