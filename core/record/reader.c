/* reader.c — a recording is read: checked records, one after the other. */
#include "record/recording.h"

#include "record/frame.h"
#include "record/shape.h"
#include "recording.piw.h"
#include "type/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROTOCOLS_MAX = 1000 };

struct piw_recording {
    int fd;
    uint64_t at, size;
    piw_protocol *protocols[PROTOCOLS_MAX];
    bool ended, torn;
};

/* Exactly these bytes: 1; 0 when the file ends before. */
static int read_at(const piw_recording *self, uint64_t at, void *to, size_t len, piw_err *err)
{
    uint8_t *bytes = to;
    while (len > 0) {
        ssize_t n = pread(self->fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return piw_err_errno(err, "the recording can't be read");
        if (n == 0)
            return 0;
        bytes += n, at += (uint64_t)n, len -= (size_t)n;
    }
    return 1;
}

int piw_recording_open(piw_recording **made, const char *path, piw_err *err)
{
    piw_recording *self = piw_zalloc(sizeof(*self));
    uint8_t head[PIW__RECORD_HEAD];
    struct stat info;
    *made = NULL;
    piw_protocol_use(&recording_protocol_def);
    self->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = self->fd < 0 || fstat(self->fd, &info) != 0 ? piw_err_errno(err, "%s can't be opened", path) : 0;
    if (rc == 0 && !S_ISREG(info.st_mode))
        rc = piw_err_set(err, PIW_ESHAPE, "%s is no file", path);
    if (rc == 0) {
        self->size = (uint64_t)info.st_size;
        rc = read_at(self, 0, head, sizeof(head), err);
        if (rc >= 0)
            rc = rc == 1 ? piw__record_head_check(head, path, err)
                         : piw_err_set(err, PIW_ESHAPE, "%s is no recording of a task", path);
    }
    self->at = PIW__RECORD_HEAD;
    if (rc != 0)
        piw_recording_close(&self);
    *made = self;
    return rc;
}

void piw_recording_close(piw_recording **recording)
{
    piw_recording *self = *recording;
    *recording = NULL;
    if (self == NULL)
        return;
    for (size_t i = 0; i < PROTOCOLS_MAX; i++)
        piw__shape_free(&self->protocols[i]);
    if (self->fd >= 0)
        close(self->fd);
    free(self);
}

static int damaged(const piw_recording *self, piw_err *err, const char *what)
{
    return piw_err_set(err, PIW_ESHAPE, "the recording is damaged at byte %llu: %s", (unsigned long long)self->at,
                       what);
}

static int learn(piw_recording *self, const piw_msg *record, piw_err *err)
{
    int64_t number = recording_shape_of(record)->number;
    if (number < 1 || number >= PROTOCOLS_MAX)
        return damaged(self, err, "a protocol has no number");
    /* A second reading, after piw_recording_go. */
    return self->protocols[number] != NULL ? 0 : piw__shape_read(record, &self->protocols[number], err);
}

static int decode(piw_recording *self, const uint8_t *bytes, uint32_t size, uint32_t check, piw_msg **record,
                  piw_err *err)
{
    if (piw__record_check(bytes, size) != check)
        return damaged(self, err, "a checksum is wrong");
    int rc = piw_decode(recording_protocol_def.interned, -1, bytes, size, NULL, record, NULL, err);
    if (rc == 0 && piw_msg_type_of(*record) == recording_shape_type())
        rc = learn(self, *record, err);
    if (rc != 0)
        piw_msg_free(record);
    return rc;
}

int piw_recording_next(piw_recording *self, piw_msg **record, piw_err *err)
{
    uint8_t head[PIW__RECORD_FRAME];
    *record = NULL;
    if (self->at == self->size) {
        self->torn = !self->ended;
        return 0;
    }
    int rc = self->size - self->at < sizeof(head) ? 0 : read_at(self, self->at, head, sizeof(head), err);
    uint32_t size = rc == 1 ? piw__record_u32(head) : 0;
    if (rc == 0 || (rc == 1 && size > self->size - self->at - sizeof(head))) {
        self->torn = true; /* whoever wrote it was cut off */
        return 0;
    }
    uint8_t *bytes = rc == 1 ? malloc((size_t)size + 1) : NULL;
    if (rc == 1 && bytes == NULL)
        rc = piw_err_set(err, PIW_ENOMEM, "there is no memory for a record of %u bytes", size);
    if (rc == 1)
        rc = read_at(self, self->at + sizeof(head), bytes, size, err);
    if (rc == 1) {
        int bad = decode(self, bytes, size, piw__record_u32(head + 4), record, err);
        rc = bad != 0 ? bad : 1;
    }
    free(bytes);
    if (rc == 1) {
        self->at += sizeof(head) + size;
        self->ended = self->ended || piw_msg_type_of(*record) == recording_end_type();
    }
    return rc;
}

uint64_t piw_recording_at(const piw_recording *self)
{
    return self->at;
}

void piw_recording_go(piw_recording *self, uint64_t at)
{
    self->at = at < PIW__RECORD_HEAD ? PIW__RECORD_HEAD : at < self->size ? at : self->size;
}

bool piw_recording_torn(const piw_recording *self)
{
    return self->torn;
}

const piw_msg_type *piw_recording_word(const piw_recording *self, int64_t protocol, int64_t word)
{
    const piw_protocol *own = protocol > 0 && protocol < PROTOCOLS_MAX ? self->protocols[protocol] : NULL;
    return own != NULL && word >= 0 && word < own->messages_count ? &own->messages[word] : NULL;
}

int piw_recording_message(const piw_recording *self, int64_t protocol, int64_t word, const piw_blob *data,
                          piw_msg **msg, piw_err *err)
{
    const piw_msg_type *type = piw_recording_word(self, protocol, word);
    *msg = NULL;
    if (type == NULL)
        return piw_err_set(err, PIW_ESHAPE, "the recording doesn't say what word %lld of protocol %lld is",
                           (long long)word, (long long)protocol);
    size_t len = piw_blob_size(data);
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL)
        return piw_err_set(err, PIW_ENOMEM, "there is no memory for a message of %zu bytes", len);
    piw_blob_read(data, 0, bytes, len);
    *msg = piw_msg_new(type);
    int rc = 0;
    if (data != NULL)
        rc = piw_decode_value(type->body, 0, bytes, len, PIW_MSGPACK, *msg, piw_msg_any_body(*msg), err);
    else if (type->body->fields_count > 0)
        rc = piw_err_set(err, PIW_ESHAPE, "%s has no data", type->name);
    free(bytes);
    if (rc != 0) {
        piw_err_prefix(err, "%s.%s", type->protocol->name, type->name);
        piw_msg_free(msg);
    }
    return rc;
}

int piw_recording_as(const piw_recording *self, int64_t protocol, int64_t word, const piw_blob *data,
                     const piw_msg_type *to, piw_msg **msg, piw_err *err)
{
    piw_msg *own = NULL;
    uint64_t left = 0;
    *msg = NULL;
    int rc = piw_recording_message(self, protocol, word, data, &own, err);
    if (rc == 0)
        rc = piw__carry(own, to, msg, &left, err);
    piw_msg_free(&own);
    return rc;
}
