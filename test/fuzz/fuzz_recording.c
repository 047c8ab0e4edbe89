/* A recording of a task, and every message that its records name. */
#include "fuzz.h"

#include "record/frame.h"
#include "record/recording.h"
#include "recording.piw.h"

#include <sys/mman.h>
#include <unistd.h>

static void read_message(piw_recording *file, int64_t protocol, int64_t word, const piw_blob *data)
{
    piw_msg *msg = NULL;
    piw_err err = {0};
    char line[500];
    int rc = piw_recording_message(file, protocol, word, data, &msg, &err);
    fuzz_said(rc, &err);
    FUZZ_HOLDS((rc == 0) == (msg != NULL));
    if (rc == 0) {
        piw_msg *same = NULL;
        FUZZ_HOLDS(piw_recording_as(file, protocol, word, data, piw_msg_type_of(msg), &same, &err) == 0);
        piw_msg_print(msg, line, sizeof(line));
        piw_msg_free(&same);
    }
    piw_msg_free(&msg);
}

/* The input is records without their heads and checksums: a length of two bytes, then so many. */
static void lay_out(int fd, const uint8_t *data, size_t len)
{
    uint8_t head[PIW__RECORD_HEAD], frame[PIW__RECORD_FRAME];
    piw__record_head_put(head);
    FUZZ_HOLDS(write(fd, head, sizeof(head)) == (ssize_t)sizeof(head));
    while (len > 2) {
        uint32_t size = (uint32_t)data[0] | (uint32_t)data[1] << 8;
        data += 2, len -= 2;
        size = size < len ? size : (uint32_t)len;
        piw__record_u32_put(frame, size);
        piw__record_u32_put(frame + 4, piw__record_check(data, size));
        FUZZ_HOLDS(write(fd, frame, sizeof(frame)) == (ssize_t)sizeof(frame) && write(fd, data, size) == (ssize_t)size);
        data += size, len -= size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char path[40];
    int fd = memfd_create("recording", MFD_CLOEXEC);
    FUZZ_HOLDS(fd >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    lay_out(fd, data, len);
    piw_recording *file = NULL;
    piw_msg *record = NULL;
    piw_err err = {0};
    FUZZ_HOLDS(piw_recording_open(&file, path, &err) == 0);
    piw_protocol_use(&recording_protocol_def);
    int rc;
    while ((rc = piw_recording_next(file, &record, &err)) == 1) {
        const piw_msg_type *type = piw_msg_type_of(record);
        if (type == recording_came_type())
            read_message(file, recording_came_of(record)->protocol, recording_came_of(record)->word,
                         recording_came_of(record)->data);
        else if (type == recording_sent_type())
            read_message(file, recording_sent_of(record)->protocol, recording_sent_of(record)->word,
                         recording_sent_of(record)->data);
        piw_msg_free(&record);
    }
    fuzz_said(rc, &err);
    piw_recording_close(&file);
    close(fd);
    return 0;
}
