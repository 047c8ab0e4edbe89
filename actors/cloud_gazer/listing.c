/* listing.c — reads PyPI's list of projects as it comes in: {"meta": {"_last-serial": N, …}, "projects": [{"name":
 * TEXT, "_last-serial": N}, …]} */
#include "cloud_gazer/listing.h"

#include "cloud_gazer/json_reader.h"
#include "piw/log.h"
#include "shared/names.h"

#include <stdlib.h>

/* Where in the document the reader is; what is elsewhere doesn't matter. */
enum { TOP = 1, SECOND, THIRD };
typedef enum { KEY_OTHER, KEY_NAME, KEY_SERIAL, KEY_META, KEY_PROJECTS } key;

typedef struct project {
    size_t name; /* offset */
    int64_t serial;
} project;

struct gazer_listing {
    gazer_json_reader reader;
    key part; /* of the top object: meta or projects */
    key next; /* what the value to come is of */
    bool has_projects, has_serial;
    int64_t serial;
    piw_buffer names; /* canonical, NUL-terminated, one after the other */
    project *projects;
    size_t count, size;
    piw_text name; /* of the project being read, canonical; s NULL: none, or odd */
    char canonical[PIW_NAME_MAX + 1];
    int64_t own_serial; /* < 0: none */
    gazer_listed *listed;
    piw_log_limiter odd;
};

static int on_key(void *arg, const unsigned char *text, size_t len)
{
    gazer_listing *self = arg;
    piw_text word = {(const char *)text, (uint32_t)len};
    self->next = KEY_OTHER;
    if (self->reader.depth == TOP)
        self->part = piw_text_is(word, "meta") ? KEY_META : piw_text_is(word, "projects") ? KEY_PROJECTS : KEY_OTHER;
    else if (self->reader.depth == SECOND && self->part == KEY_META && piw_text_is(word, "_last-serial"))
        self->next = KEY_SERIAL;
    else if (self->reader.depth == THIRD && self->part == KEY_PROJECTS)
        self->next = piw_text_is(word, "name") ? KEY_NAME : piw_text_is(word, "_last-serial") ? KEY_SERIAL : KEY_OTHER;
    return 1;
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
    gazer_listing *self = arg;
    if (self->next == KEY_NAME) {
        piw_text name = {(const char *)text, (uint32_t)len};
        self->name.s = NULL;
        if (len <= UINT32_MAX && piw_name_canonical(name, self->canonical))
            self->name = piw_text_of(self->canonical);
        else
            piw_log_limited(&self->odd, 30, PIW_LOG_WARNING, "PyPI's list has an entry that is no valid name: %.*s",
                            len < 200 ? (int)len : 200, name.s);
    }
    self->next = KEY_OTHER;
    return 1;
}

static int on_integer(void *arg, long long value)
{
    gazer_listing *self = arg;
    if (self->next == KEY_SERIAL && self->reader.depth == SECOND) {
        self->serial = value;
        self->has_serial = true;
    } else if (self->next == KEY_SERIAL) {
        self->own_serial = value;
    }
    self->next = KEY_OTHER;
    return 1;
}

static int on_map(void *arg)
{
    gazer_listing *self = arg;
    if (self->reader.depth == 0 || self->reader.depth == SECOND) {
        self->name.s = NULL;
        self->own_serial = -1;
    }
    self->next = KEY_OTHER;
    return gazer_json_enter(&self->reader, true);
}

static int on_array(void *arg)
{
    gazer_listing *self = arg;
    if (self->reader.depth == TOP && self->part == KEY_PROJECTS)
        self->has_projects = true;
    self->next = KEY_OTHER;
    return gazer_json_enter(&self->reader, false);
}

static int on_array_end(void *arg)
{
    gazer_json_leave(&((gazer_listing *)arg)->reader);
    return 1;
}

