/* What a master can't be faster than: bare ZeroMQ ROUTERs that answer slaves with the right words and know nothing else.
 * piw-loadgen runs against it as against a master:
 *
 *     bare_master SLAVE-QUEUE FILE-QUEUE FOLDER PIECE WINDOW
 *
 * Every IDLE is given a build, every BUILT and SENT is DONE. A good BUILT's wheel is asked for, WINDOW pieces of PIECE bytes
 * at a time; each is written where it belongs and hashed, and the file is synced before DONE. One file a build. It ends
 * with its standard input. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <zmq.h>

enum { PEERS = 16384, ID_LEN = 5, MESSAGE_MAX = 1024, FILE_NAME_MAX = 256 };

/* A slave, by the routing id that libzmq counts up for each connection. */
typedef struct peer {
    uint32_t number; /* of its last build */
    char filename[FILE_NAME_MAX];
    int64_t size;
} peer;

/* A connection to the file queue. */
typedef struct sender {
    const peer *of;
    int fd;
    int64_t asked, got;
    EVP_MD_CTX *hash;
} sender;

static struct {
    peer peers[PEERS];
    sender senders[PEERS];
    void *slaves, *files;
    const char *folder;
    int64_t piece, window;
    uint32_t builds, known;
} all;

static uint32_t place_of(const uint8_t *id)
{
    return ((uint32_t)id[1] << 24 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 8 | id[4]) % PEERS;
}

static void send_part(void *socket, const void *data, size_t len, bool more)
{
    if (zmq_send(socket, data, len, more ? ZMQ_SNDMORE : 0) < 0)
        bench_die(zmq_strerror(errno));
}

static void answer(const uint8_t *id, const void *data, size_t len)
{
    send_part(all.slaves, id, ID_LEN, true);
    send_part(all.slaves, "", 0, true);
    send_part(all.slaves, data, len, false);
}

/* --- The slave queue: MessagePack, as far as it is needed ------------------------------------------------------------- */

static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    if (len < 32) {
        *at++ = (uint8_t)(0xa0 | len);
    } else {
        *at++ = 0xd9;
        *at++ = (uint8_t)len;
    }
    memcpy(at, text, len);
    return at + len;
}

static void on_hello(const uint8_t *id)
{
    uint8_t text[64], *at = text;
    uint32_t number = place_of(id) + 1;
    *at++ = 0x92;
    at = put_text(at, "ACK");
    *at++ = 0x92;
    *at++ = 0xce;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    at = put_text(at, "");
    answer(id, text, (size_t)(at - text));
}

static void on_idle(const uint8_t *id, peer *who)
{
    uint8_t text[64], *at = text;
    char package[24];
    who->number = ++all.builds;
    snprintf(package, sizeof(package), "bare-%u", who->number);
    *at++ = 0x92;
    at = put_text(at, "BUILD");
    *at++ = 0x92;
    at = put_text(put_text(at, package), "1.0");
    answer(id, text, (size_t)(at - text));
}

/* Finds the first file's name and size behind its build's log; returns false when there is none. */
static bool read_file(peer *who, const uint8_t *data, size_t len)
{
    char expected[64];
    int n = snprintf(expected, sizeof(expected), "bare_%u-1.0-001-", who->number);
    const uint8_t *at = memmem(data, len, expected, (size_t)n);
    if (at == NULL)
        return false;
    const uint8_t *end = memmem(at, len - (size_t)(at - data), ".whl", 4);
    if (end == NULL || end + 4 + 5 > data + len)
        return false;
    end += 4;
    snprintf(who->filename, sizeof(who->filename), "%.*s", (int)(end - at), at);
    int bytes = *end == 0xce ? 4 : *end == 0xcd ? 2 : *end == 0xcc ? 1 : 0;
    who->size = bytes == 0 ? *end : 0;
    for (int i = 1; i <= bytes; i++)
        who->size = who->size << 8 | end[i];
    return true;
}

static void on_built(const uint8_t *id, peer *who, const uint8_t *data, size_t len)
{
    uint8_t text[FILE_NAME_MAX + 16], *at = text;
    if (!read_file(who, data, len)) {
        answer(id, "\244DONE", 5);
        return;
    }
    *at++ = 0x92;
    at = put_text(put_text(at, "SEND"), who->filename);
    answer(id, text, (size_t)(at - text));
}

static void on_slave(void)
{
    static uint8_t body[1 << 16];
    uint8_t id[ID_LEN + 1], none[8];
    int id_len = zmq_recv(all.slaves, id, sizeof(id), ZMQ_DONTWAIT);
    if (id_len != ID_LEN || zmq_recv(all.slaves, none, sizeof(none), 0) != 0)
        bench_die("a peer that is none of the generator's");
    int len = zmq_recv(all.slaves, body, sizeof(body), 0);
    if (len < 4 || len > (int)sizeof(body))
        bench_die("a message that is none of the generator's");
    peer *who = &all.peers[place_of(id)];
    const char *word = (const char *)body + (body[0] == 0x92 ? 2 : 1);
    switch (word[0]) {
    case 'H':
        on_hello(id);
        break;
    case 'I':
        on_idle(id, who);
        break;
    case 'S':
        answer(id, "\244DONE", 5);
        break;
    default:
        if (strncmp(word, "BUILT", 5) == 0)
            on_built(id, who, body, (size_t)len);
    }
}

