/* port.c — where the bus meets the world: frames become messages, and messages frames. */
#include "port/inner.h"
#include "port/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Lines a minute about refused messages of one queue, and about dead letters: a flood must not fill the log. */
    REFUSED_PER_MINUTE = 30,
    DEAD_PER_MINUTE = 6,
    /* Of a budget so much is for requests that others go before, so that they are not shut out. */
    LATER_SHARE = PIW_LIMIT_PORT_BUDGET / 4,
    /* Answers are small; what a rare large one needed is given back. */
    BUFFER_KEPT = 65536,
};

int piw__port_open(piw__port **port, const piw__port_settings *settings, piw_err *err)
{
    piw__port *made = piw_zalloc(sizeof(*made));
    made->name = piw_strdup(settings->name);
    made->protocol = settings->protocol;
    made->fd = -1;
    made->later_end = &made->later;
    piw__peers_init(&made->peers, PIW_LIMIT_PEERS);
    int rc = piw__socket_open(made, settings, err);
    if (rc != 0) {
        piw_err_prefix(err, "queue %s at %.200s", settings->name, settings->address);
        piw__port_close(&made);
        return rc;
    }
    *port = made;
    return 0;
}

void piw__port_close(piw__port **port)
{
    piw__port *old = *port;
    if (old == NULL)
        return;
    *port = NULL;
    piw__socket_close(old);
    while (old->later != NULL) {
        piw_msg *msg = old->later;
        old->later = msg->next;
        piw_msg_free(&msg);
    }
    piw__peers_fini(&old->peers);
    piw_buffer_fini(&old->buffer);
    free(old->gone);
    free(old->socket_path);
    free(old->endpoint);
    free(old->bound);
    free(old->curve_endpoint);
    free(old->curve_bound);
    free(old->name);
    free(old);
}

const char *piw__port_name(const piw__port *port)
{
    return port->name;
}

const char *piw__port_endpoint(const piw__port *port)
{
    return port->endpoint;
}

const char *piw__port_curve_endpoint(const piw__port *port)
{
    return port->curve_endpoint;
}

int piw__port_fd(const piw__port *port)
{
    return port->fd;
}

piw__port_counts piw__port_figures(const piw__port *port)
{
    return port->counts;
}

/* --- Reading ---------------------------------------------------------------------------------------------------- */

/* The parts of one message. */
typedef struct parts {
    zmq_msg_t at[PIW__PARTS];
    size_t count;
    bool too_many;
} parts;

static int receive_part(void *socket, zmq_msg_t *part)
{
    zmq_msg_init(part);
    while (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0)
        if (errno != EINTR) {
            zmq_msg_close(part);
            return PIW_EAGAIN;
        }
    return 0;
}

/* libzmq hands out a message only when all of its parts are there. */
static int receive(piw__port *port, parts *got)
{
    *got = (parts){0};
    bool more = true;
    while (more && got->count < PIW__PARTS) {
        if (receive_part(port->socket, &got->at[got->count]) != 0)
            return PIW_EAGAIN;
        more = zmq_msg_more(&got->at[got->count++]);
    }
    got->too_many = port->draining = more;
    return 0;
}

static void close_parts(parts *got)
{
    for (size_t i = 0; i < got->count; i++)
        zmq_msg_close(&got->at[i]);
}

