/* driver.h — inside slave_driver: the slaves it knows, and what its files do for each other.
 *
 * conversation.c answers what slaves say, abis.c names those that wait in vain, job.c takes a reported build from BUILT to
 * DONE, cause.c and attempt.c tell whose fault a failure was and what follows from that, ghosts.c records builds whose
 * slaves don't wait for it, slaves.c keeps the records, numbers.c has slave and build numbers in reserve, builds.c knows
 * what is pending, state.c carries it all over a swap.
 * Everything belongs to the task's thread. */
#ifndef SLAVE_DRIVER_DRIVER_H
#define SLAVE_DRIVER_DRIVER_H

#include "db.piw.h"
#include "fs.piw.h"
#include "piw/plugin.h"
#include "slave.piw.h"
#include "slave_driver.piw.h"
#include "slave_driver/builds.h"
#include "stats.piw.h"

enum {
    DRIVER_SLAVES_MAX = 16384,       /* as many as the port remembers peers */
    DRIVER_BAD_TRANSFERS = 5,        /* of one file, then the build has failed */
    DRIVER_SWEEP_MS = 1000,          /* expiry and time limits are this exact */
    DRIVER_HELLO_PATIENCE_MS = 2000, /* a HELLO waits so long for the database's numbers, then the clock's will do */
    DRIVER_RETRY_MIN_MS = 1000,      /* a step of a job that failed for its surroundings is tried again, growing … */
    DRIVER_RETRY_MAX_MS = 10000,     /* … to this */
    DRIVER_OWN_FAULTS = 5,           /* builds in a row that failed for a slave's own sake: it is put to sleep */
};

/* The last reply that a slave got, CONT left out: what it may say next follows from it. Numbers stand in saved state.
 */
enum {
    DRIVER_SAID_NOTHING = 0,
    DRIVER_SAID_ACK = 1,
    DRIVER_SAID_BUILD = 2,
    DRIVER_SAID_SLEEP = 3,
    DRIVER_SAID_SEND = 4,
    DRIVER_SAID_DONE = 5,
    DRIVER_SAID_DIE = 6,
};

/* What the answer to a slave waits for. Numbers stand in saved state. */
enum {
    DRIVER_IDLE = 0,          /* nothing: the slave has its answer */
    DRIVER_WAIT_SLAVE_NO = 1, /* HELLO: a number for the slave */
    DRIVER_WAIT_BUILD_NO = 2, /* BUILT: a number for the build */
    DRIVER_WAIT_EXPECT = 3,   /* the file service to expect a file, then SEND */
    DRIVER_WAIT_VERIFY = 4,   /* SENT: the file to be verified */
    DRIVER_WAIT_STAGE = 5,    /* the log to be staged */
    DRIVER_WAIT_RECORD = 6,   /* the build's row */
    DRIVER_WAIT_KNOWN = 7,    /* the answer whether an earlier try has made the row */
    DRIVER_WAIT_PUBLISH = 8,  /* the files to be in place, then DONE */
    DRIVER_WAIT_ATTEMPT = 9,  /* the failed try to be noted, and whether there is another */
};

/* A build that was reported, on its way to being recorded. */
typedef struct driver_job {
    piw_table_node by_build; /* once it has a number */
    struct driver_builder *builder;
    int64_t build_id;     /* 0: none yet */
    piw_msg *report;      /* slave_BUILT, ours: as the slave said it, then as it will be recorded */
    built_file *verified; /* one per received file, in the report's arena */
    uint32_t verified_count;
    unsigned bad; /* bad transfers of the file that is asked for */
    char *note;   /* what the master adds to the log, or NULL */
    struct {
        uint32_t count;
        piw_text *at;
    } kept;           /* in the report's arena */
    bool sent_before; /* LOGBUILD was sent before: its row may exist */
    bool sealing;     /* its record is being kept on disk, because the database is away */
    char *cause;      /* why the builder is to blame for the failure; NULL: it isn't */
} driver_job;

/* A build slave; or a ghost, which only holds a build that is still being recorded when its slave is gone or at work
 * again. A ghost has the slave's number, a peer number of no peer, and is not found by number. */
typedef struct driver_builder {
    piw_table_node by_peer, by_id;
    int64_t id; /* 0 while it waits for its number (then not in the table by id) */
    piw_peer peer;
    piw_msg *hello; /* slave_HELLO, a copy */
    piw_time first_seen, last_seen;
    int64_t heard_ns;
    int last;            /* DRIVER_SAID_… */
    bool said_paused;    /* what the last SLEEP said */
    bool killed, paused; /* by KILL and SLEEP, until WAKE */
    bool skip, removed;  /* the build that runs is to be thrown away */
    bool again;          /* removed, but to be built anew */
    bool unsure;         /* recalled after a restart: the queue may have answered its request in our stead */
    bool leaving;        /* said BYE while its build was being recorded: forgotten after that */
    bool ghost;
    bool abi_warned;           /* it was said that the farm doesn't know its ABI; not saved */
    unsigned own_faults;       /* builds in a row that failed for its own sake */
    driver_hold_ref *hold;     /* the version it builds, or NULL */
    int64_t began_ns, ends_ns; /* of the build; ends_ns after its build_timeout */
    piw_token request;         /* open while phase isn't DRIVER_IDLE */
    int phase;
    int64_t phase_ns; /* when it began */
    unsigned tries;   /* of this phase */
    driver_job *job;
} driver_builder;

