/* deliver.c — the conversation of an import: IMPORT, the files that the master asks for, DONE. */
#include "deliver.h"

#include "common/progress.h"
#include "common/reach.h"
#include "common/transfer.h"
#include "piw/log.h"
#include "shared/text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATIENCE_S = 3600,  /* imports wait for each other, and for a database that is away */
    SILENCE_MS = 30000, /* in a transfer; the master gives up an import that is silent for so long */
    LOOK_MS = 500,      /* how often the connection is looked at during a transfer */
    TRIES_MAX = 10,     /* of one file; a master of ours gives up sooner */
};

typedef struct delivery {
    clerk *clerk;
    const build_file *file; /* that is being sent */
    int64_t done_bytes;     /* of the files before */
    int64_t all_bytes;      /* of all files */
    tool_progress progress;
} delivery;

/* --- Progress ------------------------------------------------------------------------------------------------------ */

static void on_progress(void *arg, int64_t sent, int64_t size)
{
    delivery *d = arg;
    char part[32], whole[32];
    piw_size_print(sent, part, sizeof(part));
    piw_size_print(size, whole, sizeof(whole));
    tool_progress_show(&d->progress, false, d->done_bytes + sent, d->all_bytes, "%s: %s of %s sent", d->file->filename,
                       part, whole);
}

/* --- One file ------------------------------------------------------------------------------------------------------ */

/* In short steps, so that a master that goes away is noticed. */
static int wait_in_transfer(void *arg, int fd, int64_t timeout_ms)
{
    const delivery *d = arg;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready = poll(&wait, 1, (int)(timeout_ms < LOOK_MS ? timeout_ms : LOOK_MS));
    if (ready < 0 && errno != EINTR)
        return PIW_ESYS;
    if (!piw_client_connected(d->clerk->queue) || piw_client_reconnected(d->clerk->queue))
        return PIW_EDEAD;
    return ready == 0 ? PIW_EDEADLINE : 0;
}

static int send_file(delivery *d, build_file *file, const char *file_queue, piw_err *err)
{
    if (file->sent++ > 0)
        piw_warning("%s came to the master damaged: sending it again", file->filename);
    if (file->sent > TRIES_MAX)
        return piw_err_set(err, PIW_EDEAD, "%.200s was sent %d times, and the master still asks for it", file->filename,
                           TRIES_MAX);
    const tool_transfer transfer = {.address = file_queue,
                                    .silence_ms = SILENCE_MS,
                                    .reach_ms = TOOL_REACH_MS,
                                    .size = file->size,
                                    .wait = wait_in_transfer,
                                    .progress = on_progress,
                                    .arg = d};
    d->file = file;
    int rc = tool_transfer_file(&transfer, file->path, err);
    tool_progress_clear(&d->progress);
    if (rc == 0 && file->sent == 1)
        d->done_bytes += file->size;
    if (rc == PIW_EDEAD)
        piw_err_set(err, rc, "the master at %.200s went away", d->clerk->address);
    if (rc != 0)
        piw_err_prefix(err, "%.200s can't be sent", file->filename);
    return rc;
}

/* A name from the master is only ever compared with those that were announced. */
static int on_send(delivery *d, build *b, const char *file_queue, piw_text name, piw_err *err)
{
    for (size_t i = 0; i < b->count; i++)
        if (piw_text_is(name, b->files[i].filename))
            return send_file(d, &b->files[i], file_queue, err);
    return piw_err_set(err, PIW_ESHAPE, "the master asked for %.200s, which is no file of this import", name.s);
}

/* --- The conversation ---------------------------------------------------------------------------------------------- */

/* DONE is believed only when every file was asked for: files are deleted for it. */
static int on_done(const build *b, piw_err *err)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->files[i].sent == 0)
            return piw_err_set(err, PIW_ESHAPE, "the master says that it is done, but never asked for %.200s",
                               b->files[i].filename);
    return 0;
}

int deliver(clerk *self, build *b, const char *file_queue, piw_err *err)
{
    delivery d = {.clerk = self};
    tool_progress_begin(&d.progress, piw_config_switch(self->config, "quiet") ? NULL : stderr);
    for (size_t i = 0; i < b->count; i++)
        d.all_bytes += b->files[i].size;
    piw_msg *request = b->request, *answer = NULL;
    b->request = NULL;
    int rc = tool_check_listens(file_queue, "run this as the master's own user", err);
    if (rc != 0) {
        piw_msg_free(&request);
        return rc;
    }
    for (bool done = false; rc == 0 && !done;) {
        rc = clerk_ask(self, request, PATIENCE_S, &answer, err);
        if (rc != 0)
            return rc;
        request = NULL;
        if (piw_msg_type_of(answer) == import_SEND_type()) {
            rc = on_send(&d, b, file_queue, import_SEND_of(answer)->filename, err);
            if (rc == 0)
                request = import_SENT_new();
        } else if (piw_msg_type_of(answer) == import_DONE_type()) {
            rc = on_done(b, err);
            done = true;
        } else {
            rc = piw_err_set(err, PIW_EREFUSED, "the master refuses: %s", import_ERROR_of(answer)->message.s);
        }
        piw_msg_free(&answer);
    }
    return rc;
}
