/* piw-replay — a recording of a task, played to a plugin outside of any master, and compared (docs/recording.md). */
#include "common/programs.h"
#include "replay.h"

#include "runtime/player.h"
#include "shared/atomic_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIFFERS = 1, NOT_PLAYED = 2 };

static const piw_opt options[] = {
    {0, "against", PIW_OPT_TEXT, "PLUGIN", NULL, "compare with what this plugin does, not with the recording",
     .cli_only = true},
    {0, "speed", PIW_OPT_INT, "TIMES", "0", "play at so many times the recorded speed; 0: as fast as it goes", .min = 0,
     .max = 1000000, .cli_only = true},
    {0, "show", PIW_OPT_INT, "COUNT", "10", "differences that are shown in full", .min = 0, .max = 1000000,
     .cli_only = true},
    {0, "ignore", PIW_OPT_LIST, "FIELD", NULL,
     "leave out such fields (PROJECTS.as_of) or files (*/stats.html); a shell pattern, repeatable", .cli_only = true},
    {0, "keep", PIW_OPT_SWITCH, NULL, NULL, "leave the files that were written, and say where", .cli_only = true},
    {0, "timeout", PIW_OPT_DURATION, "DURATION", "1h", "a plugin that has not done by then can't be played",
     .min = 1000, .max = 7 * 86400000, .cli_only = true},
    PIW_OPT_END,
};

static const piw_program program = {
    .name = "piw-replay",
    .section = "replay",
    .summary = "Plays what piw-ctl record has recorded of a task to a plugin, outside of any\n"
               "master and in a folder of its own, and compares what it sends and writes. Exit\n"
               "code 0: it does the same; 1: it does not; 2: it could not be played.",
    .options = options,
    .sections = farm_sections,
    .operands = "PLUGIN FILE",
    .operands_min = 2,
    .operands_max = 2,
};

typedef struct play {
    const char *plugin;
    char *path;   /* of the plugin */
    char *folder; /* of this play */
    char *root, *played;
    piw_play_result result;
    piw_err err; /* of the process that played */
} play;

/* --- Playing, in a process of its own ------------------------------------------------------------------------------- */

static _Noreturn void play_here(play *self, const char *recording, int64_t speed, int64_t timeout_ms, int to)
{
    const piw_play what = {
        .plugin = self->path, .recording = recording, .played = self->played, .root = self->root, .clock = clock_set};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm((unsigned)(timeout_ms / 1000));
    clock_speed(speed);
    int rc = piw_play_recording(&what, &self->result, &self->err);
    bool told = write(to, &self->result, sizeof(self->result)) == (ssize_t)sizeof(self->result) &&
                write(to, &self->err, sizeof(self->err)) == (ssize_t)sizeof(self->err);
    /* Nothing of the plugin's runs any more, not even at an exit. */
    _exit(rc == 0 && told ? 0 : 1);
}

static void read_whole(int from, void *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = read(from, (char *)to + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        got += (size_t)n;
    }
}

static int judge(play *self, int status, piw_err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return piw_err_set(err, PIW_EDEADLINE, "%s was not done in time (--timeout)", self->plugin);
    if (WIFSIGNALED(status))
        return piw_err_set(err, PIW_EHANDLER, "%s was ended by signal %d (%s) while it was played", self->plugin,
                           WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (self->err.code != 0)
        return piw_err_set(err, self->err.code, "%s", self->err.text);
    return piw_err_set(err, PIW_EHANDLER, "%s ended the process that played it", self->plugin);
}

static int play_it(play *self, const piw_config *config, const char *recording, piw_err *err)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return piw_err_errno(err, "there is no pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        play_here(self, recording, piw_config_int(config, "speed"), piw_config_int(config, "timeout"), ends[1]);
    }
    close(ends[1]);
    int rc = pid < 0 ? piw_err_errno(err, "a process can't be started") : 0;
    if (rc == 0) {
        read_whole(ends[0], &self->result, sizeof(self->result));
        read_whole(ends[0], &self->err, sizeof(self->err));
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        rc = judge(self, status, err);
    }
    close(ends[0]);
    return rc;
}

/* --- Where -------------------------------------------------------------------------------------------------------------- */

/* A name without a folder is one of the plugins that are installed, or lie beside this program. */
static char *plugin_path(const char *name)
{
    char here[4096];
    ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);
    char *slash = NULL;
    if (n > 0) {
        here[n] = 0;
        slash = strrchr(here, '/');
    }
    if (strchr(name, '/') != NULL || slash == NULL || access(name, F_OK) == 0)
        return piw_strdup(name);
    *slash = 0;
    const char *end = strstr(name, ".so") != NULL ? "" : ".so";
    char *path = piw_sprintf("%s/../plugins/%s%s", here, name, end);
    if (access(path, F_OK) != 0) {
        free(path);
        path = piw_sprintf("%s/../lib/piwheels/plugins/%s%s", here, name, end);
    }
    return path;
}

