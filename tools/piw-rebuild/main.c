/* piw-rebuild — has the master write pages anew (docs/importing.md). */
#include "common/clerk.h"
#include "common/programs.h"
#include "common/progress.h"

#include <stdlib.h>
#include <time.h>

enum { LOOK_MS = 300 };

static const piw_opt options[] = {
    {'w', "wait", PIW_OPT_SWITCH, NULL, NULL,
     "with all packages: wait until they are written, and show how far that is", .cli_only = true},
    CLERK_OPTIONS,
};

static const char summary[] = "Has the master write pages of its site anew. What to write is one of\n"
                              "  home               the home page\n"
                              "  search             the list that the search page reads\n"
                              "  project [PACKAGE]  the project page of the package, or of all packages\n"
                              "  index [PACKAGE]    the same with the simple index";

static const piw_program program = {
    .name = "piw-rebuild",
    .section = "rebuild",
    .summary = summary,
    .options = options,
    .sections = farm_sections,
    .operands = "home|search|project|index [PACKAGE]",
    .operands_min = 1,
    .operands_max = 2,
};

static const struct part {
    const char *name;
    int which;        /* of REBUILD's alternatives */
    bool of_packages; /* a package may be named */
    const char *one, *all;
} parts[] = {
    {"home", IMPORT_REBUILD_HOME, false, NULL, "the home page"},
    {"search", IMPORT_REBUILD_SEARCH, false, NULL, "the search list"},
    {"project", IMPORT_REBUILD_PROJECT, true, "the project page of", "the project pages of all packages"},
    {"index", IMPORT_REBUILD_BOTH, true, "the index and project page of",
     "the indexes and project pages of all packages"},
};

static const clerk_word words[] = {{"REBUILD", false, "will be written anew"}, {0}};

static piw_msg *make_request(const struct part *part, const char *package)
{
    import_REBUILD *body;
    piw_msg *msg = import_REBUILD_new(&body);
    body->which = part->which;
    if (part->which == IMPORT_REBUILD_PROJECT)
        body->PROJECT.package = piw_msg_textz(msg, package);
    else if (part->which == IMPORT_REBUILD_BOTH)
        body->BOTH.package = piw_msg_textz(msg, package);
    return msg;
}

/* The master writes them in the background, and goes on when this ends. */
static int wait_for_all(clerk *self, piw_err *err)
{
    tool_progress bar;
    tool_progress_begin(&bar, piw_config_switch(self->config, "quiet") ? NULL : stderr);
    int rc = 0;
    for (bool running = true; rc == 0 && running;) {
        const struct timespec rest = {.tv_nsec = LOOK_MS * 1000000L};
        piw_msg *answer = NULL;
        nanosleep(&rest, NULL);
        rc = clerk_ask(self, import_REBUILDING_new(), CLERK_ANSWER_S, &answer, err);
        if (rc == 0 && piw_msg_type_of(answer) == import_AT_type()) {
            const import_AT *at = import_AT_of(answer);
            running = at->running;
            tool_progress_show(&bar, false, at->done, at->total, "%lld of %lld packages", (long long)at->done,
                               (long long)at->total);
        } else if (rc == 0) {
            rc = piw_err_set(err, PIW_EREFUSED, "the master doesn't tell how far it is (piw-ctl list may)");
        }
        piw_msg_free(&answer);
    }
    tool_progress_clear(&bar);
    if (rc == 0)
        clerk_say(self, "they are written");
    return rc;
}

static int run(clerk *self, piw_err *err)
{
    size_t i = 0;
    while (i < PIW_COUNT(parts) && strcmp(parts[i].name, self->operands[0]) != 0)
        i++;
    if (i == PIW_COUNT(parts))
        return piw_err_set(err, PIW_EUSAGE, "'%.50s' is none of home, search, project and index", self->operands[0]);
    const char *package = self->operands_count > 1 ? self->operands[1] : NULL;
    if (package != NULL && !parts[i].of_packages)
        return piw_err_set(err, PIW_EUSAGE, "%s is not of a package: it is rebuilt as a whole", parts[i].name);
    char canonical[PIW_NAME_MAX + 1];
    int rc = package != NULL ? clerk_check_package(package, canonical, err) : 0;
    if (rc == 0 && package == NULL && parts[i].of_packages)
        rc = clerk_agree(self, err, "Rebuild %s?", parts[i].all);
    if (rc != 0)
        return rc;
    package = package != NULL ? canonical : NULL; /* the one spelling that every master knows it by */
    char *subject = package != NULL ? piw_sprintf("%s %s", parts[i].one, package) : piw_strdup(parts[i].all);
    rc = clerk_command(self, make_request(&parts[i], package), subject, words, err);
    free(subject);
    bool waits = rc == 0 && package == NULL && parts[i].of_packages && piw_config_switch(self->config, "wait");
    return waits ? wait_for_all(self, err) : rc;
}

int main(int argc, char **argv)
{
    return clerk_main(&program, run, argc, argv);
}
