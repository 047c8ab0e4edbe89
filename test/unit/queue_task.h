/* queue_task.h — a runtime with one task behind one queue of the same name, and peers of it: for the tests in which a task is
 * replaced or fails under its peers. */
#ifndef QUEUE_TASK_H
#define QUEUE_TASK_H

#include "unit.h"

#include "piw/client.h"
#include "runtime/runtime.h"

enum { WAIT_MS = 30000 };

static piw_runtime *runtime;

static struct {
    const char *name;
    piw_protocol_def *queue;
    char folder[UNIT_FOLDER], address[64];
} behind;

static inline void up(const char *name, piw_protocol_def *queue, const char *plugin)
{
    behind.name = name;
    behind.queue = queue;
    unit_folder(behind.folder);
    snprintf(behind.address, sizeof(behind.address), "ipc://%s/%.10s", behind.folder, name);
    char plugins[UNIT_BUILD];
    unit_built(plugins, "test/plugins");
    const char *dirs[] = {plugins}, *addresses[] = {behind.address};
    const piw_runtime_config config = {.plugin_dirs = dirs,
                                       .plugin_dirs_count = 1,
                                       .trust_files = true,
                                       .queue_names = &behind.name,
                                       .queue_addresses = addresses,
                                       .queues_count = 1};
    const piw_task_config task = {.name = name, .plugin = plugin, .enabled = true};
    piw_err err = {0};
    piw_protocol_use(queue);
    ck_assert_msg(piw_runtime_new(&runtime, &config, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_add(runtime, &task, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_start(runtime, WAIT_MS, &err) == 0, "%s", err.text);
}

static inline void down(void)
{
    piw_runtime_free(&runtime);
    unit_remove(behind.folder);
}

static inline piw_client *connect_peer(void)
{
    piw_err err = {0};
    piw_client *client = NULL;
    ck_assert_msg(piw_client_open(&client, behind.queue, behind.address, PIW_MSGPACK, &err) == 0, "%s", err.text);
    return client;
}

/* The answer, or NULL when none came. */
static inline piw_msg *ask(piw_client *client, piw_msg *msg)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    if (piw_client_send(client, &msg, WAIT_MS, &err) != 0 || piw_client_recv(client, &answer, WAIT_MS, &err) != 0)
        piw_msg_free(&msg);
    return answer;
}

static inline void replace(const char *plugin)
{
    piw_err err = {0};
    ck_assert_msg(piw_runtime_replace(runtime, behind.name, plugin, &err) == 0, "%s", err.text);
}

static inline piw_task_figures figures(void)
{
    piw_task_figures now;
    ck_assert_int_eq(piw_runtime_figures(runtime, behind.name, 0, &now), 0);
    return now;
}

#endif
