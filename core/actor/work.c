/* work.c — the worker pool: a list under a lock, a few threads, results as answers. Of jobs with much to work on one runs at a
 * time, so that what others wait for isn't held up by them. */
#include "actor/work.h"

#include "actor/shell.h"

#include <pthread.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct job {
    struct job *next;
    piw_work_fn *fn;
    piw_msg *msg;
    bool large;
};

struct piw__pool_of_workers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, *last;
    bool stopping, draining; /* under the lock */
    bool large_runs;         /* the same */
    bool stopped, stuck;     /* the stopping thread's: its threads are joined; one of them can't be */
    unsigned count, running; /* threads; of them those with a job */
    pthread_t threads[];
};

static void answer(const piw_msg *job, piw_msg *result)
{
    result->flags |= PIW__ANSWER;
    result->call_id = job->call_id;
    result->trace = job->trace;
    if (piw__mailbox_push(&job->from->mailbox, result, result, 1, NULL, NULL) != 0)
        piw_msg_free(&result); /* whoever asked has stopped */
}

/* It will not be run any more. */
static void give_back(struct job *job)
{
    answer(job->msg, piw__msg_error_answer(job->msg, PIW_ESTOPPED, "the master stops"));
    piw_msg_free(&job->msg);
    free(job);
}

static void run(struct job *job)
{
    piw_err err = {0};
    piw_msg *result = NULL;
    int64_t began_ns = piw__record_clock();
    piw__record_thread(job->msg->from);
    int ret = job->fn(job->msg, &result, &err);
    piw__record_worked(job->msg->from, job->msg->type, ret, piw__record_clock() - began_ns);
    piw__record_thread(NULL);
    const piw_msg_type *wanted = &job->msg->type->protocol->messages[job->msg->type->reply];
    if (ret == 0 && (result == NULL || result->type != wanted))
        ret = piw_err_set(&err, PIW_EHANDLER, "work %s ended without its result", job->msg->type->name);
    if (ret != 0) {
        piw_msg_free(&result);
        result = piw__msg_error_answer(job->msg, ret, err.code != 0 ? err.text : piw_err_name(ret));
    }
    answer(job->msg, result);
    piw_msg_free(&job->msg);
    free(job);
}

/* Under the lock: take the first that may run now out of the list; NULL when there is none. Who ends a large one looks again. */
static struct job *take(piw__workers *workers)
{
    struct job **at = &workers->first, *before = NULL;
    while (*at != NULL && (*at)->large && workers->large_runs) {
        before = *at;
        at = &before->next;
    }
    struct job *job = *at;
    if (job == NULL)
        return NULL;
    *at = job->next;
    if (workers->last == job)
        workers->last = before;
    workers->large_runs |= job->large;
    workers->running++;
    return job;
}

static void *worker(void *arg)
{
    piw__workers *workers = arg;
    piw_log_name_thread("master.worker");
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        struct job *job = take(workers);
        if (job == NULL) {
            if (workers->stopping)
                break;
            pthread_cond_wait(&workers->changed, &workers->lock);
            continue;
        }
        bool large = job->large;
        pthread_mutex_unlock(&workers->lock);
        run(job);
        pthread_mutex_lock(&workers->lock);
        if (large)
            workers->large_runs = false;
        if (--workers->running == 0 && (workers->stopping || workers->draining))
            pthread_cond_broadcast(&workers->changed);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

int piw__workers_start(piw__workers **workers_, unsigned threads, piw_err *err)
{
    piw__workers *workers = piw_zalloc(sizeof(*workers) + threads * sizeof(pthread_t));
    pthread_mutex_init(&workers->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&workers->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int ret = 0;
    for (; workers->count < threads && ret == 0; workers->count += ret == 0) {
        ret = pthread_create(&workers->threads[workers->count], NULL, worker, workers);
        if (ret == 0)
            pthread_setname_np(workers->threads[workers->count], "worker");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ret != 0) {
        piw__workers_stop(workers);
        piw__workers_free(&workers);
        errno = ret;
        return piw_err_errno(err, "a thread of the worker pool can't be started");
    }
    *workers_ = workers;
    return 0;
}

static bool is_large(const piw_msg *msg)
{
    size_t blob = msg->blob != NULL ? piw_blob_size(msg->blob) : 0;
    return msg->total + blob > PIW_LIMIT_LARGE_JOB;
}

void piw__workers_submit(piw__workers *workers, piw_work_fn *fn, piw_msg *msg)
{
    struct job *job = piw_alloc(sizeof(*job));
    *job = (struct job){.fn = fn, .msg = msg, .large = is_large(msg)};
    pthread_mutex_lock(&workers->lock);
    bool stopping = workers->stopping;
    if (!stopping) {
        if (workers->last != NULL)
            workers->last->next = job;
        else
            workers->first = job;
        workers->last = job;
        pthread_cond_signal(&workers->changed);
    }
    pthread_mutex_unlock(&workers->lock);
    if (stopping)
        give_back(job);
}

void piw__workers_drain(piw__workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->draining = true;
    while (workers->first != NULL || workers->running > 0)
        pthread_cond_wait(&workers->changed, &workers->lock);
    workers->draining = false;
    pthread_mutex_unlock(&workers->lock);
}

/* Under the lock: have the jobs that run come to their end, within a bound? */
static bool wait_for_running(piw__workers *workers)
{
    int64_t until_ns = piw_monotonic_ns() + PIW_LIMIT_STOP_MS * INT64_C(1000000);
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    while (workers->running > 0)
        if (pthread_cond_timedwait(&workers->changed, &workers->lock, &until) == ETIMEDOUT)
            return false;
    return true;
}

void piw__workers_stop(piw__workers *workers)
{
    if (workers == NULL || workers->stopped)
        return;
    pthread_mutex_lock(&workers->lock);
    struct job *job = workers->first;
    workers->first = workers->last = NULL;
    workers->stopping = true;
    pthread_cond_broadcast(&workers->changed);
    workers->stuck = !wait_for_running(workers);
    pthread_mutex_unlock(&workers->lock);
    while (job != NULL) {
        struct job *next = job->next;
        give_back(job);
        job = next;
    }
    if (workers->stuck)
        piw_error("a job of the worker pool doesn't end: the master stops without it");
    for (unsigned i = 0; i < workers->count && !workers->stuck; i++)
        pthread_join(workers->threads[i], NULL);
    workers->stopped = true;
}

void piw__workers_free(piw__workers **workers_)
{
    piw__workers *workers = *workers_;
    *workers_ = NULL;
    if (workers == NULL || workers->stuck)
        return; /* a thread that can't be ended still uses it */
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
