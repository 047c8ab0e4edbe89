/* bench_bus.c — how many messages a second go from actor to actor, beside ZeroMQ inproc and bare lists of the same size.
 *
 * Both actors are real: a manifest each, the shells' own threads, the dispatch of handlers, transactions and outboxes. The
 * source sends 64 messages a handler; the sink tells it after each 64 that it may send as many more, so that at most
 * WINDOW are under way and no mailbox grows without bound. The kinds are run in turn, several rounds; the best of
 * each counts: what disturbs a run makes it slower only. */
#include "bench.h"

#include <pthread.h>
#include <zmq.h>

#include "piw/plugin.h"
#include "runtime/inner.h"
#include "test/bench.piw.h"

enum { FIELDS = 13, WINDOW = 4096, BATCH = 64, LOAD_BYTES = FIELDS * 8 };

static cpu_set_t all_processors; /* those that the program may use, from its start */

/* Maker and taker each on a processor of its own, in every kind: two threads that take turns on one share its cache, and
 * would be measured as something else. Without a second processor nothing is pinned. */
static void pin(pthread_t thread, int processor)
{
    cpu_set_t one;
    int found[2], count = 0;
    for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
        if (CPU_ISSET(i, &all_processors))
            found[count++] = i;
    if (count < 2)
        return;
    CPU_ZERO(&one);
    CPU_SET(found[processor], &one);
    pthread_setaffinity_np(thread, sizeof(one), &one);
}

/* --- The two actors ---------------------------------------------------------------------------------------------------- */

typedef struct source {
    piw_token run;
    int64_t count, sent, taken, began_ns;
    bool load;
} source;

/* Each thread's own, in cache lines of their own: by twos, as processors fetch them. */
static _Alignas(128) source the_source;
static _Alignas(128) struct {
    int64_t unsaid;
    int64_t sum;
} the_sink;

static int nothing_to_start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)task;
    (void)why;
    (void)state;
    (void)err;
    return 0;
}

static int send_batch(piw_task *task)
{
    for (int i = 0; i < BATCH && the_source.sent < the_source.count; i++) {
        piw_msg *msg;
        if (the_source.load) {
            bench_sink_LOAD *body;
            msg = bench_sink_LOAD_new(&body);
            int64_t *fields = &body->a;
            for (int f = 0; f < FIELDS; f++)
                fields[f] = the_source.sent + f;
        } else {
            msg = bench_sink_EMPTY_new();
        }
        int rc = piw_cast(task, &msg);
        if (rc != 0)
            return rc;
        the_source.sent++;
    }
    return 0;
}

static int on_run(piw_task *task, piw_msg *msg)
{
    const bench_source_RUN *body = bench_source_RUN_of(msg);
    the_source = (source){.count = body->count, .load = body->load, .began_ns = piw_monotonic_ns()};
    int rc = piw_defer(task, msg, &the_source.run);
    for (int i = 0; rc == 0 && i < WINDOW / BATCH; i++) {
        piw_msg *begin = bench_source_TAKEN_make(0);
        rc = piw_cast_to(task, "bench_source", 0, &begin);
    }
    return rc;
}

static int on_taken(piw_task *task, piw_msg *msg)
{
    the_source.taken += bench_source_TAKEN_of(msg)->count;
    if (the_source.taken < the_source.count)
        return send_batch(task);
    piw_msg *answer = bench_source_RUN_reply_make(piw_monotonic_ns() - the_source.began_ns);
    return piw_answer(task, the_source.run, &answer);
}

static int took_one(piw_task *task)
{
    if (++the_sink.unsaid < BATCH)
        return 0;
    piw_msg *taken = bench_source_TAKEN_make(the_sink.unsaid);
    the_sink.unsaid = 0;
    return piw_cast(task, &taken);
}

static int on_load(piw_task *task, piw_msg *msg)
{
    const int64_t *fields = &bench_sink_LOAD_of(msg)->a;
    for (int f = 0; f < FIELDS; f++)
        the_sink.sum += fields[f];
    return took_one(task);
}

static int on_empty(piw_task *task, piw_msg *msg)
{
    (void)msg;
    return took_one(task);
}

