/* playback.c — a recording is looked through before it is played. */
#include "runtime/playback.h"

#include "base/fd.h"
#include "recording.piw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was sent by the function that is read: it counts when that ends well. */
typedef struct reader {
    piw__playback *self;
    piw_recording *file;
    const char *root;
    piw__wanted **open;
    size_t open_count, open_room;
} reader;

char *piw__playback_place(const char *root, const char *text)
{
    return text[0] == '/' ? piw_sprintf("%s%s", root, text) : piw_strdup(text);
}

/* --- Types ------------------------------------------------------------------------------------------------------------ */

static const piw_msg_type *find_in(const piw_protocol *protocol, const piw_msg_type *type)
{
    if (protocol == NULL || strcmp(protocol->name, type->protocol->name) != 0)
        return NULL;
    for (uint16_t i = 0; i < protocol->messages_count; i++)
        if (protocol->messages[i].kind == type->kind && strcmp(protocol->messages[i].name, type->name) == 0)
            return &protocol->messages[i];
    return NULL;
}

static const piw_msg_type *in_services(const piw_service *list, const piw_msg_type *type)
{
    const piw_msg_type *found = NULL;
    for (unsigned i = 0; found == NULL && list != NULL && list[i].name != NULL; i++)
        found = find_in(list[i].protocol->interned, type);
    return found;
}

static const piw_msg_type *in_events(const piw_event *list, const piw_msg_type *type)
{
    const piw_msg_type *found = NULL;
    for (unsigned i = 0; found == NULL && list != NULL && list[i].protocol != NULL; i++)
        found = find_in(list[i].protocol->interned, type);
    return found;
}

static const piw_msg_type *own_type(const piw__image *image, const piw_msg_type *type)
{
    const piw_plugin *plugin = image->plugin;
    const piw_msg_type *found = in_services(plugin->uses, type);
    if (found == NULL)
        found = in_services(plugin->serves, type);
    if (found == NULL)
        found = in_events(plugin->subscribes, type);
    if (found == NULL)
        found = in_events(plugin->emits, type);
    for (unsigned i = 0; found == NULL && i < image->own_count; i++)
        found = find_in(image->own[i], type);
    return found;
}

const piw_msg_type *piw__playback_type(const piw__playback *self, const piw_recording *file, int64_t protocol,
                                       int64_t word)
{
    const piw_msg_type *type = piw_recording_word(file, protocol, word);
    return type != NULL ? own_type(self->image, type) : NULL;
}

/* --- Calls and what they asked ---------------------------------------------------------------------------------------- */

static uint64_t hash(uint64_t so_far, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        so_far = (so_far ^ bytes[i]) * 0x100000001b3u;
    return so_far;
}

static uint64_t key_of_type(const piw_msg_type *type)
{
    uint64_t key = hash(0xcbf29ce484222325u, type->protocol->name, strlen(type->protocol->name) + 1);
    return hash(key, type->name, strlen(type->name) + 1);
}

/* 0: it can't be encoded. */
static uint64_t key_of_message(const piw_msg *msg)
{
    const piw_msg_type *type = piw_msg_type_of(msg);
    uint64_t key = key_of_type(type);
    piw_buffer bytes = {0};
    piw_err err = {0};
    if (type->body->fields_count > 0 &&
        piw_encode_value(type->body, 0, piw_msg_any_body(msg), PIW_MSGPACK, &bytes, &err) != 0)
        return 0;
    key = hash(key, bytes.data, bytes.len);
    piw_buffer_fini(&bytes);
    return key != 0 ? key : 1;
}

static piw__same *same_of(const piw__playback *self, uint64_t key)
{
    return (piw__same *)piw__table_find(&self->same, key);
}

static void put_same(piw__playback *self, piw__wanted *wanted)
{
    piw__same *same = same_of(self, wanted->key);
    if (wanted->key == 0 || wanted->listed)
        return;
    wanted->listed = true;
    if (same == NULL) {
        same = piw_zalloc(sizeof(*same));
        piw__table_put(&self->same, &same->node, wanted->key);
    }
    if (same->last != NULL)
        same->last->next = wanted;
    else
        same->first = wanted;
    same->last = wanted;
}

