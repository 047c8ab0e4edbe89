/* jobs.h — what tasks have asked to be fetched, in order: what waits and what is under way. The task's thread only. */
#ifndef FETCH_JOBS_H
#define FETCH_JOBS_H

#include "fetch.piw.h"
#include "piw/codec.h"
#include "piw/task.h"

#include <stdio.h>

enum {
    JOBS_MAX = 1000,            /* that wait or are under way; as many as the state holds */
    JOBS_POSTED_MAX = 16 << 20, /* bytes that they bring along */
    BYTES_MAX = 64 << 20,       /* of an answer; as many as its message holds */
    BYTES_USUAL = 1 << 20,
    TIMEOUT_USUAL_MS = 30000,
    TIMEOUT_MAX_MS = 300000, /* the call's own deadline is later */
};

typedef struct job {
    struct job *next;
    struct soul *owner;
    piw_token token;
    piw_msg *msg; /* holds the request */
    const fetch_request *request;
    char asker[100];
    bool begun;
    int64_t bytes_max;
    /* The answer, as far as it has come. */
    piw_msg *reply;
    fetch_FETCH_reply *answer;
    piw_buffer body;
    FILE *file; /* NULL: the body is kept in memory */
    char *part; /* its name until it is whole */
    piw_err err;
} job;

typedef struct jobs {
    job *first, **end;
    unsigned count;
    int64_t posted;
} jobs;

void jobs_init(jobs *all);
void jobs_fini(jobs *all);
/* May this be asked for? Else what is wrong with it. */
int jobs_check(const fetch_request *request, piw_err *err);
/* Is there room for one more? PIW_ELIMIT. */
int jobs_room(const jobs *all, const fetch_request *request, piw_err *err);
job *jobs_add(jobs *all, piw_token token, const char *asker, const fetch_request *request);
void jobs_end(jobs *all, job **one);
/* The first that may begin: `at_once` are under way at most, `per_task` of one task. NULL: none. */
job *jobs_next(const jobs *all, int64_t at_once, int64_t per_task);

/* Bytes of the body have come. False: no more, the job's err says why. */
bool job_take(job *one, const void *data, size_t len);
/* It has answered: what came is put into the reply, or in place. */
int job_whole(job *one, piw_err *err);

#endif
