/* recording.h — the file of a recording: written while a task runs, read by who plays it (docs/recording.md).
 *
 * A head, then records, each with its length and checksum: messages of proto/recording.piw in MessagePack. Writing: any
 * thread; what is added lies in memory until a thread of the recording has written it, so that no disk holds up a task.
 * A reader belongs to one thread. */
#ifndef PIW__RECORDING_H
#define PIW__RECORDING_H

#include "piw/codec.h"

/* What comes to a soul (recording_came.kind). Kept: numbers stand in files. */
typedef enum {
    PIW_CAME_MESSAGE = 1,
    PIW_CAME_ANSWER = 2,       /* to a call */
    PIW_CAME_RESULT = 3,       /* of a job */
    PIW_CAME_CONTINUATION = 4, /* a timer, or a descriptor */
    PIW_CAME_IDLE = 5,
} piw_came;

/* What it sends (recording_sent.kind). Kept, likewise. */
typedef enum {
    PIW_SENT_CAST = 1,
    PIW_SENT_CALL = 2,
    PIW_SENT_EVENT = 3,
    PIW_SENT_ANSWER = 4,
    PIW_SENT_FORWARD = 5, /* a request is handed on */
    PIW_SENT_JOB = 6,
    PIW_SENT_PEER = 7, /* to a peer or the subscribers of an outer queue */
} piw_sent;

/* What a task did with a file (recording_file.how). Kept, likewise. */
typedef enum {
    PIW_FILE_READ = 1, /* with its content, the first time */
    PIW_FILE_WRITTEN = 2,
    PIW_FILE_REMOVED = 3,
} piw_file_use;

/* --- Writing (inside the core) -------------------------------------------------------------------------------------- */

typedef struct piw__recording piw__recording;

/* A new file, mode 0600, that must not be there yet. It ends by itself at `until_ns` (0: never), at `max` bytes (0: no
 * bound), and when it can't be written; the log says so. */
int piw__recording_new(piw__recording **recording, const char *task, const char *path, uint64_t max, int64_t until_ns,
                       piw_err *err);
piw__recording *piw__recording_ref(piw__recording *recording);
void piw__recording_unref(piw__recording **recording); /* the last one ends it */
const char *piw__recording_path(const piw__recording *recording);
/* Append a record to `to`, framed as the file has it. */
void piw__recording_frame(piw_buffer *to, const piw_msg *record);
/* Add framed records. */
void piw__recording_add(piw__recording *recording, const void *data, size_t len);
void piw__recording_put(piw__recording *recording, piw_msg **record);
/* The number of a protocol; its shapes are written before that is first told. */
int64_t piw__recording_protocol(piw__recording *recording, const piw_protocol *protocol);
/* Is this the first time that it is asked for this text? */
bool piw__recording_first(piw__recording *recording, const char *kind, const char *text);
/* Does it take nothing more, for whatever reason? Is all of it on disk, too? */
bool piw__recording_over(piw__recording *recording);
bool piw__recording_closed(piw__recording *recording);
/* End it, if it hasn't ended; and wait until it is on disk. */
void piw__recording_end(piw__recording *recording, const char *why);
void piw__recording_close(piw__recording *recording, const char *why);
/* How far it has come, as a sentence. */
void piw__recording_tell(piw__recording *recording, char *to, size_t size);

/* The body of a message in MessagePack; NULL when it has none, or can't be encoded. */
piw_blob *piw__recording_body(const piw_msg *msg);

/* --- Reading -------------------------------------------------------------------------------------------------------- */

typedef struct piw_recording piw_recording;

/* PIW_ESHAPE: it is none. */
PIW_API int piw_recording_open(piw_recording **recording, const char *path, piw_err *err);
PIW_API void piw_recording_close(piw_recording **recording);
/* The next record, a message of recording_protocol_def: 1; 0 at its end; PIW_ESHAPE when it is damaged there. */
PIW_API int piw_recording_next(piw_recording *recording, piw_msg **record, piw_err *err);
/* Where the next record stands; go there. */
PIW_API uint64_t piw_recording_at(const piw_recording *recording);
PIW_API void piw_recording_go(piw_recording *recording, uint64_t at);
/* Does it break off without a record that ends it? Known when its end was reached. */
PIW_API bool piw_recording_torn(const piw_recording *recording);
/* The word that a record names by the number of its protocol; NULL: the file hasn't said what that is. */
PIW_API const piw_msg_type *piw_recording_word(const piw_recording *recording, int64_t protocol, int64_t word);
/* The message of such a record, as it was recorded. Its type lives as long as the reader. */
PIW_API int piw_recording_message(const piw_recording *recording, int64_t protocol, int64_t word, const piw_blob *data,
                                  piw_msg **msg, piw_err *err);
/* The same, read by name as `to`. */
PIW_API int piw_recording_as(const piw_recording *recording, int64_t protocol, int64_t word, const piw_blob *data,
                             const piw_msg_type *to, piw_msg **msg, piw_err *err);

#endif
