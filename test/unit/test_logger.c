/* test_logger.c — what lines of a web server's log become: against the recorded lines (../shared/vectors/
 * logger-lines.json and logger.jsonl, or $PIW_VECTORS), in other formats, with user agents as installers send them, and
 * with lines that are meant to hurt. */
#include "../../tools/piw-logger/entry.c"
#include "../../tools/piw-logger/format.c"
#include "../../tools/piw-logger/input.c"
#include "../../tools/piw-logger/moment.c"

#include "shared/web_agent.h"
#include "shared/web_log.h"
#include "unit.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <sys/stat.h>

static log_format *format;
static log_line line;

static void setup(void)
{
    piw_protocol_use(&log_protocol_def);
    setenv("TZ", "UTC", 1);
    ck_assert_int_eq(log_format_parse(&format, "combined", NULL), 0);
}

static void teardown(void)
{
    log_format_free(&format);
    log_line_fini(&line);
}

/* --- Help --------------------------------------------------------------------------------------------------------- */

static const char *split_text(const char *text, size_t len)
{
    /* Exactly as large as it is: a read beyond it is found by the sanitizer. */
    char *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, text, len);
    const char *why = log_format_split(format, copy, len, &line);
    free(copy);
    return why;
}

/* The message of a line as "WORD(field=value, …)", "none", or "bad". */
static const char *become(const char *text)
{
    static char printed[2000];
    if (split_text(text, strlen(text)) != NULL)
        return "bad";
    piw_msg *msg = log_record_of(&line);
    if (msg == NULL)
        return "none";
    piw_msg_print(msg, printed, sizeof(printed));
    piw_msg_free(&msg);
    return printed;
}

static const char *get(const char *path, const char *agent)
{
    static char text[4000];
    snprintf(text, sizeof(text), "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET %s HTTP/1.1\" 200 1 \"-\" \"%s\"",
             path, agent);
    return become(text);
}

static void use_format(const char *text)
{
    piw_err err = {0};
    log_format_free(&format);
    ck_assert_msg(log_format_parse(&format, text, &err) == 0, "%s", err.text);
}

static char *read_file(const char *name)
{
    char path[512];
    const char *folder = getenv("PIW_VECTORS");
    snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "../shared/vectors", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void hex_of(const piw_msg *msg, char *to)
{
    piw_buffer bytes = {0};
    piw_err err = {0};
    ck_assert_msg(piw_encode(msg, PIW_CBOR, &bytes, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes.data[i]);
    piw_buffer_fini(&bytes);
}

/* --- The recordings ----------------------------------------------------------------------------------------------- */

START_TEST(recorded_lines_become_the_recorded_bytes)
{
    char *lines = read_file("logger-lines.json"), *sent = read_file("logger.jsonl");
    if (lines == NULL || sent == NULL) {
        printf("skip recorded_lines_become_the_recorded_bytes - the recordings aren't there\n");
        return;
    }
    cJSON *all = cJSON_Parse(lines), *entry;
    ck_assert_ptr_nonnull(all);
    int entries = 0, none = 0;
    cJSON_ArrayForEach(entry, all)
    {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "line"));
        const char *wanted = cJSON_GetStringValue(cJSON_GetObjectItem(entry, "hex"));
        char hex[4000] = "";
        const char *why = split_text(text, strlen(text));
        ck_assert_msg(why == NULL, "%s: %s", why, text);
        piw_msg *msg = log_record_of(&line);
        if (msg != NULL)
            hex_of(msg, hex);
        ck_assert_msg((msg == NULL) == (wanted == NULL), "%s", text);
        if (wanted != NULL) {
            char frame[4100];
            ck_assert_str_eq(hex, wanted);
            ck_assert_str_eq(piw_msg_type_of(msg)->name, cJSON_GetStringValue(cJSON_GetObjectItem(entry, "kind")));
            snprintf(frame, sizeof(frame), "\"frames\": [\"%s\"]", hex);
            ck_assert_ptr_nonnull(strstr(sent, frame));
        }
        entries += msg != NULL;
        none += msg == NULL;
        piw_msg_free(&msg);
    }
    ck_assert_int_eq(entries, 8);
    ck_assert_int_eq(none, 4);
    cJSON_Delete(all);
    free(lines);
    free(sent);
}
END_TEST