static const piw_service sink_service[] = {{"bench_sink", &bench_sink_protocol_def}, PIW_SERVICES_END};
static const piw_service source_service[] = {{"bench_source", &bench_source_protocol_def}, PIW_SERVICES_END};

static const piw_handler source_handlers[] = {{&bench_source_protocol_def, BENCH_SOURCE_RUN, on_run},
                                              {&bench_source_protocol_def, BENCH_SOURCE_TAKEN, on_taken},
                                              PIW_HANDLERS_END};
static const piw_handler sink_handlers[] = {{&bench_sink_protocol_def, BENCH_SINK_LOAD, on_load},
                                            {&bench_sink_protocol_def, BENCH_SINK_EMPTY, on_empty},
                                            PIW_HANDLERS_END};

#define MANIFEST(plugin_name, ...)                                                                                     \
    {                                                                                                                  \
        .size = sizeof(piw_plugin), .abi = PIW_ABI, .magic = {'p', 'i', 'w', '-', 't', 'a', 's', 'k'},                 \
        .build = PIW_BUILD, .sizes = PIW_SIZES, .name = #plugin_name, .version = "1", .start = nothing_to_start,       \
        __VA_ARGS__                                                                                                    \
    }
static const piw_plugin source_plugin =
    MANIFEST(source, .serves = source_service, .uses = sink_service, .handlers = source_handlers);
static const piw_plugin sink_plugin =
    MANIFEST(sink, .serves = sink_service, .uses = source_service, .handlers = sink_handlers);

static piw_runtime *runtime_start(void)
{
    piw_err err = {0};
    piw_runtime *runtime;
    const piw_runtime_config config = {0};
    const piw_task_config source_task = {.name = "source", .enabled = true};
    const piw_task_config sink_task = {.name = "sink", .enabled = true};
    piw_protocol_use(&bench_source_protocol_def);
    piw_protocol_use(&bench_sink_protocol_def);
    if (piw_runtime_new(&runtime, &config, &err) != 0 ||
        piw__runtime_add_builtin(runtime, &source_task, &source_plugin, &err) != 0 ||
        piw__runtime_add_builtin(runtime, &sink_task, &sink_plugin, &err) != 0 ||
        piw_runtime_start(runtime, 5000, &err) != 0)
        bench_die(err.text);
    pin(piw__runtime_role(runtime, "source")->shells[0]->thread, 0);
    pin(piw__runtime_role(runtime, "sink")->shells[0]->thread, 1);
    return runtime;
}

static double run_bus(piw_runtime *runtime, int64_t count, bool load)
{
    piw_err err = {0};
    piw_msg *call = bench_source_RUN_make(count, load), *answer;
    if (piw_runtime_call(runtime, "bench_source", &call, 120000, &answer, &err) != 0)
        bench_die(err.text);
    int64_t elapsed_ns = bench_source_RUN_reply_of(answer)->elapsed_ns;
    piw_msg_free(&answer);
    return (double)count * 1e9 / (double)elapsed_ns;
}

/* --- A bare list under a mutex -------------------------------------------------------------------------------------------- */

struct node {
    struct node *next;
    int64_t fields[FIELDS];
};

struct list {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct node *first, *last;
    bool waiting;
};

struct lists {
    struct list full, empty; /* to the consumer; back to the producer, when recycled */
    int64_t count;
    unsigned outbox;
    bool recycle;
    pthread_mutex_t lock;
    pthread_cond_t room;
    int64_t taken; /* under the lock */
};

static void list_init(struct list *list)
{
    *list = (struct list){0};
    pthread_mutex_init(&list->lock, NULL);
    pthread_cond_init(&list->more, NULL);
}

static void list_push(struct list *list, struct node *first, struct node *last)
{
    last->next = NULL;
    pthread_mutex_lock(&list->lock);
    if (list->last != NULL)
        list->last->next = first;
    else
        list->first = first;
    list->last = last;
    bool wake = list->waiting;
    list->waiting = false;
    pthread_mutex_unlock(&list->lock);
    if (wake)
        pthread_cond_signal(&list->more);
}

static struct node *list_take(struct list *list)
{
    pthread_mutex_lock(&list->lock);
    while (list->first == NULL) {
        list->waiting = true;
        pthread_cond_wait(&list->more, &list->lock);
    }
    struct node *first = list->first;
    list->first = list->last = NULL;
    pthread_mutex_unlock(&list->lock);
    return first;
}

