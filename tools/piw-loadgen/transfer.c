/* transfer.c — one connection to the file queue a slave, made at its first file and kept. */
#include "load.h"

enum { PIECE_MAX = 1 << 20, HELLO_AGAIN_MS = 5000 }; /* as docs/wire.md#files has them */

static const load_wheel *wheel_of(const load_slave *slave)
{
    return &slave->wheels[slave->next - 1];
}

/* The number of a frame: decimal digits. -1: it is none. */
static int64_t number_of(const load_frame *frame)
{
    const char *text = frame->data;
    int64_t number = 0;
    if (frame->len == 0 || frame->len > 18)
        return -1;
    for (size_t i = 0; i < frame->len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static bool word_is(const load_frame *frame, const char *word)
{
    return frame->len == strlen(word) && memcmp(frame->data, word, frame->len) == 0;
}

/* Nothing is said in the middle of a piece, which is a sign of life itself. */
static int say_hello(load_slave *slave, piw_err *err)
{
    char number[24];
    int len = snprintf(number, sizeof(number), "%lld", (long long)slave->id);
    const load_frame frames[] = {{"HELLO", 5}, {number, (size_t)len}, {slave->token, strlen(slave->token)}};
    slave->said_ns = piw_monotonic_ns();
    if (!load_peer_idle(&slave->files) && slave->hellos > 0)
        return 0;
    slave->hellos++;
    return load_peer_send(&slave->files, frames, slave->token[0] != '\0' ? 3 : 2, NULL, err);
}

int load_transfer_begin(load_slave *slave, piw_err *err)
{
    int rc = 0;
    if (!slave->files.open)
        rc = load_peer_open(&slave->files, slave->load->settings.file_queue, "DEALER", slave->load->epoll_fd,
                            (uint64_t)slave->number * 2 + 1, 0, err);
    slave->phase = LOAD_SENDS;
    slave->hellos = 0;
    slave->fetched = 0;
    slave->fetches_count = 0;
    slave->asked_ns = slave->heard_ns = piw_monotonic_ns();
    return rc != 0 ? rc : say_hello(slave, err);
}

static void on_fetch(load_slave *slave, const load_frame *frames)
{
    const load_wheel *wheel = wheel_of(slave);
    load_figures *figures = &slave->load->figures;
    int64_t size = (int64_t)wheel->len, offset = number_of(&frames[1]), length = number_of(&frames[2]);
    if (offset < 0 || length <= 0 || length > PIECE_MAX || offset >= size || length > size - offset) {
        load_violation(figures, "slave %d: asked for %lld bytes at %lld of %s, which has %lld", slave->number,
                       (long long)length, (long long)offset, wheel->filename, (long long)size);
        return;
    }
    if (slave->fetches_count == LOAD_FETCHES_MAX) {
        load_violation(figures, "slave %d: asked for %d pieces of %s at once", slave->number, LOAD_FETCHES_MAX + 1,
                       wheel->filename);
        return;
    }
    slave->fetched += length;
    if (slave->fetched > size)
        figures->fetched_again++;
    figures->fetches++;
    figures->piece_max = length > figures->piece_max ? length : figures->piece_max;
    figures->pieces_max =
        (int64_t)slave->fetches_count >= figures->pieces_max ? (int64_t)slave->fetches_count + 1 : figures->pieces_max;
    slave->fetches[(slave->fetches_first + slave->fetches_count++) % LOAD_FETCHES_MAX] =
        (load_fetch){(size_t)offset, (size_t)length};
}

/* Pieces go from where the wheel is, one after the other. */
static int send_pieces(load_slave *slave, piw_err *err)
{
    int rc = 0;
    while (rc == 0 && slave->phase == LOAD_SENDS && slave->fetches_count > 0 && load_peer_idle(&slave->files)) {
        const load_fetch *fetch = &slave->fetches[slave->fetches_first];
        load_rest piece;
        char offset[24];
        int len = snprintf(offset, sizeof(offset), "%zu", fetch->offset);
        const load_frame frames[] = {{"CHUNK", 5}, {offset, (size_t)len}, {NULL, 0}};
        load_wheel_piece(wheel_of(slave), &slave->kind->filling, fetch->offset, fetch->len, &piece);
        slave->fetches_first = (slave->fetches_first + 1) % LOAD_FETCHES_MAX;
        slave->fetches_count--;
        slave->said_ns = piw_monotonic_ns();
        rc = load_peer_send(&slave->files, frames, 3, &piece, err);
    }
    return rc;
}

/* After a HELLO that was said again its answer may still be on its way, and would be taken for the next file's: that one
 * gets a new connection. */
static void on_done(load_slave *slave)
{
    load_figures *figures = &slave->load->figures;
    int64_t size = (int64_t)wheel_of(slave)->len;
    if (slave->fetched < size)
        load_violation(figures, "slave %d: DONE after %lld bytes of %s, which has %lld", slave->number,
                       (long long)slave->fetched, wheel_of(slave)->filename, (long long)size);
    figures->transfers++;
    figures->bytes += (uint64_t)size;
    if (slave->hellos > 1)
        load_peer_close(&slave->files);
}

int load_transfer_hear(load_slave *slave, bool *sent, piw_err *err)
{
    load_frame frames[LOAD_FRAMES_MAX];
    size_t count;
    int rc = 0;
    for (*sent = false; slave->files.open && (rc = load_peer_next(&slave->files, frames, &count, err)) == 0;) {
        bool done = count == 1 && word_is(&frames[0], "DONE");
        slave->heard_ns = slave->said_ns = piw_monotonic_ns();
        if (!done && !(count == 3 && word_is(&frames[0], "FETCH")))
            return piw_err_set(err, PIW_ESHAPE, "the file queue sent what is neither FETCH nor DONE");
        if (slave->phase != LOAD_SENDS) {
            load_violation(&slave->load->figures, "slave %d: the file queue says %s though nothing is sent",
                           slave->number, done ? "DONE" : "FETCH");
        } else if (done) {
            on_done(slave);
            *sent = true;
            return 0;
        } else {
            on_fetch(slave, frames);
        }
    }
    if (rc != 0 && rc != PIW_EAGAIN)
        return rc;
    return slave->files.open ? send_pieces(slave, err) : 0;
}

int load_transfer_tick(load_slave *slave, int64_t now_ns, piw_err *err)
{
    load *all = slave->load;
    if (now_ns - slave->heard_ns > all->settings.patience_ms * INT64_C(1000000)) {
        load_violation(&all->figures, "slave %d: the file queue says nothing about %s for %lld s", slave->number,
                       wheel_of(slave)->filename, (long long)(all->settings.patience_ms / 1000));
        load_slave_close(slave);
        return 0;
    }
    if (now_ns - slave->said_ns < HELLO_AGAIN_MS * INT64_C(1000000))
        return 0;
    all->figures.hellos_again++;
    return say_hello(slave, err);
}
