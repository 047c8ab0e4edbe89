/* file_check.c — what a slave or importer says of a file, checked before it touches a path or the database. */
#include "shared/file_check.h"

#include "piw/codec.h"
#include "shared/names.h"
#include "shared/text.h"
#include "shared/version.h"
#include "shared/wheel_name.h"

#include <stdlib.h>

/* Widths of the columns of files and dependencies, in characters. */
enum { TAG_MAX = 200, SHORT_TAG_MAX = 100, HASH_DIGITS = 64, REQUIRES_PYTHON_MAX = 200, DEPENDENCY_MAX = 255 };

static int refuse(piw_err *err, const file_state *file, const char *why)
{
    return piw_err_set(err, PIW_EINVAL, "file \"%.*s\" is refused: %s", (int)file->filename.len, file->filename.s, why);
}

bool piw_hash_ok(piw_text hash)
{
    if (hash.s == NULL || hash.len != HASH_DIGITS)
        return false;
    for (uint32_t i = 0; i < hash.len; i++) {
        char c = hash.s[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

static bool text_fits(piw_text text, size_t chars)
{
    return text.len > 0 && !piw_text_has_control(text) && piw_utf8_valid(text.s, text.len) == text.len &&
           piw_utf8_chars(text.s, text.len) <= chars;
}

static int check_dependencies(const file_state *file, piw_err *err)
{
    for (uint32_t i = 0; i < file->dependencies.count; i++) {
        piw_text tool = file->dependencies.at[i].key;
        if (!piw_text_is(tool, "apt") && !piw_text_is(tool, "pip") && !piw_text_is(tool, ""))
            return piw_err_set(err, PIW_EINVAL, "file \"%.*s\" is refused: its dependencies name a tool \"%.*s\"",
                               (int)file->filename.len, file->filename.s, (int)tool.len, tool.s);
        for (uint32_t j = 0; j < file->dependencies.at[i].value.count; j++) {
            piw_text needed = file->dependencies.at[i].value.at[j];
            if (!text_fits(needed, DEPENDENCY_MAX))
                return refuse(err, file, "a dependency is empty, too long or holds a control character");
            if (piw_text_is(tool, "apt") && !piw_name_is_debian(needed))
                return refuse(err, file, "an apt dependency is no name of a Debian package");
        }
    }
    return 0;
}

/* The tags that the slave says must be those in the name. */
static int check_tags(const file_state *file, const piw_wheel_name *name, piw_err *err)
{
    if (!piw_text_is(file->package_tag, name->package))
        return refuse(err, file, "its package_tag isn't the one in its name");
    if (!piw_text_is(file->package_version_tag, name->version))
        return refuse(err, file, "its package_version_tag isn't the one in its name");
    if (!piw_text_is(file->py_version_tag, name->py))
        return refuse(err, file, "its py_version_tag isn't the one in its name");
    if (!piw_text_is(file->abi_tag, name->abi))
        return refuse(err, file, "its abi_tag isn't the one in its name");
    if (!piw_text_is(file->platform_tag, name->platform))
        return refuse(err, file, "its platform_tag isn't the one in its name");
    if (strlen(name->package) > TAG_MAX || strlen(name->version) > TAG_MAX)
        return refuse(err, file, "its package or version part is longer than 200 characters");
    if (strlen(name->py) > SHORT_TAG_MAX || strlen(name->abi) > SHORT_TAG_MAX || strlen(name->platform) > SHORT_TAG_MAX)
        return refuse(err, file, "a tag is longer than 100 characters");
    return 0;
}

int piw_file_check(const file_state *file, piw_text package, piw_err *err)
{
    piw_wheel_name name;
    int rc = piw_wheel_name_parse(file->filename, &name, err);
    if (rc != 0)
        return rc;
    if (package.s != NULL && !piw_text_is(package, name.canonical))
        return piw_err_set(err, PIW_EINVAL, "file \"%.*s\" is refused: it is a wheel of %s, not of %.*s",
                           (int)file->filename.len, file->filename.s, name.canonical, (int)package.len, package.s);
    rc = check_tags(file, &name, err);
    if (rc != 0)
        return rc;
    if (file->filesize <= 0 || file->filesize > PIW_FILESIZE_MAX)
        return piw_err_set(err, PIW_EINVAL, "file \"%.*s\" is refused: its size of %lld bytes isn't in 1 to %d",
                           (int)file->filename.len, file->filename.s, (long long)file->filesize, PIW_FILESIZE_MAX);
    if (!piw_hash_ok(file->filehash))
        return refuse(err, file, "its hash isn't 64 lower-case hex digits");
    if (!piw_text_is(file->location, "/simple"))
        return refuse(err, file, "its location isn't /simple");
    if (file->requires_python.s != NULL && file->requires_python.len > 0 &&
        !text_fits(file->requires_python, REQUIRES_PYTHON_MAX))
        return refuse(err, file, "its requires_python is longer than 200 characters or holds a control character");
    return check_dependencies(file, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const file_state *const *)a)->filename.s, (*(const file_state *const *)b)->filename.s);
}

/* Of the version that was asked for, by the rules of PEP 440: 1.0 and 1.0.0 are the same. */
static int check_version(const file_state *file, piw_text version, piw_err *err)
{
    if (version.s == NULL || piw_version_matches_tag(version, file->package_version_tag))
        return 0;
    return piw_err_set(err, PIW_EINVAL, "file \"%.*s\" is refused: it is a wheel of version %.*s, not of %.*s",
                       (int)file->filename.len, file->filename.s, (int)file->package_version_tag.len,
                       file->package_version_tag.s, (int)version.len, version.s);
}

int piw_files_check(const file_state *files, uint32_t count, piw_text package, piw_text version, piw_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = piw_file_check(&files[i], package, err);
        if (rc == 0)
            rc = check_version(&files[i], version, err);
        if (rc != 0)
            return rc;
    }
    if (count < 2)
        return 0;
    const file_state **sorted = piw_alloc(count * sizeof(*sorted));
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &files[i];
    qsort(sorted, count, sizeof(*sorted), compare_names);
    int rc = 0;
    for (uint32_t i = 1; i < count && rc == 0; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            rc = refuse(err, sorted[i], "it is listed twice");
    }
    free(sorted);
    return rc;
}
