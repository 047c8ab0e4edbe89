/* test_fetching — the task fetch against a web server of this program's own: what is asked for comes, within its bounds, whatever
 * the server does; over a swap nothing is lost. */
#include "fetch.piw.h"
#include "runtime/runtime.h"
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 30000, BIG = 3 << 20 };

/* --- The server: a thread for each connection, which has one request ------------------------------------------------- */

static int listener = -1, port;
static _Atomic int gated, most_gated; /* requests that wait at the gate; most at a time */
static _Atomic bool open_gate;

static void send_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, const char *status, const char *more, const char *body, size_t len)
{
    char head[500];
    int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status,
                     len, more);
    send_text(fd, head, (size_t)n);
    send_text(fd, body, len);
}

static void wait_at_gate(int fd)
{
    int now = atomic_fetch_add(&gated, 1) + 1;
    if (now > atomic_load(&most_gated))
        atomic_store(&most_gated, now);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&open_gate) && poll(&gone, 1, 10) == 0)
        ;
    atomic_fetch_sub(&gated, 1);
    answer(fd, "200 OK", "", "through", 7);
}

static void endless(int fd)
{
    static const char piece[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    char zeros[4096] = {0};
    send_text(fd, piece, sizeof(piece) - 1);
    while (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
        ;
}

/* What was asked for; the body of a POST is read to its end. */
static void read_request(int fd, char *to, size_t size)
{
    size_t len = 0, want = 0;
    char *end = NULL;
    to[0] = '\0';
    while (len < size - 1) {
        ssize_t n = recv(fd, to + len, size - 1 - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        to[len] = '\0';
        if (to[0] == 0x16) { /* the beginning of TLS, which this doesn't speak */
            send_text(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
            return;
        }
        end = strstr(to, "\r\n\r\n");
        const char *length = strstr(to, "Content-Length: ");
        want = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
        if (end != NULL && len >= (size_t)(end + 4 - to) + want)
            return;
    }
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    static char big[BIG];
    char request[5000];
    read_request(fd, request, sizeof(request));
    const char *body = strstr(request, "\r\n\r\n");
    char *path = strchr(request, ' ');
    if (path == NULL || body == NULL) {
        close(fd);
        return NULL;
    }
    path++;
    if (strncmp(path, "/small ", 7) == 0)
        answer(fd, "200 OK", "X-Kind: small\r\n", "a little", 8);
    else if (strncmp(path, "/absent ", 8) == 0)
        answer(fd, "404 Not Found", "", "nothing here", 12);
    else if (strncmp(path, "/big ", 5) == 0)
        answer(fd, "200 OK", "", big, sizeof(big));
    else if (strncmp(path, "/loop ", 6) == 0)
        answer(fd, "302 Found", "Location: /loop\r\n", "", 0);
    else if (strncmp(path, "/moved ", 7) == 0)
        answer(fd, "302 Found", "Location: /small\r\n", "", 0);
    else if (strncmp(path, "/away ", 6) == 0)
        answer(fd, "302 Found", "Location: file:///etc/passwd\r\n", "", 0);
    else if (strncmp(path, "/echo ", 6) == 0)
        answer(fd, "200 OK", strstr(request, "\r\nX-Mark: yes\r\n") != NULL ? "X-Mark: seen\r\n" : "", body + 4,
               strlen(body + 4));
    else if (strncmp(path, "/endless ", 9) == 0)
        endless(fd);
    else if (strncmp(path, "/gate ", 6) == 0)
        wait_at_gate(fd);
    close(fd);
    return NULL;
}

static void *accept_all(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0 || pthread_detach(thread) != 0)
            abort();
    }
    return NULL;
}

static void listen_here(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    pthread_t thread;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 50) == 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    port = ntohs(address.sin_port);
    ck_assert(pthread_create(&thread, NULL, accept_all, NULL) == 0 && pthread_detach(thread) == 0);
}

/* --- The task -------------------------------------------------------------------------------------------------------- */

static piw_runtime *bus;

static void begin(void)
{
    char plugins[UNIT_BUILD];
    unit_built(plugins, "plugins");
    const char *dir = plugins, *names[] = {"at-once", "per-task"},
               *values[] = {"5", "3"}; /* all that ask here are one task */
    const piw_runtime_config config = {.plugin_dirs = &dir, .plugin_dirs_count = 1, .trust_files = true};
    const piw_task_config task = {.name = "fetch",
                                  .enabled = true,
                                  .critical = -1,
                                  .option_names = names,
                                  .option_values = values,
                                  .options_count = 2};
    piw_err err = {0};
    listen_here();
    piw_protocol_use(&fetch_protocol_def);
    ck_assert_msg(piw_runtime_new(&bus, &config, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_add(bus, &task, &err) == 0, "%s", err.text);
    ck_assert_msg(piw_runtime_start(bus, WAIT_MS, &err) == 0, "%s", err.text);
}

static void end(void)
{
    piw_runtime_stop(bus);
    piw_runtime_free(&bus);
}

static piw_msg *wanted(const char *path, fetch_request **request)
{
    piw_msg *msg = fetch_FETCH_new(request);
    (*request)->url =
        path[0] == '/' ? piw_msg_printf(msg, "http://127.0.0.1:%d%s", port, path) : piw_msg_textz(msg, path);
    return msg;
}

/* Takes the request. 0 with the answer, or the error. */
static int fetch(piw_msg *msg, piw_msg **answer_to, piw_err *err)
{
    *answer_to = NULL;
    int rc = piw_runtime_call(bus, "fetch", &msg, WAIT_MS, answer_to, err);
    piw_msg_free(&msg);
    return rc;
}

static void ck_body(const piw_msg *msg, int64_t status, const char *text)
{
    const fetch_FETCH_reply *reply = fetch_FETCH_reply_of(msg);
    char body[1000];
    ck_assert_int_eq(reply->status, status);
    size_t len = piw_blob_read(reply->body, 0, body, sizeof(body) - 1);
    body[len] = '\0';
    ck_assert_str_eq(body, text);
    ck_assert_int_eq(reply->size, (int64_t)len);
}

static bool has_header(const piw_msg *msg, const char *name, const char *value)
{
    const fetch_FETCH_reply *reply = fetch_FETCH_reply_of(msg);
    for (uint32_t i = 0; i < reply->headers.count; i++)
        if (strcasecmp(reply->headers.at[i].name.s, name) == 0 && piw_text_is(reply->headers.at[i].value, value))
            return true;
    return false;
}

START_TEST(what_is_asked_for_comes)
{
    fetch_request *request;
    piw_msg *got;
    piw_err err = {0};
    begin();
    ck_assert_msg(fetch(wanted("/small", &request), &got, &err) == 0, "%s", err.text);
    ck_body(got, 200, "a little");
    ck_assert(has_header(got, "x-kind", "small"));
    piw_msg_free(&got);
    ck_assert_msg(fetch(wanted("/absent", &request), &got, &err) == 0, "%s", err.text);
    ck_body(got, 404, "nothing here");
    piw_msg_free(&got);
    ck_assert_msg(fetch(wanted("/moved", &request), &got, &err) == 0, "%s", err.text);
    ck_body(got, 200, "a little");
    ck_assert_ptr_nonnull(strstr(fetch_FETCH_reply_of(got)->url.s, "/small"));
    piw_msg_free(&got);
    piw_msg *msg = wanted("/moved", &request);
    request->stay = true;
    ck_assert_msg(fetch(msg, &got, &err) == 0, "%s", err.text);
    ck_body(got, 302, "");
    ck_assert(has_header(got, "location", "/small"));
    piw_msg_free(&got);
    msg = wanted("/echo", &request);
    request->post = piw_msg_bytes(msg, "to you", 6);
    piw_msg_list(msg, &request->headers, 1);
    request->headers.at[0] = (fetch_header){piw_msg_textz(msg, "X-Mark"), piw_msg_textz(msg, "yes")};
    ck_assert_msg(fetch(msg, &got, &err) == 0, "%s", err.text);
    ck_body(got, 200, "to you");
    ck_assert(has_header(got, "x-mark", "seen"));
    piw_msg_free(&got);
    end();
}
END_TEST

START_TEST(a_file_appears_when_it_is_whole)
{
    char folder[] = "/tmp/piw-fetch-XXXXXX", path[100];
    struct stat info;
    fetch_request *request;
    piw_msg *got;
    piw_err err = {0};
    begin();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/big", folder);
    piw_msg *msg = wanted("/big", &request);
    request->file = piw_msg_textz(msg, path);
    ck_assert_int_eq(fetch(msg, &got, &err), PIW_ELIMIT); /* more than is usual */
    ck_assert_int_ne(stat(path, &info), 0);
    msg = wanted("/big", &request);
    request->file = piw_msg_textz(msg, path);
    request->bytes_max = BIG;
    err = (piw_err){0};
    ck_assert_msg(fetch(msg, &got, &err) == 0, "%s", err.text);
    ck_assert_ptr_null(fetch_FETCH_reply_of(got)->body);
    ck_assert_int_eq(fetch_FETCH_reply_of(got)->size, BIG);
    piw_msg_free(&got);
    ck_assert(stat(path, &info) == 0 && info.st_size == BIG);
    unlink(path);
    msg = wanted("/absent", &request); /* is no file */
    request->file = piw_msg_textz(msg, path);
    ck_assert_msg(fetch(msg, &got, &err) == 0, "%s", err.text);
    ck_assert_int_eq(fetch_FETCH_reply_of(got)->status, 404);
    piw_msg_free(&got);
    msg = wanted("/small", &request);
    request->file = piw_msg_textz(msg, "/nowhere/at/all");
    ck_assert_int_eq(fetch(msg, &got, &err), PIW_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "can't make /nowhere/at/all"));
    ck_assert_msg(rmdir(folder) == 0, "parts of files are left in %s", folder);
    end();
}
END_TEST

static void ck_error(piw_msg *msg, int code, const char *words)
{
    piw_msg *got = NULL;
    piw_err err = {0};
    int rc = fetch(msg, &got, &err);
    ck_assert_msg(rc == code && strstr(err.text, words) != NULL, "%d: %s", rc, err.text);
    piw_msg_free(&got);
}

START_TEST(servers_that_misbehave_are_bounded)
{
    fetch_request *request;
    char tls[100];
    begin();
    ck_error(wanted("/endless", &request), PIW_ELIMIT, "more than 1048576 bytes");
    ck_error(wanted("/big", &request), PIW_ELIMIT, "more than 1048576 bytes");
    ck_error(wanted("/loop", &request), PIW_EREFUSED, "redirects");
    ck_error(wanted("/away", &request), PIW_EREFUSED, "rotocol");
    piw_msg *msg = wanted("/gate", &request); /* says nothing */
    request->timeout_ms = 300;
    ck_error(msg, PIW_EDEADLINE, "timed out");
    snprintf(tls, sizeof(tls), "https://127.0.0.1:%d/small", port);
    ck_error(wanted(tls, &request), PIW_ENET, "SSL");
    ck_error(wanted("http://127.0.0.1:1/", &request), PIW_ENET, "http://127.0.0.1:1/ can't be fetched: ");
    ck_error(wanted("http://no-such-host.invalid/", &request), PIW_ENET, "resolve");
    end();
}
END_TEST

START_TEST(nonsense_is_refused)
{
    fetch_request *request;
    begin();
    ck_error(wanted("file:///etc/passwd", &request), PIW_EINVAL, "http:// or https:// is wanted");
    ck_error(wanted("http://[/", &request), PIW_EINVAL, "");
    piw_msg *msg = wanted("/small", &request);
    request->bytes_max = INT64_C(1) << 40;
    ck_error(msg, PIW_EINVAL, "bytes_max");
    msg = wanted("/small", &request);
    request->timeout_ms = -1;
    ck_error(msg, PIW_EINVAL, "timeout_ms");
    msg = wanted("/small", &request);
    request->file = piw_msg_textz(msg, "here");
    ck_error(msg, PIW_EINVAL, "absolute path");
    msg = wanted("/small", &request);
    piw_msg_list(msg, &request->headers, 1);
    request->headers.at[0] = (fetch_header){piw_msg_textz(msg, "X"), piw_msg_textz(msg, "y\r\nHost: other")};
    ck_error(msg, PIW_EINVAL, "header 1");
    end();
}
END_TEST

/* --- Several at a time, and a swap ----------------------------------------------------------------------------------- */

typedef struct asker {
    pthread_t thread;
    bool post;
    int rc;
    piw_err err;
    piw_msg *got;
} asker;

static void *ask(void *arg)
{
    asker *self = arg;
    fetch_request *request;
    piw_msg *msg = wanted("/gate", &request);
    if (self->post)
        request->post = piw_msg_bytes(msg, "x", 1);
    self->rc = fetch(msg, &self->got, &self->err);
    return NULL;
}

static void start_asking(asker *self, bool post)
{
    *self = (asker){.post = post};
    ck_assert_int_eq(pthread_create(&self->thread, NULL, ask, self), 0);
}

static void end_asking(asker *self)
{
    ck_assert_int_eq(pthread_join(self->thread, NULL), 0);
}

static void await_gated(int count)
{
    int64_t until = piw_monotonic_ns() + WAIT_MS * INT64_C(1000000);
    while (atomic_load(&gated) != count && piw_monotonic_ns() < until)
        poll(NULL, 0, 5);
    ck_assert_int_eq(atomic_load(&gated), count);
}

START_TEST(so_many_are_under_way_and_others_wait)
{
    asker askers[8];
    begin();
    for (size_t i = 0; i < PIW_COUNT(askers); i++)
        start_asking(&askers[i], false);
    await_gated(3);
    atomic_store(&open_gate, true);
    for (size_t i = 0; i < PIW_COUNT(askers); i++) {
        end_asking(&askers[i]);
        ck_assert_msg(askers[i].rc == 0, "%s", askers[i].err.text);
        ck_body(askers[i].got, 200, "through");
        piw_msg_free(&askers[i].got);
    }
    ck_assert_int_eq(atomic_load(&most_gated), 3);
    end();
}
END_TEST

START_TEST(a_swap_loses_nothing)
{
    asker askers[5];
    piw_err err = {0};
    begin();
    start_asking(&askers[0], true);
    start_asking(&askers[1], false);
    start_asking(&askers[2], false);
    await_gated(3);
    start_asking(&askers[3], false); /* wait */
    start_asking(&askers[4], true);
    ck_assert_msg(piw_runtime_replace(bus, "fetch", "fetch.so", &err) == 0, "%s", err.text);
    end_asking(&askers[0]);
    ck_assert_msg(askers[0].rc == PIW_EAGAIN && strstr(askers[0].err.text, "may have arrived") != NULL, "%s",
                  askers[0].err.text);
    await_gated(3); /* the two anew, and one of those that waited */
    atomic_store(&open_gate, true);
    for (size_t i = 1; i < PIW_COUNT(askers); i++) {
        end_asking(&askers[i]);
        ck_assert_msg(askers[i].rc == 0, "%zu: %s", i, askers[i].err.text);
        ck_body(askers[i].got, 200, "through");
        piw_msg_free(&askers[i].got);
    }
    end();
}
END_TEST

START_TEST(who_waits_hears_of_a_stop)
{
    asker one, other;
    piw_err err = {0};
    begin();
    start_asking(&one, false);
    await_gated(1);
    ck_assert_msg(piw_runtime_restart(bus, "fetch", &err) == 0, "%s", err.text);
    end_asking(&one);
    ck_assert_int_ne(one.rc, 0);
    start_asking(&other, false);
    await_gated(1);
    piw_runtime_stop(bus);
    end_asking(&other);
    ck_assert_int_ne(other.rc, 0);
    piw_runtime_free(&bus);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("fetching");
    TCase *tc = tcase_create("fetching");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, what_is_asked_for_comes);
    tcase_add_test(tc, a_file_appears_when_it_is_whole);
    tcase_add_test(tc, servers_that_misbehave_are_bounded);
    tcase_add_test(tc, nonsense_is_refused);
    tcase_add_test(tc, so_many_are_under_way_and_others_wait);
    tcase_add_test(tc, a_swap_loses_nothing);
    tcase_add_test(tc, who_waits_hears_of_a_stop);
    suite_add_tcase(suite, tc);
    return suite;
}
