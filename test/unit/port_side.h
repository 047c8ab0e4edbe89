/* port_side.h — what the unit programs about ports share: the master's side of a queue, made and read with a bound, and
 * messages filled from their type tables. */
#ifndef PORT_SIDE_H
#define PORT_SIDE_H

#include "control.piw.h"
#include "file.piw.h"
#include "import.piw.h"
#include "log.piw.h"
#include "piw/client.h"
#include "port/port.h"
#include "slave.piw.h"
#include "status.piw.h"
#include "unit.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SOON_MS = 10000, NEVER_MS = 150 }; /* what must come, and how long to look that nothing does */

/* ThreadSanitizer builds are linked without libzmq (core/port/noports.c). */
#ifdef __SANITIZE_THREAD__
enum { SIDE_PORTS = 0 };
#else
enum { SIDE_PORTS = 1 };
#endif

static char side_dir[UNIT_FOLDER];

/* The suite, or an empty one where there are no ports. */
static inline Suite *side_suite(Suite *suite, TCase *tests)
{
    if (SIDE_PORTS)
        suite_add_tcase(suite, tests);
    else
        printf("skip ports - this build has none\n");
    return suite;
}

static inline void side_use_protocols(void)
{
    piw_protocol_use(&slave_protocol_def);
    piw_protocol_use(&file_protocol_def);
    piw_protocol_use(&import_protocol_def);
    piw_protocol_use(&control_protocol_def);
    piw_protocol_use(&log_protocol_def);
    piw_protocol_use(&status_protocol_def);
}

/* Fixture: a folder for sockets, and the admission check. */
static inline void side_start(const char *allow)
{
    side_use_protocols();
    unit_folder(side_dir);
    piw_err err = {0};
    ck_assert_msg(piw__zap_start(&(piw__zap_settings){.allow = allow}, &err) == 0, "%s", err.text);
}

static inline void side_setup(void)
{
    side_start("all");
}

static inline void side_teardown(void)
{
    piw__zap_stop();
    piw__zmq_term();
    unit_remove(side_dir);
}

/* An address in the folder: "ipc:///tmp/piw-abc123/NAME"; one at a time. */
static inline const char *side_ipc(const char *name)
{
    static char address[128];
    snprintf(address, sizeof(address), "ipc://%s/%s", side_dir, name);
    return address;
}

static inline piw__port *side_port(piw_protocol_def *def, const char *address)
{
    piw__port *port = NULL;
    piw_err err = {0};
    piw__port_settings settings = {.name = def->interned->name, .address = address, .protocol = def->interned};
    ck_assert_msg(piw__port_open(&port, &settings, &err) == 0, "%s", err.text);
    return port;
}

static inline piw_client *side_client(piw_protocol_def *def, const piw__port *port, piw_codec codec)
{
    piw_client *client = NULL;
    piw_err err = {0};
    ck_assert_msg(piw_client_open(&client, def, piw__port_endpoint(port), codec, &err) == 0, "%s", err.text);
    return client;
}

/* As a shell waits: read until there is nothing, then sleep on the descriptor. NULL when nothing comes in time. */
static inline piw_msg *side_wait(piw__port *port, int timeout_ms)
{
    int64_t until = piw_monotonic_ns() + timeout_ms * 1000000ll;
    for (;;) {
        unsigned budget = PIW_LIMIT_PORT_BUDGET;
        piw_msg *msg = NULL;
        if (piw__port_read(port, &budget, &msg) == 0)
            return msg;
        int64_t left = until - piw_monotonic_ns();
        if (left <= 0)
            return NULL;
        struct pollfd fd = {.fd = piw__port_fd(port), .events = POLLIN};
        poll(&fd, 1, budget == 0 ? 0 : (int)(left / 1000000) + 1);
    }
}

static inline piw_msg *side_get(piw__port *port)
{
    piw_msg *msg = side_wait(port, SOON_MS);
    ck_assert_msg(msg != NULL, "no message came to queue %s", piw__port_name(port));
    return msg;
}

