/* driver.h — inside slave_driver: what it knows of slaves and of builds.
 *
 * Who calls whom, from the top down: slave_driver.c (the manifest, and what other tasks tell it); sweep.c (what time brings);
 * conversation.c (what slaves say, and the only place that answers them); claims.c (builds that outlived a restart of the
 * master, or their slave's connection); leave.c (the end of a slave's record); way.c (a reported build's steps into the
 * database, up to its one outcome), alike.c, attempt.c and cause.c (failures that are their slave's fault); state.c (the soul saved and loaded); build.c (a version in the making); monitor.c, lost.c and abis.c
 * (what others hear of slaves); commands.c (what an operator asks); slaves.c, addresses.c, waiting.c, offers.c and numbers.c (plain stores).
 * Everything belongs to the task's thread. */
#ifndef SLAVE_DRIVER_DRIVER_H
#define SLAVE_DRIVER_DRIVER_H

#include "piw/plugin.h"
#include "shared/views.h"
#include "slave.piw.h"
#include "slave_driver.piw.h"
#include "slave_driver/offers.h"

enum {
    DRIVER_SLAVES_MAX = 16384,       /* as many as the port remembers peers */
    DRIVER_BAD_TRANSFERS = 5,        /* of one file, then the build has failed */
    DRIVER_SWEEP_MS = 1000,          /* expiry and time limits are this exact */
    DRIVER_PAUSE_S = 10,             /* a sweep that is so late: the whole process stood still */
    DRIVER_HELLO_PATIENCE_MS = 2000, /* a HELLO waits so long for the database's numbers, then the clock's will do */
    DRIVER_WAIT_MAX_S = 60,          /* a slave may ask for its IDLE to be answered so late at most */
    DRIVER_COMING_MS = 2000,         /* the window, or numbers, are on their way: IDLE waits for them so long */
    DRIVER_SHOW_MS = 1000,           /* monitors are shown a sleeping slave that asks more often only so often */
    DRIVER_SHOWS = 16,               /* so many of those are shown at once before that */
    DRIVER_SUSPECT_S = 15,           /* a slave whose connection may be another's has spoken by then */
    DRIVER_NOTE_MS = 25,             /* that an attempt has begun is told with its build, or so late */
    DRIVER_SPARE = 1000,             /* builds that a window should have to give out, beside one for each slave */
    DRIVER_TRIM_AFTER = 1000,        /* slaves that left: their memory is given back to the system once it is quiet */
    DRIVER_OWN_FAULTS = 5, /* builds in a row that failed for a slave's own sake, and were built elsewhere: it sleeps */
    DRIVER_TOKEN_LEN = 32, /* hex digits */
    DRIVER_LOST_MAYBE = 64,  /* slaves whose BYE may be on its way; of more it isn't waited for */
    DRIVER_FAULTS_KEPT = 16, /* of those in a row so many are known */
};

/* The last reply that a slave got, CONT left out: what it may say next follows from it. Numbers stand in saved state. */
enum {
    DRIVER_SAID_NOTHING = 0,
    DRIVER_SAID_ACK = 1,
    DRIVER_SAID_BUILD = 2,
    DRIVER_SAID_SLEEP = 3,
    DRIVER_SAID_SEND = 4,
    DRIVER_SAID_DONE = 5,
    DRIVER_SAID_DIE = 6,
    DRIVER_SAID_COUNT,
};

/* What a build waits for. Numbers stand in saved state, where a slave without a build has IDLE or WAIT_SLAVE_NO. */
enum {
    DRIVER_IDLE = 0,          /* nothing: it is its slave's turn */
    DRIVER_WAIT_SLAVE_NO = 1, /* of a slave only, after HELLO: its number */
    DRIVER_WAIT_BUILD_NO = 2, /* BUILT: a number for the build */
    DRIVER_WAIT_EXPECT = 3,   /* the file service to expect a file, then SEND */
    DRIVER_WAIT_VERIFY = 4,   /* SENT: the file to be verified */
    DRIVER_WAIT_STAGE = 5,    /* the log to be staged */
    DRIVER_WAIT_RECORD = 6,   /* the build's row */
    DRIVER_WAIT_KNOWN = 7,    /* the answer whether an earlier try has made the row */
    DRIVER_WAIT_PUBLISH = 8,  /* the files to be in place, then DONE */
    DRIVER_WAIT_ATTEMPT = 9,  /* the failed try to be noted, and whether there is another */
    DRIVER_PHASES,
};

/* A version in the making. Its slave builds it, or waits for what becomes of it; or it has no slave: that one fell silent, or
 * was let go because the database is away. */
typedef struct driver_build {
    struct driver_build *next, **at; /* among all builds */
    piw_table_node by_number;        /* once it has one */
    struct driver_slave *slave;      /* or NULL */
    int64_t slave_id;
    driver_embargo *embargo; /* which version of what, for which ABI */
    piw_msg *attempt;        /* db.ATTEMPT, which is still to be cast; NULL: it has been */
    bool uncounted;          /* of a try that failed: as all slaves failed then; not saved */
    bool sealing;            /* its record is being kept on disk, because the database is away */
    bool expecting;          /* its file is being expected once more, while its slave sends it; not saved */
    driver_making saved;     /* its texts are the embargo's; `build` stays NULL here, since `report` follows */
    piw_msg *memory;         /* holds what `report` points to; NULL until it is reported */
    driver_reported
        report; /* as the slave said it, then as it will be recorded; with room to verify each of its files */
} driver_build;

