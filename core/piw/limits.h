/* limits.h — every limit of the runtime, with its reason. `piw-ctl limits` prints them. */
#ifndef PIW_LIMITS_H
#define PIW_LIMITS_H

#ifdef __cplusplus
extern "C" {
#endif

#define PIW_LIMITS(X)                                                                                                  \
    X(PIW_LIMIT_DEPTH, 32, "nesting of a received value")                                                              \
    X(PIW_LIMIT_ARENA, 256 << 20, "bytes of one message's arena: the largest wire message, decoded, fits")             \
    X(PIW_LIMIT_TEXT, 65536, "bytes of a text in an arena; more is a blob")                                            \
    X(PIW_LIMIT_BLOB_COPY, 4096, "bytes up to which a received blob is copied instead of referenced")                  \
    X(PIW_LIMIT_OUTBOX, 64, "messages a handler collects for one receiver before they leave in one push")              \
    X(PIW_LIMIT_MAILBOX_HIGH, 4096, "messages in a mailbox at which senders' ports are no longer read")                \
    X(PIW_LIMIT_MAILBOX_LOW, 1024, "messages at which they are read again")                                            \
    X(PIW_LIMIT_BUS_BYTES, 512 << 20, "bytes in all messages of the process before ports rest")                        \
    X(PIW_LIMIT_CALLS, 65536, "unanswered calls of one task")                                                          \
    X(PIW_LIMIT_DEFERRED, 65536, "deferred requests of one task")                                                      \
    X(PIW_LIMIT_PEERS, 16384, "peers of one port remembered; the longest silent is forgotten first")                   \
    X(PIW_LIMIT_PORT_BUDGET, 256, "messages read from a port before timers and mailbox get their turn")                \
    X(PIW_LIMIT_REQUESTS_PER_S, 20000, "messages a second of one outside address; 10,000 builds are as many")          \
    X(PIW_LIMIT_CONNECTIONS_PER_MIN, 6000,                                                                             \
      "new connections of one outside address: 1,000 peers, a transfer each in 10 s")                                  \
    X(PIW_LIMIT_DESCRIPTORS_KEPT, 32,                                                                                  \
      "descriptors kept from connections, with a third of all: for files and the database")                            \
    X(PIW_LIMIT_DESCRIPTORS_LEAST, 128, "descriptors that a master needs: its tasks alone have 90 open")               \
    X(PIW_LIMIT_UNFINISHED, 65 << 20,                                                                                  \
      "bytes of an unfinished message of one connection: the largest log, and its frames")                             \
    X(PIW_LIMIT_UNFINISHED_ALL, 512 << 20,                                                                             \
      "the same of all connections; beyond that who has more than a MiB is ended")                                     \
    X(PIW_LIMIT_HALF_OPEN, 1024, "connections that may come while another one shakes hands")                           \
    X(PIW_LIMIT_FRAMES, 4096, "frames of an unfinished message: none of ours has more than five")                      \
    X(PIW_LIMIT_SILENT_PEER_MS, 300000, "without a heartbeat a peer is gone; 64 MiB take as long at 1.8 Mbit/s")       \
    X(PIW_LIMIT_SILENT_MASTER_MS, 120000, "the same seen from the peer: the master's frames are small")                \
    X(PIW_LIMIT_LINGER_MS, 2000, "a closed socket waits for what is still on its way")                                 \
    X(PIW_LIMIT_STATUS_WAITING, 250000, "messages waiting for one monitor: a replay is not cut")                       \
    X(PIW_LIMIT_HANDLER_MS, 10, "a handler that takes longer is counted as slow")                                      \
    X(PIW_LIMIT_STUCK_MS, 5000, "a handler that takes longer is reported as stuck")                                    \
    X(PIW_LIMIT_ERRORS_PER_S, 20, "handler errors in a second that make the task fail")                                \
    X(PIW_LIMIT_RESTART_MS, 1000, "a task is never restarted sooner")                                                  \
    X(PIW_LIMIT_FAILURES, 5, "failures in a minute after which a task stays down, or stops the master if critical")    \
    X(PIW_LIMIT_FAILURES_MS, 60000, "that minute")                                                                     \
    X(PIW_LIMIT_RESTART_MAX_MS, 30000, "the time before a restart doubles with each failure, up to this")              \
    X(PIW_LIMIT_SWAP_MS, 10000, "a new soul that isn't ready by then is not taken: the old one goes on")               \
    X(PIW_LIMIT_DRAIN_MS, 3000, "a task that stops or begins anew works off what it has for so long")                  \
    X(PIW_LIMIT_WORKERS, 2, "threads of the worker pool")                                                              \
    X(PIW_LIMIT_BACKGROUND, 2, "threads of the worker pool for what has the least priority")                           \
    X(PIW_LIMIT_LARGE_JOB, 2 << 20, "bytes of a job that has a thread of its own, one such at a time, at nice 19")     \
    X(PIW_LIMIT_NOTE, 255, "bytes of what a task says about itself to piw-ctl")                                        \
    X(PIW_LIMIT_RECORDER, 256, "message headers kept by a task's flight recorder")                                     \
    X(PIW_LIMIT_TASKS, 256, "tasks of one master")                                                                     \
    X(PIW_LIMIT_INSTANCES, 16, "instances of one task")                                                                \
    X(PIW_LIMIT_STOP_MS, 20000, "an orderly stop takes at most this long")

enum {
#define PIW_LIMIT_ENUM(name, value, reason) name = (value),
    PIW_LIMITS(PIW_LIMIT_ENUM)
#undef PIW_LIMIT_ENUM
};

#ifdef __cplusplus
}
#endif

#endif