static piw__wanted *take(piw__playback *self, uint64_t key)
{
    piw__same *same = key != 0 ? same_of(self, key) : NULL;
    if (same == NULL || same->first == NULL)
        return NULL;
    piw__wanted *wanted = same->first;
    same->first = wanted->next;
    if (same->first == NULL)
        same->last = NULL;
    return wanted;
}

piw__wanted *piw__playback_match(piw__playback *self, const piw_msg *call)
{
    return take(self, key_of_message(call));
}

piw__wanted *piw__playback_match_job(piw__playback *self, const piw_msg_type *job)
{
    return take(self, key_of_type(job));
}

piw__wanted *piw__playback_of_id(piw__playback *self, int64_t id)
{
    return (piw__wanted *)piw__table_find(&self->by_id, (uint64_t)id);
}

static piw__wanted *wanted_new(piw__playback *self, int64_t id)
{
    piw__wanted *wanted = piw_zalloc(sizeof(*wanted));
    wanted->id = id;
    piw__table_put(&self->by_id, &wanted->by_id, (uint64_t)id);
    return wanted;
}

/* --- Records ---------------------------------------------------------------------------------------------------------- */

static void read_sent(reader *in, const recording_sent *sent)
{
    bool job = sent->kind == PIW_SENT_JOB;
    if (!job && sent->kind != PIW_SENT_CALL)
        return;
    const piw_msg_type *type = piw__playback_type(in->self, in->file, sent->protocol, sent->word);
    piw_msg *msg = NULL;
    piw_err ignored_err = {0};
    piw__wanted *wanted = piw__playback_of_id(in->self, sent->id);
    if (wanted == NULL)
        wanted = wanted_new(in->self, sent->id);
    if (type != NULL && job)
        wanted->key = key_of_type(type);
    else if (type != NULL &&
             piw_recording_as(in->file, sent->protocol, sent->word, sent->data, type, &msg, &ignored_err) == 0)
        wanted->key = key_of_message(msg);
    piw_msg_free(&msg);
    if (in->open_count == in->open_room) {
        in->open_room = in->open_room > 0 ? in->open_room * 2 : 16;
        in->open = piw_realloc(in->open, in->open_room * sizeof(*in->open));
    }
    in->open[in->open_count++] = wanted;
}

static void read_done(reader *in, const recording_done *done)
{
    for (size_t i = 0; i < in->open_count && done->result == 0; i++)
        put_same(in->self, in->open[i]);
    in->open_count = 0;
}

static void add_name(piw__playback *self, const char *name)
{
    const char *interned = piw__image_continuation(self->image, name);
    if (interned == NULL || piw__playback_names(self, interned))
        return;
    self->names = piw_realloc(self->names, (self->names_count + 1) * sizeof(*self->names));
    self->names[self->names_count++] = interned;
}

static void read_came(reader *in, const recording_came *came, uint64_t at)
{
    if (came->kind == PIW_CAME_CONTINUATION)
        add_name(in->self, came->name.s);
    if (came->kind != PIW_CAME_ANSWER && came->kind != PIW_CAME_RESULT)
        return;
    piw__wanted *wanted = piw__playback_of_id(in->self, came->id);
    if (wanted == NULL)
        wanted = wanted_new(in->self, came->id); /* it was asked before the recording began */
    wanted->answer_at = at;
}

static void read_setting(reader *in, const recording_setting *from)
{
    piw__playback *self = in->self;
    self->settings = piw_realloc(self->settings, (self->settings_count + 2) * sizeof(*self->settings));
    self->settings[self->settings_count++] = piw_strdup(from->name.s);
    self->settings[self->settings_count++] =
        from->value.s != NULL ? piw__playback_place(in->root, from->value.s) : NULL;
}