/* Numbers reserved in the database. */
typedef struct driver_pool {
    const char *kind; /* "slave", "build" */
    int64_t next, end, spare_next, spare_end;
    int64_t block; /* how many are asked for at a time */
    int64_t asked_ns;
    bool asking;
} driver_pool;

typedef struct driver {
    piw_task *task;
    piw_table by_peer, by_id, by_build;
    uint64_t ghosts; /* how many there have been */
    driver_builds *builds;
    driver_pool slave_numbers, build_numbers;
    int64_t clock_number;    /* the last slave number taken from the clock */
    int64_t claims_until_ns; /* after a start of the master slaves may claim their builds until then; 0: not */
    bool claims_known;       /* the database has said what was under way */
    bool farm_paused, paused_by_operator;
    bool database_away;
    bool require_version;
    piw_msg *abis; /* builds_ABIS: those that the farm knows; NULL: not heard yet, which the_architect changes soon */
    bool slaves_changed;   /* since slaves_here was told */
    int64_t tell_abis_ns;  /* when it is told again in any case */
    int64_t seal_after_ns; /* a slave waits so long for the database to take its build */
    piw_text pypi_url;
    piw_log_limiter strangers, troubles, odd, unbuilt;
} driver;

/* --- slaves.c ---------------------------------------------------------------------------------------------------- */
driver_builder *driver_find_peer(const driver *self, piw_peer peer);
driver_builder *driver_find_id(const driver *self, int64_t id);
driver_builder *driver_next(const driver *self, const driver_builder *builder); /* NULL begins and ends */
/* A record for a peer; `hello` is a slave_HELLO message, copied. */
driver_builder *driver_add(driver *self, piw_peer peer, const piw_msg *hello);
void driver_set_id(driver *self, driver_builder *builder, int64_t id);
void driver_remove(driver *self, driver_builder **builder);
/* Are there other slaves of its ABI that could build now? */
bool driver_has_others(const driver *self, const driver_builder *builder);
/* The attempt ends without a build: holds are ended as `kind` says (builds.h; 0 drops the version), the rest thrown
 * away. `cause` is for the attempt's record. */
enum { DRIVER_DROP = 0 };
/* Throw away what is staged for the builder's job. */
void driver_discard(driver *self, const driver_builder *builder);
void driver_abandon(driver *self, driver_builder *builder, int kind, const char *cause);
const slave_hello *driver_hello(const driver_builder *builder);
int64_t driver_busy_timeout_ns(const driver_builder *builder);
int64_t driver_build_timeout_ns(const driver_builder *builder);
/* Forgets silent slaves and frees skipped versions; every DRIVER_SWEEP_MS. */
int driver_on_sweep(piw_task *task, piw_msg *reply, uint64_t key);
/* The slave leaves: monitors are told DIE, the peer is forgotten. */
void driver_leave(driver *self, driver_builder **builder);

/* --- monitor.c: what monitors see of slaves ---------------------------------------------------------------------- */
void driver_tell_hello(driver *self, const driver_builder *builder);
void driver_tell_stats(driver *self, const driver_builder *builder, const slave_stats *stats);
/* A message from the master as the slave gets it. */
void driver_tell_reply(driver *self, const driver_builder *builder, const piw_msg *reply);
void driver_tell_gone(driver *self, const driver_builder *builder, bool expired);
/* How much of each ABI's queue is still to be given out. */
void driver_tell_pending(driver *self);
/* Everything known of each slave, and of a pause, again (big_brother was restarted). */
void driver_tell_all(driver *self);

/* --- abis.c ------------------------------------------------------------------------------------------------------ */
int driver_on_abis(piw_task *task, piw_msg *msg);
/* A slave that has its number: does the farm know its ABI? A warning, once. */
void driver_check_abi(driver *self, driver_builder *builder);
/* Tell which slaves are here, when that has changed or some time has passed. */
void driver_tell_abis(driver *self, int64_t now_ns);

/* --- conversation.c ---------------------------------------------------------------------------------------------- */
/* Answer the slave: `request`, or the deferred one when it is NULL. Takes the answer; what was said is remembered. */
void driver_answer(driver *self, driver_builder *builder, piw_msg *request, piw_msg **answer, int said);
/* A number for a slave that waits for one has come (or the clock's must do): ACK. */
void driver_welcome(driver *self, driver_builder *builder, int64_t id);
/* The builder's hold is built from now on, or since elapsed_ns: its attempt is noted and its time runs. */
void driver_build_begins(driver *self, driver_builder *builder, int64_t elapsed_ns);
int driver_on_hello(piw_task *task, piw_msg *msg);
int driver_on_idle(piw_task *task, piw_msg *msg);
int driver_on_busy(piw_task *task, piw_msg *msg);
int driver_on_built(piw_task *task, piw_msg *msg);
int driver_on_sent(piw_task *task, piw_msg *msg);
int driver_on_bye(piw_task *task, piw_msg *msg);
int driver_on_patience(piw_task *task, piw_msg *reply, uint64_t key);

