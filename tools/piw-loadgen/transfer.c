/* transfer.c — one connection to the file queue a slave, made at its first file and kept. */
#include "file.piw.h"
#include "load.h"

#include <inttypes.h>

enum { PIECE_MAX = 1 << 20, HELLO_AGAIN_MS = 5000 }; /* as docs/wire.md#files has them */

static const load_wheel *wheel_of(const load_slave *slave)
{
    return &slave->wheels[slave->next - 1];
}

static int say(load_slave *slave, piw_msg **msg, piw_err *err)
{
    int rc = piw_client_send(slave->files, msg, LOAD_SEND_MS, err);
    if (rc == PIW_EAGAIN) {
        load_violation(&slave->load->figures, "slave %d: the file queue takes nothing for %d ms", slave->number,
                       LOAD_SEND_MS);
        rc = 0;
    }
    piw_msg_free(msg);
    return rc;
}

static int say_hello(load_slave *slave, piw_err *err)
{
    piw_msg *msg = file_HELLO_make(slave->id);
    slave->said_ns = piw_monotonic_ns();
    slave->hellos++;
    return say(slave, &msg, err);
}

int load_transfer_begin(load_slave *slave, piw_err *err)
{
    int rc = 0;
    if (slave->files == NULL) {
        rc = piw_client_open(&slave->files, &file_protocol_def, slave->load->settings.file_queue,
                             slave->load->settings.codec, err);
        rc = rc != 0 ? rc : load_watch(slave, slave->files, true, err);
    }
    slave->phase = LOAD_SENDS;
    slave->hellos = 0;
    slave->fetched = 0;
    slave->asked_ns = slave->heard_ns = piw_monotonic_ns();
    return rc != 0 ? rc : say_hello(slave, err);
}

static int on_fetch(load_slave *slave, const file_FETCH *fetch, piw_err *err)
{
    const load_wheel *wheel = wheel_of(slave);
    int64_t size = (int64_t)wheel->bytes.len;
    if (fetch->offset < 0 || fetch->length <= 0 || fetch->length > PIECE_MAX || fetch->offset >= size ||
        fetch->length > size - fetch->offset) {
        load_violation(&slave->load->figures,
                       "slave %d: asked for %" PRId64 " bytes at %" PRId64 " of %s, which has %" PRId64, slave->number,
                       fetch->length, fetch->offset, wheel->filename, size);
        return 0;
    }
    slave->fetched += fetch->length;
    if (slave->fetched > size)
        slave->load->figures.fetched_again++;
    file_CHUNK *chunk;
    piw_msg *msg = file_CHUNK_new(&chunk);
    chunk->offset = fetch->offset;
    chunk->data = (piw_bytes){wheel->bytes.data + fetch->offset, (uint32_t)fetch->length};
    return say(slave, &msg, err);
}

/* After a HELLO that was said again its answer may still be on its way, and would be taken for the next file's: that one
 * gets a new connection. */
static int on_done(load_slave *slave, bool *sent, piw_err *err)
{
    load_figures *figures = &slave->load->figures;
    int64_t size = (int64_t)wheel_of(slave)->bytes.len;
    int rc = 0;
    if (slave->fetched < size)
        load_violation(figures, "slave %d: DONE after %" PRId64 " bytes of %s, which has %" PRId64, slave->number,
                       slave->fetched, wheel_of(slave)->filename, size);
    figures->transfers++;
    figures->bytes += (uint64_t)size;
    if (slave->hellos > 1) {
        rc = piw_client_reset(slave->files, err);
    }
    *sent = true;
    return rc;
}

int load_transfer_hear(load_slave *slave, bool *sent, piw_err *err)
{
    *sent = false;
    piw_msg *msg = NULL;
    int rc;
    while (slave->files != NULL && (rc = piw_client_recv(slave->files, &msg, 0, err)) != PIW_EAGAIN) {
        if (rc == PIW_ESHAPE) {
            load_violation(&slave->load->figures, "slave %d: the file queue's %s", slave->number, err->text);
            *err = (piw_err){0};
            continue;
        }
        if (rc != 0)
            return rc;
        slave->heard_ns = slave->said_ns = piw_monotonic_ns();
        if (slave->phase != LOAD_SENDS)
            load_violation(&slave->load->figures, "slave %d: the file queue says %s though nothing is sent",
                           slave->number, piw_msg_type_of(msg)->name);
        else if (piw_msg_type_of(msg) == file_DONE_type())
            rc = on_done(slave, sent, err);
        else
            rc = on_fetch(slave, file_FETCH_of(msg), err);
        piw_msg_free(&msg);
        if (rc != 0 || *sent)
            return rc;
    }
    return 0;
}

int load_transfer_tick(load_slave *slave, int64_t now_ns, piw_err *err)
{
    load *all = slave->load;
    if (now_ns - slave->heard_ns > all->settings.patience_ms * INT64_C(1000000)) {
        load_violation(&all->figures, "slave %d: the file queue says nothing about %s for %" PRId64 " s", slave->number,
                       wheel_of(slave)->filename, all->settings.patience_ms / 1000);
        load_slave_close(slave);
        return 0;
    }
    if (now_ns - slave->said_ns < HELLO_AGAIN_MS * INT64_C(1000000))
        return 0;
    all->figures.hellos_again++;
    return say_hello(slave, err);
}
