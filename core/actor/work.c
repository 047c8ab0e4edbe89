/* work.c — the worker pool: a line of jobs for each task under a lock, a few threads, results as answers.
 *
 * Threads go from line to line, so that a task with thousands of jobs holds up no other's for longer than one of them takes.
 *
 * Jobs of the background, and those with much to work on, have threads of their own, since a thread that has given up its priority
 * can't take it back. Such a thread may be off the processor for long where others want it, whatever it holds just then: so nobody else
 * ever takes a lock that it takes here. Jobs come to it and go from it over a chain (below), and a thread of normal priority answers. */
#include "actor/work.h"

#include "actor/shell.h"

#include <pthread.h>

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { NICE_LEAST = 19 };

struct job {
    struct job *next;
    piw_work_fn *fn;
    piw_msg *msg;
    piw_msg *result; /* once it is done: the answer */
};

/* Jobs from many threads to others without a lock: whoever adds releases the job to whoever takes all. */
typedef struct chain {
    _Atomic(struct job *) newest;
    sem_t some; /* one for each job added; more to wake who should look at `closed` */
} chain;

static struct job closed; /* stands in a chain to which nothing is added any more */

struct background {
    chain asked, done;
    pthread_mutex_t lock; /* of its own threads alone */
    struct job *first;    /* under the lock: taken out of `asked`, oldest first */
    int policy;           /* its threads' */
    unsigned count;       /* of these */
    sem_t ended;          /* one for each of them that is at its end */
    bool answers, stuck;  /* the thread that answers was begun; one of the others doesn't end */
    pthread_t answerer;
    pthread_t threads[PIW_LIMIT_BACKGROUND];
};

/* What one task has asked for and nobody has begun, oldest first. */
struct line {
    struct line *next; /* the ring of all */
    const piw__shell *of;
    struct job *first, *last;
};

struct piw__pool_of_workers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct line *turn;       /* under the lock: in the ring, the line of which a job was begun last; or NULL */
    unsigned waiting;        /* the same: jobs in all lines */
    bool stopping, draining; /* under the lock */
    bool stopped, stuck;     /* the stopping thread's: its threads are joined; one of them can't be */
    unsigned count, running; /* threads; of them those with a job */
    /* What nobody waits for gets what no other thread wants of the processors, and gives them up at once. Large jobs, for which somebody
     * waits, get little, but some. */
    struct background background, large;
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

static void work(struct job *job)
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
    job->result = result;
}

static void finish(struct job *job)
{
    answer(job->msg, job->result);
    piw_msg_free(&job->msg);
    free(job);
}

static void give_back_all(struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;
        give_back(job);
        job = next;
    }
}

/* --- Lines: all under the lock ----------------------------------------------------------------------------------- */

static struct line *line_of(piw__workers *workers, const piw__shell *shell)
{
    struct line *at = workers->turn;
    for (unsigned n = 0; at != NULL && (n == 0 || at != workers->turn); n++, at = at->next)
        if (at->of == shell)
            return at;
    struct line *line = piw_zalloc(sizeof(*line));
    line->of = shell;
    line->next = workers->turn != NULL ? workers->turn->next : line;
    if (workers->turn != NULL)
        workers->turn->next = line;
    else
        workers->turn = line;
    return line;
}

static void add(piw__workers *workers, struct job *job)
{
    struct line *line = line_of(workers, job->msg->from);
    if (line->last != NULL)
        line->last->next = job;
    else
        line->first = job;
    line->last = job;
    workers->waiting++;
}

/* The first of the next line that has one; NULL when none has. */
static struct job *take_next(piw__workers *workers)
{
    if (workers->waiting == 0)
        return NULL;
    struct line *line = workers->turn->next;
    while (line->first == NULL)
        line = line->next;
    struct job *job = line->first;
    line->first = job->next;
    if (line->first == NULL)
        line->last = NULL;
    job->next = NULL;
    workers->turn = line;
    workers->waiting--;
    return job;
}

static struct job *take(piw__workers *workers)
{
    struct job *job = take_next(workers);
    workers->running += job != NULL;
    return job;
}

static struct job *take_all(piw__workers *workers)
{
    struct job *first = NULL, **end = &first, *job;
    while ((job = take_next(workers)) != NULL) {
        *end = job;
        end = &job->next;
    }
    return first;
}

static void free_lines(piw__workers *workers)
{
    struct line *line = workers->turn != NULL ? workers->turn->next : NULL;
    while (line != NULL) {
        struct line *next = line != workers->turn ? line->next : NULL;
        free(line);
        line = next;
    }
}