/* --- The rules ---------------------------------------------------------------------------------------------------- */

START_TEST(the_first_rule_that_fits_wins)
{
    static const struct {
        const char *path, *agent, *becomes;
    } rules[] = {
        {"/simple/", "pip/23.0", "none"},
        {"/simple/", "curl/8", "none"},
        {"/project/", "Mozilla/5.0", "none"},
        {"/simple/gold/gold-1-py3-none-any.whl", "Mozilla/5.0", "LOGDOWNLOAD(filename='gold-1-py3-none-any.whl'"},
        {"/simple/gold/gold-1-py3-none-any.whl?x=/y", "uv/0.4", "LOGDOWNLOAD(filename='gold-1-py3-none-any.whl'"},
        {"/simple/gold/gold-1%2Blocal-py3-none-any.whl", "x", "LOGDOWNLOAD(filename='gold-1+local-py3-none-any.whl'"},
        {"/simple/gold/gold-1-py3-none-any.whl.metadata", "pip/25.1", "none"},
        {"/simple/gold/gold-1-py3-none-any.whl.metadata", "uv/0.8", "none"},
        {"/project/gold.metadata", "curl/7", "none"},
        {"/simple/gold/index.v1.json", "pip/25.1", "LOGSEARCH(package='gold'"},
        {"/simple/Gold_._Pure/", "pip/23.0", "LOGSEARCH(package='gold-pure'"},
        {"/simple/Gold.Pure", "pip/23.0", "LOGSEARCH(package='gold-pure'"},
        {"/simple/gold/", "uv/0.4.0", "none"},
        {"/bookworm-arm64/simple/gold/gold-1-py3-none-any.whl", "uv/0.4",
         "LOGDOWNLOAD(filename='gold-1-py3-none-any.whl'"},
        {"/bookworm-arm64/simple/Gold.Pure/", "pip/23.0", "LOGSEARCH(package='gold-pure'"},
        {"/bookworm-arm64/simple/", "pip/23.0", "none"},
        {"/bookworm-arm64/simple/gold/index.html", "Mozilla/5.0", "none"},
        {"/Not_a_view/simple/gold/gold-1-py3-none-any.whl", "uv/0.4", "none"},
        {"/a/b/simple/gold/gold-1-py3-none-any.whl", "uv/0.4", "none"},
        {"/simple/gold/", "pipx/1", "none"},
        {"/simple//", "pip/23.0", "none"},
        {"/project/Gold/json/index.json", "curl/7", "LOGJSON(subject='gold'"},
        {"/project/gold/json/", "curl/7", "LOGJSON(subject='gold'"},
        {"/project/gold/json", "curl/7", "LOGPROJECT(subject='gold'"},
        {"/project/gold", "curl/7", "LOGPROJECT(subject='gold'"},
        {"/project/a%20b/", "curl/7", "none"},
        {"/", "curl/7", "LOGPAGE(subject='home'"},
        {"/index.html", "curl/7", "LOGPAGE(subject='home'"},
        {"/?a=b", "curl/7", "LOGPAGE(subject='home'"},
        {"http://wheels.example.org/faq.html", "curl/7", "LOGPAGE(subject='faq'"},
        {"/faq.html#x", "curl/7", "LOGPAGE(subject='faq'"},
        {"/packages.json", "curl/7", "none"},
        {"/logs/0000/0000/0001.txt", "curl/7", "none"},
        {"*", "curl/7", "none"},
        {"faq.html", "curl/7", "none"},
        {"", "curl/7", "none"},
    };
    for (size_t i = 0; i < PIW_COUNT(rules); i++) {
        const char *got = get(rules[i].path, rules[i].agent);
        ck_assert_msg(strncmp(got, rules[i].becomes, strlen(rules[i].becomes)) == 0, "%s by %s: %s, not %s",
                      rules[i].path, rules[i].agent, got, rules[i].becomes);
    }
}
END_TEST

