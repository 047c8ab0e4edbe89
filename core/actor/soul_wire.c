/* soul_wire.c — frames between a shell and its soul's process. */
#include "actor/soul_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    MAGIC = 0x70697701, /* the low byte changes with the head */
    /* A message may be as large as its arena and its blobs. */
    PAYLOAD_MAX = 1 << 30,
    READ_SIZE = 64 << 10,
    /* Taken in at once, so that one talkative process does not keep its shell from everything else. */
    READ_MAX = 1 << 20,
};

/* --- Sending ------------------------------------------------------------------------------------------------------ */

static void append(piw_buffer *buffer, const void *data, size_t size)
{
    if (piw_buffer_add(buffer, data, size) != 0)
        (void)piw_alloc(SIZE_MAX / 2); /* says that there is no memory, and gives up */
}

static void forget_sent(piw__channel *channel)
{
    if (channel->out_at == 0)
        return;
    size_t left = piw__channel_waiting(channel);
    memmove(channel->out.data, channel->out.data + channel->out_at, left);
    channel->out.len = left;
    channel->out_at = 0;
}

void piw__channel_put(piw__channel *channel, piw__frame *frame, const void *payload, size_t size)
{
    forget_sent(channel);
    frame->magic = MAGIC;
    frame->size = (uint32_t)size;
    append(&channel->out, frame, sizeof(*frame));
    if (size > 0)
        append(&channel->out, payload, size);
}

int piw__channel_put_msg(piw__channel *channel, piw__frame *frame, const piw_msg *msg, piw_err *err)
{
    forget_sent(channel);
    frame->protocol = msg->type->protocol->hash;
    frame->type = msg->type->index;
    frame->trace = msg->trace;
    size_t head = channel->out.len;
    piw__channel_put(channel, frame, NULL, 0);
    int rc = piw_encode(msg, PIW_MSGPACK, &channel->out, err);
    size_t size = channel->out.len - head - sizeof(*frame);
    if (rc == 0 && size > PAYLOAD_MAX)
        rc = piw_err_set(err, PIW_ELIMIT, "%s has %zu bytes, too many for an isolated task", msg->type->name, size);
    if (rc != 0) {
        channel->out.len = head;
        return rc;
    }
    frame->size = (uint32_t)size;
    memcpy(channel->out.data + head, frame, sizeof(*frame));
    return 0;
}

int piw__channel_flush(piw__channel *channel)
{
    while (piw__channel_waiting(channel) > 0) {
        ssize_t n = send(channel->fd, channel->out.data + channel->out_at, piw__channel_waiting(channel), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? PIW_EAGAIN : PIW_EDEAD;
        channel->out_at += (size_t)n;
    }
    channel->out.len = channel->out_at = 0;
    return 0;
}

/* --- Receiving ----------------------------------------------------------------------------------------------------- */

int piw__channel_read(piw__channel *channel)
{
    if (channel->in_at > 0) {
        size_t left = channel->in.len - channel->in_at;
        memmove(channel->in.data, channel->in.data + channel->in_at, left);
        channel->in.len = left;
        channel->in_at = 0;
    }
    uint8_t bytes[READ_SIZE];
    for (size_t got = 0; got < READ_MAX;) {
        ssize_t n = recv(channel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (n <= 0)
            return PIW_EDEAD;
        append(&channel->in, bytes, (size_t)n);
        got += (size_t)n;
        if ((size_t)n < sizeof(bytes))
            return 0;
    }
    return 0;
}

int piw__channel_next(piw__channel *channel, piw__frame *frame, const uint8_t **payload)
{
    size_t left = channel->in.len - channel->in_at;
    if (left < sizeof(*frame))
        return 0;
    memcpy(frame, channel->in.data + channel->in_at, sizeof(*frame));
    if (frame->magic != MAGIC || frame->size > PAYLOAD_MAX)
        return PIW_ESHAPE;
    if (left - sizeof(*frame) < frame->size)
        return 0;
    *payload = channel->in.data + channel->in_at + sizeof(*frame);
    channel->in_at += sizeof(*frame) + frame->size;
    return 1;
}

void piw__channel_fini(piw__channel *channel)
{
    piw_buffer_fini(&channel->in);
    piw_buffer_fini(&channel->out);
    channel->in_at = channel->out_at = 0;
}

/* --- What messages can be of ------------------------------------------------------------------------------------------- */

static unsigned count_services(const piw_service *list)
{
    unsigned count = 0;
    while (list != NULL && list[count].name != NULL)
        count++;
    return count;
}

static unsigned count_events(const piw_event *list)
{
    unsigned count = 0;
    while (list != NULL && list[count].protocol != NULL)
        count++;
    return count;
}

const piw_service *piw__soul_service(const piw_plugin *plugin, unsigned n)
{
    unsigned uses = count_services(plugin->uses);
    if (n < uses)
        return &plugin->uses[n];
    return n - uses < count_services(plugin->serves) ? &plugin->serves[n - uses] : NULL;
}

const piw_protocol *piw__soul_protocol(const piw_plugin *plugin, unsigned n)
{
    unsigned services = count_services(plugin->uses) + count_services(plugin->serves);
    if (n < services)
        return piw__soul_service(plugin, n)->protocol->interned;
    n -= services;
    unsigned subscribes = count_events(plugin->subscribes);
    if (n < subscribes)
        return plugin->subscribes[n].protocol->interned;
    n -= subscribes;
    return n < count_events(plugin->emits) ? plugin->emits[n].protocol->interned : NULL;
}

int piw__frame_msg(const piw_plugin *plugin, const piw__frame *frame, const uint8_t *payload, piw_msg **msg,
                   piw_err *err)
{
    const piw_protocol *protocol;
    for (unsigned n = 0; (protocol = piw__soul_protocol(plugin, n)) != NULL; n++)
        if (protocol->hash == frame->protocol)
            break;
    if (protocol == NULL || frame->type >= protocol->messages_count)
        return piw_err_set(err, PIW_ESHAPE, "a message of an unknown protocol");
    int rc = piw_decode(protocol, -1, payload, frame->size, NULL, msg, NULL, err);
    if (rc == 0 && (*msg)->type->index != frame->type) {
        piw_msg_free(msg);
        rc = piw_err_set(err, PIW_ESHAPE, "a message %s of another type than it says", protocol->name);
    }
    if (rc == 0)
        (*msg)->trace = frame->trace;
    return rc;
}
