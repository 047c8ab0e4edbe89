/* task.h — what the soul of a task may do: send, answer, wait, work (docs/bus.md).
 *
 * A task is a shell, owned by the runtime (thread, mailbox, timers, watched descriptors, ports, pending calls,
 * deferred requests), and a soul, from a plugin: handlers and state. The soul's functions run on the shell's thread,
 * one at a time, each to its end and in at most PIW_LIMIT_HANDLER_MS; so plugin code needs no locks. All functions
 * here are called on that thread only, from a soul's function, with the task it was given.
 *
 * What a handler does — casts, calls, answers, deferrals, timers, peer records, events — is collected and takes effect
 * when it returns 0. When it returns an error all of it is undone and the request gets the error as its answer; the
 * handler must have left its own state unchanged: decide first, then change.
 *
 * Functions that take `piw_msg **` own the message when they return 0 and set the pointer to NULL; when they fail the
 * caller still owns it. */
#ifndef PIW_TASK_H
#define PIW_TASK_H

#include "piw/log.h"
#include "piw/msg.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct piw_task piw_task;

typedef enum {
    PIW_BOOT,    /* the master starts: only now what an earlier run left is cleaned up */
    PIW_RESTART, /* the task failed, or was restarted cold */
    PIW_SWAP,    /* takes over from a running soul, with its state */
} piw_why;

/* --- The soul ------------------------------------------------------------------------------------------------- */

/* Begin. `state` is what the predecessor saved, or NULL; borrowed. Return 0 when ready; PIW_EAGAIN to become ready later
 * (piw_ready; in a swap within PIW_LIMIT_SWAP_MS, else the predecessor takes over again); an error with a sentence in
 * err to refuse (nothing may be left behind: calls, timers and watches made here are undone). */
typedef int piw_start_fn(piw_task *task, piw_why why, const piw_msg *state, piw_err *err);
/* End: free the soul's memory. `leaving` is true when the master stops or the task is disabled: then last casts may be
 * sent (they are delivered), false when a successor has taken over. */
typedef void piw_stop_fn(piw_task *task, bool leaving);
/* Save a copy of the state as a message (of the manifest's state type); the soul stays whole and may go on. */
typedef int piw_save_fn(piw_task *task, piw_msg **state, piw_err *err);
/* A message has come. Borrowed: the runtime frees it afterwards. */
typedef int piw_handler_fn(piw_task *task, piw_msg *msg);
/* An answer, a timer, a descriptor or finished work has come back: to the continuation NAME with the key that was
 * given. `reply` is NULL for timers and descriptors; check piw_msg_error(reply) first. */
typedef int piw_continuation_fn(piw_task *task, piw_msg *reply, uint64_t key);
/* A continuation's name, as those functions want it that come back to one: PIW_ON(opened) is "opened". Its function,
 * on_opened, must be declared (`static piw_continuation_fn on_opened;`), so that a name with a typo doesn't compile. */
#define PIW_ON(name) (&#name[0 * sizeof(piw__a_continuation(on_##name))])
char piw__a_continuation(piw_continuation_fn *fn); /* for the compiler alone: there is no such function */
/* The mailbox is empty and the thread is about to sleep (group commits end here). */
typedef int piw_idle_fn(piw_task *task);

PIW_API void piw_soul_set(piw_task *task, void *soul);
PIW_API void *piw_soul(const piw_task *task);
/* What no message can say and ends with the process, such as connections that are under way: one pointer that stays with the
 * shell, for the souls that follow; NULL at first. Functions and memory that it leads to may be an earlier version's, which
 * stays mapped; so what it points to begins with a mark and a form of its own, and one of another form is left alone. Not
 * undone when the handler fails. The last soul (stop with nobody to follow it) frees the memory and sets NULL. Of an isolated
 * task it ends with the process. */
PIW_API void piw_keep(piw_task *task, void *kept);
PIW_API void *piw_kept(const piw_task *task);
/* What the plugin prepared before this start (PIW_PREPARES in plugin.h), waited for; from then on the soul's. NULL: nothing, or it has
 * been taken. For the first instance, in its start with PIW_BOOT. */
PIW_API void *piw_prepared(piw_task *task);
PIW_API void piw_ready(piw_task *task);
/* This soul can't go on: it is stopped and restarted with back-off (docs/bus.md#failure). The handler should then
 * return. */
