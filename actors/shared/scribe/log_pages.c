/* log_pages.c — the pages of builds' logs, packed as the logs are: the web server unpacks both alike. A log never changes, so its
 * page is written once, with a page of its project, which leads to the log as it was printed until then. */
#include "log_pages.h"

#include "pages.h"
#include "piw/task.h"
#include "shared/atomic_file.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum {
    NEW_S = 24 * 3600, /* builds of this age or less have their logs' pages written whatever their number */
    OLDER_AT_ONCE =
        20, /* of older ones, as an adopted site has; the next are written when the project's page is again */
    LOG_PAGE_MAX = 64 << 20, /* bytes of a log that are looked at: as much as a slave can send */
};

/* All of a packed file, or its first LOG_PAGE_MAX bytes. False: it can't be read. */
static bool unpack(const char *path, piw_buffer *to)
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
    while ((n = gzread(file, piece, sizeof(piece))) > 0 && to->len < LOG_PAGE_MAX)
        piw_put_bytes(to, piece, (size_t)n);
    gzclose(file);
    piw_file_was_read(path);
    return n >= 0;
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
    piw_buffer log = {0}, page = {0}, packed = {0};
    int rc = 0;
    if (unpack(log_path, &log)) {
        rc = page_log(site, package, build, (piw_text){(const char *)log.data, (uint32_t)log.len}, &page, err);
        if (rc == 0)
            rc = page_pack(&page, &packed, err);
    }
    if (rc == 0 && packed.len > 0)
        /* Synced: it is never written again, so what a machine that went down had half of would stay so. */
        rc = piw_file_write(site->root.s, path, packed.data, packed.len, PIW_FILE_SYNC, err);
    piw_buffer_fini(&log);
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
