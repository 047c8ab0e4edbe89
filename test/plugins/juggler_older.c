/* juggler_older — as much of a file_juggler from before builds lay in the journal as a whole as its beginning needs: a transfer that was
 * saved and has no size is none. It does nothing. */
#include "file.piw.h"
#include "file_juggler.piw.h"
#include "fs.piw.h"
#include "piw/plugin.h"

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    const file_juggler_state *body = state == NULL ? NULL : file_juggler_state_of(state);
    for (uint32_t i = 0; body != NULL && i < body->transfers.count; i++)
        if (body->transfers.at[i].size <= 0)
            return piw_err_set(err, PIW_EINVAL, "the saved transfer of \"%s\" has no size",
                               body->transfers.at[i].filename.s);
    piw_soul_set(task, NULL);
    return 0;
}

static void stop(piw_task *task, bool leaving)
{
    (void)task, (void)leaving;
}

static int save(piw_task *task, piw_msg **state, piw_err *err)
{
    (void)task, (void)err;
    file_juggler_state *body;
    *state = file_juggler_state_new(&body);
    return 0;
}

static int on_any(piw_task *task, piw_msg *msg)
{
    return piw_msg_type_of(msg)->reply < 0 ? 0 : piw_refuse(task, msg, PIW_EAGAIN, "it does nothing");
}

static const piw_opt options[] = {{.name = "removals-every",
                                   .kind = PIW_OPT_DURATION,
                                   .value_name = "DURATION",
                                   .fallback = "30s",
                                   .help = "for which it has no use",
                                   .min = 100,
                                   .max = 3600000},
                                  PIW_OPT_END};
static const piw_service serves[] = {{"fs", &fs_protocol_def}, PIW_SERVICES_END};
static const piw_service queues[] = {{"file", &file_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {
    {&file_protocol_def, FILE_HELLO, on_any},   {&file_protocol_def, FILE_CHUNK, on_any},
    {&fs_protocol_def, FS_EXPECT, on_any},      {&fs_protocol_def, FS_VERIFY, on_any},
    {&fs_protocol_def, FS_STAGE, on_any},       {&fs_protocol_def, FS_PUBLISH, on_any},
    {&fs_protocol_def, FS_SEAL, on_any},        {&fs_protocol_def, FS_RECORDED, on_any},
    {&fs_protocol_def, FS_SETTLE, on_any},      {&fs_protocol_def, FS_WITHHELD, on_any},
    {&fs_protocol_def, FS_DISCARD, on_any},     {&fs_protocol_def, FS_WRITE_FILE, on_any},
    {&fs_protocol_def, FS_REMOVE_FILE, on_any}, PIW_HANDLERS_END};

PIW_PLUGIN(juggler_older, .version = "0.9", .summary = "a file_juggler that does nothing", .serves = serves,
           .queues = queues, .options = options, .state_protocol = &file_juggler_protocol_def,
           .state_message = FILE_JUGGLER_STATE, .start = start, .stop = stop, .save = save, .handlers = handlers);
