/* fault.c — PIW_FAULTS is read once, before main; afterwards only the counters change. */
#include "piw/fault.h"

#include "piw/err.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool piw_faults_armed;

typedef enum { ACT_ERROR, ACT_KILL, ACT_PAUSE } action;

typedef struct point {
    char name[64];
    action action;
    unsigned long at;
    bool each;             /* at every multiple of `at` */
    atomic_ulong passages; /* counted by any thread that passes; nothing else is ordered by it */
} point;

enum { POINTS_MAX = 32 };
static point points[POINTS_MAX];
static size_t points_count;

__attribute__((noreturn)) static void refuse(const char *entry, size_t len)
{
    /* A test whose fault is misspelt must not pass as if the fault had been survived. */
    fprintf(stderr, "error: PIW_FAULTS: '%.*s' isn't NAME=error|kill|pause[:N|/N]\n", (int)len, entry);
    _exit(2);
}

static void arm(const char *entry, size_t len)
{
    const char *equals = memchr(entry, '=', len);
    if (points_count == POINTS_MAX || equals == NULL || equals == entry ||
        (size_t)(equals - entry) >= sizeof(points[0].name)) {
        refuse(entry, len);
    }
    point *p = &points[points_count];
    memcpy(p->name, entry, (size_t)(equals - entry));
    const char *what = equals + 1, *end = entry + len;
    const char *sign = what + strcspn(what, ":/,");
    piw_text word = {what, (uint32_t)(sign - what)};
    p->at = 1;
    if (sign != end) {
        char *stop;
        p->at = strtoul(sign + 1, &stop, 10);
        if (stop != end || p->at == 0 || sign[1] < '0' || sign[1] > '9')
            refuse(entry, len);
        p->each = *sign == '/';
    }
    if (piw_text_is(word, "error"))
        p->action = ACT_ERROR;
    else if (piw_text_is(word, "kill"))
        p->action = ACT_KILL;
    else if (piw_text_is(word, "pause"))
        p->action = ACT_PAUSE;
    else
        refuse(entry, len);
    points_count++;
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *s = getenv("PIW_FAULTS");
    while (s != NULL && *s != '\0') {
        size_t len = strcspn(s, ",");
        if (len > 0)
            arm(s, len);
        s += len + (s[len] == ',');
    }
    piw_faults_armed = points_count > 0;
}

/* A line in the file of PIW_FAULT_LOG tells the test that the point was reached: it waits for that, not for a time. */
static void tell(const char *name)
{
    const char *path = getenv("PIW_FAULT_LOG");
    if (path == NULL)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%s\n", name) < 0)
        fprintf(stderr, "error: PIW_FAULT_LOG %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static bool is_due(point *p)
{
    unsigned long passage = atomic_fetch_add_explicit(&p->passages, 1, memory_order_relaxed) + 1;
    return p->each ? passage % p->at == 0 : passage == p->at;
}

bool piw_fault_hit(const char *name)
{
    bool fails = false;
    for (size_t i = 0; i < points_count; i++) {
        point *p = &points[i];
        if (strcmp(p->name, name) != 0 || !is_due(p))
            continue;
        tell(name);
        switch (p->action) {
        case ACT_ERROR:
            fails = true;
            break;
        case ACT_KILL:
            kill(getpid(), SIGKILL);
            pause(); /* never returns: the signal kills the process */
            break;
        case ACT_PAUSE:
            kill(getpid(), SIGSTOP);
            break;
        }
    }
    return fails;
}
