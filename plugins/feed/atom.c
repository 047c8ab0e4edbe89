/* atom.c — a feed as Atom (RFC 4287). Everything that comes from outside is escaped where it is put. */
#include "atom.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int put(piw_buffer *to, const char *text)
{
    return piw_buffer_add(to, text, strlen(text));
}

/* Characters that XML has no form for, and those that turn the direction of text around, become U+FFFD. */
static size_t bad_bytes(const unsigned char *at)
{
    if (*at < 0x20 && *at != '\t' && *at != '\n' && *at != '\r')
        return 1;
    /* U+2028-202E, U+2066-2069, U+FFFE, U+FFFF; of bytes that end early the NUL is no match. */
    bool turns = at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
                                   (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
    bool no_character = at[0] == 0xef && at[1] == 0xbf && (at[2] == 0xbe || at[2] == 0xbf);
    return turns || no_character ? 3 : 0;
}

static int put_escaped(piw_buffer *to, const char *text)
{
    int rc = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0' && rc == 0;) {
        size_t bad = bad_bytes(at);
        if (bad > 0)
            rc = put(to, "\xef\xbf\xbd");
        else if (*at == '&')
            rc = put(to, "&amp;");
        else if (*at == '<')
            rc = put(to, "&lt;");
        else if (*at == '>')
            rc = put(to, "&gt;");
        else if (*at == '"')
            rc = put(to, "&quot;");
        else
            rc = piw_buffer_add(to, at, 1);
        at += bad > 0 ? bad : 1;
    }
    return rc;
}

/* The format's %s are escaped; it has no other directives. */
static int put_format(piw_buffer *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = 0;
    while (*format != '\0' && rc == 0) {
        size_t plain = strcspn(format, "%");
        rc = piw_buffer_add(to, format, plain);
        format += plain;
        if (rc == 0 && *format == '%') {
            rc = put_escaped(to, va_arg(args, const char *));
            format += 2;
        }
    }
    va_end(args);
    return rc;
}

static void print_time(piw_time moment, char *to, size_t size)
{
    moment = (piw_time){.us = moment.us - moment.us % 1000000};
    if (piw_time_format(moment, to, size) == 0)
        snprintf(to, size, "1970-01-01T00:00:00Z");
}

/* Links say that they are "alternate" though RFC 4287 has that as the default: readers are about that look for the word, and take
 * a feed's address for the site's where it is missing (docs/compatibility.md). */
static int put_entry(const char *root, const feed_item *item, piw_buffer *to)
{
    char moment[64], number[32], log[64], files[64];
    print_time(item->moment, moment, sizeof(moment));
    snprintf(number, sizeof(number), "%lld", (long long)item->build_id);
    snprintf(log, sizeof(log), "/logs/%04lld/%04lld/%04lld.txt", (long long)item->build_id / 100000000 % 10000,
             (long long)item->build_id / 10000 % 10000, (long long)item->build_id % 10000);
    snprintf(files, sizeof(files), "%lld %s", (long long)item->files, item->files == 1 ? "wheel" : "wheels");
    int rc =
        put_format(to,
                   "<entry>\n<title>%s %s for %s</title>\n<id>%s/project/%s/#build-%s</id>\n<updated>%s</updated>\n"
                   "<link rel=\"alternate\" type=\"text/html\" href=\"%s/project/%s/\"/>\n"
                   "<link rel=\"related\" href=\"%s%s\"/>\n",
                   item->package, item->version, item->abi_tag, root, item->package, number, moment, root,
                   item->package, root, log);
    if (rc == 0)
        rc = item->status ? put_format(to, "<summary>built: %s</summary>\n</entry>\n", files)
                          : put_format(to, "<summary>failed%s%s</summary>\n</entry>\n",
                                       item->cause[0] != '\0' ? ": " : "", item->cause);
    return rc;
}

int feed_print(const feed_site *site, const char *path, const char *title, const feed_item *items, uint32_t count,
               piw_buffer *to)
{
    const char *name = site->name != NULL ? site->name : "piwheels";
    size_t len = strlen(site->base_url);
    while (len > 0 && site->base_url[len - 1] == '/')
        len--;
    char *base = piw_strndup(site->base_url, len), moment[64];
    /* Of a feed without entries nothing has ever changed. */
    print_time(count > 0 ? items[0].moment : (piw_time){0}, moment, sizeof(moment));
    int rc =
        put_format(to,
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n"
                   "<title>%s: %s</title>\n<id>%s/%s</id>\n<updated>%s</updated>\n<author><name>%s</name></author>\n"
                   "<link rel=\"alternate\" type=\"text/html\" href=\"%s/\"/>\n"
                   "<link rel=\"self\" type=\"application/atom+xml\" href=\"%s/%s\"/>\n",
                   name, title, base, path, moment, name, base, base, path);
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = put_entry(base, &items[i], to);
    free(base);
    return rc == 0 ? put(to, "</feed>\n") : rc;
}