static int add(gazer_listing *self)
{
    if (self->count == GAZER_LISTING_MAX)
        return gazer_json_refuse(&self->reader, "it has more than %d projects", GAZER_LISTING_MAX);
    if (self->count == self->size) {
        self->size = self->size == 0 ? 1024 : self->size * 2;
        self->projects = piw_realloc(self->projects, self->size * sizeof(*self->projects));
    }
    self->projects[self->count++] = (project){self->names.len, self->own_serial};
    if (piw_buffer_add(&self->names, self->name.s, self->name.len + 1) != 0)
        return gazer_json_refuse(&self->reader, "there is no memory for it");
    return 1;
}

static int on_map_end(void *arg)
{
    gazer_listing *self = arg;
    gazer_json_leave(&self->reader);
    if (self->reader.depth != SECOND || self->part != KEY_PROJECTS || self->name.s == NULL)
        return 1;
    if (self->own_serial < 0)
        return gazer_json_refuse(&self->reader, "project %s has no _last-serial", self->name.s);
    int good = add(self);
    self->name.s = NULL;
    return good;
}

static int on_other(void *arg)
{
    ((gazer_listing *)arg)->next = KEY_OTHER;
    return 1;
}

static int on_boolean(void *arg, int value)
{
    (void)value;
    return on_other(arg);
}

static int on_double(void *arg, double value)
{
    (void)value;
    return on_other(arg);
}

static const yajl_callbacks callbacks = {.yajl_null = on_other,
                                         .yajl_boolean = on_boolean,
                                         .yajl_integer = on_integer,
                                         .yajl_double = on_double,
                                         .yajl_string = on_string,
                                         .yajl_start_map = on_map,
                                         .yajl_map_key = on_key,
                                         .yajl_end_map = on_map_end,
                                         .yajl_start_array = on_array,
                                         .yajl_end_array = on_array_end};

gazer_listing *gazer_listing_new(void)
{
    gazer_listing *self = piw_zalloc(sizeof(*self));
    if (!gazer_json_open(&self->reader, "PyPI's list of projects", GAZER_LISTING_BYTES, &callbacks, self)) {
        free(self);
        return NULL;
    }
    return self;
}

void gazer_listing_free(gazer_listing **listing)
{
    gazer_listing *self = *listing;
    if (self == NULL)
        return;
    gazer_json_close(&self->reader);
    piw_buffer_fini(&self->names);
    free(self->projects);
    free(self->listed);
    free(self);
    *listing = NULL;
}

int gazer_listing_feed(gazer_listing *listing, const void *data, size_t len, piw_err *err)
{
    return gazer_json_feed(&listing->reader, data, len, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gazer_listed *)a)->package, ((const gazer_listed *)b)->package);
}

int gazer_listing_end(gazer_listing *listing, piw_err *err)
{
    int rc = gazer_json_end(&listing->reader, err);
    if (rc != 0)
        return rc;
    if (!listing->has_projects || !listing->has_serial)
        return piw_err_set(err, PIW_ESHAPE, "PyPI's list of projects lacks %s",
                           listing->has_projects ? "meta._last-serial" : "its projects");
    listing->listed = piw_alloc((listing->count + 1) * sizeof(*listing->listed));
    for (size_t i = 0; i < listing->count; i++) {
        const project *from = &listing->projects[i];
        listing->listed[i] = (gazer_listed){(const char *)listing->names.data + from->name, from->serial};
        if (from->serial > listing->serial)
            listing->serial = from->serial;
    }
    if (listing->count > 1)
        qsort(listing->listed, listing->count, sizeof(*listing->listed), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < listing->count; i++) {
        gazer_listed *last = kept > 0 ? &listing->listed[kept - 1] : NULL;
        if (last != NULL && strcmp(last->package, listing->listed[i].package) == 0)
            last->serial = last->serial > listing->listed[i].serial ? last->serial : listing->listed[i].serial;
        else
            listing->listed[kept++] = listing->listed[i];
    }
    listing->count = kept;
    return 0;
}

const gazer_listed *gazer_listing_projects(const gazer_listing *listing, size_t *count)
{
    *count = listing->count;
    return listing->listed;
}

int64_t gazer_listing_serial(const gazer_listing *listing)
{
    return listing->serial;
}