/* --- The file queue --------------------------------------------------------------------------------------------------- */

static void ask_for_more(const uint8_t *id, sender *from)
{
    while (from->asked < from->of->size && from->asked - from->got < all.piece * all.window) {
        char offset[24], length[24];
        int64_t left = from->of->size - from->asked, len = left < all.piece ? left : all.piece;
        int offset_len = snprintf(offset, sizeof(offset), "%lld", (long long)from->asked);
        int length_len = snprintf(length, sizeof(length), "%lld", (long long)len);
        send_part(all.files, id, ID_LEN, true);
        send_part(all.files, "FETCH", 5, true);
        send_part(all.files, offset, (size_t)offset_len, true);
        send_part(all.files, length, (size_t)length_len, false);
        from->asked += len;
    }
}

static void begin_file(const uint8_t *id, sender *from, const char *number)
{
    char path[4096];
    from->of = &all.peers[(uint32_t)(strtoul(number, NULL, 10) - 1) % PEERS];
    from->asked = from->got = 0;
    snprintf(path, sizeof(path), "%s/%u", all.folder, place_of(id));
    if ((from->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        bench_die("a file can't be made");
    if ((from->hash == NULL && (from->hash = EVP_MD_CTX_new()) == NULL) ||
        EVP_DigestInit_ex(from->hash, EVP_sha256(), NULL) != 1)
        bench_die("no SHA-256");
    ask_for_more(id, from);
}

static void on_piece(const uint8_t *id, sender *from, const void *data, size_t len)
{
    if (pwrite(from->fd, data, len, from->got) != (ssize_t)len || EVP_DigestUpdate(from->hash, data, len) != 1)
        bench_die("a piece can't be written");
    from->got += (int64_t)len;
    ask_for_more(id, from);
    if (from->got < from->of->size)
        return;
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_DigestFinal_ex(from->hash, digest, NULL) != 1 || fdatasync(from->fd) != 0 || close(from->fd) != 0)
        bench_die("a file can't be synced");
    send_part(all.files, id, ID_LEN, true);
    send_part(all.files, "DONE", 4, false);
}

static void on_file(void)
{
    uint8_t id[ID_LEN + 1];
    char word[8], number[32];
    if (zmq_recv(all.files, id, sizeof(id), ZMQ_DONTWAIT) != ID_LEN)
        bench_die("a peer that is none of the generator's");
    sender *from = &all.senders[place_of(id)];
    int word_len = zmq_recv(all.files, word, sizeof(word), 0), len = zmq_recv(all.files, number, sizeof(number) - 1, 0);
    if (word_len != 5 || len < 1 || len >= (int)sizeof(number))
        bench_die("a message that is none of the generator's");
    number[len] = '\0';
    if (word[0] == 'H') {
        begin_file(id, from, number);
        return;
    }
    zmq_msg_t data;
    zmq_msg_init(&data);
    if (zmq_msg_recv(&data, all.files, 0) < 0)
        bench_die(zmq_strerror(errno));
    on_piece(id, from, zmq_msg_data(&data), zmq_msg_size(&data));
    zmq_msg_close(&data);
}

/* --- The loop --------------------------------------------------------------------------------------------------------- */

static void *router(void *context, const char *address)
{
    /* As the master's own sockets have them. */
    int backlog = 1024, from_peer = 2, to_peer = 64;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_BACKLOG, &backlog, sizeof(backlog)) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVHWM, &from_peer, sizeof(from_peer)) != 0 ||
        zmq_setsockopt(socket, ZMQ_SNDHWM, &to_peer, sizeof(to_peer)) != 0 || zmq_bind(socket, address) != 0)
        bench_die(zmq_strerror(errno));
    return socket;
}

static bool has_input(void *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN) != 0;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        bench_die("bare_master SLAVE-QUEUE FILE-QUEUE FOLDER PIECE WINDOW; the benches run it");
    void *context = zmq_ctx_new();
    if (context == NULL || zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 2 * PEERS) != 0)
        bench_die("no ZeroMQ");
    all.folder = argv[3];
    all.piece = atoll(argv[4]);
    all.window = atoll(argv[5]);
    all.slaves = router(context, argv[1]);
    all.files = router(context, argv[2]);
    puts("ready");
    fflush(stdout);
    zmq_pollitem_t items[] = {{.socket = all.slaves, .events = ZMQ_POLLIN},
                              {.socket = all.files, .events = ZMQ_POLLIN},
                              {.fd = STDIN_FILENO, .events = ZMQ_POLLIN}};
    while (items[2].revents == 0) {
        if (zmq_poll(items, 3, -1) < 0 && errno != EINTR)
            bench_die(zmq_strerror(errno));
        for (int i = 0; i < 100 && has_input(all.slaves); i++)
            on_slave();
        for (int i = 0; i < 10 && has_input(all.files); i++)
            on_file();
    }
    zmq_close(all.slaves);
    zmq_close(all.files);
    zmq_ctx_term(context);
    return 0;
}
