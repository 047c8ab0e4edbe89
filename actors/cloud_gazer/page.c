/* page.c — reads the status of a project, the reasons of its yanks, and which wheels it offers, from its page of the Simple API:
 * {"project-status": {"status": TEXT, "reason": TEXT, …}, "files": [{"filename": TEXT, "yanked": BOOL or TEXT,
 * "requires-python": TEXT, …}, …], …} */
#include "cloud_gazer/page.h"

#include "cloud_gazer/json_reader.h"
#include "piw/codec.h"
#include "shared/names.h"
#include "shared/requires_python.h"
#include "shared/text.h"
#include "shared/version.h"
#include "shared/wheel_name.h"

#include <stdio.h>
#include <stdlib.h>

/* Where in the page the reader is; what is elsewhere doesn't matter. */
enum { TOP = 1, SECOND, FILE_ITSELF };
typedef enum { PART_OTHER, PART_STATUS, PART_FILES } page_part;
typedef enum { KEY_OTHER, KEY_STATUS, KEY_REASON, KEY_FILENAME, KEY_YANKED, KEY_REQUIRES } page_key;

enum {
    REASON_BYTES = 4 * GAZER_REASON_CHARS + 4, /* one character more than is kept, so that a cut is seen */
    REQUIRES_BYTES = 1000,                     /* of a Requires-Python; what is longer is none */
};

typedef struct yank {
    char *version, *reason;
} yank;

typedef struct offered_wheel {
    char *filename;
    int64_t pythons; /* requires_python.h */
} offered_wheel;

struct gazer_page {
    gazer_json_reader reader;
    page_part part; /* of the top object */
    page_key next;  /* what the value to come is of */
    char status[32];
    char *reason;                       /* of the status */
    char *filename, *yanked, *requires; /* of the file being read */
    bool is_yanked;
    yank *yanks; /* sorted */
    uint32_t count, size;
    offered_wheel *wheels;
    uint32_t wheels_count, wheels_size;
    char what[PIW_NAME_MAX + 32];
    char package[PIW_NAME_MAX + 1];
};

/* --- What is read ------------------------------------------------------------------------------------------------ */

/* The version in a file's name, behind the project's: names of sources may have dashes in both. NULL: there is none. */
static char *version_of(const gazer_page *self, const char *filename)
{
    static const char *const ends[] = {".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar"};
    size_t len = strlen(filename);
    bool wheel = len > 4 && strcmp(filename + len - 4, ".whl") == 0;
    for (size_t i = 0; i < PIW_COUNT(ends); i++) {
        size_t end = strlen(ends[i]);
        if (len > end && strcmp(filename + len - end, ends[i]) == 0) {
            len -= end;
            break;
        }
    }
    for (const char *dash = filename; (dash = strchr(dash, '-')) != NULL && dash < filename + len; dash++) {
        if (!piw_name_same((piw_text){filename, (uint32_t)(dash - filename)}, piw_text_of(self->package)))
            continue;
        const char *from = dash + 1, *to = wheel ? strchr(from, '-') : filename + len;
        if (to == NULL || to <= from)
            return NULL;
        piw_text version = {from, (uint32_t)(to - from)};
        return piw_version_acceptable(version) ? piw_strndup(version.s, version.len) : NULL;
    }
    return NULL;
}

