/* juggler.h — inside file_juggler: its soul, and what its files call of each other. The task's thread only. */
#ifndef FILE_JUGGLER_JUGGLER_H
#define FILE_JUGGLER_JUGGLER_H

#include "fs.piw.h"
#include "journal.h"
#include "rooms.h"
#include "shared/pace.h"
#include "shared/site_mark.h"
#include "transfers.h"

typedef struct unfinished {
    int64_t id;
    bool recorded; /* it has a row */
    bool settled;  /* not found at boot: its row may still be under way, so without one it is kept */
    bool staged;   /* it has a folder */
    bool others;   /* found after the task began anew alone: without a row it is in the hands of whoever built it */
    bool failed;   /* it couldn't be put in place in this round: those behind it go first */
} unfinished;

/* What may not work for a while, and is tried again: each with an outage of its own. */
typedef enum juggler_trouble {
    TROUBLE_RECEIVE,   /* files from slaves are received */
    TROUBLE_STORE,     /* … and stored, piece by piece */
    TROUBLE_CHECK,     /* … and checked */
    TROUBLE_JOURNAL,   /* builds are noted */
    TROUBLE_JOB,       /* … and put in place */
    TROUBLE_STAGED,    /* what is staged is synced */
    TROUBLE_SYNC,      /* what was put in place is synced */
    TROUBLE_ROOM,      /* it is looked how much room there is */
    TROUBLE_TRASH,     /* the trash is emptied */
    TROUBLE_REMOVALS,  /* files are removed */
    TROUBLE_MARK,      /* the site's mark is compared */
    TROUBLE_WITHHELD,  /* quarantined wheels are moved */
    TROUBLE_METADATA,  /* METADATA is put beside wheels */
    TROUBLE_NEEDS,     /* wheels are read for what they need */
    TROUBLE_LEFTOVERS, /* builds that an earlier master left are finished */
    JUGGLER_TROUBLES,
} juggler_trouble;

/* What wheels may lack (wheel_pass.c). */
typedef enum wheel_pass {
    PASS_METADATA, /* METADATA beside them */
    PASS_NEEDS,    /* what their code needs, in the database */
    PASSES
} wheel_pass;

/* What early.c wants synced of the transfer with this key: names, or bytes. */
typedef struct juggler_early_sync {
    uint64_t key;
    bool names;
} juggler_early_sync;

/* A log of logs.c. */
typedef struct waiting_log {
    piw_table_node by_id;
    struct waiting_log *next; /* of those that no job is at */
    juggler_log saved;
    bool thrown_away; /* a job is at it, and nobody wants what comes of it */
    bool kept[2];     /* the published file stays: of its wheel, and of that one's second name */
    bool replaced;    /* a namesake of its wheel was out of reach */
} waiting_log;

/* A build of ready.c. */
typedef struct ready_build {
    int64_t build_id; /* 0: nothing is here */
    uint64_t key;     /* of the job that writes its files; 0: it is over */
    piw_msg *made;    /* its answer */
} ready_build;

enum { READY_BUILDS = 16, READY_FILES = 3 /* of one of them */ };
enum { JUGGLER_UNKNOWN = 1024 /* that slaves are unknown is told so many times a second at most */ };