/* The rest of a message that is refused: of any length, so within the budget. True when it is through. */
static bool drain(piw__port *port, unsigned *budget)
{
    zmq_msg_t part;
    while (port->draining && *budget > 0) {
        if (receive_part(port->socket, &part) != 0)
            return false;
        --*budget;
        port->draining = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return !port->draining;
}

static int refuse(piw__port *port, const piw__peer_entry *entry, const char *reason)
{
    port->counts.refused++;
    piw_log_limited(&port->refused_log, REFUSED_PER_MINUTE, PIW_LOG_WARNING,
                    "queue %s: message from %s (peer %llu) refused: %s", port->name, entry->address->text,
                    (unsigned long long)entry->id, reason);
    return PIW_EREFUSED;
}

/* No peer is known for this message: `raw` is what libzmq tells of its connection. */
static int refuse_unknown(piw__port *port, const char *raw, const char *reason)
{
    port->counts.refused++;
    piw_log_limited(&port->refused_log, REFUSED_PER_MINUTE, PIW_LOG_WARNING, "queue %s: message from %s refused: %s",
                    port->name, raw, reason);
    return PIW_EREFUSED;
}

/* On a private socket libzmq tells who connected, as ADDRESS:uid:gid:pid (SO_PEERCRED). */
static bool may_use_private(const char *raw)
{
    long uid = -1, gid, pid;
    const char *colon = strchr(raw, ':');
    if (colon == NULL || sscanf(colon, ":%ld:%ld:%ld", &uid, &gid, &pid) != 3)
        return false;
    return uid == 0 || uid == (long)geteuid();
}

static const char *address_of(zmq_msg_t *part)
{
    const char *raw = zmq_msg_gets(part, "Peer-Address");
    return raw != NULL ? raw : "";
}

/* The key that the admission check found for the connection; "": it is not encrypted. */
static const char *key_of(const piw__port *port, zmq_msg_t *part)
{
    const char *user = port->curve_bound != NULL ? zmq_msg_gets(part, "User-Id") : NULL;
    return user != NULL ? piw__zap_key(user) : "";
}

/* --- Keys --------------------------------------------------------------------------------------------------------- */

static bool key_bytes(const char *text, uint8_t to[PIW_KEY_BYTES])
{
    if (strlen(text) != PIW_KEY_HEX - 1)
        return false;
    for (unsigned i = 0; i < PIW_KEY_BYTES; i++)
        if (sscanf(text + (size_t)2 * i, "%2hhx", &to[i]) != 1)
            return false;
    return true;
}

/* Does this key still open the queue? */
static bool find_key(const piw__port *port, const char *key, char name[PIW_KEY_NAME + 1])
{
    uint8_t own[PIW_KEY_BYTES];
    return key_bytes(key, own) && piw__keys_find(own, port->name, name);
}

/* Was the peer's key revoked since it connected? Looked up anew only when the keys have changed. */
static bool is_revoked(const piw__port *port, piw__address *address)
{
    unsigned now = piw__keys_generation();
    if (address->key[0] != '\0' && address->keys_generation != now) {
        char name[PIW_KEY_NAME + 1];
        address->revoked = !find_key(port, address->key, name);
        address->keys_generation = now;
    }
    return address->revoked;
}

/* A connection of somebody whose key was revoked. (When the kernel has just given the descriptor to another connection, that one
 * is made again by its peer.) */
static void cut(int fd)
{
    if (fd >= 0 && shutdown(fd, SHUT_RDWR) != 0)
        piw_debug("connection %d can't be ended: %s", fd, strerror(errno));
}

/* --- Connections ------------------------------------------------------------------------------------------------- */

static void note_gone(piw__port *port, piw__peer_entry *entry, bool sure)
{
    if (entry->gone_ns == 0)
        entry->gone_ns = piw_monotonic_ns();
    entry->ended = sure;
    entry->fd = -1;
    if (port->gone_count == port->gone_size) {
        port->gone_size = port->gone_size == 0 ? 64 : port->gone_size * 2;
        port->gone = piw_realloc(port->gone, port->gone_size * sizeof(*port->gone));
    }
    port->gone[port->gone_count++] = entry->id;
}

static void connection_ended(void *arg, piw_peer peer)
{
    piw__port *port = arg;
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (entry == NULL)
        return;
    if (entry->record == NULL && entry->open == NULL)
        piw__peers_forget(&port->peers, entry);
    else
        note_gone(port, entry, true);
}

/* By which connection does the peer speak? A routing id that ZeroMQ gave (it begins with 0) has but one in its life. */
static void tie(piw__port *port, piw__peer_entry *entry, int fd)
{
    if (entry->fd == fd && entry->gone_ns == 0)
        return;
    piw__links_look(&port->links, connection_ended, port);
    piw__link *link = entry->ended && entry->routing[0] == 0 ? NULL : piw__links_at(&port->links, fd);
    if (link == NULL) {
        note_gone(port, entry, true);
        return;
    }
    piw__link *before = entry->fd != fd ? piw__links_at(&port->links, entry->fd) : NULL;
    if (before != NULL && before->peer == entry->id)
        before->peer = 0;
    piw__peer_entry *other = link->peer != entry->id ? piw__peers_by_id(&port->peers, link->peer) : NULL;
    if (other != NULL)
        note_gone(port, other, false);
    link->peer = entry->id;
    entry->fd = fd;
    entry->ended = false;
    entry->gone_ns = 0;
}

int64_t piw__port_peer_gone_ns(piw__port *port, piw_peer peer, bool *sure)
{
    piw__links_look(&port->links, connection_ended, port);
    const piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (sure != NULL)
        *sure = entry != NULL && entry->ended;
    return entry != NULL ? entry->gone_ns : 0;
}

/* The keys have changed: who waits for an answer with one that was revoked has nothing more to hear, nor has who listens. */
static void look_at_keys(piw__port *port)
{
    unsigned now = piw__keys_generation();
    if (port->curve_bound == NULL || port->keys_generation == now)
        return;
    port->keys_generation = now;
    if (port->curve_publisher != NULL)
        piw__socket_renew_publisher(port);
    piw_peer peer = 0;
    const piw__peer_entry *entry;
    while ((entry = piw__peers_next(&port->peers, peer)) != NULL) {
        peer = entry->id;
        if (is_revoked(port, entry->address)) {
            piw_warning("queue %s: %s (peer %llu) was revoked: its connection is ended", port->name,
                        entry->address->text, (unsigned long long)peer);
            cut(entry->fd);
        }
    }
}

piw_peer piw__port_gone(piw__port *port)
{
    look_at_keys(port);
    piw__links_look(&port->links, connection_ended, port);
    while (port->gone_count > 0) {
        piw_peer peer = port->gone[--port->gone_count];
        piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
        if (entry == NULL || entry->gone_ns == 0)
            continue;
        if (entry->record != NULL || entry->open != NULL)
            return peer;
        if (entry->ended)
            piw__peers_forget(&port->peers, entry);
    }
    return 0;
}

/* A peer that speaks for the first time; NULL: it may not. */
static piw__peer_entry *meet(piw__port *port, zmq_msg_t *routing, zmq_msg_t *last)
{
    char name[PIW_KEY_NAME + 1] = "";
    piw__peer_from from = {.raw = address_of(last), .key = key_of(port, last), .name = name};
    size_t len = zmq_msg_size(routing);
    from.socket_file = port->ipc && from.key[0] == '\0';
    if ((port->protocol->queue_flags & PIW_Q_PRIVATE) != 0 && !may_use_private(from.raw)) {
        refuse_unknown(port, from.raw, "the peer is neither the master's own user nor root");
        return NULL;
    }
    if (from.key[0] != '\0' && !find_key(port, from.key, name)) {
        refuse_unknown(port, from.raw, "its key was revoked");
        cut(zmq_msg_get(last, ZMQ_SRCFD));
        return NULL;
    }
    piw__peer_entry *entry = NULL;
    if (len == 0 || len > 255 || (entry = piw__peers_add(&port->peers, zmq_msg_data(routing), len, &from)) == NULL)
        refuse_unknown(port, from.raw, "as many peers as can be remembered have open requests or records");
    return entry;
}

/* Who sent it; NULL when it is refused for that. */
static piw__peer_entry *identify(piw__port *port, parts *got)
{
    zmq_msg_t *routing = &got->at[0], *last = &got->at[got->count - 1];
    piw__peer_entry *entry = piw__peers_find(&port->peers, zmq_msg_data(routing), zmq_msg_size(routing));
    if (entry == NULL) {
        entry = meet(port, routing, last);
    } else if (strcmp(entry->address->raw, address_of(last)) != 0 ||
               strcmp(entry->address->key, key_of(port, last)) != 0) {
        refuse(port, entry, "it came from another network address or key than this peer's first");
        return NULL;
    }
    if (entry != NULL && is_revoked(port, entry->address)) {
        refuse(port, entry, "its key was revoked");
        cut(zmq_msg_get(last, ZMQ_SRCFD));
        return NULL;
    }
    if (entry != NULL && port->links.monitor != NULL)
        tie(port, entry, zmq_msg_get(last, ZMQ_SRCFD));
    if (entry != NULL && !piw__peers_spoke(&port->peers, entry, piw_monotonic_ns())) {
        refuse(port, entry, "too many messages from this address in one second");
        return NULL;
    }
    return entry;
}

/* The type of what could not be decoded, when its soul wants to know of it all the same. */
static piw_msg *malformed(const piw_msg_type *word, int code, const char *why)
{
    if (word == NULL || (word->flags & PIW_M_MALFORMED) == 0)
        return NULL;
    piw_msg *msg = piw_msg_new(word);
    msg->flags |= PIW__MALFORMED;
    piw__msg_fail(msg, code, piw_msg_textz(msg, why).s);
    return msg;
}

static int decode(piw__port *port, zmq_msg_t *part, piw_msg **msg, piw_err *err)
{
    const void *data = zmq_msg_data(part);
    size_t len = zmq_msg_size(part);
    piw_codec codec = piw_codec_of(data, len);
    if (len > port->protocol->message_max)
        return piw_err_set(err, PIW_ELIMIT, "%zu bytes are more than the queue takes", len);
    piw_owner *owner = len > PIW_LIMIT_BLOB_COPY ? piw__part_owner(part, &data) : NULL;
    const piw_msg_type *word = NULL;
    piw_msg *made = NULL;
    int rc = piw_decode(port->protocol, 1, data, len, owner, &made, &word, err);
    piw_owner_unref(&owner);
    if (rc != 0 && (made = malformed(word, rc, err->text)) == NULL)
        return rc;
    made->codec = (uint8_t)codec;
    *msg = made;
    return 0;
}

static int take_request(piw__port *port, parts *got, piw__peer_entry *entry, piw_msg **msg)
{
    if (got->too_many || got->count != 3 || zmq_msg_size(&got->at[1]) != 0)
        return refuse(port, entry, "it is not an empty frame and one more, as a REQ socket sends");
    if (entry->open != NULL) {
        port->counts.second_requests++;
        return refuse(port, entry, "a second request while the first is not answered");
    }
    piw_err err = {0};
    if (decode(port, &got->at[2], msg, &err) != 0)
        return refuse(port, entry, err.text);
    entry->codec = (*msg)->codec;
    if (((*msg)->type->flags & PIW_M_NOREPLY) == 0) {
        (*msg)->flags |= PIW__REQUEST;
        piw__peers_open(&port->peers, entry, (*msg)->type);
    }
    return 0;
}

static int take_frames(piw__port *port, parts *got, piw__peer_entry *entry, piw_msg **msg)
{
    piw_err err = {0};
    if (got->too_many || got->count < 2)
        return refuse(port, entry, "no message of this queue has as many frames");
    int rc = piw__frames_decode(port->protocol, true, &got->at[1], got->count - 1, msg, &err);
    return rc == 0 ? 0 : refuse(port, entry, err.text);
}

static int take_pushed(piw__port *port, parts *got, piw_msg **msg)
{
    piw_err err = {0};
    const char *raw = address_of(&got->at[0]), *key = key_of(port, &got->at[0]);
    char name[PIW_KEY_NAME + 1];
    if (key[0] != '\0' && !find_key(port, key, name)) {
        cut(zmq_msg_get(&got->at[0], ZMQ_SRCFD));
        return refuse_unknown(port, raw, "its key was revoked");
    }
    if (got->count != 1)
        return refuse_unknown(port, raw, "more than one frame");
    char from[128]; /* decoding may take the frame, and the address with it */
    snprintf(from, sizeof(from), "%s", raw);
    return decode(port, &got->at[0], msg, &err) == 0 ? 0 : refuse_unknown(port, from, err.text);
}

static int take(piw__port *port, parts *got, piw_msg **msg)
{
    if (port->protocol->queue == PIW_Q_PULL)
        return take_pushed(port, got, msg);
    piw__peer_entry *entry = identify(port, got);
    if (entry == NULL)
        return PIW_EREFUSED;
    int rc = port->protocol->queue == PIW_Q_ROUTER ? take_request(port, got, entry, msg)
                                                   : take_frames(port, got, entry, msg);
    if (rc == 0)
        piw__msg_rest_new(*msg)->peer = entry->id;
    return rc;
}

/* The next message that the socket has, within the budget but for `reserve`. */
static int read_socket(piw__port *port, unsigned *budget, unsigned reserve, piw_msg **msg)
{
    while (*budget > reserve) {
        parts got;
        if (!drain(port, budget) || *budget == 0)
            return PIW_EAGAIN;
        if (receive(port, &got) != 0) {
            close_parts(&got);
            return PIW_EAGAIN;
        }
        --*budget;
        int rc = take(port, &got, msg);
        close_parts(&got);
        if (rc == 0) {
            port->counts.received++;
            piw__msg_rest_new(*msg)->port = port;
            return 0;
        }
    }
    return PIW_EAGAIN;
}

/* What waited for others. Its peer may have gone meanwhile: then nobody would hear the answer. */
static int read_later(piw__port *port, unsigned *budget, piw_msg **msg)
{
    while (port->later != NULL) {
        piw_msg *first = port->later;
        port->later = first->next;
        if (port->later == NULL)
            port->later_end = &port->later;
        first->next = NULL;
        const piw__peer_entry *entry = piw__peers_by_id(&port->peers, piw_msg_peer(first));
        if (entry != NULL && !entry->ended) {
            *budget -= *budget > 0 ? 1 : 0;
            *msg = first;
            return 0;
        }
        piw__port_release(port, piw_msg_peer(first));
        piw_msg_free(&first);
    }
    return PIW_EAGAIN;
}

int piw__port_read(piw__port *port, unsigned *budget, piw_msg **msg)
{
    if (port->protocol->queue == PIW_Q_PUB || *budget == 0)
        return PIW_EAGAIN;
    unsigned reserve = *budget < LATER_SHARE ? *budget : LATER_SHARE;
    while (read_socket(port, budget, port->later != NULL ? reserve : 0, msg) == 0) {
        if (((*msg)->type->flags & PIW_M_LATER) == 0)
            return 0;
        (*msg)->next = NULL;
        *port->later_end = *msg;
        port->later_end = &(*msg)->next;
    }
    return read_later(port, budget, msg);
}

/* --- Sending ---------------------------------------------------------------------------------------------------- */

static void dead_letter(piw__port *port, piw_peer peer, const piw_msg *msg, const char *why)
{
    port->counts.dead_letters++;
    piw_log_limited(&port->dead_log, DEAD_PER_MINUTE, PIW_LOG_INFO, "queue %s: %s to peer %llu is a dead letter: %s",
                    port->name, msg->type->name, (unsigned long long)peer, why);
}

/* What ZeroMQ said to a message for this peer. */
static void settle(piw__port *port, piw__peer_entry *entry, const piw_msg *msg, int why)
{
    if (why == 0) {
        port->counts.sent++;
        return;
    }
    dead_letter(port, entry->id, msg, why == EHOSTUNREACH ? "it has gone" : zmq_strerror(why));
    if (why == EHOSTUNREACH && entry->record == NULL && entry->open == NULL)
        piw__peers_forget(&port->peers, entry);
}

static int encode(piw__port *port, const piw_msg *msg, piw_codec codec)
{
    piw_err err = {0};
    port->buffer.len = 0;
    int rc = piw_encode(msg, codec, &port->buffer, &err);
    if (rc != 0)
        piw_error("queue %s: %s can't be sent: %s", port->name, msg->type->name, err.text);
    return rc;
}

static void trim(piw__port *port)
{
    if (port->buffer.size > BUFFER_KEPT)
        piw_buffer_fini(&port->buffer);
}

/* What can't be encoded is a fault of the task that answered: the peer gets the queue's error answer instead. */
static int encode_answer(piw__port *port, const piw__peer_entry *entry, const piw_msg *msg)
{
    int rc = encode(port, msg, entry->codec);
    if (rc == 0)
        return 0;
    piw_msg *fallback = piw__port_fallback(entry->open, rc, "the answer can't be sent");
    if (fallback != NULL)
        rc = encode(port, fallback, entry->codec);
    piw_msg_free(&fallback);
    return rc;
}

int piw__port_answer(piw__port *port, piw_peer peer, piw_msg **msg)
{
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (port->protocol->queue != PIW_Q_ROUTER)
        return PIW_EINVAL;
    if (entry == NULL || entry->open == NULL) {
        dead_letter(port, peer, *msg, entry == NULL ? "it is forgotten" : "it has no open request");
    } else if (is_revoked(port, entry->address)) {
        piw__peers_open(&port->peers, entry, NULL);
        dead_letter(port, peer, *msg, "its key was revoked");
    } else if (encode_answer(port, entry, *msg) != 0) {
        piw__peers_open(&port->peers, entry, NULL);
        dead_letter(port, peer, *msg, "it can't be encoded, and the queue has no error answer to it");
    } else {
        piw__peers_open(&port->peers, entry, NULL);
        int why = piw__part_send(port->socket, entry->routing, entry->routing_len, ZMQ_SNDMORE);
        why = why != 0 ? why : piw__part_send(port->socket, NULL, 0, ZMQ_SNDMORE);
        why = why != 0 ? why : piw__buffer_send(port->socket, &port->buffer, 0);
        settle(port, entry, *msg, why);
        trim(port);
    }
    piw_msg_free(msg);
    return 0;
}

int piw__port_send(piw__port *port, piw_peer peer, piw_msg **msg)
{
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (port->protocol->queue != PIW_Q_FRAMES || (*msg)->type->kind != PIW_M_OUT)
        return PIW_EINVAL;
    if (entry == NULL) {
        dead_letter(port, peer, *msg, "it is forgotten");
    } else if (is_revoked(port, entry->address)) {
        dead_letter(port, peer, *msg, "its key was revoked");
    } else {
        int why = piw__frames_send(port->socket, entry->routing, entry->routing_len, *msg);
        if (why < 0)
            return why;
        settle(port, entry, *msg, why);
    }
    piw_msg_free(msg);
    return 0;
}

/* To those who have a key: whoever lost it since hears nothing more. */
static void publish_encrypted(piw__port *port)
{
    look_at_keys(port);
    if (port->curve_publisher != NULL &&
        piw__part_send(port->curve_publisher, port->buffer.data, port->buffer.len, 0) != 0)
        piw_debug("queue %s: a message could not be published encrypted", port->name);
}

int piw__port_publish(piw__port *port, piw_msg **msg)
{
    if (port->protocol->queue != PIW_Q_PUB)
        return PIW_EINVAL;
    int rc = encode(port, *msg, PIW_CBOR);
    if (rc != 0)
        return rc;
    publish_encrypted(port);
    if (piw__buffer_send(port->socket, &port->buffer, 0) == 0)
        port->counts.sent++;
    piw_msg_free(msg);
    trim(port);
    return 0;
}

void piw__port_release(piw__port *port, piw_peer peer)
{
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (entry != NULL)
        piw__peers_open(&port->peers, entry, NULL);
}

/* --- The error answer that a queue declares --------------------------------------------------------------------- */

/* At most `chars` characters of valid UTF-8. */
static size_t cut_text(const char *text, size_t chars)
{
    size_t len = piw_utf8_valid(text, strlen(text));
    while (len > 0 && piw_utf8_chars(text, len) > chars)
        do
            len--;
        while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80);
    return len;
}

