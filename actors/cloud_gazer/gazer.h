/* gazer.h — inside cloud_gazer: following PyPI's log into the database (cloud_gazer.c), saying how far it is
 * (progress.c), fetching what it says of packages (descriptions.c, offers.c), and telling others of changes (spread.c). Everything belongs to the task's thread. */
#ifndef CLOUD_GAZER_GAZER_H
#define CLOUD_GAZER_GAZER_H

#include "cloud_gazer/order.h"
#include "cloud_gazer/projects.h"
#include "piw/plugin.h"
#include "shared/fetch.h"
#include "shared/table.h"

enum {
    GAZER_WAIT_MIN_MS = 10000,      /* after PyPI failed or asked us to wait, so long … */
    GAZER_WAIT_MAX_MS = 600000,     /* … growing to this */
    GAZER_WAIT_DEV_MS = 1000,       /* --dev-mode: while nobody listens there yet */
    GAZER_READ_TIMEOUT_MS = 600000, /* one reading of 50,000 events over a slow line */
    GAZER_AHEAD = 50000,            /* reading waits while so many events are read and not yet applied */
    GAZER_EARLY = 5000, /* of an answer that is still coming: after so many events it is seen what can be applied */
    GAZER_PROGRESS_MS = 10000,      /* between progress lines of a long catching up */
    GAZER_DESCRIPTIONS = 8,         /* fetched at the same time */
    GAZER_UNDESCRIBED_MAX = 200000, /* waiting at most; others get none until their next version */
    GAZER_DESCRIPTION_CHARS = 200,
};

typedef struct gazer_describer gazer_describer;

typedef struct gazer {
    piw_task *task;
    piw_fetch *http;
    gazer_order *order;   /* NULL until the database has said where it is */
    gazer_xmlrpc *parser; /* of the reading that runs */
    piw_err parse_err;
    uint64_t new_events; /* of the reading that runs */
    uint64_t early_at;   /* the database gets what is ripe of them when there are so many */
    bool caught_up;      /* the last reading brought nothing new */
    uint32_t under_way;  /* batches that are with the database, … */
    uint64_t first;      /* … the number of the first of them … */
    bool astray;         /* … and one before it has failed: its answer is only waited for */
    bool holding;        /* a timer will go on with applying, … */
    bool resting;        /* … with reading */
    bool paused;         /* the farm is */
    uint32_t batch_max;  /* halved while the database refuses a batch, to find the bad event */
    int64_t wait_ms;     /* how long the next wait after a failure is; 0: nothing has failed lately */
    int64_t poll_ms;
    piw_outage away;         /* of PyPI's log */
    piw_outage unstored;     /* of the database, which is to take what was read */
    gazer_progress progress; /* when its line was last written */
    int64_t first_s;         /* when the first event was that was applied; 0: none yet */
    int64_t begun_ns, progress_ns;
    bool was_caught_up; /* the first catching up is over */
    bool dev_mode;
    const char *xmlrpc_url;
    bool wants_wheels; /* a view's policy asks for those that PyPI has */
    struct gazer_offers *offers;
    gazer_describer *describer;
    gazer_projects *projects; /* follows, or compares only */
    struct gazer_left *left;  /* looks after projects that left the list; projects.c makes and frees it */
    bool follows_list;
    bool located;       /* the database has said where it is */
    int64_t current_at; /* when a look last found all of it applied, Unix time; 0: not yet */
} gazer;

/* --- spread.c --- */
/* Where the following is: what is stored, and what was seen; `all`: a look has just found that all that is due is applied. */
void gazer_tell_place(gazer *self, int64_t stored, int64_t seen, bool all);
/* The next wait after PyPI failed, in ms: at least 10 s, growing in *wait_ms, and not less than the server asked
 * for. */
int64_t gazer_longer(const gazer *self, int64_t *wait_ms, bool refused, int64_t asked_s);
/* Send it; that its service is away is said on the log. */
void gazer_cast(gazer *self, piw_msg **msg);
/* Tell who must know of a change; `before`, the one before it, spares saying the same twice. */
void gazer_spread(gazer *self, const pypi_change *change, const pypi_change *before, bool describe);

/* --- progress.c: what the log and piw-ctl say of the first catching up --- */
void gazer_begin_progress(gazer *self);
/* How many events are done, how fast, and how long it still takes. */
void gazer_say_progress(gazer *self);
void gazer_say_caught_up(gazer *self);

/* --- descriptions.c --- */
gazer_describer *gazer_describer_new(gazer *self, const char *json_url, const char *simple_url);
void gazer_describer_free(gazer_describer **describer);
/* Fetch some time what PyPI says of the package, once, however often it is asked for: its status and the reasons of its
 * yanks, its summary if that is wanted too. */
void gazer_describe(gazer_describer *describer, piw_text package, bool summary_too);
/* Is that being done just now? */
bool gazer_describes(const gazer_describer *describer, const char *package);
/* Start what may start now. */
void gazer_describer_go(gazer_describer *describer);
/* Iterates over packages without a description yet, for saving: NULL begins and ends. */
const char *gazer_undescribed(const gazer_describer *describer, const char *after, size_t *count);
int on_describe(piw_task *task, piw_msg *reply, uint64_t key);
int on_facts(piw_task *task, piw_msg *reply, uint64_t key);

#endif