PIW_API void piw_fail(piw_task *task, const char *fmt, ...) PIW_PRINTF(2, 3);
/* Stop the whole master in order, exit code 0 (or 1 with a reason that isn't NULL). */
PIW_API void piw_quit(piw_task *task, const char *reason);

PIW_API const char *piw_task_name(const piw_task *task); /* "greeter" */
/* One line about what the task is at, for `piw-ctl list` and `top`: "3,000 of about 20,000 guests greeted". At most
 * PIW_LIMIT_NOTE bytes, longer text is cut; "" takes it away, as the soul's end and its successor do. It is shown at once, also
 * when the handler then fails. It is no log: for what an operator should find later, log. */
PIW_API void piw_task_note(piw_task *task, const char *fmt, ...) PIW_PRINTF(2, 3);
PIW_API unsigned piw_task_instance(const piw_task *task);  /* 0 … instances - 1 */
PIW_API unsigned piw_task_instances(const piw_task *task); /* how many there are of this task */

/* --- Sending -------------------------------------------------------------------------------------------------- */

/* To the service whose protocol the message belongs to; no answer. */
PIW_API int piw_cast(piw_task *task, piw_msg **msg);
/* The same, answered to a continuation (PIW_ON). deadline_ms 0: the type's default; < 0: none. */
PIW_API int piw_call(piw_task *task, piw_msg **msg, const char *continuation, uint64_t key, int64_t deadline_ms);
/* Towards a service by name, for services that share a protocol; instance < 0: the runtime's choice (round robin). */
PIW_API int piw_cast_to(piw_task *task, const char *service, int instance, piw_msg **msg);
PIW_API int piw_call_to(piw_task *task, const char *service, int instance, piw_msg **msg, const char *continuation,
                        uint64_t key, int64_t deadline_ms);
/* Hand a request on as it is: its answer goes straight to whoever asked. Ends the request for this task. */
PIW_API int piw_forward(piw_task *task, piw_msg *request, const char *service, int instance);
/* How many instances serve a service now (0: absent). */
PIW_API unsigned piw_service_instances(piw_task *task, const char *service);
/* To everybody who subscribed to this event. */
PIW_API int piw_emit(piw_task *task, piw_msg **event);

/* --- Answering: each request exactly once -------------------------------------------------------------------------- */

PIW_API int piw_reply(piw_task *task, piw_msg *request, piw_msg **answer);
/* Answer with an error (on an outer queue it becomes the queue's error answer). */
PIW_API int piw_refuse(piw_task *task, piw_msg *request, int code, const char *fmt, ...) PIW_PRINTF(4, 5);
/* Keep the request open beyond this handler; the token may be kept in saved state. The message itself ends with the
 * handler: copy what is needed. */
PIW_API int piw_defer(piw_task *task, piw_msg *request, piw_token *token);
PIW_API int piw_answer(piw_task *task, piw_token token, piw_msg **answer);
PIW_API int piw_answer_error(piw_task *task, piw_token token, int code, const char *fmt, ...) PIW_PRINTF(4, 5);
/* End the request on purpose without an answer; counted, logged at debug. */
PIW_API int piw_drop(piw_task *task, piw_msg *request, const char *why);
PIW_API int piw_drop_token(piw_task *task, piw_token token, const char *why);
/* Was this message taken in although its data did not fit (PIW_M_MALFORMED)? Then the body is zero, and this is the
 * reason; else NULL. */
PIW_API const char *piw_malformed(const piw_msg *msg);
/* The name of the task that made this call; "": nobody of this process did. For limits of each, not for what it may do. */
PIW_API const char *piw_msg_asker(const piw_msg *msg);
/* Is this the second try that the queue gives after an error (PIW_M_AGAIN)? */
PIW_API bool piw_again(const piw_msg *msg);

/* --- Time, descriptors, work ----------------------------------------------------------------------------------- */

/* A timer is known by its continuation and key; setting it again moves it. period_ms 0: once. Survives a swap. */
PIW_API int piw_timer(piw_task *task, const char *continuation, uint64_t key, int64_t delay_ms, int64_t period_ms);
PIW_API void piw_timer_stop(piw_task *task, const char *continuation, uint64_t key);
/* Call the continuation whenever the descriptor is readable (PIW_READ) or writable. The caller keeps owning it and
 * unwatches before closing. Watches end with the soul: start sets them anew. */
enum { PIW_READ = 1, PIW_WRITE = 2 };
PIW_API int piw_watch(piw_task *task, int fd, int events, const char *continuation, uint64_t key);
PIW_API void piw_unwatch(piw_task *task, int fd);