static void set_literal(piw_msg *msg, const piw_field *field, const char *literal, const char *text)
{
    void *to = (uint8_t *)piw_msg_any_body(msg) + field->offset;
    size_t len = strlen(literal);
    switch (field->type->kind) {
    case PIW_BOOL:
        *(bool *)to = strcmp(literal, "true") == 0;
        break;
    case PIW_INT:
        *(int64_t *)to = strtoll(literal, NULL, 10);
        break;
    case PIW_TEXT:
        if (strcmp(literal, "?") == 0)
            *(piw_text *)to = piw_msg_text(msg, text, cut_text(text, field->type->max));
        else if (len >= 2 && literal[0] == '"')
            *(piw_text *)to = piw_msg_text(msg, literal + 1, len - 2);
        else
            *(piw_text *)to = piw_msg_text(msg, literal, len);
        break;
    default:
        break; /* other kinds have no literal: their zero value stands */
    }
}

piw_msg *piw__port_fallback(const piw_msg_type *type, int code, const char *text)
{
    if (type->fallback < 0 || type->fallback >= (int)type->protocol->messages_count)
        return NULL;
    piw_msg *msg = piw_msg_new(&type->protocol->messages[type->fallback]);
    if (type->fallback_text != NULL && piw__fields_count(msg->type) > 0)
        set_literal(msg, &msg->type->body->fields[0], type->fallback_text,
                    text != NULL && text[0] != '\0' ? text : piw_err_name(code));
    return msg;
}

/* --- Peers ------------------------------------------------------------------------------------------------------ */

const char *piw__port_peer_address(const piw__port *port, piw_peer peer)
{
    const piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    return entry != NULL ? entry->address->text : NULL;
}

void piw__port_peer_set(piw__port *port, piw_peer peer, piw_msg **record)
{
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (entry == NULL) {
        piw_msg_free(record);
        return;
    }
    piw__peers_record(&port->peers, entry, *record);
    *record = NULL;
}

const piw_msg *piw__port_peer_get(const piw__port *port, piw_peer peer)
{
    const piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    return entry != NULL ? entry->record : NULL;
}

void piw__port_peer_forget(piw__port *port, piw_peer peer)
{
    piw__peer_entry *entry = piw__peers_by_id(&port->peers, peer);
    if (entry != NULL)
        piw__peers_forget(&port->peers, entry);
}

bool piw__port_peer_next(const piw__port *port, piw_peer *peer)
{
    const piw__peer_entry *entry = piw__peers_next(&port->peers, *peer);
    if (entry == NULL)
        return false;
    *peer = entry->id;
    return true;
}
