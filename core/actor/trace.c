/* trace.c — printed messages of a task, kept in a ring for whoever watches. */
#include "actor/trace.h"

#include "actor/shell.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- Writing --------------------------------------------------------------------------------------------------------- */

static bool matches(const char *match, const char *line)
{
    char pattern[PIW__TRACE_MATCH + 2];
    if (match[0] == 0)
        return true;
    snprintf(pattern, sizeof(pattern), "*%s*", match);
    return fnmatch(pattern, line, 0) == 0;
}

/* Nobody watches any more: this shell stops tracing. Under the lock. */
static bool is_over(piw__shell *shell, const piw__tracer *tracer)
{
    if (tracer->on && piw_monotonic_ns() < tracer->until_ns)
        return false;
    atomic_fetch_and_explicit(&shell->seen.watched, ~PIW__TRACED, memory_order_relaxed);
    return true;
}

static void put(piw__shell *shell, const char *line)
{
    piw__tracer *tracer = atomic_load_explicit(&shell->role->tracer, memory_order_acquire);
    if (tracer == NULL)
        return;
    pthread_mutex_lock(&tracer->lock);
    if (!is_over(shell, tracer) && matches(tracer->match, line)) {
        char **slot = &tracer->lines[tracer->next++ % PIW__TRACE_LINES];
        free(*slot);
        *slot = piw_strdup(line);
    }
    pthread_mutex_unlock(&tracer->lock);
}

static void print(piw__shell *shell, const char *arrow, const piw_msg *msg, const char *other)
{
    char line[PIW__TRACE_LINE], text[PIW__TRACE_LINE - 200];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    if (piw__msg_rest_of(msg)->error != 0)
        snprintf(text, sizeof(text), "%s error: %s", msg->type->name, piw_msg_error_text(msg));
    else
        piw_msg_print(msg, text, sizeof(text));
    snprintf(line, sizeof(line), "%02d:%02d:%02d.%03ld %.64s %s %.64s %s", utc.tm_hour, utc.tm_min, utc.tm_sec,
             now.tv_nsec / 1000000, shell->name, arrow, other, text);
    put(shell, line);
}

static const char *sender_of(const piw_msg *msg, char *to, size_t size)
{
    const piw__msg_rest *rest = piw__msg_rest_of(msg);
    if (rest->port != NULL) {
        const char *address = piw__port_peer_address(rest->port, rest->peer);
        snprintf(to, size, "%s:%s", piw__port_name(rest->port), address != NULL ? address : "?");
    } else if ((msg->flags & PIW__ANSWER) != 0) {
        snprintf(to, size, "answer");
    } else {
        snprintf(to, size, "%s", msg->from != NULL ? msg->from->name : "cast");
    }
    return to;
}

void piw__trace_in(piw__shell *shell, const piw_msg *msg)
{
    char from[80];
    if (shell->role != NULL)
        print(shell, "<-", msg, sender_of(msg, from, sizeof(from)));
}

static void trace_outbox(piw__shell *shell)
{
    const piw__outbox *outbox = &shell->loop.outbox;
    for (uint32_t i = 0; i < outbox->touched_count; i++) {
        const piw__out *out = &outbox->outs[outbox->touched[i]];
        const piw_msg *msg = out->kept_last != NULL ? out->kept_last->next : out->first;
        /* The mailbox stands at the beginning of its shell. */
        const piw__shell *to = (const piw__shell *)(const void *)out->to;
        for (; msg != NULL; msg = msg->next)
            print(shell, "->", msg, to->name);
    }
}

void piw__trace_out(piw__shell *shell)
{
    if (shell->role == NULL)
        return;
    trace_outbox(shell);
    for (uint32_t i = 0; i < shell->soul.txn.dos_count; i++) {
        const piw__do *act = &shell->soul.txn.dos[i];
        if (act->kind == PIW__DO_WORK && act->msg != NULL)
            print(shell, "->", act->msg, "workers");
        else if ((act->kind == PIW__DO_ANSWER || act->kind == PIW__DO_SEND || act->kind == PIW__DO_PUBLISH) &&
                 act->msg != NULL)
            print(shell, "->", act->msg, piw__port_name(act->port));
    }
}

/* --- Watching -------------------------------------------------------------------------------------------------------- */

static piw__tracer *tracer_of(piw__role *role)
{
    piw__tracer *tracer = atomic_load_explicit(&role->tracer, memory_order_acquire);
    if (tracer != NULL)
        return tracer;
    tracer = piw_zalloc(sizeof(*tracer));
    tracer->next = 1;
    pthread_mutex_init(&tracer->lock, NULL);
    /* Pairs with the acquire of the shells: they see a whole tracer. */
    atomic_store_explicit(&role->tracer, tracer, memory_order_release);
    return tracer;
}

void piw__trace_on(piw__role *role, const char *match)
{
    piw__tracer *tracer = tracer_of(role);
    int64_t now = piw_monotonic_ns();
    pthread_mutex_lock(&tracer->lock);
    bool goes_on = tracer->on && now < tracer->until_ns;
    if (!goes_on)
        snprintf(tracer->match, sizeof(tracer->match), "%s", match);
    else if (strcmp(tracer->match, match) != 0)
        tracer->match[0] = 0;
    tracer->until_ns = now + PIW__TRACE_KEEP_MS * INT64_C(1000000);
    tracer->on = true;
    pthread_mutex_unlock(&tracer->lock);
    for (unsigned i = 0; role->shells != NULL && i < role->instances; i++)
        atomic_fetch_or_explicit(&role->shells[i]->seen.watched, PIW__TRACED, memory_order_release);
}

/* What is left costs nothing. */
static void drop_lines(piw__tracer *tracer)
{
    for (unsigned i = 0; i < PIW__TRACE_LINES; i++) {
        free(tracer->lines[i]);
        tracer->lines[i] = NULL;
    }
}

void piw__trace_off(piw__role *role)
{
    piw__tracer *tracer = atomic_load_explicit(&role->tracer, memory_order_acquire);
    for (unsigned i = 0; role->shells != NULL && i < role->instances; i++)
        atomic_fetch_and_explicit(&role->shells[i]->seen.watched, ~PIW__TRACED, memory_order_relaxed);
    if (tracer == NULL)
        return;
    pthread_mutex_lock(&tracer->lock);
    tracer->on = false;
    drop_lines(tracer);
    pthread_mutex_unlock(&tracer->lock);
}

uint64_t piw__trace_read(piw__role *role, uint64_t after, const char *match, void (*say)(void *to, const char *line),
                         void *to, uint64_t *lost)
{
    piw__tracer *tracer = tracer_of(role);
    *lost = 0;
    pthread_mutex_lock(&tracer->lock);
    uint64_t next = tracer->next, oldest = next > PIW__TRACE_LINES ? next - PIW__TRACE_LINES : 1;
    if (after != 0 && after < oldest) {
        *lost = oldest - after;
        after = oldest;
    }
    unsigned said = 0;
    uint64_t n = after != 0 ? after : next;
    for (; n < next && said < PIW__TRACE_ANSWER; n++) {
        const char *line = tracer->lines[n % PIW__TRACE_LINES];
        if (line == NULL || !matches(match, line)) /* NULL: another watcher has ended the trace meanwhile */
            continue;
        say(to, line);
        said++;
    }
    pthread_mutex_unlock(&tracer->lock);
    return n;
}

void piw__tracer_free(piw__tracer *tracer)
{
    if (tracer == NULL)
        return;
    drop_lines(tracer);
    pthread_mutex_destroy(&tracer->lock);
    free(tracer);
}
