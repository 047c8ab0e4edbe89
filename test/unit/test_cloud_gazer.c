/* cloud_gazer as it is, in a runtime, following a small index of its own that keeps PyPI's rules. */
#include "cloud_gazer/gazer.h"
#include "farm.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static farm f;
static const char *const tasks[] = {"fake_farm", "slave_driver", "cloud_gazer", NULL};
static const char *const queues[] = {"slave", NULL};
static pid_t server;
static const char half_a_log[] = "the beginning of a log";       /* as the first answer */
static const char long_log[] = "a log of more than two batches"; /* after a first answer that there is none */
static const char busy_answer[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
static _Atomic int *asked; /* how often for the log; shared with the server */

/* --- the index: a child process that answers one request a connection -------------------------------------------- */

static const struct {
    const char *name, *version, *action;
    int time, serial;
} events[] = {
    {"Foo.Bar", NULL, "create", 1000, 1},
    {"Foo.Bar", "1.0", "add source file Foo.Bar-1.0.tar.gz", 1010, 3},
    {"early", NULL, "create", 1005, 4}, /* a higher serial, an earlier time */
    {"Foo.Bar", NULL, "add Owner somebody", 1011, 5},
    {"gone", NULL, "remove project", 1020, 6},
    {"Foo.Bar", "0.9", "remove release", 1030, 7},
    {"later", NULL, "create", 1400, 8}, /* opens the window for those before it */
};

static void put(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void begin_log(int fd)
{
    put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n"
            "<?xml version='1.0'?><methodResponse><params><param><value><array><data>");
}

static void put_event(int fd, const char *name, const char *version, int time_s, const char *action, int serial)
{
    char text[512];
    snprintf(text, sizeof(text),
             "<value><array><data><value><string>%s</string></value><value>%s%s%s</value><value><int>%d</int>"
             "</value><value><string>%s</string></value><value><int>%d</int></value></data></array></value>",
             name, version != NULL ? "<string>" : "<nil/>", version != NULL ? version : "",
             version != NULL ? "</string>" : "", time_s, action, serial);
    put(fd, text);
}

/* The beginning of a long answer, whose rest never comes. */
static void answer_half(int fd)
{
    begin_log(fd);
    for (int i = 1; i <= GAZER_EARLY; i++)
        put_event(fd, "half", NULL, i, "create", GAZER_ORDERED_FROM + i);
    pause();
}

enum { LONG_EVENTS = 2 * GAZER_BATCH + GAZER_EARLY };

static void answer_long(int fd, const char *request)
{
    begin_log(fd);
    for (int i = 1; strstr(request, "<int>0</int>") != NULL && i <= LONG_EVENTS; i++)
        put_event(fd, i == LONG_EVENTS ? "last" : "long", NULL, i, "create", GAZER_ORDERED_FROM + i);
    put_event(fd, "later", NULL, LONG_EVENTS + GAZER_WINDOW_S, "create", GAZER_ORDERED_FROM + LONG_EVENTS + 1);
    put(fd, "</data></array></value></param></params></methodResponse>");
}

static void answer_log(int fd, const char *request)
{
    const char *since = strstr(request, "<int>");
    int from = since != NULL ? atoi(since + 5) : -1;
    begin_log(fd);
    for (size_t i = 0; i < PIW_COUNT(events); i++)
        if (events[i].serial > from)
            put_event(fd, events[i].name, events[i].version, events[i].time, events[i].action, events[i].serial);
    put(fd, "</data></array></value></param></params></methodResponse>");
}

static void answer_json(int fd, const char *request)
{
    if (strncmp(request, "GET /pypi/foo-bar/json ", 23) == 0)
        put(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                "{\"info\": {\"name\": \"Foo.Bar\", \"summary\": \"Does foo to bar\"}, \"urls\": []}");
    else
        put(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void serve_one(int fd, int number, const char *first_answer)
{
    char request[8192] = "";
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(request) - 1 && (n = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
        request[len += (size_t)n] = '\0';
        const char *body = strstr(request, "\r\n\r\n");
        if (body != NULL && (strncmp(request, "GET", 3) == 0 || strstr(body, "</methodCall>") != NULL))
            break;
    }
    if (strncmp(request, "POST", 4) == 0)
        ++*asked;
    if (strstr(request, "User-Agent: piwheels/" PIW_VERSION "\r\n") == NULL)
        put(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    else if (number == 0 && first_answer == half_a_log)
        answer_half(fd);
    else if (number == 0 && first_answer != NULL)
        put(fd, first_answer != long_log ? first_answer : busy_answer);
    else if (strncmp(request, "POST", 4) == 0 && first_answer == long_log)
        answer_long(fd, request);
    else if (strncmp(request, "POST", 4) == 0)
        answer_log(fd, request);
    else
        answer_json(fd, request);
}

/* Start the index (port 0: any); `first_answer` is given to the first request in place of what it asks for. Returns the
 * port. */
static int start_server(int port, const char *first_answer)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)asked, MAP_FAILED);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        signal(SIGPIPE, SIG_IGN);
        alarm(120); /* whatever becomes of the test */
        for (int number = 0;; number++) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0)
                _exit(0);
            serve_one(fd, number, first_answer);
            shutdown(fd, SHUT_WR);
            close(fd);
        }
    }
    close(listener);
    return ntohs(address.sin_port);
}

