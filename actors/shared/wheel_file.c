/* wheel_file.c — the file WHEEL, which an installer goes by. */
#include "shared/wheel_file.h"

#include "shared/header.h"

#include <stdlib.h>
#include <strings.h>

enum { TAG_PARTS = 3 };

/* The tags of the name: all combinations of the members of three sets; `seen` has those that WHEEL lists. */
typedef struct tag_sets {
    const char *sets[TAG_PARTS];
    size_t counts[TAG_PARTS];
    bool *seen;
    bool any;
} tag_sets;

typedef struct wheel_file {
    char *version, *purelib;
    tag_sets tags;
} wheel_file;

static int refuse(piw_err *err, const char *why)
{
    return piw_err_set(err, PIW_EREFUSED, "its WHEEL %s", why);
}

/* --- Sets of tags, "py2.py3" --- */

static bool next_member(piw_text *set, piw_text *member)
{
    if (set->len == 0)
        return false;
    const char *dot = memchr(set->s, '.', set->len);
    uint32_t n = dot == NULL ? set->len : (uint32_t)(dot - set->s), skip = n + (dot != NULL);
    *member = (piw_text){set->s, n};
    *set = (piw_text){set->s + skip, set->len - skip};
    return true;
}

static size_t count_members(piw_text set)
{
    size_t count = 0;
    for (piw_text member; next_member(&set, &member);)
        count++;
    return count;
}

/* Its place in the set, or -1. Installers compare tags in small letters. */
static long place_of(piw_text member, piw_text set)
{
    piw_text other;
    for (long place = 0; next_member(&set, &other); place++) {
        if (other.len == member.len && strncasecmp(other.s, member.s, member.len) == 0)
            return place;
    }
    return -1;
}

static int init_sets(tag_sets *tags, const piw_wheel_name *name, piw_err *err)
{
    *tags = (tag_sets){.sets = {name->py, name->abi, name->platform}};
    size_t all = 1;
    for (size_t i = 0; i < TAG_PARTS; i++)
        all *= tags->counts[i] = count_members(piw_text_of(tags->sets[i]));
    tags->seen = calloc(all + 1, sizeof(*tags->seen));
    return tags->seen != NULL ? 0 : piw_err_set(err, PIW_ENOMEM, "no memory to read WHEEL");
}

/* Note the combinations of PARTS[part] and those behind it; false: one isn't of the name. */
// NOLINTNEXTLINE(misc-no-recursion): three parts deep
static bool note(tag_sets *tags, const piw_text *parts, size_t part, size_t index)
{
    if (part == TAG_PARTS) {
        tags->seen[index] = true;
        return true;
    }
    piw_text left = parts[part], member;
    while (next_member(&left, &member)) {
        long place = place_of(member, piw_text_of(tags->sets[part]));
        if (place < 0 || !note(tags, parts, part + 1, index * tags->counts[part] + (size_t)place))
            return false;
    }
    return true;
}

static int take_tag(tag_sets *tags, piw_text value, piw_err *err)
{
    piw_text parts[TAG_PARTS], left = value;
    tags->any = true;
    for (size_t i = 0; i < TAG_PARTS; i++) {
        const char *dash = left.len > 0 ? memchr(left.s, '-', left.len) : NULL;
        uint32_t n = dash == NULL ? left.len : (uint32_t)(dash - left.s);
        if (n == 0 || (dash == NULL) != (i == TAG_PARTS - 1))
            return refuse(err, "has a Tag that isn't of the form PYTHON-ABI-PLATFORM");
        parts[i] = (piw_text){left.s, n};
        left = dash == NULL ? (piw_text){"", 0} : (piw_text){dash + 1, left.len - n - 1};
    }
    if (note(tags, parts, 0, 0))
        return 0;
    return piw_err_set(err, PIW_EREFUSED, "its WHEEL says Tag \"%.*s\", which isn't in its name",
                       value.len > 200 ? 200 : (int)value.len, value.s);
}

static int check_tags(const tag_sets *tags, piw_err *err)
{
    size_t all = tags->counts[0] * tags->counts[1] * tags->counts[2];
    for (size_t i = 0; i < all && tags->any; i++) {
        if (!tags->seen[i])
            return refuse(err, "has no Tag for some of the tags in its name");
    }
    return 0;
}

/* --- Fields --- */

static int take_field(wheel_file *w, const piw_header *h, const piw_header_field *f, piw_err *err)
{
    if (piw_header_is(f, "Wheel-Version"))
        return piw_header_once(h, f, "Wheel-Version", &w->version, err);
    if (piw_header_is(f, "Root-Is-Purelib"))
        return piw_header_once(h, f, "Root-Is-Purelib", &w->purelib, err);
    return piw_header_is(f, "Tag") ? take_tag(&w->tags, f->value, err) : 0;
}

/* Some installers read on behind an empty line, others stop there. */
static int check_rest(const piw_header *h, piw_err *err)
{
    for (const char *c = h->at; c < h->end; c++) {
        if (*c != '\n' && *c != '\r')
            return refuse(err, "has text behind its header");
    }
    return 0;
}

/* "1", "1.0", "1.9": installers take any minor version. */
static bool known_version(const char *version)
{
    if (version[0] != '1')
        return false;
    for (const char *at = version + 1; *at != '\0';) {
        size_t digits = *at == '.' ? strspn(at + 1, "0123456789") : 0;
        if (digits == 0)
            return false;
        at += 1 + digits;
    }
    return true;
}

static int check_fields(const wheel_file *w, piw_err *err)
{
    if (w->version == NULL)
        return refuse(err, "has no field Wheel-Version");
    if (!known_version(w->version))
        return piw_err_set(err, PIW_EREFUSED, "its WHEEL is of the version \"%.100s\" of the format, not 1",
                           w->version);
    if (w->purelib == NULL)
        return refuse(err, "has no field Root-Is-Purelib");
    /* Installers differ on what any other spelling means. */
    if (strcmp(w->purelib, "true") != 0 && strcmp(w->purelib, "false") != 0)
        return refuse(err, "has a Root-Is-Purelib that is neither \"true\" nor \"false\"");
    return check_tags(&w->tags, err);
}

int piw_wheel_file_check(const void *data, size_t len, const piw_wheel_name *name, piw_err *err)
{
    wheel_file w = {0};
    piw_header h;
    piw_header_field f;
    int rc = piw_header_init(&h, data, len, "WHEEL", err);
    if (rc == 0)
        rc = init_sets(&w.tags, name, err);
    while (rc == 0 && (rc = piw_header_next(&h, &f, err)) == 1)
        rc = take_field(&w, &h, &f, err);
    if (rc == 0)
        rc = check_rest(&h, err);
    if (rc == 0)
        rc = check_fields(&w, err);
    piw_header_fini(&h);
    free(w.version);
    free(w.purelib);
    free(w.tags.seen);
    return rc;
}
