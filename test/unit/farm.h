/* farm.h — a runtime with some tasks under test, and slaves to speak to it: shared by the tests of the farm's tasks.
 *
 * Everything that is waited for is waited for with a bound, and nothing by sleeping. One farm a process. */
#ifndef FARM_H
#define FARM_H

#include "unit.h"

#include "piw/client.h"
#include "runtime/runtime.h"
#include "slave.piw.h"
#include "test/fake_farm.piw.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FARM_WAIT_MS = 20000 /* for anything that must come */ };

typedef struct farm {
    piw_runtime *runtime;
    char dir[UNIT_FOLDER];
    char plugins[2][UNIT_BUILD];
    const char *settings[32]; /* name and value in turn, NULL ends; set before farm_start */
    const char *option[3];    /* task, name and value of an option; set before farm_start */
} farm;

static const char *farm_setting(void *arg, const char *name)
{
    const farm *self = arg;
    for (size_t i = 0; i + 1 < PIW_COUNT(self->settings) && self->settings[i] != NULL; i += 2)
        if (strcmp(self->settings[i], name) == 0)
            return self->settings[i + 1];
    return NULL;
}

/* Start the tasks (names, NULL ends) with a socket for each queue (names, NULL ends) in a directory of their own. */
static inline int farm_try_start(farm *self, const char *const *tasks, const char *const *queues, piw_err *err)
{
    static char addresses[8][64];
    static const char *address_list[8];
    size_t count = 0;
    unit_folder(self->dir);
    unit_plugins(self->plugins);
    for (; queues[count] != NULL; count++) {
        snprintf(addresses[count], sizeof(addresses[count]), "ipc://%s/%s", self->dir, queues[count]);
        address_list[count] = addresses[count];
    }
    const char *dirs[] = {self->plugins[0], self->plugins[1]};
    const piw_runtime_config config = {.plugin_dirs = dirs,
                                       .plugin_dirs_count = 2,
                                       .trust_files = true,
                                       .queue_names = queues,
                                       .queue_addresses = address_list,
                                       .queues_count = count,
                                       .setting = farm_setting,
                                       .arg = self};
    piw_protocol_use(&fake_protocol_def);
    piw_protocol_use(&slave_protocol_def);
    ck_assert_msg(piw_runtime_new(&self->runtime, &config, err) == 0, "%s", err->text);
    for (size_t i = 0; tasks[i] != NULL; i++) {
        bool has_option = self->option[0] != NULL && strcmp(self->option[0], tasks[i]) == 0;
        const piw_task_config task = {.name = tasks[i],
                                      .enabled = true,
                                      .critical = -1,
                                      .option_names = &self->option[1],
                                      .option_values = &self->option[2],
                                      .options_count = has_option ? 1 : 0};
        ck_assert_msg(piw_runtime_add(self->runtime, &task, err) == 0, "%s: %s", tasks[i], err->text);
    }
    return piw_runtime_start(self->runtime, FARM_WAIT_MS, err);
}

static inline void farm_start(farm *self, const char *const *tasks, const char *const *queues)
{
    piw_err err = {0};
    ck_assert_msg(farm_try_start(self, tasks, queues, &err) == 0, "%s", err.text);
}

static inline void farm_stop(farm *self)
{
    if (self->runtime != NULL) {
        piw_runtime_stop(self->runtime);
        piw_runtime_free(&self->runtime);
    }
    unit_remove(self->dir);
}

/* --- the fixture (test/plugins/fake_farm.c) ----------------------------------------------------------------------- */