static void start_following(int port)
{
    static char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/pypi", port);
    memset(&f, 0, sizeof(f));
    const char *const settings[] = {"pypi-xmlrpc", url, "pypi-json", url, "dev-mode", "1", NULL};
    memcpy(f.settings, settings, sizeof(settings));
    farm_start(&f, tasks, queues);
}

static void teardown(void)
{
    farm_stop(&f);
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
}

START_TEST(follows_and_spreads)
{
    start_following(start_server(0, NULL));
    /* One batch, in order of time; "later" still waits for five minutes. */
    const char *batch = farm_wait(&f, "PYPI_APPLY(", 1);
    const char *create = strstr(batch, "package='foo-bar', name='Foo.Bar', version=null");
    const char *early = strstr(batch, "package='early'");
    const char *source = strstr(batch, "version='1.0'");
    ck_assert_msg(create != NULL && early != NULL && source != NULL && create < early && early < source, "%s", batch);
    ck_assert_ptr_null(strstr(batch, "later"));
    ck_assert_msg(strstr(batch, "serial=7, development=true") != NULL, "%s", batch);
    farm_wait(&f, "BOTH(package='early'", 1);
    farm_wait(&f, "BOTH(package='foo-bar'", 1);
    farm_wait(&f, "DELPKG(package='gone'", 1);
    farm_wait(&f, "DELVER(package='foo-bar', version='0.9'", 1);
    farm_wait(&f, "DESCRIBE(package='foo-bar', description='Does foo to bar')", 1);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 1);
}
END_TEST

START_TEST(waits_when_told_to)
{
    static const char *const answers[] = {
        busy_answer,
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<methodResponse><fault><value><struct><member><name>faultCode"
        "</name><value><int>-32500</int></value></member><member><name>faultString</name><value><string>Slow down"
        "</string></value></member></struct></value></fault></methodResponse>",
    };
    int64_t began = piw_monotonic_ns();
    start_following(start_server(0, answers[_i]));
    farm_wait(&f, "PYPI_APPLY(", 1);
    ck_assert_int_ge((piw_monotonic_ns() - began) / 1000000, 10000);
}
END_TEST

START_TEST(waits_for_an_index_that_is_not_there_yet)
{
    int port = start_server(0, NULL);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    server = 0;
    start_following(port);
    farm_wait(&f, "PYPI_STATE", 1);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 0);
    start_server(port, NULL);
    farm_wait(&f, "PYPI_APPLY(", 1);
}
END_TEST

START_TEST(rests_while_the_farm_is_paused)
{
    memset(&f, 0, sizeof(f));
    piw_err err = {0};
    start_following(start_server(0, busy_answer));
    farm_pause(&f, true);
    ck_assert_msg(piw_runtime_replace(f.runtime, "cloud_gazer", "cloud_gazer.so", &err) == 0, "%s", err.text);
    farm_wait(&f, "PYPI_STATE", 2);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 0);
    farm_pause(&f, false);
    farm_wait(&f, "PYPI_APPLY(", 1);
}
END_TEST

