/* report.c — what the load counted, printed at the end. */
#include "report.h"

#include <stdarg.h>

enum { PRINTED_MAX = 50 }; /* violations printed: the first ones tell most */

static const char *const request_names[LOAD_REQUESTS] = {"hello", "idle", "busy", "built", "sent", "bye"};
static const char *const answer_names[LOAD_ANSWERS] = {"ack", "build", "sleep", "cont", "send", "done", "die"};

void load_times_add(load_times *times, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    unsigned magnitude = 63 - (unsigned)__builtin_clzll(value | LOAD_STEPS);
    unsigned shift = magnitude - 5; /* five bits below the leading one choose the step */
    unsigned bucket = shift * LOAD_STEPS + (unsigned)(value >> shift);
    times->at[bucket < LOAD_BUCKETS ? bucket : LOAD_BUCKETS - 1]++;
    times->count++;
    if (ns > times->max_ns)
        times->max_ns = ns;
}

/* The upper end of a bucket. */
static int64_t bucket_ns(unsigned bucket)
{
    unsigned shift = bucket < 2 * LOAD_STEPS ? 0 : bucket / LOAD_STEPS - 1;
    return (int64_t)(((uint64_t)(bucket - shift * LOAD_STEPS) + 1) << shift) - 1;
}

int64_t load_times_at(const load_times *times, double percent)
{
    uint64_t seen = 0;
    double wanted = (double)times->count * percent / 100;
    for (unsigned i = 0; i < LOAD_BUCKETS && times->count > 0; i++) {
        seen += times->at[i];
        if ((double)seen >= wanted)
            return bucket_ns(i) < times->max_ns ? bucket_ns(i) : times->max_ns;
    }
    return times->max_ns;
}

void load_violation(load_figures *figures, const char *fmt, ...)
{
    if (++figures->violations > PRINTED_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    fputs("violation: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

static void times_since(load_times *times, const load_times *before)
{
    times->count -= before->count;
    for (unsigned i = 0; i < LOAD_BUCKETS; i++)
        times->at[i] -= before->at[i];
}

void load_figures_since(load_figures *figures, const load_figures *before)
{
    uint64_t *const to[] = {&figures->builds,       &figures->failed,    &figures->transfers, &figures->bytes,
                            &figures->fetches,      &figures->ending_ns, &figures->again,     &figures->fetched_again,
                            &figures->hellos_again, &figures->given_up};
    const uint64_t from[] = {before->builds,       before->failed,    before->transfers, before->bytes,
                             before->fetches,      before->ending_ns, before->again,     before->fetched_again,
                             before->hellos_again, before->given_up};
    for (size_t i = 0; i < PIW_COUNT(to); i++)
        *to[i] -= from[i];
    for (int i = 0; i < LOAD_REQUESTS; i++) {
        figures->requests[i] -= before->requests[i];
        times_since(&figures->times[i], &before->times[i]);
    }
    for (int i = 0; i < LOAD_ANSWERS; i++)
        figures->answers[i] -= before->answers[i];
    figures->cpu_us -= before->cpu_us;
    figures->began_ns = before->ended_ns;
}

static void line(FILE *to, const char *name, uint64_t value)
{
    fprintf(to, "%s\t%llu\n", name, (unsigned long long)value);
}

void load_times_report(const load_times *times, const char *name, FILE *to)
{
    if (times->count == 0)
        return;
    fprintf(to, "%s_p50_us\t%.1f\n", name, (double)load_times_at(times, 50) / 1000);
    fprintf(to, "%s_p99_us\t%.1f\n", name, (double)load_times_at(times, 99) / 1000);
    fprintf(to, "%s_max_us\t%.1f\n", name, (double)times->max_ns / 1000);
}

void load_report(const load_figures *figures, FILE *to)
{
    double seconds = (double)(figures->ended_ns - figures->began_ns) / 1e9;
    uint64_t asked = 0, answered = 0;
    fprintf(to, "seconds\t%.3f\n", seconds);
    line(to, "builds", figures->builds);
    line(to, "builds_failed", figures->failed);
    fprintf(to, "builds_per_s\t%.1f\n", seconds > 0 ? (double)figures->builds / seconds : 0);
    line(to, "transfers", figures->transfers);
    line(to, "bytes", figures->bytes);
    fprintf(to, "cpu_us_per_build\t%.2f\n",
            figures->builds > 0 ? (double)figures->cpu_us / (double)figures->builds : 0);
    fprintf(to, "built_to_done_s\t%.6f\n", (double)figures->ending_ns / 1e9);
    if (figures->first_build_ns > 0)
        fprintf(to, "first_build_at_s\t%.6f\n", (double)figures->first_build_ns / 1e9);
    if (figures->last_done_ns > 0)
        fprintf(to, "first_built_to_last_done_s\t%.6f\n",
                (double)(figures->last_done_ns - figures->first_built_ns) / 1e9);
    line(to, "pieces", figures->fetches);
    fprintf(to, "piece_max\t%lld\npieces_at_once\t%lld\n", (long long)figures->piece_max,
            (long long)figures->pieces_max);
    line(to, "files_again", figures->again);
    line(to, "pieces_again", figures->fetched_again);
    line(to, "file_hellos_again", figures->hellos_again);
    line(to, "given_up", figures->given_up);
    for (int i = 0; i < LOAD_REQUESTS; i++) {
        fprintf(to, "requests_%s\t%llu\n", request_names[i], (unsigned long long)figures->requests[i]);
        asked += i != LOAD_BYE ? figures->requests[i] : 0;
    }
    for (int i = 0; i < LOAD_ANSWERS; i++) {
        fprintf(to, "answers_%s\t%llu\n", answer_names[i], (unsigned long long)figures->answers[i]);
        answered += figures->answers[i];
    }
    line(to, "requests", asked);
    line(to, "answers", answered);
    for (int i = 0; i < LOAD_REQUESTS; i++)
        load_times_report(&figures->times[i], request_names[i], to);
    line(to, "violations", figures->violations);
}
