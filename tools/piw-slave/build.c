/* build.c — one build: pip in a throw-away folder, with limits, and what it came to. */
#include "build.h"

#include "process.h"
#include "sandbox.h"
#include "shared/atomic_file.h"
#include "shared/names.h"
#include "shared/version.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Bytes of a log that are kept from its beginning and its end. Each may triple where bytes that aren't UTF-8 are
     * replaced, and that must stay below the 64 MiB of a message. */
    LOG_HEAD = 8 << 20,
    LOG_TAIL = 8 << 20,
    LOG_LIMIT = 1 << 30,     /* a build that writes more than this has run wild: its disk would fill up */
    LOOK_MS = 1000,          /* how often the log's size and the build's memory are looked at */
    CONSOLE_TAIL = 64 << 10, /* bytes of pip's own output that are kept when it left no log */
    URL_MAX = 2000,
    SIGNAL_CODE = 128, /* and a signal's number: what bubblewrap ends with when its command was killed */
};

struct slave_build {
    char *package, *version;
    char *folder, *wheels, *scratch, *log, *console;
    pid_t pid; /* 0: ended */
    int status;
    int64_t started_ns, ended_ns, deadline_ns, look_ns;
    int64_t memory;   /* bytes that it may use; 0: no limit */
    bool contained;   /* by the sandbox, which says 128 and the number when a signal ended pip */
    bool over_memory; /* that is why we ended it */
    char note[200];   /* why we ended it */
};