typedef struct juggler {
    char *root; /* the output path */
    bool views; /* the farm has some: what wheels need is asked for */
    transfers transfers;
    pace transfers_pace, bulk_pace;
    int64_t as_usual_until_ns;     /* jobs of transfers don't give way until then */
    bool resting;                  /* transfers' next job begins when a timer ends */
    int64_t slow_until_ns;         /* workers store what comes until then, builds or not */
    uint64_t last_key;             /* that was given to a job */
    int64_t pass_began_ns[PASSES]; /* the present piece of each */
    bool writing_out;              /* a write_out job is under way */
    journal journal;
    bool unsynced;     /* something was put in place since the last sync */
    bool syncing;      /* a sync is under way */
    uint64_t sync_key; /* which: one from before the task began anew has another */

    /* syncs.c: builds that wait until what they need is on the disk; those that a job is at aren't here. */
    juggler_sync *waiting;
    uint32_t waiting_count, waiting_room;
    bool waiting_busy; /* a job is at others */
    int64_t named;     /* the journal's file whose name is on the disk */
    juggler_early_sync *early;
    uint32_t early_count, early_room;

    /* logs.c: those that lie in the journal, and not in their place. */
    piw_table logs;
    waiting_log *logs_first, **logs_end; /* those that no job is at */
    bool logs_running;                   /* a job is at others */
    bool logs_failed;                    /* the last one could not put all of its logs in place */
    int64_t *left; /* builds that aren't finished so: they are looked at as those that were left */
    uint32_t left_count, left_room;
    bool small_unknown; /* records of the journal may hold wheels, which nobody has said */
    bool small_failed;  /* the last wheel from there could not be put in place: others are staged */
    int64_t logs_late;  /* a soul before, which failed, may have had jobs at those of builds below */

    /* ready.c: files that are written before they are asked for. */
    ready_build ready[READY_BUILDS];
    rooms rooms;
    int64_t rooms_left,
        rooms_left_ns; /* those up to this one lay there when the site was opened: jobs at them are over then; 0: there is none */

    piw_outage troubles[JUGGLER_TROUBLES];
    piw_log_limiter strangers;

    /* file_queue.c: when it was last told that slaves of each place are unknown; which slave has which place nobody can guess. */
    int64_t unknown_told_ns[JUGGLER_UNKNOWN];
    uint64_t unknown_seed;

    /* unfinished.c: builds found staged that nobody finishes, worked off from the end, so the oldest first. */
    unfinished *unfinished;
    uint32_t unfinished_count, unfinished_room;
    piw_msg *reading;                /* what is staged of the one that is being dealt with (a read_staged_reply) */
    bool seals_recorded, seals_told; /* seals.c: sealed ones were recorded before they were asked for; they were */

    /* withheld.c */
    bool withheld_busy, withheld_again; /* a look at what is due is under way; another look is to follow */
    bool withheld_more;                 /* … unless it moves nothing: it has been told of as many as it asked for */
    bool withheld_missing;              /* a wheel that is to be taken away was not there: a publication may bring it */

    /* site_watch.c */
    bool opened;                      /* what lies on the site has been read: the journal, what is staged */
    piw_why why;                      /* it began */
    char mark[PIW_SITE_MARK_LEN + 1]; /* the database's; "" until it has said it */
    bool mark_asked;                  /* the database is being asked */
    bool site_settled;                /* whether the site is there is known, or as good as known */
    bool site_away;
    unsigned site_looks; /* since it is away */

    /* upkeep.c: packages published since REMOVALS_DUE was asked for, NUL-terminated texts in an arena. */
    piw_msg *published;
    uint32_t published_count;

    /* counts.c: what has come and was refused, since that was told. */
    piw_msg *counts; /* a files_counted; NULL: nothing */
} juggler;

/* May anything be written on the site? PIW_EAGAIN with a sentence: not now. */
static inline int site_check(const juggler *self, piw_err *err)
{
    if (!self->opened || self->site_away)
        return piw_err_set(err, PIW_EAGAIN, "the output path %s isn't the farm's site now: nothing is written there",
                           self->root);
    return piw_site_there(self->root, err);
}

static inline piw_text juggler_root(const juggler *self)
{
    return piw_text_of(self->root);
}

/* What is kept with a build's last file; NULL: it isn't the last one, or is done as any other. */
static inline const last_file *juggler_last(const transfer *t)
{
    return t->early.last == NULL ? NULL : fs_EXPECT_of(t->early.last)->last;
}

/* --- notes.c --- */
/* Has this build a staging folder? */
bool juggler_is_staged(const juggler *self, int64_t build_id);
/* The record of a build for the journal. */
piw_msg *juggler_describe(int64_t build_id, piw_text package, piw_text view, journal_build **body);
/* Into the journal with it; then `record` is gone. */
int juggler_note(juggler *self, piw_msg *record, piw_err *err);
/* Nothing is left to be done of a build but to have it reach the disk, soon; not even a log waits. */
void juggler_ended(juggler *self, int64_t build_id);
/* Our own log of a build that is thrown away. */
void juggler_remove_log(const juggler *self, int64_t build_id);
/* What a check has found, as VERIFY's answer. NULL when the check itself has failed, which is said. */
piw_msg *juggler_verdict(piw_task *task, const piw_msg *reply);