START_TEST(only_a_get_that_succeeded_and_names_its_agent)
{
    static const char *const lines[] = {
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"HEAD /faq.html HTTP/1.1\" 200 1 \"-\" \"curl/7\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"get /faq.html HTTP/1.1\" 200 1 \"-\" \"curl/7\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 206 1 \"-\" \"curl/7\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 304 - \"-\" \"curl/7\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" - - \"-\" \"curl/7\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 200 1 \"-\" \"-\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 200 1 \"-\" \"\"",
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"-\" 408 - \"-\" \"-\"",
    };
    for (size_t i = 0; i < PIW_COUNT(lines); i++)
        ck_assert_msg(strcmp(become(lines[i]), "none") == 0, "%s", lines[i]);
    ck_assert_ptr_nonnull(
        strstr(become("192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html\" 200 1 \"-\" \"c/7\""),
               "LOGPAGE(subject='faq'"));
}
END_TEST

/* --- User agents ----------------------------------------------------------------------------------------------------- */

static const char *facts_of(const char *agent)
{
    static char text[2000];
    piw_text facts[PIW_FACTS];
    piw_msg *msg = piw_msg_new(log_LOGDOWNLOAD_type());
    piw_agent_facts(msg, piw_text_of(agent), facts);
    size_t at = 0;
    for (int i = 0; i < PIW_FACTS; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? "|" : "",
                               facts[i].s != NULL ? facts[i].s : "~");
    piw_msg_free(&msg);
    return text;
}

START_TEST(installers_tell_of_themselves)
{
    /* As pip 23.0.1 of Debian 12 and uv 0.4 send it. */
    ck_assert_str_eq(
        facts_of(
            "pip/23.0.1 {\"ci\":null,\"cpu\":\"x86_64\",\"distro\":{\"id\":\"bookworm\",\"libc\":{\"lib\":\"glibc\","
            "\"version\":\"2.36\"},\"name\":\"Debian GNU/Linux\",\"version\":\"12\"},\"implementation\":{\"name\":"
            "\"CPython\",\"version\":\"3.11.2\"},\"installer\":{\"name\":\"pip\",\"version\":\"23.0.1\"},"
            "\"openssl_version\":\"OpenSSL 3.0.11 19 Sep 2023\",\"python\":\"3.11.2\",\"rustc_version\":\"1.63.0\","
            "\"setuptools_version\":\"66.1.1\",\"system\":{\"name\":\"Linux\",\"release\":\"6.1.0-13-amd64\"}}"),
        "x86_64|Debian GNU/Linux|12|Linux|6.1.0-13-amd64|CPython|3.11.2|pip|23.0.1|66.1.1");
    ck_assert_str_eq(
        facts_of(
            "uv/0.4.18 {\"installer\":{\"name\":\"uv\",\"version\":\"0.4.18\"},\"python\":\"3.12.6\","
            "\"implementation\":{\"name\":\"CPython\",\"version\":\"3.12.6\"},\"distro\":{\"name\":\"Ubuntu\","
            "\"version\":\"24.04\",\"id\":\"noble\",\"libc\":{\"lib\":\"glibc\",\"version\":\"2.39\"}},\"system\":{"
            "\"name\":\"Linux\",\"release\":\"6.8.0-45-generic\"},\"cpu\":\"aarch64\",\"openssl_version\":null,"
            "\"setuptools_version\":null,\"rustc_version\":null,\"ci\":null}"),
        "aarch64|Ubuntu|24.04|Linux|6.8.0-45-generic|CPython|3.12.6|uv|0.4.18|~");
}
END_TEST

