#!/bin/sh
# libzmq gives a connection up for good when the other side speaks another security mechanism, and tries on when only the key is wrong.
#
# Expected: a socket that zmq_connect was called for tries again, at ZMQ_RECONNECT_IVL, until it is closed, whatever was wrong with
# the last try; so a client without a key that meets a CURVE server by mistake works as soon as a plain server has taken its place.
# Seen: a client with the wrong key tries on, and is heard by the server that comes with the right one. A client of another
# mechanism tries once, never again, and nothing is reported but to a socket monitor: a DEALER stays writable and keeps what is sent.
set -u
version=4.3.4-6

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
apt-get -qq download "libzmq5=$version" "libzmq3-dev=$version" libnorm1=1.5.9+dfsg-2 libpgm-5.3-0=5.3.128~dfsg-2 \
    libsodium23=1.0.18-1+deb12u1 >/dev/null 2>&1 || { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root || exit 2; done
lib=$(dirname root/usr/lib/*/libzmq.so.5)

cat >meet.c <<'END'
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

static void *context;

static void must(bool good)
{
    if (!good) {
        fprintf(stderr, "it can't be tried: %s\n", zmq_strerror(zmq_errno()));
        exit(2);
    }
}

static void *open_socket(int kind)
{
    int none = 0;
    void *socket = zmq_socket(context, kind);
    must(socket != NULL && zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none)) == 0);
    return socket;
}

/* secret NULL: without a mechanism */
static void *serve(const char *secret, const char *address)
{
    int yes = 1;
    void *server = open_socket(ZMQ_ROUTER);
    if (secret != NULL)
        must(zmq_setsockopt(server, ZMQ_CURVE_SERVER, &yes, sizeof(yes)) == 0 &&
             zmq_setsockopt(server, ZMQ_CURVE_SECRETKEY, secret, 41) == 0);
    for (int i = 0; i < 100 && zmq_bind(server, address) != 0; i++) {
        must(i < 99 && zmq_errno() == EADDRINUSE); /* the one before is being closed */
        usleep(50000);
    }
    return server;
}

/* Is a client heard by `second`, which takes the address of `first`? *tries: how often it connected to the first. */
static bool heard(const char *first, const char *second, const char *expects, int *tries)
{
    static int number;
    char address[64], name[64], own[41], secret[41];
    size_t size = sizeof(address);
    int events = ZMQ_EVENT_CONNECTED;
    void *server = serve(first, "tcp://127.0.0.1:*"), *client = open_socket(ZMQ_DEALER), *monitor = open_socket(ZMQ_PAIR);
    must(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, address, &size) == 0);
    snprintf(name, sizeof(name), "inproc://monitor-%d", number++);
    must(zmq_socket_monitor(client, name, events) == 0 && zmq_connect(monitor, name) == 0);
    if (expects != NULL)
        must(zmq_curve_keypair(own, secret) == 0 && zmq_setsockopt(client, ZMQ_CURVE_SERVERKEY, expects, 41) == 0 &&
             zmq_setsockopt(client, ZMQ_CURVE_PUBLICKEY, own, 41) == 0 && zmq_setsockopt(client, ZMQ_CURVE_SECRETKEY, secret, 41) == 0);
    must(zmq_connect(client, address) == 0);
    /* Ten tries at 100 ms, unless none follows the first. */
    zmq_pollitem_t event = {.socket = monitor, .events = ZMQ_POLLIN};
    char frame[256];
    for (*tries = 0; *tries < 10 && zmq_poll(&event, 1, 2000) == 1; ++*tries)
        must(zmq_recv(monitor, frame, sizeof(frame), 0) >= 0 && zmq_recv(monitor, frame, sizeof(frame), 0) >= 0);
    must(zmq_close(server) == 0);
    server = serve(second, address);
    (void)!zmq_send(client, "hello", 5, ZMQ_DONTWAIT);
    zmq_pollitem_t message = {.socket = server, .events = ZMQ_POLLIN};
    bool came = zmq_poll(&message, 1, 5000) == 1;
    must(zmq_socket_monitor(client, NULL, 0) == 0 && zmq_close(client) == 0 && zmq_close(monitor) == 0 && zmq_close(server) == 0);
    return came;
}

int main(void)
{
    int major, minor, patch, plain_tries, curve_tries, key_tries;
    char right[41], right_secret[41], wrong[41], wrong_secret[41];
    zmq_version(&major, &minor, &patch);
    context = zmq_ctx_new();
    must(context != NULL && zmq_curve_keypair(right, right_secret) == 0 && zmq_curve_keypair(wrong, wrong_secret) == 0);
    bool plain = heard(right_secret, NULL, NULL, &plain_tries);
    bool curve = heard(NULL, right_secret, right, &curve_tries);
    bool key = heard(wrong_secret, right_secret, right, &key_tries);
    printf("libzmq %d.%d.%d\nexpected: each is tried again and again, and is heard by the server that fits\n", major, minor, patch);
    printf("seen: without a key, first at a CURVE server: %d try, then %s\n", plain_tries, plain ? "heard" : "never heard");
    printf("      with a key, first at a plain server: %d try, then %s\n", curve_tries, curve ? "heard" : "never heard");
    printf("      with a key, first at a server of another key: %d tries or more, then %s\n", key_tries, key ? "heard" : "never heard");
    return plain_tries == 1 && curve_tries == 1 && key_tries > 1 && !plain && !curve && key ? 0 : 1;
}
END
cc -o meet meet.c -Iroot/usr/include -L"$lib" -Wl,-rpath,"$dir/$lib" -Wl,-rpath-link,"$lib" -lzmq 2>cc.log || { cat cc.log; exit 2; }
./meet
