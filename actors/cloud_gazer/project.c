/* project.c — reads a project's document: {"info": {"name": TEXT, …}, "last_serial": N, "releases": {VERSION:
 * [{"packagetype": TEXT, "upload_time_iso_8601": TEXT, "yanked": BOOL, …}, …], …}, …} */
#include "cloud_gazer/project.h"

#include "cloud_gazer/json_reader.h"
#include "piw/codec.h"
#include "piw/log.h"
#include "shared/names.h"
#include "shared/version.h"

#include <stdio.h>
#include <stdlib.h>

/* Where in the document the reader is; what is elsewhere doesn't matter. */
enum { TOP = 1, SECOND, FILES, FILE_ITSELF };
typedef enum { KEY_OTHER, KEY_SERIAL, KEY_INFO, KEY_NAME, KEY_RELEASES, KEY_TYPE, KEY_TIME, KEY_YANKED } key;

typedef struct release {
    char *version;
    uint32_t files;
    bool source, kept; /* kept: one of its files isn't yanked */
    piw_time first;
} release;

struct gazer_project {
    gazer_json_reader reader;
    key part; /* of the top object: info or releases */
    key next; /* what the value to come is of */
    bool has_releases, has_name;
    int64_t serial;
    char name[PIW_NAME_MAX + 1]; /* as spelt */
    release *releases;
    uint32_t count, size;
    bool skips; /* the release being read is no version */
    /* The file being read. */
    bool source, yanked, has_time;
    piw_time time;
    piw_log_limiter odd;
    char what[PIW_NAME_MAX + 32];
    char package[PIW_NAME_MAX + 1];
};

/* --- What is read ------------------------------------------------------------------------------------------------ */

static int begin_release(gazer_project *self, piw_text version)
{
    self->skips = !piw_version_acceptable(version);
    if (self->skips) {
        piw_log_limited(&self->odd, 3, PIW_LOG_WARNING,
                        "a release of %s is left out: its version is empty, too long or "
                        "holds odd characters",
                        self->package);
        return 1;
    }
    if (self->count == GAZER_RELEASES_MAX)
        return gazer_json_refuse(&self->reader, "it has more than %d releases", GAZER_RELEASES_MAX);
    if (self->count == self->size) {
        self->size = self->size == 0 ? 16 : self->size * 2;
        self->releases = piw_realloc(self->releases, self->size * sizeof(*self->releases));
    }
    self->releases[self->count++] = (release){.version = piw_strndup(version.s, version.len)};
    return 1;
}

static void end_file(gazer_project *self)
{
    if (self->skips || self->count == 0)
        return;
    release *of = &self->releases[self->count - 1];
    if (!self->has_time)
        self->time = piw_time_now();
    if (of->files == 0 || self->time.us < of->first.us)
        of->first = self->time;
    of->files++;
    of->source = of->source || self->source;
    of->kept = of->kept || !self->yanked;
}

static key key_of(const gazer_project *self, piw_text word)
{
    static const struct {
        const char *word;
        unsigned depth;
        key part, is;
    } keys[] = {
        {"last_serial", TOP, KEY_OTHER, KEY_SERIAL},
        {"name", SECOND, KEY_INFO, KEY_NAME},
        {"packagetype", FILE_ITSELF, KEY_RELEASES, KEY_TYPE},
        {"upload_time_iso_8601", FILE_ITSELF, KEY_RELEASES, KEY_TIME},
        {"yanked", FILE_ITSELF, KEY_RELEASES, KEY_YANKED},
    };
    for (size_t i = 0; i < PIW_COUNT(keys); i++)
        if (keys[i].depth == self->reader.depth && keys[i].part == self->part && piw_text_is(word, keys[i].word))
            return keys[i].is;
    return KEY_OTHER;
}

/* --- yajl's callbacks -------------------------------------------------------------------------------------------- */