/* A path that leads nowhere but down. */
static bool is_plain(const char *path)
{
    size_t len = strlen(path);
    return path[0] == '/' && strstr(path, "/../") == NULL && strstr(path, "/./") == NULL &&
           strstr(path, "//") == NULL && path[len - 1] != '/' && (len < 3 || strcmp(path + len - 3, "/..") != 0);
}

static int make_folders(char *path, size_t from, piw_err *err)
{
    for (size_t i = from + 1; path[i] != 0; i++) {
        if (path[i] != '/')
            continue;
        path[i] = 0;
        int failed = mkdir(path, 0755) != 0 && errno != EEXIST;
        if (failed)
            return piw_err_errno(err, "the folder %s can't be made", path);
        path[i] = '/';
    }
    return 0;
}

static int write_file(const char *path, const piw_blob *content, piw_err *err)
{
    char piece[64 << 10];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno == EEXIST ? 0 : piw_err_errno(err, "the file %s can't be made", path);
    int rc = fchmod(fd, 0644) == 0 ? 0 : piw_err_errno(err, "the mode of %s can't be set", path);
    for (size_t at = 0, n; rc == 0 && (n = piw_blob_read(content, at, piece, sizeof(piece))) > 0; at += n)
        if (piw__fd_write(fd, piece, n) != 0)
            rc = piw_err_errno(err, "the file %s can't be written", path);
    close(fd);
    return rc;
}

/* What the task read, or had a folder for, lies where it will look for it. */
static int read_file(const reader *in, const recording_file *from, piw_err *err)
{
    if (!is_plain(from->path.s))
        return piw_err_set(err, PIW_ESHAPE, "the recording names a file that is none: %.200s", from->path.s);
    if (from->how != PIW_FILE_READ || from->content == NULL)
        return 0;
    char *path = piw__playback_place(in->root, from->path.s);
    int rc = make_folders(path, strlen(in->root), err);
    if (rc == 0)
        rc = write_file(path, from->content, err);
    free(path);
    return rc;
}

static int read_record(reader *in, piw_msg **record, uint64_t at, piw_err *err)
{
    const piw_msg_type *type = piw_msg_type_of(*record);
    if (type == recording_begin_type()) {
        if (in->self->begin != NULL)
            return piw_err_set(err, PIW_ESHAPE, "the recording begins twice");
        in->self->begin = *record;
        *record = NULL;
        return 0;
    }
    if (type == recording_sent_type())
        read_sent(in, recording_sent_of(*record));
    else if (type == recording_done_type())
        read_done(in, recording_done_of(*record));
    else if (type == recording_came_type())
        read_came(in, recording_came_of(*record), at);
    else if (type == recording_setting_type())
        read_setting(in, recording_setting_of(*record));
    else if (type == recording_file_type())
        return read_file(in, recording_file_of(*record), err);
    return 0;
}

int piw__playback_read(piw__playback *self, piw_recording *file, const piw__image *image, const char *root,
                       piw_err *err)
{
    reader in = {.self = self, .file = file, .root = root};
    int rc;
    self->image = image;
    do {
        piw_msg *record = NULL;
        uint64_t at = piw_recording_at(file);
        rc = piw_recording_next(file, &record, err);
        if (rc == 1) {
            int bad = read_record(&in, &record, at, err);
            rc = bad != 0 ? bad : 1;
        }
        piw_msg_free(&record);
    } while (rc == 1);
    free(in.open);
    if (rc == 0 && self->begin == NULL)
        rc = piw_err_set(err, PIW_ESHAPE, "the recording has no beginning");
    return rc;
}

const char *piw__playback_setting(const piw__playback *self, const char *name)
{
    for (size_t i = 0; i < self->settings_count; i += 2)
        if (strcmp(self->settings[i], name) == 0)
            return self->settings[i + 1];
    return NULL;
}

bool piw__playback_names(const piw__playback *self, const char *continuation)
{
    for (size_t i = 0; i < self->names_count; i++)
        if (self->names[i] == continuation)
            return true;
    return false;
}
