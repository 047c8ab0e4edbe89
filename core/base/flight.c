/* flight.c — prints a flight recorder: with nothing but write(2), so that a signal handler may; or line by line. */
#include "base/flight.h"

#include "base/clock.h"

#include <unistd.h>

struct line {
    char text[256];
    size_t len;
};

static void put(struct line *line, const char *s)
{
    while (*s != 0 && line->len < sizeof(line->text))
        line->text[line->len++] = *s++;
}

static void put_number(struct line *line, uint64_t n)
{
    char digits[24];
    size_t i = sizeof(digits);
    digits[--i] = 0;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    put(line, &digits[i]);
}

static void put_entry(struct line *line, const piw__flight_entry *entry, const char *name, int64_t now)
{
    const char *what = atomic_load_explicit(&entry->what, memory_order_relaxed);
    int64_t at = atomic_load_explicit(&entry->at_ns, memory_order_relaxed);
    int result = atomic_load_explicit(&entry->result, memory_order_relaxed);
    put(line, name);
    put(line, ": ");
    put_number(line, now > at ? (uint64_t)(now - at) / 1000000 : 0);
    put(line, " ms ago ");
    put(line, what != NULL ? what : "?");
    put(line, " trace ");
    put_number(line, atomic_load_explicit(&entry->trace, memory_order_relaxed));
    put(line, result == 1 ? " runs" : result == 0 ? " done" : " failed");
}

static uint32_t count_of(uint32_t next, unsigned last)
{
    uint32_t count = next < PIW_LIMIT_RECORDER ? next : PIW_LIMIT_RECORDER;
    return count > last ? last : count;
}

void piw__recorder_print(const piw__recorder *recorder, const char *name, int fd, unsigned last)
{
    uint32_t next = atomic_load_explicit(&recorder->next, memory_order_relaxed);
    int64_t now = piw__coarse_ns();
    for (uint32_t i = next - count_of(next, last); i != next; i++) {
        struct line line = {.len = 0};
        put_entry(&line, &recorder->ring[i % PIW_LIMIT_RECORDER], name, now);
        line.text[line.len < sizeof(line.text) ? line.len++ : sizeof(line.text) - 1] = '\n';
        if (write(fd, line.text, line.len) < 0)
            return;
    }
}

void piw__recorder_each(const piw__recorder *recorder, const char *name, unsigned last,
                        void (*say)(void *to, const char *line), void *to)
{
    uint32_t next = atomic_load_explicit(&recorder->next, memory_order_relaxed);
    int64_t now = piw__coarse_ns();
    for (uint32_t i = next - count_of(next, last); i != next; i++) {
        struct line line = {.len = 0};
        put_entry(&line, &recorder->ring[i % PIW_LIMIT_RECORDER], name, now);
        line.text[line.len < sizeof(line.text) ? line.len : sizeof(line.text) - 1] = 0;
        say(to, line.text);
    }
}
