/* piw-ctl — what an operator asks of a running master (docs/operating.md). */
#include "common/programs.h"
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const piw_opt options[] = {
    {0, "admin-queue", PIW_OPT_TEXT, "ADDR", "ipc:///tmp/piw-admin", "the master's admin queue"},
    {0, "json", PIW_OPT_SWITCH, NULL, NULL, "answer in JSON, for scripts", .cli_only = true},
    {0, "force", PIW_OPT_SWITCH, NULL, NULL,
     "disable a task although others need it; remove an ABI although it has builds", .cli_only = true},
    {0, "fresh", PIW_OPT_SWITCH, NULL, NULL, "replace a task without taking over its state", .cli_only = true},
    {0, "watch", PIW_OPT_DURATION, "DURATION", "0s",
     "replace: go back to the plugin before when within this time the new one errs, fails or is slow", .min = 0,
     .max = 86400000, .cli_only = true},
    {0, "for", PIW_OPT_DURATION, "DURATION", "0s", "record: ends by itself after so long", .min = 0,
     .max = 7 * 86400000, .cli_only = true},
    {0, "max", PIW_OPT_SIZE, "SIZE", "1G", "record: the file has at most so many bytes; 0: no bound", .min = 0,
     .max = INT64_C(1) << 50, .cli_only = true},
    {0, "stop", PIW_OPT_SWITCH, NULL, NULL, "record: end the recording", .cli_only = true},
    {0, "follow", PIW_OPT_SWITCH, NULL, NULL, "builds: go on with those to come", .cli_only = true},
    {0, "match", PIW_OPT_TEXT, "PATTERN", NULL, "trace only lines in which this shell pattern is found",
     .cli_only = true},
    {0, "codec", PIW_OPT_CHOICE, "CODEC", "msgpack", "how messages are encoded", .choices = "msgpack|cbor"},
    PIW_OPT_END,
};

/* --help describes options only, so that the commands are described in the summary. */
static const char summary[] =
    "Looks into a running master and its farm, and changes its tasks. COMMAND is one of\n"
    "  slaves                the slaves: what each is and does\n"
    "  kill SLAVE            have it end when its build has ended; SLAVE is a number or label\n"
    "  skip SLAVE            have it throw away what it builds\n"
    "  sleep SLAVE           give it no more work; wake SLAVE gives it work again\n"
    "  builds [COUNT]        the newest builds; --follow: and those to come, until Ctrl+C\n"
    "  queue [ABI]           what waits for each ABI; what is next for one\n"
    "  log BUILD             a build's log, what looks like its error first\n"
    "  why PACKAGE [VERSION] what was tried for each ABI, what came of it, what happens next\n"
    "  first PACKAGE         build what waits of it before all else\n"
    "  retry PACKAGE [VERSION]  try again what failed\n"
    "  abi list              the ABIs that are built for: what waits, builds, slaves\n"
    "  abi add TAG           build for this one, such as cp311; again, if skipped\n"
    "  abi skip TAG [REASON] build for it no more\n"
    "  abi remove TAG        forget it; --force: although it has builds\n"
    "  view list             kinds of machine: what waits, builds, files, slaves\n"
    "  view fill VIEW        look at all versions again for what it lacks\n"
    "  view drop VIEW        delete its builds, once the configuration has it no more\n"
    "  pause, wake           the farm: no builds are given out; they are again\n"
    "  list                  every task with its figures\n"
    "  top                   all tasks, refreshed; q ends\n"
    "  info TASK             one task: services, messages, options\n"
    "  enable TASK           start a task that is disabled or was given up\n"
    "  disable TASK          stop it; refused when others need it, but for --force\n"
    "  replace TASK FILE     go over to another plugin; see --fresh and --watch\n"
    "  reload TASK           the same file again, which may have changed\n"
    "  restart TASK          begin anew\n"
    "  hold TASK             let its messages wait; release TASK lets them go on\n"
    "  debug TASK on|off     its debug log\n"
    "  ask TASK WORD [ARGUMENT...]  a command in the task's own words\n"
    "  trace TASK            its messages as they come and go, until Ctrl+C; --match PATTERN\n"
    "  record TASK FILE      what it gets and does, for piw-replay; see --for, --max and --stop\n"
    "  dump [TASK]           the last messages of the flight recorder\n"
    "  limits                the runtime's limits and why they are what they are\n"
    "  config                the settings in force and where they come from\n"
    "  reread                read the configuration again, as SIGHUP does";

static const piw_program program = {
    .name = "piw-ctl",
    .section = "ctl",
    .summary = summary,
    .options = options,
    .sections = farm_sections,
    .operands = "COMMAND [TASK|SLAVE|BUILD|PACKAGE|ABI|ACTION [FILE|VERSION|TAG [REASON]]]",
    .operands_min = 1,
    .operands_max = 23, /* ask: with as many arguments as its message takes */
};

