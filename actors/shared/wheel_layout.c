/* wheel_layout.c — the folders of a wheel. */
#include "shared/wheel_layout.h"

#include "shared/names.h"
#include "shared/version.h"

static const char DIST_INFO[] = ".dist-info", DATA[] = ".data";

/* What stands before the first '/' of a member's name, or all of it. */
static piw_text top_of(const piw_zip_entry *entry)
{
    const char *slash = memchr(entry->name, '/', entry->name_len);
    return (piw_text){entry->name, (uint32_t)(slash == NULL ? entry->name_len : slash - entry->name)};
}

static bool ends(piw_text text, const char *suffix)
{
    size_t n = strlen(suffix);
    return text.len >= n && memcmp(text.s + text.len - n, suffix, n) == 0;
}

/* NAME-VERSION before the suffix: those of the file? */
static int check_stem(piw_text folder, const char *suffix, const piw_wheel_name *name, piw_err *err)
{
    uint32_t len = folder.len - (uint32_t)strlen(suffix);
    const char *dash = memchr(folder.s, '-', len);
    if (dash == NULL)
        return piw_err_set(err, PIW_EREFUSED, "its %s folder isn't named NAME-VERSION%s", suffix, suffix);
    piw_text package = {folder.s, (uint32_t)(dash - folder.s)};
    piw_text version = {dash + 1, len - package.len - 1};
    char plain[PIW_ZIP_NAME_MAX + 1];
    memcpy(plain, version.s, version.len);
    for (uint32_t i = 0; i < version.len; i++)
        plain[i] = plain[i] == '_' ? '-' : plain[i];
    if (!piw_name_same(package, piw_text_of(name->package)) ||
        !piw_version_matches_tag((piw_text){plain, version.len}, piw_text_of(name->version)))
        return piw_err_set(err, PIW_EREFUSED, "its folder \"%.*s\" is of another package or version than its name says",
                           (int)folder.len, folder.s);
    return 0;
}

/* Installers look for the folder by the end of a top name, and take a file of such a name for one. */
static int check_top(const piw_zip_entry *entry, piw_text top, const char *suffix, piw_text *folder, piw_err *err)
{
    if (top.len == entry->name_len)
        return piw_err_set(err, PIW_EREFUSED, "it has a file \"%.*s\" where installers expect a folder", (int)top.len,
                           top.s);
    if (folder->s != NULL && !piw_text_eq(*folder, top))
        return piw_err_set(err, PIW_EREFUSED, "it has more than one %s folder", suffix);
    *folder = top;
    return 0;
}

/* NAME-VERSION.data/SCHEME/FILE: of any other form installers know no place. */
static int check_scheme(const piw_zip_entry *entry, piw_text top, piw_err *err)
{
    static const char *const schemes[] = {"purelib", "platlib", "headers", "scripts", "data"};
    const char *name = entry->name + top.len + 1, *end = entry->name + entry->name_len;
    if (name == end)
        return 0;
    const char *slash = memchr(name, '/', (size_t)(end - name));
    piw_text scheme = {name, (uint32_t)((slash == NULL ? end : slash) - name)};
    for (size_t i = 0; i < PIW_COUNT(schemes) && slash != NULL; i++) {
        if (piw_text_is(scheme, schemes[i]))
            return 0;
    }
    return piw_err_set(err, PIW_EREFUSED,
                       "its member \"%.*s\" lies in none of the folders that installers know in .data",
                       entry->name_len > 200 ? 200 : entry->name_len, entry->name);
}

int piw_wheel_layout_check(const piw_zip *zip, const piw_wheel_name *name, piw_text *dist_info, piw_err *err)
{
    piw_text data = {0};
    *dist_info = data;
    int rc = 0;
    for (size_t i = 0; i < piw_zip_count(zip) && rc == 0; i++) {
        const piw_zip_entry *entry = piw_zip_at(zip, i);
        piw_text top = top_of(entry);
        if (ends(top, DIST_INFO)) {
            rc = check_top(entry, top, DIST_INFO, dist_info, err);
        } else if (ends(top, DATA)) {
            rc = check_top(entry, top, DATA, &data, err);
            rc = rc != 0 ? rc : check_scheme(entry, top, err);
        }
    }
    if (rc == 0 && dist_info->s == NULL)
        rc = piw_err_set(err, PIW_EREFUSED, "it has no .dist-info folder");
    if (rc == 0)
        rc = check_stem(*dist_info, DIST_INFO, name, err);
    if (rc == 0 && data.s != NULL)
        rc = check_stem(data, DATA, name, err);
    if (rc == 0)
        dist_info->len++;
    return rc;
}
