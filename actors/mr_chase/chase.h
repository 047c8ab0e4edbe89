/* chase.h — inside mr_chase: the imports under way, and what its files do for each other.
 *
 * Calls go one way, from the end of this list to its beginning: imports.c keeps the imports, state.c carries them
 * over a swap or restart, import.c is an import in progress, answers.c makes answers; above them stand
 * conversation.c, which speaks with importers, admin.c, which answers what administrators ask, and abis.c, views.c, why.c and
 * commands.c, which answer what an operator asks with piw-ctl; mr_chase.c puts them together. Everything belongs to
 * the task's thread. */
#ifndef MR_CHASE_CHASE_H
#define MR_CHASE_CHASE_H

#include "db.piw.h"
#include "events.piw.h"
#include "import.piw.h"
#include "mr_chase.piw.h"
#include "orders.piw.h"
#include "piw/plugin.h"
#include "shared/names.h"
#include "shared/table.h"
#include "shared/views.h"

enum {
    CHASE_BAD_TRANSFERS = 5,     /* of one file, then the import has failed */
    CHASE_REMEMBER_MS = 3600000, /* an importer that lost its turn is told so when it speaks again by then */
};

/* What an import waits for. Numbers stand in saved state. */
enum {
    CHASE_KNOWN = 1,    /* the answer whether version and ABI are known */
    CHASE_NUMBER = 2,   /* a number for the build */
    CHASE_TURN = 3,     /* those who came before */
    CHASE_EXPECT = 4,   /* the file service to expect a file, then SEND */
    CHASE_SENDING = 5,  /* the importer: it has SEND, and no request of it is open */
    CHASE_VERIFY = 6,   /* the file to be verified */
    CHASE_STAGE = 7,    /* the log to be staged */
    CHASE_RECORD = 8,   /* the build's row */
    CHASE_RECORDED = 9, /* the answer whether an earlier try has made the row */
    CHASE_PUBLISH = 10, /* the files to be in place, then DONE */
    CHASE_LOST = 11,    /* nothing: it fell silent and lost its turn */
    CHASE_PHASES,       /* so many; the ends of an import are never saved */
    CHASE_DONE = CHASE_PHASES,
    CHASE_REFUSED,
};

typedef struct importer {
    piw_table_node by_id, by_peer;
    /* What a swap and a restart keep. What it points to lies in `memory`; `verified` has room for each file of the report. */
    chase_import saved;
    int64_t heard_ns;               /* when it was last heard of, while it sends */
    bool expecting;                 /* its file is being expected once more meanwhile */
    char package[PIW_NAME_MAX + 1]; /* canonical */
    piw_msg *memory;                /* ours: the import_IMPORT that the report came in */
} importer;

typedef struct chase {
    piw_task *task;
    piw_table by_id, by_peer;
    int64_t last_id;
    int64_t turn; /* the id of the one that transfers, 0: none */
    int64_t silence_ms;
    piw_outage stuck[CHASE_PHASES]; /* imports have to try a step again */
    struct chase_asked *asked;      /* questions of operators that wait for their answers */
    piw_views views;
    piw_msg *here; /* slaves_here, the latest; NULL: not heard yet. slave_driver says it every few seconds */
} chase;

/* --- imports.c --------------------------------------------------------------------------------------------------- */
importer *chase_of_peer(const chase *self, piw_peer peer);
importer *chase_of_id(const chase *self, int64_t id);
importer *chase_next(const chase *self, const importer *imp); /* NULL begins and ends */
/* A new import. Takes `report`, an import_IMPORT; `id` 0 gives the next one. */
importer *chase_add(chase *self, piw_peer peer, int64_t id, piw_msg **report);
void chase_remove(chase *self, importer **imp);
const build_state *chase_report(const importer *imp);
/* The one that has waited longest for its turn, or NULL. */
importer *chase_first_waiting(const chase *self);

/* --- state.c ----------------------------------------------------------------------------------------------------- */
int chase_save(piw_task *task, piw_msg **state, piw_err *err);
void chase_load(chase *self, const piw_msg *state);
/* Keep the importer's record for a restart of this task. */
void chase_remember(chase *self, const importer *imp);
/* After a cold restart: the imports from the records that the shell kept, as they were. */
void chase_recall(chase *self);

/* --- import.c ---------------------------------------------------------------------------------------------------- */
/* Go to a phase, and ask for what it needs. */
void chase_import_go(chase *self, importer *imp, int phase);
/* Ask for it once more. */
void chase_import_step(chase *self, importer *imp);
/* The answer to what was asked. Returns the phase that the import is in now; at its end CHASE_DONE, or CHASE_REFUSED with
 * the reason. The caller gives a turn, says SEND, or forgets the import. */
int chase_import_answered(chase *self, importer *imp, const piw_msg *reply, piw_err *err);
/* file_juggler knows nothing of the file that the importer sends, if it does: have it expected once more. */
void chase_import_expect_again(chase *self, importer *imp);
/* Is this the answer to that? */
bool chase_import_expected_again(chase *self, importer *imp, const piw_msg *reply);
/* Throw away what is staged, unless its row may exist. */
void chase_import_discard(chase *self, importer *imp);

