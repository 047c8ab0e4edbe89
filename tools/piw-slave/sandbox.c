/* sandbox.c — what contains a build: bubblewrap, where it can be had. */
#include "sandbox.h"

#include "process.h"
#include "shared/atomic_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BWRAP "/usr/bin/bwrap"

enum {
    TRIAL_MS = 60000, /* two starts of an interpreter on a small board */
    TRIAL_BYTES = 65536,
};

#define SHARED_MEMORY "268435456" /* bytes of /dev/shm: semaphores of tests, not more */

struct slave_sandbox {
    char *python, *processes, *key_file;
    slave_words places; /* where the interpreter lives */
};

/* Begins pip so that its own work can be told from that of packages: pip fetches, and runs what packages bring always as
 * another process, by subprocess.Popen. That is put into the inner sandbox, unless it is pip again, by the path of pip's
 * own file (so it installs what a build needs, and is begun in the same way), or a program that fetches from a repository.
 * These have the PATH of the beginning, without programs that a build needs and pip puts before.
 * bwrap says 128 and the number for a signal; pip is told the signal. Words: this text, the bound of processes, how many
 * words the inner sandbox's command has, these, pip's. */
static const char launcher[] =
    "import importlib.util, os, resource, runpy, subprocess, sys\n"
    "text, processes, count = sys.argv[1:4]\n"
    "inner, words = sys.argv[4:4 + int(count)], sys.argv[4 + int(count):]\n"
    "own = [sys.executable, '-I', '-c', 'import sys; exec(sys.argv[1])', text, processes, count, *inner]\n"
    "runner = os.path.join(os.path.dirname(os.path.realpath(importlib.util.find_spec('pip').origin)),\n"
    "                      '__pip-runner__.py')\n"
    "if not os.path.exists(runner):\n"
    "    sys.exit('pip is older than 22.2')\n"
    "most = resource.getrlimit(resource.RLIMIT_NPROC)[1]\n"
    "most = int(processes) if most == resource.RLIM_INFINITY else min(most, int(processes))\n"
    "resource.setrlimit(resource.RLIMIT_NPROC, (most, most))\n"
    "path = os.environ['PATH']\n"
    "class Popen(subprocess.Popen):\n"
    "    def __init__(self, args, *more, **options):\n"
    "        if isinstance(args, (str, bytes)) or more or options.get('shell') or options.get('executable'):\n"
    "            raise RuntimeError('pip starts a program in a way that piw-slave does not know')\n"
    "        args = list(args)\n"
    "        self.inside = False\n"
    "        if args[:2] == [sys.executable, runner]:\n"
    "            args = own + args[2:]\n"
    "        elif not (args[0] in ('git', 'hg', 'svn', 'bzr') and\n"
    "                  args[1:2] and args[1] in ('clone', 'fetch', 'ls-remote', 'checkout', 'submodule')):\n"
    "            args = inner + args\n"
    "            self.inside = True\n"
    "        if not self.inside:\n"
    "            options['env'] = {**(options.get('env') or os.environ), 'PATH': path}\n"
    "        super().__init__(args, **options)\n"
    "    @property\n"
    "    def returncode(self):\n"
    "        return self.code\n"
    "    @returncode.setter\n"
    "    def returncode(self, code):\n"
    "        self.code = 128 - code if self.inside and code is not None and 128 < code < 193 else code\n"
    "subprocess.Popen = Popen\n"
    "if words == ['try']:\n"
    "    sys.exit(subprocess.call([sys.executable, '-c', 'pass']))\n"
    "sys.argv = [runner, *words]\n"
    "runpy.run_path(runner, run_name='__main__')\n";

/* --- Words ------------------------------------------------------------------------------------------------------- */

static void add(slave_words *words, char *word)
{
    words->at = piw_realloc(words->at, (words->count + 2) * sizeof(*words->at));
    words->at[words->count++] = word;
    words->at[words->count] = NULL;
}

void slave_words_add(slave_words *words, const char *const *more)
{
    for (; more != NULL && *more != NULL; more++)
        add(words, piw_strdup(*more));
}

void slave_words_fini(slave_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
    free(words->at);
    *words = (slave_words){0};
}

#define ADD(words, ...) slave_words_add(words, (const char *const[]){__VA_ARGS__, NULL})

/* OPTION FOLDER/NAME FOLDER/NAME */
static void add_bind(slave_words *words, const char *option, const char *folder, const char *name)
{
    add(words, piw_strdup(option));
    add(words, piw_sprintf("%s/%s", folder, name));
    add(words, piw_sprintf("%s/%s", folder, name));
}

static void add_devices(slave_words *words)
{
    ADD(words, "--proc", "/proc", "--dev", "/dev", "--size", SHARED_MEMORY, "--tmpfs", "/dev/shm", "--remount-ro",
        "/dev");
}

/* --- What all see of this machine -------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Of everything outside of these the sandbox has nothing: homes, other builds, sockets below /run. */
static const char *const visible[] = {"/usr", "/etc", "/opt", "/sys/devices/system/cpu", "/var/lib/dpkg"};