static int make_folder(const char *path, piw_err *err)
{
    return piw_folder_make(path, err);
}

static int play_new(play *self, const char *plugin, const char *folder, const char *name, piw_err *err)
{
    self->plugin = plugin;
    self->path = plugin_path(plugin);
    self->folder = piw_sprintf("%s/%s", folder, name);
    self->root = piw_sprintf("%s/root", self->folder);
    self->played = piw_sprintf("%s/played", self->folder);
    int rc = make_folder(self->folder, err);
    return rc != 0 ? rc : make_folder(self->root, err);
}

static void play_fini(play *self)
{
    free(self->path);
    free(self->folder);
    free(self->root);
    free(self->played);
}

static char *temporary_folder(piw_err *err)
{
    const char *where = getenv("TMPDIR");
    char *made = piw_sprintf("%s/piw-replay-XXXXXX", where != NULL && where[0] == '/' ? where : "/tmp");
    if (mkdtemp(made) != NULL)
        return made;
    piw_err_errno(err, "the folder %s can't be made", made);
    free(made);
    return NULL;
}

/* --- What came of it --------------------------------------------------------------------------------------------------- */

static void tell(const play *self)
{
    const piw_play_result *result = &self->result;
    printf("  %s: %llu played", self->plugin, (unsigned long long)result->played);
    if (result->left_out > 0)
        printf(", %llu left out (first: %s)", (unsigned long long)result->left_out, result->first_left_out);
    if (result->unknown > 0)
        printf(", %llu calls to which the recording has no answer", (unsigned long long)result->unknown);
    if (result->unanswered > 0)
        printf(", %llu calls and jobs open at its end", (unsigned long long)result->unanswered);
    putchar('\n');
}

static int64_t look(const piw_config *config, const char *recording, const play *a, const play *b, piw_err *err)
{
    const char *const *ignored;
    comparison how = {.show = piw_config_int(config, "show")};
    how.ignored_count = piw_config_list(config, "ignore", &ignored);
    how.ignored = ignored;
    side left = {0}, right = {0};
    int64_t found = a == NULL ? side_read(&left, "recorded", recording, NULL, ignored, how.ignored_count, err)
                              : side_read(&left, a->plugin, a->played, a->root, ignored, how.ignored_count, err);
    if (found == 0)
        found = side_read(&right, b->plugin, b->played, b->root, ignored, how.ignored_count, err);
    if (found == 0) {
        printf("%s, recorded from %s %s for %.1f s from %s on%s\n", left.task, left.plugin, left.version,
               (double)(left.last_ns - left.first_ns) / 1e9, left.began, b->result.torn ? "; the file breaks off" : "");
        if (a != NULL)
            tell(a);
        tell(b);
        size_t unfinished = a == NULL ? unfinished_leave_out(&left, &right) : 0;
        if (unfinished > 0)
            printf("  %zu files aren't compared: what wrote them was under way when the recording ended\n", unfinished);
        found = compare(&left, &right, &how, err);
    }
    side_fini(&left);
    side_fini(&right);
    return found;
}

static int64_t run(const piw_config *config, const char *plugin, const char *recording, piw_err *err)
{
    const char *against = piw_config_text(config, "against");
    char *folder = temporary_folder(err);
    play one = {0}, two = {0};
    if (folder == NULL)
        return err->code;
    int64_t found = play_new(&one, plugin, folder, "a", err);
    if (found == 0)
        found = play_it(&one, config, recording, err);
    if (found == 0 && against != NULL)
        found = play_new(&two, against, folder, "b", err);
    if (found == 0 && against != NULL)
        found = play_it(&two, config, recording, err);
    if (found == 0)
        found = look(config, recording, against != NULL ? &one : NULL, against != NULL ? &two : &one, err);
    if (piw_config_switch(config, "keep"))
        printf("  what was written lies in %s\n", folder);
    else
        piw_folder_remove(folder, NULL);
    play_fini(&one);
    play_fini(&two);
    free(folder);
    return found;
}

int main(int argc, char **argv)
{
    piw_err err = {0};
    piw_config *config = NULL;
    const char *const *operands;
    piw_protocol_use(&recording_protocol_def);
    int code = piw_config_load(&config, &program, argc, argv, &err);
    if (code == 1)
        return EXIT_SUCCESS;
    int64_t found = code;
    if (code == 0) {
        piw_config_operands(config, &operands);
        found = run(config, operands[0], operands[1], &err);
    }
    if (found >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        found = piw_err_errno(&err, "can't write to standard output");
    if (found < 0)
        fprintf(stderr, "piw-replay: %s\n", err.text);
    else
        puts(found == 0 ? "the same" : "not the same");
    piw_config_free(&config);
    return found < 0 ? NOT_PLAYED : found > 0 ? DIFFERS : EXIT_SUCCESS;
}
