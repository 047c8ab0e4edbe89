/* build_log.c — a build's log, and which of its lines tells why the build failed. */
#include "common/build_log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 64 << 10 };

/* --- The file ------------------------------------------------------------------------------------------------------- */

static int unpack(int fd, const char *path, size_t most, piw_buffer *to, piw_err *err)
{
    gzFile file = gzdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return piw_err_set(err, PIW_ENOMEM, "no memory to unpack %s", path);
    }
    char *piece = piw_alloc(PIECE);
    int n;
    while ((n = gzread(file, piece, PIECE)) > 0 && to->len < most)
        piw_put_bytes(to, piece, (size_t)n);
    int state = Z_OK;
    const char *why = n < 0 ? gzerror(file, &state) : "";
    int rc = n < 0 ? piw_err_set(err, PIW_ESYS, "%s can't be unpacked: %s", path, why) : 0;
    free(piece);
    gzclose(file);
    return rc;
}

int build_log_read(const char *path, size_t most, piw_buffer *to, piw_err *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return piw_err_set(err, PIW_ENOENT, "there is no log at %s", path);
    if (fd < 0)
        return piw_err_errno(err, "%s", path);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return unpack(fd, path, most, to, err);
    close(fd);
    return piw_err_set(err, PIW_EINVAL, "%s is not a file", path);
}

char **build_log_lines(char *text, size_t *count)
{
    size_t room = 1;
    for (const char *at = text; *at != '\0'; at++)
        room += *at == '\n';
    char **lines = piw_alloc(room * sizeof(*lines)), *rest = text, *line;
    *count = 0;
    while ((line = strsep(&rest, "\n")) != NULL)
        if (rest != NULL || *line != '\0')
            lines[(*count)++] = line;
    return lines;
}

/* --- Which line tells why ------------------------------------------------------------------------------------------- */

static bool has_any(const char *line, const char *const *marks)
{
    for (; *marks != NULL; marks++)
        if (strstr(line, *marks) != NULL)
            return true;
    return false;
}

const char *build_log_unstamped(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd,ddd ";
    size_t i = 0;
    while (form[i] != '\0' && (form[i] == 'd' ? isdigit((unsigned char)line[i]) != 0 : line[i] == form[i]))
        i++;
    return form[i] == '\0' ? line + i : line;
}

/* "pkg.errors.CompileError: …", as the last line of a Python traceback is. */
static bool is_exception(const char *line)
{
    size_t len = 0;
    while (isalnum((unsigned char)line[len]) || line[len] == '_' || line[len] == '.')
        len++;
    return line[len] == ':' && ((len > 5 && strncmp(line + len - 5, "Error", 5) == 0) ||
                                (len > 9 && strncmp(line + len - 9, "Exception", 9) == 0) ||
                                (len > 6 && strncmp(line + len - 6, "Failed", 6) == 0));
}

/* Compilers and linkers say it first; of Python's exceptions the last ended the build; else what calls itself an error. Whatever it
 * was, pip then raises exceptions of its own, which say least. */
ssize_t build_log_error(char *const *lines, size_t count)
{
    static const char *const tools[] = {
        ": fatal error:", ": error:", ": ERROR:", "undefined reference to", "CMake Error", "ld: cannot find",
        "error: linker",  "error[E",  NULL};
    ssize_t exception = -1, error = -1, pips = -1;
    for (size_t i = 0; i < count; i++) {
        if (has_any(lines[i], tools))
            return (ssize_t)i;
        const char *line = build_log_unstamped(lines[i]);
        while (*line == ' ')
            line++;
        if (is_exception(line))
            *(strncmp(line, "pip._internal.", 14) == 0 ? &pips : &exception) = (ssize_t)i;
        if (error < 0 && strncasecmp(line, "error:", 6) == 0)
            error = (ssize_t)i;
    }
    return exception >= 0 ? exception : error >= 0 ? error : pips;
}
