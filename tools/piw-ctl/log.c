/* log.c — a build's log, which the master keeps below its output path: first what looks like its error, then all of it. */
#include "ctl.h"
#include "shared/site_path.h"
#include "shared/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { LOG_MAX = 128 << 20, PIECE = 64 << 10, LINES_BEFORE = 3, LINES_AFTER = 12 };

/* --- Which lines tell why ------------------------------------------------------------------------------------------- */

static bool has_any(const char *line, const char *const *marks)
{
    for (; *marks != NULL; marks++)
        if (strstr(line, *marks) != NULL)
            return true;
    return false;
}

/* "  pkg.errors.CompileError: …", as the last line of a Python traceback is. */
static bool is_exception(const char *line)
{
    while (*line == ' ')
        line++;
    size_t len = 0;
    while (isalnum((unsigned char)line[len]) || line[len] == '_' || line[len] == '.')
        len++;
    return line[len] == ':' && ((len > 5 && strncmp(line + len - 5, "Error", 5) == 0) ||
                                (len > 9 && strncmp(line + len - 9, "Exception", 9) == 0));
}

static bool is_error(const char *line)
{
    while (*line == ' ')
        line++;
    return strncasecmp(line, "error:", 6) == 0;
}

/* Compilers and linkers say it first; of Python's exceptions the last ended the build; else what calls itself an error. */
ssize_t log_error_line(char *const *lines, size_t count)
{
    static const char *const tools[] = {
        ": fatal error:", ": error:", "undefined reference to", "CMake Error", "ld: cannot find",
        "error: linker",  NULL};
    ssize_t exception = -1, error = -1;
    for (size_t i = 0; i < count; i++) {
        if (has_any(lines[i], tools))
            return (ssize_t)i;
        if (is_exception(lines[i]))
            exception = (ssize_t)i;
        if (error < 0 && is_error(lines[i]))
            error = (ssize_t)i;
    }
    return exception >= 0 ? exception : error;
}

/* --- The file ------------------------------------------------------------------------------------------------------- */

/* The output path of the running master, whatever the configuration says here. */
static int find_site(ctl *self, char **site, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, admin_CONFIG_new(), admin_SETTINGS_type(), &answer, err);
    if (rc != 0)
        return rc;
    const admin_SETTINGS *settings = admin_SETTINGS_of(answer);
    for (uint32_t i = 0; i < settings->settings.count; i++)
        if (piw_text_is(settings->settings.at[i].name, "output-path"))
            *site = piw_strndup(settings->settings.at[i].value.s, settings->settings.at[i].value.len);
    piw_msg_free(&answer);
    return *site != NULL ? 0 : piw_err_set(err, PIW_ENOENT, "the master doesn't say where its site is");
}

static int unpack(int fd, const char *path, piw_buffer *to, piw_err *err)
{
    gzFile file = gzdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return piw_err_set(err, PIW_ENOMEM, "no memory to unpack %s", path);
    }
    char *piece = piw_alloc(PIECE);
    int n;
    while ((n = gzread(file, piece, PIECE)) > 0 && to->len < LOG_MAX)
        piw_put_bytes(to, piece, (size_t)n);
    int state = Z_OK;
    const char *why = n < 0 ? gzerror(file, &state) : "";
    int rc = n < 0 ? piw_err_set(err, PIW_ESYS, "%s can't be unpacked: %s", path, why) : 0;
    free(piece);
    gzclose(file);
    return rc;
}

static int read_log(const char *path, int64_t build, piw_buffer *to, piw_err *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return piw_err_set(
            err, PIW_ENOENT,
            "build %lld has no log at %s: there is no such build (piw-ctl builds shows the newest), or it "
            "was removed",
            (long long)build, path);
    if (fd < 0)
        return piw_err_errno(err, "%s", path);
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return unpack(fd, path, to, err);
    close(fd);
    return piw_err_set(err, PIW_EINVAL, "%s is not a file", path);
}

/* The text's lines, ended in place. */
static char **split(char *text, size_t *count)
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

static void show_log(const char *path, char *const *lines, size_t count, size_t first, size_t after)
{
    if (after > first) {
        printf("--- what looks like the error: lines %zu to %zu of %zu\n", first + 1, after, count);
        for (size_t i = first; i < after; i++)
            show_line(lines[i]);
        printf("--- the whole log: %s\n", path);
    }
    for (size_t i = 0; i < count; i++)
        show_line(lines[i]);
}

int log_print(ctl *self, piw_err *err)
{
    char *end = NULL, *site = NULL, path[PIW_PATH_MAX];
    errno = 0;
    int64_t build = strtoll(self->operands[1], &end, 10);
    if (errno != 0 || *end != '\0' || build < 1)
        return piw_err_set(err, PIW_EUSAGE, "'%.50s' is no build's number", self->operands[1]);
    piw_buffer text = {0};
    int rc = find_site(self, &site, err);
    if (rc == 0 && !piw_path_log(path, site, build))
        rc = piw_err_set(err, PIW_EUSAGE, "'%.50s' is no build's number", self->operands[1]);
    free(site);
    rc = rc != 0 ? rc : read_log(path, build, &text, err);
    if (rc == 0) {
        size_t count = 0;
        piw_put_bytes(&text, "", 1);
        char **lines = split((char *)text.data, &count);
        ssize_t error = log_error_line(lines, count);
        size_t at = error > 0 ? (size_t)error : 0;
        size_t first = at > LINES_BEFORE ? at - LINES_BEFORE : 0;
        size_t after = error < 0 ? first : at + LINES_AFTER < count ? at + LINES_AFTER : count;
        if (self->json)
            json_log(build, path, lines, count, first, after);
        else
            show_log(path, lines, count, first, after);
        free(lines);
    }
    piw_buffer_fini(&text);
    return rc;
}
