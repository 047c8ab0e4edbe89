/* playback.h — inside the runtime: what a recording holds for who plays it: settings, files, and which answer belongs to what. */
#ifndef PIW__PLAYBACK_H
#define PIW__PLAYBACK_H

#include "base/table.h"
#include "plugin/image.h"
#include "record/recording.h"

/* A recorded call or job, in their order. */
typedef struct piw__wanted {
    piw__node by_id;
    struct piw__wanted *next; /* with the same content */
    int64_t id;
    uint64_t key;       /* of the content */
    uint64_t answer_at; /* where its answer stands; 0: there is none */
    uint64_t mine;      /* the call that plays it; 0: none */
    bool listed;        /* with its content */
    piw_msg *result;    /* of its job, until its time */
} piw__wanted;

typedef struct piw__same {
    piw__node node; /* key: of the content */
    piw__wanted *first, *last;
} piw__same;

typedef struct piw__playback {
    piw_msg *begin;
    const piw__image *image;
    piw__table by_id, same;
    char **settings; /* name, value, name, value; a value may be NULL */
    size_t settings_count;
    const char **names; /* of continuations that come without a message; interned */
    size_t names_count;
} piw__playback;

/* Look through the recording; files that the task read are laid below `root`. */
int piw__playback_read(piw__playback *self, piw_recording *file, const piw__image *image, const char *root,
                       piw_err *err);
/* The plugin's own type by the names of a recorded one; NULL: it has none. */
const piw_msg_type *piw__playback_type(const piw__playback *self, const piw_recording *file, int64_t protocol,
                                       int64_t word);
piw__wanted *piw__playback_of_id(piw__playback *self, int64_t id);
/* The first of the same type and content that nobody has taken. */
piw__wanted *piw__playback_match(piw__playback *self, const piw_msg *call);
piw__wanted *piw__playback_match_job(piw__playback *self, const piw_msg_type *job);
const char *piw__playback_setting(const piw__playback *self, const char *name);
/* Does it say anything about timers that come to this continuation? */
bool piw__playback_names(const piw__playback *self, const char *continuation);
/* A path from / on, as one below `root`; any other text as it is. The caller frees. */
char *piw__playback_place(const char *root, const char *text);

#endif