/* Run fn in the worker pool with the job (an IDL `work` message); its result, or error, comes to the continuation.
 * Jobs of one task are begun in their order, and in turn with those of others: thousands hold up nobody else's for longer than one takes.
 * fn may block and must not touch the task or the soul. It returns 0 with *result made by it, or an error. */
typedef int piw_work_fn(piw_msg *job, piw_msg **result, piw_err *err);
PIW_API int piw_work(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key);
/* The same for what nobody waits for: threads of their own run it, which have the least priority the system gives (SCHED_IDLE) and
 * can't have more again, not even for a moment. Where others want the processors it may take long, and a lock that fn holds
 * meanwhile, of a file say, is held as long. So nothing goes here that a build, a request or a person waits for. What is larger
 * than PIW_LIMIT_LARGE_JOB always goes apart too, one at a time, at nice 19: few wait for it, and all would for the processors that it
 * takes. */
PIW_API int piw_work_background(piw_task *task, piw_work_fn *fn, piw_msg **job, const char *continuation, uint64_t key);

/* For recordings (docs/recording.md): this task, in a function of its soul or in a job, has read, written or removed the file, by
 * its whole path. Who plays a recording needs what was read, and compares what was written. While nothing is recorded it costs a
 * look. */
PIW_API void piw_file_was_read(const char *path);
PIW_API void piw_file_was_written(const char *path);
PIW_API void piw_file_was_removed(const char *path);

/* --- Peers of outer queues -------------------------------------------------------------------------------------- */

/* One connection of a ROUTER or FRAMES queue; 0 is none. Never reused within a run of the master. */
typedef uint64_t piw_peer;
PIW_API piw_peer piw_msg_peer(const piw_msg *msg);
PIW_API const char *piw_peer_address(piw_task *task, piw_peer peer); /* "192.0.2.7", "local" for ipc; NULL: unknown */
/* Since when (CLOCK_MONOTONIC) the peer's connection is gone; 0: it is there, or nothing is known of it (FRAMES queues). A
 * peer that is forgotten has been gone for ever. `sure`, unless NULL: false when it may yet speak again. A plugin that has a continuation
 * "peer_gone" is told of each (the key; perhaps more than once), before it hears others that came later. */
PIW_API int64_t piw_peer_gone_ns(piw_task *task, piw_peer peer, bool *sure);
/* One message kept by the shell for the peer (IDL `peer` type); survives swap and restart. NULL clears. */
PIW_API int piw_peer_set(piw_task *task, piw_peer peer, piw_msg **record);
PIW_API const piw_msg *piw_peer_get(piw_task *task, piw_peer peer);
/* All peers of a queue that have a record; `fn` returns 0 to go on. It may set or clear the record of its peer. */
typedef int piw_peer_fn(piw_task *task, piw_peer peer, const piw_msg *record, void *arg);
PIW_API int piw_peer_each(piw_task *task, const char *queue, piw_peer_fn *fn, void *arg);
/* Unasked message to a peer of a FRAMES queue. PIW_EDEAD comes as a counted dead letter, not here. */
PIW_API int piw_peer_send(piw_task *task, piw_peer peer, piw_msg **msg);
/* Forget the peer: its next message makes it a new one. */
PIW_API void piw_peer_forget(piw_task *task, piw_peer peer);
/* To all subscribers of a PUB queue. */
PIW_API int piw_publish(piw_task *task, piw_msg **msg);

/* Read no more from the outer queues that this task serves (true), or go on (false): what their peers send meanwhile
 * waits with ZeroMQ, which makes them wait in turn. For a task that holds as much as it may. Kept over a swap; a cold
 * start reads. */
PIW_API int piw_queues_rest(piw_task *task, bool rest);

/* --- Configuration ---------------------------------------------------------------------------------------------- */

/* A key of this task's [task:NAME] section, which the manifest's options declare; default applied. Numbers: int,
 * bytes, milliseconds, 0/1. Undeclared names are a bug (abort). */
PIW_API const char *piw_option(piw_task *task, const char *name);
PIW_API int64_t piw_option_number(piw_task *task, const char *name);
/* The master's own options ("dsn", "output-path") and keys of [site] as "site.name". NULL: unset. */
PIW_API const char *piw_setting(piw_task *task, const char *name);
PIW_API int64_t piw_setting_number(piw_task *task, const char *name);

#ifdef __cplusplus
}
#endif

#endif
