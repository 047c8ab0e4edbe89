/* slave.h — what the parts of piw-slave share: its settings, and the one place where it waits. Main thread only. */
#ifndef PIW_SLAVE_H
#define PIW_SLAVE_H

#include "piw/client.h"
#include "piw/log.h"
#include "piw/options.h"

enum {
    SLAVE_BUSY_TIMEOUT_MS = 300000, /* how long we may be silent, and wait for an answer */
    SLAVE_BUSY_EVERY_MS = 5000,     /* how often a building slave says that it lives */
};

typedef struct slave_settings {
    const char *dir; /* where builds lie */
    const char *python;
    char *label;
    char *slave_queue, *file_queue;
    bool encrypted; /* by the key */
    piw_key key;
    int64_t build_timeout_ms;
    int64_t poll_ms;               /* from SLEEP to the next IDLE */
    int64_t memory;                /* bytes a process of a build may have; 0: no limit */
    int64_t build_memory;          /* bytes that all of them may use together */
    int64_t processes;             /* that a contained build may have at a time */
    struct slave_sandbox *sandbox; /* what contains builds; NULL: nothing does */
    piw_codec codec;
    char py_version[16]; /* "311" */
    char abi[32];        /* "cp311" */
    char platform[64];   /* "linux_x86_64": of the interpreter */
    char kernel[64];     /* the same, or what the kernel's name would make of it: "linux_aarch64" for "linux_armv7l" */
} slave_settings;

typedef struct slave_build slave_build;

typedef struct slave {
    slave_settings settings;
    piw_client *master;
    piw_outage away;     /* of the master: no connection, or no answer */
    int signals;         /* signalfd: SIGTERM, SIGINT, SIGHUP, SIGCHLD */
    bool asked;          /* a request is on its way: what arrives is its answer */
    int64_t patience_ms; /* the master may take so long for the answer to what was asked: it has been asked to */
    bool stopping;       /* SIGTERM or SIGINT came */
    int64_t id;          /* the number that the master gave */
    char *token;         /* what the master wants to hear with its files; NULL: nothing */
    char *index_url;     /* where pip finds source archives */
    slave_build *build;  /* the one that runs, or NULL */
} slave;

/* Wait at most timeout_ms for a signal, news of the connection to the master, or input on `fd` (-1: none); look after
 * the running build. 0: something happened, look; PIW_EDEADLINE: nothing did; PIW_ESTOPPED: we are to stop. */
int slave_wait(slave *s, int fd, int64_t timeout_ms);

#endif