START_TEST(what_an_agent_does_not_tell_is_null)
{
    static const char nothing[] = "~|~|~|~|~|CPython|~|~|~|~";
    ck_assert_str_eq(facts_of("Wget/1.21"), nothing);
    ck_assert_str_eq(facts_of("Wget/1.21 {\"cpu\":\"x\"}"), nothing);
    ck_assert_str_eq(facts_of("pip/9.0.1"), nothing);
    ck_assert_str_eq(facts_of("pip/9.0.1 {broken"), nothing);
    ck_assert_str_eq(facts_of("pip/9.0.1 {\"cpu\":\"x\"} trailing"), nothing);
    ck_assert_str_eq(facts_of("pip/1 {\"distro\":null,\"system\":[],\"implementation\":3,\"cpu\":{},\"python\":false}"),
                     nothing);
    ck_assert_str_eq(facts_of("pip/1 {\"distro\":{\"name\":null},\"python\":\"2.7\",\"cpu\":\"a\"} "),
                     "a|~|~|~|~|CPython|2.7|~|~|~");
    ck_assert_str_eq(facts_of("pip/1 {\"implementation\":{\"name\":\"PyPy\"},\"python\":\"3.9\"}"),
                     "~|~|~|~|~|PyPy|3.9|~|~|~");
    ck_assert_str_eq(facts_of("uv/1 {\"implementation\":{\"version\":\"3.8\"},\"python\":\"3.9\"}"),
                     "~|~|~|~|~|CPython|3.8|~|~|~");
}
END_TEST