/* With malloc the window is counted; with recycling the number of blocks is the window. */
static void wait_for_room(struct lists *lists, int64_t sent)
{
    pthread_mutex_lock(&lists->lock);
    while (sent - lists->taken >= WINDOW)
        pthread_cond_wait(&lists->room, &lists->lock);
    pthread_mutex_unlock(&lists->lock);
}

static void *produce(void *arg)
{
    struct lists *lists = arg;
    struct node *idle = NULL, *first = NULL, *last = NULL;
    unsigned held = 0;
    for (int64_t n = 0; n < lists->count; n++) {
        struct node *node;
        if (lists->recycle) {
            if (idle == NULL)
                idle = list_take(&lists->empty);
            node = idle;
            idle = node->next;
        } else {
            if (n % BATCH == 0)
                wait_for_room(lists, n);
            node = malloc(sizeof(*node));
            if (node == NULL)
                bench_die("no memory");
        }
        for (int f = 0; f < FIELDS; f++)
            node->fields[f] = n + f;
        if (first == NULL)
            first = node;
        else
            last->next = node;
        last = node;
        if (++held < lists->outbox && n + 1 < lists->count)
            continue;
        list_push(&lists->full, first, last);
        first = last = NULL;
        held = 0;
    }
    while (idle != NULL) {
        struct node *next = idle->next;
        free(idle);
        idle = next;
    }
    return NULL;
}

static void give_back(struct lists *lists, struct node *first, struct node *last, unsigned n)
{
    if (lists->recycle) {
        list_push(&lists->empty, first, last);
        return;
    }
    pthread_mutex_lock(&lists->lock);
    lists->taken += n;
    pthread_cond_signal(&lists->room);
    pthread_mutex_unlock(&lists->lock);
}

static void consume(struct lists *lists)
{
    struct node *first = NULL, *last = NULL;
    unsigned held = 0;
    for (int64_t n = 0; n < lists->count;) {
        for (struct node *node = list_take(&lists->full); node != NULL; n++) {
            struct node *next = node->next;
            for (int f = 0; f < FIELDS; f++)
                the_sink.sum += node->fields[f];
            if (lists->recycle) {
                node->next = first;
                first = node;
                if (last == NULL)
                    last = node;
            } else {
                free(node);
            }
            if (++held == BATCH) {
                give_back(lists, first, last, held);
                first = last = NULL;
                held = 0;
            }
            node = next;
        }
    }
    if (held > 0 && lists->recycle)
        list_push(&lists->empty, first, last);
}

static double run_list(int64_t count, bool recycle, unsigned outbox)
{
    struct lists lists = {.count = count, .recycle = recycle, .outbox = outbox};
    list_init(&lists.full);
    list_init(&lists.empty);
    pthread_mutex_init(&lists.lock, NULL);
    pthread_cond_init(&lists.room, NULL);
    for (int i = 0; recycle && i < WINDOW; i++) {
        struct node *node = malloc(sizeof(*node));
        if (node == NULL)
            bench_die("no memory");
        list_push(&lists.empty, node, node);
    }
    int64_t began = piw_monotonic_ns();
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, &lists) != 0)
        bench_die("no thread");
    pin(producer, 0);
    consume(&lists);
    int64_t elapsed = piw_monotonic_ns() - began;
    pthread_join(producer, NULL);
    for (struct node *node = lists.empty.first; node != NULL;) {
        struct node *next = node->next;
        free(node);
        node = next;
    }
    return (double)count * 1e9 / (double)elapsed;
}

/* --- ZeroMQ inproc ---------------------------------------------------------------------------------------------------------- */

struct pipe {
    void *context;
    int64_t count;
    size_t size;
};

static void *zmq_produce(void *arg)
{
    const struct pipe *line = arg;
    int64_t fields[FIELDS];
    void *socket = zmq_socket(line->context, ZMQ_PUSH);
    if (socket == NULL || zmq_connect(socket, "inproc://bench") != 0)
        bench_die("no ZeroMQ socket");
    for (int64_t n = 0; n < line->count; n++) {
        for (int f = 0; f < FIELDS; f++)
            fields[f] = n + f;
        if (zmq_send(socket, fields, line->size, 0) < 0)
            bench_die("ZeroMQ can't send");
    }
    zmq_close(socket);
    return NULL;
}

