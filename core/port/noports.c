/* noports.c — stands in the place of ports, clients and the admission check when the core is linked without libzmq
 * (ThreadSanitizer): a queue can't be opened, so nothing else is ever called. */
#include "piw/client.h"
#include "port/port.h"

#include <stdlib.h>

static int absent(piw_err *err)
{
    return piw_err_set(err, PIW_EABSENT, "this build has no ports");
}

int piw__port_open(piw__port **port, const piw__port_settings *settings, piw_err *err)
{
    *port = NULL;
    return piw_err_set(err, PIW_EABSENT, "queue %s: this build has no ports", settings->name);
}

void piw__port_close(piw__port **port)
{
    *port = NULL;
}

const char *piw__port_name(const piw__port *port)
{
    (void)port;
    abort();
}

const char *piw__port_endpoint(const piw__port *port)
{
    (void)port;
    abort();
}

const char *piw__port_curve_endpoint(const piw__port *port)
{
    (void)port;
    abort();
}

int piw__port_fd(const piw__port *port)
{
    (void)port;
    abort();
}

int piw__port_read(piw__port *port, unsigned *budget, piw_msg **msg)
{
    (void)port, (void)budget, (void)msg;
    abort();
}

int piw__port_answer(piw__port *port, piw_peer peer, piw_msg **msg)
{
    (void)port, (void)peer, (void)msg;
    abort();
}

piw_msg *piw__port_fallback(const piw_msg_type *type, int code, const char *text)
{
    (void)type, (void)code, (void)text;
    return NULL;
}

void piw__port_release(piw__port *port, piw_peer peer)
{
    (void)port, (void)peer;
    abort();
}

int piw__port_send(piw__port *port, piw_peer peer, piw_msg **msg)
{
    (void)port, (void)peer, (void)msg;
    abort();
}

int piw__port_publish(piw__port *port, piw_msg **msg)
{
    (void)port, (void)msg;
    abort();
}

const char *piw__port_peer_address(const piw__port *port, piw_peer peer)
{
    (void)port, (void)peer;
    abort();
}

void piw__port_peer_set(piw__port *port, piw_peer peer, piw_msg **record)
{
    (void)port, (void)peer, (void)record;
    abort();
}

const piw_msg *piw__port_peer_get(const piw__port *port, piw_peer peer)
{
    (void)port, (void)peer;
    abort();
}

void piw__port_peer_forget(piw__port *port, piw_peer peer)
{
    (void)port, (void)peer;
    abort();
}

int64_t piw__port_peer_gone_ns(piw__port *port, piw_peer peer, bool *sure)
{
    (void)port, (void)peer, (void)sure;
    abort();
}

piw_peer piw__port_gone(piw__port *port)
{
    (void)port;
    abort();
}

bool piw__port_peer_next(const piw__port *port, piw_peer *peer)
{
    (void)port, (void)peer;
    abort();
}

piw__port_counts piw__port_figures(const piw__port *port)
{
    (void)port;
    abort();
}

int piw__zap_start(const piw__zap_settings *settings, piw_err *err)
{
    (void)settings, (void)err;
    return 0;
}

void piw__zap_stop(void)
{
}

void *piw__zmq_context(void)
{
    return NULL;
}

void piw__zmq_term(void)
{
}

int piw_client_open(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec, piw_err *err)
{
    (void)protocol, (void)address, (void)codec;
    *client = NULL;
    return absent(err);
}

int piw_client_open_with(piw_client **client, piw_protocol_def *protocol, const char *address, piw_codec codec,
                         const piw_key *key, piw_err *err)
{
    (void)key;
    return piw_client_open(client, protocol, address, codec, err);
}

int piw_key_make(piw_key *key, piw_err *err)
{
    *key = (piw_key){0};
    return absent(err);
}

void piw_client_close(piw_client **client)
{
    *client = NULL;
}

int piw_client_send(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err)
{
    (void)client, (void)msg, (void)timeout_ms;
    return absent(err);
}

int piw_client_recv(piw_client *client, piw_msg **msg, int timeout_ms, piw_err *err)
{
    (void)client, (void)msg, (void)timeout_ms;
    return absent(err);
}

int piw_client_fd(const piw_client *client)
{
    (void)client;
    return -1;
}

int piw_client_reset(piw_client *client, piw_err *err)
{
    (void)client;
    return absent(err);
}

int piw_client_drain(piw_client *client, int timeout_ms)
{
    (void)client, (void)timeout_ms;
    return PIW_EAGAIN;
}

int piw_client_linger(piw_client *client, int linger_ms, piw_err *err)
{
    (void)client, (void)linger_ms;
    return absent(err);
}

bool piw_client_connected(piw_client *client)
{
    (void)client;
    return false;
}

bool piw_client_met(piw_client *client)
{
    (void)client;
    return false;
}

bool piw_client_reconnected(piw_client *client)
{
    (void)client;
    return false;
}