enum { TASK_MAX = 64, FILE_MAX = 4096, MATCH_MAX = 200 };

/* --- Looking ------------------------------------------------------------------------------------------------------ */

static int on_list(ctl *self, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, admin_LIST_new(), admin_TASKS_type(), &answer, err);
    if (rc == 0)
        (self->json ? json_tasks : show_tasks)(admin_TASKS_of(answer));
    piw_msg_free(&answer);
    return rc;
}

static int on_info(ctl *self, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, admin_INFO_make(piw_text_of(self->operands[1])), admin_TASK_type(), &answer, err);
    if (rc == 0)
        (self->json ? json_task : show_task)(admin_TASK_of(answer));
    piw_msg_free(&answer);
    return rc;
}

static int print_lines(ctl *self, piw_msg *request, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, request, admin_LINES_type(), &answer, err);
    if (rc == 0)
        (self->json ? json_lines : show_lines)(admin_LINES_of(answer));
    piw_msg_free(&answer);
    return rc;
}

static int on_dump(ctl *self, piw_err *err)
{
    return print_lines(self, admin_DUMP_make(piw_text_of(self->operands_count > 1 ? self->operands[1] : "")), err);
}

static int on_reread(ctl *self, piw_err *err)
{
    return print_lines(self, admin_REREAD_new(), err);
}

static int print_settings(ctl *self, piw_msg *request, const char *list, const char *third, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, request, admin_SETTINGS_type(), &answer, err);
    if (rc == 0 && self->json)
        json_settings(list, third, admin_SETTINGS_of(answer));
    else if (rc == 0)
        show_settings(admin_SETTINGS_of(answer));
    piw_msg_free(&answer);
    return rc;
}

static int on_limits(ctl *self, piw_err *err)
{
    return print_settings(self, admin_LIMITS_new(), "limits", "reason", err);
}

static int on_config(ctl *self, piw_err *err)
{
    return print_settings(self, admin_CONFIG_new(), "settings", "origin", err);
}

/* --- Changing ----------------------------------------------------------------------------------------------------- */

static int change(ctl *self, piw_msg *request, piw_err *err)
{
    piw_msg *answer = NULL;
    int rc = ctl_ask(self, request, admin_DONE_type(), &answer, err);
    if (rc == 0 && self->json)
        json_done(admin_DONE_of(answer)->text.s);
    else if (rc == 0)
        show_line(admin_DONE_of(answer)->text.s);
    piw_msg_free(&answer);
    return rc;
}

static piw_text task_of(const ctl *self)
{
    return piw_text_of(self->operands[1]);
}

static int on_enable(ctl *self, piw_err *err)
{
    return change(self, admin_ENABLE_make(task_of(self)), err);
}

static int on_disable(ctl *self, piw_err *err)
{
    return change(self, admin_DISABLE_make(task_of(self), piw_config_switch(self->config, "force")), err);
}

static int on_replace(ctl *self, piw_err *err)
{
    if (piw_config_int(self->config, "watch") > 0)
        return trial_replace(self, err);
    return change(
        self,
        admin_REPLACE_make(task_of(self), piw_text_of(self->operands[2]), piw_config_switch(self->config, "fresh")),
        err);
}

static int on_reload(ctl *self, piw_err *err)
{
    return change(self, admin_RELOAD_make(task_of(self)), err);
}

static int on_restart(ctl *self, piw_err *err)
{
    return change(self, admin_RESTART_make(task_of(self)), err);
}

static int on_hold(ctl *self, piw_err *err)
{
    return change(self, admin_HOLD_make(task_of(self)), err);
}

static int on_release(ctl *self, piw_err *err)
{
    return change(self, admin_RELEASE_make(task_of(self)), err);
}

static int on_debug(ctl *self, piw_err *err)
{
    bool on = strcmp(self->operands[2], "on") == 0;
    if (!on && strcmp(self->operands[2], "off") != 0)
        return piw_err_set(err, PIW_EUSAGE, "debug: '%.50s' is neither on nor off", self->operands[2]);
    return change(self, admin_DEBUG_make(task_of(self), on), err);
}