static void await_asked(int count)
{
    int64_t until = piw_monotonic_ns() + INT64_C(20000000000);
    while (*asked < count && piw_monotonic_ns() < until)
        usleep(1000);
    ck_assert_int_ge(*asked, count);
}

/* Begin to follow while the database keeps what it gets; `first_answer` is one that says that there is none. Until its end has been read. */
static void read_to_the_end(const char *first_answer)
{
    piw_err err = {0};
    start_following(start_server(0, first_answer));
    await_asked(1);
    farm_pause(&f, true);
    ck_assert_msg(piw_runtime_replace(f.runtime, "cloud_gazer", "cloud_gazer.so", &err) == 0, "%s", err.text);
    farm_wait(&f, "PYPI_STATE", 2);
    int before = *asked;
    farm_set(&f, "db", "away");
    farm_pause(&f, false);
    farm_wait(&f, "PYPI_APPLY(", 1);
    await_asked(before + 2);
}

/* Reading doesn't wait for the database: it comes to the end of the log while the first batch is being applied. */
START_TEST(reads_on_while_a_batch_is_applied)
{
    read_to_the_end(busy_answer);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 1);
    farm_set(&f, "db", "here");
    farm_wait(&f, "BOTH(package='foo-bar'", 1);
}
END_TEST

/* The database gets the first events of a long answer while the others are still coming. */
START_TEST(applies_what_has_come_of_an_answer)
{
    start_following(start_server(0, half_a_log));
    farm_wait(&f, "PYPI_APPLY(", 1);
    farm_wait(&f, "BOTH(package='half'", 1);
    ck_assert_int_eq(*asked, 1);
}
END_TEST

/* The database has a second batch before it has answered the first one, and no third. The first is what had come by then and
 * was old enough, 4,700 events or more; 20,000 follow, and 20,000, and what is left. */
START_TEST(a_second_batch_does_not_wait_for_the_first)
{
    read_to_the_end(long_log);
    farm_wait(&f, "PYPI_APPLY(", 2);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 2);
    farm_set(&f, "db", "here");
    farm_wait(&f, "BOTH(package='last'", 1);
    ck_assert_int_le(farm_count(&f, "PYPI_APPLY("), 4);
}
END_TEST

/* When the first is refused the second is too, which narrows nothing: 10,000 follow, then 20,000 and 15,000. */
START_TEST(both_batches_come_again_when_the_first_is_refused)
{
    read_to_the_end(long_log);
    farm_wait(&f, "PYPI_APPLY(", 2);
    char code[16];
    snprintf(code, sizeof(code), "%d", PIW_EDB);
    farm_set(&f, "code", code);
    farm_set(&f, "db", "lost");
    farm_wait(&f, "BOTH(package='last'", 1);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 2 + 3);
}
END_TEST

/* The database's task doesn't know of the batch before: the batch comes again, after none. */
START_TEST(a_batch_that_lacks_the_one_before_comes_again)
{
    char code[16];
    snprintf(code, sizeof(code), "%d", PIW_EREFUSED);
    read_to_the_end(busy_answer);
    farm_set(&f, "code", code);
    farm_set(&f, "db", "lost");
    farm_wait(&f, "BOTH(package='foo-bar'", 1);
    ck_assert_int_eq(farm_count(&f, "PYPI_APPLY("), 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("cloud_gazer");
    TCase *tests = tcase_create("cloud_gazer");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, follows_and_spreads);
    tcase_add_loop_test(tests, waits_when_told_to, 0, 2);
    tcase_add_test(tests, waits_for_an_index_that_is_not_there_yet);
    tcase_add_test(tests, rests_while_the_farm_is_paused);
    tcase_add_test(tests, reads_on_while_a_batch_is_applied);
    tcase_add_test(tests, applies_what_has_come_of_an_answer);
    tcase_add_test(tests, a_second_batch_does_not_wait_for_the_first);
    tcase_add_test(tests, both_batches_come_again_when_the_first_is_refused);
    tcase_add_test(tests, a_batch_that_lacks_the_one_before_comes_again);
    suite_add_tcase(suite, tests);
    return suite;
}
