/* site_path.c — where everything lies under the output folder. */
#include "shared/site_path.h"

#include "shared/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t BUILD_ID_MAX = 999999999999;
enum { COMPONENT_MAX = 255 };

bool piw_path_component(piw_text name)
{
    if (name.s == NULL || name.len == 0 || name.len > COMPONENT_MAX || name.s[0] == '.')
        return false;
    for (uint32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.s[i];
        if (c < 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}

PIW_PRINTF(2, 3) static bool join(char *to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(to, PIW_PATH_MAX, fmt, args);
    va_end(args);
    if (n > 0 && n < PIW_PATH_MAX)
        return true;
    to[0] = '\0';
    return false;
}

static bool unsafe(char *to)
{
    to[0] = '\0';
    return false;
}

bool piw_path_page(char *to, const char *root, const char *name)
{
    return piw_path_component(piw_text_of(name)) ? join(to, "%s/%s", root, name) : unsafe(to);
}

bool piw_path_view(char *to, const char *root, piw_text view)
{
    if (view.s == NULL || view.len == 0)
        return join(to, "%s", root);
    return piw_path_component(view) ? join(to, "%s/%.*s", root, (int)view.len, view.s) : unsafe(to);
}

bool piw_path_simple(char *to, const char *root, piw_text package, piw_text file)
{
    if (!piw_name_is_canonical(package))
        return unsafe(to);
    if (file.s == NULL)
        return join(to, "%s/simple/%.*s", root, (int)package.len, package.s);
    if (!piw_path_component(file))
        return unsafe(to);
    return join(to, "%s/simple/%.*s/%.*s", root, (int)package.len, package.s, (int)file.len, file.s);
}

static const char METADATA[] = ".metadata";

/* Is there room for the suffix in what a file system takes? */
static bool takes_metadata(piw_text file)
{
    return piw_path_component(file) && file.len + sizeof(METADATA) - 1 <= COMPONENT_MAX;
}

bool piw_path_metadata(char *to, const char *root, piw_text package, piw_text file)
{
    if (!piw_name_is_canonical(package) || !takes_metadata(file))
        return unsafe(to);
    return join(to, "%s/simple/%.*s/%.*s%s", root, (int)package.len, package.s, (int)file.len, file.s, METADATA);
}

bool piw_path_quarantine(char *to, const char *root)
{
    return join(to, "%s/.quarantine", root);
}

bool piw_path_withheld(char *to, const char *root, piw_text package, piw_text file)
{
    if (!piw_name_is_canonical(package) || !piw_path_component(file))
        return unsafe(to);
    return join(to, "%s/.quarantine/%.*s/%.*s", root, (int)package.len, package.s, (int)file.len, file.s);
}

bool piw_path_withheld_metadata(char *to, const char *root, piw_text package, piw_text file)
{
    if (!piw_name_is_canonical(package) || !takes_metadata(file))
        return unsafe(to);
    return join(to, "%s/.quarantine/%.*s/%.*s%s", root, (int)package.len, package.s, (int)file.len, file.s, METADATA);
}

bool piw_path_project(char *to, const char *root, piw_text name)
{
    char canonical[PIW_NAME_MAX + 1];
    if (!piw_name_canonical(name, canonical))
        return unsafe(to);
    return join(to, "%s/project/%.*s", root, (int)name.len, name.s);
}

static bool id_ok(int64_t build_id)
{
    return build_id > 0 && build_id <= BUILD_ID_MAX;
}

/* The next name of a path, which goes on behind it; false where none is, or one that isn't safe. */
static bool next_name(const char **at, const char *end, piw_text *name)
{
    const char *slash = *at < end ? memchr(*at, '/', (size_t)(end - *at)) : NULL;
    const char *stop = slash != NULL ? slash : end;
    *name = (piw_text){*at, (uint32_t)(stop - *at)};
    *at = slash != NULL ? slash + 1 : NULL;
    return piw_path_component(*name);
}

bool piw_path_plugin(char *to, const char *root, piw_text path)
{
    enum { NAMES_MAX = 5 };
    piw_text names[NAMES_MAX];
    uint32_t count = 0;
    const char *at = path.s;
    while (at != NULL) {
        if (count == NAMES_MAX || !next_name(&at, path.s + path.len, &names[count]))
            return unsafe(to);
        count++;
    }
    bool feed = count >= 2 && piw_text_is(names[0], "feeds");
    bool of_package = count == 3 && piw_text_is(names[0], "project") && piw_name_is_canonical(names[1]) &&
                      piw_text_is(names[2], "feed.atom");
    return feed || of_package ? join(to, "%s/%.*s", root, (int)path.len, path.s) : unsafe(to);
}

static bool join_log(char *to, const char *root, int64_t build_id, const char *kind)
{
    if (!id_ok(build_id))
        return unsafe(to);
    return join(to, "%s/logs/%04d/%04d/%04d.%s.gz", root, (int)(build_id / 100000000), (int)(build_id / 10000 % 10000),
                (int)(build_id % 10000), kind);
}

bool piw_path_log(char *to, const char *root, int64_t build_id)
{
    return join_log(to, root, build_id, "txt");
}

bool piw_path_log_page(char *to, const char *root, int64_t build_id)
{
    return join_log(to, root, build_id, "html");
}

bool piw_link_log(char *to, size_t size, int64_t build_id)
{
    to[0] = '\0';
    if (!id_ok(build_id))
        return false;
    int n = snprintf(to, size, "/logs/%04d/%04d/%04d.txt", (int)(build_id / 100000000), (int)(build_id / 10000 % 10000),
                     (int)(build_id % 10000));
    return n > 0 && (size_t)n < size;
}

bool piw_path_mark(char *to, const char *root)
{
    return join(to, "%s/.farm", root);
}

bool piw_path_audit(char *to, const char *root, const char *name)
{
    if (name == NULL)
        return join(to, "%s/.audit", root);
    return piw_path_component(piw_text_of(name)) ? join(to, "%s/.audit/%s", root, name) : unsafe(to);
}

bool piw_path_form(char *to, const char *root)
{
    return join(to, "%s/.pages", root);
}

bool piw_path_staging(char *to, const char *root)
{
    return join(to, "%s/.staging", root);
}

bool piw_path_staged(char *to, const char *root, int64_t build_id, piw_text file)
{
    if (!id_ok(build_id))
        return unsafe(to);
    if (file.s == NULL)
        return join(to, "%s/.staging/%012lld", root, (long long)build_id);
    if (!piw_path_component(file))
        return unsafe(to);
    return join(to, "%s/.staging/%012lld/%.*s", root, (long long)build_id, (int)file.len, file.s);
}

bool piw_path_unstaged(char *to, const char *root)
{
    return join(to, "%s/.staging/journal.mark", root);
}

int64_t piw_staged_build(const char *name)
{
    enum { DIGITS = 12 };
    return strlen(name) == DIGITS && strspn(name, "0123456789") == DIGITS ? strtoll(name, NULL, 10) : 0;
}

bool piw_path_journal(char *to, const char *root, int64_t number)
{
    return id_ok(number) ? join(to, "%s/.staging/journal.%012lld", root, (long long)number) : unsafe(to);
}

bool piw_path_tmp(char *to, const char *root)
{
    return join(to, "%s/.staging/tmp", root);
}
