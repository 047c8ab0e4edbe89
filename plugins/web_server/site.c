/* site.c — the files of the site. */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_below(int folder, const char *path)
{
    struct open_how how = {
        /* What is no file mustn't be waited for. */
        .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    /* A rename elsewhere on the path makes the kernel unsure whether it stayed below: asked again. */
    for (int tries = 0; tries < 8; tries++) {
        int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN)
            return fd;
    }
    return -1;
}

int web_site_open(web_site *site, const char *path, piw_err *err)
{
    site->path = piw_strdup(path);
    site->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (site->fd < 0) {
        piw_err_errno(err, "the site %s can't be opened", path);
        web_site_close(site);
        return PIW_ESYS;
    }
    int fd = open_below(site->fd, ".");
    if (fd < 0) {
        piw_err_errno(err, "the site %s can't be read (it takes openat2, which Linux has since 5.6)", path);
        web_site_close(site);
        return PIW_ESYS;
    }
    close(fd);
    return 0;
}

void web_site_close(web_site *site)
{
    if (site->fd >= 0)
        close(site->fd);
    site->fd = -1;
    free(site->path);
    site->path = NULL;
}

void web_site_look(web_site *site)
{
    int fd = open(site->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (site->fd >= 0)
        close(site->fd);
    site->fd = fd;
}

bool web_file_open(const web_site *site, const char *path, web_file *file)
{
    file->fd = site->fd < 0 ? -1 : open_below(site->fd, *path != '\0' ? path : ".");
    if (file->fd < 0)
        return false;
    if (fstat(file->fd, &file->status) != 0 || (!S_ISREG(file->status.st_mode) && !S_ISDIR(file->status.st_mode))) {
        close(file->fd);
        file->fd = -1;
        return false;
    }
    /* Files are never changed, only replaced: the number tells two apart that have size and time in common. */
    snprintf(file->etag, sizeof(file->etag), "\"%llx-%llx%08lx-%llx\"", (unsigned long long)file->status.st_ino,
             (unsigned long long)file->status.st_mtim.tv_sec, (unsigned long)file->status.st_mtim.tv_nsec,
             (unsigned long long)file->status.st_size);
    return true;
}

const char *web_type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {"index.v1.json", "application/vnd.pypi.simple.v1+json"},
        {".json", "application/json"},
        {".whl", "application/zip"},
        {".metadata", "text/plain; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".xml", "application/xml"},
        {".atom", "application/atom+xml"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".gz", "application/gzip"},
    };
    size_t len = strlen(path);
    for (size_t i = 0; i < PIW_COUNT(types); i++) {
        size_t tail = strlen(types[i].end);
        if (len >= tail && strcmp(path + len - tail, types[i].end) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}