/* The master takes whole paths only: what is relative is so to where piw-ctl was called. */
static int on_record(ctl *self, piw_err *err)
{
    bool stop = piw_config_switch(self->config, "stop");
    if (stop != (self->operands_count == 2))
        return piw_err_set(err, PIW_EUSAGE, "the command is: record TASK FILE, or record TASK --stop");
    if (stop)
        return change(self, admin_UNRECORD_make(task_of(self)), err);
    char *here = self->operands[2][0] == '/' ? NULL : getcwd(NULL, 0);
    if (here == NULL && self->operands[2][0] != '/')
        return piw_err_errno(err, "the folder that this is cannot be told");
    char *file = here != NULL ? piw_sprintf("%s/%s", here, self->operands[2]) : piw_strdup(self->operands[2]);
    int rc = strlen(file) > FILE_MAX
                 ? piw_err_set(err, PIW_EUSAGE, "a file's name has at most %d characters", FILE_MAX)
                 : change(self,
                          admin_RECORD_make(task_of(self), piw_text_of(file), piw_config_int(self->config, "for"),
                                            piw_config_int(self->config, "max")),
                          err);
    free(file);
    free(here);
    return rc;
}

static int on_pause(ctl *self, piw_err *err)
{
    return change(self, admin_PAUSE_new(), err);
}

/* Without a SLAVE it is the whole farm's. */
static int on_wake(ctl *self, piw_err *err)
{
    return self->operands_count > 1 ? farm_slave(self, err) : change(self, admin_WAKE_new(), err);
}

/* --- The commands ------------------------------------------------------------------------------------------------- */

static const struct command {
    const char *name;
    size_t min, max; /* operands after it */
    const char *operands;
    int (*run)(ctl *self, piw_err *err);
    bool of_farm; /* its operands are not names of a task and a file */
} commands[] = {
    {"list", 0, 0, "", on_list},
    {"info", 1, 1, " TASK", on_info},
    {"enable", 1, 1, " TASK", on_enable},
    {"disable", 1, 1, " TASK", on_disable},
    {"replace", 2, 2, " TASK FILE", on_replace},
    {"reload", 1, 1, " TASK", on_reload},
    {"restart", 1, 1, " TASK", on_restart},
    {"hold", 1, 1, " TASK", on_hold},
    {"release", 1, 1, " TASK", on_release},
    {"pause", 0, 0, "", on_pause},
    {"wake", 0, 1, " [SLAVE]", on_wake, .of_farm = true},
    {"slaves", 0, 0, "", farm_slaves},
    {"kill", 1, 1, " SLAVE", farm_slave, .of_farm = true},
    {"skip", 1, 1, " SLAVE", farm_slave, .of_farm = true},
    {"sleep", 1, 1, " SLAVE", farm_slave, .of_farm = true},
    {"builds", 0, 1, " [COUNT]", farm_builds, .of_farm = true},
    {"queue", 0, 1, " [ABI]", farm_queue, .of_farm = true},
    {"log", 1, 1, " BUILD", log_print, .of_farm = true},
    {"first", 1, 1, " PACKAGE", farm_first, .of_farm = true},
    {"why", 1, 2, " PACKAGE [VERSION]", farm_why, .of_farm = true},
    {"abi", 1, 3, " add|skip|remove|list [TAG [REASON]]", farm_abi, .of_farm = true},
    {"view", 1, 2, " list|fill|drop [VIEW]", farm_view, .of_farm = true},
    {"retry", 1, 2, " PACKAGE [VERSION]", farm_retry, .of_farm = true},
    {"debug", 2, 2, " TASK on|off", on_debug},
    {"ask", 2, 22, " TASK WORD [ARGUMENT...]", farm_ask},
    {"trace", 1, 1, " TASK", watch_trace},
    {"record", 1, 2, " TASK FILE", on_record},
    {"top", 0, 0, "", watch_top},
    {"dump", 0, 1, " [TASK]", on_dump},
    {"limits", 0, 0, "", on_limits},
    {"config", 0, 0, "", on_config},
    {"reread", 0, 0, "", on_reread},
};

static bool removes_abi(const ctl *self)
{
    return strcmp(self->operands[0], "abi") == 0 && self->operands_count > 1 &&
           strcmp(self->operands[1], "remove") == 0;
}