static void add_visible(slave_words *words, const char *path)
{
    for (size_t i = 0; i < PIW_COUNT(visible); i++)
        if (is_below(path, visible[i]))
            return;
    if (path[0] == '/' && path[1] != '\0' && access(path, F_OK) == 0)
        ADD(words, "--ro-bind-try", path, path);
}

/* A folder that is part of /usr on today's systems and a link there, or one of its own. */
static void add_root(slave_words *words, const char *path)
{
    char *target = realpath(path, NULL);
    if (target != NULL && strcmp(target, path) != 0)
        ADD(words, "--symlink", target, path);
    else if (target != NULL)
        ADD(words, "--ro-bind", path, path);
    free(target);
}

/* Who may read it is the slave, and so would be what it builds. */
static void hide(slave_words *words, const char *path)
{
    struct stat status;
    char *real = realpath(path, NULL);
    bool seen = false;
    for (size_t i = 0; real != NULL && i < PIW_COUNT(visible); i++)
        seen = seen || is_below(real, visible[i]);
    if (seen && stat(real, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            ADD(words, "--size", "4096", "--tmpfs", real);
        else
            ADD(words, "--ro-bind", "/dev/null", real);
    }
    free(real);
}

static bool has_above(const slave_words *places, const char *path)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->at[i][0] == '/' && is_below(path, places->at[i]))
            return true;
    return false;
}

