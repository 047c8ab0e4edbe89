/* log_pages.c — the pages of builds' logs, packed as the logs are: the web server unpacks both alike. A log never changes, so its
 * page is written once, with a page of its project, which leads to the log as it was printed until then. */
#include "log_pages.h"

#include "log_line.h"
#include "pages.h"
#include "piw/task.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum {
    NEW_S = 24 * 3600, /* builds of this age or less have their logs' pages written whatever their number */
    OLDER_AT_ONCE =
        20, /* of older ones, as an adopted site has; the next are written when the project's page is again */
    /* Bytes of a large log that are looked at: many times what its page shows. A slave can send 64 MiB, again and again. */
    FIRST_BYTES = 2 << 20,
    LAST_BYTES = 6 << 20,
    ROOM = FIRST_BYTES + 2 * LAST_BYTES,
};

/* A log as it is unpacked: its beginning, then as much as there is room for, and at least LAST_BYTES of its end. */
typedef struct unpacked {
    char *text; /* the system's: the allocator would keep as much for each worker */
    size_t len;
    bool cut;
    uint32_t lines_cut; /* line ends in what stood after the beginning */
    uint32_t lines;     /* line ends in all */
} unpacked;

static uint32_t count_lines(const void *data, size_t len)
{
    const unsigned char *at = data;
    uint32_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += at[i] == '\n';
    return count;
}

static void put(unpacked *log, const char *piece, size_t len)
{
    if (log->len + len > ROOM) {
        char *last = log->text + log->len - LAST_BYTES, *to = log->text + FIRST_BYTES;
        log->lines_cut += count_lines(to, (size_t)(last - to));
        memmove(to, last, LAST_BYTES);
        log->len = FIRST_BYTES + LAST_BYTES;
        log->cut = true;
    }
    log->lines += count_lines(piece, len);
    memcpy(log->text + log->len, piece, len);
    log->len += len;
}

/* Whole lines of both; a line that is longer than such a part isn't looked at. */
static page_log_lines split(const unpacked *log)
{
    const char *text = log->text, *end = text + log->len;
    page_log_lines lines = {.first = {text, (uint32_t)log->len}, .last = {end, 0}};
    lines.count = log->lines + (log->len > 0 && end[-1] != '\n');
    lines.last_number = lines.count + 1;
    if (!log->cut)
        return lines;
    const char *first_end = memrchr(text, '\n', FIRST_BYTES);
    const char *last = memchr(text + FIRST_BYTES, '\n', log->len - FIRST_BYTES);
    lines.first.len = first_end != NULL ? (uint32_t)(first_end + 1 - text) : 0;
    if (last != NULL) {
        lines.last = (piw_text){last + 1, (uint32_t)(end - last - 1)};
        lines.last_number = count_lines(text, FIRST_BYTES) + log->lines_cut + 2;
    }
    return lines;
}

/* They have their numbers by then, and no colours any more. */
static page_log_lines lines_of(const unpacked *log)
{
    page_log_lines lines = split(log);
    char *last = log->text + (lines.last.s - log->text);
    lines.first.len = log_line_plain(log->text, lines.first.len);
    lines.last.len = log_line_plain(last, lines.last.len);
    return lines;
}

/* False: it can't be read. */
static bool read_all(const char *path, unpacked *to)
{
    char piece[64 << 10];
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    /* gzopen's name has another width of files in it on some machines. */
    gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    int n;
    while ((n = gzread(file, piece, sizeof(piece))) > 0)
        put(to, piece, (size_t)n);
    gzclose(file);
    piw_file_was_read(path);
    return n >= 0;
}

static int unpack(const char *path, unpacked *log, bool *is_there, piw_err *err)
{
    void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *log = (unpacked){.text = room};
    *is_there = false;
    if (room == MAP_FAILED)
        return piw_err_errno(err, "no memory to unpack the log %s", path);
    *is_there = read_all(path, log);
    return 0;
}

static void forget(const unpacked *log)
{
    if (log->text != MAP_FAILED)
        munmap(log->text, ROOM);
}

int page_pack(const piw_buffer *page, piw_buffer *to, piw_err *err)
{
    enum { GZIP_WINDOW = 15 + 16 };
    z_stream stream = {.next_in = page->data, .avail_in = (uInt)page->len};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return piw_err_set(err, PIW_ENOMEM, "no memory to compress a page");
    unsigned char piece[64 << 10];
    int state;
    do {
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        state = deflate(&stream, Z_FINISH);
        piw_put_bytes(to, piece, sizeof(piece) - stream.avail_out);
    } while (state == Z_OK);
    deflateEnd(&stream);
    return 0;
}

static int write_one(const site_facts *site, piw_text package, const project_build *build, const char *log_path,
                     const char *path, piw_err *err)
{
    unpacked log;
    bool is_there;
    piw_buffer page = {0}, packed = {0};
    int rc = unpack(log_path, &log, &is_there, err);
    if (is_there) {
        const page_log_lines lines = lines_of(&log);
        rc = page_log(site, package, build, &lines, &page, err);
        if (rc == 0)
            rc = page_pack(&page, &packed, err);
    }
    if (rc == 0 && packed.len > 0)
        /* Synced: it is never written again, so what a machine that went down had half of would stay so. */
        rc = piw_file_write(site->root.s, path, packed.data, packed.len, PIW_FILE_SYNC, err);
    forget(&log);
    piw_buffer_fini(&page);
    piw_buffer_fini(&packed);
    return rc;
}

/* Has this build a log that has no page yet? */
static bool waits(const site_facts *site, const project_build *build, char *path, char *log)
{
    return piw_path_log_page(path, site->root.s, build->build_id) && piw_path_log(log, site->root.s, build->build_id) &&
           !piw_file_there(path) && access(log, R_OK) == 0;
}

int log_pages_write(const site_facts *site, const project_data *data, piw_err *err)
{
    const int64_t new_from_us = piw_time_now().us - INT64_C(1000000) * NEW_S;
    int rc = 0, older = 0;
    uint32_t count = data->history == NULL || pages_quarantined(data) ? 0 : data->history->builds.count;
    for (uint32_t i = count; i > 0 && rc == 0 && older < OLDER_AT_ONCE; i--) {
        const project_build *build = &data->history->builds.at[i - 1];
        char path[PIW_PATH_MAX], log[PIW_PATH_MAX];
        if (!waits(site, build, path, log))
            continue;
        rc = write_one(site, data->package, build, log, path, err);
        older += build->built_at.us < new_from_us;
    }
    return rc;
}
