/* web_entry.c — the entry that a request to the web server becomes, if any. */
#include "shared/web_entry.h"

#include "shared/names.h"
#include "shared/views.h"
#include "shared/web_agent.h"
#include "shared/web_log.h"

#include <stdlib.h>
#include <strings.h>

/* --- The path that was asked for ---------------------------------------------------------------------------------- */

static bool starts(piw_text text, const char *with)
{
    return piw_agent_is(text, with);
}

static bool ends(piw_text text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.s + text.len - len, with, len) == 0;
}

/* The path of a target, without scheme, host, query and fragment, %XX resolved: `room` has as many bytes as it. */
static piw_text path_of(piw_text target, char *room)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < PIW_COUNT(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (target.len > len && strncasecmp(target.s, schemes[i], len) == 0) {
            const char *slash = memchr(target.s + len, '/', target.len - len);
            target = slash != NULL ? (piw_text){slash, (uint32_t)(target.len - (size_t)(slash - target.s))}
                                   : piw_text_of("/");
        }
    }
    piw_text path = {room, 0};
    for (uint32_t i = 0; i < target.len && target.s[i] != '?' && target.s[i] != '#'; i++) {
        int high = i + 2 < target.len ? piw_log_hex_digit(target.s[i + 1]) : -1;
        int low = i + 2 < target.len ? piw_log_hex_digit(target.s[i + 2]) : -1;
        bool escape = target.s[i] == '%' && high >= 0 && low >= 0;
        room[path.len++] = escape ? (char)(high << 4 | low) : target.s[i];
        i += escape ? 2 : 0;
    }
    return path;
}

/* A view's index is asked for what the common one is: without the view's name. */
static piw_text of_any_view(piw_text path)
{
    static const char simple[] = "/simple/";
    const char *slash = path.len > 0 && path.s[0] == '/' ? memchr(path.s + 1, '/', path.len - 1) : NULL;
    if (slash == NULL)
        return path;
    uint32_t skip = (uint32_t)(slash - path.s);
    piw_text rest = {slash, path.len - skip};
    bool view = starts(rest, simple) && piw_view_name_fault((piw_text){path.s + 1, skip - 1}) == NULL;
    return view ? rest : path;
}

/* --- The rules of docs/web-logs.md -------------------------------------------------------------------------------- */

typedef enum { NONE, DOWNLOAD, SEARCH, PROJECT, JSON, PAGE } record_kind;

static bool has_json_part(piw_text path)
{
    static const char json[] = "/json/";
    size_t skip = strlen("/project/");
    return path.len > skip && memmem(path.s + skip, path.len - skip, json, strlen(json)) != NULL;
}

/* The first rule that fits wins. A '*' stands for any text, slashes too. */
static record_kind kind_of(piw_text path, piw_text agent)
{
    bool pip = piw_agent_is(agent, "pip/");
    if (pip && piw_text_is(path, "/simple/"))
        return NONE;
    if (piw_text_is(path, "/project/"))
        return NONE;
    if (starts(path, "/simple/") && ends(path, ".whl"))
        return DOWNLOAD;
    if (ends(path, ".metadata"))
        return NONE;
    if (starts(path, "/simple/"))
        return pip ? SEARCH : NONE;
    if (starts(path, "/project/"))
        return has_json_part(path) ? JSON : PROJECT;
    if (piw_text_is(path, "/") || (starts(path, "/") && ends(path, ".html")))
        return PAGE;
    return NONE;
}

/* The path's second part, canonicalised into `to`; false: it is no package's name. */
static bool package_of(piw_text path, char *to)
{
    const char *begin = memchr(path.s + 1, '/', path.len - 1);
    size_t skip = (size_t)(begin - path.s) + 1;
    const char *end = memchr(path.s + skip, '/', path.len - skip);
    size_t len = (end != NULL ? (size_t)(end - path.s) : path.len) - skip;
    return piw_name_canonical((piw_text){path.s + skip, (uint32_t)len}, to);
}

static piw_text last_part(piw_text path)
{
    const char *slash = memrchr(path.s, '/', path.len);
    size_t skip = (size_t)(slash - path.s) + 1;
    return (piw_text){path.s + skip, (uint32_t)(path.len - skip)};
}

static piw_text page_of(piw_text path)
{
    if (piw_text_is(path, "/") || piw_text_is(path, "/index.html"))
        return piw_text_of("home");
    return (piw_text){path.s + 1, (uint32_t)(path.len - strlen("/.html"))};
}