/* The least that a slave had free while it built. */
typedef struct driver_figures {
    bool disk_known, memory_known;
    int64_t disk_free, memory_free;
} driver_figures;
/* A network address that slaves come from. */
typedef struct driver_address {
    piw_table_node node;
    uint32_t slaves; /* records, those whose connections are gone among them */
    uint32_t gone;
    uint32_t builds;          /* in the hands of these slaves */
    uint32_t left;            /* builds that they left lately; while there are any, the address is remembered */
    uint32_t forgiven_each_s; /* of those, so that all are in time */
    char text[];
} driver_address;

/* A build slave. What is kept of it over a swap stands in `saved`, of which all that concerns its build stays unused: that
 * is in `build`. */
typedef struct driver_slave {
    piw_table_node by_peer, by_id; /* by_id once it has its number */
    piw_peer peer;
    piw_msg *memory; /* holds the texts of saved.hello */
    driver_saved saved;
    bool waits_number; /* its HELLO waits for its number */
    bool unsure;       /* known from before a restart: the queue may have answered it for us */
    bool abi_warned;   /* it was said that the farm doesn't know its ABI, or has no view for it */
    piw_text queue;    /* what it builds from: its ABI's, or its view's; empty: it fits no view */
    driver_build *build;
    driver_address *address;
    char token[DRIVER_TOKEN_LEN + 1]; /* saved.token lies here */
    int64_t gone_ns;                  /* since when its connection is gone; 0: it is there */
    int64_t shown_ns;                 /* when monitors were shown its IDLE last */
    uint32_t shows;                   /* of it lately, see DRIVER_SHOWS */
    int64_t waits_until_ns;           /* its IDLE is answered when there is work, or then; 0: it has no open IDLE */
    struct driver_slave *waits_next, **waits_at;
    /* What its builds tell of it (alike.c); not saved: it is gathered anew. */
    driver_figures figures;
    const char *failing;                 /* why its last build failed for its own sake, as it seemed; NULL: it didn't */
    uint64_t failing_at;                 /* which version that was */
    bool failing_many;                   /* for that reason more than one in a row */
    int64_t worked_ns;                   /* when its last build began that didn't */
    uint64_t faults[DRIVER_FAULTS_KEPT]; /* versions of saved.own_faults that no other slave has built */
    int faults_elsewhere;                /* those that one has */
} driver_slave;

/* A slave whose connection has gone, and the event that says that it is lost. */
typedef struct driver_lost {
    int64_t until_ns; /* it may still say BYE until then */
    piw_msg *event;
    char address[64];
} driver_lost;

enum { DRIVER_POOL_SLAVE = 0, DRIVER_POOL_BUILD = 1, DRIVER_POOLS };

typedef struct driver {
    piw_task *task;
    piw_table by_peer, by_id; /* slaves */
    driver_build *builds;
    piw_table by_number; /* builds */
    piw_table addresses;
    uint64_t address_seed;
    bool noting; /* the timer runs by which attempts are noted whose builds aren't over before */
    driver_slave *waiting, **waiting_end; /* those whose IDLE is open, the longest waiting first */
    driver_offers *offers;
    driver_numbers numbers[DRIVER_POOLS];      /* reserved in the database */
    driver_lost lost_maybe[DRIVER_LOST_MAYBE]; /* not saved */
    uint32_t lost_maybe_count;
    int64_t claims_until_ns; /* after a start of the master slaves may claim their builds until then; 0: not */
    bool claims_known;       /* the database has said what was under way */
    int64_t seals_key;       /* of the question which builds are sealed */
    int64_t seals_until_ns;  /* it isn't known which builds are sealed, and nothing is given out until then; 0: it is */
    driver_farm farm;
    bool require_version;
    piw_views views;
    piw_msg *abis; /* builds_ABIS: those that the farm knows; NULL: not heard yet, which the_architect changes soon */
    bool slaves_changed;        /* since slaves_here was told */
    int64_t tell_abis_ns;       /* when it is told again in any case */
    int64_t swept_ns;           /* when the last sweep was, or the start */
    uint32_t left, left_before; /* slaves since memory was given back; and when the last sweep looked */
    int64_t gone_after_ns;      /* a build whose connection has gone is offered again so much later */
    int64_t busy_max_ns;        /* a slave may be silent so long, whatever it says */
    int64_t per_address;        /* slaves of one address that are remembered */
    int64_t retry_after_ns;     /* the first rest of what failed for its slave's sake */
    int64_t seal_after_ns;      /* a slave waits so long for the database to take its build */
    piw_text pypi_url;
    piw_outage numberless, stuck[DRIVER_PHASES]; /* no numbers come; builds have to try a step again */
    piw_log_limiter strangers, troubles, odd, unbuilt, lost, alike, large;
} driver;

#endif