/* --- answers.c --------------------------------------------------------------------------------------------------- */
/* Answer a request with ERROR. */
int chase_error(piw_task *task, piw_msg *request, const char *why);
/* Hand a request on as a call of ours. */
int chase_ask(piw_task *task, piw_msg *request, piw_msg *call, const char *continuation);
/* An answer of lines that is being written. */
typedef struct chase_answer {
    piw_msg *msg;
    orders_ORDER_reply *body;
} chase_answer;
chase_answer chase_answer_new(void);
void chase_say(chase_answer *to, const char *fmt, ...) PIW_PRINTF(2, 3);
int chase_give(piw_task *task, uint64_t key, chase_answer *made);
/* Answers with the error of the database's reply, and says so when it is the database that is away. */
int chase_pass_error(piw_task *task, uint64_t key, const piw_msg *reply);

/* --- conversation.c ---------------------------------------------------------------------------------------------- */
int on_known(piw_task *task, piw_msg *reply, uint64_t key);
int on_number(piw_task *task, piw_msg *reply, uint64_t key);
int on_expected(piw_task *task, piw_msg *reply, uint64_t key);
int on_verified(piw_task *task, piw_msg *reply, uint64_t key);
int on_staged(piw_task *task, piw_msg *reply, uint64_t key);
int on_recorded(piw_task *task, piw_msg *reply, uint64_t key);
int on_was_recorded(piw_task *task, piw_msg *reply, uint64_t key);
int on_published(piw_task *task, piw_msg *reply, uint64_t key);
int on_again(piw_task *task, piw_msg *reply, uint64_t key);
/* A piece of the file came in. */
int chase_on_alive(piw_task *task, piw_msg *msg);
/* An importer says HELLO on the file queue, which doesn't know what is to come. */
int chase_on_unknown(piw_task *task, piw_msg *msg);
int chase_on_import(piw_task *task, piw_msg *msg);
int chase_on_sent(piw_task *task, piw_msg *msg);
int on_silent(piw_task *task, piw_msg *reply, uint64_t key);
/* What was under way before a restart: an importer that sends goes on; a build that may have been recorded is put in place,
 * though nobody waits for it any more; the rest was refused together with its open request. */
void chase_resume(chase *self);

/* --- admin.c ----------------------------------------------------------------------------------------------------- */
int chase_on_addpkg(piw_task *task, piw_msg *msg);
int chase_on_addver(piw_task *task, piw_msg *msg);
int chase_on_rempkg(piw_task *task, piw_msg *msg);
int chase_on_remver(piw_task *task, piw_msg *msg);
int chase_on_rebuild(piw_task *task, piw_msg *msg);
int chase_on_rebuilding(piw_task *task, piw_msg *msg);
int on_rebuilding(piw_task *task, piw_msg *reply, uint64_t key);
int on_administered(piw_task *task, piw_msg *reply, uint64_t key);
int on_rebuild_project(piw_task *task, piw_msg *reply, uint64_t key);
int on_rebuild_both(piw_task *task, piw_msg *reply, uint64_t key);
int on_rebuilt(piw_task *task, piw_msg *reply, uint64_t key);

/* --- commands.c --------------------------------------------------------------------------------------------------- */
int chase_on_command(piw_task *task, piw_msg *msg);
int on_builds(piw_task *task, piw_msg *reply, uint64_t key);
int on_retry(piw_task *task, piw_msg *reply, uint64_t key);

/* --- why.c -------------------------------------------------------------------------------------------------------- */
enum { CHASE_MOMENT_BYTES = 40 };
/* To the second, in UTC. */
const char *chase_moment(piw_time time, char text[CHASE_MOMENT_BYTES]);
/* Answer why a version, or (version.s NULL) a package, is as it is. */
int chase_why(piw_task *task, piw_msg *msg, const char *package, piw_text version);
void chase_forget_questions(chase *self);
int on_why(piw_task *task, piw_msg *reply, uint64_t key);
int on_why_rests(piw_task *task, piw_msg *reply, uint64_t key);
int on_why_package(piw_task *task, piw_msg *reply, uint64_t key);
int on_why_package_rests(piw_task *task, piw_msg *reply, uint64_t key);

/* --- views.c ----------------------------------------------------------------------------------------------------- */
int chase_on_view_command(piw_task *task, piw_msg *msg);
int on_view_list(piw_task *task, piw_msg *reply, uint64_t key);
int on_view_changed(piw_task *task, piw_msg *reply, uint64_t key);

/* --- abis.c ------------------------------------------------------------------------------------------------------ */
#define CHASE_NO_ABI "the farm builds for no ABI: piw-ctl abi add ABI, such as cp311"
int chase_on_abi_command(piw_task *task, piw_msg *msg);
int on_abi_list(piw_task *task, piw_msg *reply, uint64_t key);
int on_abi_changed(piw_task *task, piw_msg *reply, uint64_t key);
int chase_on_slaves_here(piw_task *task, piw_msg *msg);
/* How many slaves build from this queue. */
int64_t chase_slaves_of(const chase *self, piw_text queue);
/* Slaves of ABIs that the farm doesn't know: those that are not in `list`, or (NULL) as slave_driver said. */
void chase_say_strangers(const chase *self, chase_answer *to, const db_ABI_LIST_reply *list);

#endif