/* --- claims.c ---------------------------------------------------------------------------------------------------- */
/* The master has started: claims are heard for a while. */
void driver_claims_open(driver *self);
/* What was under way is known. */
void driver_claims_list(driver *self, const db_ATTEMPTS_VOID_reply *voided);
/* Must the answer to this HELLO wait until that is known? */
bool driver_claim_waits(const driver *self, const driver_builder *builder);
/* A slave that has its ACK goes on with what it claims, if it may. */
void driver_claim(driver *self, driver_builder *builder);
/* Did it claim in vain? Then it hasn't been told yet: what it builds is thrown away at its next word. */
bool driver_claim_lost(const driver_builder *builder);

/* --- job.c ------------------------------------------------------------------------------------------------------- */
/* Begin recording what the slave reported. Takes `report` (slave_BUILT); `why_bad`, if not NULL, makes it a failed
 * build with that note; `cause`, if not NULL, is why the builder is to blame, else its log tells. The request must have
 * been deferred into builder->request. */
void driver_job_begin(driver *self, driver_builder *builder, piw_msg **report, const char *why_bad, const char *cause);
/* The build is a failure after all, for the reason in the note. Goes on with recording it. */
void driver_job_fail(driver *self, driver_builder *builder, const char *note);
/* Go on with a job whose request was lost with the task before, and given again. */
void driver_job_resume(driver *self, driver_builder *builder);
/* A build number is there. */
void driver_job_number(driver *self, driver_builder *builder, int64_t build_id);
/* Do (again) what the builder's phase waits for. */
void driver_job_step(driver *self, driver_builder *builder);
void driver_job_free(driver *self, driver_job **job);
/* The build with this number, or NULL. */
driver_builder *driver_find_build(const driver *self, int64_t build_id);
/* The job is known by its number from now on. */
void driver_job_list(driver *self, driver_builder *builder);
/* Go on with another step. */
void driver_job_go(driver *self, driver_builder *builder, int phase);
/* The builder whose job waits for this answer in this phase, when it is no error; errors are dealt with. */
driver_builder *driver_job_answered(driver *self, piw_msg *reply, uint64_t build_id, int phase);
/* The job is over, well or not: its slave hears DONE. */
void driver_job_finish(driver *self, driver_builder *builder);
int driver_on_expected(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_verified(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_staged(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_recorded(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_known(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_published(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_again(piw_task *task, piw_msg *reply, uint64_t key);

/* --- cause.c ----------------------------------------------------------------------------------------------------- */
/* Why a failed build is its builder's fault, in a few words; NULL: it is the package's. */
const char *driver_cause(const slave_BUILT *report, const driver_hold_ref *hold);

/* --- attempt.c --------------------------------------------------------------------------------------------------- */
/* The call that notes the failed try. */
piw_msg *driver_attempt_call(const driver_builder *builder);
int driver_on_attempt_failed(piw_task *task, piw_msg *reply, uint64_t key);
/* An operator wants what failed tried again. */
int driver_on_retry(piw_task *task, piw_msg *msg);

/* --- ghosts.c ---------------------------------------------------------------------------------------------------- */
/* The slave is lost: monitors are told, its peer is forgotten, and the attempt ends as one that failed for its sake. */
void driver_lose(driver *self, driver_builder **builder);
/* Called at each sweep for a slave that waits: when it has waited for the database for long, its build is sealed. */
void driver_seal_if_late(driver *self, driver_builder *builder, int64_t now_ns);
int driver_on_sealed(piw_task *task, piw_msg *reply, uint64_t key);
/* A peer number that no peer has. */
piw_peer driver_ghost_peer(driver *self);

/* --- numbers.c --------------------------------------------------------------------------------------------------- */
enum { DRIVER_POOL_SLAVE = 0, DRIVER_POOL_BUILD = 1 }; /* keys of the continuations */
bool driver_number_take(driver *self, int which, int64_t *number);
bool driver_number_there(const driver *self, int which);
/* A slave number from the clock, for when the database is away: seconds, counted on when several come in one. */
int64_t driver_number_clock(driver *self);
/* Ask for a block if one isn't asked for already. */
void driver_numbers_ask(driver *self, int which);
int driver_on_numbers(piw_task *task, piw_msg *reply, uint64_t key);
int driver_on_ask(piw_task *task, piw_msg *reply, uint64_t key);

/* --- state.c ----------------------------------------------------------------------------------------------------- */
int driver_save(piw_task *task, piw_msg **state, piw_err *err);
void driver_load(driver *self, const piw_msg *state);
/* Keep the peer's record for a restart of this task. */
void driver_remember(driver *self, const driver_builder *builder);
/* After a cold restart: the slaves from the records that the shell kept. */
void driver_recall(driver *self);

#endif