/* --- yielding.c: transfers give way to builds that are being recorded --- */
bool yielding(const juggler *self);
/* A new key for a job, which no job before a swap had: the time. */
uint64_t yielding_key(juggler *self);
/* piw_work, in the background while transfers yield; and that job has ended. */
int yielding_work(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key);
void yielding_worked(juggler *self, uint64_t key);

/* --- early.c: what is done before it is asked for --- */
/* `msg`, an EXPECT, has begun the transfer. */
void early_expect(piw_task *task, transfer *t, const piw_msg *msg);
/* The file is there. */
void early_check(piw_task *task, transfer *t);
/* VERIFY of a transfer whose check is under way or over. */
int early_verify(piw_task *task, piw_msg *msg, transfer *t);
/* What came is forgotten; what is kept with the file isn't. Who waits for its check asks again. */
int early_anew(piw_task *task, transfer *t);
/* The transfer is about to end, or to begin anew. */
int early_abandon(piw_task *task, transfer *t);
/* Check the file for who waits for that; the transfer is over. */
int early_check_now(piw_task *task, transfer *t, piw_token token);
/* After a swap: who waited for a check that was made early waits for another. */
int early_recheck(piw_task *task);
/* Of a file that comes into memory all is kept over a swap: the ends of its jobs come to us. */
void early_save(piw_msg *msg, const transfer *t, struct juggler_held *to);
void early_resume(juggler *self, transfer *t);
int on_checked(piw_task *task, piw_msg *reply, uint64_t key);
int on_early_checked(piw_task *task, piw_msg *reply, uint64_t key);
int on_builds_synced(piw_task *task, piw_msg *reply, uint64_t key);

/* --- file_queue.c: what slaves and importers send --- */
int on_file_hello(piw_task *task, piw_msg *msg);
int on_file_chunk(piw_task *task, piw_msg *msg);
int on_written_out(piw_task *task, piw_msg *reply, uint64_t key);
/* Somebody waits for the end of a build: transfers yield for a moment, and bulk work. */
void file_queue_yield(juggler *self);
int on_read_along(piw_task *task, piw_msg *reply, uint64_t key);

/* --- along.c: what comes is stored and read --- */
/* A CHUNK that is waited for has come: keep it, until along_go or for good. When it can't be kept it counts as not come, which is said. */
int along_take(piw_task *task, transfer *t, const piw_msg *msg);
/* There may be more to store or read of it. */
int along_go(piw_task *task, transfer *t);
/* A job has ended: of which file; NULL: of one that has gone. Then along_next. */
transfer *along_took(piw_task *task, const piw_msg *reply, uint64_t key);
/* The next one that has more. */
int along_next(piw_task *task);
int on_paced(piw_task *task, piw_msg *reply, uint64_t key);

/* --- unfinished.c: what an earlier master, or a task before it began anew, left staged --- */
/* Find it. Only at boot. */
int unfinished_find(juggler *self, piw_err *err);
/* After the task began anew alone: what is recorded is put in place, for an earlier master may have left it, and nobody comes back to
 * those without a folder. */