static bool chars_of(piw_text text, const char *allowed)
{
    for (uint32_t i = 0; i < text.len; i++)
        if (text.s[i] == '\0' || strchr(allowed, text.s[i]) == NULL)
            return false;
    return text.len > 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* A version is text from anyone who uploads to PyPI: with a space, ';', '@' or ',' it would be another request to pip.
 */
int slave_build_check(piw_text package, piw_text version, const char *index_url, piw_err *err)
{
    piw_text url = piw_text_of(index_url);
    if (!piw_name_is_canonical(package))
        return piw_err_set(err, PIW_EREFUSED, "\"%.*s\" is no canonical package name", (int)package.len, package.s);
    if (!piw_version_acceptable(version) || !chars_of(version, LETTERS DIGITS ".+!_-") || version.s[0] == '-')
        return piw_err_set(err, PIW_EREFUSED, "pip can't be asked for version \"%.*s\"", (int)version.len, version.s);
    if ((strncmp(index_url, "http://", 7) != 0 && strncmp(index_url, "https://", 8) != 0) || url.len > URL_MAX ||
        !chars_of(url, LETTERS DIGITS "-._~:/?#[]@!$&'()*+,;=%"))
        return piw_err_set(err, PIW_EREFUSED, "the master's index \"%.100s\" is no http address", index_url);
    return 0;
}

/* --- Starting -------------------------------------------------------------------------------------------------- */

/* Backends name a wheel after the kernel's processor; this variable tells them the interpreter's. */
static char *host_platform(const slave_settings *settings)
{
    char *text = piw_sprintf("_PYTHON_HOST_PLATFORM=%s", settings->platform);
    char *dash = strchr(text + strlen("_PYTHON_HOST_PLATFORM="), '_');
    if (dash != NULL)
        *dash = '-';
    return text;
}

/* A build's environment: nothing of ours but the way through a proxy and whom to trust there. Texts are freed by
 * free_env. */
static void make_env(const slave_build *build, const slave_settings *settings, char **env, size_t room)
{
    static const char *const kept[] = {"http_proxy", "https_proxy",   "no_proxy",     "HTTP_PROXY", "HTTPS_PROXY",
                                       "NO_PROXY",   "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ"};
    size_t n = 0;
    env[n++] = piw_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    env[n++] = piw_strdup("LANG=C.UTF-8");
    env[n++] = piw_strdup("LC_ALL=C.UTF-8");
    env[n++] = piw_strdup("SHELL=/bin/sh");
    env[n++] = piw_strdup("PIWHEELS_BUILD=1");
    env[n++] = piw_strdup("PIP_CONFIG_FILE=/dev/null");
    env[n++] = piw_strdup("PIP_DISABLE_PIP_VERSION_CHECK=1");
    env[n++] = piw_strdup("PIP_NO_INPUT=1");
    env[n++] = piw_sprintf("HOME=%s/home", build->folder);
    env[n++] = piw_sprintf("TMPDIR=%s/tmp", build->folder);
    if (strcmp(settings->platform, settings->kernel) != 0)
        env[n++] = host_platform(settings);
    /* Python takes SSL_CERT_FILE from its environment, pip doesn't before 24.2. */
    const char *authorities = getenv("SSL_CERT_FILE");
    if (authorities != NULL && authorities[0] != '\0')
        env[n++] = piw_sprintf("PIP_CERT=%s", authorities);
    for (size_t i = 0; i < PIW_COUNT(kept) && n + 1 < room; i++)
        if (getenv(kept[i]) != NULL)
            env[n++] = piw_sprintf("%s=%s", kept[i], getenv(kept[i]));
    env[n] = NULL;
}

static void free_env(char **env)
{
    for (size_t i = 0; env[i] != NULL; i++)
        free(env[i]);
}

static int make_folders(slave_build *build, const char *dir, piw_err *err)
{
    char *folder = piw_sprintf("%s/piw-build-XXXXXX", dir);
    if (mkdtemp(folder) == NULL) {
        int rc = piw_err_errno(err, "can't make a folder for a build in %s", dir);
        free(folder);
        return rc;
    }
    build->folder = folder;
    build->wheels = piw_sprintf("%s/wheels", folder);
    build->scratch = piw_sprintf("%s/scratch", folder);
    build->log = piw_sprintf("%s/log/pip", folder);
    build->console = piw_sprintf("%s/console", folder);
    int rc = mkdir(build->scratch, 0700) != 0 ? piw_err_errno(err, "can't make %s", build->scratch) : 0;
    return rc != 0 ? rc : slave_sandbox_make(folder, err);
}

static int start_pip(slave_build *build, const slave_settings *settings, piw_text package, piw_text version,
                     const char *index_url, piw_err *err)
{
    int console = open(build->console, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (console < 0)
        return piw_err_errno(err, "%s", build->console);
    char *env[24];
    make_env(build, settings, env, PIW_COUNT(env));
    char *what = piw_sprintf("%.*s==%.*s", (int)package.len, package.s, (int)version.len, version.s);
    slave_words words = {0};
    if (settings->sandbox != NULL)
        slave_sandbox_pip(settings->sandbox, build->folder, &words);
    else
        slave_words_add(&words, (const char *const[]){settings->python, "-m", "pip", NULL});
    const char *const request[] = {
        "wheel",          "--no-deps", "--no-binary", package.s, "--no-cache-dir",
        "--progress-bar", "off",       "--index-url", index_url, "--wheel-dir",
        build->wheels,    "--log",     build->log,    what,      NULL,
    };
    slave_words_add(&words, request);
    char *home = piw_sprintf("%s/home", build->folder);
    slave_command command = {.argv = (const char *const *)words.at,
                             .env = (const char *const *)env,
                             .dir = home,
                             .output = console,
                             .memory = settings->memory};
    int rc = slave_process_start(&command, &build->pid, err);
    free(home);
    free(what);
    slave_words_fini(&words);
    free_env(env);
    close(console);
    return rc;
}

int slave_build_start(slave_build **build, const slave_settings *settings, piw_text package, piw_text version,
                      const char *index_url, piw_err *err)
{
    slave_build *made = piw_zalloc(sizeof(*made));
    made->started_ns = made->ended_ns = piw_monotonic_ns();
    made->deadline_ns = made->started_ns + settings->build_timeout_ms * 1000000;
    made->look_ns = made->started_ns;
    made->memory = settings->build_memory;
    made->contained = settings->sandbox != NULL;
    made->package = piw_strndup(package.s, package.len);
    made->version = piw_strndup(version.s, version.len);
    int rc = slave_build_check(package, version, index_url, err);
    rc = rc != 0 ? rc : make_folders(made, settings->dir, err);
    rc = rc != 0 ? rc : start_pip(made, settings, package, version, index_url, err);
    if (rc != 0) {
        slave_build_free(&made);
        return rc;
    }
    *build = made;
    return 0;
}

/* --- Running --------------------------------------------------------------------------------------------------- */

static int64_t size_of(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? status.st_size : 0;
}

void slave_build_kill(slave_build *build)
{
    if (build->pid == 0)
        return;
    slave_process_kill(build->pid, &build->status);
    build->pid = 0;
    build->ended_ns = piw_monotonic_ns();
}

int64_t slave_build_look_ns(const slave_build *build)
{
    return build->look_ns < build->deadline_ns ? build->look_ns : build->deadline_ns;
}

/* What it uses too much of; it is then stopped. */
static void look_at(slave_build *build)
{
    if (size_of(build->log) > LOG_LIMIT || size_of(build->console) > LOG_LIMIT) {
        snprintf(build->note, sizeof(build->note), "the build was stopped: its log grew beyond %d bytes", LOG_LIMIT);
    } else if (build->memory > 0 && slave_process_memory() > build->memory) {
        snprintf(build->note, sizeof(build->note), "the build was stopped: it used more than %lld MB of memory",
                 (long long)(build->memory >> 20));
        build->over_memory = true;
    }
    if (build->note[0] != '\0')
        slave_build_kill(build);
}

bool slave_build_ended(slave_build *build)
{
    if (build->pid == 0)
        return true;
    int64_t now_ns = piw_monotonic_ns();
    if (slave_process_ended(build->pid, &build->status)) {
        slave_process_kill(build->pid, NULL); /* what it left running */
        build->pid = 0;
        build->ended_ns = now_ns;
        return true;
    }
    if (now_ns >= build->deadline_ns) {
        snprintf(build->note, sizeof(build->note),
                 "the build was stopped: it took longer than the %lld seconds allowed",
                 (long long)((build->deadline_ns - build->started_ns) / 1000000000));
        slave_build_kill(build);
        return true;
    }
    if (now_ns >= build->look_ns) {
        build->look_ns = now_ns + LOOK_MS * INT64_C(1000000);
        look_at(build);
    }
    return build->pid == 0;
}

/* --- What it came to ------------------------------------------------------------------------------------------- */

bool slave_build_good(const slave_build *build)
{
    return build->pid == 0 && build->note[0] == '\0' && WIFEXITED(build->status) && WEXITSTATUS(build->status) == 0;
}

/* The signal that ended pip; 0: none did. */
static int signal_of(const slave_build *build)
{
    if (WIFSIGNALED(build->status))
        return WTERMSIG(build->status);
    int code = WEXITSTATUS(build->status);
    return build->contained && code > SIGNAL_CODE && code <= SIGNAL_CODE + SIGRTMAX ? code - SIGNAL_CODE : 0;
}

int slave_build_signal(const slave_build *build)
{
    if (build->over_memory)
        return SIGKILL; /* as by the kernel, had we not been there first: another machine may have more */
    return build->pid == 0 && build->note[0] == '\0' ? signal_of(build) : 0;
}

bool slave_build_begun(const slave_build *build)
{
    return !build->contained || access(build->log, F_OK) == 0;
}

piw_duration slave_build_duration(const slave_build *build)
{
    return piw_duration_from_us((build->ended_ns - build->started_ns) / 1000);
}

const char *slave_build_package(const slave_build *build)
{
    return build->package;
}

const char *slave_build_version(const slave_build *build)
{
    return build->version;
}

piw_duration slave_build_elapsed(const slave_build *build)
{
    return piw_duration_from_us((piw_monotonic_ns() - build->started_ns) / 1000);
}

const char *slave_build_wheels(const slave_build *build)
{
    return build->wheels;
}

const char *slave_build_scratch(const slave_build *build)
{
    return build->scratch;
}

/* Appends at most `len` bytes of the file from an offset. */
static void add_part(piw_buffer *to, int fd, int64_t offset, int64_t len)
{
    char piece[65536];
    while (len > 0) {
        ssize_t n = pread(fd, piece, len < (int64_t)sizeof(piece) ? (size_t)len : sizeof(piece), offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || piw_buffer_add(to, piece, (size_t)n) != 0)
            return;
        offset += n;
        len -= n;
    }
}

/* The beginning and the end of a file, with a line between that says what was left out. The build could have put
 * anything at that path: only a plain file is read. */
static void add_file(piw_buffer *to, const char *path, int64_t head, int64_t tail)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        if (status.st_size <= head + tail) {
            add_part(to, fd, 0, status.st_size);
        } else {
            char line[100];
            add_part(to, fd, 0, head);
            int n =
                snprintf(line, sizeof(line), "\n[%lld bytes left out]\n", (long long)(status.st_size - head - tail));
            if (piw_buffer_add(to, line, (size_t)n) == 0)
                add_part(to, fd, status.st_size - tail, tail);
        }
    }
    close(fd);
}