static double run_zmq(int64_t count, size_t size)
{
    struct pipe line = {.context = zmq_ctx_new(), .count = count, .size = size};
    void *socket = line.context != NULL ? zmq_socket(line.context, ZMQ_PULL) : NULL;
    if (socket == NULL || zmq_bind(socket, "inproc://bench") != 0)
        bench_die("no ZeroMQ socket");
    int64_t began = piw_monotonic_ns();
    pthread_t producer;
    if (pthread_create(&producer, NULL, zmq_produce, &line) != 0)
        bench_die("no thread");
    pin(producer, 0);
    for (int64_t n = 0; n < count; n++) {
        int64_t fields[FIELDS] = {0};
        if (zmq_recv(socket, fields, sizeof(fields), 0) < 0)
            bench_die("ZeroMQ can't receive");
        for (int f = 0; f < FIELDS; f++)
            the_sink.sum += fields[f];
    }
    int64_t elapsed = piw_monotonic_ns() - began;
    pthread_join(producer, NULL);
    zmq_close(socket);
    zmq_ctx_term(line.context);
    return (double)count * 1e9 / (double)elapsed;
}

/* --- In turn ------------------------------------------------------------------------------------------------------------------ */

enum kind { BUS_LOAD, BUS_EMPTY, ZMQ_LOAD, ZMQ_EMPTY, LIST_MALLOC, LIST_RECYCLED, LIST_OUTBOX, KINDS };

static double run(piw_runtime *runtime, enum kind kind, int64_t count)
{
    switch (kind) {
    case BUS_LOAD:
        return run_bus(runtime, count, true);
    case BUS_EMPTY:
        return run_bus(runtime, count, false);
    case ZMQ_LOAD:
        return run_zmq(count, LOAD_BYTES);
    case ZMQ_EMPTY:
        return run_zmq(count, 0);
    case LIST_MALLOC:
        return run_list(count, false, 1);
    case LIST_RECYCLED:
        return run_list(count, true, 1);
    default:
        return run_list(count, true, BATCH);
    }
}

int main(int argc, char **argv)
{
    bool tiny = bench_tiny(argc, argv);
    /* A multiple of the batch, so that the last one is told of. */
    int64_t count = (tiny ? 1000 : 10000) * (int64_t)BATCH;
    int rounds = tiny ? 2 : 15;
    double best[KINDS] = {0};
    if (sched_getaffinity(0, sizeof(all_processors), &all_processors) != 0)
        bench_die("the processors can't be asked for");
    piw_runtime *runtime = runtime_start();
    pin(pthread_self(), 1);
    for (int r = 0; r < rounds; r++) {
        for (int k = 0; k < KINDS; k++) {
            double rate = run(runtime, (enum kind)k, count);
            if (rate > best[k])
                best[k] = rate;
        }
    }
    piw_runtime_free(&runtime);
    bench_line("zmq_inproc_104_bytes", best[ZMQ_LOAD], "messages/s", 0);
    bench_line("zmq_inproc_empty", best[ZMQ_EMPTY], "messages/s", 0);
    bench_line("list_malloc", best[LIST_MALLOC], "messages/s", 0);
    bench_line("list_recycled", best[LIST_RECYCLED], "messages/s", 0);
    bench_line("list_recycled_outbox_64", best[LIST_OUTBOX], "messages/s", 0);
    bench_line("bus_104_bytes_to_zmq", best[BUS_LOAD], "messages/s", best[ZMQ_LOAD]);
    bench_line("bus_104_bytes_to_list", best[BUS_LOAD], "messages/s", best[LIST_OUTBOX]);
    bench_line("bus_empty_to_zmq", best[BUS_EMPTY], "messages/s", best[ZMQ_EMPTY]);
    bench_line("bus_empty_to_list", best[BUS_EMPTY], "messages/s", best[LIST_OUTBOX]);
    return the_sink.sum == 1; /* the sum is used, so that no read of it is left out; it is never 1 */
}