START_TEST(values_are_cut_to_their_columns)
{
    char agent[1000], wide[301];
    memset(wide, 'w', 300);
    wide[300] = '\0';
    snprintf(agent, sizeof(agent), "pip/1 {\"cpu\":\"%s\",\"installer\":{\"name\":\"%s\"}}", wide, wide);
    ck_assert_str_eq(facts_of(agent),
                     "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                     "wwwwwwwwwwwwwwww|~|~|~|~|CPython|~|wwwwwwwwwwwwwwwwwwww|~|~");
    /* Characters count, not bytes. */
    piw_msg *msg = piw_msg_new(log_LOGPAGE_type());
    ck_assert_str_eq(piw_agent_text(msg, "äöü€𝄞x", strlen("äöü€𝄞x"), 5).s, "äöü€𝄞");
    ck_assert_str_eq(piw_agent_text(msg, "a\x80\xffz\0\x01", 6, 9).s,
                     "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd");
    ck_assert_uint_eq(piw_agent_text(msg, "", 0, 5).len, 0);
    memset(wide, 'W', 300);
    ck_assert_uint_eq(piw_log_agent(msg, piw_text_of(wide)).len, 200);
    ck_assert_str_eq(piw_log_agent(msg, piw_text_of("MoZilla/5.0 (X)")).s, "mozilla");
    ck_assert_str_eq(piw_log_agent(msg, piw_text_of("/")).s, "");
    piw_msg_free(&msg);
}
END_TEST

START_TEST(hosts_are_addresses_or_none)
{
    static const char *const good[] = {"192.0.2.7", "2001:db8::1", "::1", "::ffff:192.0.2.1"};
    static const char *const bad[] = {"",          "host.example.org", "192.0.2", "192.0.2.256", "192.0.2.7/24",
                                      "fe80::1%1", "1.2.3.4\n",        "-",       "::g",         "12345"};
    for (size_t i = 0; i < PIW_COUNT(good); i++)
        ck_assert_msg(piw_log_host_valid(piw_text_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < PIW_COUNT(bad); i++)
        ck_assert_msg(!piw_log_host_valid(piw_text_of(bad[i])), "%s", bad[i]);
    ck_assert(!piw_log_host_valid((piw_text){"1.2.3.4\0x", 9}));
}
END_TEST

START_TEST(a_link_local_address_loses_its_zone)
{
    static const struct {
        const char *host, *kept;
    } hosts[] = {
        {"fe80::1%eth0", "fe80::1"},
        {"fe80::ba27:ebff:fe00:1%wlan0.12-very-long-name-of-an-interface", "fe80::ba27:ebff:fe00:1"},
        {"fe80::1%25eth0", "fe80::1"},
        {"fe80::1", "fe80::1"},
        {"192.0.2.7", "192.0.2.7"},
        /* No addresses with a zone: they stay, and are refused. */
        {"fe80::1%", "fe80::1%"},
        {"192.0.2.7%eth0", "192.0.2.7%eth0"},
        {"host%eth0", "host%eth0"},
        {"fe80::x%eth0", "fe80::x%eth0"},
        {"%", "%"},
        {"", ""},
    };
    for (size_t i = 0; i < PIW_COUNT(hosts); i++) {
        piw_text kept = piw_log_host(piw_text_of(hosts[i].host));
        ck_assert_msg(piw_text_is(kept, hosts[i].kept), "%s: %.*s", hosts[i].host, (int)kept.len, kept.s);
    }
}
END_TEST

/* --- Formats --------------------------------------------------------------------------------------------------------- */

static const char *time_of(const char *text)
{
    static char printed[64];
    const char *why = split_text(text, strlen(text));
    if (why != NULL)
        return why;
    piw_time_format(line.time, printed, sizeof(printed));
    return printed;
}

START_TEST(formats_as_apache_writes_them)
{
    use_format("%v:%p %h %l %u %t \\\"%r\\\" %>s %O \\\"%{Referer}i\\\" \\\"%{User-Agent}i\\\"");
    ck_assert_ptr_nonnull(
        strstr(become("wheels.example.org:443 2001:db8::1 - John Doe [01/Mar/2024:13:34:56 +0100] \"GET /faq.html "
                      "HTTP/2.0\" 200 5 \"http://x/\\\"q\\\"\" \"Moz \\\"il\\\\la/5\""),
               "LOGPAGE(subject='faq', host='2001:db8::1', timestamp=2024-03-01T12:34:56Z, user_agent='moz "));
    ck_assert(piw_text_is(line.fields[FIELD_AGENT], "Moz \"il\\la/5"));
    use_format("%{X}o %a %!200,304{User-agent}i|%m %U%q %H|%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%%%s");
    ck_assert_ptr_nonnull(strstr(become("- 192.0.2.1 b/1|GET /faq.html?x HTTP/1.1|2024-03-01T01:02:03.000045%200"),
                                 "LOGPAGE(subject='faq'"));
    use_format("%{X}o %a %{User-agent}i|%m %U %H|%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%%%s");
    ck_assert_str_eq(become("- 192.0.2.1 b/1|GET /faq.html HTTP/1.1|2024-03-01T01:02:03.000045%200"),
                     "LOGPAGE(subject='faq', host='192.0.2.1', timestamp=2024-03-01T01:02:03.000045Z, "
                     "user_agent='b')");
    /* Both kinds of client and status: the address, and what was answered. */
    use_format("%h %a %s %>s %t \"%r\" %{User-Agent}i");
    ck_assert_ptr_nonnull(
        strstr(become("name.example.org 192.0.2.1 301 200 [01/Mar/2024:12:34:56 +0000] \"GET / HTTP/1.1\" a"),
               "host='192.0.2.1'"));
}
END_TEST

START_TEST(formats_of_every_directive)
{
    use_format("%h %A %B %b %{X}C %D %{X}e %f %H %{X}i %k %l %L %{X}n %{X}o %p %{remote}p %P %{tid}P [%q] %R %t %T "
               "%{ms}T %u %U %v %V %X %I %O %S %{X}^ti %{X}^to %{c}a %{c}h %E %<s %>s \"%r\" %200,304{X}i "
               "\"%!404{User-Agent}i\"");
    ck_assert_str_eq(become("192.0.2.7 192.0.2.1 5 5 - 12 - /var/www/faq.html HTTP/1.1 - 0 - - - - 80 5111 1 2 [?x] - "
                            "[01/Mar/2024:12:34:56 +0000] 0 1 - /faq.html v V + 5 6 11 - - 192.0.2.9 h - 301 200 \"GET "
                            "/faq.html?x HTTP/1.1\" - \"b/1\""),
                     "LOGPAGE(subject='faq', host='192.0.2.7', timestamp=2024-03-01T12:34:56Z, user_agent='b')");
}
END_TEST

START_TEST(times_of_all_kinds)
{
    static const struct {
        const char *format, *text, *time;
    } times[] = {
        {"%t", "[31/Dec/1999:23:59:59 -0800]", "2000-01-01T07:59:59Z"},
        {"%{}t", "[29/Feb/2024:00:00:00 +0545]", "2024-02-28T18:15:00Z"},
        {"%{sec}t", "1709296496", "2024-03-01T12:34:56Z"},
        {"%{msec}t", "1709296496789", "2024-03-01T12:34:56.789000Z"},
        {"%{usec}t", "1709296496789012", "2024-03-01T12:34:56.789012Z"},
        {"%{begin:sec}t", "1709296496", "2024-03-01T12:34:56Z"},
        {"%{end:%FT%T%z}t", "2024-03-01T12:34:56+0200", "2024-03-01T10:34:56Z"},
        {"%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t", "01/Mar/2024 12:34:56.007 +0100", "2024-03-01T11:34:56.007000Z"},
        {"%{%s}t", "1709296496", "2024-03-01T12:34:56Z"},
        {"%{%m/%d/%y %I:%M:%S %p}t", "03/01/24 01:02:03 PM", "2024-03-01T13:02:03Z"},
        {"%t", "[32/Mar/2024:12:34:56 +0000]", "it is not of the format"},
        {"%t", "[01/Mrz/2024:12:34:56 +0000]", "it is not of the format"},
        {"%t", "[31/Apr/2024:12:34:56 +0000]", "there is no such time"},
        {"%t", "[29/Feb/2023:12:34:56 +0000]", "there is no such time"},
        {"%t", "[31/Dec/2016:23:59:60 +0000]", "2017-01-01T00:00:00Z"},
        {"%{sec}t", "99999999999999999999", "it is not of the format"},
        {"%{sec}t", "99999999999999999", "it is not of the format"},
        {"%{sec}t", "999999999999", "there is no such time"},
    };
    char text[200];
    for (size_t i = 0; i < PIW_COUNT(times); i++) {
        snprintf(text, sizeof(text), "%s %%h %%>s \"%%r\" \"%%{user-agent}i\"", times[i].format);
        use_format(text);
        snprintf(text, sizeof(text), "%s 192.0.2.1 200 \"GET / HTTP/1.1\" \"a\"", times[i].text);
        ck_assert_msg(strcmp(time_of(text), times[i].time) == 0, "%s of %s: %s, not %s", times[i].text, times[i].format,
                      time_of(text), times[i].time);
    }
}
END_TEST

START_TEST(formats_that_are_refused_say_why)
{
    static const struct {
        const char *format, *why;
    } formats[] = {
        {"", "it has no time (%t)"},
        {"%h %l %u %t \"%r\"", "it has no status (%>s)"},
        {"%l %u %t \"%r\" %s", "it has no client's address"},
        {"%h %t %s", "it has no request (%r)"},
        {"%h %t %s %m", "it has no request (%r)"},
        {"%h%t %s %r", "%t follows another field at once"},
        {"%h %t %s %y", "%y: no such directive"},
        {"%h %t %s %", "%: no such directive"},
        {"%h %t %s %{User-Agent", "the brace is not closed"},
        {"%h %{%H:%M}t %s %r", "it has no time (%t)"},
        {"%h %{%Q}t %s %r", "can't be read back: %Q"},
        {"unheard-of", "combined, common, common_vhost or an Apache LogFormat"},
    };
    log_format_free(&format);
    for (size_t i = 0; i < PIW_COUNT(formats); i++) {
        piw_err err = {0};
        ck_assert_int_eq(log_format_parse(&format, formats[i].format, &err), PIW_EINVAL);
        ck_assert_msg(strstr(err.text, formats[i].why) != NULL, "%s: %s", formats[i].format, err.text);
    }
    use_format("common");
    ck_assert(!log_format_has_agent(format));
    ck_assert_str_eq(become("192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 200 1"), "none");
    use_format("common_vhost");
    ck_assert_str_eq(become("x 192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /faq.html HTTP/1.1\" 200 1"), "none");
}
END_TEST

/* --- Lines that are meant to hurt ------------------------------------------------------------------------------------ */

START_TEST(hostile_agents_do_no_harm)
{
    piw_buffer text = {0};
    static const char head[] =
        "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /simple/g/g.whl HTTP/1.1\" 200 1 \"-\" \"pip/1 ";
    static const char *const pieces[] = {
        "{\\\"a\\\":", "[",   "{\\\"cpu\\\":\\\"\\\\u0000\\\",", "\\x00{\\x22cpu\\x22:\\xff", "\xff\xfe{\xc0\x80",
        "\\",          "\" ", "{\\\"cpu\\\":\\\"\\\\ud800\\\"}"};
    for (size_t i = 0; i < PIW_COUNT(pieces); i++) {
        text.len = 0;
        piw_put(&text, head);
        while (text.len < 60000)
            piw_put(&text, pieces[i]);
        piw_put(&text, "\"");
        const char *why = split_text((const char *)text.data, text.len);
        piw_msg *msg = why == NULL ? log_record_of(&line) : NULL;
        if (msg == NULL)
            continue;
        piw_buffer bytes = {0};
        piw_err err = {0};
        ck_assert_msg(piw_encode(msg, PIW_MSGPACK, &bytes, &err) == 0, "%s", err.text);
        ck_assert_uint_lt(bytes.len, 4000);
        piw_buffer_fini(&bytes);
        piw_msg_free(&msg);
    }
    piw_buffer_fini(&text);
}
END_TEST

START_TEST(random_lines_are_records_or_none)
{
    static const char signs[] = "\"\\ []{}%/-:x0\n\t\xff\xe2\x82\xac"
                                "GET /simple/a.whl HTTP/1.1 200 pip/";
    char text[300];
    unsigned seed = (unsigned)getpid();
    printf("# seed %u\n", seed);
    for (int round = 0; round < unit_times(20000); round++) {
        size_t len = snprintf(text, sizeof(text),
                              "192.0.2.7 - - [01/Mar/2024:12:34:56 +0000] \"GET /simple/a/a.whl H\" 200 1 "
                              "\"-\" \"pip/1 {\\\"cpu\\\":\\\"x\\\"}\"");
        for (int change = rand_r(&seed) % 6; change > 0; change--)
            text[(size_t)rand_r(&seed) % len] = signs[(size_t)rand_r(&seed) % sizeof(signs)];
        piw_msg *msg = split_text(text, len) == NULL ? log_record_of(&line) : NULL;
        if (msg == NULL)
            continue;
        piw_buffer bytes = {0};
        piw_err err = {0};
        ck_assert_msg(piw_encode(msg, PIW_CBOR, &bytes, &err) == 0, "%s", err.text);
        piw_buffer_fini(&bytes);
        piw_msg_free(&msg);
    }
}
END_TEST

/* --- Files ----------------------------------------------------------------------------------------------------------- */

/* All lines of a file with '|' after each; "!" is one that is too long. */
static const char *lines_of(const void *data, size_t len, piw_err *err)
{
    static char all[4000];
    char path[] = "/tmp/piw-test-input-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
    input *in = NULL;
    ck_assert_int_eq(input_open(&in, path, err), 0);
    all[0] = '\0';
    int more;
    do {
        const char *text;
        size_t n;
        more = input_read(in, err);
        while (input_line(in, &text, &n))
            snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.*s|", text != NULL ? (int)n : 1,
                     text != NULL ? text : "!");
    } while (more == 1);
    input_close(&in);
    unlink(path);
    return all;
}

static size_t pack(const void *data, size_t len, uint8_t *to, size_t room)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (uint8_t *)data;
    z.avail_in = (uInt)len;
    z.next_out = to;
    z.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

START_TEST(files_plain_and_packed)
{
    piw_err err = {0};
    ck_assert_str_eq(lines_of("", 0, &err), "");
    ck_assert_str_eq(lines_of("\x1f", 1, &err), "\x1f|");
    ck_assert_str_eq(lines_of("one\r\n\ntwo", 9, &err), "one||two|");
    uint8_t packed[4000];
    size_t len = pack("one\ntwo", 7, packed, sizeof(packed));
    ck_assert_str_eq(lines_of(packed, len, &err), "one|two|");
    /* Two members, as logrotate makes none but `cat` does, and what some tools pad with. */
    size_t both = len + pack("2\nthree\n", 8, packed + len, sizeof(packed) - len);
    memset(packed + both, 0, 10);
    ck_assert_str_eq(lines_of(packed, both + 10, &err), "one|two2|three|");
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(lines_of(packed, len - 4, &err), "one|");
    ck_assert_ptr_nonnull(strstr(err.text, "ends in the middle of its gzip data"));
    err = (piw_err){0};
    memset(packed + 12, 0x55, 6);
    lines_of(packed, len, &err);
    ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
    input *in = NULL;
    err = (piw_err){0};
    ck_assert_int_ne(input_open(&in, "/nowhere/access.log", &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/access.log can't be read: No such file"));
}
END_TEST

START_TEST(long_lines_are_passed_over_in_bounded_memory)
{
    size_t len = 3 * INPUT_LINE_MAX + 20;
    char *text = malloc(len);
    piw_err err = {0};
    memset(text, 'x', len);
    memcpy(text, "one\n", 4);
    memcpy(text + len - 5, "\nend\n", 5);
    ck_assert_str_eq(lines_of(text, len, &err), "one|!|end|");
    text[len - 5] = text[len - 1] = 'x';
    ck_assert_str_eq(lines_of(text, len, &err), "one|!|");
    /* The same out of a file that unpacks to a thousand times its size. */
    uint8_t packed[4000];
    text[len - 5] = '\n';
    size_t packed_len = pack(text, len, packed, sizeof(packed));
    ck_assert_str_eq(lines_of(packed, packed_len, &err), "one|!|endx|");
    ck_assert_int_eq(err.code, 0);
    free(text);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("logger");
    TCase *tcase = tcase_create("logger");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, recorded_lines_become_the_recorded_bytes);
    tcase_add_test(tcase, the_first_rule_that_fits_wins);
    tcase_add_test(tcase, only_a_get_that_succeeded_and_names_its_agent);
    tcase_add_test(tcase, installers_tell_of_themselves);
    tcase_add_test(tcase, what_an_agent_does_not_tell_is_null);
    tcase_add_test(tcase, values_are_cut_to_their_columns);
    tcase_add_test(tcase, hosts_are_addresses_or_none);
    tcase_add_test(tcase, a_link_local_address_loses_its_zone);
    tcase_add_test(tcase, formats_as_apache_writes_them);
    tcase_add_test(tcase, formats_of_every_directive);
    tcase_add_test(tcase, times_of_all_kinds);
    tcase_add_test(tcase, formats_that_are_refused_say_why);
    tcase_add_test(tcase, hostile_agents_do_no_harm);
    tcase_add_test(tcase, random_lines_are_records_or_none);
    tcase_add_test(tcase, files_plain_and_packed);
    tcase_add_test(tcase, long_lines_are_passed_over_in_bounded_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