/* Whole lines, whatever is there before; the last one may lack its end. */
static void add_lines(piw_buffer *to, const char *lines)
{
    size_t len = strlen(lines);
    bool fresh = to->len == 0 || to->data[to->len - 1] == '\n';
    if ((fresh || piw_buffer_add(to, "\n", 1) == 0) && piw_buffer_add(to, lines, len) == 0 && len > 0 &&
        lines[len - 1] != '\n')
        (void)!piw_buffer_add(to, "\n", 1);
}

piw_blob *slave_build_log(const slave_build *build, const char *note)
{
    piw_buffer text = {0};
    add_file(&text, build->log, LOG_HEAD, LOG_TAIL);
    bool own_end = signal_of(build) == 0;
    if (text.len == 0 || !own_end)
        add_file(&text, build->console, CONSOLE_TAIL, CONSOLE_TAIL);
    if (build->note[0] != '\0') {
        add_lines(&text, build->note);
    } else if (!own_end) {
        char line[64];
        snprintf(line, sizeof(line), "the build was killed by signal %d", signal_of(build));
        add_lines(&text, line);
    }
    if (note != NULL)
        add_lines(&text, note);
    piw_blob *blob = piw_blob_new(text.data, text.len);
    piw_buffer_fini(&text);
    return blob;
}

void slave_build_free(slave_build **build)
{
    slave_build *old = *build;
    if (old == NULL)
        return;
    *build = NULL;
    slave_build_kill(old);
    piw_err err = {0};
    if (old->folder != NULL && piw_folder_remove(old->folder, &err) != 0)
        piw_warning("a build's folder stays: %s", err.text);
    free(old->package);
    free(old->version);
    free(old->folder);
    free(old->wheels);
    free(old->scratch);
    free(old->log);
    free(old->console);
    free(old);
}