static inline piw_msg *farm_call(farm *self, piw_msg *call)
{
    piw_err err = {0};
    piw_msg *answer = NULL;
    ck_assert_msg(piw_runtime_call(self->runtime, "fake", &call, FARM_WAIT_MS, &answer, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_msg_error(answer) == 0, "%s", piw_msg_error_text(answer));
    return answer;
}

static inline void farm_tell(farm *self, piw_msg *call)
{
    piw_msg *answer = farm_call(self, call);
    piw_msg_free(&answer);
}

static inline void farm_set(farm *self, const char *name, const char *value)
{
    farm_tell(self, fake_SET_make(piw_text_of(name), piw_text_of(value)));
}

static inline void farm_clear(farm *self)
{
    farm_tell(self, fake_CLEAR_new());
}

/* Wait until `count` noted messages hold the text: the last of them. */
static inline const char *farm_wait(farm *self, const char *text, int count)
{
    static char line[4096];
    piw_err err = {0};
    piw_msg *answer = NULL, *call = fake_WAIT_make(piw_text_of(text), count);
    int failed = piw_runtime_call(self->runtime, "fake", &call, FARM_WAIT_MS, &answer, &err);
    ck_assert_msg(failed == 0 && piw_msg_error(answer) == 0, "\"%s\" has not come %d times: %s", text, count,
                  failed != 0 ? err.text : piw_msg_error_text(answer));
    snprintf(line, sizeof(line), "%s", fake_WAIT_reply_of(answer)->line.s);
    piw_msg_free(&answer);
    return line;
}

static inline int64_t farm_count(farm *self, const char *text)
{
    piw_msg *answer = farm_call(self, fake_COUNT_make(piw_text_of(text)));
    int64_t count = fake_COUNT_reply_of(answer)->count;
    piw_msg_free(&answer);
    return count;
}

static inline piw_task_figures farm_driver(const farm *self)
{
    piw_task_figures figures;
    ck_assert_int_eq(piw_runtime_figures(self->runtime, "slave_driver", 0, &figures), 0);
    return figures;
}

/* Tell, and wait until slave_driver has handled what it hears of it: a slave that speaks next speaks later. (The answer to
 * us may leave the fixture first, and a mailbox and a socket have no order between them.) */
static inline void farm_tell_driver(farm *self, piw_msg *call)
{
    uint64_t handled = farm_driver(self).handled;
    farm_tell(self, call);
    int64_t until_ns = piw_monotonic_ns() + FARM_WAIT_MS * INT64_C(1000000);
    for (piw_task_figures now = farm_driver(self); now.handled == handled || now.mailbox_depth > 0;
         now = farm_driver(self)) {
        ck_assert_msg(piw_monotonic_ns() < until_ns, "slave_driver does not hear of it");
        usleep(500);
    }
}

/* What is to be built for an ABI: package and version in turn, NULL ends. */
static inline void farm_queue(farm *self, const char *abi, const char *const *builds)
{
    fake_QUEUE *body;
    piw_msg *call = fake_QUEUE_new(&body);
    uint32_t count = 0;
    while (builds[2 * count] != NULL)
        count++;
    body->abi_tag = piw_msg_textz(call, abi);
    piw_msg_list(call, &body->builds, count);
    for (uint32_t i = 0; i < count; i++) {
        body->builds.at[i].package = piw_msg_textz(call, builds[2 * i]);
        body->builds.at[i].version = piw_msg_textz(call, builds[2 * i + 1]);
    }
    farm_tell_driver(self, call);
}

/* KILL, SLEEP, SKIP, WAKE, REPLAY; slave_id 0: null. */
static inline void farm_order(farm *self, const char *word, int64_t slave_id)
{
    fake_ORDER *body;
    piw_msg *call = fake_ORDER_new(&body);
    body->word = piw_msg_textz(call, word);
    body->slave_id = slave_id != 0 ? &slave_id : NULL;
    farm_tell_driver(self, call);
}

static inline void farm_remove(farm *self, const char *package, const char *version, bool again)
{
    farm_tell_driver(self, fake_REMOVE_make(piw_text_of(package), piw_text_of(version), again));
}

static inline void farm_pause(farm *self, bool paused)
{
    farm_tell_driver(self, fake_PAUSE_make(paused));
}

/* --- slaves ------------------------------------------------------------------------------------------------------ */

static inline piw_client *slave_connect(const farm *self, piw_codec codec)
{
    piw_err err = {0};
    piw_client *slave = NULL;
    char address[64];
    snprintf(address, sizeof(address), "ipc://%s/slave", self->dir);
    ck_assert_msg(piw_client_open(&slave, &slave_protocol_def, address, codec, &err) == 0, "%s", err.text);
    return slave;
}

static inline void slave_send(piw_client *slave, piw_msg *msg)
{
    piw_err err = {0};
    ck_assert_msg(piw_client_send(slave, &msg, FARM_WAIT_MS, &err) == 0, "%s", err.text);
}

/* The answer as text: "ACK 1 URL", "BUILD p 1", "SLEEP false", "CONT", "SEND file", "DONE", "DIE"; "nothing" when none
 * came within the time. */
static inline const char *slave_hear(piw_client *slave, int timeout_ms)
{
    static char text[1024];
    piw_err err = {0};
    piw_msg *msg = NULL;
    int failed = piw_client_recv(slave, &msg, timeout_ms, &err);
    if (failed == PIW_EAGAIN)
        return "nothing";
    ck_assert_msg(failed == 0, "%s", err.text);
    const char *word = piw_msg_type_of(msg)->name;
    if (strcmp(word, "ACK") == 0)
        snprintf(text, sizeof(text), "ACK %lld %s", (long long)slave_ACK_of(msg)->slave_id,
                 slave_ACK_of(msg)->pypi_url.s);
    else if (strcmp(word, "BUILD") == 0)
        snprintf(text, sizeof(text), "BUILD %s %s", slave_BUILD_of(msg)->package.s, slave_BUILD_of(msg)->version.s);
    else if (strcmp(word, "SLEEP") == 0)
        snprintf(text, sizeof(text), "SLEEP %s", slave_SLEEP_of(msg)->paused ? "true" : "false");
    else if (strcmp(word, "SEND") == 0)
        snprintf(text, sizeof(text), "SEND %s", slave_SEND_of(msg)->filename.s);
    else
        snprintf(text, sizeof(text), "%s", word);
    piw_msg_free(&msg);
    return text;
}

static inline const char *slave_say(piw_client *slave, piw_msg *msg)
{
    slave_send(slave, msg);
    return slave_hear(slave, FARM_WAIT_MS);
}

static inline piw_msg *say_hello(const char *abi, int64_t busy_timeout_ms, int64_t build_timeout_ms,
                                 const char *version)
{
    slave_hello *body;
    piw_msg *msg = slave_HELLO_new(&body);
    body->build_timeout = piw_duration_from_us(build_timeout_ms * 1000);
    body->busy_timeout = piw_duration_from_us(busy_timeout_ms * 1000);
    body->py_version = piw_msg_textz(msg, "311");
    body->abi = piw_msg_textz(msg, abi);
    body->platform = piw_msg_textz(msg, "linux_x86_64");
    body->label = piw_msg_textz(msg, "tester");
    body->os_name = piw_msg_textz(msg, "Debian GNU/Linux");
    body->os_version = piw_msg_textz(msg, "12 (bookworm)");
    body->board_revision = piw_msg_textz(msg, "unknown");
    body->board_serial = piw_msg_textz(msg, "unknown");
    body->version = piw_msg_textz(msg, version);
    return msg;
}

static inline piw_msg *hello(void)
{
    return say_hello("cp311", 300000, 10800000, NULL);
}

static inline piw_msg *idle(void)
{
    slave_stats *body;
    piw_msg *msg = slave_IDLE_new(&body);
    body->timestamp = piw_time_now();
    return msg;
}

static inline piw_msg *busy(void)
{
    slave_stats *body;
    piw_msg *msg = slave_BUSY_new(&body);
    body->timestamp = piw_time_now();
    return msg;
}

/* A report of a build of package p; files are versions of "p-1.0-py3-none-VERSION.whl", NULL ends. */
static inline piw_msg *built(bool status, const char *output, const char *const *files)
{
    slave_BUILT *body;
    piw_msg *msg = slave_BUILT_new(&body);
    uint32_t count = 0;
    while (files != NULL && files[count] != NULL)
        count++;
    piw_blob *blob = piw_blob_new(output, strlen(output));
    body->status = status;
    body->duration = piw_duration_from_us(1500000);
    piw_value_copy(msg, slave_BUILT_type()->body->fields[2].type, &blob, &body->output);
    piw_blob_unref(&blob);
    piw_msg_list(msg, &body->files, count);
    for (uint32_t i = 0; i < count; i++) {
        file_state *file = &body->files.at[i];
        file->filename = piw_msg_printf(msg, "p-1.0-py3-none-%s.whl", files[i]);
        file->filesize = 1000;
        file->filehash = piw_msg_textz(msg, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
        file->package_tag = piw_msg_textz(msg, "p");
        file->package_version_tag = piw_msg_textz(msg, "1.0");
        file->py_version_tag = piw_msg_textz(msg, "py3");
        file->abi_tag = piw_msg_textz(msg, "none");
        file->platform_tag = piw_msg_textz(msg, files[i]);
        file->location = piw_msg_textz(msg, "/simple");
    }
    return msg;
}

#endif
