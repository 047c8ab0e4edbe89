/* farm.h — what a large screen shows beside the slaves: the newest builds and failures, what waits for each ABI, a build's log.
 *
 * The status queue doesn't tell it. asker.c asks for it over the admin queue. All texts are bounded, and hostile. A farm belongs
 * to one thread. */
#ifndef MONITOR_FARM_H
#define MONITOR_FARM_H

#include "admin.piw.h"
#include "piw/err.h"
#include "shared/views.h"

enum {
    FARM_BUILDS = 200, /* so many are looked through for failures and for slaves' last builds */
    FARM_QUEUES = 128,
    FARM_QUEUE_BYTES = PIW_VIEW_NAME_MAX + 1,
    FARM_NEXT = 100,       /* versions of one ABI that are built next */
    FARM_TAIL = 120,       /* lines of a log */
    FARM_LINE_BYTES = 1500 /* of such a line */
};

typedef struct farm_build {
    int64_t number, slave;
    int64_t ended_us; /* by the master's clock; 0: not known */
    double seconds;
    bool failed;
    char abi[FARM_QUEUE_BYTES], package[128], version[80];
} farm_build;

typedef struct farm_queue {
    char abi[FARM_QUEUE_BYTES]; /* what messages call it: an ABI, or a view */
    int64_t waiting, building, resting, slaves;
} farm_queue;

typedef struct farm_next {
    char package[128], version[80];
} farm_next;

/* What was asked for last, and how that went. */
typedef struct farm_state {
    bool known;
    int64_t at_us;          /* by our clock: when it was learnt */
    char why[PIW_ERR_TEXT]; /* why it isn't (anew); empty: it is */
} farm_state;

typedef struct farm_known {
    piw_views views; /* as they came; whoever shows slaves takes them away (model_take_views) */
    bool views_came;
    farm_state link; /* the connection; only its `why` is used */
    farm_state builds_state, queues_state, next_state;
    farm_build builds[FARM_BUILDS]; /* the newest first */
    size_t builds_count;
    farm_queue queues[FARM_QUEUES];
    size_t queues_count;
    char next_abi[FARM_QUEUE_BYTES];
    farm_next next[FARM_NEXT];
    size_t next_count;
    struct {
        farm_build build; /* whose it is; number 0: none's */
        bool read;
        char why[PIW_ERR_TEXT + 100]; /* why it isn't */
        char *error;                  /* the line that tells why the build failed, or NULL */
        char *lines[FARM_TAIL];       /* the last ones */
        size_t count;
    } log;
} farm_known;

void farm_init(farm_known *self);
void farm_fini(farm_known *self);
/* Takes what views the master has from its settings. */
int farm_take_settings(farm_known *self, const admin_SETTINGS *settings, piw_err *err);
/* Take answers of tasks (proto/orders.piw). PIW_ESHAPE: it is no such table. */
int farm_take_builds(farm_known *self, const admin_LINES *lines, int64_t now_us, piw_err *err);
int farm_take_queues(farm_known *self, const admin_LINES *lines, int64_t now_us, piw_err *err);
int farm_take_next(farm_known *self, const admin_LINES *lines, const char *abi, int64_t now_us, piw_err *err);
/* Whose log is to be shown: this slave's newest build, or, of all slaves (0), the newest failure, or build; NULL: none is known. */
const farm_build *farm_last(const farm_known *self, int64_t slave);
/* Reads the log of this build below the master's output path, unless it is there already. NULL: none is to be shown. */
void farm_read_log(farm_known *self, const farm_build *build, const char *site);

#endif
