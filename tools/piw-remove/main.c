/* piw-remove — takes packages, versions and builds away, or stops their building (docs/importing.md). */
#include "common/clerk.h"
#include "common/programs.h"

#include <stdio.h>
#include <stdlib.h>

static const piw_opt options[] = {
    {'b', "builds", PIW_OPT_SWITCH, NULL, NULL, "remove the builds only; they are made again, but for --skip",
     .cli_only = true},
    {'s', "skip", PIW_OPT_TEXT, "REASON", NULL, "keep it and say why it isn't to be built; --builds goes with it",
     .cli_only = true},
    {0, "yank", PIW_OPT_SWITCH, NULL, NULL, "keep the version, but have installers avoid it", .cli_only = true},
    CLERK_OPTIONS,
};

static const piw_program program = {
    .name = "piw-remove",
    .section = "remove",
    .summary = "Removes a package, or one version of it, with builds, files and pages, or only its builds; or\n"
               "keeps it and stops its building.",
    .options = options,
    .sections = farm_sections,
    .operands = "PACKAGE [VERSION]",
    .operands_min = 1,
    .operands_max = 2,
};

static const clerk_word words[] = {
    {"DELPKG", false, "was removed"},
    {"DELPKGBLD", false, "has no builds any more"},
    {"SKIPPKG", false, "will not be built any more"},
    {"DELVER", false, "was removed"},
    {"DELVERBLD", false, "has no builds any more"},
    {"SKIPVER", false, "will not be built any more"},
    {"YANKVER", false, "was yanked"},
    {"NOPKG", true, "is unknown to the master"},
    {"NOVER", true, "is unknown to the master"},
    {0},
};

typedef struct wish {
    const char *package, *version; /* version NULL: the whole package */
    const char *skip;              /* "": not wished */
    bool builds, yank;
} wish;

static int read_wish(const clerk *self, wish *w, piw_err *err)
{
    const char *skip = piw_config_text(self->config, "skip");
    *w = (wish){.package = self->operands[0],
                .version = self->operands_count > 1 ? self->operands[1] : NULL,
                .skip = skip != NULL ? skip : "",
                .builds = piw_config_switch(self->config, "builds"),
                .yank = piw_config_switch(self->config, "yank")};
    int rc = clerk_check_package(w->package, NULL, err);
    if (rc == 0 && w->version != NULL)
        rc = clerk_check_version(w->version, err);
    if (rc == 0 && skip != NULL)
        rc = clerk_check_text("--skip", skip, CLERK_REASON_MAX, err);
    if (rc == 0 && w->yank && w->version == NULL)
        rc = piw_err_set(err, PIW_EUSAGE, "--yank needs a VERSION: packages can't be yanked");
    return rc;
}

/* What is going to happen, as a question. */
static int agree(const clerk *self, const wish *w, const char *subject, piw_err *err)
{
    bool skip = w->skip[0] != '\0';
    if (!skip && !w->builds && !w->yank)
        return clerk_agree(self, err, "Remove %s with all its builds and files?", subject);
    const char *deeds[3];
    size_t count = 0;
    if (w->builds)
        deeds[count++] = "remove all builds and files";
    if (skip)
        deeds[count++] = "stop the building";
    if (w->yank)
        deeds[count++] = "yank the release";
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", deeds[i]);
    return clerk_agree(self, err, "For %s: %s?", subject, list);
}

static piw_msg *make_request(const wish *w)
{
    if (w->version == NULL)
        return import_REMPKG_make(piw_text_of(w->package), w->builds, piw_text_of(w->skip));
    return import_REMVER_make(piw_text_of(w->package), piw_text_of(w->version), w->builds, piw_text_of(w->skip),
                              w->yank);
}

static int run(clerk *self, piw_err *err)
{
    wish w;
    int rc = read_wish(self, &w, err);
    if (rc != 0)
        return rc;
    char *subject = w.version == NULL ? piw_sprintf("package %s", w.package)
                                      : piw_sprintf("version %s of %s", w.version, w.package);
    rc = agree(self, &w, subject, err);
    if (rc == 0)
        rc = clerk_command(self, make_request(&w), subject, words, err);
    free(subject);
    return rc;
}

int main(int argc, char **argv)
{
    return clerk_main(&program, run, argc, argv);
}
