/* bus.h — a runtime with the echo and relay fixtures, for the tests of the runtime.
 *
 * Everything is waited for with a bound, and nothing by sleeping for its own sake. */
#ifndef BUS_H
#define BUS_H

#include "unit.h"

#include "base/tuning.h"
#include "runtime/runtime.h"
#include "test/echo.piw.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUS_WAIT_MS = 20000 };

static piw_runtime *bus;
static char bus_dir[UNIT_BUILD];

static inline const char *bus_plugins(void)
{
    unit_built(bus_dir, "test/plugins");
    return bus_dir;
}

static inline void bus_new(void)
{
    piw_err err = {0};
    const char *dir = bus_plugins();
    const piw_runtime_config config = {.plugin_dirs = &dir, .plugin_dirs_count = 1, .trust_files = true};
    piw_protocol_use(&echo_protocol_def);
    piw_protocol_use(&echo_local_protocol_def);
    piw_protocol_use(&relay_protocol_def);
    ck_assert_msg(piw_runtime_new(&bus, &config, &err) == 0, "%s", err.text);
}

/* One task; fields that are not given here are set in `with`. */
static inline void bus_add(const char *name, const char *plugin, piw_task_config with)
{
    piw_err err = {0};
    with.name = name;
    with.plugin = plugin;
    ck_assert_msg(piw_runtime_add(bus, &with, &err) == 0, "%s", err.text);
}

#define BUS_ON .enabled = true

static inline void bus_start(void)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_start(bus, BUS_WAIT_MS, &err) == 0, "%s", err.text);
}

/* Start that must be refused, with this in its reason. */
static inline void bus_start_refused(const char *part)
{
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_start(bus, BUS_WAIT_MS, &err), 0);
    ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

static inline void bus_end(void)
{
    piw_runtime_free(&bus);
}

/* echo.so as `plugin` and the relay. */
static inline void bus_up(const char *plugin)
{
    bus_new();
    bus_add("echo", plugin, (piw_task_config){BUS_ON});
    bus_add("relay", NULL, (piw_task_config){BUS_ON});
    bus_start();
}

static inline int bus_try(const char *service, piw_msg *call, piw_msg **answer)
{
    piw_err err = {0};
    int rc = piw_runtime_call(bus, service, &call, BUS_WAIT_MS, answer, &err);
    piw_msg_free(&call);
    return rc;
}

static inline piw_msg *bus_call(const char *service, piw_msg *call)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    ck_assert_msg(piw_runtime_call(bus, service, &call, BUS_WAIT_MS, &answer, &err) == 0, "%s", err.text);
    return answer;
}

static inline echo_STAND_reply bus_stand(void)
{
    piw_msg *answer = bus_call("echo", echo_STAND_new());
    echo_STAND_reply stand = *echo_STAND_reply_of(answer);
    piw_msg_free(&answer);
    return stand;
}

/* An ECHO; true when it came in order. */
static inline bool bus_echo(int64_t from, int64_t n)
{
    piw_msg *answer = bus_call("echo", echo_ECHO_make(from, n));
    ck_assert_int_eq(echo_ECHO_reply_of(answer)->n, n);
    bool in_order = echo_ECHO_reply_of(answer)->in_order;
    piw_msg_free(&answer);
    return in_order;
}

static inline void bus_replace(const char *plugin)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(bus, "echo", plugin, &err) == 0, "%s", err.text);
}

static inline void bus_replace_refused(const char *plugin, const char *part)
{
    piw_err err = {0};
    ck_assert_int_ne(piw_runtime_replace(bus, "echo", plugin, &err), 0);
    ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

static inline piw_task_figures bus_figures(const char *task)
{
    piw_task_figures figures;
    ck_assert_int_eq(piw_runtime_figures(bus, task, 0, &figures), 0);
    return figures;
}

/* One of its texts. What a function returns is gone at the end of the expression, and its texts with it. */
#define ck_figure(task, member, wanted)                                                                                \
    do {                                                                                                               \
        piw_task_figures figures_ = bus_figures(task);                                                                 \
        ck_assert_str_eq(figures_.member, wanted);                                                                     \
    } while (0)

/* Ask until it holds, at most BUS_WAIT_MS: for what other threads bring about. */
#define BUS_UNTIL(condition)                                                                                           \
    do {                                                                                                               \
        int64_t until_ = piw_monotonic_ns() + BUS_WAIT_MS * INT64_C(1000000);                                          \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(piw_monotonic_ns() < until_, "never became true: %s", #condition);                           \
            usleep(1000);                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
