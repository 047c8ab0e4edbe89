/* journal.h — what is known of builds on their way, in a file that the next start reads: a build without wheels has nothing
 * else beside its log, and of one with wheels it says what may have to be mended after the machine went down.
 *
 * Records are appended, each with its length and checksum; reading ends at the first that isn't whole, or at the zeros that are written
 * ahead of them, so that a sync has no more to write than the records. One that has grown,
 * or ends torn, is followed by another that begins with what is open; earlier files are removed once the newest is on the disk. So the
 * size follows what is open, and nothing is ever appended behind a torn record. Nothing here syncs. One thread. */
#ifndef FILE_JUGGLER_JOURNAL_H
#define FILE_JUGGLER_JOURNAL_H

#include "file_juggler.piw.h"
#include "piw/err.h"
#include "shared/table.h"

enum {
    JOURNAL_BUILDS_MAX = 100000, /* open at once: weeks of a database that is away */
    JOURNAL_OPEN_MAX = 64 << 20, /* bytes of them */
    JOURNAL_GROWTH = 64 << 10,   /* bytes that a file may have beyond twice what is open: each swap reads it */
};

typedef enum journal_state {
    JOURNAL_IS_OPEN,    /* on its way */
    JOURNAL_IS_OVER,    /* nothing is left to be done, but it may not be on the disk */
    JOURNAL_IS_SYNCING, /* the same, and a sync is under way that has it reach the disk */
} journal_state;

typedef struct journal_entry {
    piw_table_node by_id;
    struct journal_entry *next; /* of those that are over, or that are being synced */
    int64_t build_id;
    piw_msg *owner;             /* what `build` lies in */
    const journal_build *build; /* NULL while nobody has asked for it since a swap; never from journal_find() */
    size_t size;                /* bytes of its record */
    journal_state state;
    bool whole;       /* it is open, and its wheel lies in it */
    uint8_t record[]; /* as it was read at a swap, with its head; else nothing */
} journal_entry;

/* Nobody wants it: whoever reads that throws away what is left of it. */
static inline bool journal_is_discarded(const journal_entry *entry)
{
    return entry->build != NULL && entry->build->discarded != NULL && *entry->build->discarded;
}

typedef struct journal {
    char *root;
    int fd;         /* -1: the last file can't be gone on with. The next one is begun when something is to be noted */
    bool no_room;   /* it couldn't be begun for that when it was tried last */
    int64_t number; /* of the file */
    int64_t first_number; /* of the earliest that isn't removed */
    size_t size;          /* bytes of its records */
    size_t ahead;         /* of the file: behind the records there are zeros */
    size_t open_size;     /* bytes of the records of the builds below */
    size_t whole;         /* how many of them are open, and have their wheel in it, as far as that is known */
    int64_t low;    /* builds below are over and on the disk, but for the entries; INT64_MAX: none was ever here */
    int64_t marked; /* `low` as the file has it */
    int64_t high;   /* no build from here on has been here */
    piw_table builds;
    journal_entry *over, *syncing;
    int64_t synced_number; /* while a sync is under way: the file that it has reach the disk */
} journal;

/* Read what an earlier journal left under `root`, and go on with it. Where it ends torn, and the disk has no room for the next file, it is
 * open all the same, without a file, and `err` says so. `known` (or NULL): the files that there were a moment ago, at a
 * swap. Then the folder, which others are busy in, isn't listed, and records are only looked through: each is read when it is
 * asked for. */
int journal_open(journal *j, const char *root, const juggler_files *known, piw_err *err);
void journal_close(journal *j);
/* Note a build, in place of what was noted of it. Takes *owner, a journal_build message, on success. */
int journal_put(journal *j, piw_msg **owner, piw_err *err);
/* What the disk has of the journal may say that this build is over: it has to be synced before its row is committed. */
bool journal_late(const journal *j, int64_t build_id);
const journal_entry *journal_find(journal *j, int64_t build_id);
/* One after the other; NULL begins and ends. */
const journal_entry *journal_next(const journal *j, const journal_entry *entry);
/* What a swap has kept of a record that nobody has asked for since: it has its build's wheel. */
void journal_is_whole(journal *j, int64_t build_id);
/* Nothing is left to be done of this build (which needn't be here). */
void journal_end(journal *j, int64_t build_id);
/* A sync of everything begins, and ends: after a good one what was over at its beginning is forgotten. */
void journal_sync_begins(journal *j);
int journal_sync_ends(journal *j, bool good, piw_err *err);
/* Where the present file lies. */
bool journal_path(const journal *j, char *path);

#endif
