/* wheel_name.c — takes the file name of a wheel apart (PEP 427). */
#include "shared/wheel_name.h"

#include "piw/codec.h"
#include "shared/names.h"
#include "shared/version.h"

enum { PARTS_MIN = 5, PARTS_MAX = 6 };

static int refuse(piw_err *err, piw_text filename, const char *why)
{
    int shown = filename.len > 300 ? 300 : (int)filename.len;
    return piw_err_set(err, PIW_EINVAL, "file name \"%.*s\" is refused: %s", shown,
                       filename.s == NULL ? "" : filename.s, why);
}

static const char *bad_text(piw_text filename)
{
    if (filename.s == NULL || filename.len == 0)
        return "it is empty";
    if (filename.len > PIW_FILENAME_MAX)
        return "it is longer than 255 bytes";
    if (filename.s[0] == '.')
        return "it begins with a dot";
    if (piw_utf8_valid(filename.s, filename.len) != filename.len)
        return "it isn't UTF-8";
    for (uint32_t i = 0; i < filename.len; i++) {
        unsigned char c = (unsigned char)filename.s[i];
        if (c < 0x20 || c == 0x7f)
            return "it holds a control character";
        if (c == '/' || c == '\\')
            return "it holds a path separator";
    }
    return NULL;
}

/* Tags are letters, digits, '_' and, in compressed sets, '.' between them. */
static bool tag_ok(const char *tag)
{
    if (*tag == '\0' || *tag == '.')
        return false;
    for (const char *c = tag; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_';
        if (!plain && (*c != '.' || c[1] == '.' || c[1] == '\0'))
            return false;
    }
    return true;
}

static void take(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    to[len] = '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits, '_' and '.', and what isn't ASCII, of which newer ones take all letters. */
static bool package_ok(const char *package)
{
    for (const char *c = package; *c != '\0'; c++)
        if (!is_letter(*c) && !is_digit(*c) && *c != '_' && *c != '.' && ((unsigned char)*c & 0x80) == 0)
            return false;
    return true;
}

/* By which of their rules do installers (packaging.utils.parse_wheel_filename) refuse the name? NULL: they read it. */
static const char *unreadable(const piw_wheel_name *name)
{
    if (name->build[0] != '\0' && !is_digit(name->build[0]))
        return "its build part doesn't begin with a digit";
    if (strstr(name->package, "__") != NULL)
        return "its package part holds \"__\", which no installer reads";
    if (!package_ok(name->package))
        return "its package part holds characters other than letters, digits, '_' and '.', which no installer reads";
    if (!piw_version_valid(piw_text_of(name->version)) || strpbrk(name->version, " \t") != NULL)
        return "its version part isn't a version by PEP 440, and installers stop at such a name";
    return NULL;
}

/* Digits, then letters, digits, '_' and '.': nothing that an URL or a page would have to escape. */
static bool build_ok(const char *build)
{
    for (const char *c = build; *c != '\0'; c++) {
        if (!is_letter(*c) && !is_digit(*c) && *c != '_' && *c != '.')
            return false;
    }
    return true;
}

/* Take the name apart by its dashes; what the parts hold isn't looked at. */
static int split(piw_text filename, piw_wheel_name *name, piw_err *err)
{
    const char *why = bad_text(filename);
    if (why != NULL)
        return refuse(err, filename, why);
    static const char suffix[] = ".whl";
    size_t n = filename.len, suffix_len = sizeof(suffix) - 1;
    if (n <= suffix_len || memcmp(filename.s + n - suffix_len, suffix, suffix_len) != 0)
        return refuse(err, filename, "it doesn't end in .whl");
    n -= suffix_len;

    const char *starts[PARTS_MAX];
    size_t lens[PARTS_MAX], count = 0, from = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && filename.s[i] != '-')
            continue;
        if (count == PARTS_MAX || i == from)
            return refuse(err, filename, "it isn't of the form PACKAGE-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl");
        starts[count] = filename.s + from;
        lens[count++] = i - from;
        from = i + 1;
    }
    if (count < PARTS_MIN)
        return refuse(err, filename, "it isn't of the form PACKAGE-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl");

    *name = (piw_wheel_name){0};
    take(name->package, starts[0], lens[0]);
    take(name->version, starts[1], lens[1]);
    if (count == PARTS_MAX)
        take(name->build, starts[2], lens[2]);
    take(name->py, starts[count - 3], lens[count - 3]);
    take(name->abi, starts[count - 2], lens[count - 2]);
    take(name->platform, starts[count - 1], lens[count - 1]);
    return 0;
}

/* What is wrong with the parts that become a folder and columns of the database, or NULL. */
static const char *bad_parts(piw_wheel_name *name)
{
    const char *const tags[] = {name->py, name->abi, name->platform};
    for (size_t i = 0; i < PIW_COUNT(tags); i++) {
        if (!tag_ok(tags[i]))
            return "its tags hold characters other than letters, digits, '_' and '.'";
    }
    if (!piw_name_canonical(piw_text_of(name->package), name->canonical))
        return "its package part isn't a project name";
    return NULL;
}

int piw_wheel_name_split(piw_text filename, piw_wheel_name *name, piw_err *err)
{
    int rc = split(filename, name, err);
    if (rc != 0)
        return rc;
    const char *why = bad_parts(name);
    return why == NULL ? 0 : refuse(err, filename, why);
}

int piw_wheel_name_parse(piw_text filename, piw_wheel_name *name, piw_err *err)
{
    int rc = piw_wheel_name_split(filename, name, err);
    if (rc != 0)
        return rc;
    const char *why = unreadable(name);
    if (why != NULL)
        return refuse(err, filename, why);
    if (!build_ok(name->build))
        return refuse(err, filename, "its build part holds characters other than letters, digits, '_' and '.'");
    return 0;
}

bool piw_wheel_name_readable(piw_text filename)
{
    piw_wheel_name name;
    return split(filename, &name, NULL) == 0 && unreadable(&name) == NULL;
}

bool piw_wheel_name_armv6l(piw_text filename, char *to)
{
    static const char armv7[] = "-linux_armv7l.whl", armv6[] = "-linux_armv6l.whl";
    size_t n = sizeof(armv7) - 1;
    if (filename.len <= n || filename.len > PIW_FILENAME_MAX || memcmp(filename.s + filename.len - n, armv7, n) != 0)
        return false;
    memcpy(to, filename.s, filename.len - n);
    memcpy(to + filename.len - n, armv6, sizeof(armv6));
    return true;
}