/* --- Messages ------------------------------------------------------------------------------------------------------ */

static piw_text host_of(piw_msg *msg, const piw_web_request *request)
{
    piw_text host = piw_log_host(request->host);
    return piw_agent_text(msg, host.s, host.len, PIW_LOG_FACT_MAX);
}

/* What a download and a search say alike of who asked. */
/* clang-format off */
#define FACTS_OF(facts)                                                                                                \
    .arch = (facts)[PIW_FACT_ARCH],                                                                                        \
    .distro_name = (facts)[PIW_FACT_DISTRO_NAME],                                                                          \
    .distro_version = (facts)[PIW_FACT_DISTRO_VERSION],                                                                    \
    .os_name = (facts)[PIW_FACT_OS_NAME],                                                                                  \
    .os_version = (facts)[PIW_FACT_OS_VERSION],                                                                            \
    .py_name = (facts)[PIW_FACT_PY_NAME],                                                                                  \
    .py_version = (facts)[PIW_FACT_PY_VERSION],                                                                            \
    .installer_name = (facts)[PIW_FACT_INSTALLER_NAME],                                                                    \
    .installer_version = (facts)[PIW_FACT_INSTALLER_VERSION],                                                              \
    .setuptools_version = (facts)[PIW_FACT_SETUPTOOLS_VERSION]
/* clang-format on */

static piw_msg *download_of(const piw_web_words *words, const piw_web_request *request, piw_text filename,
                            piw_text agent)
{
    download *body = NULL;
    piw_text facts[PIW_FACTS];
    piw_msg *msg = words->download(&body);
    piw_agent_facts(msg, agent, facts);
    *body = (download){.filename = piw_agent_text(msg, filename.s, filename.len, PIW_LOG_FILENAME_MAX),
                       .host = host_of(msg, request),
                       .timestamp = request->time,
                       FACTS_OF(facts)};
    return msg;
}

static piw_msg *search_of(const piw_web_words *words, const piw_web_request *request, const char *package,
                          piw_text agent)
{
    search *body = NULL;
    piw_text facts[PIW_FACTS];
    piw_msg *msg = words->search(&body);
    piw_agent_facts(msg, agent, facts);
    *body = (search){.package = piw_msg_textz(msg, package),
                     .host = host_of(msg, request),
                     .timestamp = request->time,
                     FACTS_OF(facts)};
    return msg;
}

static piw_msg *hit_of(piw_msg *msg, hit *body, const piw_web_request *request, piw_text subject, uint32_t chars,
                       piw_text agent)
{
    /* More than can be kept of it is enough to find its first slash. */
    piw_text text = piw_agent_text(msg, agent.s, agent.len, 2 * PIW_LOG_AGENT_MAX);
    *body = (hit){.subject = piw_agent_text(msg, subject.s, subject.len, chars),
                  .host = host_of(msg, request),
                  .timestamp = request->time,
                  .user_agent = piw_log_agent(msg, text)};
    return msg;
}

static piw_msg *message_of(const piw_web_words *words, const piw_web_request *request, piw_text path, piw_text agent)
{
    char package[PIW_NAME_MAX + 1];
    piw_msg *msg;
    hit *body = NULL;
    record_kind what = kind_of(path, agent);
    if ((what == SEARCH || what == PROJECT || what == JSON) && !package_of(path, package))
        return NULL;
    switch (what) {
    case DOWNLOAD:
        return download_of(words, request, last_part(path), agent);
    case SEARCH:
        return search_of(words, request, package, agent);
    case PROJECT:
        msg = words->project(&body);
        return hit_of(msg, body, request, piw_text_of(package), PIW_LOG_PACKAGE_MAX, agent);
    case JSON:
        msg = words->json(&body);
        return hit_of(msg, body, request, piw_text_of(package), PIW_LOG_PACKAGE_MAX, agent);
    case PAGE:
        msg = words->page(&body);
        return hit_of(msg, body, request, page_of(path), PIW_LOG_PAGE_MAX, agent);
    default:
        return NULL;
    }
}

piw_msg *piw_web_entry(const piw_web_words *words, const piw_web_request *request)
{
    if (request->target.len == 0 || request->agent.len == 0)
        return NULL;
    char *room = piw_alloc((size_t)request->target.len + 1);
    piw_msg *msg = message_of(words, request, of_any_view(path_of(request->target, room)), request->agent);
    free(room);
    return msg;
}
