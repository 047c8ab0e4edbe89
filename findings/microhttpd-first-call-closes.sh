#!/bin/sh
# libmicrohttpd closes the connection of a GET that is answered when its handler is called for the first time.
#
# Expected: the handler is called once the head of a request is there, and again for its body and end. A GET without a body is
# whole with its head, so an answer that is queued at once leaves a connection of HTTP/1.1 open for the next request.
# Seen: the answer says "Connection: close" and the connection is closed. Answered at the second call it stays open.
set -u
version=0.9.75-6

dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
apt-get -qq download "libmicrohttpd12=$version" "libmicrohttpd-dev=$version" >/dev/null 2>&1 ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root || exit 2; done
lib=$(dirname root/usr/lib/*/libmicrohttpd.so.12)

cat >server.c <<'END'
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* At which call it answers. */
static int calls_wanted;

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    static int seen;
    (void)arg, (void)url, (void)method, (void)version, (void)data, (void)size;
    if (*state == NULL && calls_wanted == 2) {
        *state = &seen;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(2, "ok", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result done = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return done;
}

/* Is the connection open after an answer? */
static int stays_open(int calls)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char got[1000] = "";
    calls_wanted = calls;
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer, NULL, MHD_OPTION_END);
    struct sockaddr_in from = {.sin_family = AF_INET};
    int pair[2];
    if (daemon == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0 ||
        MHD_add_connection(daemon, pair[0], (struct sockaddr *)&from, sizeof(from)) != MHD_YES ||
        write(pair[1], request, strlen(request)) != (ssize_t)strlen(request))
        exit(2);
    for (int i = 0; i < 20; i++)
        MHD_run(daemon);
    if (read(pair[1], got, sizeof(got) - 1) <= 0 || strncmp(got, "HTTP/1.1 200", 12) != 0)
        exit(2);
    int open = read(pair[1], got, 1) != 0;
    MHD_stop_daemon(daemon);
    close(pair[1]);
    return open;
}

int main(void)
{
    int first = stays_open(1), second = stays_open(2);
    printf("libmicrohttpd %s\nexpected: open after an answer at the first call, and at the second\n"
           "seen: %s after one at the first call, %s at the second\n",
           MHD_get_version(), first ? "open" : "closed", second ? "open" : "closed");
    return !first && second ? 0 : 1;
}
END
cc -o server server.c -Iroot/usr/include -L"$lib" -Wl,-rpath,"$dir/$lib" -lmicrohttpd 2>cc.log || { cat cc.log; exit 2; }
./server