/* Where the version stands among the yanks, or would have to. */
static uint32_t place_of(const gazer_page *self, const char *version, bool *there)
{
    uint32_t low = 0, high = self->count;
    *there = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(version, self->yanks[middle].version);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The first reason of a version's files is the version's. */
static void keep_yank(gazer_page *self, char **version, char **reason)
{
    bool there;
    uint32_t at = place_of(self, *version, &there);
    if (there || self->count == GAZER_YANKS_MAX)
        return;
    if (self->count == self->size) {
        self->size = self->size == 0 ? 16 : self->size * 2;
        self->yanks = piw_realloc(self->yanks, self->size * sizeof(*self->yanks));
    }
    memmove(self->yanks + at + 1, self->yanks + at, (self->count - at) * sizeof(*self->yanks));
    self->yanks[at] = (yank){.version = *version, .reason = *reason};
    *version = *reason = NULL;
    self->count++;
}

static void keep_wheel(gazer_page *self)
{
    size_t len = strlen(self->filename);
    if (len < 4 || strcmp(self->filename + len - 4, ".whl") != 0 || self->wheels_count == GAZER_WHEELS_MAX)
        return;
    if (self->wheels_count == self->wheels_size) {
        self->wheels_size = self->wheels_size == 0 ? 16 : self->wheels_size * 2;
        self->wheels = piw_realloc(self->wheels, self->wheels_size * sizeof(*self->wheels));
    }
    uint64_t pythons = piw_requires_python(self->requires != NULL ? piw_text_of(self->requires) : (piw_text){0});
    self->wheels[self->wheels_count++] = (offered_wheel){piw_strdup(self->filename), (int64_t)pythons};
}

static void end_file(gazer_page *self)
{
    if (self->filename != NULL && !self->is_yanked)
        keep_wheel(self);
    if (self->filename != NULL && self->yanked != NULL && self->yanked[0] != '\0') {
        char *version = version_of(self, self->filename);
        if (version != NULL)
            keep_yank(self, &version, &self->yanked);
        free(version);
    }
    free(self->filename);
    free(self->yanked);
    free(self->requires);
    self->filename = self->yanked = self->requires = NULL;
    self->is_yanked = false;
}

static page_key key_of(const gazer_page *self, piw_text word)
{
    if (self->reader.depth == SECOND && self->part == PART_STATUS)
        return piw_text_is(word, "status") ? KEY_STATUS : piw_text_is(word, "reason") ? KEY_REASON : KEY_OTHER;
    if (self->reader.depth == FILE_ITSELF && self->part == PART_FILES)
        return piw_text_is(word, "filename")          ? KEY_FILENAME
               : piw_text_is(word, "yanked")          ? KEY_YANKED
               : piw_text_is(word, "requires-python") ? KEY_REQUIRES
                                                      : KEY_OTHER;
    return KEY_OTHER;
}

/* --- yajl's callbacks -------------------------------------------------------------------------------------------- */

static int on_key(void *arg, const unsigned char *text, size_t len)
{
    gazer_page *self = arg;
    piw_text word = {(const char *)text, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
    if (self->reader.depth == TOP)
        self->part = piw_text_is(word, "project-status") ? PART_STATUS
                     : piw_text_is(word, "files")        ? PART_FILES
                                                         : PART_OTHER;
    self->next = key_of(self, word);
    return 1;
}

static void keep_text(char **to, const unsigned char *text, size_t len)
{
    free(*to);
    *to = piw_strndup((const char *)text, len);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
    gazer_page *self = arg;
    size_t cut = len < REASON_BYTES ? len : REASON_BYTES;
    if (self->next == KEY_STATUS && len < sizeof(self->status)) {
        memcpy(self->status, text, len);
        self->status[len] = '\0';
    } else if (self->next == KEY_REASON) {
        keep_text(&self->reason, text, cut);
    } else if (self->next == KEY_FILENAME && len <= PIW_FILENAME_MAX) {
        keep_text(&self->filename, text, len);
    } else if (self->next == KEY_YANKED) {
        keep_text(&self->yanked, text, cut);
        self->is_yanked = len > 0;
    } else if (self->next == KEY_REQUIRES && len <= REQUIRES_BYTES) {
        keep_text(&self->requires, text, len);
    }
    self->next = KEY_OTHER;
    return 1;
}

static int on_other(void *arg)
{
    ((gazer_page *)arg)->next = KEY_OTHER;
    return 1;
}

static int on_boolean(void *arg, int value)
{
    gazer_page *self = arg;
    if (self->next == KEY_YANKED)
        self->is_yanked = value;
    return on_other(arg);
}

static int on_number(void *arg, const char *text, size_t len)
{
    (void)text, (void)len;
    return on_other(arg);
}

static int on_map(void *arg)
{
    on_other(arg);
    return gazer_json_enter(&((gazer_page *)arg)->reader, true);
}

static int on_array(void *arg)
{
    on_other(arg);
    return gazer_json_enter(&((gazer_page *)arg)->reader, false);
}

static int on_map_end(void *arg)
{
    gazer_page *self = arg;
    gazer_json_leave(&self->reader);
    if (self->reader.depth == SECOND && self->part == PART_FILES)
        end_file(self);
    return 1;
}

static int on_array_end(void *arg)
{
    gazer_json_leave(&((gazer_page *)arg)->reader);
    return 1;
}

static const yajl_callbacks callbacks = {.yajl_null = on_other,
                                         .yajl_boolean = on_boolean,
                                         .yajl_number = on_number,
                                         .yajl_string = on_string,
                                         .yajl_start_map = on_map,
                                         .yajl_map_key = on_key,
                                         .yajl_end_map = on_map_end,
                                         .yajl_start_array = on_array,
                                         .yajl_end_array = on_array_end};

gazer_page *gazer_page_new(const char *package)
{
    gazer_page *self = piw_zalloc(sizeof(*self));
    snprintf(self->package, sizeof(self->package), "%s", package);
    snprintf(self->what, sizeof(self->what), "PyPI's page of %s", package);
    if (!gazer_json_open(&self->reader, self->what, GAZER_PAGE_BYTES, &callbacks, self)) {
        free(self);
        return NULL;
    }
    return self;
}

void gazer_page_free(gazer_page **page)
{
    gazer_page *self = *page;
    if (self == NULL)
        return;
    gazer_json_close(&self->reader);
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->yanks[i].version);
        free(self->yanks[i].reason);
    }
    free(self->yanks);
    for (uint32_t i = 0; i < self->wheels_count; i++)
        free(self->wheels[i].filename);
    free(self->wheels);
    free(self->reason);
    free(self->filename);
    free(self->yanked);
    free(self->requires);
    free(self);
    *page = NULL;
}