/* Until `refused` messages were refused in all; nothing else may come meanwhile. */
static inline void side_await_refused(piw__port *port, uint64_t refused)
{
    int64_t until = piw_monotonic_ns() + SOON_MS * 1000000ll;
    while (piw__port_figures(port).refused < refused) {
        ck_assert_msg(piw_monotonic_ns() < until, "only %llu of %llu messages were refused",
                      (unsigned long long)piw__port_figures(port).refused, (unsigned long long)refused);
        unsigned budget = PIW_LIMIT_PORT_BUDGET;
        piw_msg *msg = NULL;
        ck_assert_msg(piw__port_read(port, &budget, &msg) == PIW_EAGAIN, "%s was not refused",
                      msg != NULL ? piw_msg_type_of(msg)->name : "?");
        struct pollfd fd = {.fd = piw__port_fd(port), .events = POLLIN};
        if (piw__port_figures(port).refused < refused)
            poll(&fd, 1, 100);
    }
}

static inline void side_send(piw_client *client, piw_msg *msg)
{
    piw_err err = {0};
    ck_assert_msg(piw_client_send(client, &msg, SOON_MS, &err) == 0, "%s", err.text);
    ck_assert_ptr_null(msg);
}

static inline piw_msg *side_recv(piw_client *client)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    int rc = piw_client_recv(client, &msg, SOON_MS, &err);
    ck_assert_msg(rc == 0, "%s: %s", piw_err_name(rc), err.text);
    return msg;
}

/* --- Any message with something in every field ------------------------------------------------------------------ */

/* Trailing optional fields are MessagePack's alone. */
static bool side_optional = true;

static inline void side_fill(piw_msg *msg, const piw_type *type, uint32_t flags, uint8_t *to)
{
    if ((flags & PIW_F_OPTIONAL) != 0 && !side_optional)
        return;
    if ((flags & (PIW_F_NULL | PIW_F_OPTIONAL)) != 0 && type->kind != PIW_TEXT && type->kind != PIW_BYTES &&
        type->kind != PIW_BLOB) {
        uint8_t *at = piw_msg_alloc(msg, type->size);
        side_fill(msg, type, 0, at);
        memcpy(to, &at, sizeof(at));
        return;
    }
    struct {
        uint32_t count;
        uint8_t *at;
    } list = {.count = 2};
    uint32_t stride;
    switch (type->kind) {
    case PIW_INT:
        *(int64_t *)to = 4242;
        break;
    case PIW_FLOAT:
        *(double *)to = 0.5;
        break;
    case PIW_BOOL:
        *(bool *)to = true;
        break;
    case PIW_TEXT:
        *(piw_text *)to = piw_msg_textz(msg, "text");
        break;
    case PIW_BYTES:
        *(piw_bytes *)to = piw_msg_bytes(msg, "\0\xff", 2);
        break;
    case PIW_BLOB:
        *(piw_blob **)to = piw_blob_new("log", 3);
        piw__msg_own_blob(msg, *(piw_blob **)to);
        break;
    case PIW_TIME:
        *(piw_time *)to = (piw_time){.us = 1700000000123456, .zone_min = 0};
        break;
    case PIW_DURATION:
        *(piw_duration *)to = (piw_duration){.days = 1, .seconds = 2, .micros = 3};
        break;
    case PIW_LIST:
        list.count = 2;
        stride = type->fields[0].type->size;
        list.at = piw_msg_alloc(msg, 2 * stride);
        side_fill(msg, type->fields[0].type, type->fields[0].flags, list.at);
        side_fill(msg, type->fields[0].type, type->fields[0].flags, list.at + stride);
        memcpy(to, &list, sizeof(list));
        break;
    case PIW_TUPLE:
        for (uint32_t i = 0; i < type->fields_count; i++)
            side_fill(msg, type->fields[i].type, type->fields[i].flags, to + type->fields[i].offset);
        break;
    default:
        break; /* zero: an empty map, the first alternative, null */
    }
}

static inline piw_msg *side_filled(const piw_msg_type *type)
{
    piw_msg *msg = piw_msg_new(type);
    if (type->body != NULL)
        side_fill(msg, type->body, 0, piw_msg_any_body(msg));
    return msg;
}

static inline void side_assert_same(const piw_msg *a, const piw_msg *b)
{
    char left[4096], right[4096];
    ck_assert_ptr_eq(piw_msg_type_of(a), piw_msg_type_of(b));
    piw_msg_print(a, left, sizeof(left));
    piw_msg_print(b, right, sizeof(right));
    ck_assert_str_eq(left, right);
}

#endif