/* --- Its threads ------------------------------------------------------------------------------------------------- */

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
        pthread_mutex_unlock(&workers->lock);
        work(job);
        finish(job);
        pthread_mutex_lock(&workers->lock);
        if (--workers->running == 0 && (workers->stopping || workers->draining))
            pthread_cond_broadcast(&workers->changed);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* --- The background ---------------------------------------------------------------------------------------------- */

/* False: nothing is added any more. */
static bool chain_add(chain *to, struct job *job)
{
    struct job *newest = atomic_load_explicit(&to->newest, memory_order_relaxed);
    do {
        if (newest == &closed)
            return false;
        job->next = newest;
        /* Released to chain_take. */
    } while (
        !atomic_compare_exchange_weak_explicit(&to->newest, &newest, job, memory_order_release, memory_order_relaxed));
    sem_post(&to->some);
    return true;
}

static struct job *turned(struct job *newest)
{
    struct job *oldest = NULL;
    while (newest != NULL) {
        struct job *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* All that was added, oldest first. With `close` nothing is added any more. */
static struct job *chain_take(chain *from, bool close)
{
    struct job *newest = atomic_load_explicit(&from->newest, memory_order_relaxed);
    do {
        if (newest == &closed)
            return NULL;
        /* Acquires what chain_add released. */
    } while (!atomic_compare_exchange_weak_explicit(&from->newest, &newest, close ? &closed : NULL,
                                                    memory_order_acquire, memory_order_relaxed));
    return turned(newest);
}

static bool chain_is_closed(const chain *at)
{
    return atomic_load_explicit(&at->newest, memory_order_relaxed) == &closed;
}

static void wait_for_some(chain *at)
{
    while (sem_wait(&at->some) != 0 && errno == EINTR)
        ;
}

static void *answerer(void *arg)
{
    struct background *background = arg;
    piw_log_name_thread("master.worker");
    for (bool over = false; !over;) {
        wait_for_some(&background->done);
        over = chain_is_closed(&background->done);
        struct job *job = chain_take(&background->done, false);
        while (job != NULL) {
            struct job *next = job->next;
            finish(job);
            job = next;
        }
    }
    return NULL;
}

/* NULL: woken for nothing, or to end. */
static struct job *take_background(struct background *background)
{
    pthread_mutex_lock(&background->lock);
    if (background->first == NULL)
        background->first = chain_take(&background->asked, false);
    struct job *job = background->first;
    if (job != NULL)
        background->first = job->next;
    pthread_mutex_unlock(&background->lock);
    return job;
}

/* On Linux both are a thread's own. */
static void step_back(int policy)
{
    const struct sched_param none = {0};
    piw_err err = {0};
    if (sched_setscheduler(0, policy, &none) != 0 || setpriority(PRIO_PROCESS, 0, NICE_LEAST) != 0)
        piw_err_errno(&err, "jobs of the background have no less priority than others");
    if (err.code != 0)
        piw_warning("%s", err.text);
}

static void *background_worker(void *arg)
{
    struct background *background = arg;
    piw_log_name_thread("master.worker");
    step_back(background->policy);
    for (;;) {
        wait_for_some(&background->asked);
        if (chain_is_closed(&background->asked))
            break;
        struct job *job = take_background(background);
        if (job == NULL)
            continue;
        work(job);
        chain_add(&background->done, job);
    }
    sem_post(&background->ended);
    return NULL;
}

static int background_start(struct background *self, unsigned threads, int policy, piw_err *err)
{
    self->policy = policy;
    pthread_mutex_init(&self->lock, NULL);
    if (sem_init(&self->asked.some, 0, 0) != 0 || sem_init(&self->done.some, 0, 0) != 0 ||
        sem_init(&self->ended, 0, 0) != 0)
        return piw_err_errno(err, "a semaphore of the worker pool can't be made");
    int rc = threads > 0 ? pthread_create(&self->answerer, NULL, answerer, self) : 0;
    self->answers = threads > 0 && rc == 0;
    for (; self->count < threads && rc == 0; self->count += rc == 0) {
        rc = pthread_create(&self->threads[self->count], NULL, background_worker, self);
        if (rc == 0)
            pthread_setname_np(self->threads[self->count], "background");
    }
    return rc;
}

/* Of one of its threads; false: not within the bound. */
static bool wait_for_end(struct background *self, const struct timespec *until)
{
    int rc;
    while ((rc = sem_clockwait(&self->ended, CLOCK_MONOTONIC, until)) != 0 && errno == EINTR)
        ;
    return rc == 0;
}

/* Its threads end, within the bound; what they haven't begun is given back. */
static void background_stop(struct background *self, const struct timespec *until)
{
    give_back_all(chain_take(&self->asked, true));
    for (unsigned i = 0; i < self->count; i++)
        sem_post(&self->asked.some);
    for (unsigned i = 0; i < self->count; i++)
        self->stuck |= !wait_for_end(self, until);
    for (unsigned i = 0; i < self->count && !self->stuck; i++)
        pthread_join(self->threads[i], NULL);
    pthread_mutex_lock(&self->lock);
    struct job *taken = self->first;
    self->first = NULL;
    pthread_mutex_unlock(&self->lock);
    give_back_all(taken);
    struct job *done = chain_take(&self->done, true);
    sem_post(&self->done.some);
    if (self->answers)
        pthread_join(self->answerer, NULL);
    while (done != NULL) {
        struct job *next = done->next;
        finish(done);
        done = next;
    }
}

static void background_fini(struct background *self)
{
    pthread_mutex_destroy(&self->lock);
    sem_destroy(&self->asked.some);
    sem_destroy(&self->done.some);
    sem_destroy(&self->ended);
}

/* --- The pool ---------------------------------------------------------------------------------------------------- */

static int start_threads(piw__workers *workers, unsigned threads, unsigned background, piw_err *err)
{
    int rc = background_start(&workers->background, background, SCHED_IDLE, err);
    rc = rc != 0 ? rc : background_start(&workers->large, background > 0 ? 1 : 0, SCHED_BATCH, err);
    for (; workers->count < threads && rc == 0; workers->count += rc == 0) {
        rc = pthread_create(&workers->threads[workers->count], NULL, worker, workers);
        if (rc == 0)
            pthread_setname_np(workers->threads[workers->count], "worker");
    }
    if (rc <= 0)
        return rc;
    errno = rc;
    return piw_err_errno(err, "a thread of the worker pool can't be started");
}

int piw__workers_start(piw__workers **workers_, unsigned threads, unsigned background, piw_err *err)
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
    int rc = start_threads(workers, threads, background, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        piw__workers_stop(workers);
        piw__workers_free(&workers);
        return rc;
    }
    *workers_ = workers;
    return 0;
}

static bool is_large(const piw_msg *msg)
{
    return piw__msg_bytes(msg) + piw_blob_size(piw__msg_rest_of(msg)->blob) > PIW_LIMIT_LARGE_JOB;
}

void piw__workers_submit(piw__workers *workers, piw_work_fn *fn, piw_msg *msg, bool background)
{
    struct job *job = piw_alloc(sizeof(*job));
    *job = (struct job){.fn = fn, .msg = msg};
    struct background *apart = is_large(msg) ? &workers->large : &workers->background;
    if ((background || is_large(msg)) && apart->count > 0) {
        if (!chain_add(&apart->asked, job))
            give_back(job);
        return;
    }
    pthread_mutex_lock(&workers->lock);
    bool stopping = workers->stopping;
    if (!stopping) {
        add(workers, job);
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
    while (workers->waiting > 0 || workers->running > 0)
        pthread_cond_wait(&workers->changed, &workers->lock);
    workers->draining = false;
    pthread_mutex_unlock(&workers->lock);
}

/* Under the lock: have the jobs that run come to their end, within a bound? */
static bool wait_for_running(piw__workers *workers, const struct timespec *until)
{
    while (workers->running > 0)
        if (pthread_cond_timedwait(&workers->changed, &workers->lock, until) == ETIMEDOUT)
            return false;
    return true;
}

void piw__workers_stop(piw__workers *workers)
{
    if (workers == NULL || workers->stopped)
        return;
    int64_t until_ns = piw_monotonic_ns() + PIW_LIMIT_STOP_MS * INT64_C(1000000);
    const struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&workers->lock);
    struct job *undone = take_all(workers);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->changed);
    workers->stuck = !wait_for_running(workers, &until);
    pthread_mutex_unlock(&workers->lock);
    give_back_all(undone);
    background_stop(&workers->background, &until);
    background_stop(&workers->large, &until);
    if (workers->stuck || workers->background.stuck || workers->large.stuck)
        piw_error("a job of the worker pool doesn't end: the master stops without it");
    for (unsigned i = 0; i < workers->count && !workers->stuck; i++)
        pthread_join(workers->threads[i], NULL);
    workers->stopped = true;
}

void piw__workers_free(piw__workers **workers_)
{
    piw__workers *workers = *workers_;
    *workers_ = NULL;
    if (workers == NULL || workers->stuck || workers->background.stuck || workers->large.stuck)
        return; /* a thread that can't be ended still uses it */
    background_fini(&workers->background);
    background_fini(&workers->large);
    free_lines(workers);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