/* Where the interpreter lives, if that is elsewhere: an environment of its own, or one that was built by hand. */
static int add_python(slave_words *places, const char *python, piw_err *err)
{
    static const char where[] =
        "import os, sys; print(sys.prefix, sys.base_prefix, os.path.realpath(sys.executable), sep='\\n')";
    const char *argv[] = {python, "-I", "-c", where, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    slave_command command = {.argv = argv, .env = env, .dir = "/"};
    piw_buffer output = {0};
    int status = 0;
    int rc = slave_process_run(&command, TRIAL_MS, TRIAL_BYTES, &output, &status, err);
    if (rc == 0 && status == 0 && piw_buffer_add(&output, "", 1) == 0) {
        char *rest = (char *)output.data;
        for (const char *place; (place = strsep(&rest, "\n")) != NULL;)
            if (!has_above(places, place))
                add_visible(places, place);
        if (!has_above(places, python))
            add_visible(places, python);
    } else if (rc == 0) {
        rc = piw_err_set(err, PIW_ESYS, "%s doesn't say where it is", python);
    }
    piw_buffer_fini(&output);
    return rc;
}

/* Anew for each build: links and files may be others by then. */
static void add_system(const slave_sandbox *sandbox, slave_words *words)
{
    static const char *const roots[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    static const char *const trusted[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};
    for (size_t i = 0; i < PIW_COUNT(visible); i++)
        ADD(words, "--ro-bind-try", visible[i], visible[i]);
    for (size_t i = 0; i < PIW_COUNT(roots); i++)
        add_root(words, roots[i]);
    slave_words_add(words, (const char *const *)sandbox->places.at);
    for (size_t i = 0; i < PIW_COUNT(trusted); i++)
        if (getenv(trusted[i]) != NULL)
            add_visible(words, getenv(trusted[i]));
    char *resolver = realpath("/etc/resolv.conf", NULL); /* below /run, where something keeps it */
    if (resolver != NULL)
        add_visible(words, resolver);
    free(resolver);
    static const char *const hidden[] = {"/etc/piwheels.conf", "/etc/piwheels", "/usr/local/etc/piwheels.conf"};
    for (size_t i = 0; i < PIW_COUNT(hidden); i++)
        hide(words, hidden[i]);
    if (sandbox->key_file != NULL)
        hide(words, sandbox->key_file);
}

/* --- The two sandboxes ------------------------------------------------------------------------------------------- */

/* Before what else is shown: the interpreter may lie below. */
static void add_temporary(const char *folder, slave_words *words)
{
    static const char *const shared[] = {"/tmp", "/var/tmp"};
    for (size_t i = 0; i < PIW_COUNT(shared); i++) {
        ADD(words, "--bind");
        add(words, piw_sprintf("%s/tmp", folder));
        ADD(words, shared[i]);
    }
}

/* `temporary`: the build's folder, if it has temporary files. */
static void add_outer(const slave_sandbox *sandbox, const char *temporary, slave_words *words)
{
    ADD(words, BWRAP, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--die-with-parent", "--cap-drop", "ALL");
    if (temporary != NULL)
        add_temporary(temporary, words);
    add_system(sandbox, words);
    add_devices(words);
}

/* Nothing of the build's folder but its home and its temporary files: not pip's log, nor the wheels that are done. */
static void add_inner(const char *folder, slave_words *words)
{
    ADD(words, BWRAP, "--unshare-user", "--disable-userns", "--unshare-pid", "--unshare-ipc", "--unshare-net",
        "--die-with-parent", "--cap-drop", "ALL", "--bind", "/", "/");
    add_devices(words);
    ADD(words, "--size", "65536", "--tmpfs", folder);
    add_bind(words, "--bind", folder, "home");
    add_bind(words, "--bind", folder, "tmp");
    ADD(words, "--remount-ro", folder, "--setenv", "HOME");
    add(words, piw_sprintf("%s/home", folder));
    ADD(words, "--");
}

void slave_sandbox_pip(const slave_sandbox *sandbox, const char *folder, slave_words *words)
{
    add_outer(sandbox, folder, words);
    /* pip's home stays empty: what it reads there nobody can have written. */
    add_bind(words, "--ro-bind", folder, "own");
    add_bind(words, "--bind", folder, "home");
    add_bind(words, "--bind", folder, "tmp");
    add_bind(words, "--bind", folder, "wheels");
    add_bind(words, "--bind", folder, "log");
    ADD(words, "--remount-ro", "/", "--setenv", "HOME");
    add(words, piw_sprintf("%s/own", folder));
    ADD(words, "--chdir");
    add(words, piw_sprintf("%s/own", folder));
    ADD(words, "--", sandbox->python, "-I", "-c", "import sys; exec(sys.argv[1])", launcher, sandbox->processes);
    slave_words inner = {0};
    add_inner(folder, &inner);
    add(words, piw_sprintf("%zu", inner.count));
    slave_words_add(words, (const char *const *)inner.at);
    slave_words_fini(&inner);
}

void slave_sandbox_alone(const slave_sandbox *sandbox, const char *folder, slave_words *words)
{
    add_outer(sandbox, NULL, words);
    ADD(words, "--unshare-net", "--ro-bind", folder, folder, "--remount-ro", "/", "--");
}

/* --- Can it be had? ---------------------------------------------------------------------------------------------- */

int slave_sandbox_make(const char *folder, piw_err *err)
{
    static const char *const names[] = {"own", "home", "tmp", "wheels", "log"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < PIW_COUNT(names); i++) {
        char *path = piw_sprintf("%s/%s", folder, names[i]);
        if (mkdir(path, 0700) != 0)
            rc = piw_err_errno(err, "can't make %s", path);
        free(path);
    }
    return rc;
}

/* The last line of what was printed. */
static const char *last_line(piw_buffer *output)
{
    while (output->len > 0 && output->data[output->len - 1] == '\n')
        output->len--;
    if (piw_buffer_add(output, "", 1) != 0 || output->data[0] == '\0')
        return "without a word";
    const char *text = (const char *)output->data, *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

static int try_in(const slave_sandbox *sandbox, const char *folder, piw_err *err)
{
    slave_words words = {0};
    slave_sandbox_pip(sandbox, folder, &words);
    ADD(&words, "try");
    const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    slave_command command = {.argv = (const char *const *)words.at, .env = env, .dir = "/"};
    piw_buffer output = {0};
    int status = 0;
    int rc = slave_process_run(&command, TRIAL_MS, TRIAL_BYTES, &output, &status, err);
    if (rc == 0 && status != 0)
        rc = piw_err_set(err, PIW_EREFUSED, "bubblewrap can't contain anything here: %s", last_line(&output));
    piw_buffer_fini(&output);
    slave_words_fini(&words);
    return rc;
}

static int try_it(const slave_sandbox *sandbox, const slave_settings *settings, piw_err *err)
{
    char *folder = piw_sprintf("%s/piw-build-XXXXXX", settings->dir);
    if (mkdtemp(folder) == NULL) {
        int rc = piw_err_errno(err, "can't make a folder in %s", settings->dir);
        free(folder);
        return rc;
    }
    int rc = slave_sandbox_make(folder, err);
    rc = rc != 0 ? rc : try_in(sandbox, folder, err);
    piw_err left_err = {0};
    if (piw_folder_remove(folder, &left_err) != 0)
        piw_warning("a folder stays: %s", left_err.text);
    free(folder);
    return rc;
}

int slave_sandbox_open(slave_sandbox **sandbox, const slave_settings *settings, const char *key_file, piw_err *err)
{
    if (access(BWRAP, X_OK) != 0)
        return piw_err_set(err, PIW_EREFUSED, "there is no %s (Debian package bubblewrap)", BWRAP);
    slave_sandbox *made = piw_zalloc(sizeof(*made));
    made->python = piw_strdup(settings->python);
    made->processes = piw_sprintf("%lld", (long long)settings->processes);
    made->key_file = key_file != NULL ? piw_strdup(key_file) : NULL;
    int rc = add_python(&made->places, settings->python, err);
    rc = rc != 0 ? rc : try_it(made, settings, err);
    if (rc != 0)
        slave_sandbox_close(&made);
    else
        *sandbox = made;
    return rc;
}

void slave_sandbox_close(slave_sandbox **sandbox)
{
    slave_sandbox *old = *sandbox;
    if (old == NULL)
        return;
    *sandbox = NULL;
    slave_words_fini(&old->places);
    free(old->key_file);
    free(old->python);
    free(old->processes);
    free(old);
}