int unfinished_find_recorded(juggler *self, piw_err *err);
/* Find what is staged now, but for what is listed already or in `except`, and begin with it. */
int unfinished_settle(piw_task *task, const int64_t *except, uint32_t count);
/* A recorded build is to be looked at as if it had been left. */
int unfinished_add(piw_task *task, int64_t build_id);
/* Was it added, and isn't finished yet? */
bool unfinished_waits(const juggler *self, int64_t build_id);
/* seals.c: which of them are sealed, and have no row yet? */
int on_seals_wanted(piw_task *task, piw_msg *msg);
int on_seals_read(piw_task *task, piw_msg *reply, uint64_t key);
/* Ask the database which of them have a row, if there are any. */
int unfinished_begin(piw_task *task);
int on_leftovers(piw_task *task, piw_msg *reply, uint64_t key);
int on_builds_known(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_read(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_recorded(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_known(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_project(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_published(piw_task *task, piw_msg *reply, uint64_t key);
int on_leftover_told(piw_task *task, piw_msg *reply, uint64_t key);

/* --- syncs.c: what has to be on the disk before a build's row is committed, many builds together --- */
/* Have it there, and then answer with `token`: a SEAL, or a STAGE. */
int syncs_ask(piw_task *task, piw_token token, int64_t build_id, bool seal);
/* For early.c: the names of the transfer's build, or its bytes. */
void syncs_early(piw_task *task, uint64_t key, bool names);
/* Begin with what waits, unless a job is under way. */
int syncs_go(piw_task *task);
/* A job is over: answer who waited for it. False: it came to nothing, which is said. */
bool syncs_over(piw_task *task, const piw_msg *reply);

/* --- logs.c: logs that lie in the journal until a worker has put them in place --- */
/* May this build's log lie there? It isn't staged. */
bool logs_takes(const juggler *self, const fs_STAGE *stage);
/* Does this build's? */
bool logs_waits(const juggler *self, int64_t build_id);
/* Answer the STAGE of one that may, or does. */
int logs_stage(piw_task *task, piw_msg *msg);
/* Answer the PUBLISH of one that does, or of one that lies in the journal as a whole, once all of it is in its place. */
int logs_publish(piw_task *task, piw_msg *msg);
/* Nothing else is left to be done of the build. False: nor is there a log that waits. */
bool logs_over(juggler *self, int64_t build_id);
void logs_throw_away(juggler *self, int64_t build_id);
/* Begin with what waits, unless a job is under way. */
int logs_go(piw_task *task);
/* A job is over: answer who waited for it. True: wheels were put in place. */
bool logs_placed(piw_task *task, const piw_msg *reply);
int on_logs_placed(piw_task *task, piw_msg *reply, uint64_t key);
void logs_save(const juggler *self, piw_msg *msg, file_juggler_state *body);
void logs_load(juggler *self, const file_juggler_state *state);
void logs_fini(juggler *self);
/* At a start: put those in place that an earlier master left in the journal. */
void logs_mend(juggler *self);

/* --- ready.c: files of builds of the journal that are written before they are asked for --- */
/* The site is there, or is there again: what was written on it until now isn't asked for any more. */
void ready_open(juggler *self);
/* What lay there goes, once nobody adds to it. */
void ready_clear(juggler *self);
/* This one lies in the journal as a whole now, and nothing has been written of it. */
void ready_begin(piw_task *task, int64_t build_id);
int on_made_ready(piw_task *task, piw_msg *reply, uint64_t key);
/* What has been written of it, for this job, whose it is then; NULL: nothing has. */
const struct ready_files *ready_take(juggler *self, piw_msg *job, int64_t build_id);
/* The job isn't done: they go. */
void ready_drop_of(const struct place_logs *job);
/* Nobody asks for this build's files any more, or for any. */
void ready_drop(juggler *self, int64_t build_id);
void ready_fini(juggler *self);
/* The room for so many more files (atomic_file.h). */
int64_t ready_room(juggler *self, uint32_t files);
/* What some cost (NULL: none was made). */
void ready_cost(juggler *self, const struct room_cost *cost);

/* --- small.c: builds that lie in the journal as a whole, and aren't staged --- */
/* Is this file to be received in memory, for its build is to lie there? */
bool small_takes(const juggler *self, const fs_EXPECT *expect);
/* It has passed the gate: into the journal with its build. */
int small_note(juggler *self, transfer *t, const struct check_file_reply *checked, piw_err *err);
/* Does this record hold a wheel? */
static inline bool small_has_wheel(const journal_build *build)
{
    return build->wheel != NULL && build->wheel->data != NULL && build->log != NULL && build->wheels.count >= 1 &&
           build->wheels.count <= 2;
}
/* Does this build lie there, and has no folder? */
bool small_lies(juggler *self, int64_t build_id);
/* Another record of the same build is to hold all of it. */
void small_copy(piw_msg *record, journal_build *body, const journal_build *from);
/* What a job needs to stage it. */
const struct noted_build *small_describe(piw_msg *msg, const journal_build *from);
/* Its files are in their places, or it is received anew: its mark goes. False: it stays. */
bool small_forget(juggler *self, int64_t build_id);
/* At a start: each has its mark, before anybody is answered. */
int small_open(juggler *self, piw_err *err);
/* May any lie there that isn't over? */
bool small_any(juggler *self);
/* The master stops: they are staged, which an older one understands too. */
void small_leave(juggler *self);

/* --- upkeep.c: room on the disk, files that are due for removal, syncing, trash --- */
/* `state`: a predecessor's, or NULL. */
int upkeep_begin(piw_task *task, const file_juggler_state *state);
int on_disk(piw_task *task, piw_msg *reply, uint64_t key);
int on_removals(piw_task *task, piw_msg *reply, uint64_t key);
int on_removals_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_sync(piw_task *task, piw_msg *reply, uint64_t key);
int on_synced(piw_task *task, piw_msg *reply, uint64_t key);
int on_trash_emptied(piw_task *task, piw_msg *reply, uint64_t key);
/* Note that a package's files are being put in place: a removal that was decided before must not hit them. */
void upkeep_published(juggler *self, piw_text package);
/* Nothing is left to be done of a build, or but for its log, for which nobody waits. */
void upkeep_over(juggler *self, int64_t build_id);
/* At boot: look at the logs that may have reached the disk in part only. */
int upkeep_check_logs(piw_task *task);
int on_logs_checked(piw_task *task, piw_msg *reply, uint64_t key);
/* Throw away a build's staging folder (moved aside now, removed in the pool), or what it has without one. */
int upkeep_discard(piw_task *task, int64_t build_id);
/* The same of builds that a soul before threw away, in so far as that may not have come to its end. */
int upkeep_discard_noted(piw_task *task);
int on_late_log(piw_task *task, piw_msg *reply, uint64_t key);

/* --- counts.c: what has come and was refused, told now and then to whoever counts --- */
void counts_received(juggler *self, int64_t bytes);
/* `by`: the check that a file didn't pass. */
void counts_refused(juggler *self, piw_text by);
void counts_tell(piw_task *task);
void counts_save(const juggler *self, piw_msg *msg, file_juggler_state *body);
void counts_load(juggler *self, const file_juggler_state *state);

/* --- withheld.c: wheels that are out of reach while PyPI has them quarantined --- */
/* Find out which wheels must be moved out of reach or put back. */
int withheld_look(piw_task *task);
/* Files have been put in their places: have a look if one of them may be out of place there. */
int withheld_published(piw_task *task);
int withheld_begin(piw_task *task);
int on_withheld(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_moved(piw_task *task, piw_msg *reply, uint64_t key);
int on_withheld_done(piw_task *task, piw_msg *reply, uint64_t key);

/* --- plugin_files.c --- */
typedef void tell_fn(piw_task *task, piw_text view, piw_text package, const piw_text *files, uint32_t count);
/* Whoever has subscribed hears of a package's wheels that are in their place now, or have gone from it; `view`: in whose store,
 * null or empty: the common one's. */
tell_fn tell_published, tell_removed;
/* The wheels that a publish_build job has put in place (NULL: it doesn't say). */
void tell_placed(piw_task *task, piw_text view, const struct juggler_names *placed);
/* The same of wheels of any packages, which their names tell. */
void tell_each(piw_task *task, piw_text view, const piw_text *files, uint32_t count, tell_fn *tell);
void tell_of_views(piw_task *task, const struct files_of_views *files, tell_fn *tell);
int on_write_file(piw_task *task, piw_msg *msg);
int on_remove_file(piw_task *task, piw_msg *msg);
int on_file_written(piw_task *task, piw_msg *reply, uint64_t key);
int on_file_removed(piw_task *task, piw_msg *reply, uint64_t key);

/* --- wheel_pass.c: wheels that lack something get it in the background --- */
int wheel_pass_begin(piw_task *task, wheel_pass which);
int on_pass_look(piw_task *task, piw_msg *reply, uint64_t key);
int on_pass_due(piw_task *task, piw_msg *reply, uint64_t key);
int on_pass_worked(piw_task *task, piw_msg *reply, uint64_t key);
int on_pass_told(piw_task *task, piw_msg *reply, uint64_t key);
int on_pass_over(piw_task *task, piw_msg *reply, uint64_t key);

/* --- opening.c --- */
/* Read what lies on the site, and go on with it. Once, when the site is there. */
int juggler_open(piw_task *task, const piw_msg *state, piw_err *err);

/* --- site_watch.c: is the output folder the farm's site? --- */
int site_watch_begin(piw_task *task);
int on_site_look(piw_task *task, piw_msg *reply, uint64_t key);
int on_site_mark(piw_task *task, piw_msg *reply, uint64_t key);

/* --- saved.c: the state over a swap --- */
int juggler_save(piw_task *task, piw_msg **state, piw_err *err);
int juggler_load(juggler *self, const file_juggler_state *state, piw_err *err);

#endif