static int on_key(void *arg, const unsigned char *text, size_t len)
{
    gazer_project *self = arg;
    piw_text word = {(const char *)text, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
    if (self->reader.depth == TOP)
        self->part = piw_text_is(word, "info") ? KEY_INFO : piw_text_is(word, "releases") ? KEY_RELEASES : KEY_OTHER;
    self->next = key_of(self, word);
    if (self->reader.depth == SECOND && self->part == KEY_RELEASES)
        return begin_release(self, word);
    return 1;
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
    gazer_project *self = arg;
    piw_text value = {(const char *)text, len < UINT32_MAX ? (uint32_t)len : UINT32_MAX};
    if (self->next == KEY_NAME && piw_name_same(value, piw_text_of(self->package))) {
        memcpy(self->name, value.s, value.len); /* no longer than PIW_NAME_MAX, or it would be no name */
        self->name[value.len] = '\0';
        self->has_name = true;
    } else if (self->next == KEY_TYPE) {
        self->source = piw_text_is(value, "sdist");
    } else if (self->next == KEY_TIME) {
        self->has_time = piw_time_parse(value.s, value.len, &self->time) == 0;
    }
    self->next = KEY_OTHER;
    return 1;
}

static int on_boolean(void *arg, int value)
{
    gazer_project *self = arg;
    if (self->next == KEY_YANKED)
        self->yanked = value;
    self->next = KEY_OTHER;
    return 1;
}

static int on_other(void *arg)
{
    ((gazer_project *)arg)->next = KEY_OTHER;
    return 1;
}

static int on_integer(void *arg, long long value)
{
    gazer_project *self = arg;
    if (self->next == KEY_SERIAL)
        self->serial = value;
    return on_other(arg);
}

static int on_double(void *arg, double value)
{
    (void)value;
    return on_other(arg);
}

static int on_map(void *arg)
{
    gazer_project *self = arg;
    if (self->reader.depth == TOP && self->part == KEY_RELEASES)
        self->has_releases = true;
    if (self->reader.depth == FILES)
        self->source = self->yanked = self->has_time = false;
    self->next = KEY_OTHER;
    return gazer_json_enter(&self->reader, true);
}

static int on_map_end(void *arg)
{
    gazer_project *self = arg;
    gazer_json_leave(&self->reader);
    if (self->reader.depth == FILES && self->part == KEY_RELEASES)
        end_file(self);
    return 1;
}

static int on_array(void *arg)
{
    gazer_project *self = arg;
    self->next = KEY_OTHER;
    return gazer_json_enter(&self->reader, false);
}

static int on_array_end(void *arg)
{
    gazer_json_leave(&((gazer_project *)arg)->reader);
    return 1;
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

/* --- The document ------------------------------------------------------------------------------------------------ */

gazer_project *gazer_project_new(const char *package)
{
    gazer_project *self = piw_zalloc(sizeof(*self));
    snprintf(self->package, sizeof(self->package), "%s", package);
    snprintf(self->what, sizeof(self->what), "PyPI's document of %s", package);
    if (!gazer_json_open(&self->reader, self->what, GAZER_PROJECT_BYTES, &callbacks, self)) {
        free(self);
        return NULL;
    }
    return self;
}

void gazer_project_free(gazer_project **project)
{
    gazer_project *self = *project;
    if (self == NULL)
        return;
    gazer_json_close(&self->reader);
    for (uint32_t i = 0; i < self->count; i++)
        free(self->releases[i].version);
    free(self->releases);
    free(self);
    *project = NULL;
}

int gazer_project_feed(gazer_project *project, const void *data, size_t len, piw_err *err)
{
    return gazer_json_feed(&project->reader, data, len, err);
}

static int by_version(const void *a, const void *b)
{
    return strcmp(((const release *)a)->version, ((const release *)b)->version);
}

int gazer_project_end(gazer_project *project, piw_err *err)
{
    int rc = gazer_json_end(&project->reader, err);
    gazer_json_close(&project->reader);
    if (rc != 0)
        return rc;
    if (!project->has_name)
        return piw_err_set(err, PIW_ESHAPE, "%s has not its name in it", project->what);
    if (!project->has_releases)
        return piw_err_set(err, PIW_ESHAPE, "%s says nothing about its releases", project->what);
    if (project->count > 1)
        qsort(project->releases, project->count, sizeof(*project->releases), by_version);
    for (uint32_t i = 1; i < project->count; i++)
        if (strcmp(project->releases[i - 1].version, project->releases[i].version) == 0)
            return piw_err_set(err, PIW_ESHAPE, "%s has the release %s twice", project->what,
                               project->releases[i].version);
    return 0;
}

int64_t gazer_project_serial(const gazer_project *project)
{
    return project->serial;
}

uint32_t gazer_project_releases(const gazer_project *project)
{
    return project->count;
}

void gazer_project_put(const gazer_project *project, piw_msg *msg, pypi_project *to)
{
    *to = (pypi_project){.package = piw_msg_textz(msg, project->package), .name = piw_msg_textz(msg, project->name)};
    piw_msg_list(msg, &to->releases, project->count);
    for (uint32_t i = 0; i < project->count; i++) {
        const release *from = &project->releases[i];
        piw_time *first = NULL;
        if (from->files > 0) {
            first = piw_msg_alloc(msg, sizeof(*first));
            *first = from->first;
        }
        to->releases.at[i] = (pypi_release){.version = piw_msg_textz(msg, from->version),
                                            .timestamp = first,
                                            .source = from->source,
                                            .yanked = from->files > 0 && !from->kept};
    }
}