/* Refuses options that don't belong to the command, and names that are empty or too long for the message. */
static int check_operands(const ctl *self, const struct command *command, piw_err *err)
{
    if (piw_config_switch(self->config, "force") && strcmp(command->name, "disable") != 0 && !removes_abi(self))
        return piw_err_set(err, PIW_EUSAGE, "--force belongs to disable and abi remove");
    if (piw_config_switch(self->config, "fresh") && strcmp(command->name, "replace") != 0)
        return piw_err_set(err, PIW_EUSAGE, "--fresh belongs to replace");
    if (piw_config_int(self->config, "watch") > 0 && strcmp(command->name, "replace") != 0)
        return piw_err_set(err, PIW_EUSAGE, "--watch belongs to replace");
    if (piw_config_int(self->config, "watch") > 0 && piw_config_switch(self->config, "fresh"))
        return piw_err_set(err, PIW_EUSAGE, "what --fresh forgets can't be gone back to: leave out --fresh or --watch");
    if (piw_config_text(self->config, "match") != NULL && strcmp(command->name, "trace") != 0)
        return piw_err_set(err, PIW_EUSAGE, "--match belongs to trace");
    if (strcmp(command->name, "record") != 0 &&
        (piw_config_switch(self->config, "stop") || piw_config_int(self->config, "for") > 0))
        return piw_err_set(err, PIW_EUSAGE, "--stop and --for belong to record");
    if (piw_config_switch(self->config, "follow") && strcmp(command->name, "builds") != 0)
        return piw_err_set(err, PIW_EUSAGE, "--follow belongs to builds");
    if (command->of_farm)
        return 0;
    const char *match = piw_config_text(self->config, "match");
    for (size_t i = 1; i < self->operands_count; i++)
        if (self->operands[i][0] == 0)
            return piw_err_set(err, PIW_EUSAGE, "a name is empty");
    if (self->operands_count > 1 && strlen(self->operands[1]) > TASK_MAX)
        return piw_err_set(err, PIW_EUSAGE, "a task's name has at most %d characters", TASK_MAX);
    if (self->operands_count > 2 && strlen(self->operands[2]) > FILE_MAX)
        return piw_err_set(err, PIW_EUSAGE, "a file's name has at most %d characters", FILE_MAX);
    if (match != NULL && strlen(match) > MATCH_MAX)
        return piw_err_set(err, PIW_EUSAGE, "a pattern has at most %d characters", MATCH_MAX);
    return 0;
}

static int no_such_command(const char *name, piw_err *err)
{
    const char *names[PIW_COUNT(commands)];
    for (size_t i = 0; i < PIW_COUNT(commands); i++)
        names[i] = commands[i].name;
    const char *meant = near_name(name, names, PIW_COUNT(names));
    if (meant != NULL)
        return piw_err_set(err, PIW_EUSAGE, "there is no command '%.50s'; did you mean %s?", name, meant);
    return piw_err_set(err, PIW_EUSAGE, "there is no command '%.50s'; see --help", name);
}

/* The master refused: was it for a task's name that isn't one? */
static void name_the_task(ctl *self, piw_err *err)
{
    piw_msg *answer = NULL;
    piw_err ignored_err = {0};
    if (ctl_ask(self, admin_LIST_new(), admin_TASKS_type(), &answer, &ignored_err) != 0)
        return;
    const admin_TASKS *tasks = admin_TASKS_of(answer);
    const char **names = piw_alloc((tasks->tasks.count + 1) * sizeof(*names));
    bool known = false;
    for (uint32_t i = 0; i < tasks->tasks.count; i++) {
        names[i] = tasks->tasks.at[i].task.s;
        known = known || strcmp(names[i], self->operands[1]) == 0;
    }
    const char *meant = known ? NULL : near_name(self->operands[1], names, tasks->tasks.count);
    near_add(err, meant);
    free(names);
    piw_msg_free(&answer);
}

static int run(ctl *self, piw_err *err)
{
    size_t i = 0;
    while (i < PIW_COUNT(commands) && strcmp(commands[i].name, self->operands[0]) != 0)
        i++;
    if (i == PIW_COUNT(commands))
        return no_such_command(self->operands[0], err);
    size_t count = self->operands_count - 1;
    if (count < commands[i].min || count > commands[i].max)
        return piw_err_set(err, PIW_EUSAGE, "the command is: %s%s", commands[i].name, commands[i].operands);
    int rc = check_operands(self, &commands[i], err);
    rc = rc != 0 ? rc : commands[i].run(self, err);
    if (rc == PIW_EREFUSED && !commands[i].of_farm && count > 0)
        name_the_task(self, err);
    return rc;
}

int main(int argc, char **argv)
{
    ctl self = {0};
    piw_err err = {0};
    piw_config *config = NULL;
    piw_protocol_use(&admin_protocol_def);
    int code = piw_config_load(&config, &program, argc, argv, &err);
    if (code == 1)
        return EXIT_SUCCESS;
    if (code == 0) {
        self.config = config;
        self.operands_count = piw_config_operands(config, &self.operands);
        self.json = piw_config_switch(config, "json");
        code = piw_codec_parse(piw_config_text(config, "codec"), &self.codec);
    }
    if (code == 0)
        code = run(&self, &err);
    if (code == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        code = piw_err_errno(&err, "can't write to standard output");
    piw_client_close(&self.client);
    piw_config_free(&config);
    return piw_program_exit(&program, code != 0 ? &err : NULL);
}