int gazer_page_feed(gazer_page *page, const void *data, size_t len, piw_err *err)
{
    return gazer_json_feed(&page->reader, data, len, err);
}

int gazer_page_end(gazer_page *page, piw_err *err)
{
    return gazer_json_end(&page->reader, err);
}

const char *gazer_page_status(const gazer_page *page)
{
    return page->status;
}

/* A reason as it is kept: a cut may have split a character, which goes with the rest. */
static piw_text put_reason(piw_msg *msg, const char *reason)
{
    if (reason == NULL)
        return piw_text_of("");
    piw_text whole = {reason, (uint32_t)piw_utf8_valid(reason, strlen(reason))};
    return piw_text_copy(msg, piw_text_cut(msg, piw_text_clean(msg, whole), GAZER_REASON_CHARS));
}

static const int64_t *put_number(piw_msg *msg, int64_t number)
{
    int64_t *made = piw_msg_alloc(msg, sizeof(*made));
    *made = number;
    return made;
}

/* Names that aren't wheels' of this project say nothing of it. */
static pypi_wheels *put_wheels(const gazer_page *page, piw_msg *msg)
{
    pypi_wheels *made = piw_msg_alloc(msg, sizeof(*made));
    piw_msg_list(msg, &made->wheels, page->wheels_count);
    made->wheels.count = 0;
    for (uint32_t i = 0; i < page->wheels_count; i++) {
        piw_wheel_name name;
        piw_err ignored_err = {0};
        if (piw_wheel_name_parse(piw_text_of(page->wheels[i].filename), &name, &ignored_err) == 0 &&
            strcmp(name.canonical, page->package) == 0 && piw_version_acceptable(piw_text_of(name.version)))
            made->wheels.at[made->wheels.count++] =
                (pypi_wheel){.version = piw_msg_textz(msg, name.version),
                             .tags = piw_msg_printf(msg, "%s-%s-%s", name.py, name.abi, name.platform),
                             .pythons = put_number(msg, page->wheels[i].pythons)};
    }
    return made;
}

void gazer_page_put(const gazer_page *page, piw_msg *msg, db_PYPI_FACTS *to, bool wheels)
{
    /* Quarantine has its own way (left.c). */
    bool worth = strcmp(page->status, "archived") == 0 || strcmp(page->status, "deprecated") == 0;
    *to = (db_PYPI_FACTS){.package = piw_msg_textz(msg, page->package),
                          .status = piw_msg_textz(msg, worth ? page->status : ""),
                          .reason = put_reason(msg, worth ? page->reason : NULL)};
    to->wheels = wheels ? put_wheels(page, msg) : NULL;
    piw_msg_list(msg, &to->yanks, page->count);
    for (uint32_t i = 0; i < page->count; i++)
        to->yanks.at[i] = (pypi_yank){.version = piw_msg_textz(msg, page->yanks[i].version),
                                      .reason = put_reason(msg, page->yanks[i].reason)};
}
