/* piw-rebuild — has the master write pages anew (docs/importing.md). */
#include "common/clerk.h"
#include "common/programs.h"

#include <stdlib.h>

static const piw_opt options[] = {CLERK_OPTIONS};

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
    return rc;
}

int main(int argc, char **argv)
{
    return clerk_main(&program, run, argc, argv);
}
