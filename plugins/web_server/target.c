/* target.c — what a request's target asks for. */
#include "target.h"

#include "shared/names.h"
#include "shared/views.h"
#include "shared/web_log.h"

#include <stdio.h>
#include <strings.h>

/* A target with scheme and host, which servers must understand too, has its path behind them. */
static const char *skip_host(const char *raw)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < PIW_COUNT(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(raw, schemes[i], len) == 0) {
            const char *slash = strchr(raw + len, '/');
            return slash != NULL ? slash : "/";
        }
    }
    return raw;
}

/* %XX resolved into `to`; false: something in it that no path of the site has. A slash that was written %2F is no
 * border between parts, and no part has one. */
static bool decode(const char *raw, char *to)
{
    size_t len = 0;
    for (; *raw != '\0'; raw++) {
        int c = (uint8_t)*raw;
        if (c == '%') {
            int high = piw_log_hex_digit(raw[1]), low = high < 0 ? -1 : piw_log_hex_digit(raw[2]);
            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            if (c == '/')
                return false;
            raw += 2;
        }
        if (c < ' ' || c == 0x7f || len >= WEB_PATH_MAX)
            return false;
        to[len++] = (char)c;
    }
    to[len] = '\0';
    return true;
}

/* No part is empty or hidden: "." and ".." aren't there, nor what is the master's own. */
static bool parts_good(const char *path)
{
    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, "/");
        if (len == 0 || *part == '.')
            return false;
        part += len + (part[len] == '/' ? 1 : 0);
    }
    return true;
}

static bool ends(const char *path, const char *with)
{
    size_t len = strlen(path), tail = strlen(with);
    return len >= tail && strcmp(path + len - tail, with) == 0;
}

static bool is_page(const char *name)
{
    return strcmp(name, "index.html") == 0 || strcmp(name, "index.v1.json") == 0 || strcmp(name, "index.json") == 0;
}

static void redirect(web_target *target, const char *path, bool slash)
{
    memmove(target->path, path, strlen(path) + 1);
    target->slash = slash;
    target->kind = WEB_REDIRECT;
}

/* FOLDER/SPELLING[/REST] by another spelling than the canonical one leads to that. */
static bool redirect_spelling(web_target *target, const char *spelling)
{
    char canonical[PIW_NAME_MAX + 1], path[WEB_PATH_MAX + 1];
    size_t len = strcspn(spelling, "/");
    const char *rest = spelling + len;
    if (!piw_name_canonical((piw_text){spelling, (uint32_t)len}, canonical) ||
        (strlen(canonical) == len && memcmp(canonical, spelling, len) == 0))
        return false;
    /* Never longer than before: a canonical name has no more characters than its spelling. */
    snprintf(path, sizeof(path), "%.*s%s%s", (int)(spelling - target->path), target->path, canonical, rest);
    redirect(target, path, target->kind == WEB_FOLDER || *rest == '\0');
    return true;
}

/* What follows FOLDER/ in the path; NULL: it isn't below that. */
static const char *below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

/* The path from the index's own folder on, which is simple/ or VIEW/simple/ (docs/views.md); NULL: it is of no index. */
static const char *in_index(const char *path)
{
    size_t len = strcspn(path, "/");
    if (path[len] == '/' && piw_view_name_fault((piw_text){path, (uint32_t)len}) == NULL)
        path += len + 1;
    return strcmp(path, "simple") == 0 || below(path, "simple") != NULL ? path : NULL;
}

static web_place place_of(const web_target *target)
{
    const char *path = target->path, *index = in_index(path);
    bool folder = target->kind == WEB_FOLDER;
    if (below(path, "logs") != NULL)
        return !folder && (ends(path, ".txt") || ends(path, ".html")) ? WEB_LOG : WEB_ANYWHERE;
    if (below(path, "search") != NULL)
        return !folder && ends(path, ".gz") ? WEB_NAMES : WEB_ANYWHERE;
    const char *name = index != NULL ? below(index, "simple") : NULL;
    if (name == NULL)
        return index != NULL && folder ? WEB_INDEX : WEB_ANYWHERE;
    bool deep = strchr(name, '/') != NULL;
    if (folder)
        return deep ? WEB_ANYWHERE : WEB_INDEX;
    if (is_page(strrchr(path, '/') + 1))
        return WEB_INDEX_PAGE;
    return deep && (ends(path, ".whl") || ends(path, ".whl.metadata")) ? WEB_WHEEL : WEB_ANYWHERE;
}

/* Where the name of a package begins in the path; NULL: there is none. */
static const char *package_in(const char *path)
{
    const char *index = in_index(path);
    return index != NULL ? below(index, "simple") : below(path, "project");
}

void web_target_read(const char *raw, web_target *target)
{
    char path[WEB_PATH_MAX + 1];
    *target = (web_target){.kind = WEB_MISSING};
    raw = skip_host(raw);
    if (*raw != '/' || !decode(raw, path) || !parts_good(path + 1))
        return;
    size_t len = strlen(path + 1);
    bool folder = path[len] == '/'; /* the root's only slash, too */
    target->kind = folder ? WEB_FOLDER : WEB_FILE;
    memcpy(target->path, path + 1, len - (folder && len > 0 ? 1 : 0));
    const char *at = target->path;
    if (strcmp(at, "project") == 0) {
        redirect(target, "packages.html", false);
        return;
    }
    if (strncmp(at, "p/", 2) == 0) {
        snprintf(path, sizeof(path), "project/%.*s", (int)(sizeof(path) - sizeof("project/")), at + 2);
        redirect(target, path, folder);
        return;
    }
    const char *name = package_in(at);
    if (name != NULL && (folder || !is_page(name)) && redirect_spelling(target, name))
        return;
    target->place = place_of(target);
}
